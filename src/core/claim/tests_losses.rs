//! What gets lost on the way: commits that a Lease forgot, a candidate's connection, the answer to a renewal.

use std::time::Duration;

use super::tests_world::{World, config, instance, primary, standing};
use super::*;
use crate::core::ids::{ClaimId, PodUid};
use crate::core::time::Time;

/// Somebody writes the Lease as it was at epoch 3, when c was the primary.
fn set_back(world: &mut World) {
    let old = Primary { instance: instance("c"), epoch: 3, ..primary() };
    world.lease.as_mut().unwrap().primary = Some(old);
    world.version += 1;
}

#[test]
fn a_lease_that_was_set_back_is_made_anew_above_what_was_committed() {
    let mut world = World::new();
    let mut member = world.member("m");
    world.take_log();
    set_back(&mut world);
    let shown = world.shown();
    world.tell(&mut member, Fact::Seen(shown));
    assert!(member.is_outdated());
    assert_eq!(member.committed().unwrap().instance, instance("a"), "clients are never led back");
    assert_eq!(member.next_deadline(), Some(Time::from_millis(5000)));
    world.now = Time::from_millis(4999);
    world.tell(&mut member, Fact::Tick);
    assert_eq!(world.take_log(), Vec::<String>::new(), "what was written before may still come");
    world.now = Time::from_millis(5000);
    world.tell(&mut member, Fact::Tick);
    let lease = world.lease();
    assert_eq!(lease.primary.as_ref().unwrap().instance, instance("a"));
    assert_eq!(lease.epoch(), 1007);
    assert_eq!(lease.holder, None);
    assert!(!member.is_outdated());
    let log = world.take_log();
    assert!(!log.iter().any(|line| line.contains("Promote") || line.contains("Follow")), "{log:?}");
    assert!(log.contains(&"service a 1007".to_owned()), "{log:?}");
}

#[test]
fn a_lease_that_was_set_back_and_is_claimed_is_the_claimant_s() {
    let mut world = World::new();
    let mut member = world.member("m");
    set_back(&mut world);
    world.lease.as_mut().unwrap().holder = Some(ClaimId::from("other.1.1"));
    let shown = world.shown();
    world.tell(&mut member, Fact::Seen(shown));
    world.now = Time::from_millis(4999);
    world.tell(&mut member, Fact::Tick);
    assert_eq!(member.claimed(), None);
    // It was left, as it seems.
    world.now = Time::from_millis(5000);
    world.tell(&mut member, Fact::Tick);
    assert_eq!(world.lease().epoch(), 1007);
}

#[test]
fn who_saw_no_later_commit_takes_the_lease_for_what_it_is() {
    let mut world = World::new();
    set_back(&mut world);
    let mut member = world.member("m");
    world.now = Time::from_millis(20_000);
    world.tell(&mut member, Fact::Tick);
    assert!(!member.is_outdated());
    assert_eq!(member.committed().unwrap().instance, instance("c"));
}

/// A member whose candidate b lost the connection over which it was told to rise. Answers what it wishes for from there on, but
/// for barriers at b.
fn loses_b(world: &mut World) -> Claimant {
    world.down.push("a");
    let wait = Config { barrier_wait: Duration::from_millis(500), ..config("m") };
    let mut member = Claimant::new(wait);
    let (listed, shown, gathered) = (world.listed(), world.shown(), world.gathered());
    world.tell(&mut member, listed);
    world.tell(&mut member, Fact::Seen(shown));
    go_on_without_b(world, &mut member, gathered);
    member
}

fn go_on_without_b(world: &mut World, member: &mut Claimant, fact: Fact) {
    let mut wishes = Vec::new();
    member.handle(fact, world.now, &mut wishes);
    let mut at = 0;
    while at < wishes.len() && at < 1000 {
        let wish = wishes[at].clone();
        at += 1;
        let answer = match wish {
            Wish::Command { node, call, command: Command::Promote, .. } if node.as_str() == "b" => {
                world.log.push("b is lost".to_owned());
                Some(Fact::Stood(node, call, None))
            }
            Wish::Barrier { node, call, .. }
                if node.as_str() == "b" && world.log.iter().any(|line| line == "b is lost") =>
            {
                Some(Fact::Stood(node, call, None))
            }
            wish => world.carry_out(wish),
        };
        if let Some(fact) = answer {
            member.handle(fact, world.now, &mut wishes);
        }
    }
}

#[test]
fn a_candidate_whose_connection_broke_is_sought_before_another_is_taken() {
    let mut world = World::new();
    // The choice is made late, when all that never answered would be given up.
    world.nodes.insert(PodUid::from("c"), standing("c1", Some("a:6379"), 8));
    let mut member = loses_b(&mut world);
    let lost_at = world.now;
    assert!(world.log.contains(&"b is lost".to_owned()), "{:?}", world.log);
    let promoted = |world: &World| world.log.iter().any(|line| line == "c Promote");
    for _ in 0..9 {
        world.now = world.now + Duration::from_millis(50);
        go_on_without_b(&mut world, &mut member, Fact::Tick);
        assert!(!promoted(&world), "after {:?}", world.now.since(lost_at));
    }
    for _ in 0..10 {
        world.now = world.now + Duration::from_millis(50);
        go_on_without_b(&mut world, &mut member, Fact::Tick);
    }
    assert!(promoted(&world), "{:?}", world.log);
}

#[test]
fn a_renewal_that_is_sent_again_counts_from_the_first_time() {
    let mut world = World::new();
    // A claim that is held for long: b syncs, and c waits for its turn.
    world.nodes.get_mut(&PodUid::from("b")).unwrap().busy = true;
    world.nodes.insert(PodUid::from("c"), standing("c1", Some("127.0.0.1:1"), 0));
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Wrong(true));
    world.now = Time::from_millis(1700);
    let mut wishes = Vec::new();
    member.handle(Fact::Tick, world.now, &mut wishes);
    let call = wishes.iter().find_map(|wish| match wish {
        Wish::Put(call, ..) => Some(*call),
        _ => None,
    });
    // There is no answer for a second, and the Lease doesn't show it.
    world.now = Time::from_millis(2700);
    wishes.clear();
    member.handle(Fact::Put(call.unwrap(), Written::Unknown), world.now, &mut wishes);
    let [Wish::Read(read)] = wishes[..] else { panic!("{wishes:?}") };
    let shown = world.shown();
    world.tell(&mut member, Fact::Read(read, Some(shown)));
    let claimed = member.acts_until().unwrap();
    assert_eq!(claimed, acts_until(Time::from_millis(1700), CLAIM_SECONDS));
}

/// The others are unheard of; so it could be that one of them has what this one lost.
#[test]
fn a_primary_that_restarted_and_is_all_that_came_back_is_primary_again_after_the_wait() {
    let mut world = World::new();
    let mut member = world.member("m");
    // It came up as a primary, by its own configuration, with what it had saved but for the name of its history.
    let restarted = Standing { replication_id: "next".to_owned(), ..standing("a2", None, 9) };
    world.nodes.insert(PodUid::from("a"), restarted);
    world.down.extend(["b", "c"]);
    let (listed, gathered) = (world.listed(), world.gathered());
    world.tell(&mut member, listed);
    world.tell(&mut member, gathered);
    let mut run = |world: &mut World, seconds: u64| {
        for _ in 0..seconds * 10 {
            world.now = world.now + Duration::from_millis(100);
            world.tell(&mut member, Fact::Tick);
        }
    };
    run(&mut world, 29);
    assert_eq!(world.lease().epoch(), 7);
    run(&mut world, 2);
    let committed = world.lease().primary.clone().unwrap();
    assert_eq!((committed.instance.run_id.as_str(), committed.epoch), ("a2", 8));
}

#[test]
fn a_primary_that_is_held_down_takes_no_place_of_its_own() {
    let mut world = World::new();
    let mut member = world.member("m");
    world.down.extend(["b", "c"]);
    let (listed, gathered) = (world.listed(), world.gathered());
    world.tell(&mut member, listed);
    world.tell(&mut member, gathered);
    for _ in 0..600 {
        world.now = world.now + Duration::from_millis(100);
        world.tell(&mut member, Fact::Tick);
    }
    assert_eq!(world.lease().epoch(), 7, "{:?}", world.lease().history);
}

/// The primary took writes that nobody else has yet, and restarted: it is held down, answers, and forgot its history.
fn only_the_restarted_one_has_data(world: &mut World) -> (Claimant, Fact) {
    let mut member = world.member("m");
    for uid in ["b", "c"] {
        world.nodes.get_mut(&PodUid::from(uid)).unwrap().empty = true;
    }
    let role = Role::Replica { of: "127.0.0.1:1".to_owned() };
    let restarted =
        Standing { role, replication_id: "next".to_owned(), linked: false, ..standing("a2", None, 1) };
    world.nodes.insert(PodUid::from("a"), restarted);
    let gathered = world.gathered();
    let Fact::Nodes(mut listed) = world.listed() else { unreachable!() };
    listed.get_mut(&PodUid::from("a")).unwrap().down = true;
    world.tell(&mut member, Fact::Nodes(listed));
    (member, gathered)
}

#[test]
fn a_restarted_primary_with_data_goes_before_replicas_without() {
    let mut world = World::new();
    let (mut member, gathered) = only_the_restarted_one_has_data(&mut world);
    world.tell(&mut member, gathered);
    let committed = world.lease().primary.clone().unwrap();
    assert_eq!((committed.instance.run_id.as_str(), committed.epoch), ("a2", 8));
}

#[test]
fn nobody_without_data_is_chosen_before_a_restarted_one_was_heard() {
    let mut world = World::new();
    let (mut member, gathered) = only_the_restarted_one_has_data(&mut world);
    let mut wishes = Vec::new();
    member.handle(gathered, world.now, &mut wishes);
    let (mut at, mut late) = (0, None);
    while at < wishes.len() && at < 1000 {
        let wish = wishes[at].clone();
        at += 1;
        match &wish {
            Wish::Barrier { node, .. } if node.as_str() == "a" && late.is_none() => late = Some(wish),
            _ => {
                if let Some(fact) = world.carry_out(wish) {
                    member.handle(fact, world.now, &mut wishes);
                }
            }
        }
    }
    assert_eq!(world.lease().failover.as_ref().unwrap().step, Step::Claimed, "{:?}", world.log);
    let answer = world.carry_out(late.unwrap()).unwrap();
    world.tell(&mut member, answer);
    assert_eq!(world.lease().primary.as_ref().unwrap().instance.run_id.as_str(), "a2");
}
