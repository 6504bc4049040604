//! What is done under a claim: steps 2 to 9. Each look at the whole either waits for answers, wishes for something, or
//! writes down how far things are; so it may be called at any time, and a claim that was left goes on the same way.

use std::time::Duration;

use super::choose::{self, Found};
use super::claimant::Claimant;
use super::facts::{Command, Listed, Role, Standing, Wish};
use super::group::{GroupLease, HISTORY_LENGTH, Instance, Primary};
use super::hold::{After, Hold, Stage};
use super::kin::{self, Lot};
use super::rules::Rule;
use super::running::{Failover, Fence, Kind, MOST_TRIED, Outcome, Past, Step};
use crate::core::ids::{CallNo, PodUid, RunId};
use crate::core::time::Time;

/// What was answered longer ago than this is asked for again before anything is decided on it.
const STALE: Duration = Duration::from_millis(500);
/// How long a candidate may stay a replica that was told to be primary, before another one is.
const UNWILLING: Duration = Duration::from_secs(1);
/// A Sentinel that was seen so long ago, and not since, is gone; each look for it takes a tenth of that.
const BESIDE: Duration = Duration::from_secs(2);
/// Time between two questions to nodes with whose answers nothing can be done.
const ASK_AGAIN: Duration = Duration::from_millis(100);

fn is_empty(hold: &Hold, one: &Instance) -> bool {
    hold.gates.standing(&one.uid).is_some_and(|standing| standing.empty)
}

impl Claimant {
    /// One look at the claim that is held.
    pub(super) fn work(&mut self, now: Time, out: &mut Vec<Wish>) {
        let cut = self.config.rules.hold(Rule::Barrier);
        let (mut calls, nodes) = (self.calls, &self.nodes);
        let mut call = || {
            calls += 1;
            CallNo(calls)
        };
        if let Some(hold) = &mut self.hold {
            hold.gates.open(nodes, cut, now, &mut call, out);
            hold.look_again = None;
        }
        self.calls = calls;
        match self.hold.as_ref().map(|hold| hold.stage) {
            Some(Stage::Look) => self.look(now, out),
            Some(Stage::HandOver) => self.hand_over(now, out),
            Some(Stage::Promote) => self.promote(now, out),
            Some(Stage::Follow) => self.follow(now, out),
            None => {}
        }
    }

    /// Whether every listed node has answered behind a barrier, or is not waited for: one that is held down, or one that doesn't
    /// answer for a while. A candidate whose connection broke may have been promoted just before.
    fn settled(&self, hold: &Hold, now: Time) -> bool {
        let over = hold.claimed_at + self.config.barrier_wait;
        self.nodes.iter().all(|(uid, node)| {
            let silent = || hold.gates.silent_until(uid, over).is_some_and(|until| now >= until);
            hold.gates.standing(uid).is_some() || node.down || silent()
        })
    }

    fn all_heard(&self, hold: &Hold) -> bool {
        self.nodes.keys().all(|uid| hold.gates.standing(uid).is_some())
    }

    /// Whether a choice can be made from what was answered. Without a Lease all listed ones are waited for.
    fn answered(&self, now: Time) -> bool {
        let Some(hold) = &self.hold else { return false };
        let early = now < hold.claimed_at + self.config.cold_start_wait;
        if hold.kind == Kind::Missing && early { self.all_heard(hold) } else { self.settled(hold, now) }
    }

    /// Asks those that answered that long ago. Whether there were any.
    pub(super) fn ask(&mut self, age: Duration, now: Time, out: &mut Vec<Wish>) -> bool {
        let stale = self.hold.as_ref().map(|hold| hold.gates.stale(age, now)).unwrap_or_default();
        for (node, run_id) in &stale {
            self.tell(node, run_id, Command::Ask, now, out);
        }
        !stale.is_empty()
    }

    /// With what was answered nothing can be done: it is asked for again, until something can.
    fn wait(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.ask(ASK_AGAIN, now, out);
        if let Some(hold) = &mut self.hold {
            hold.look_again = Some(now + ASK_AGAIN);
        }
    }

    // === Steps 2 and 3 ===

    pub(super) fn look(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Some(hold) = &self.hold else { return };
        let missing = hold.kind == Kind::Missing;
        if missing && !hold.shown {
            // Somebody whose watch works may have more luck.
            if now >= hold.claimed_at + self.claim_time() {
                self.stand_down(out);
            }
            return;
        }
        if !self.answered(now) || self.ask(STALE, now, out) {
            return;
        }
        let Some(hold) = &self.hold else { return };
        // Two quorums would promote two replicas.
        if hold.beside_at.is_some_and(|at| now < at + BESIDE) {
            return self.wait(now, out);
        }
        let Some(failover) = hold.failover() else { return };
        let epoch = if missing { failover.epoch.max(self.unheard_of(hold.kind)) } else { failover.epoch };
        let chosen = if missing {
            let waited = now >= hold.claimed_at + self.config.cold_start_wait;
            match choose::primary(&hold.gates, &self.nodes, self.remembered.as_ref()) {
                // Somebody knows of a group that was there before: its data may only come.
                Found::One(one) if self.heard > 0 && !waited && is_empty(hold, &one) => {
                    return self.wait(now, out);
                }
                Found::One(one) => one,
                Found::Nobody => return self.wait(now, out),
                Found::Diverged => {
                    out.push(Wish::Diverged);
                    return self.put_off(now, out);
                }
            }
        } else {
            if hold.planned.is_some() {
                return self.look_for_heir(now, out);
            }
            if self.to_be_undone(hold, failover, now) {
                return self.close(Outcome::Undone, now, out);
            }
            let again = failover.candidate.as_ref().filter(|candidate| self.can_serve(hold, candidate));
            let willing = again.filter(|candidate| !hold.unwilling.contains(&candidate.run_id));
            let (lease, from) = (&hold.lease, failover.from.as_ref());
            let successor = || choose::successor(&hold.gates, &self.nodes, lease, from, &hold.unwilling);
            // Where nobody else would do it is the same once more.
            let unwilling = || again.cloned();
            let heirless = !choose::has_heirs(&hold.gates, &hold.lease);
            let all = self.all_heard(hold) && self.nodes.len() > hold.lease.replicas.allowed.len();
            let waited = now >= hold.claimed_at + self.config.cold_start_wait;
            let restarted = || {
                let may = heirless && (all || waited);
                may.then(|| choose::restarted(&hold.gates, &self.nodes, &hold.lease, all)).flatten()
            };
            // Of one that is held down, or was just asked again, the answer may be all there is: it comes, or its lack.
            let waits = self.nodes.keys().any(|uid| hold.gates.waits(uid));
            match willing.cloned().or_else(successor).or_else(unwilling).or_else(restarted) {
                // Somebody who just restarted may hold data.
                Some(one) if waits && is_empty(hold, &one) => return,
                Some(one) => one,
                // Those that are missing may be of that history.
                None if heirless && !all && !waited && hold.gates.open_ones().next().is_some() => {
                    return self.wait(now, out);
                }
                None if waits => return,
                // Nobody can be promoted. Undone it is only if nobody was, or may yet be.
                None if self.tried_stand_back(hold, failover, now) => {
                    if heirless {
                        let strangers = kin::strangers(&hold.lease, &hold.gates, &self.nodes);
                        out.extend(strangers.into_iter().map(Wish::Foreign));
                    }
                    return self.close(Outcome::Undone, now, out);
                }
                None => return self.wait(now, out),
            }
        };
        let standing = hold.gates.standing(&chosen.uid).filter(|_| missing);
        let found = standing.map(|standing| {
            kin::known_to((&chosen.uid, standing), true, &hold.lease, &hold.gates, &self.nodes)
        });
        let recorded = failover.candidate.as_ref().is_some_and(|candidate| candidate.same(&chosen));
        if recorded && epoch == failover.epoch {
            // Recorded by whoever had the claim before.
            self.change_hold(|hold| hold.found = found);
            self.enter(Stage::Promote);
            return self.promote(now, out);
        }
        // Who is gone won't rise. Crash loops would fill the record.
        let rises = |one: &&Instance| !one.same(&chosen) && !self.is_gone(hold, one, now);
        let mut tried: Vec<Instance> = failover.tried.iter().filter(rises).cloned().collect();
        if tried.len() >= MOST_TRIED {
            return self.put_off(now, out);
        }
        tried.push(chosen.clone());
        let free = self.gathered.as_ref().filter(|(gathered, _)| {
            hold.lease.primary.as_ref().is_some_and(|primary| gathered.is_about(primary))
        });
        let fence = free.map_or(Fence::None, |(gathered, _)| gathered.fence);
        let lease = hold.recorded(now, |failover| {
            failover.take_up();
            failover.epoch = epoch;
            failover.step = Step::Chosen;
            failover.fence = fence;
            failover.tried = tried;
            failover.candidate = Some(chosen);
        });
        self.change_hold(|hold| hold.found = found);
        // In time for the commit, which waits for it; where it is there the answer comes at once.
        if missing {
            out.push(Wish::Promise(epoch));
        }
        self.put(lease, After::Go(Stage::Promote), now, out);
    }

    /// The recorded candidate goes on as such if it is the same process and fit.
    fn can_serve(&self, hold: &Hold, candidate: &Instance) -> bool {
        let by_run = self.config.rules.hold(Rule::RunId);
        hold.gates.standing(&candidate.uid).is_some_and(|standing| {
            !by_run || (standing.run_id == candidate.run_id && !standing.busy && !standing.empty)
        })
    }

    /// The primary is well after all, and nobody else is one: nothing is to be done.
    fn to_be_undone(&self, hold: &Hold, failover: &Failover, now: Time) -> bool {
        let wanted = hold.forced
            || self.gathered.as_ref().is_some_and(|(gathered, _)| {
                hold.lease.primary.as_ref().is_some_and(|primary| gathered.is_about(primary))
            });
        let lives = failover.from.as_ref().is_some_and(|from| {
            hold.gates
                .standing(&from.uid)
                .is_some_and(|standing| standing.role == Role::Primary && standing.run_id == from.run_id)
        });
        !wanted && lives && self.tried_stand_back(hold, failover, now)
    }

    /// Whether every candidate so far is behind a barrier of this claim and answers as a replica, or is gone. Any other
    /// may be promoted yet by a command that is on its way.
    fn tried_stand_back(&self, hold: &Hold, failover: &Failover, now: Time) -> bool {
        let stands_back =
            |candidate: &Instance| hold.gates.is_replica(candidate) || self.is_gone(hold, candidate, now);
        !self.config.rules.hold(Rule::Tried) || failover.tried.iter().all(stands_back)
    }

    /// Whether that process is known to have ended: another one answers in its place; or its Pod is not listed for as long
    /// as a command of an earlier claim could have been on its way.
    fn is_gone(&self, hold: &Hold, candidate: &Instance, now: Time) -> bool {
        match hold.gates.standing(&candidate.uid) {
            Some(standing) => standing.run_id != candidate.run_id,
            None => {
                !self.nodes.contains_key(&candidate.uid)
                    && now >= hold.claimed_at + Duration::from_secs(hold.lease.seconds)
            }
        }
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        self.change_hold(|hold| hold.stage = stage);
    }

    fn change_hold(&mut self, change: impl FnOnce(&mut Hold)) {
        if let Some(hold) = &mut self.hold {
            change(hold);
        }
    }

    // === Steps 4 to 6 ===

    pub(super) fn promote(&mut self, now: Time, out: &mut Vec<Wish>) {
        let by_run = self.config.rules.hold(Rule::RunId);
        let Some(hold) = &self.hold else { return };
        let Some(candidate) = hold.failover().and_then(|failover| failover.candidate.clone()) else { return };
        let Some(standing) = hold.gates.standing(&candidate.uid) else {
            if !hold.gates.waits(&candidate.uid) {
                self.enter(Stage::Look);
            }
            return;
        };
        if by_run && standing.run_id != candidate.run_id {
            self.enter(Stage::Look);
            return;
        }
        // Who holds data, or may, has come since the choice.
        let late = || self.others_may_hold_data(hold, &candidate) || !self.answered(now);
        if hold.kind == Kind::Missing && standing.empty && late() {
            self.enter(Stage::Look);
            return self.wait(now, out);
        }
        if standing.role == Role::Primary {
            if let Some(epoch) = self.unrecorded() {
                out.push(Wish::Promise(epoch));
                return self.wait(now, out);
            }
            let lease = self.commit(hold, standing, candidate, now);
            self.router.committing();
            return self.put(lease, After::Go(Stage::Follow), now, out);
        }
        let run_id = standing.run_id.clone();
        let since = match &hold.told_at {
            Some((told, at)) if told.same(&candidate) => *at,
            Some(_) | None => now,
        };
        if now >= since + UNWILLING {
            // It stands behind this claim's barrier as a replica, so another one may be promoted.
            self.change_hold(|hold| {
                hold.told_at = None;
                hold.unwilling.insert(run_id);
            });
            self.enter(Stage::Look);
            return self.look(now, out);
        }
        self.change_hold(|hold| {
            // Nobody else would: all are tried once more.
            if hold.unwilling.contains(&candidate.run_id) {
                hold.unwilling.clear();
            }
            hold.told_at = Some((candidate.clone(), since));
        });
        self.tell(&candidate.uid, &run_id, Command::Promote, now, out);
    }

    fn others_may_hold_data(&self, hold: &Hold, candidate: &Instance) -> bool {
        let mut others = hold.gates.open_ones().filter(|(uid, _)| **uid != candidate.uid);
        others.any(|(_, standing)| choose::may_hold_data(standing))
    }

    /// The epoch at which a Lease is made anew, as long as this Lease alone knows of it: were it deleted next, nobody might
    /// remember that there was a commit, and the same epoch be committed twice. Later ones are covered by the leap.
    #[must_use]
    pub fn unrecorded(&self) -> Option<u64> {
        let hold = self.hold.as_ref().filter(|hold| hold.kind == Kind::Missing)?;
        let epoch = hold.failover()?.epoch;
        (self.recorded < epoch).then_some(epoch)
    }

    fn commit(&self, hold: &Hold, standing: &Standing, candidate: Instance, now: Time) -> GroupLease {
        let mut lease = hold.recorded(now, |failover| failover.step = Step::Committed);
        let epoch = lease.failover.as_ref().map_or_else(|| lease.epoch(), |failover| failover.epoch);
        if let Some(found) = &hold.found {
            lease.replicas = found.clone();
        }
        lease.replicas = kin::known_to((&candidate.uid, standing), false, &lease, &hold.gates, &self.nodes);
        let rest = lease.primary.take().map(|primary| primary.rest).unwrap_or_default();
        lease.primary = Some(Primary {
            instance: Instance { run_id: standing.run_id.clone(), ..candidate },
            replication_id: standing.replication_id.clone(),
            offset: standing.offset,
            epoch,
            rest,
        });
        lease
    }

    pub(super) fn tell(
        &mut self,
        node: &PodUid,
        run_id: &RunId,
        command: Command,
        now: Time,
        out: &mut Vec<Wish>,
    ) {
        let call = self.call();
        if let Some(hold) = &mut self.hold {
            hold.gates.tell(node, run_id, command, now, call, out);
        }
    }

    // === Steps 8 and 9 ===

    fn follow(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.send_away(now, out);
        self.ask(STALE, now, out);
        let Some(hold) = &self.hold else { return };
        let Some(primary) = hold.lease.primary.clone() else { return self.stand_down(out) };
        let uid = &primary.instance.uid;
        // A connection to a host that is gone looks open for long.
        if self.nodes.get(uid).is_some_and(|node| node.down) {
            return self.close(Outcome::Done, now, out);
        }
        let Some(standing) = hold.gates.standing(uid) else {
            // Without the primary nobody is told to follow it. If it is down, a failover comes next.
            if !hold.gates.waits(uid) {
                self.close(Outcome::Done, now, out);
            }
            return;
        };
        let same = standing.run_id == primary.instance.run_id || !self.config.rules.hold(Rule::RunId);
        if !same {
            return self.close(Outcome::Done, now, out);
        }
        if standing.role != Role::Primary {
            if !self.settled(hold, now) {
                return;
            }
            // It is back to what it was committed as only if nobody else can be a primary meanwhile.
            let others = hold.gates.open_ones().filter(|(other, _)| *other != uid);
            let alone = others.into_iter().all(|(_, standing)| standing.role != Role::Primary);
            let nowhere = |node: &Listed| node.address.is_empty();
            let heard = |(uid, node)| nowhere(node) || hold.gates.standing(uid).is_some();
            if !(alone && self.nodes.iter().all(heard)) {
                return self.close(Outcome::Done, now, out);
            }
            let run_id = standing.run_id.clone();
            return self.tell(uid, &run_id, Command::Promote, now, out);
        }
        self.reconfigure(&primary, now, out);
    }

    /// Every other node follows, some at a time.
    fn reconfigure(&mut self, primary: &Primary, now: Time, out: &mut Vec<Wish>) {
        let Some(hold) = &self.hold else { return };
        let uid = &primary.instance.uid;
        let Some(leader) = hold.gates.standing(uid) else { return };
        let address = self.nodes.get(uid).map_or(&primary.instance.address, |node| &node.address).clone();
        let (mut wrong, mut left) = (Vec::new(), Vec::new());
        // What is on its way may be a full sync that begins, or one that goes on.
        let mut syncing =
            self.nodes.keys().filter(|other| *other != uid && hold.gates.is_told(other)).count();
        for (other, standing) in hold.gates.open_ones().filter(|(other, _)| *other != uid) {
            match &standing.role {
                Role::Replica { of } if *of == address => syncing += usize::from(standing.busy),
                Role::Replica { .. } | Role::Primary => {
                    let pod = self.nodes.get(other).map(|node| node.pod.as_str()).unwrap_or_default();
                    match kin::lot(&hold.lease, (other, pod), standing, leader) {
                        Lot::Follows => wrong.push((other.clone(), standing.run_id.clone())),
                        Lot::Foreign => left.push(Wish::Foreign(other.clone())),
                        Lot::Spared => left.push(Wish::Spared(other.clone())),
                        Lot::Waits => {}
                    }
                }
            }
        }
        let on_the_way = self.nodes.keys().filter(|other| *other != uid && hold.gates.waits(other)).count();
        if wrong.is_empty() {
            if on_the_way == 0 && self.settled(hold, now) {
                out.extend(left);
                self.close(Outcome::Done, now, out);
            }
            return;
        }
        let room = self.config.parallel_syncs.max(1).saturating_sub(syncing);
        for (other, run_id) in wrong.into_iter().take(room) {
            self.tell(&other, &run_id, Command::Follow(address.clone()), now, out);
        }
        self.wait(now, out);
    }

    /// Nothing can be done for now. The claim is given back with what is recorded, and all leave it alone for a while, each
    /// time for longer.
    fn put_off(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Some(hold) = &self.hold else { return };
        let mut lease = hold.given_back();
        if let Some(failover) = &mut lease.failover {
            failover.put_off();
        }
        self.put(lease, After::Over, now, out);
    }

    fn close(&mut self, outcome: Outcome, now: Time, out: &mut Vec<Wish>) {
        let Some(hold) = &self.hold else { return };
        if hold.kind == Kind::Repair && !self.config.rules.hold(Rule::Repair) {
            return self.stand_down(out);
        }
        let mut lease = hold.given_back();
        // A primary begins another history when its first replica attaches, which is after the commit of a new group.
        if let Some(primary) = &mut lease.primary
            && let Some(standing) = hold.gates.standing(&primary.instance.uid)
            && (&standing.run_id, &standing.role) == (&primary.instance.run_id, &Role::Primary)
        {
            primary.replication_id.clone_from(&standing.replication_id);
            primary.offset = standing.offset;
            let leader = primary.instance.uid.clone();
            kin::take_followers(&mut lease, &leader, &hold.gates, &self.nodes);
        }
        if let Some(failover) = lease.failover.take().filter(|failover| failover.kind != Kind::Repair) {
            let mut times = failover.times;
            times.insert("closed".to_owned(), now.millis_since(hold.claimed_at));
            let to = lease.primary.as_ref().map(|primary| primary.instance.pod.clone());
            lease.history.push(Past {
                epoch: failover.epoch,
                why: failover.why,
                outcome,
                from: failover.from.map(|from| from.pod).unwrap_or_default(),
                to: to.unwrap_or_default(),
                times,
                rest: failover.rest,
            });
            let surplus = lease.history.len().saturating_sub(HISTORY_LENGTH);
            lease.history.drain(..surplus);
        }
        self.put(lease, After::Over, now, out);
    }
}
