//! One claim, from the attempt to its end.

use std::collections::BTreeSet;

use super::gates::Gates;
use super::group::{GroupLease, Instance, Replicas};
use super::planned::Planned;
use super::running::{Failover, Kind};
use super::sight::acts_until;
use crate::core::ids::{CallNo, ClaimId, RunId, Version};
use crate::core::time::Time;

/// What the claimant is at, between two writes of the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Barriers, fence, choice.
    Look,
    /// A planned switchover: the primary yields to the recorded candidate.
    HandOver,
    /// Promote the recorded candidate, and see that it is primary.
    Promote,
    /// Everybody else follows the committed primary.
    Follow,
}

/// What comes after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum After {
    /// That stage.
    Go(Stage),
    /// Nothing: the claim is given back.
    Over,
}

/// A write of the Lease without an answer so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pending {
    /// The write, or the read that is to tell what became of it.
    pub(super) call: CallNo,
    /// It is the read.
    pub(super) reading: bool,
    /// When the attempt began.
    pub(super) began: Time,
    /// What was written.
    pub(super) lease: GroupLease,
    pub(super) after: After,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hold {
    pub(super) id: ClaimId,
    pub(super) kind: Kind,
    /// The own claim was seen in the Lease, or its write was answered.
    pub(super) claimed: bool,
    /// When the first attempt began.
    pub(super) claimed_at: Time,
    /// When the last successful write began.
    pub(super) began: Time,
    /// The version to replace; nothing if there is no Lease.
    pub(super) version: Option<Version>,
    /// What the Lease holds at that version.
    pub(super) lease: GroupLease,
    pub(super) put: Option<Pending>,
    pub(super) stage: Stage,
    pub(super) gates: Gates,
    /// The watch has shown it: all that was written before it was shown as well, the promises of others among it.
    pub(super) shown: bool,
    /// Where no Lease says whose data are the group's: those that were heard when the choice was made. Who is silent since is still
    /// one of them.
    pub(super) found: Option<Replicas>,
    /// An operator's word stands for the opinions.
    pub(super) forced: bool,
    /// Until the candidate is promoted, where the switchover is planned.
    pub(super) planned: Option<Planned>,
    /// The old primary of a planned switchover, whose clients are still there.
    pub(super) sent_away: Option<Instance>,
    /// The candidate that is told to be primary, and since when.
    pub(super) told_at: Option<(Instance, Time)>,
    /// Runs that were told to be primary and stayed what they were.
    pub(super) unwilling: BTreeSet<RunId>,
    /// When a Sentinel was last seen to listen at a data node.
    pub(super) beside_at: Option<Time>,
    /// When to look again without news.
    pub(super) look_again: Option<Time>,
}

impl Hold {
    /// Until when data nodes may be told anything.
    pub(super) fn acts_until(&self) -> Time {
        acts_until(self.began, self.lease.seconds)
    }

    /// When the Lease is written again, lest readers take the claim for left.
    pub(super) fn renews_at(&self) -> Time {
        let third = self.acts_until().since(self.began) / 2;
        self.began + third
    }

    /// What is recorded of the work. There is always one while a claim stands.
    pub(super) fn failover(&self) -> Option<&Failover> {
        self.lease.failover.as_ref()
    }

    /// The Lease with the claim given back.
    pub(super) fn given_back(&self) -> GroupLease {
        GroupLease { holder: None, ..self.lease.clone() }
    }

    /// The Lease with something else recorded, and the time that it took to come here.
    pub(super) fn recorded(&self, now: Time, change: impl FnOnce(&mut Failover)) -> GroupLease {
        let mut lease = self.lease.clone();
        if let Some(failover) = &mut lease.failover {
            change(failover);
            let ms = now.millis_since(self.claimed_at);
            failover.times.insert(failover.step.word().to_owned(), ms);
        }
        lease
    }
}
