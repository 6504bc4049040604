//! Who is subscribed to what, and the fan-out of messages.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::client::Client;
use crate::core::glob;
use crate::core::ids::ClientId;
use crate::resp::{Protocol, bulk, header};

/// Channels and patterns one client may be subscribed to together.
pub(super) const MAX_SUBSCRIPTIONS: usize = 64 * 1024;

type Subscribers = BTreeMap<ClientId, Rc<Client>>;

/// All subscriptions.
#[derive(Debug, Default)]
pub(super) struct PubSub {
    channels: BTreeMap<Bytes, Subscribers>,
    patterns: BTreeMap<Bytes, Subscribers>,
}

/// Channel or pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Channel,
    Pattern,
}

impl PubSub {
    /// Subscribes a client; harmless if it is subscribed already.
    pub(super) fn subscribe(&mut self, client: &Rc<Client>, kind: Kind, name: &Bytes) {
        // Own copies: the name may be a small part of a large read buffer.
        let mut own = own(client, kind).borrow_mut();
        if !own.contains(name) {
            let name = Bytes::copy_from_slice(name);
            self.of(kind).entry(name.clone()).or_default().insert(client.id, Rc::clone(client));
            own.insert(name);
        }
    }

    /// Ends a subscription; harmless if there is none.
    pub(super) fn unsubscribe(&mut self, client: &Client, kind: Kind, name: &Bytes) {
        if own(client, kind).borrow_mut().remove(name) {
            self.forget(client.id, kind, name);
        }
    }

    /// Ends all subscriptions of a client that has gone.
    pub(super) fn unsubscribe_all(&mut self, client: &Client) {
        for kind in [Kind::Channel, Kind::Pattern] {
            for name in std::mem::take(&mut *own(client, kind).borrow_mut()) {
                self.forget(client.id, kind, &name);
            }
        }
    }

    /// Number of channels that have subscribers.
    pub(super) fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Number of patterns that have subscribers.
    pub(super) fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    /// Calls `send` with each receiver and the bytes for it, encoded once for each protocol and form; returns how often.
    pub(super) fn publish(
        &self,
        channel: &[u8],
        payload: &[u8],
        mut send: impl FnMut(&Client, &[u8]),
    ) -> usize {
        let mut sent = 0;
        let mut deliver = |subscribers: &Subscribers, words: &[&[u8]]| {
            let mut frames = Frames::new(words);
            for client in subscribers.values() {
                send(client, frames.of(client.protocol.get()));
                sent += 1;
            }
        };
        if let Some(subscribers) = self.channels.get(channel) {
            deliver(subscribers, &[b"message", channel, payload]);
        }
        for (pattern, subscribers) in &self.patterns {
            if glob::matches(pattern, channel, false) {
                deliver(subscribers, &[b"pmessage", pattern, channel, payload]);
            }
        }
        sent
    }

    fn of(&mut self, kind: Kind) -> &mut BTreeMap<Bytes, Subscribers> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }

    fn forget(&mut self, client: ClientId, kind: Kind, name: &Bytes) {
        let all = self.of(kind);
        if let Some(subscribers) = all.get_mut(name) {
            subscribers.remove(&client);
            if subscribers.is_empty() {
                all.remove(name);
            }
        }
    }
}

/// A client's own list.
pub(super) fn own(client: &Client, kind: Kind) -> &std::cell::RefCell<std::collections::BTreeSet<Bytes>> {
    match kind {
        Kind::Channel => &client.channels,
        Kind::Pattern => &client.patterns,
    }
}

/// One message in the forms that receivers need, each made at most once.
struct Frames<'a> {
    words: &'a [&'a [u8]],
    resp2: Option<BytesMut>,
    resp3: Option<BytesMut>,
}

impl<'a> Frames<'a> {
    fn new(words: &'a [&'a [u8]]) -> Self {
        Self { words, resp2: None, resp3: None }
    }

    fn of(&mut self, protocol: Protocol) -> &[u8] {
        let (frame, kind) = match protocol {
            Protocol::Resp2 => (&mut self.resp2, b'*'),
            Protocol::Resp3 => (&mut self.resp3, b'>'),
        };
        frame.get_or_insert_with(|| {
            let mut out = BytesMut::new();
            header(kind, self.words.len(), &mut out);
            self.words.iter().for_each(|word| bulk(word, &mut out));
            out
        })
    }
}
