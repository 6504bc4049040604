//! The commands that the engine answers: SENTINEL with its subcommands, ROLE, and PUBLISH of hellos.
//!
//! The server has looked the command up, counted its words and checked the rights; here the values are judged, in
//! Sentinel's order and with its texts. A query is answered at once, whatever the disk does. A command that changes
//! what the file holds is answered when the change has been saved, or could not be; in memory it stays either way.

mod checks;
mod config;
mod debug;
mod help;
mod monitor;
mod query;
mod rows;
mod set;
#[cfg(test)]
mod tests;
mod words;

use bytes::Bytes;

pub(crate) use self::checks::Checks;
use self::words::Words;
use super::action::{Action, Actions};
use super::engine::Engine;
use super::group::{Group, GroupId};
use super::ids::ClientId;
use super::shared::{Cx, Deferred};
use super::time::Time;
use crate::resp::Reply;

const NO_SUCH_GROUP: Reply = Reply::err("ERR No such master with that name");
const NOT_SAVED: Reply = Reply::err("ERR Failed to save config file. Check server logs.");
const BUSY: Reply = Reply::err("ERR Too many commands of this kind are waiting, try again later");

/// What came of a command.
#[derive(Debug)]
enum Outcome {
    Now(Reply),
    /// It is answered when what it waits for has happened.
    Later,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self::Now(reply)
    }
}

impl Engine {
    /// Obeys one command; there is exactly one reply to it, possibly later.
    pub(crate) fn command(&mut self, client: ClientId, args: Vec<Bytes>, now: Time, out: &mut Actions) {
        let words = Words(&args);
        let outcome = match words.lower(0).as_slice() {
            b"sentinel" => self.sentinel(client, &words, now, out),
            b"role" => self.role().into(),
            b"publish" => self.publish(&words, now, out).into(),
            _ => Reply::error(format!("ERR unknown command '{}'", words.shown(0))).into(),
        };
        finish(client, outcome, out);
    }

    fn sentinel(&mut self, client: ClientId, words: &Words<'_>, now: Time, out: &mut Actions) -> Outcome {
        match words.lower(1).as_slice() {
            b"masters" | b"primaries" => self.primaries(now).into(),
            b"master" | b"primary" => self.primary(words, now).into(),
            b"replicas" | b"slaves" => self.replicas(words, now).into(),
            b"sentinels" => self.peers(words, now).into(),
            b"get-master-addr-by-name" | b"get-primary-addr-by-name" => self.address_of(words).into(),
            b"ckquorum" => self.check_quorum(words, now).into(),
            b"is-master-down-by-addr" | b"is-primary-down-by-addr" => self.is_down(client, words, now, out),
            b"myid" => Reply::bulk(self.shared.my_id.clone()).into(),
            b"info-cache" => self.info_cache(words, now).into(),
            b"pending-scripts" => self.pending_scripts(now).into(),
            b"monitor" => self.monitor(client, words, now, out),
            b"remove" => self.remove_named(client, words, now, out),
            b"reset" => self.reset_matching(words, now, out).into(),
            b"failover" => self.failover_named(words, now, out).into(),
            b"flushconfig" => {
                let (mut cx, _) = self.split(now, out);
                when_saved(client, Reply::OK, &mut cx)
            }
            b"set" => self.set(client, words, None, now, out),
            b"config" => self.config(client, words, now, out),
            b"debug" => self.debug(words).into(),
            b"simulate-failure" => self.simulate_failure(words, now, out).into(),
            b"help" => help::reply().into(),
            _ => {
                let text = format!("ERR unknown subcommand '{}'. Try SENTINEL HELP.", words.shown(1));
                Reply::error(text).into()
            }
        }
    }

    /// The group that a word names.
    fn named(&self, words: &Words<'_>, index: usize) -> Option<&Group> {
        self.groups.get(&self.named_id(words, index)?)
    }

    fn named_id(&self, words: &Words<'_>, index: usize) -> Option<GroupId> {
        self.find(words.text(index)?)
    }
}

/// Answers unless that comes later.
fn finish(client: ClientId, outcome: Outcome, out: &mut Actions) {
    match outcome {
        Outcome::Now(reply) => out.push(Action::Reply { client, reply }),
        Outcome::Later => {}
    }
}

/// Saves, then answers with `saved`, or that it didn't work.
fn when_saved(client: ClientId, saved: Reply, cx: &mut Cx<'_>) -> Outcome {
    let save = cx.save();
    cx.after(save, Deferred::Answer { client, saved, failed: NOT_SAVED });
    Outcome::Later
}

/// Saves, then answers with `refusal` in any case: a part of the command was done before the rest was refused.
fn refuse_when_saved(client: ClientId, refusal: Reply, cx: &mut Cx<'_>) -> Outcome {
    let save = cx.save();
    cx.after(save, Deferred::Answer { client, saved: refusal.clone(), failed: refusal });
    Outcome::Later
}
