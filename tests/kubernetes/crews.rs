//! Members that end, fall silent or come back, in peace and with a claim.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::poll;
use crate::support::poll::holds_for;
use crate::world::{GROUP, World};

/// Takes the primary away while a replica is silent, which the claimant waits for: the number of the claimant, and the silent
/// one's Pod.
fn claimed(world: &World, first: &str) -> (usize, String) {
    let other = world.pods().into_iter().map(|(pod, ..)| pod).find(|pod| *pod != first).unwrap();
    world.kubelet.pause(&other);
    world.kubelet.kill_and_hold(first);
    let holder = poll("a claim", || world.holder().ok_or("nobody has claimed"));
    let claimant =
        world.members.iter().position(|member| holder.starts_with(&member.id())).expect("a member");
    (claimant, other)
}

/// Lets all data nodes run again, and waits until all agree on another primary.
fn released(world: &World, first: &str, silent: &str) {
    poll("another primary", || world.leads_to_another_than(first));
    world.kubelet.signal(silent, Signal::CONT);
    world.kubelet.release(first);
    world.settled_without(first);
}

#[test]
fn the_claimant_is_asked_to_end() {
    let mut world = World::new(0);
    let first = world.settled();
    let switches = world.switches();
    let (claimant, silent) = claimed(&world, &first);
    let status = world.members[claimant].terminate();
    assert!(status.success(), "{status}");
    released(&world, &first, &silent);
    world.switched(&switches, 1);
    // It comes again under the same name.
    world.members[claimant].start();
    world.settled();
}

#[test]
fn the_claimant_is_killed() {
    let mut world = World::new(0);
    let first = world.settled();
    let switches = world.switches();
    let (claimant, silent) = claimed(&world, &first);
    world.members[claimant].kill();
    released(&world, &first, &silent);
    world.switched(&switches, 1);
    world.members[claimant].start();
    world.settled();
}

#[test]
fn the_claimant_is_stopped_for_longer_than_its_claim_and_woken() {
    let mut world = World::new(0);
    let first = world.settled();
    let (claimant, silent) = claimed(&world, &first);
    world.members[claimant].process().pause();
    poll("another primary", || world.leads_to_another_than(&first));
    let (epoch, primary) = (world.epoch(), world.primary());
    // What it had begun is over for all others.
    holds_for(Duration::from_secs(8), "the Service stays", || world.primary() == primary);
    world.members[claimant].process().signal(Signal::CONT);
    released(&world, &first, &silent);
    assert!(world.epoch() >= epoch, "an epoch never goes back");
}

#[test]
fn members_restart_one_after_the_other_and_nothing_else_happens() {
    let mut world = World::new(0);
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    let (switches, epoch) = (world.switches(), world.epoch());
    for number in 0..world.members.len() {
        let status = world.members[number].terminate();
        assert!(status.success(), "{status}");
        world.members[number].start();
        assert_eq!(world.settled(), first);
    }
    writer.goes_on();
    assert_eq!(world.epoch(), epoch);
    world.switched(&switches, 0);
}

#[test]
fn all_members_are_killed_at_once_and_know_the_primary_when_they_come_back() {
    let mut world = World::new(0);
    let first = world.settled();
    world.kubelet.signal(&first, Signal::KILL);
    let second = world.settled_without(&first);
    let epoch = world.epoch();
    world.members.iter_mut().for_each(|member| member.kill());
    world.members.iter_mut().for_each(|member| member.start());
    assert_eq!(world.settled(), second);
    assert_eq!(world.epoch(), epoch);
    for member in world.running() {
        assert_eq!(member.master(GROUP)["config-epoch"], epoch.to_string());
    }
}

#[test]
fn a_replica_more_is_taken_in_and_one_less_is_forgotten() {
    let world = World::new(2);
    let first = world.settled();
    for (size, replicas) in [(5, "4"), (2, "1")] {
        world.scale(size);
        poll("all know so many replicas", || {
            let known: Vec<_> = world
                .running()
                .map(|member| member.master(GROUP).remove("num-slaves").unwrap_or_default())
                .collect();
            if known.iter().all(|known| known == replicas) {
                world.agreed()
            } else {
                Err(format!("{known:?}"))
            }
        });
    }
    // The Pods with the highest numbers go, and with them the role if it was there.
    assert!(["redis-0", "redis-1"].contains(&world.settled().as_str()), "{first}");
}

#[test]
fn at_rest_nothing_is_written_but_the_members_leases() {
    let world = World::new(0);
    world.settled();
    let versions = || {
        let lease = world.group_lease().and_then(|lease| lease.metadata.resource_version);
        (lease, world.service().metadata.resource_version)
    };
    // A new group's beginning may be followed by a repair that records the history which its primary has begun.
    let before = poll("nothing is written for a while", || {
        let before = versions();
        std::thread::sleep(Duration::from_secs(3));
        if versions() == before { Ok(before) } else { Err(before) }
    });
    holds_for(Duration::from_secs(12), "group Lease and Service stay as they are", || versions() == before);
}
