//! CLIENT LIST.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::super::client::Client;
use super::super::describe;
use super::super::inner::Inner;
use super::{SYNTAX, integer, is, show};
use crate::core::ids::ClientId;
use crate::resp::Reply;

/// Kinds of clients that CLIENT LIST and CLIENT KILL tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientType {
    /// Without subscriptions.
    Normal,
    /// With subscriptions.
    PubSub,
    /// Replication, which this daemon has none of.
    Replication,
}

impl ClientType {
    /// The kind that a word names.
    pub(super) fn parse(word: &[u8]) -> Result<Self, Reply> {
        if is(word, "normal") {
            Ok(Self::Normal)
        } else if is(word, "pubsub") {
            Ok(Self::PubSub)
        } else if is(word, "master") || is(word, "replica") || is(word, "slave") {
            Ok(Self::Replication)
        } else {
            Err(Reply::error(format!("ERR Unknown client type '{}'", show(word))))
        }
    }

    /// Whether a client is of this kind.
    pub(super) fn holds(self, client: &Client) -> bool {
        match self {
            Self::Normal => client.subscription_count() == 0,
            Self::PubSub => client.subscription_count() > 0,
            Self::Replication => false,
        }
    }
}

/// `CLIENT LIST [TYPE type | ID id ...]`.
pub(super) fn list(server: &Inner, args: &[Bytes]) -> Result<Reply, Reply> {
    let clients = server.clients.borrow();
    let mut text = String::new();
    let mut add = |client: &Client| {
        text.push_str(&describe::line(client));
        text.push('\n');
    };
    match &args[2..] {
        [] => clients.values().for_each(|client| add(client)),
        [option, kind] if is(option, "type") => {
            let kind = ClientType::parse(kind)?;
            clients.values().filter(|client| kind.holds(client)).for_each(|client| add(client));
        }
        [option, ids @ ..] if is(option, "id") && !ids.is_empty() => {
            // Each once, so that a short request can't ask for an endless reply.
            let mut seen = BTreeSet::new();
            let mut wanted = Vec::new();
            for id in ids {
                let id = integer(id).ok_or(Reply::err("ERR Invalid client ID"))?;
                if seen.insert(id) {
                    wanted.push(id);
                }
            }
            for id in wanted {
                if let Some(client) = u64::try_from(id).ok().and_then(|id| clients.get(&ClientId(id))) {
                    add(client);
                }
            }
        }
        _ => return Err(SYNTAX),
    }
    Ok(Reply::Verbatim(Bytes::from(text)))
}
