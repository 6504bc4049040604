//! Who claims first. All members see a fault at about the same time; by a rendezvous hash they rank themselves alike, each
//! group another way, and start one after another, so that most conflicts never happen. It is haste that is spread here, not
//! safety: the compare-and-swap decides.

use std::time::Duration;

use crate::core::ids::{GroupName, RunId};
use crate::core::spread;

/// Time between the starts of two members.
const APART: Duration = Duration::from_millis(150);
/// Longest time that anybody waits for others to start.
const LONGEST: Duration = Duration::from_millis(1500);

/// How long after the fault that member claims. Of `alive`, in any order, each has another place at each epoch.
#[must_use]
pub fn start_after<'a>(
    me: &RunId,
    alive: impl IntoIterator<Item = &'a RunId>,
    group: &GroupName,
    epoch: u64,
) -> Duration {
    let key = |id: &RunId| (spread::hash(&[id.as_str(), group.as_str()], epoch), id.clone());
    let mine = key(me);
    let before = alive.into_iter().filter(|id| key(id) < mine).count();
    APART.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn members_start_one_after_another_each_group_in_its_own_order() {
        let members = ["a", "b", "c"].map(RunId::from);
        let first = |group: &str| {
            let waits = members.clone().map(|me| start_after(&me, &members, &GroupName::from(group), 1));
            let distinct: BTreeSet<_> = waits.into_iter().collect();
            assert_eq!(distinct, [0, 150, 300].map(Duration::from_millis).into());
            waits.iter().position(Duration::is_zero).unwrap()
        };
        let firsts: BTreeSet<usize> = (0..20).map(|n| first(&format!("g{n}"))).collect();
        assert_eq!(firsts.len(), 3, "everybody is the first somewhere");
    }

    #[test]
    fn nobody_waits_for_long() {
        let members: Vec<RunId> = (0..100).map(|n| RunId::from(n.to_string())).collect();
        let longest = members.iter().map(|me| start_after(me, &members, &GroupName::from("g"), 1)).max();
        assert_eq!(longest, Some(LONGEST));
    }
}
