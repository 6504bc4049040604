//! SENTINEL CKQUORUM where Leases coordinate: whether step 0 could be passed now.

use std::collections::BTreeSet;

use super::Fleet;
use super::objects::plural;
use super::ward::Ward;
use crate::core::claim::{Count, Needed};
use crate::core::cluster::Kind;
use crate::core::engine::Engine;
use crate::core::group::Group;
use crate::core::time::Time;
use crate::resp::Reply;

impl Fleet {
    /// Members with a fresh Lease. This one is none before its own was written, and when that was long ago.
    fn alive(&self, now: Time) -> Count {
        let others = self.members.values().filter(|member| member.lives(now));
        let own = self.membership.is_fresh(now).then(|| self.me.clone());
        let alive = others.filter_map(|member| member.lease().holder.clone()).chain(own).collect();
        Count { down: BTreeSet::new(), alive }
    }

    /// The watches without which nothing can be done, as far as they are broken.
    fn broken_watches(&self) -> Vec<&'static str> {
        let needed = [Kind::Lease, Kind::Pod, Kind::Service];
        needed.into_iter().filter(|kind| !self.objects.is_open(*kind)).map(plural).collect()
    }
}

impl Ward {
    /// What keeps this group from being failed over, whoever lives.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(problem) = &self.unreadable {
            problems.push(format!("The group's Lease can't be read: {problem}"));
        } else if self.claimant.committed().is_none() {
            problems.push("No primary is known yet".to_owned());
        } else if self.claimant.is_outdated() {
            problems.push("The group's Lease was set back and is about to be made anew".to_owned());
        }
        problems
    }
}

impl Engine {
    /// Nothing where the peers vote.
    pub(crate) fn check_fleet(&self, group: &Group, now: Time) -> Option<Reply> {
        let fleet = self.fleet.as_ref()?;
        let count = fleet.alive(now);
        let usable = count.alive.len();
        let quorum = usize::try_from(group.options.quorum).unwrap_or(usize::MAX);
        let needed = Needed { quorum, fleet: fleet.config.size };
        let mut problems = Vec::new();
        if usable < quorum.max(1) {
            problems.push(
                "Not enough available Sentinels to reach the specified quorum for this master".to_owned(),
            );
        }
        if !count.majority_lives(needed) {
            problems.push(
                "Not enough available Sentinels to reach the majority and authorize a failover".to_owned(),
            );
        }
        if !fleet.membership.is_fresh(now) {
            problems.push("The own Lease could not be written: is the API server reachable?".to_owned());
        }
        let broken = fleet.broken_watches();
        if !broken.is_empty() {
            problems.push(format!("No watch is open for: {}", broken.join(", ")));
        }
        if let Some(ward) = fleet.wards.get(&group.id) {
            problems.extend(ward.problems());
        }
        if fleet.config.observe {
            problems.push("This Sentinel only observes".to_owned());
        }
        Some(if problems.is_empty() {
            let text =
                format!("OK {usable} usable Sentinels. Quorum and failover authorization can be reached");
            Reply::Simple(text.into())
        } else {
            Reply::error(format!("NOQUORUM {usable} usable Sentinels. {}", problems.join(". ")))
        })
    }
}
