//! How a Lease is made where there is none: above all epochs that may have been committed before.

use super::tests_world::World;
use super::*;
use crate::core::ids::PodUid;
use crate::core::time::Time;

#[test]
fn a_missing_lease_is_made_as_a_claim_above_all_epochs() {
    let mut world = World::new();
    world.lease = None;
    let mut member = world.member("m");
    world.now = Time::from_millis(4999);
    world.tell(&mut member, Fact::Tick);
    assert!(world.take_log().is_empty());
    world.now = Time::from_millis(5000);
    world.tell(&mut member, Fact::Tick);
    let log = world.take_log();
    assert_eq!(log[..4], ["put claimed 0", "put chosen 0", "put committed 1007", "switched a 1007"]);
    assert!(log.contains(&"service a 1007".to_owned()));
    assert_eq!((world.lease().epoch(), world.lease().holder.clone()), (1007, None));
}

/// A member that makes the Lease as far as it can without its promise, and all that it wished for.
fn member_that_promised(world: &mut World) -> (Claimant, Vec<Wish>) {
    world.lease = None;
    let mut member = world.member("m");
    world.now = Time::from_millis(5000);
    let mut wishes = Vec::new();
    member.handle(Fact::Tick, world.now, &mut wishes);
    let mut at = 0;
    while let Some(wish) = wishes.get(at).cloned() {
        at += 1;
        let fact = if let Wish::Promise(_) = wish { None } else { world.carry_out(wish) };
        if let Some(fact) = fact {
            world.answer(&mut member, fact, &mut wishes);
        }
    }
    (member, wishes)
}

#[test]
fn a_new_lease_waits_until_its_epoch_is_remembered_elsewhere() {
    let mut world = World::new();
    let (mut member, wishes) = member_that_promised(&mut world);
    assert_eq!(world.take_log(), ["put claimed 0", "put chosen 0"]);
    assert!(wishes.contains(&Wish::Promise(1007)));
    assert!(member.next_deadline().is_some_and(|at| at <= Time::from_millis(5100)));
    let mut wishes = Vec::new();
    member.handle(Fact::Recorded(1006), world.now, &mut wishes);
    assert_eq!(wishes, [Wish::Promise(1007)]);
    world.tell(&mut member, Fact::Recorded(1007));
    assert_eq!(world.lease().epoch(), 1007);
}

/// Time passed, and the watch shows nothing for now: not that the Lease was made meanwhile, and deleted, either.
fn tick_unshown(world: &mut World, member: &mut Claimant) {
    let mut wishes = Vec::new();
    member.handle(Fact::Tick, world.now, &mut wishes);
    while !wishes.is_empty() {
        if let Some(fact) = world.carry_out(wishes.remove(0)) {
            member.handle(fact, world.now, &mut wishes);
        }
    }
}

#[test]
fn a_new_lease_keeps_above_what_was_promised_before_it_was_written() {
    let mut world = World::new();
    world.lease = None;
    let mut member = world.member("m");
    world.now = Time::from_millis(5000);
    tick_unshown(&mut world, &mut member);
    assert_eq!(world.take_log(), ["put claimed 0"]);
    world.tell(&mut member, Fact::Promised(1007));
    assert_eq!(world.lease().epoch(), 0);
    let shown = world.shown();
    world.tell(&mut member, Fact::Seen(shown));
    assert_eq!(world.lease().epoch(), 2007);
}

#[test]
fn a_new_lease_that_is_not_shown_is_left_to_others() {
    let mut world = World::new();
    world.lease = None;
    let mut member = world.member("m");
    for at in 100..200 {
        world.now = Time::from_millis(at * 50);
        tick_unshown(&mut world, &mut member);
    }
    assert!(member.claimed().is_some());
    world.now = Time::from_millis(10_000);
    member.handle(Fact::Tick, world.now, &mut Vec::new());
    assert_eq!((member.claimed(), world.lease().epoch()), (None, 0));
}

#[test]
fn who_was_heard_at_the_choice_is_known_though_it_is_silent_at_the_commit() {
    let mut world = World::new();
    let (mut member, wishes) = member_that_promised(&mut world);
    let barrier = wishes.iter().find_map(|wish| match wish {
        Wish::Barrier { node, call, .. } if node.as_str() == "c" => Some(*call),
        _ => None,
    });
    world.down.push("c");
    world.tell(&mut member, Fact::Stood(PodUid::from("c"), barrier.unwrap(), None));
    world.tell(&mut member, Fact::Recorded(1007));
    let replicas = &world.lease().replicas;
    assert_eq!(world.lease().epoch(), 1007);
    assert!(replicas.allowed.contains(&PodUid::from("c")) && replicas.names.contains("c"), "{replicas:?}");
}
