//! Named scenarios of what members know from before: of a process that is over, and of commits that a Lease forgot.

use std::time::Duration;

use super::run::{SIZE, before, world};
use super::tests::{QUICK, claimant};
use super::world::World;

#[test]
fn the_silence_of_a_process_is_nothing_against_the_next_one() {
    let mut world = world(31, QUICK);
    world.settle();
    for pod in 0..3 {
        world.kill_container(pod);
    }
    world.wait_for("a claim", 10, |world| claimant(world).is_some());
    let actor = claimant(&world).unwrap();
    let primary = world.pods[0].ip.clone();
    let others: Vec<String> =
        (0..SIZE).filter(|at| *at != actor).map(|at| world.daemons[at].ip.clone()).collect();
    // The others don't hear that it is back, for a while.
    for other in &others {
        world.part(other, &primary);
    }
    let before = world.lease().unwrap().epoch();
    world.start_container(0, false);
    world.wait_for("the primary again", 60, |world| {
        world.lease().is_some_and(|lease| lease.epoch() > before && lease.holder.is_none())
    });
    let lease = world.lease().unwrap();
    assert_eq!(lease.primary.as_ref().unwrap().instance.pod, "redis-0");
    for pod in 1..3 {
        world.start_container(pod, false);
    }
    // Less than down-after.
    world.run_for(Duration::from_millis(900));
    world.hold();
    if world.lease().unwrap().epoch() != lease.epoch() {
        world.fail("a second failover");
    }
}

#[test]
fn a_lease_from_a_backup_does_not_lead_back() {
    let mut world = world(32, QUICK);
    world.settle();
    let backup = world.api.lease("v-group-g").unwrap().plain;
    world.kill_container(0);
    world.wait_for("a successor", 10, |world| world.agree_on(1) || world.agree_on(2));
    let new = if world.agree_on(1) { 1 } else { 2 };
    world.start_container(0, false);
    world.wait_for("the old primary follows", 30, |world| world.agree_on(new));
    let before = world.lease().unwrap().epoch();
    let commands = world.laws.commands.len();
    world.laws.forgive_an_edit();
    let seen = world.api.put_lease("v-group-g", backup);
    world.show(&seen);
    world.run_for(Duration::from_secs(1));
    for at in 0..SIZE {
        let answer = world.command(at, &["SENTINEL", "CKQUORUM", "g"]).unwrap();
        assert!(answer.text().unwrap().contains("set back"), "{answer:?}");
    }
    world.wait_for("a Lease that is up to date", 30, |world| {
        world.agree_on(new) && world.lease().is_some_and(|lease| lease.epoch() > before)
    });
    assert_eq!(world.laws.commands.len(), commands, "no data node is told anything");
    for at in 0..SIZE {
        assert_eq!(world.switches(at), 1);
    }
}

#[test]
fn a_stranger_whom_a_new_lease_knows_is_no_stranger_any_more() {
    let mut world = world(33, QUICK);
    world.guarded = true;
    world.settle();
    let stranger = world.add_pod(None);
    assert!(world.write(stranger, 1000));
    world.ask_node(stranger, &["REPLICAOF", "10.255.255.255", "1"]);
    let told = |world: &World| world.api.events.iter().filter(|one| one.starts_with("DataDiverged")).count();
    world.wait_for("each member leaves it alone", 120, |world| told(world) == SIZE);
    let seen = world.api.delete_lease("v-group-g");
    world.show(&seen);
    world.wait_for("it follows", 60, |world| world.agree_on(0));
    world.kill_container(stranger);
    world.run_for(Duration::from_secs(1));
    world.start_container(stranger, false);
    world.wait_for("it follows again", 60, |world| world.agree_on(0));
}

/// A primary was committed, and at once all who know of it end, the Lease goes, and the Service carries nothing.
fn first_commit_is_forgotten(seed: u64) -> (World, u64, usize) {
    let mut world = world(seed, QUICK);
    world.wait_for("a first commit", 60, |world| world.lease().is_some_and(|lease| lease.primary.is_some()));
    let (epoch, founder) = (world.lease().unwrap().epoch(), claimant(&world).unwrap());
    for at in 0..SIZE {
        world.kill_daemon(at);
    }
    world.api.delete_lease("v-group-g");
    world.api.services.get_mut("redis").unwrap().annotations.remove("vedette.dev/epoch");
    world.laws.forgive_an_edit();
    (world, epoch, founder)
}

#[test]
fn no_first_commit_is_forgotten_with_those_who_saw_it() {
    // Alone, or while it doesn't come back.
    for alone in [true, false] {
        let (mut world, epoch, founder) = first_commit_is_forgotten(34);
        for at in (0..SIZE).filter(|at| (*at == founder) == alone) {
            world.start_daemon(at, SIZE);
        }
        let anew = |world: &World| world.lease().is_some_and(|lease| lease.primary.is_some());
        world.wait_for("another commit", 60, anew);
        let later = world.lease().unwrap().epoch();
        assert!(later > epoch, "{later} after {epoch}");
    }
}

/// The Pod with the data is being made anew while its group is taken up for the first time, and nothing tells of it.
#[test]
fn a_group_that_was_taken_up_without_its_data_has_them_when_its_lease_is_deleted() {
    let mut world = before(35, QUICK);
    world.guarded = true;
    world.delete_pod(0);
    for pod in 1..3 {
        world.recreate_pod(pod, true);
    }
    for at in 0..SIZE {
        world.start_daemon(at, SIZE);
    }
    let empty = |world: &World| {
        let lease = world.lease();
        lease.is_some_and(|lease| lease.primary.is_some() && lease.holder.is_none())
    };
    world.wait_for("an empty primary", 60, empty);
    world.recreate_pod(0, false);
    let told = |world: &World| world.api.events.iter().any(|one| one.starts_with("DataDiverged g: redis-0 "));
    world.wait_for("it is told of", 120, told);
    let seen = world.api.delete_lease("v-group-g");
    world.show(&seen);
    world.wait_for("its data are the group's", 60, |world| world.agree_on(0));
    assert!(world.pods.iter().all(|pod| pod.redis.as_ref().is_some_and(|redis| redis.data().len() == 3)));
}
