//! Claims that wait for data nodes: what changes there meanwhile is seen, and every claim ends.

use std::time::Duration;

use super::tests_world::{World, config, standing};
use super::*;
use crate::core::ids::PodUid;
use crate::core::time::Time;

fn run(world: &mut World, member: &mut Claimant, seconds: u64) {
    for _ in 0..seconds * 20 {
        world.now = world.now + Duration::from_millis(50);
        world.tell(member, Fact::Tick);
    }
}

#[test]
fn a_full_sync_that_ends_makes_room_for_the_next() {
    let mut world = World::new();
    // b is in the middle of its full sync, c waits without a role.
    world.nodes.get_mut(&PodUid::from("b")).unwrap().busy = true;
    world.nodes.insert(PodUid::from("c"), standing("c1", Some("127.0.0.1:1"), 0));
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Wrong(true));
    assert!(member.claimed().is_some());
    world.nodes.get_mut(&PodUid::from("b")).unwrap().busy = false;
    run(&mut world, &mut member, 120);
    let log = world.take_log();
    assert!(
        log.iter().any(|line| line.starts_with("c Follow")),
        "claimed: {:?}, {} lines",
        member.claimed(),
        log.len()
    );
}

#[test]
fn a_repair_ends_where_its_primary_dies_without_a_word() {
    let mut world = World::new();
    world.nodes.get_mut(&PodUid::from("b")).unwrap().busy = true;
    world.nodes.insert(PodUid::from("c"), standing("c1", Some("127.0.0.1:1"), 0));
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Wrong(true));
    assert!(member.claimed().is_some());
    world.down.push("a");
    let listed = world.listed();
    world.tell(&mut member, listed);
    assert!(member.claimed().is_none());
    assert_eq!(world.lease().holder, None);
}

#[test]
fn no_more_replicas_sync_at_a_time_than_may_while_they_are_asked() {
    let mut world = World::new();
    world.nodes.get_mut(&PodUid::from("b")).unwrap().busy = true;
    world.nodes.insert(PodUid::from("c"), standing("c1", Some("127.0.0.1:1"), 0));
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Wrong(true));
    world.take_log();
    run(&mut world, &mut member, 10);
    let log = world.take_log();
    assert!(log.iter().any(|line| line == "b Ask"), "{log:?}");
    assert!(!log.iter().any(|line| line.contains("Follow")), "{log:?}");
}

#[test]
fn all_that_load_at_first_are_asked_again() {
    let mut world = World::new();
    world.lease = None;
    for (_, node) in world.nodes.iter_mut() {
        node.role = Role::Replica { of: "127.0.0.1:1".to_owned() };
        node.busy = true;
    }
    let mut member = Claimant::new(config("m"));
    let listed = world.listed();
    world.tell(&mut member, listed);
    world.tell(&mut member, Fact::Seen(None));
    world.now = Time::from_millis(5001);
    world.tell(&mut member, Fact::Tick);
    world.nodes.values_mut().for_each(|node| node.busy = false);
    run(&mut world, &mut member, 300);
    let log = world.take_log();
    assert!(
        log.iter().any(|line| line.starts_with("switched")),
        "{} lines, e.g. {:?}",
        log.len(),
        log.last()
    );
}
