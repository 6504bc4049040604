//! An API server that is away, and hands that change what is written there.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::k8s::Member;
use crate::support::poll;
use crate::support::poll::holds_for;
use crate::world::{EPOCH, GROUP, POD, SERVICE, World};

#[test]
fn without_the_api_server_all_goes_on_as_it_is() {
    let world = World::new(0);
    let first = world.settled();
    let (by_service, by_sentinel) = (world.service_writer(), world.sentinel_writer());
    by_service.goes_on();
    by_sentinel.goes_on();
    let (switches, epoch, address) = (world.switches(), world.epoch(), world.kubelet.address(&first));
    world.plane.kill_api();
    let pods = ["redis-0", "redis-1", "redis-2"];
    let roles = pods.map(|pod| world.role(pod).unwrap());
    holds_for(Duration::from_secs(60), "nothing changes", || {
        pods.map(|pod| world.role(pod).unwrap()) == roles
            && world.running().all(|member| member.primary(GROUP) == address && member.is_ready())
    });
    for member in world.running() {
        let told = member.command(&["SENTINEL", "CKQUORUM", GROUP]).unwrap();
        assert!(told.is_error() && told.text().starts_with("NOQUORUM"), "{told:?}");
    }
    by_service.goes_on();
    by_sentinel.goes_on();
    world.plane.start_api();
    assert_eq!(world.settled(), first);
    assert_eq!(world.epoch(), epoch);
    world.switched(&switches, 0);
    poll("a quorum again", || {
        let told = world.members[0].command(&["SENTINEL", "CKQUORUM", GROUP]).unwrap();
        if told.is_error() { Err(told) } else { Ok(()) }
    });
}

#[test]
fn a_primary_that_fails_without_the_api_server_is_replaced_when_it_is_back() {
    let world = World::new(0);
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    let switches = world.switches();
    world.plane.kill_api();
    world.kubelet.kill_and_hold(&first);
    let others: Vec<_> = ["redis-0", "redis-1", "redis-2"].into_iter().filter(|pod| *pod != first).collect();
    holds_for(Duration::from_secs(20), "nobody is promoted", || {
        others.iter().all(|pod| world.role(pod).unwrap().starts_with("slave"))
    });
    world.plane.start_api();
    poll("another primary", || world.leads_to_another_than(&first));
    world.kubelet.release(&first);
    world.settled_without(&first);
    writer.goes_on();
    world.switched(&switches, 1);
}

#[test]
fn a_primary_that_fails_while_the_api_server_is_silent_is_replaced_when_it_answers() {
    let world = World::new(0);
    let first = world.settled();
    let switches = world.switches();
    world.plane.pause_api();
    world.kubelet.kill_and_hold(&first);
    let others: Vec<_> = ["redis-0", "redis-1", "redis-2"].into_iter().filter(|pod| *pod != first).collect();
    holds_for(Duration::from_secs(10), "nobody is promoted", || {
        others.iter().all(|pod| world.role(pod).unwrap().starts_with("slave"))
    });
    world.plane.resume_api();
    poll("another primary", || world.leads_to_another_than(&first));
    world.kubelet.release(&first);
    world.settled_without(&first);
    world.switched(&switches, 1);
}

#[test]
fn a_group_lease_that_somebody_deletes_is_made_again_above_its_epoch() {
    let world = World::new(0);
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    let (switches, epoch) = (world.switches(), world.epoch());
    world.delete::<Lease>("vedette-group-mymaster", DeleteParams::default());
    let primary = poll("a later epoch", || match world.agreed() {
        Ok(primary) if world.epoch() > epoch => Ok(primary),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(primary, first, "nobody's role has changed");
    writer.goes_on();
    world.switched(&switches, 0);
}

#[test]
fn a_service_that_somebody_edits_is_put_right() {
    let world = World::new(0);
    let first = world.settled();
    let epoch = world.epoch();
    let other = world.pods().into_iter().map(|(pod, ..)| pod).find(|pod| *pod != first).unwrap();
    for (selector, annotations) in [
        (json!({POD: other}), json!({EPOCH: epoch.to_string()})),
        (json!({POD: first}), json!({EPOCH: (epoch - 1).to_string()})),
    ] {
        let (namespace, patch) = (
            world.namespace.clone(),
            json!({
                "metadata": {"annotations": annotations}, "spec": {"selector": selector},
            }),
        );
        world.admin().run(|client| async move {
            let api: Api<Service> = Api::namespaced(client, &namespace);
            api.patch(SERVICE, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        });
        poll("the Service is as it was", || match world.agreed() {
            Ok(primary) if primary == first && world.epoch() == epoch => Ok(()),
            other => Err(format!("{other:?} at {}", world.epoch())),
        });
    }
    let note = world.event("ServiceRepaired");
    assert!(note.contains(" changed whom Service redis leads to"), "{note}");
    let repaired = |member: &Member| {
        let metrics = member.get("/metrics").unwrap();
        metrics.lines().any(|line| line.starts_with("vedette_service_repairs_total") && !line.ends_with(" 0"))
    };
    assert!(world.running().any(repaired));
}
