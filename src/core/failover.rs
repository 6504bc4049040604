//! The steps of a failover that this daemon leads, each taken as soon as its condition holds.

use std::time::Duration;

use super::action::{Action, FailoverReason, FailoverResult, Level, Observation, Phase};
use super::address::Address;
use super::ballot;
use super::group::{Adoption, Failover, Group, State, Which};
use super::instance::{Instance, Role};
use super::link::Tag;
use super::quirks::Mistake;
use super::registry::Owners;
use super::select::Candidate;
use super::shared::{Cx, Deferred, words};
use super::switchover::Switchover;
use super::time::Time;

/// How long the choice waits for fresh INFO of the candidates.
const INFO_WAIT: Duration = Duration::from_millis(250);
/// A candidate's last reply, and its INFO while the primary is down, may be older than a PING period by this factor.
const PING_VALIDITY: u32 = 5;
/// INFO of a candidate while the primary is well may be older than an INFO period by this factor.
const INFO_VALIDITY: u32 = 3;
/// A candidate may have been cut from its primary for so many times down-after, beside the time it was down.
const LINK_DOWN_FACTOR: u32 = 10;

impl Group {
    /// One look at the whole group: everything that is due.
    pub(crate) fn step(&mut self, cx: &mut Cx<'_>, owners: &mut Owners) {
        for which in self.whiches() {
            self.tend(&which, cx);
        }
        if cx.shared.tilt.active() {
            self.ask_peers(cx);
            return;
        }
        if self.seat.is_some() {
            // Whether and by whom it is failed over is for the claim.
            self.void_stale_opinions(cx);
        } else {
            self.count_opinions(cx);
            self.start_if_due(cx);
            // Each round enters a later state, so there are few.
            while self.advance(cx, owners) {}
        }
        self.ask_peers(cx);
        if let Some(until) = self.blind_until
            && cx.due(until, "blind after reset")
        {
            self.blind_until = None;
            self.ask_info(&Which::Primary, cx);
        }
    }

    fn start_if_due(&mut self, cx: &mut Cx<'_>) {
        let Some(turn_at) = self.turn_at else { return };
        if self.failover.is_some() || self.odown_since.is_none() || self.is_adopting(cx) {
            return;
        }
        if let Some(attempt_at) = self.attempt_at {
            let end = self.next_attempt_at(attempt_at, cx);
            if !cx.due(end, "next attempt") {
                if self.delay_logged_for != Some(attempt_at) {
                    self.delay_logged_for = Some(attempt_at);
                    let seconds = end.since(cx.now).as_secs();
                    let text = format!(
                        "Next failover delay: I will not start a failover before {seconds} s from now"
                    );
                    cx.log(Level::Notice, Some(self), text);
                }
                return;
            }
        }
        if cx.due(turn_at, "turn to start") {
            self.start(false, None, cx);
        }
    }

    pub(crate) fn start(&mut self, forced: bool, switchover: Option<Switchover>, cx: &mut Cx<'_>) {
        let epoch = self.attempt_epoch(forced, cx);
        self.failover = Some(Failover {
            state: State::WaitStart,
            state_at: cx.now,
            epoch,
            forced,
            promoted: None,
            own_vote_saved: false,
            again_at: None,
            committing: None,
            phase_at: cx.now,
            timed_out: false,
            switchover,
        });
        cx.event(Level::Warning, "+try-failover", self, &Which::Primary, "");
        self.attempt_at = Some(self.shifted_now(cx));
        self.vote_for_oneself(epoch, cx);
        cx.shared.touched.insert(self.id);
    }

    /// Votes are asked for when the own one is saved.
    pub(crate) fn vote_for_oneself(&mut self, epoch: u64, cx: &mut Cx<'_>) {
        let my_id = cx.shared.my_id.clone();
        if let Some(save) = self.vote(epoch, &my_id, cx) {
            cx.after(save, Deferred::OwnVote { group: self.id, epoch });
        }
    }

    /// The own vote is on the disk, or can't be put there: then it is not counted, and nobody is asked for his.
    pub(crate) fn own_vote_saved(&mut self, epoch: u64, ok: bool, cx: &mut Cx<'_>) {
        if let Some(failover) = self.failover.as_mut().filter(|failover| failover.epoch == epoch && ok) {
            failover.own_vote_saved = true;
            self.ask_for_votes();
        }
        cx.shared.touched.insert(self.id);
    }

    /// A planned switchover, not the forced failover of Sentinel.
    fn is_planned(&self) -> bool {
        self.failover.as_ref().is_some_and(|failover| failover.switchover.is_some())
    }

    /// Takes one step if its condition holds.
    fn advance(&mut self, cx: &mut Cx<'_>, owners: &mut Owners) -> bool {
        // A newer configuration is about to be followed: nothing is done on the strength of an older one.
        if self.is_adopting(cx) {
            return false;
        }
        match self.failover.as_ref().map(|failover| failover.state) {
            None => false,
            Some(State::WaitStart) => self.wait_start(cx),
            Some(State::SelectReplica) => self.select_replica(cx),
            Some(State::SendNoOne) if self.is_planned() => self.switchover_step(cx),
            Some(State::SendNoOne) => self.send_no_one(cx),
            Some(State::WaitPromotion) => self.wait_promotion(cx),
            Some(State::ReconfReplicas) => self.reconf_replicas(cx),
            Some(State::UpdateConfig) => {
                self.update_config(cx, owners);
                false
            }
        }
    }

    /// A newer configuration is being saved: until it is followed nothing is done on the strength of the old one.
    pub(crate) fn is_adopting(&self, cx: &Cx<'_>) -> bool {
        self.adoption.is_some() && !cx.shared.quirks.makes(Mistake::ActWhileAdopting)
    }

    pub(crate) fn enter(&mut self, state: State, cx: &Cx<'_>) {
        if let Some(failover) = &mut self.failover {
            failover.state = state;
            failover.state_at = cx.now;
        }
    }

    /// Reports the phase that just ended.
    pub(super) fn end_phase(&mut self, phase: Phase, cx: &mut Cx<'_>) {
        if let Some(failover) = &mut self.failover {
            let took = cx.now.since(failover.phase_at);
            failover.phase_at = cx.now;
            cx.observe(Observation::Phase { phase, took });
        }
    }

    fn wait_start(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(failover) = &self.failover else { return false };
        let votes = self.votes_for_me(failover.epoch, &cx.shared.my_id);
        let needed = ballot::needed(self.peers.len(), self.options.quorum);
        let needed = if cx.shared.quirks.makes(Mistake::OneVoteShort) { needed - 1 } else { needed };
        let elected = failover.own_vote_saved && (failover.forced || votes >= needed);
        if !elected {
            let patience = cx.shared.params.election_timeout().min(self.options.failover_timeout);
            let end = self.attempt_at.unwrap_or(failover.state_at) + patience;
            self.stand_again(cx);
            if cx.due(end, "election") {
                cx.event(Level::Warning, "-failover-abort-not-elected", self, &Which::Primary, "");
                self.abort(FailoverResult::NotElected, cx);
            }
            return false;
        }
        cx.event(Level::Warning, "+elected-leader", self, &Which::Primary, "");
        self.end_phase(Phase::Elect, cx);
        if cx.shared.crash_after_election {
            crash(cx);
            return false;
        }
        self.enter(State::SelectReplica, cx);
        cx.event(Level::Warning, "+failover-state-select-slave", self, &Which::Primary, "");
        self.ask_replicas_info(cx);
        true
    }

    fn select_replica(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(state_at) = self.failover.as_ref().map(|failover| failover.state_at) else { return false };
        if self.info_is_awaited(state_at, cx) && !cx.due(state_at + INFO_WAIT, "fresh INFO") {
            return false;
        }
        let Some(name) = self.choose(self.is_planned(), cx) else {
            cx.event(Level::Warning, "-failover-abort-no-good-slave", self, &Which::Primary, "");
            self.abort(FailoverResult::NoGoodReplica, cx);
            return false;
        };
        if let Some(failover) = &mut self.failover {
            failover.promoted = Some(name.clone());
        }
        let which = Which::Replica(name);
        cx.event(Level::Warning, "+selected-slave", self, &which, "");
        self.end_phase(Phase::Select, cx);
        cx.event(Level::Notice, "+failover-state-send-slaveof-noone", self, &which, "");
        self.enter(State::SendNoOne, cx);
        true
    }

    /// All replicas as the choice looks at them.
    pub(crate) fn candidates(&self, cx: &Cx<'_>) -> Vec<Candidate> {
        let params = &cx.shared.params;
        let ping_validity = params.ping_period() * PING_VALIDITY;
        let info_validity =
            if self.primary.is_down() { ping_validity } else { params.info_period() * INFO_VALIDITY };
        // A primary that says that it is a replica has been none since it began to, not only since it counts as down.
        let demoted = self.primary.data().filter(|data| data.role == Role::Replica).map(|data| data.role_at);
        let gone = self.primary.down_since.map(|since| demoted.map_or(since, |at| since.min(at)));
        let down_for = gone.map_or(Duration::ZERO, |since| cx.now.since(since));
        let max_link_down = self.options.down_after.saturating_mul(LINK_DOWN_FACTOR).saturating_add(down_for);
        let fit = |replica: &Instance| {
            let (Some(data), Some(link)) = (replica.data(), cx.shared.links.get(replica.link)) else {
                return false;
            };
            !replica.is_down()
                && !link.disconnected()
                && cx.now.since(link.ok_at) <= ping_validity
                && data.info_at.is_some_and(|at| cx.now.since(at) <= info_validity)
                && Duration::from_millis(data.link_down_ms) <= max_link_down
        };
        let heir = self.primary.data().filter(|data| data.role == Role::Replica && data.link_up);
        let followed = |replica: &Instance| {
            heir.is_some_and(|data| {
                let host = data.primary_host.as_deref().unwrap_or_default();
                cx.shared.names.equals(&replica.address, host, data.primary_port)
            })
        };
        let primary_lost_data = self.primary_lost_data();
        let candidate = |replica: &Instance| Candidate {
            name: replica.name.clone(),
            run_id: replica.run_id.clone(),
            emptied: self.is_emptied(replica, primary_lost_data),
            stray: replica.data().is_some_and(|data| data.role == Role::Primary),
            followed: followed(replica),
            priority: replica.data().map_or(0, |data| data.priority),
            offset: replica.data().map_or(0, |data| data.offset),
            unfit: !fit(replica),
        };
        self.replicas.values().map(candidate).collect()
    }

    /// The chosen replica and since when the present state holds.
    pub(super) fn chosen(&self) -> Option<(Which, Time)> {
        let failover = self.failover.as_ref()?;
        Some((Which::Replica(failover.promoted.clone()?), failover.state_at))
    }

    fn send_no_one(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some((which, state_at)) = self.chosen() else { return false };
        if self.reconfigure(&which, None, cx) {
            cx.event(Level::Notice, "+failover-state-wait-promotion", self, &which, "");
            self.enter(State::WaitPromotion, cx);
            self.ask_role(&which, cx);
            return true;
        }
        self.abort_if_late(state_at, cx);
        false
    }

    fn wait_promotion(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some((_, state_at)) = self.chosen() else { return false };
        if self.failover.as_ref().is_some_and(|failover| failover.committing.is_none()) {
            if self.is_planned() {
                return self.watch_promotion(cx);
            }
            self.abort_if_late(state_at, cx);
        }
        false
    }

    fn abort_if_late(&mut self, state_at: Time, cx: &mut Cx<'_>) {
        if cx.due(state_at + self.options.failover_timeout, "failover-timeout") {
            cx.event(Level::Warning, "-failover-abort-slave-timeout", self, &Which::Primary, "");
            self.abort(FailoverResult::ReplicaTimeout, cx);
        }
    }

    /// The promotion is on the disk (or can't be put there; it is a fact all the same): it is announced.
    pub(crate) fn committed(&mut self, epoch: u64, cx: &mut Cx<'_>) {
        let Some(failover) = self.failover.as_mut().filter(|failover| failover.epoch == epoch) else {
            return;
        };
        let Some(name) = failover.promoted.clone() else { return };
        if failover.state != State::WaitPromotion {
            return;
        }
        failover.committing = None;
        if self.is_adopting(cx) {
            return;
        }
        self.config_epoch = epoch;
        self.enter(State::ReconfReplicas, cx);
        let which = Which::Replica(name);
        cx.event(Level::Warning, "+promoted-slave", self, &which, "");
        self.end_phase(Phase::Promote, cx);
        if let Some(failover) = &self.failover {
            failover.observe_pause(cx);
        }
        if cx.shared.crash_after_promotion {
            crash(cx);
            return;
        }
        cx.event(Level::Warning, "+failover-state-reconf-slaves", self, &Which::Primary, "");
        let (from, to) = (self.primary.address.clone(), self.current().address.clone());
        self.queue_reconfig_script("leader", &from, &to, cx);
        self.publish_everywhere(cx);
        self.send_clients_away(cx);
        cx.shared.touched.insert(self.id);
    }

    fn update_config(&mut self, cx: &mut Cx<'_>, owners: &mut Owners) {
        let to = self.current().address.clone();
        self.announce_switch(&to, cx);
        if let Some(failover) = self.failover.take() {
            let result =
                if failover.timed_out { FailoverResult::SwitchedLate } else { FailoverResult::Switched };
            observe_end(&failover, result, cx);
        }
        self.switch(to, cx, owners);
    }

    /// SENTINEL RESET ends the attempt, not what it has brought about: a promotion that others hear of, or that the
    /// file names already, stays this daemon's configuration too. Else one epoch would have two primaries.
    pub(crate) fn keep_promotion(&mut self, cx: &mut Cx<'_>, owners: &mut Owners) {
        let Some(failover) = &self.failover else { return };
        let (epoch, committing) = (failover.epoch, failover.committing);
        if failover.state >= State::ReconfReplicas {
            self.update_config(cx, owners);
        } else if let (Some(save), None, Some((which, _))) = (committing, &self.adoption, self.chosen())
            && let Some(address) = self.get(&which).map(|replica| replica.address.clone())
        {
            self.adoption = Some(Adoption { from: cx.shared.my_id.clone(), address, epoch, save });
            cx.after(save, Deferred::Adopt { group: self.id });
        }
    }

    /// Gives the attempt up; its start still spaces the next one.
    pub(crate) fn abort(&mut self, result: FailoverResult, cx: &mut Cx<'_>) {
        if let Some(failover) = self.failover.take() {
            observe_end(&failover, result, cx);
        }
        // The turn is over; the next one comes when attempts are spaced far enough.
        self.turn_at = self.odown_since.map(|_| cx.now);
        cx.shared.touched.insert(self.id);
    }

    /// The attempt, if there is one, is overtaken by a reset, a removal or a newer configuration.
    pub(crate) fn supersede(&mut self, cx: &mut Cx<'_>) {
        self.release_writes(cx);
        if let Some(failover) = self.failover.take() {
            observe_end(&failover, FailoverResult::Superseded, cx);
        }
    }

    /// The transaction that gives a data node its role: a primary without `target`. False, and
    /// nothing sent, without a connection that stands.
    pub(crate) fn reconfigure(&self, which: &Which, target: Option<&Address>, cx: &mut Cx<'_>) -> bool {
        let Some(link) = self.get(which).map(|instance| instance.link) else { return false };
        if cx.local_ip(link).is_none() {
            return false;
        }
        let (host, port) = target.map_or_else(
            || ("NO".to_owned(), "ONE".to_owned()),
            |to| (to.shown(cx.shared.announce_hostnames), to.port.to_string()),
        );
        let (config, client) = (self.renamed("CONFIG"), self.renamed("CLIENT"));
        let transaction = [
            words([self.renamed("MULTI")]),
            words([self.renamed("SLAVEOF"), &host, &port]),
            words([config, "REWRITE"]),
            words([client, "KILL", "TYPE", "normal"]),
            words([client, "KILL", "TYPE", "pubsub"]),
            words([self.renamed("EXEC")]),
        ];
        for command in transaction {
            cx.send(link, command, Tag::Ignore);
        }
        true
    }
}

fn observe_end(failover: &Failover, result: FailoverResult, cx: &mut Cx<'_>) {
    let reason = if failover.forced { FailoverReason::Manual } else { FailoverReason::Down };
    cx.observe(Observation::Failover { reason, result });
}

/// SENTINEL SIMULATE-FAILURE.
fn crash(cx: &mut Cx<'_>) {
    cx.log(Level::Warning, None, "Sentinel CRASH because of SENTINEL simulate-failure".to_owned());
    cx.out.push(Action::Crash);
}
