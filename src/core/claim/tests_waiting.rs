//! Claims that wait for data nodes: what changes there meanwhile is seen, and every claim ends.

use std::time::Duration;

use super::tests_world::{World, config, instance, left_at_b, standing};
use super::*;
use crate::core::ids::{PodUid, RunId};
use crate::core::time::Time;

fn run(world: &mut World, member: &mut Claimant, seconds: u64) {
    for _ in 0..seconds * 20 {
        world.now = world.now + Duration::from_millis(50);
        world.tell(member, Fact::Tick);
    }
}

/// A member that repairs, while b is in the middle of its full sync and c waits without a role.
fn one_syncs_and_one_waits(world: &mut World) -> Claimant {
    world.nodes.get_mut(&PodUid::from("b")).unwrap().busy = true;
    world.nodes.insert(PodUid::from("c"), standing("c1", Some("127.0.0.1:1"), 0));
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Wrong(true));
    member
}

#[test]
fn a_full_sync_that_ends_makes_room_for_the_next() {
    let mut world = World::new();
    let mut member = one_syncs_and_one_waits(&mut world);
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
    let mut member = one_syncs_and_one_waits(&mut world);
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
    let mut member = one_syncs_and_one_waits(&mut world);
    world.take_log();
    world.now = Time::from_millis(200);
    let (mut wishes, mut asked) = (Vec::new(), false);
    member.handle(Fact::Tick, world.now, &mut wishes);
    let mut at = 0;
    while at < wishes.len() {
        let wish = wishes[at].clone();
        at += 1;
        // The one that syncs takes its time to answer.
        if matches!(&wish, Wish::Command { node, command: Command::Ask, .. } if node.as_str() == "b") {
            asked = true;
        } else if let Some(fact) = world.carry_out(wish) {
            member.handle(fact, world.now, &mut wishes);
        }
    }
    assert!(asked);
    let log = world.take_log();
    assert!(log.contains(&"c Ask".to_owned()), "{log:?}");
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

#[test]
fn a_candidate_that_restarted_lets_the_failover_end() {
    let mut world = World::new();
    world.nodes.remove(&PodUid::from("c"));
    world.down.push("a");
    let mut member = world.member("m");
    let gathered = world.gathered();
    // claim, barriers, record of the candidate; then the claimant dies.
    world.tell_for(&mut member, gathered, 4);
    // The primary is back; b restarted without data, and without a role.
    world.down.clear();
    let mut other = standing("b2", Some("127.0.0.1:1"), 0);
    other.empty = true;
    other.replication_id = "other".to_owned();
    world.nodes.insert(PodUid::from("b"), other);
    let mut second = world.member("n");
    world.now = world.now + Duration::from_secs(6);
    world.tell(&mut second, Fact::Tick);
    run(&mut world, &mut second, 300);
    assert!(world.lease().holder.is_none(), "still {:?}", world.lease().failover);
}

#[test]
fn a_candidate_whose_pod_is_gone_lets_the_failover_end_after_a_claims_time() {
    let mut world = World::new();
    world.nodes.remove(&PodUid::from("c"));
    world.down.push("a");
    let mut member = world.member("m");
    let gathered = world.gathered();
    world.tell_for(&mut member, gathered, 4);
    assert_eq!(world.lease().failover.as_ref().map(|left| left.tried.len()), Some(1));
    world.down.clear();
    world.nodes.remove(&PodUid::from("b"));
    let mut second = world.member("n");
    run(&mut world, &mut second, 9);
    assert!(world.lease().holder.is_some(), "what it was told may be on its way");
    run(&mut world, &mut second, 2);
    assert_eq!(world.lease().holder, None);
    assert_eq!(world.lease().history[0].outcome, Outcome::Undone);
}

#[test]
fn candidates_that_are_gone_are_not_kept_on_record() {
    let mut world = World::new();
    world.down.push("a");
    let mut member = world.member("m");
    let gathered = world.gathered();
    world.tell_for(&mut member, gathered, 1);
    let lease = world.lease.as_mut().unwrap();
    let left = lease.failover.as_mut().unwrap();
    // Each was another run of b.
    let run = |n: usize| Instance { run_id: RunId::from(format!("run {n}")), ..instance("b") };
    left.tried = (0..MOST_TRIED).map(run).collect();
    lease.holder = None;
    world.version += 1;
    let mut second = world.member("n");
    world.tell(&mut second, Fact::Tick);
    assert_eq!(world.lease().primary.as_ref().unwrap().instance, instance("b"));
    assert_eq!(world.lease().holder, None);
}

/// What a dead claimant left of a switchover from a to b, when a had yielded.
fn yielded() -> Failover {
    Failover { why: "switchover".to_owned(), ..left_at_b("dead.1.1") }
}

#[test]
fn who_yielded_is_primary_again_where_its_heir_died() {
    let mut world = World::new();
    world.nodes.remove(&PodUid::from("c"));
    // Recorded: b is to follow a; a had yielded already, then b died.
    let mut lease = world.lease.clone().unwrap();
    lease.failover = Some(yielded());
    world.lease = Some(lease);
    world.nodes.insert(PodUid::from("a"), standing("a1", Some("b:6379"), 9));
    world.nodes.insert(PodUid::from("b"), {
        let mut fresh = standing("b2", Some("127.0.0.1:1"), 0);
        fresh.empty = true;
        fresh.replication_id = "other".to_owned();
        fresh
    });
    let mut member = world.member("m");
    run(&mut world, &mut member, 300);
    assert!(
        world.nodes.values().any(|node| node.role == Role::Primary),
        "nobody is primary after five minutes"
    );
}

/// Three nodes: the one that yielded has all that was acknowledged.
#[test]
fn who_yielded_goes_before_one_that_is_behind_it() {
    let mut world = World::new();
    let mut lease = world.lease.clone().unwrap();
    lease.failover = Some(yielded());
    world.lease = Some(lease);
    world.nodes.insert(PodUid::from("a"), standing("a1", Some("b:6379"), 9));
    world.down.push("b");
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Tick);
    run(&mut world, &mut member, 10);
    assert_eq!(world.lease().primary.as_ref().unwrap().instance, instance("a"));
    assert_eq!(world.nodes["a"].role, Role::Primary);
    assert_eq!(world.nodes["c"].role, Role::Replica { of: "a:6379".to_owned() });
}

/// What nodes with such names are told is not done: it is as if the command had another name there.
fn run_with_refusals(world: &mut World, member: &mut Claimant, refusing: &[&str], seconds: u64) {
    for _ in 0..seconds * 20 {
        world.now = world.now + Duration::from_millis(50);
        let mut wishes = Vec::new();
        member.handle(Fact::Tick, world.now, &mut wishes);
        let mut at = 0;
        while at < wishes.len() && at < 1000 {
            let wish = wishes[at].clone();
            at += 1;
            let fact = match wish {
                Wish::Command { node, call, command: Command::Promote, .. }
                    if refusing.contains(&node.as_str()) =>
                {
                    world.log.push(format!("{node} refuses"));
                    Some(Fact::Stood(node.clone(), call, world.nodes.get(&node).cloned()))
                }
                wish => world.carry_out(wish),
            };
            if let Some(fact) = fact {
                member.handle(fact, world.now, &mut wishes);
            }
        }
    }
}

/// A primary is gone, and a member has opinions enough to replace it as soon as its clock runs.
fn about_to_fail_over(world: &mut World) -> Claimant {
    world.down.push("a");
    let mut member = world.member("m");
    let Fact::Gathered(Some(gathered)) = world.gathered() else { unreachable!() };
    let soon = Gathered { start_after: Duration::from_millis(1), ..gathered };
    world.tell(&mut member, Fact::Gathered(Some(soon)));
    member
}

#[test]
fn a_candidate_that_refuses_is_left_for_another() {
    let mut world = World::new();
    let mut member = about_to_fail_over(&mut world);
    run_with_refusals(&mut world, &mut member, &["b"], 3);
    assert!(world.take_log().iter().any(|line| line == "b refuses"));
    assert_eq!(world.lease().primary.as_ref().unwrap().instance, instance("c"));
    assert_eq!(world.nodes["b"].role, Role::Replica { of: "c:6379".to_owned() });
    assert_eq!(world.lease().holder, None);
}

#[test]
fn where_all_refuse_each_is_told_until_one_obeys() {
    let mut world = World::new();
    let mut member = about_to_fail_over(&mut world);
    run_with_refusals(&mut world, &mut member, &["b", "c"], 30);
    let log = world.take_log();
    for refusal in ["b refuses", "c refuses"] {
        assert!(log.iter().any(|line| line == refusal), "{log:?}");
    }
    let left = world.lease().failover.clone().unwrap();
    assert!(left.tried.len() <= 2, "{:?}", left.tried);
    run_with_refusals(&mut world, &mut member, &[], 5);
    assert_eq!(world.lease().epoch(), 8);
    assert_eq!(world.lease().holder, None);
}

#[test]
fn where_writes_pile_up_a_repair_waits_longer_than_a_failover_and_an_operator_not_at_all() {
    let mut world = World::new();
    world.nodes.insert(PodUid::from("c"), standing("c1", Some("127.0.0.1:1"), 0));
    let mut member = world.member("m");
    member.set_room(Room::Urgent);
    world.tell(&mut member, Fact::Wrong(true));
    assert_eq!((member.claimed(), member.queues()), (None, Some(Room::Any)));

    member.set_room(Room::None);
    world.down.push("a");
    let (listed, gathered) = (world.listed(), world.gathered());
    world.tell(&mut member, listed);
    world.tell(&mut member, gathered);
    assert_eq!((member.claimed(), member.queues()), (None, Some(Room::Urgent)));

    let mut other = member.clone();
    world.take_log();
    other.set_room(Room::Urgent);
    world.tell_for(&mut other, Fact::Tick, 1);
    assert_eq!((world.take_log(), other.queues()), (vec!["put claimed 7".to_owned()], None));

    world.tell(&mut member, Fact::Word);
    assert_eq!(member.queues(), None);
    // What the other had begun is there first, and is gone on with.
    assert!(member.claimed().is_none());
    assert!(world.take_log().is_empty());
}
