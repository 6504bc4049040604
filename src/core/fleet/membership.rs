//! The own Lease: that this member lives, where it answers, and what it holds down.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::claim::{MEMBER_SECONDS, MOST_OPINIONS, MOST_PROMISES, MemberLease, Opinion};
use crate::core::cluster::{About, Answer, Call, Lease, Object};
use crate::core::ids::{GroupName, RunId, Version};
use crate::core::time::Time;

/// Time between two renewals.
const RENEWAL: Duration = Duration::from_secs(2);
/// Opinions that change within this time are written together.
const TOGETHER: Duration = Duration::from_millis(20);
/// A write that failed is tried again after so long.
const AGAIN: Duration = Duration::from_millis(500);

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Which version there is, is not known.
    Unknown,
    Reading,
    /// It is as it was written or read last.
    Known,
    Writing {
        began: Time,
        epoch: u64,
    },
}

/// How far it is with a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    /// In the last write, of which it isn't known yet whether it landed.
    Sent,
    There,
}

/// An epoch that is about to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Promise {
    epoch: u64,
    state: State,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Membership {
    name: String,
    id: RunId,
    phase: Phase,
    version: Option<Version>,
    /// What was read of it, before this life's first write.
    found: Option<MemberLease>,
    starts: Option<u64>,
    announce: String,
    /// The highest epoch that was committed in any group, as far as this member knows.
    epoch: u64,
    /// The one that is there.
    recorded: u64,
    /// Epochs above it that are about to be committed.
    promised: BTreeMap<GroupName, Promise>,
    /// What an earlier life knew to be committed.
    earlier: u64,
    down: BTreeMap<GroupName, Opinion>,
    /// What is to be written is not what was written last, since then.
    news_at: Option<Time>,
    /// When the last write that landed began.
    renewed_at: Option<Time>,
    /// When the last write began, whatever came of it.
    tried_at: Option<Time>,
    /// Not before this.
    pause_until: Option<Time>,
    /// The last write met another one.
    contested: bool,
    leaving: bool,
    left: bool,
}

impl Membership {
    pub(crate) const fn new(name: String, id: RunId) -> Self {
        Self {
            name,
            id,
            phase: Phase::Unknown,
            version: None,
            found: None,
            starts: None,
            announce: String::new(),
            epoch: 0,
            recorded: 0,
            promised: BTreeMap::new(),
            earlier: 0,
            down: BTreeMap::new(),
            news_at: None,
            renewed_at: None,
            tried_at: None,
            pause_until: None,
            contested: false,
            leaving: false,
            left: false,
        }
    }

    /// The Lease's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where this member answers.
    pub(crate) fn announce(&mut self, at: String, now: Time) {
        if self.announce != at {
            self.announce = at;
            self.news_at.get_or_insert(now);
        }
    }

    /// An epoch was committed. It goes with the next renewal.
    pub(crate) fn committed(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
    }

    /// An epoch is about to be committed, and is to be remembered whatever becomes of the group's Lease. Whether it is there; else
    /// it is written soon.
    pub(crate) fn promise(&mut self, group: &GroupName, epoch: u64, now: Time) -> bool {
        if self.is_recorded(group, epoch) {
            return true;
        }
        if self.promised(group) < epoch {
            self.take_promise(group, Promise { epoch, state: State::New });
            self.news_at.get_or_insert(now);
        }
        false
    }

    fn take_promise(&mut self, group: &GroupName, promise: Promise) {
        if self.promised.len() < MOST_PROMISES || self.promised.contains_key(group) {
            self.promised.insert(group.clone(), promise);
        } else {
            // It is remembered as if it were of any group.
            self.committed(promise.epoch);
        }
    }

    /// Whether the Lease holds that epoch, or a later one.
    pub(crate) fn is_recorded(&self, group: &GroupName, epoch: u64) -> bool {
        let there = |promise: &Promise| promise.state == State::There && promise.epoch >= epoch;
        self.recorded >= epoch || self.promised.get(group).is_some_and(there)
    }

    /// What was promised for a group, in this life or an earlier one.
    pub(crate) fn promised(&self, group: &GroupName) -> u64 {
        self.promised.get(group).map_or(0, |promise| promise.epoch)
    }

    /// The highest epoch that an earlier life knew to be committed.
    pub(crate) const fn earlier(&self) -> u64 {
        self.earlier
    }

    /// What this member holds of a group's primary. `false`: there is no room for one more.
    pub(crate) fn hold(&mut self, group: &GroupName, opinion: Option<Opinion>, now: Time) -> bool {
        if self.down.get(group) == opinion.as_ref() {
            return true;
        }
        match opinion {
            Some(_) if self.down.len() >= MOST_OPINIONS && !self.down.contains_key(group) => return false,
            Some(opinion) => drop(self.down.insert(group.clone(), opinion)),
            None => drop(self.down.remove(group)),
        }
        self.news_at.get_or_insert(now);
        true
    }

    /// The process ends: the Lease is given back.
    pub(crate) const fn leave(&mut self, now: Time) {
        self.leaving = true;
        self.news_at = Some(now);
        self.pause_until = None;
    }

    /// After [`Self::leave`]: nothing is left to do.
    pub(crate) const fn has_left(&self) -> bool {
        self.left
    }

    /// Whether others count this member as alive, as far as it can know.
    pub(crate) fn is_fresh(&self, now: Time) -> bool {
        self.renewed_at.is_some_and(|at| now < at + Duration::from_secs(MEMBER_SECONDS))
    }

    /// When there is something to be done, or was.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let due = match self.phase {
            _ if self.left => return None,
            Phase::Reading | Phase::Writing { .. } => return None,
            Phase::Unknown => self.tried_at.unwrap_or(Time::ZERO),
            Phase::Known => {
                let renewal = self.tried_at.map_or(Time::ZERO, |at| at + RENEWAL);
                let together = if self.leaving { Duration::ZERO } else { TOGETHER };
                self.news_at.map_or(renewal, |at| renewal.min(at + together))
            }
        };
        Some(self.pause_until.map_or(due, |until| due.max(until)))
    }

    /// The call that is due.
    pub(crate) fn step(&mut self, now: Time) -> Option<Call> {
        if self.next_deadline().is_none_or(|at| now < at) {
            return None;
        }
        self.pause_until = None;
        if self.phase == Phase::Unknown {
            self.phase = Phase::Reading;
            return Some(Call::ReadLease { name: self.name.clone() });
        }
        self.phase = Phase::Writing { began: now, epoch: self.epoch };
        // What is committed says as much.
        self.promised.retain(|_, promise| promise.epoch > self.epoch);
        for promise in self.promised.values_mut().filter(|promise| promise.state == State::New) {
            promise.state = State::Sent;
        }
        self.tried_at = Some(now);
        self.news_at = None;
        let starts =
            *self.starts.get_or_insert_with(|| self.found.take().map_or(0, |found| found.transitions) + 1);
        let lease = MemberLease {
            holder: (!self.leaving).then(|| self.id.clone()),
            seconds: MEMBER_SECONDS,
            transitions: starts,
            announce: self.announce.clone(),
            epoch: self.epoch,
            promised: self.promised.iter().map(|(group, promise)| (group.clone(), promise.epoch)).collect(),
            down: if self.leaving { BTreeMap::new() } else { self.down.clone() },
            unknown: BTreeMap::new(),
        };
        let (name, version, plain) = (self.name.clone(), self.version.clone(), lease.print());
        Some(Call::WriteLease { name, version, plain, about: About::Member })
    }

    /// The answer to what [`Self::step`] asked for.
    pub(crate) fn answered(&mut self, answer: Answer, now: Time) {
        let written = match self.phase {
            Phase::Writing { began, epoch } => Some((began, epoch)),
            Phase::Unknown | Phase::Reading | Phase::Known => None,
        };
        match answer {
            Answer::Read(object) => {
                self.phase = Phase::Known;
                self.version = None;
                if let Some(Object::Lease(Lease { version, plain, .. })) = object {
                    self.version = Some(version);
                    self.found = MemberLease::parse(&plain).ok();
                    // What an earlier life heard of is not forgotten with it.
                    if let Some(found) = self.found.clone() {
                        self.earlier = if self.starts.is_none() { found.epoch } else { self.earlier };
                        self.epoch = self.epoch.max(found.epoch);
                        self.recorded = self.recorded.max(found.epoch);
                        for (group, epoch) in &found.promised {
                            if self.promised(group) <= *epoch {
                                self.take_promise(group, Promise { epoch: *epoch, state: State::There });
                            }
                        }
                    }
                }
                self.news_at.get_or_insert(now);
            }
            Answer::Landed(version) => {
                self.phase = Phase::Known;
                self.version = Some(version);
                self.contested = false;
                if let Some((began, epoch)) = written {
                    self.renewed_at = Some(began);
                    self.recorded = self.recorded.max(epoch);
                }
                for promise in self.promised.values_mut().filter(|promise| promise.state == State::Sent) {
                    promise.state = State::There;
                }
                // One more was begun before the end was known of.
                self.left = self.leaving && self.news_at.is_none();
            }
            // Once it may be a write of one's own whose answer was lost. Then somebody else writes it, too.
            Answer::Conflict if !std::mem::replace(&mut self.contested, true) => self.phase = Phase::Unknown,
            Answer::Conflict => self.failed(AGAIN, now),
            // Who is silent for longer counts as dead.
            Answer::Refused { after, .. } => self.failed(after.unwrap_or(AGAIN).clamp(AGAIN, RENEWAL), now),
            Answer::Unknown(_) => self.failed(AGAIN, now),
        }
    }

    fn failed(&mut self, pause: Duration, now: Time) {
        self.phase = Phase::Unknown;
        self.pause_until = Some(now + pause);
        // Nobody waits for a member that can't say that it leaves.
        self.left = self.leaving;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership() -> Membership {
        Membership::new("v-member-a".to_owned(), RunId::from("a"))
    }

    /// Calls that are made until then, of which each write is answered so; when they were made, in milliseconds.
    fn writes(own: &mut Membership, until: u64, answer: &Answer) -> Vec<u64> {
        let mut writes = Vec::new();
        for at in 0..until {
            let now = Time::from_millis(at);
            for _ in 0..100 {
                match own.step(now) {
                    Some(Call::WriteLease { .. }) => {
                        writes.push(at);
                        own.answered(answer.clone(), now);
                    }
                    Some(_) => own.answered(Answer::Read(None), now),
                    None => break,
                }
            }
        }
        writes
    }

    #[test]
    fn who_meets_another_writer_again_and_again_does_not_hurry() {
        let mut own = membership();
        let writes = writes(&mut own, 5000, &Answer::Conflict);
        assert!((3..=12).contains(&writes.len()), "{writes:?}");
        assert!(writes[1] - writes[0] < 100, "once it may be an own write without an answer: {writes:?}");
    }

    #[test]
    fn an_epoch_that_an_earlier_life_heard_of_is_kept() {
        let mut before = membership();
        before.committed(7);
        let Some(Call::ReadLease { .. }) = before.step(Time::ZERO) else { panic!("it is read first") };
        before.answered(Answer::Read(None), Time::ZERO);
        let Some(Call::WriteLease { name, plain, .. }) = before.step(Time::from_millis(20)) else {
            panic!("and then written")
        };
        let lease = Lease { name, version: Version::from("1"), plain };
        let mut after = membership();
        assert!(matches!(after.step(Time::ZERO), Some(Call::ReadLease { .. })));
        after.answered(Answer::Read(Some(Object::Lease(lease))), Time::ZERO);
        let Some(Call::WriteLease { plain, .. }) = after.step(Time::from_millis(20)) else {
            panic!("it is written anew")
        };
        assert_eq!(MemberLease::parse(&plain).unwrap().epoch, 7);
    }

    #[test]
    fn a_promise_is_kept_once_it_is_written() {
        let mut own = membership();
        let [one, other] = ["g", "h"].map(GroupName::from);
        own.answered(Answer::Read(None), Time::ZERO);
        assert!(own.step(Time::from_millis(20)).is_some());
        own.answered(Answer::Landed(Version::from("1")), Time::from_millis(20));
        assert!(!own.promise(&one, 7, Time::from_millis(100)));
        assert_eq!(own.next_deadline(), Some(Time::from_millis(120)), "soon");
        assert!(own.step(Time::from_millis(120)).is_some());
        assert!(!own.promise(&one, 7, Time::from_millis(120)), "it is on its way");
        assert_eq!(own.news_at, None);
        assert!(!own.promise(&one, 8, Time::from_millis(120)), "a later one than the one that is on its way");
        own.answered(Answer::Landed(Version::from("2")), Time::from_millis(121));
        assert!(
            !own.promise(&one, 8, Time::from_millis(121)) && !own.promise(&other, 7, Time::from_millis(121))
        );
        let Some(Call::WriteLease { plain, .. }) = own.step(Time::from_millis(140)) else {
            panic!("it is written soon")
        };
        assert_eq!(
            MemberLease::parse(&plain).unwrap().promised,
            [(one.clone(), 8), (other.clone(), 7)].into()
        );
        own.answered(Answer::Unknown("no answer".to_owned()), Time::from_millis(141));
        assert!(!own.promise(&one, 8, Time::from_millis(141)), "it may be there or not");
        let Some(Call::ReadLease { name }) = own.step(Time::from_millis(700)) else {
            panic!("it is read again")
        };
        let lease = Lease { name, version: Version::from("3"), plain };
        own.answered(Answer::Read(Some(Object::Lease(lease))), Time::from_millis(701));
        assert!(
            own.promise(&one, 8, Time::from_millis(701)) && own.promise(&other, 7, Time::from_millis(701))
        );
        // What is committed needs no promise any more.
        own.committed(7);
        let Some(Call::WriteLease { plain, .. }) = own.step(Time::from_millis(800)) else {
            panic!("it is renewed")
        };
        assert_eq!(MemberLease::parse(&plain).unwrap().promised, [(one, 8)].into());
        own.answered(Answer::Landed(Version::from("4")), Time::from_millis(801));
        assert!(own.is_recorded(&other, 7));
    }

    #[test]
    fn promises_are_bounded() {
        let group = |number: usize| GroupName::from(format!("g{number}"));
        let write = |own: &mut Membership, at| {
            let Some(Call::WriteLease { plain, .. }) = own.step(Time::from_millis(at)) else {
                panic!("it is written")
            };
            own.answered(Answer::Landed(Version::from("1")), Time::from_millis(at));
            plain
        };
        let mut before = membership();
        before.promise(&GroupName::from("h"), 8, Time::ZERO);
        before.answered(Answer::Read(None), Time::ZERO);
        let (name, plain) = (before.name().to_owned(), write(&mut before, 20));
        let mut own = membership();
        for number in 0..MOST_PROMISES {
            assert!(!own.promise(&group(number), 9, Time::ZERO));
        }
        let lease = Lease { name, version: Version::from("1"), plain };
        own.answered(Answer::Read(Some(Object::Lease(lease))), Time::ZERO);
        let lease = MemberLease::parse(&write(&mut own, 20)).unwrap();
        assert_eq!(
            (lease.epoch, lease.promised.len()),
            (8, MOST_PROMISES),
            "one number stands for those beyond"
        );
        assert!(!own.promise(&group(MOST_PROMISES), 9, Time::from_millis(30)));
        let lease = MemberLease::parse(&write(&mut own, 50)).unwrap();
        assert_eq!((lease.epoch, lease.promised.len()), (9, 0));
        assert!(own.is_recorded(&group(MOST_PROMISES), 9));
    }

    #[test]
    fn no_wish_of_the_api_server_makes_a_member_look_dead() {
        let mut own = membership();
        let refused = Answer::Refused { after: Some(Duration::from_secs(60)), reason: "busy".to_owned() };
        let writes = writes(&mut own, 7000, &refused);
        assert!((3..=4).contains(&writes.len()), "{writes:?}");
    }
}
