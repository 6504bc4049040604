//! The claim of one group, as one member sees it: what it knows, what became of each write of the Lease, when to stop.
//!
//! A claim that was left is anybody's as soon as it was seen unchanged for its whole time, and goes on where it was left, at the
//! next epoch. When to claim is in [`super::consider`], what a claimant does under its claim in [`super::work`],
//! what any member does with a commit in [`super::router`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts::{Fact, Gathered, Listed, Shown, Wish, Written};
use super::group::{GroupLease, Primary, Replicas};
use super::hold::{After, Hold, Pending};
use super::planned::Planned;
use super::router::Router;
use super::rules::{Rule, Rules};
use super::running::Kind;
use super::sight::Sight;
use crate::core::ids::{CallNo, ClaimId, GroupName, PodUid, RunId, Version};
use crate::core::time::Time;

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This member's id.
    pub member: RunId,
    /// A number that no other run of this process had: it keeps claims of an earlier life apart from this one's.
    pub life: u64,
    /// The group.
    pub group: GroupName,
    /// How long a node that isn't held down is waited for before a choice is made without it.
    pub barrier_wait: Duration,
    /// How long all listed nodes are waited for where no Lease says who is primary.
    pub cold_start_wait: Duration,
    /// How long after an undone failover the same primary is left alone: what stood in its way may still stand.
    pub again_after: Duration,
    /// Replicas in a full sync at the same time; at least 1.
    pub parallel_syncs: usize,
    /// Look and route, never act.
    pub observe: bool,
    /// All, but in a model.
    pub rules: Rules,
}

/// What an operator asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Word {
    pub(super) at: Time,
    /// A planned switchover, and for how long it may hold writes back.
    pub(super) pause: Option<Duration>,
}

/// The Lease as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// Nothing was shown yet.
    Unknown,
    /// There is none, as far as is known since then.
    Missing {
        since: Time,
    },
    Is(Box<Sight<GroupLease>>),
}

/// Which claims may begin. One that is begun while its writes have to wait behind those of many others is over before its work
/// is done, and whoever takes it up adds to the crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Room {
    /// None but an operator's.
    None,
    /// For a primary that is down, too.
    Urgent,
    /// All.
    Any,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claimant {
    pub(super) config: Config,
    pub(super) view: View,
    pub(super) nodes: BTreeMap<PodUid, Listed>,
    /// Opinions, and from when they may be acted upon.
    pub(super) gathered: Option<(Gathered, Time)>,
    pub(super) wrong: bool,
    /// When an operator asked for a failover that was not begun so far.
    pub(super) word: Option<Word>,
    terminating: bool,
    ended: bool,
    /// The highest committed epoch that was heard of.
    pub(super) heard: u64,
    /// The highest epoch that a member was about to commit, as far as is known.
    pub(super) promised: u64,
    /// The highest one that is in this member's own Lease.
    pub(super) recorded: u64,
    /// The commit with the highest epoch that was ever seen: what clients are answered with.
    pub(super) remembered: Option<Primary>,
    /// Whom Sentinels name, where this member only observes and there is no Lease.
    pub(super) followed: Option<Primary>,
    /// Whose data a Lease that is there no more knew as the group's.
    pub(super) recalled: Replicas,
    pub(super) hold: Option<Hold>,
    pub(super) router: Router,
    /// The read of the Service that comes before a missing Lease is made anew.
    pub(super) asking_service: Option<CallNo>,
    pub(super) room: Room,
    /// What room a claim waits for that would have begun.
    pub(super) queues: Option<Room>,
    pub(super) calls: u64,
    pub(super) attempts: u64,
}

impl Claimant {
    /// A member that knows nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            view: View::Unknown,
            nodes: BTreeMap::new(),
            gathered: None,
            wrong: false,
            word: None,
            terminating: false,
            ended: false,
            heard: 0,
            promised: 0,
            recorded: 0,
            remembered: None,
            followed: None,
            recalled: Replicas::default(),
            hold: None,
            router: Router::default(),
            asking_service: None,
            room: Room::Any,
            queues: None,
            calls: 0,
            attempts: 0,
        }
    }

    /// Which claims may begin from now on.
    pub const fn set_room(&mut self, room: Room) {
        self.room = room;
    }

    /// What room a claim waits for that would have begun.
    #[must_use]
    pub const fn queues(&self) -> Option<Room> {
        self.queues
    }

    /// Takes a fact in and appends wishes, to be carried out in their order.
    pub fn handle(&mut self, fact: Fact, now: Time, out: &mut Vec<Wish>) {
        match fact {
            Fact::Nodes(nodes) => self.nodes = nodes,
            Fact::Gathered(gathered) => {
                let known = self.gathered.take();
                self.gathered = gathered.map(|gathered| match known {
                    // More of the same opinions don't start the wait again.
                    Some((old, at)) if old.about == gathered.about => (gathered, at),
                    Some(_) | None => {
                        let at = now + gathered.start_after;
                        (gathered, at)
                    }
                });
            }
            Fact::Promised(epoch) => self.promised = self.promised.max(epoch),
            Fact::Recorded(epoch) => self.recorded = self.recorded.max(epoch),
            Fact::Heard(epoch) => self.heard = self.heard.max(epoch),
            Fact::Beside => {
                if let Some(hold) = &mut self.hold {
                    hold.beside_at = Some(now);
                }
            }
            Fact::Followed(primary, heard) => self.follow_sentinels(*primary, heard, out),
            Fact::Wrong(wrong) => self.wrong = wrong,
            Fact::Seen(shown) => {
                if let Some(hold) = &mut self.hold {
                    hold.shown |=
                        shown.as_ref().is_some_and(|(_, lease)| lease.holder.as_ref() == Some(&hold.id));
                }
                self.see(&shown, false, now, out);
            }
            Fact::Read(call, answer) => self.read(call, answer, now, out),
            Fact::Put(call, written) => self.written(call, written, now, out),
            Fact::Stood(node, call, answer) => {
                if let Some(hold) = &mut self.hold {
                    hold.gates.answered(&node, call, answer, self.config.barrier_wait, now);
                }
            }
            Fact::ServiceSeen(service) => {
                self.heard = self.heard.max(service.epoch);
                self.router.seen(service);
            }
            Fact::Service(call, answer) => {
                if let Some(service) = &answer {
                    self.heard = self.heard.max(service.epoch);
                }
                if self.asking_service == Some(call) {
                    self.asking_service = None;
                    match answer {
                        Some(_) => self.create(now, out),
                        None => self.router.failed(now),
                    }
                } else {
                    self.service_read(call, answer, now, out);
                }
            }
            Fact::Patched(call, written) => self.router.patched(call, &written, now),
            Fact::Word => self.word = Some(Word { at: now, pause: None }),
            Fact::Switchover(pause) => self.word = Some(Word { at: now, pause: Some(pause) }),
            Fact::Terminate => self.terminating = true,
            Fact::Tick => {}
        }
        self.go_on(now, out);
    }

    /// The committed primary that clients are answered with; never back in epoch.
    #[must_use]
    pub fn committed(&self) -> Option<&Primary> {
        self.remembered.as_ref()
    }

    /// Whether the Lease as it was seen last knows only of earlier commits than [`Claimant::committed`].
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        let Some(lease) = self.sight().map(|sight| &sight.lease) else { return false };
        let epoch = |primary: &Primary| primary.epoch;
        // One that is being made anew has none yet.
        let anew = lease.failover.as_ref().is_some_and(|failover| failover.kind == Kind::Missing);
        !anew && lease.primary.as_ref().map(epoch) < self.remembered.as_ref().map(epoch)
    }

    /// The claim that is held or tried for.
    #[must_use]
    pub fn claimed(&self) -> Option<&ClaimId> {
        self.hold.as_ref().map(|hold| &hold.id)
    }

    /// Whether the claim that is held or tried for is to make a Lease that is missing.
    #[must_use]
    pub fn is_founding(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.kind == Kind::Missing)
    }

    /// Until when the claim that is held may begin to change anything.
    #[must_use]
    pub fn acts_until(&self) -> Option<Time> {
        self.hold.as_ref().map(Hold::acts_until)
    }

    /// The Lease as it was seen last, and since when it looks like that.
    #[must_use]
    pub fn sight(&self) -> Option<&Sight<GroupLease>> {
        match &self.view {
            View::Is(sight) => Some(sight),
            View::Unknown | View::Missing { .. } => None,
        }
    }

    /// The version of the Lease that was seen last, nothing if none was.
    #[must_use]
    pub fn seen(&self) -> Option<&Version> {
        self.sight().map(|sight| &sight.version)
    }

    /// The version of the Service that was seen last, nothing if none was.
    #[must_use]
    pub fn service_seen(&self) -> Option<&Version> {
        self.router.version()
    }

    /// When [`Fact::Tick`] is due, if nothing else comes before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let view = match &self.view {
            View::Unknown => None,
            // Who only observes waits for nothing of this.
            View::Missing { .. } | View::Is(_) if self.config.observe => None,
            View::Missing { since } => Some(*since + self.claim_time()),
            View::Is(sight) => {
                let expiry = sight.lease.holder.is_some().then(|| sight.expires_at(sight.lease.seconds));
                self.outdated_until().or(expiry).or_else(|| self.rests_until())
            }
        };
        match &self.hold {
            Some(hold) => [
                Some(hold.renews_at()),
                Some(hold.acts_until()),
                hold.gates.next_deadline(),
                hold.look_again,
                hold.planned.as_ref().and_then(Planned::last_moment),
            ]
            .into_iter()
            .flatten()
            .chain(self.router.next_deadline())
            .min(),
            None => {
                let gathered = self.gathered.as_ref().filter(|_| !self.config.observe);
                let start = gathered.map(|(_, at)| (*at).max(self.again_at().unwrap_or(*at)));
                [view, start, self.router.next_deadline()].into_iter().flatten().min()
            }
        }
    }

    pub(super) fn call(&mut self) -> CallNo {
        self.calls += 1;
        CallNo(self.calls)
    }

    pub(super) fn claim_time(&self) -> Duration {
        Duration::from_secs(self.sight().map_or(super::group::CLAIM_SECONDS, |sight| sight.lease.seconds))
    }

    fn go_on(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.queues = None;
        // Clients come before the other data nodes.
        self.route(now, out);
        if self.hold.is_some() {
            self.go_on_holding(now, out);
        }
        if self.hold.is_none() {
            if self.terminating {
                if !std::mem::replace(&mut self.ended, true) {
                    out.push(Wish::Ended);
                }
            } else if !self.config.observe {
                self.consider(now, out);
            }
        }
    }

    pub(super) fn go_on_holding(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Some(hold) = &self.hold else { return };
        let over = now >= hold.acts_until();
        if over && self.config.rules.hold(Rule::TwoThirds) {
            // Stop where it is. Whether the last write landed is for whoever claims next.
            return self.stand_down(out);
        }
        if hold.put.is_some() || !hold.claimed {
            return;
        }
        if self.terminating {
            // Hand over: whoever sees this goes on at once.
            let lease = hold.given_back();
            return self.put(lease, After::Over, now, out);
        }
        if now >= hold.renews_at() && !over {
            let (lease, stage) = (hold.lease.clone(), hold.stage);
            return self.put(lease, After::Go(stage), now, out);
        }
        self.work(now, out);
    }

    pub(super) fn stand_down(&mut self, out: &mut Vec<Wish>) {
        if self.hold.take().is_some() {
            self.router.not_committed();
            out.push(Wish::Release);
        }
    }

    // === The Lease as it is seen ===

    /// `latest`: it was asked for after all that was seen.
    fn see(&mut self, shown: &Shown, latest: bool, now: Time, out: &mut Vec<Wish>) {
        match (shown, &mut self.view) {
            (None, View::Missing { .. }) => {}
            (None, view @ (View::Unknown | View::Is(_))) => {
                if let View::Is(sight) = view {
                    self.recalled = sight.lease.replicas.clone();
                }
                *view = View::Missing { since: now };
            }
            (Some((version, lease)), View::Is(sight)) if latest => {
                sight.read(version.clone(), lease.clone(), now);
            }
            (Some((version, lease)), View::Is(sight)) => sight.see(version.clone(), lease.clone(), now),
            (Some((version, lease)), view @ (View::Unknown | View::Missing { .. })) => {
                *view = View::Is(Box::new(Sight::new(version.clone(), lease.clone(), now)));
            }
        }
        if shown.as_ref().is_some_and(|(_, lease)| lease.primary.is_some()) {
            // It alone counts.
            self.followed = None;
        }
        if let Some((_, lease)) = shown
            && let Some(primary) = &lease.primary
            && self.remembered.as_ref().is_none_or(|known| known.epoch < primary.epoch)
        {
            self.heard = self.heard.max(primary.epoch);
            self.remembered = Some(primary.clone());
            out.push(Wish::Switched(Box::new(primary.clone())));
        }
    }

    fn read(&mut self, call: CallNo, answer: Option<Shown>, now: Time, out: &mut Vec<Wish>) {
        // After a write that didn't land, or of which that isn't known.
        let latest = self.hold.as_ref().and_then(|hold| hold.put.as_ref());
        let latest = latest.is_some_and(|pending| pending.reading && pending.call == call);
        if let Some(shown) = &answer {
            self.see(shown, latest, now, out);
        }
        self.lease_read(call, answer.as_ref(), now, out);
        let Some(hold) = &mut self.hold else { return };
        let Some(pending) = hold.put.as_ref().filter(|pending| pending.reading && pending.call == call)
        else {
            return;
        };
        match answer {
            // The same question again, until the claim's time is over.
            None => {
                let call = self.call();
                if let Some(pending) = self.hold.as_mut().and_then(|hold| hold.put.as_mut()) {
                    pending.call = call;
                    out.push(Wish::Read(call));
                }
            }
            Some(Some((version, lease)))
                if lease == pending.lease && hold.version.as_ref() != Some(&version) =>
            {
                self.landed(version, now, out);
            }
            // Mine, but not what was written last: it did not land, or not yet. The same once more; at most one of the
            // two can land, and it can't be told which: the time runs from the first.
            Some(Some((version, lease))) if hold.claimed && lease.holder.as_ref() == Some(&hold.id) => {
                hold.version = Some(version);
                let (lease, after, began) = (pending.lease.clone(), pending.after, pending.began);
                self.put(lease, after, began, out);
            }
            Some(_) => self.stand_down(out),
        }
    }

    // === Writes of the Lease ===

    pub(super) fn put(&mut self, lease: GroupLease, after: After, began: Time, out: &mut Vec<Wish>) {
        let call = self.call();
        let Some(hold) = &mut self.hold else { return };
        hold.put = Some(Pending { call, reading: false, began, lease: lease.clone(), after });
        out.push(Wish::Put(call, hold.version.clone(), Box::new(lease)));
    }

    fn written(&mut self, call: CallNo, written: Written, now: Time, out: &mut Vec<Wish>) {
        let waited =
            |hold: &Hold| hold.put.as_ref().is_some_and(|pending| pending.call == call && !pending.reading);
        if !self.hold.as_ref().is_some_and(waited) {
            return;
        }
        match written {
            Written::Landed(version) => self.landed(version, now, out),
            Written::Conflict | Written::Unknown => {
                self.router.not_committed();
                let call = self.call();
                if let Some(pending) = self.hold.as_mut().and_then(|hold| hold.put.as_mut()) {
                    (pending.call, pending.reading) = (call, true);
                    out.push(Wish::Read(call));
                }
            }
        }
    }

    fn landed(&mut self, version: Version, now: Time, out: &mut Vec<Wish>) {
        let from_the_start = self.config.rules.hold(Rule::FromTheStart);
        let Some(hold) = &mut self.hold else { return };
        let Some(pending) = hold.put.take() else { return };
        hold.began = if from_the_start { pending.began } else { now };
        hold.claimed = true;
        hold.version = Some(version.clone());
        hold.lease = pending.lease.clone();
        let over = match pending.after {
            After::Go(stage) => {
                hold.stage = stage;
                false
            }
            After::Over => true,
        };
        self.see(&Some((version, pending.lease)), false, now, out);
        self.turn(out);
        if over {
            self.stand_down(out);
        }
    }
}
