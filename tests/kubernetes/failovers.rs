//! Primaries that go, and others that take their place.

use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use rustix::process::Signal;

use crate::world::World;

#[test]
fn the_container_of_the_primary_is_killed() {
    let world = World::new(0);
    let first = world.settled();
    let (by_service, by_sentinel) = (world.service_writer(), world.sentinel_writer());
    by_service.goes_on();
    by_sentinel.goes_on();
    let (switches, epoch) = (world.switches(), world.epoch());
    world.kubelet.signal(&first, Signal::KILL);
    world.settled_without(&first);
    by_service.goes_on();
    by_sentinel.goes_on();
    world.switched(&switches, 1);
    assert!(world.epoch() > epoch);
}

#[test]
fn the_pod_of_the_primary_is_deleted_politely() {
    let world = World::new(1);
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    let switches = world.switches();
    world.delete::<Pod>(&first, DeleteParams::default());
    world.settled_without(&first);
    writer.goes_on();
    world.switched(&switches, 1);
}

#[test]
fn the_pod_of_the_primary_is_deleted_by_force() {
    let world = World::new(1);
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    let switches = world.switches();
    world.delete::<Pod>(&first, DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() });
    world.settled_without(&first);
    writer.goes_on();
    world.switched(&switches, 1);
}
