//! Step 0: whether enough members hold the primary down, and enough members live. An opinion is about one process at one
//! committed epoch; about any other it is void, so that none leaks into the next failover. A member counts once, whichever way
//! it was heard.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::group::Primary;
use super::presence::Presence;
use crate::core::ids::{GroupName, RunId};
use crate::core::time::Time;

/// Most members whose answers are kept; a fleet has three or five.
const MOST_HEARD: usize = 64;

/// An opinion that was heard over RESP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Heard {
    run_id: RunId,
    epoch: u64,
    at: Time,
}

/// What the others answered when they were asked about one group's primary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Opinions {
    heard: BTreeMap<RunId, Heard>,
}

/// What step 0 found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Count {
    /// Members that hold the primary down, the own one among them if it does.
    pub down: BTreeSet<RunId>,
    /// Members with a fresh Lease, the own one included.
    pub alive: BTreeSet<RunId>,
}

/// What it takes: the quorum of the group, and a majority of the fleet's configured size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Needed {
    /// Opinions of distinct live members.
    pub quorum: usize,
    /// Members of the fleet: configured, never learnt.
    pub fleet: usize,
}

impl Opinions {
    /// A member answered that it holds that process down, at that epoch, or that it doesn't.
    pub fn answered(&mut self, member: RunId, down: Option<(RunId, u64)>, now: Time) {
        match down {
            Some((run_id, epoch)) if self.heard.len() < MOST_HEARD || self.heard.contains_key(&member) => {
                self.heard.insert(member, Heard { run_id, epoch, at: now });
            }
            Some(_) => {}
            None => {
                self.heard.remove(&member);
            }
        }
    }

    /// Counts. `own` is whether this member holds the primary down; answers older than `fresh` are void, and so is
    /// whatever a member without a fresh Lease says.
    #[must_use]
    pub fn count<'a>(
        &self,
        me: &RunId,
        own: bool,
        (group, primary): (&GroupName, &Primary),
        members: impl IntoIterator<Item = &'a Presence>,
        fresh: Duration,
        now: Time,
    ) -> Count {
        let about = |run_id: &RunId, epoch: u64| *run_id == primary.instance.run_id && epoch == primary.epoch;
        let mut count = Count { down: BTreeSet::new(), alive: BTreeSet::from([me.clone()]) };
        if own {
            count.down.insert(me.clone());
        }
        for lease in members.into_iter().filter(|member| member.lives(now)).map(Presence::lease) {
            let Some(id) = lease.holder.as_ref().filter(|id| *id != me) else { continue };
            count.alive.insert(id.clone());
            let in_lease = lease.down.get(group);
            let by_lease = in_lease.is_some_and(|opinion| about(&opinion.run_id, opinion.epoch));
            let heard = self.heard.get(id).filter(|heard| now < heard.at + fresh);
            if by_lease || heard.is_some_and(|heard| about(&heard.run_id, heard.epoch)) {
                count.down.insert(id.clone());
            }
        }
        count
    }
}

impl Count {
    /// Whether a claim may be made by `me`: the quorum with its own opinion, and a majority alive. CKQUORUM says the same.
    #[must_use]
    pub fn suffices(&self, me: &RunId, needed: Needed) -> bool {
        self.down.contains(me) && self.down.len() >= needed.quorum.max(1) && self.majority_lives(needed)
    }

    /// Whether a majority of the configured fleet is alive.
    #[must_use]
    pub fn majority_lives(&self, needed: Needed) -> bool {
        self.alive.len() > needed.fleet / 2
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::Rest;
    use super::super::group::Instance;
    use super::super::member::{MEMBER_SECONDS, MemberLease, Opinion};
    use super::*;
    use crate::core::ids::{PodUid, Version};

    const NEEDED: Needed = Needed { quorum: 2, fleet: 3 };
    const FRESH: Duration = Duration::from_secs(5);

    fn primary() -> Primary {
        let instance = Instance {
            pod: "p".to_owned(),
            uid: PodUid::from("p"),
            address: "10.0.0.1:6379".to_owned(),
            run_id: RunId::from("r"),
        };
        Primary { instance, replication_id: String::new(), offset: 0, epoch: 4, rest: Rest::new() }
    }

    fn member(id: &str, down: Option<(&str, u64)>) -> Presence {
        let opinion = down.map(|(run_id, epoch)| {
            let address = String::new();
            let evidence = "silent".to_owned();
            let opinion =
                Opinion { address, run_id: RunId::from(run_id), epoch, evidence, rest: Rest::new() };
            (GroupName::from("g"), opinion)
        });
        let lease = MemberLease {
            holder: Some(RunId::from(id)),
            seconds: MEMBER_SECONDS,
            transitions: 1,
            announce: String::new(),
            epoch: 0,
            promised: BTreeMap::new(),
            down: opinion.into_iter().collect(),
            unknown: BTreeMap::new(),
        };
        let mut presence = Presence::new(Version::from("1"), lease.clone(), Time::ZERO);
        presence.see(Version::from("2"), lease, Time::ZERO);
        presence
    }

    fn count(opinions: &Opinions, members: &[Presence], now: u64) -> Count {
        let about = (&GroupName::from("g"), &primary());
        opinions.count(&RunId::from("a"), true, about, members, FRESH, Time::from_millis(now))
    }

    fn suffices(opinions: &Opinions, members: &[Presence], now: u64) -> bool {
        count(opinions, members, now).suffices(&RunId::from("a"), NEEDED)
    }

    #[test]
    fn a_member_counts_once_whichever_way_it_was_heard() {
        let mut opinions = Opinions::default();
        opinions.answered(RunId::from("b"), Some((RunId::from("r"), 4)), Time::ZERO);
        let count = count(&opinions, &[member("b", Some(("r", 4))), member("b", None), member("c", None)], 1);
        assert_eq!((count.down.len(), count.alive.len()), (2, 3));
        assert!(!count.suffices(&RunId::from("a"), Needed { quorum: 3, fleet: 3 }));
    }

    #[test]
    fn either_way_is_enough() {
        let none = Opinions::default();
        assert!(suffices(&none, &[member("b", Some(("r", 4)))], 1));
        assert!(!suffices(&none, &[member("b", None), member("c", None)], 1));
        let mut heard = Opinions::default();
        heard.answered(RunId::from("b"), Some((RunId::from("r"), 4)), Time::ZERO);
        assert!(suffices(&heard, &[member("b", None)], 1));
        heard.answered(RunId::from("b"), None, Time::ZERO);
        assert!(!suffices(&heard, &[member("b", None)], 1), "taken back");
    }

    #[test]
    fn about_another_run_or_epoch_it_is_void() {
        for other in [("q", 4), ("r", 3), ("r", 5)] {
            assert!(!suffices(&Opinions::default(), &[member("b", Some(other))], 1));
            let mut heard = Opinions::default();
            heard.answered(RunId::from("b"), Some((RunId::from(other.0), other.1)), Time::ZERO);
            assert!(!suffices(&heard, &[member("b", None)], 1));
        }
    }

    #[test]
    fn opinions_and_members_lapse() {
        let mut heard = Opinions::default();
        heard.answered(RunId::from("b"), Some((RunId::from("r"), 4)), Time::ZERO);
        assert!(suffices(&heard, &[member("b", None)], 4_999));
        assert!(!suffices(&heard, &[member("b", None)], 5_000));
        assert!(suffices(&Opinions::default(), &[member("b", Some(("r", 4)))], 5_999));
        assert!(!suffices(&Opinions::default(), &[member("b", Some(("r", 4)))], 6_000));
        assert!(!suffices(&heard, &[], 1), "nobody without a Lease counts");
    }

    #[test]
    fn what_a_dead_member_left_counts_for_nothing() {
        let left = member("b", Some(("r", 4))).lease().clone();
        let mut presence = Presence::new(Version::from("1"), left.clone(), Time::ZERO);
        assert_eq!(count(&Opinions::default(), &[presence.clone()], 1).alive.len(), 1);
        assert!(!suffices(&Opinions::default(), &[presence.clone()], 1));
        // The same shown again, as by a list, is no sign of life.
        presence.see(Version::from("1"), left.clone(), Time::from_millis(1000));
        assert!(!suffices(&Opinions::default(), &[presence.clone()], 1001));
        presence.see(Version::from("2"), left, Time::from_millis(2000));
        assert!(suffices(&Opinions::default(), &[presence], 2001));
    }

    #[test]
    fn a_majority_of_the_configured_fleet_must_live() {
        let count = count(&Opinions::default(), &[member("b", Some(("r", 4)))], 1);
        assert!(!count.suffices(&RunId::from("a"), Needed { quorum: 2, fleet: 4 }));
    }

    #[test]
    fn the_own_opinion_is_among_them() {
        let about = (&GroupName::from("g"), &primary());
        let members = [member("b", Some(("r", 4))), member("c", Some(("r", 4)))];
        let me = RunId::from("a");
        let count = Opinions::default().count(&me, false, about, &members, FRESH, Time::ZERO);
        assert_eq!(count.down.len(), 2);
        assert!(!count.suffices(&me, NEEDED));
    }
}
