//! Whether the other daemons hold the same primary, asked at this moment.
//!
//! A hello tells what was so when it was sent, and after a cut it may be long on its way. The answer to a question is
//! younger than the question: where a majority answers that the primary is this one, at this epoch and well, no switch
//! that a majority took part in has come between.

use std::collections::BTreeSet;
use std::time::Duration;

use super::group::{Group, Which};
use super::instance::Role;
use super::link::{MAX_PENDING, Tag};
use super::shared::{Cx, words};
use super::time::Time;
use crate::resp::Reply;

/// Peers that did not consent are asked again after so long.
const AGAIN: Duration = Duration::from_millis(200);
/// What a peer that doubts its primary, or replaces it, shows in its flags.
const DOUBTS: [&str; 4] = ["s_down", "o_down", "disconnected", "failover_in_progress"];

/// One round of questions.
#[derive(Debug)]
pub(crate) struct Consent {
    asked_at: Time,
    /// The peers that hold the same primary.
    given: BTreeSet<String>,
}

impl Group {
    /// Whether a majority, this daemon included, holds the same primary by answers to questions that were not asked
    /// before `since`. Asks where that is not known.
    pub(crate) fn has_consent(&mut self, since: Time, cx: &mut Cx<'_>) -> bool {
        let round = self.consent.as_ref().filter(|consent| consent.asked_at >= since);
        if 1 + round.map_or(0, |consent| consent.given.len()) >= self.majority() {
            return true;
        }
        if round.is_none_or(|consent| cx.now >= consent.asked_at + AGAIN) {
            self.seek_consent(cx);
        }
        false
    }

    fn seek_consent(&mut self, cx: &mut Cx<'_>) {
        self.consent = Some(Consent { asked_at: cx.now, given: BTreeSet::new() });
        for peer in self.peers.values() {
            let Some(link) = cx.shared.links.get(peer.link) else { continue };
            if link.command.is_none() || link.pending() >= MAX_PENDING * link.users {
                continue;
            }
            let question = words([self.renamed("SENTINEL"), "master", self.name.as_str()]);
            cx.send(peer.link, question, Tag::Consent(self.id, cx.now));
        }
    }

    /// A peer's answer to a question of that moment; anything malformed is no consent.
    pub(crate) fn told_consent(&mut self, which: &Which, asked_at: Time, reply: &Reply, cx: &mut Cx<'_>) {
        let Which::Peer(run_id) = which else { return };
        if !self.is_held_by(reply, cx) {
            return;
        }
        let needed = self.majority();
        let Some(consent) = self.consent.as_mut().filter(|consent| consent.asked_at == asked_at) else {
            return;
        };
        if !consent.given.insert(run_id.clone()) || 1 + consent.given.len() != needed {
            return;
        }
        for name in self.replicas.keys().cloned().collect::<Vec<_>>() {
            let data = self.replicas.get(&name).and_then(|replica| replica.data());
            if data.is_some_and(|data| data.role == Role::Primary && data.displaced.is_some()) {
                self.heed_role(&Which::Replica(name), Role::Primary, false, cx);
            }
        }
    }

    /// Whether the answer to SENTINEL MASTER names this group's primary at its epoch, and has no doubt about it.
    fn is_held_by(&self, reply: &Reply, cx: &Cx<'_>) -> bool {
        let number = |name: &str| reply.field(name).and_then(|text| text.parse::<u64>().ok());
        let (Some(host), Some(port), Some(flags)) = (reply.field("ip"), number("port"), reply.field("flags"))
        else {
            return false;
        };
        u16::try_from(port).is_ok_and(|port| cx.shared.names.equals(&self.primary.address, host, port))
            && number("config-epoch") == Some(self.config_epoch)
            && !flags.split(',').any(|flag| DOUBTS.contains(&flag))
    }
}
