//! The commands that the server answers itself.

pub(super) mod client;
mod client_kill;
mod client_list;
mod client_tracking;
pub(super) mod hello;
pub(super) mod info;
mod info_text;
pub(super) mod shutdown;
pub(super) mod subscribe;

use bytes::Bytes;

use super::client::Client;
use crate::resp::{Protocol, Reply};

const SYNTAX: Reply = Reply::err("ERR syntax error");
const NOT_AN_INTEGER: Reply = Reply::err("ERR value is not an integer or out of range");

/// `PING [message]`.
pub(super) fn ping(client: &Client, args: &[Bytes]) -> Reply {
    if args.len() > 2 {
        return Reply::err("ERR wrong number of arguments for 'ping' command");
    }
    let message = args.get(1).cloned();
    if client.protocol.get() == Protocol::Resp2 && client.subscription_count() > 0 {
        return Reply::Array(vec![Reply::bulk("pong"), Reply::Bulk(message.unwrap_or_default())]);
    }
    message.map_or(Reply::Simple("PONG".into()), Reply::Bulk)
}

/// A number as Redis reads it in a command: no plus, no leading zero, no blank.
fn integer(word: &[u8]) -> Option<i64> {
    crate::resp::request::parse(word)
}

/// Whether a word is that option, in any case.
fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}

/// A word for a text.
fn show(word: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(word)
}

/// A help text: usage and indented explanation in turn, with the lines that every container has.
fn help(container: &str, lines: &[&'static str]) -> Reply {
    let first = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let all = std::iter::once(first)
        .chain(lines.iter().map(ToString::to_string))
        .chain(["HELP".to_owned(), "    Print this help.".to_owned()]);
    Reply::Array(all.map(|line| Reply::Simple(line.into())).collect())
}
