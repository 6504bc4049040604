//! When to claim, and how a claim begins: on the opinions of step 0 or an operator's word, to repair, to go on with what was
//! left, or because there is no Lease.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::claimant::{Claimant, Room, View};
use super::facts::{Gathered, Wish};
use super::fields::Rest;
use super::gates::Gates;
use super::group::{GroupLease, Primary};
use super::hold::{After, Hold, Stage};
use super::planned::Planned;
use super::rules::Rule;
use super::running::{Failover, Fence, Kind, Outcome, Step};
use crate::core::ids::{ClaimId, Version};
use crate::core::time::Time;

/// Added to the highest epoch that anybody heard of when a Lease is made anew: more than could have been committed and
/// forgotten meanwhile.
const LEAP: u64 = 1000;
/// Longest time for which a claim is put off that nothing could be done under, and the doublings that lead there.
const LONGEST_REST: Duration = Duration::from_secs(60);
const REST_DOUBLINGS: u32 = 8;
/// How long an operator's word waits for its turn, behind a claim that stands: longer, and it would surprise.
const WORD_LASTS: Duration = Duration::from_secs(10);

impl Claimant {
    pub(super) fn consider(&mut self, now: Time, out: &mut Vec<Wish>) {
        match &self.view {
            View::Unknown => {}
            View::Missing { since } => {
                let due = *since + self.claim_time();
                self.make_anew(due, now, out);
            }
            View::Is(sight) => {
                let lease = &sight.lease;
                if let Some(due) = self.outdated_until() {
                    return self.make_anew(due, now, out);
                }
                let kind = match (&lease.holder, &lease.failover) {
                    (Some(_), _) if !sight.expired(lease.seconds, now) => return,
                    (None, Some(_)) if !self.spoken(now) && self.rests_until().is_some_and(|at| now < at) => {
                        return;
                    }
                    (_, Some(left)) if left.kind != Kind::Repair => left.kind,
                    _ if self.may_fail_over(lease, now) => Kind::Failover,
                    (_, Some(_)) => Kind::Repair,
                    (_, None) if self.wrong && lease.primary.is_some() => Kind::Repair,
                    (_, None) => return,
                };
                let (version, mut lease) = (sight.version.clone(), lease.clone());
                if kind == Kind::Failover {
                    // A repair leaves nothing behind that would have to be gone on with.
                    lease.failover.take_if(|left| left.kind == Kind::Repair);
                }
                if self.has_room(kind, now) {
                    self.claim(kind, Some(version), lease, now, out);
                }
            }
        }
    }

    /// Whether a claim of that kind may begin; else it waits.
    fn has_room(&mut self, kind: Kind, now: Time) -> bool {
        let needed = match kind {
            Kind::Failover if self.spoken(now) => Room::None,
            Kind::Failover => Room::Urgent,
            Kind::Repair | Kind::Missing => Room::Any,
        };
        self.queues = (self.room < needed).then_some(needed);
        self.queues.is_none()
    }

    /// When a Lease that knows of no commit as late as one that was seen is made anew. It was set back: by a backup of the API
    /// server's store that was restored, or by hand. What it says of the primary is as good as nothing. Somebody may have claimed
    /// it, and a watch that lags shows the like for a while: neither lasts so long.
    pub(super) fn outdated_until(&self) -> Option<Time> {
        let sight = self.sight().filter(|_| self.is_outdated())?;
        Some(sight.changed_at + self.claim_time() * 2)
    }

    /// Begins to make a Lease anew that is missing, or of no use, and has been for so long that what was written before can't
    /// come any more.
    fn make_anew(&mut self, due: Time, now: Time, out: &mut Vec<Wish>) {
        let waits = self.config.rules.hold(Rule::Missing) && now < due;
        let asks = self.asking_service.is_none() && self.router.may_ask(now) && !self.nodes.is_empty();
        if !waits && asks && self.has_room(Kind::Missing, now) {
            let call = self.call();
            self.asking_service = Some(call);
            out.push(Wish::ReadService(call));
        }
    }

    fn may_fail_over(&self, lease: &GroupLease, now: Time) -> bool {
        let Some(primary) = &lease.primary else { return false };
        let ripe = |(gathered, at): &(Gathered, Time)| gathered.is_about(primary) && now >= *at;
        self.spoken(now)
            || self.gathered.as_ref().is_some_and(ripe) && self.again_at().is_none_or(|at| now >= at)
    }

    fn spoken(&self, now: Time) -> bool {
        self.word.as_ref().is_some_and(|word| now < word.at + WORD_LASTS)
    }

    /// When that which was put off is looked at again: it is for everybody the same.
    pub(super) fn rests_until(&self) -> Option<Time> {
        let sight = self.sight()?;
        let left = sight.lease.failover.as_ref().filter(|_| sight.lease.holder.is_none())?;
        let doublings = u32::try_from(left.rested()).unwrap_or(u32::MAX).checked_sub(1)?;
        let pause = self.config.again_after * (1 << doublings.min(REST_DOUBLINGS));
        Some(sight.changed_at + pause.min(LONGEST_REST))
    }

    /// When a failover may be tried again after one that was undone. An operator's word doesn't wait for it.
    pub(super) fn again_at(&self) -> Option<Time> {
        let sight = self.sight()?;
        let undone = sight.lease.history.last().is_some_and(|past| past.outcome == Outcome::Undone);
        undone.then(|| sight.changed_at + self.config.again_after)
    }

    /// A Lease that is missing is made as a claim: so two that make it don't both believe in theirs.
    pub(super) fn create(&mut self, now: Time, out: &mut Vec<Wish>) {
        if self.hold.is_some() {
            return;
        }
        let outdated = self.outdated_until().is_some_and(|due| now >= due);
        let (version, mut lease) = match &self.view {
            View::Missing { .. } => {
                let new = GroupLease::new(self.config.group.clone());
                (None, GroupLease { replicas: self.recalled.clone(), ..new })
            }
            View::Is(sight) if outdated => {
                let lease = GroupLease { primary: None, failover: None, ..sight.lease.clone() };
                (Some(sight.version.clone()), lease)
            }
            View::Unknown | View::Is(_) => return,
        };
        if !self.config.rules.hold(Rule::Missing) {
            lease.primary = self.remembered.clone();
        }
        self.claim(Kind::Missing, version, lease, now, out);
    }

    fn claim(
        &mut self,
        kind: Kind,
        version: Option<Version>,
        old: GroupLease,
        now: Time,
        out: &mut Vec<Wish>,
    ) {
        self.attempts += 1;
        let id = format!("{}.{:x}.{}", self.config.member, self.config.life, self.attempts);
        let id = ClaimId::from(id);
        let mut lease = old.clone();
        lease.holder = Some(id.clone());
        lease.transitions += 1;
        let forced = kind == Kind::Failover && self.spoken(now);
        // What was left is gone on with first.
        let planned = self.word.as_ref().filter(|_| forced && lease.failover.is_none());
        let planned = planned.and_then(|word| word.pause).map(Planned::new);
        let mut failover = match lease.failover.take() {
            Some(left) => Failover { claim: id.clone(), ..left },
            None => self.new_failover(&id, kind, forced, &lease),
        };
        if planned.is_some() {
            "switchover".clone_into(&mut failover.why);
        }
        let stage = match (failover.kind, failover.step) {
            (Kind::Repair, _) | (_, Step::Committed) => Stage::Follow,
            (Kind::Failover | Kind::Missing, Step::Claimed | Step::Chosen) => {
                let next = failover.epoch.max(lease.epoch()).saturating_add(1);
                failover.epoch = next.max(self.unheard_of(kind));
                Stage::Look
            }
        };
        lease.failover = Some(failover);
        if forced {
            self.word = None;
        }
        // A repair begins for what was seen before; what is seen from here on may ask for the next.
        self.wrong = false;
        self.hold = Some(Hold {
            id,
            kind,
            claimed: false,
            claimed_at: now,
            began: now,
            version,
            lease: old,
            put: None,
            stage,
            gates: Gates::default(),
            shown: false,
            found: None,
            forced,
            planned,
            sent_away: None,
            told_at: None,
            unwilling: BTreeSet::new(),
            beside_at: None,
            look_again: None,
        });
        if kind == Kind::Repair && !self.config.rules.hold(Rule::Repair) {
            if let Some(hold) = &mut self.hold {
                hold.claimed = true;
            }
            return self.go_on_holding(now, out);
        }
        self.put(lease, After::Go(stage), now, out);
    }

    /// An epoch above all that was heard of. A Service that carries a later one is left alone: it would follow no further commit.
    pub(super) fn unheard_of(&self, kind: Kind) -> u64 {
        let leap = kind == Kind::Missing && self.config.rules.hold(Rule::Missing);
        self.heard.max(self.promised).saturating_add(if leap { LEAP } else { 1 })
    }

    fn new_failover(&self, id: &ClaimId, kind: Kind, forced: bool, lease: &GroupLease) -> Failover {
        let opinions =
            self.gathered.as_ref().map(|(gathered, _)| gathered.opinions.iter().cloned().collect());
        let (why, opinions) = match kind {
            Kind::Failover if forced => ("operator", Vec::new()),
            Kind::Failover => ("down", opinions.unwrap_or_default()),
            Kind::Repair => ("repair", Vec::new()),
            Kind::Missing => ("missing", Vec::new()),
        };
        Failover {
            claim: id.clone(),
            kind,
            epoch: lease.epoch(),
            why: why.to_owned(),
            from: lease.primary.as_ref().map(|primary| primary.instance.clone()),
            candidate: None,
            tried: Vec::new(),
            step: Step::Claimed,
            opinions,
            fence: Fence::None,
            times: BTreeMap::new(),
            rest: Rest::new(),
        }
    }
}

impl Gathered {
    /// Whether they are about that very primary: the process and the epoch.
    pub(super) fn is_about(&self, primary: &Primary) -> bool {
        self.about.epoch == primary.epoch && self.about.instance.same(&primary.instance)
    }
}
