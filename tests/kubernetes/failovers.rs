//! Primaries that go, and others that take their place.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::DeleteParams;
use rustix::process::Signal;

use crate::k8s::Member;
use crate::support::hosts::Family;
use crate::support::poll;
use crate::world::{GROUP, World, by_force};

#[test]
fn the_container_of_the_primary_is_killed() {
    let world = World::new(0);
    let first = world.settled();
    let (by_service, by_sentinel) = (world.service_writer(), world.sentinel_writer());
    by_service.goes_on();
    by_sentinel.goes_on();
    let (switches, epoch) = (world.switches(), world.epoch());
    world.kubelet.signal(&first, Signal::KILL);
    let second = world.settled_without(&first);
    by_service.goes_on();
    by_sentinel.goes_on();
    world.switched(&switches, 1);
    assert!(world.epoch() > epoch);
    let started = world.event("FailoverStarted");
    assert!(started.starts_with("mymaster: redis-"), "{started}");
    world.event("FailoverEnded");
    let changed = world.events("PrimaryChanged");
    assert!(
        changed.iter().any(|note| note.starts_with(&format!("mymaster: {second} is primary "))),
        "{changed:?}"
    );
}

#[test]
fn a_container_that_rises_as_a_primary_is_killed() {
    let world = World::unguarded(0);
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    let epoch = world.epoch();
    world.kubelet.signal(&first, Signal::KILL);
    // It may be primary again, where all have followed what it holds.
    poll("another epoch", || match world.agreed() {
        Ok(_) if world.epoch() > epoch => Ok(()),
        Ok(_) => Err("not yet".to_owned()),
        Err(error) => Err(error),
    });
    writer.goes_on();
}

#[test]
fn a_service_whose_endpoints_lag_is_touched() {
    let world = World::new(0);
    let first = world.settled();
    world.plane.pause_controllers();
    world.kubelet.signal(&first, Signal::KILL);
    let own = format!(" to Pod {first} ");
    let told =
        |member: &Member| member.lines(" it is touched").into_iter().filter(|line| !line.contains(&own));
    // The later ones come where those before them were too early for the controller.
    poll("the Service was touched four times", || match world.running().flat_map(told).count() {
        4.. => Ok(()),
        other => Err(other),
    });
    poll("it says so itself", || match world.service().metadata.annotations {
        Some(annotations) if annotations.contains_key("vedette.dev/touched-at") => Ok(()),
        other => Err(other),
    });
    assert_eq!(world.leads_to_another_than(&first), Ok(()));
    world.plane.resume_controllers();
    world.settled_without(&first);
}

#[test]
fn the_pod_of_the_primary_is_deleted_politely() {
    let world = World::new(1);
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    let switches = world.switches();
    world.delete::<Pod>(&first, DeleteParams::default());
    let second = world.settled_without(&first);
    writer.goes_on();
    world.switched(&switches, 1);
    assert!(writer.lost(&world, &second) <= 0, "the role leaves before the process does");
}

#[test]
fn the_pod_of_the_primary_is_deleted_by_force() {
    let world = World::new(1);
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    let switches = world.switches();
    world.delete::<Pod>(&first, by_force());
    world.settled_without(&first);
    writer.goes_on();
    world.switched(&switches, 1);
}

#[test]
fn members_that_are_cut_from_each_other_agree_by_their_leases() {
    let world = World::new(0);
    let first = world.settled();
    let switches = world.switches();
    let [one, two, three] = World::hosts_of_members();
    world.network.cut(&[one], &[two, three]);
    world.network.cut(&[two], &[three]);
    world.kubelet.kill_and_hold(&first);
    poll("another primary", || world.leads_to_another_than(&first));
    world.kubelet.release(&first);
    world.settled_without(&first);
    world.switched(&switches, 1);
}

#[test]
fn a_member_that_is_cut_from_the_api_server_hears_of_it_later() {
    let world = World::new(0);
    let first = world.settled();
    let switches = world.switches();
    let address = world.kubelet.address(&first);
    world.network.cut(&[World::host_of_member(0)], &[World::host_of_api()]);
    world.kubelet.kill_and_hold(&first);
    poll("another primary", || world.leads_to_another_than(&first));
    assert_eq!(world.members[0].primary(GROUP), address, "what it can't know it doesn't tell");
    world.network.heal();
    world.kubelet.release(&first);
    world.settled_without(&first);
    world.switched(&switches, 1);
}

#[test]
fn two_members_that_wake_at_once_make_one_failover() {
    let mut world = World::new(0);
    let first = world.settled();
    let switches = world.switches();
    for number in 0..2 {
        world.members[number].process().pause();
    }
    world.kubelet.kill_and_hold(&first);
    for number in 0..2 {
        world.members[number].process().signal(Signal::CONT);
    }
    poll("another primary", || world.leads_to_another_than(&first));
    world.kubelet.release(&first);
    world.settled_without(&first);
    world.switched(&switches, 1);
}

#[test]
fn a_node_is_lost_with_the_primary_on_it() {
    let world = World::new(0);
    let first = world.settled();
    let node = world.node(&first);
    world.kubelet.lose(&node);
    // Nobody says that its Pod has ended; it only is silent.
    poll("another primary", || world.leads_to_another_than(&first));
    let others: Vec<_> = world.pods().into_iter().map(|(pod, ..)| pod).filter(|pod| *pod != first).collect();
    poll("the others follow", || {
        let roles: Vec<_> = others.iter().map(|pod| world.role(pod)).collect();
        let primaries = roles.iter().filter(|role| role.as_deref() == Ok("master")).count();
        if primaries == 1 { Ok(()) } else { Err(roles) }
    });
    // The old primary is found where it was, and follows.
    world.network.heal();
    world.settled_without(&first);
}

/// Waits until the Service for the replicas leads to the two that there are.
#[track_caller]
fn leads_to_the_replicas(world: &World, primary: &str) {
    poll("it leads to the replicas", || {
        let others: Vec<_> = world.pods().into_iter().filter(|(pod, ..)| pod != primary).collect();
        let mut wanted: Vec<_> = others.iter().flat_map(|(pod, ..)| world.kubelet.addresses(pod)).collect();
        wanted.sort();
        let found = world.replica_endpoints();
        if found == wanted && others.len() == 2 { Ok(()) } else { Err((found, wanted)) }
    });
}

#[test]
fn a_service_for_the_replicas_leads_to_all_but_the_primary() {
    let world = World::with_replica_service(Family::V4, 1);
    let first = world.settled();
    leads_to_the_replicas(&world, &first);
    world.delete::<Pod>(&first, by_force());
    let second = world.settled_without(&first);
    leads_to_the_replicas(&world, &second);
    // What somebody takes away comes back.
    world.delete::<EndpointSlice>("redis-replicas-vedette-ipv4", DeleteParams::default());
    leads_to_the_replicas(&world, &second);
}

#[test]
fn a_cluster_of_ipv6_alone_is_served_like_any_other() {
    is_served(Family::V6);
}

#[test]
fn services_lead_to_pods_of_two_families_by_both() {
    is_served(Family::Dual);
}

/// A container is killed, and a Pod deleted.
fn is_served(family: Family) {
    let world = World::with_replica_service(family, 1);
    let first = world.settled();
    assert!(world.kubelet.addresses(&first).last().unwrap().contains(':'));
    leads_to_the_replicas(&world, &first);
    let (by_service, by_sentinel) = (world.service_writer(), world.sentinel_writer());
    by_service.goes_on();
    by_sentinel.goes_on();
    let switches = world.switches();
    world.kubelet.signal(&first, Signal::KILL);
    let second = world.settled_without(&first);
    world.switched(&switches, 1);
    // Its successor comes at another address.
    world.delete::<Pod>(&second, DeleteParams::default());
    let third = world.settled_without(&second);
    world.switched(&switches, 2);
    leads_to_the_replicas(&world, &third);
    by_service.goes_on();
    by_sentinel.goes_on();
}

#[test]
fn the_role_leaves_a_node_that_is_cordoned() {
    let world = World::new(0);
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    // Seen within a minute.
    world.show_nodes();
    world.cordon(&world.node(&first), true);
    let second = world.settled_without(&first);
    writer.goes_on();
    assert!(writer.lost(&world, &second) <= 0, "nothing is lost in a switchover");
}
