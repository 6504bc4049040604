//! Pods that come back elsewhere, and others that are where they were.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::k8s::container::Container;
use crate::support::poll;
use crate::world::{GROUP, World, by_force};

/// All Pods go at once, and others come at new addresses. The primary's is the last that is told: as the first one it might
/// hand over to one that goes a moment later.
fn restart_all(world: &World, primary: &str) -> String {
    let mut before = world.pods();
    before.sort_by_key(|(pod, ..)| pod == primary);
    for (pod, ..) in &before {
        world.delete::<Pod>(pod, by_force());
    }
    poll("all at new addresses agree", || {
        let now = world.pods();
        match now.iter().find(|(_, uid, _)| before.iter().any(|(_, old, _)| old == uid)) {
            Some((pod, ..)) => Err(format!("{pod} is still the old one")),
            None if now.len() == before.len() => world.agreed(),
            None => Err(format!("{} Pods", now.len())),
        }
    })
}

#[test]
fn all_pods_come_back_elsewhere_with_their_data() {
    let world = World::with_claims(3);
    let first = world.settled();
    world.put_a_key_everywhere(&first);
    let primary = restart_all(&world, &first);
    for (pod, ..) in world.pods() {
        assert_eq!(
            world.kubelet.connect(&pod).unwrap().call(&["GET", "key"]).text(),
            "kept",
            "{pod}, {primary}"
        );
    }
    world.service_writer().goes_on();
}

#[test]
fn all_pods_come_back_elsewhere_without_data() {
    let world = World::new(3);
    let first = world.settled();
    assert_eq!(restart_all(&world, &first), first, "the recorded one's Pod");
    world.service_writer().goes_on();
    world.sentinel_writer().goes_on();
}

#[test]
fn a_primary_that_restarts_empty_overwrites_nobody() {
    let world = World::forgetful(0);
    let first = world.settled();
    world.put_a_key_everywhere(&first);
    world.kubelet.signal(&first, Signal::KILL);
    world.settled_without(&first);
    for (pod, ..) in world.pods() {
        assert_eq!(world.kubelet.connect(&pod).unwrap().call(&["GET", "key"]).text(), "kept", "{pod}");
    }
}

#[test]
fn a_primary_that_was_emptied_beside_data_is_told_of_and_replaced_at_an_operators_word() {
    let world = World::new(0);
    let first = world.settled();
    world.put_a_key_everywhere(&first);
    let (away, ..) = world.pods().into_iter().find(|(pod, ..)| *pod != first).unwrap();
    world.kubelet.kill_and_hold(&away);
    world.kubelet.connect(&first).unwrap().call(&["FLUSHALL"]);
    world.kubelet.release(&away);
    let told = world.event("PrimaryEmpty");
    assert!(
        told.contains(&format!("{first} is primary and holds nothing, but {away} holds data:")),
        "{told}"
    );
    assert_eq!(world.kubelet.connect(&away).unwrap().call(&["GET", "key"]).text(), "kept");
    world.kubelet.signal(&first, Signal::KILL);
    assert_eq!(world.settled_without(&first), away);
    for (pod, ..) in world.pods() {
        assert_eq!(world.kubelet.connect(&pod).unwrap().call(&["GET", "key"]).text(), "kept", "{pod}");
    }
}

#[test]
fn pods_that_never_come_back_are_done_without() {
    let world = World::with_cold_start_wait(Duration::from_secs(3));
    let first = world.settled();
    world.put_a_key_everywhere(&first);
    let pods: Vec<String> = world.pods().into_iter().map(|(pod, ..)| pod).collect();
    pods.iter().for_each(|pod| world.kubelet.kill_and_hold(pod));
    world.kubelet.release(&first);
    let address = world.kubelet.address(&first).unwrap();
    poll("the one that is back is the primary", || {
        let role = world.role(&first)?;
        match world.endpoints() {
            endpoints if endpoints == [address.clone()] && role == "master" => Ok(()),
            endpoints => Err(format!("it is {role}, and the Service leads to {endpoints:?}")),
        }
    });
    assert_eq!(world.kubelet.connect(&first).unwrap().call(&["GET", "key"]).text(), "kept");
    world.service_writer().goes_on();
    pods.iter().filter(|pod| **pod != first).for_each(|pod| world.kubelet.release(pod));
    assert_eq!(world.settled(), first);
}

/// The controller deletes one Pod after the other, each when the one before is ready again; the primary among them.
#[test]
fn a_rolling_restart_of_redis_loses_no_write() {
    let world = World::with_claims(3);
    world.settled();
    let (by_service, by_sentinel) = (world.service_writer(), world.sentinel_writer());
    by_service.goes_on();
    by_sentinel.goes_on();
    let before = world.pods();
    world.roll();
    let primary = poll("all are new, and agree", || {
        let old = before
            .iter()
            .find(|(pod, uid, _)| world.pods().iter().any(|(name, now, _)| name == pod && now == uid));
        match old {
            Some((pod, ..)) => Err(format!("{pod} is still the old one")),
            None => world.agreed(),
        }
    });
    by_service.goes_on();
    by_sentinel.goes_on();
    assert!(by_service.lost(&world, &primary) <= 0, "through the Service");
    assert!(by_sentinel.lost(&world, &primary) <= 0, "by Sentinel");
}

#[test]
fn a_stranger_at_the_address_of_a_pod_that_is_gone_is_not_touched() {
    let world = World::new(1);
    let first = world.settled();
    let address = world.kubelet.address(&first).unwrap();
    let host = world.network.host(world.network.index_of(&address)).clone();
    world.delete::<Pod>(&first, by_force());
    poll("its process has ended", || if host.connect(6379).is_err() { Ok(()) } else { Err("it answers") });
    let dir = TempDir::with_prefix("vedette-stranger").unwrap();
    let _stranger = Container::start("stranger", &host, &dir.path().to_owned(), &[], &[]);
    let mut stranger = poll("the stranger answers", || host.connect(6379));
    stranger.call(&["SET", "whose", "mine"]);
    world.settled_without(&first);
    for member in world.running() {
        let replicas = member.command(&["SENTINEL", "REPLICAS", GROUP]).unwrap();
        let known: Vec<_> = replicas.items().iter().map(|row| row.fields()["ip"].clone()).collect();
        assert!(!known.contains(&address), "{known:?}");
    }
    assert_eq!(stranger.call(&["ROLE"]).items()[0].text(), "master");
    assert_eq!(stranger.call(&["GET", "whose"]).text(), "mine");
    let told = stranger.call(&["INFO", "commandstats"]).text();
    assert!(!told.contains("cmdstat_slaveof") && !told.contains("cmdstat_replicaof"), "{told}");
}
