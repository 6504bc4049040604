//! Whose data are kept, and whose are replaced.

use std::time::Duration;

use super::tests_world::{World, config, standing};
use super::{Claimant, Fact};
use crate::core::ids::PodUid;
use crate::core::time::Time;

const NOWHERE: &str = "127.0.0.1:1";

impl World {
    /// Time passes, step by step.
    fn pass(&mut self, member: &mut Claimant, period: Duration) {
        let end = self.now + period;
        while self.now < end {
            self.now = self.now + Duration::from_millis(50);
            self.tell(member, Fact::Tick);
        }
    }

    /// A member that has waited for the time of a claim, without seeing a Lease.
    fn member_without_lease(&mut self) -> Claimant {
        self.lease = None;
        let mut member = Claimant::new(config("m"));
        let listed = self.listed();
        self.tell(&mut member, listed);
        self.tell(&mut member, Fact::Seen(None));
        self.now = Time::from_millis(5001);
        self.tell(&mut member, Fact::Tick);
        member
    }

    fn told(&self, line: &str) -> bool {
        self.log.iter().any(|known| known.starts_with(line))
    }
}

#[test]
fn a_node_that_loads_is_not_made_to_follow_an_empty_one() {
    let mut world = World::new();
    world.nodes.remove(&PodUid::from("c"));
    let mut a = standing("a1", Some(NOWHERE), 0);
    (a.empty, a.replication_id) = (true, "x".to_owned());
    // It has just begun to load its file.
    let mut b = standing("b1", Some(NOWHERE), 0);
    (b.busy, b.empty) = (true, true);
    world.nodes.insert(PodUid::from("a"), a);
    world.nodes.insert(PodUid::from("b"), b);
    let mut member = world.member_without_lease();
    world.pass(&mut member, Duration::from_secs(2));
    assert!(member.claimed().is_some());
    assert!(!world.told("a Promote") && !world.told("b Follow"), "{:?}", world.log);
}
