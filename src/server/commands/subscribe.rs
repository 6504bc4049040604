//! SUBSCRIBE, PSUBSCRIBE, UNSUBSCRIBE, PUNSUBSCRIBE.

use std::rc::Rc;

use bytes::Bytes;

use super::super::client::Client;
use super::super::inner::Inner;
use super::super::pubsub::{Kind, MAX_SUBSCRIPTIONS, own};
use crate::resp::Reply;

/// Carries one of the four out. Each channel is confirmed on its own, and the confirmations are sent even when replies
/// are silenced.
pub(crate) fn execute(server: &Inner, client: &Rc<Client>, command: &'static str, args: &[Bytes]) {
    let kind = if command.starts_with('p') { Kind::Pattern } else { Kind::Channel };
    if command.ends_with("unsubscribe") {
        unsubscribe(server, client, command, kind, &args[1..]);
        return;
    }
    if client.subscription_count() + args.len() - 1 > MAX_SUBSCRIPTIONS {
        server.answer(client, &Reply::err("ERR too many subscriptions"));
        return;
    }
    for name in &args[1..] {
        server.pubsub.borrow_mut().subscribe(client, kind, name);
        confirm(server, client, command, Some(name));
    }
}

fn unsubscribe(server: &Inner, client: &Rc<Client>, command: &'static str, kind: Kind, names: &[Bytes]) {
    if !names.is_empty() {
        for name in names {
            server.pubsub.borrow_mut().unsubscribe(client, kind, name);
            confirm(server, client, command, Some(name));
        }
        return;
    }
    let all: Vec<Bytes> = own(client, kind).borrow().iter().cloned().collect();
    if all.is_empty() {
        confirm(server, client, command, None);
    }
    for name in all {
        server.pubsub.borrow_mut().unsubscribe(client, kind, &name);
        confirm(server, client, command, Some(&name));
    }
}

fn confirm(server: &Inner, client: &Client, command: &'static str, name: Option<&Bytes>) {
    let count = i64::try_from(client.subscription_count()).unwrap_or(i64::MAX);
    let name = name.map_or(Reply::Nil, |name| Reply::Bulk(name.clone()));
    server.push_reply(client, &Reply::Push(vec![Reply::bulk(command), name, Reply::Int(count)]));
}
