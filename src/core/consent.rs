//! Whether the other daemons hold the same primary, asked at this moment.
//!
//! A hello tells what was so when it was sent, and after a cut it may be long on its way. The answer to a question is
//! younger than the question. Where a majority answers that the primary is this one, at this epoch and well, and that it
//! voted in no later one, no switch that was voted for has come between. One that an operator forces asks for no votes:
//! for its sake everybody who was there of late must have answered, and nobody may be at a failover or know of a later
//! epoch. What remains is a switch that is forced while the answers are on their way, or by one who was away for long.

use std::collections::BTreeMap;
use std::time::Duration;

use super::group::{Group, Which};
use super::instance::Role;
use super::link::{MAX_PENDING, Tag};
use super::shared::{Cx, words};
use super::time::Time;
use crate::resp::Reply;

/// For so long after the question answers count; then everybody is asked again.
const VALID: Duration = Duration::from_millis(200);
/// One who is away for longer is not waited for. Of two whom a cut kept away, the old primary may be back sooner than the
/// daemon that promoted it meanwhile.
const AWAITED: Duration = Duration::from_secs(60);
/// What a peer that doubts its primary, or replaces it, shows in its flags.
const DOUBTS: [&str; 3] = ["s_down", "o_down", "disconnected"];
/// What it shows while it replaces it.
const REPLACES: &str = "failover_in_progress";
/// At this epoch nobody gives a vote; the answer shows the last one.
const NO_EPOCH: &str = "0";

/// One round of questions.
#[derive(Debug)]
pub(crate) struct Consent {
    asked_at: Time,
    /// What the peers answered, by their ids.
    answers: BTreeMap<String, Answer>,
}

/// What one peer answered so far.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    /// To SENTINEL MASTER.
    held: Option<Held>,
    /// Whether it voted in no later epoch.
    voted_no_later: Option<bool>,
}

/// How a peer sees the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// As this daemon does, and without doubt.
    Same,
    /// It knows another one or has its doubts.
    Otherwise,
    /// It knows a later epoch, or replaces the primary.
    Later,
}

impl Answer {
    const fn is_whole(self) -> bool {
        self.held.is_some() && self.voted_no_later.is_some()
    }

    fn consents(self) -> bool {
        self.held == Some(Held::Same) && self.voted_no_later == Some(true)
    }
}

impl Group {
    /// Whether the daemons consent by answers to questions that were not asked before `since`. Asks where that is not
    /// known.
    pub(crate) fn has_consent(&mut self, since: Time, cx: &mut Cx<'_>) -> bool {
        // One who is not known yet may be the one who promoted it.
        if self.strangers_until.is_some_and(|until| cx.now < until) {
            return false;
        }
        if let Some(round) = self.consent.as_ref().filter(|round| round.asked_at >= since) {
            let valid = cx.now < round.asked_at + VALID;
            if valid && self.is_consented(round, cx.now) {
                return true;
            }
            if valid {
                return false;
            }
        }
        self.seek_consent(cx);
        // A lone daemon asks nobody.
        self.consent.as_ref().is_some_and(|round| self.is_consented(round, cx.now))
    }

    fn is_consented(&self, round: &Consent, now: Time) -> bool {
        let mut consents = 1;
        for peer in self.peers.values() {
            let answer = round.answers.get(&peer.name).copied().unwrap_or_default();
            let gone = peer.down_since.is_some_and(|since| now.since(since) > AWAITED);
            let missing = !answer.is_whole() && !gone;
            if missing || answer.held == Some(Held::Later) {
                return false;
            }
            consents += usize::from(answer.consents());
        }
        consents >= self.majority()
    }

    fn seek_consent(&mut self, cx: &mut Cx<'_>) {
        self.consent = Some(Consent { asked_at: cx.now, answers: BTreeMap::new() });
        let host = self.primary.address.shown(cx.shared.announce_hostnames);
        let port = self.primary.address.port.to_string();
        for peer in self.peers.values() {
            let Some(link) = cx.shared.links.get(peer.link) else { continue };
            if link.command.is_none() || link.pending() + 1 >= MAX_PENDING * link.users {
                continue;
            }
            let sentinel = self.renamed("SENTINEL");
            let holds = words([sentinel, "master", self.name.as_str()]);
            cx.send(peer.link, holds, Tag::Consent(self.id, cx.now));
            let my_id = cx.shared.my_id.clone();
            let voted = words([sentinel, "is-master-down-by-addr", &host, &port, NO_EPOCH, &my_id]);
            cx.send(peer.link, voted, Tag::LastVote(self.id, cx.now));
        }
    }

    /// A peer's answer to SENTINEL MASTER of that moment; anything malformed is no consent.
    pub(crate) fn told_consent(&mut self, which: &Which, asked_at: Time, reply: &Reply, cx: &mut Cx<'_>) {
        let held = self.held_by(reply, cx);
        self.told(which, asked_at, |answer| answer.held = Some(held), cx);
    }

    /// A peer's answer to which vote it gave last.
    pub(crate) fn told_last_vote(&mut self, which: &Which, asked_at: Time, reply: &Reply, cx: &mut Cx<'_>) {
        let epoch = match reply.elements() {
            Some([_, _, Reply::Int(epoch)]) => u64::try_from(*epoch).ok(),
            _ => None,
        };
        let no_later = epoch.is_some_and(|epoch| epoch <= self.config_epoch);
        self.told(which, asked_at, |answer| answer.voted_no_later = Some(no_later), cx);
    }

    fn told(&mut self, which: &Which, asked_at: Time, note: impl FnOnce(&mut Answer), cx: &mut Cx<'_>) {
        let Which::Peer(run_id) = which else { return };
        let Some(round) = self.consent.as_mut().filter(|round| round.asked_at == asked_at) else { return };
        note(round.answers.entry(run_id.clone()).or_default());
        if !self.consent.as_ref().is_some_and(|round| self.is_consented(round, cx.now)) {
            return;
        }
        for name in self.replicas.names().cloned().collect::<Vec<_>>() {
            let data = self.replicas.get(&name).and_then(|replica| replica.data());
            if data.is_some_and(|data| data.role == Role::Primary && data.displaced.is_some()) {
                self.heed_role(&Which::Replica(name), Role::Primary, false, cx);
            }
        }
    }

    /// What the answer to SENTINEL MASTER says of this group's primary.
    fn held_by(&self, reply: &Reply, cx: &Cx<'_>) -> Held {
        let number = |name: &str| reply.field(name).and_then(|text| text.parse::<u64>().ok());
        let (Some(host), Some(port), Some(flags), Some(epoch)) =
            (reply.field("ip"), number("port"), reply.field("flags"), number("config-epoch"))
        else {
            return Held::Otherwise;
        };
        let shows = |doubts: &[&str]| flags.split(',').any(|flag| doubts.contains(&flag));
        if epoch > self.config_epoch || shows(&[REPLACES]) {
            return Held::Later;
        }
        let same =
            u16::try_from(port).is_ok_and(|port| cx.shared.names.equals(&self.primary.address, host, port));
        if same && epoch == self.config_epoch && !shows(&DOUBTS) { Held::Same } else { Held::Otherwise }
    }
}
