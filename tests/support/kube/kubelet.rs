//! A stand-in for the kubelet, and for the scheduler: runs Redis Pods as real processes at addresses of their own, and
//! keeps their status as a kubelet does.
//!
//! A Pod gets the next host of the network that none had before; only its container's restarts stay there. Its files go
//! with it, unless it names a PersistentVolumeClaim: they are kept under that name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use k8s_openapi::api::core::v1 as core;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::ControlPlane;
use super::container::PORT;
use super::pod::Pod;
use crate::support::{Client as RedisClient, Host, Network};

/// Between two looks at the Pods.
const STEP: Duration = Duration::from_millis(30);

/// A running stand-in. Dropped, it and its Pods' processes end; the Pod objects stay.
#[derive(Debug)]
pub(crate) struct Kubelet {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    // The processes end before their network.
    state: Mutex<State>,
    plane: Arc<ControlPlane>,
    network: Arc<Network>,
    namespace: String,
    /// Names of the nodes, with the addresses that they report.
    nodes: Vec<(String, String)>,
    dir: TempDir,
    end: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// By name, as a StatefulSet gives it again.
    pods: BTreeMap<String, Pod>,
    /// Hosts that no Pod had yet, the next one last.
    free: Vec<Host>,
    /// Nodes that nobody hears of.
    lost: BTreeSet<String>,
}

impl Kubelet {
    /// Runs the Pods of a namespace on those nodes, which it makes. The network's hosts from `first` on are the Pods'.
    pub(crate) fn start(
        plane: &Arc<ControlPlane>,
        network: &Arc<Network>,
        first: usize,
        namespace: &str,
        nodes: &[&str],
    ) -> Self {
        let nodes: Vec<_> = nodes
            .iter()
            .enumerate()
            .map(|(index, name)| ((*name).to_owned(), format!("10.78.0.{}", index + 1)))
            .collect();
        for (name, address) in &nodes {
            make_node(plane, name, address);
        }
        let free = (first..network.len()).rev().map(|index| network.host(index).clone()).collect();
        let shared = Arc::new(Shared {
            plane: Arc::clone(plane),
            network: Arc::clone(network),
            namespace: namespace.to_owned(),
            nodes,
            dir: TempDir::with_prefix("vedette-pods").unwrap(),
            end: AtomicBool::new(false),
            state: Mutex::new(State { pods: BTreeMap::new(), free, lost: BTreeSet::new() }),
        });
        let inside = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while !inside.end.load(Ordering::Relaxed) {
                inside.step();
                thread::sleep(STEP);
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// A connection to the Redis of that Pod, from inside.
    pub(crate) fn connect(&self, pod: &str) -> std::io::Result<RedisClient> {
        let host = self.shared.state().pods.get(pod).map(|pod| pod.host.clone());
        let missing = || std::io::Error::new(std::io::ErrorKind::NotFound, format!("no Pod {pod}"));
        host.ok_or_else(missing)?.connect(PORT)
    }

    /// The address of that Pod.
    pub(crate) fn address(&self, pod: &str) -> Option<String> {
        self.shared.state().pods.get(pod).map(|pod| pod.host.address().to_owned())
    }

    /// All addresses of that Pod.
    pub(crate) fn addresses(&self, pod: &str) -> Vec<String> {
        self.shared.state().pods.get(pod).map_or_else(Vec::new, |pod| pod.host.addresses().to_vec())
    }

    /// Sends a signal to the container of that Pod; one that ends so is restarted.
    pub(crate) fn signal(&self, pod: &str, signal: Signal) {
        self.shared.state().pods.get(pod).expect("that Pod").signal(signal);
    }

    /// SIGSTOP of the container of that Pod, in force: it keeps its connections and hears nothing.
    pub(crate) fn pause(&self, pod: &str) {
        self.shared.state().pods.get(pod).expect("that Pod").pause();
    }

    /// kill -9 of the container, which stays ended until [`Kubelet::release`].
    pub(crate) fn kill_and_hold(&self, pod: &str) {
        let mut state = self.shared.state();
        let pod = state.pods.get_mut(pod).expect("that Pod");
        pod.held = true;
        pod.signal(Signal::KILL);
    }

    /// What was held may run again.
    pub(crate) fn release(&self, pod: &str) {
        self.shared.state().pods.get_mut(pod).expect("that Pod").held = false;
    }

    /// From now on nobody hears of that node and its Pods; their status stays as it was.
    pub(crate) fn lose(&self, node: &str) {
        let mut state = self.shared.state();
        state.lost.insert(node.to_owned());
        let addresses = state.pods.values().filter(|pod| pod.node == node).map(|pod| pod.host.address());
        let hosts: Vec<usize> = addresses.map(|address| self.shared.network.index_of(address)).collect();
        self.shared.network.split_off(&hosts);
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.shared.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the stand-in kubelet panicked");
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One look at everything. An API server that can't be asked is asked at the next one; containers are kept going.
    fn step(&self) {
        let listed = self.ask(|api| async move { api.list(&ListParams::default()).await });
        if let Ok(listed) = listed {
            self.forget(&listed.items);
            for pod in &listed.items {
                self.look_at(pod);
            }
        }
        for pod in self.state().pods.values_mut() {
            pod.keep_running();
        }
    }

    /// Ends what has no Pod any more: one that was deleted by force, perhaps with another of its name.
    fn forget(&self, listed: &[core::Pod]) {
        let uids: BTreeSet<&str> = listed.iter().filter_map(|pod| pod.metadata.uid.as_deref()).collect();
        let mut state = self.state();
        let State { pods, lost, .. } = &mut *state;
        pods.retain(|_, pod| uids.contains(pod.uid.as_str()) || lost.contains(&pod.node));
    }

    fn look_at(&self, pod: &core::Pod) {
        let name = pod.metadata.name.as_deref().expect("a name");
        let uid = pod.metadata.uid.as_deref().expect("a uid");
        let spec = pod.spec.as_ref().expect("a spec");
        let Some(node) = spec.node_name.as_deref() else { return self.bind(name) };
        let Some((_, node_address)) = self.nodes.iter().find(|(known, _)| known == node) else { return };
        if self.state().lost.contains(node) {
            return;
        }
        let deleted = pod.metadata.deletion_timestamp.is_some();
        let known = self.state().pods.get(name).is_some_and(|running| running.uid == uid);
        if !known && deleted {
            return self.remove(name, uid);
        }
        let status = {
            let mut state = self.state();
            if !known {
                let host =
                    state.free.pop().expect("a host that no Pod had yet: give the network more of them");
                let started = Pod::start(pod, node, host, self.files(pod, uid));
                state.pods.insert(name.to_owned(), started);
            }
            let running = state.pods.get_mut(name).expect("it is there");
            if deleted {
                let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(30);
                let grace = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
                if running.terminate(grace) {
                    state.pods.remove(name);
                    drop(state);
                    return self.remove(name, uid);
                }
            } else {
                running.keep_running();
            }
            let status = running.status(node_address);
            (status != running.told).then_some(status)
        };
        if let Some(status) = status {
            self.tell(name, uid, status);
        }
    }

    /// The scheduler's part: the Pods go round the nodes, those of a StatefulSet by their number.
    fn bind(&self, name: &str) {
        let number: usize = name.rsplit('-').next().and_then(|text| text.parse().ok()).unwrap_or_default();
        let (node, _) = &self.nodes[number % self.nodes.len()];
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        let name = name.to_owned();
        // Bound already, or deleted: the next look will show.
        let _: Result<Value, _> = self.ask(|api| async move {
            api.create_subresource("binding", &name, &PostParams::default(), &binding).await
        });
    }

    fn tell(&self, name: &str, uid: &str, status: Value) {
        let patch = json!({"metadata": {"uid": uid}, "status": status});
        let asked = name.to_owned();
        let told = self.ask(|api| async move {
            api.patch_status(&asked, &PatchParams::default(), &Patch::Merge(patch)).await
        });
        if told.is_ok()
            && let Some(pod) = self.state().pods.get_mut(name)
        {
            pod.told = status;
        }
    }

    /// The object goes when its container has ended.
    fn remove(&self, name: &str, uid: &str) {
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::default()
        };
        let name = name.to_owned();
        // Not answered: it is tried again at the next look.
        let _ = self.ask(|api| async move { api.delete(&name, &params).await });
    }

    fn files(&self, pod: &core::Pod, uid: &str) -> PathBuf {
        let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let claim = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref()).next();
        self.dir.path().join(claim.map_or(uid, |claim| claim.claim_name.as_str()))
    }

    fn ask<T, F>(&self, request: impl FnOnce(Api<core::Pod>) -> F) -> Result<T, kube::Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, kube::Error>> + Send + 'static,
    {
        let namespace = &self.namespace;
        self.plane.admin().run(|client: Client| request(Api::namespaced(client, namespace)))
    }
}

fn make_node(plane: &ControlPlane, name: &str, address: &str) {
    plane.admin().apply(json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
    }));
    let name = name.to_owned();
    let status = json!({"status": {
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "a stand-in"}],
        "addresses": [{"type": "InternalIP", "address": address}],
    }});
    plane.admin().run(|client| async move {
        let api: Api<core::Node> = Api::all(client);
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    });
}
