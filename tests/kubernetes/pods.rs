//! The stand-in kubelet does to Pods what a kubelet does, and the controllers follow it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use rustix::process::Signal;

use crate::k8s::{ControlPlane, Kubelet, manifests};
use crate::support::{Network, poll};
use crate::world::{GUARD, REDIS};

/// Redis as one finds it: it takes the role of a primary when it starts.
fn redis() -> String {
    REDIS.replace(GUARD, "")
}

struct World {
    // In the order in which they end.
    kubelet: Kubelet,
    namespace: String,
    plane: Arc<ControlPlane>,
    _network: Arc<Network>,
}

impl World {
    /// Three Redis Pods on three nodes, the API server on a host beside them.
    fn new() -> Self {
        Self::of(&redis())
    }

    /// The same with those objects.
    fn of(objects: &str) -> Self {
        let network = Arc::new(Network::new(8));
        let plane = Arc::new(ControlPlane::start(Some(network.host(0))).with_controllers());
        let namespace = plane.account().namespace().to_owned();
        let kubelet = Kubelet::start(&plane, &network, 1, &namespace, &["one", "two", "three"]);
        for mut object in manifests::parse(objects) {
            manifests::into_namespace(&mut object, &namespace);
            plane.admin().apply(object);
        }
        let world = Self { kubelet, namespace, plane, _network: network };
        poll("three endpoints", || {
            let ready = world.endpoints();
            if ready.len() == 3 { Ok(()) } else { Err(ready) }
        });
        world
    }

    fn pod(&self, name: &'static str) -> Option<Pod> {
        let namespace = self.namespace.clone();
        self.plane.admin().run(|client| async move {
            Api::<Pod>::namespaced(client, &namespace).get_opt(name).await.unwrap()
        })
    }

    fn delete(&self, name: &'static str) {
        let namespace = self.namespace.clone();
        self.plane.admin().run(|client| async move {
            let api: Api<Pod> = Api::namespaced(client, &namespace);
            api.delete(name, &DeleteParams::default()).await.unwrap();
        });
    }

    /// Addresses that the Service leads to.
    fn endpoints(&self) -> Vec<String> {
        let namespace = self.namespace.clone();
        let slices = self.plane.admin().run(|client| async move {
            let api: Api<EndpointSlice> = Api::namespaced(client, &namespace);
            api.list(&ListParams::default().labels("kubernetes.io/service-name=redis")).await.unwrap()
        });
        let mut found: Vec<String> = slices
            .items
            .into_iter()
            .flat_map(|slice| slice.endpoints)
            .filter(|endpoint| {
                endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) == Some(true)
            })
            .flat_map(|endpoint| endpoint.addresses)
            .collect();
        found.sort();
        found
    }
}

fn address(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.pod_ip.as_deref()).unwrap_or_default()
}

/// What to show of a Pod that is not as it should be.
fn seen(pod: Option<&Pod>) -> String {
    format!("{:?}", pod.and_then(|pod| pod.status.as_ref()))
}

/// The id of the container, how often it was restarted, and whether it is ready.
fn container(pod: &Pod) -> Option<(&str, i32, bool)> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    Some((status.container_id.as_deref()?, status.restart_count, status.ready))
}

#[test]
fn a_container_restarts_in_its_pod_and_a_deleted_pod_comes_back_as_another() {
    let world = World::new();
    let name = "redis-1";
    let before = world.pod(name).unwrap();
    let (first_id, restarts, ready) = container(&before).unwrap();
    assert_eq!((restarts, ready), (0, true));
    assert_eq!(world.kubelet.address(name).as_deref(), Some(address(&before)));
    world.kubelet.connect(name).unwrap().call(&["SET", "key", "kept"]);

    world.kubelet.signal(name, Signal::KILL);
    let restarted = poll("the container runs again", || {
        let pod = world.pod(name).unwrap();
        let good =
            container(&pod).is_some_and(|(id, restarts, ready)| id != first_id && restarts == 1 && ready);
        if good { Ok(pod) } else { Err(seen(Some(&pod))) }
    });
    assert_eq!(restarted.metadata.uid, before.metadata.uid);
    assert_eq!(address(&restarted), address(&before));
    let last = restarted.status.as_ref().unwrap().container_statuses.as_ref().unwrap()[0].last_state.clone();
    let last = last.unwrap().terminated.unwrap();
    assert_eq!((last.exit_code, last.container_id.as_deref()), (137, Some(first_id)));
    assert_eq!(
        world.kubelet.connect(name).unwrap().call(&["GET", "key"]).text(),
        "kept",
        "the Pod's files stay"
    );

    world.delete(name);
    let recreated = poll("another Pod of that name is ready", || match world.pod(name) {
        Some(pod)
            if pod.metadata.uid != before.metadata.uid
                && container(&pod).is_some_and(|(.., ready)| ready) =>
        {
            Ok(pod)
        }
        other => Err(seen(other.as_ref())),
    });
    assert_ne!(address(&recreated), address(&before));
    assert_eq!(container(&recreated).unwrap().1, 0);
    let kept = world.kubelet.connect(name).unwrap().call(&["EXISTS", "key"]).text();
    assert_eq!(kept, "0", "and go with it");
    poll("the Service leads to the new address", || {
        let found = world.endpoints();
        let gone = !found.iter().any(|known| known == address(&before));
        if found.len() == 3 && gone && found.iter().any(|known| known == address(&recreated)) {
            Ok(())
        } else {
            Err(found)
        }
    });
}

#[test]
fn a_polite_end_is_no_endpoint_and_lasts_for_the_grace_period() {
    let world = World::new();
    let name = "redis-2";
    let before = world.pod(name).unwrap();
    // It does not hear the request to end.
    world.kubelet.pause(name);
    let deleted_at = Instant::now();
    world.delete(name);
    let ending = world.pod(name).unwrap();
    assert_eq!(ending.metadata.uid, before.metadata.uid);
    assert!(ending.metadata.deletion_timestamp.is_some(), "it is there until its container has ended");
    assert_eq!(ending.metadata.deletion_grace_period_seconds, Some(5));
    poll("it is no endpoint any more", || {
        let found = world.endpoints();
        if found.iter().any(|known| known == address(&before)) { Err(found) } else { Ok(()) }
    });
    poll("it is killed and another comes", || match world.pod(name) {
        Some(pod) if pod.metadata.uid != before.metadata.uid => Ok(()),
        other => Err(seen(other.as_ref())),
    });
    assert!(deleted_at.elapsed() >= Duration::from_secs(5), "not before its time");
}

#[test]
fn a_node_that_is_lost_leaves_its_pod_as_it_was_told_last() {
    let world = World::new();
    let name = "redis-0";
    let before = world.pod(name).unwrap();
    let node = before.spec.as_ref().unwrap().node_name.clone().unwrap();
    world.kubelet.lose(&node);
    world.kubelet.signal(name, Signal::KILL);
    // The other Pods' status goes on.
    world.kubelet.signal("redis-1", Signal::KILL);
    poll("another Pod's container is restarted", || {
        let pod = world.pod("redis-1").unwrap();
        if container(&pod).is_some_and(|(_, restarts, ready)| restarts == 1 && ready) {
            Ok(())
        } else {
            Err(seen(Some(&pod)))
        }
    });
    let after = world.pod(name).unwrap();
    assert_eq!(after.status, before.status);
}

#[test]
fn a_container_that_is_held_stays_ended_and_says_so() {
    let world = World::new();
    let name = "redis-1";
    world.kubelet.kill_and_hold(name);
    let told = poll("it is told to have ended", || {
        let pod = world.pod(name).unwrap();
        let status = pod.status.unwrap().container_statuses.unwrap().remove(0);
        status.state.as_ref().and_then(|state| state.terminated.clone()).ok_or(format!("{status:?}"))
    });
    assert_eq!(told.exit_code, 137);
    world.kubelet.release(name);
    poll("it runs again", || {
        let pod = world.pod(name).unwrap();
        if container(&pod).is_some_and(|(_, restarts, ready)| restarts == 1 && ready) {
            Ok(())
        } else {
            Err(seen(Some(&pod)))
        }
    });
}

#[test]
fn a_container_that_is_started_by_boot_has_no_role_each_time() {
    let text = redis().replace(
        "args: [--appendonly, 'yes']",
        "command: [/vedette/vedette, boot, exec, redis-server]\n          args: [--save, '']",
    );
    let world = World::of(&text);
    let name = "redis-1";
    let role = || world.kubelet.connect(name).and_then(|mut client| client.command(&["ROLE"]));
    let nobody = ["slave", "127.0.0.1", "1"];
    assert_eq!(role().unwrap().texts()[..3], nobody);
    world.kubelet.connect(name).unwrap().call(&["REPLICAOF", "NO", "ONE"]);
    assert_eq!(role().unwrap().items()[0].text(), "master");

    world.kubelet.signal(name, Signal::KILL);
    poll("it runs again, without the role that it had", || match role() {
        Ok(reply) if reply.items()[0].text() == "slave" => {
            assert_eq!(reply.texts()[..3], nobody);
            Ok(())
        }
        other => Err(format!("{other:?}")),
    });
}
