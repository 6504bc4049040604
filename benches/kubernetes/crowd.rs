//! Many groups of fake data nodes with a Pod and a Service each, and three members that watch them.
//!
//! One host holds everything: the members, the API server, and an address for each Pod. The Pods are objects alone; what
//! answers at their addresses is no redis-server, but as much of one as a daemon asks for.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as core;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::k8s::{ControlPlane, Member, member};
use crate::support::{FakeFleet, Host, Network, Value as Reply};
use crate::world::POD;

/// How many members.
const MEMBERS: usize = 3;
/// Where Pods are.
const NODE: &str = "one";
/// Objects that are made at the same time.
const AT_ONCE: usize = 16;
/// The longest that the members may need to know everybody.
const LIMIT: Duration = Duration::from_secs(300);
/// Between two looks at members that are busy.
const LOOK: Duration = Duration::from_millis(500);

/// See the module.
pub(crate) struct Crowd {
    // In the order in which they end.
    pub(crate) members: Vec<Member>,
    pub(crate) nodes: FakeFleet,
    pub(crate) namespace: String,
    pub(crate) plane: Arc<ControlPlane>,
    network: Network,
}

impl Crowd {
    /// So many groups with so many replicas each, known to all members.
    pub(crate) fn start(groups: usize, replicas: usize, down_after: Duration) -> Self {
        let network = Network::new(1);
        let host = network.host(0);
        let nodes = FakeFleet::start_on(host, groups, replicas);
        let plane = Arc::new(ControlPlane::audited(Some(host)).with_controllers());
        let account = plane.account();
        let namespace = account.namespace().to_owned();
        plane.admin().apply(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}));
        make_objects(&plane, &namespace, &nodes, replicas, down_after);
        let mut members: Vec<Member> = member_hosts(host)
            .iter()
            .enumerate()
            .map(|(number, host)| Member::new(&account, &format!("vedette-{number}"), host, MEMBERS, &[]))
            .collect();
        drop(account);
        members.iter_mut().for_each(Member::launch);
        let crowd = Self { members, nodes, namespace, plane, network };
        crowd.settled(replicas);
        crowd
    }

    /// Waits until all members know all data nodes and each other, and find everybody well.
    pub(crate) fn settled(&self, replicas: usize) {
        let begin = Instant::now();
        while !self.members.iter().all(|member| self.knows_all(member, replicas)) {
            assert!(begin.elapsed() < LIMIT, "the members never knew everybody");
            thread::sleep(LOOK);
        }
    }

    fn knows_all(&self, member: &Member, replicas: usize) -> bool {
        let Ok(reply) = member.command(&["SENTINEL", "MASTERS"]) else { return false };
        knows_all(&reply, self.nodes.len(), replicas)
    }

    /// Where the members answer.
    pub(crate) fn daemons(&self) -> Vec<SocketAddr> {
        let members = self.members.iter();
        members.map(|one| SocketAddr::new(one.address().parse().unwrap(), member::PORT)).collect()
    }

    /// Where everything is.
    pub(crate) fn host(&self) -> &Host {
        self.network.host(0)
    }
}

/// Hosts for the members: one, under three addresses.
pub(crate) fn member_hosts(host: &Host) -> Vec<Host> {
    host.take_range("10.99.0.0/24");
    (1..=MEMBERS).map(|number| host.under(&format!("10.99.0.{number}"))).collect()
}

/// Whether SENTINEL MASTERS shows so many groups, all of them well, each with so many replicas and all other daemons.
pub(crate) fn knows_all(reply: &Reply, groups: usize, replicas: usize) -> bool {
    let rows = reply.items();
    let known = |row: &Reply| {
        let row = row.fields();
        row["flags"] == "master"
            && row["num-slaves"] == replicas.to_string()
            && row["num-other-sentinels"] == (MEMBERS - 1).to_string()
    };
    rows.len() == groups && rows.iter().all(known)
}

fn make_objects(
    plane: &ControlPlane,
    namespace: &str,
    nodes: &FakeFleet,
    replicas: usize,
    down_after: Duration,
) {
    let (mut services, mut pods) = (Vec::new(), Vec::new());
    for group in 0..nodes.len() {
        let port = nodes.address(group, 0).port();
        services.push(service(&FakeFleet::name(group), port, down_after));
        pods.extend((0..=replicas).map(|node| pod(group, node, nodes.address(group, node))));
    }
    let namespace = namespace.to_owned();
    plane.admin().run(|client| async move {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for (object, status) in pods {
            let (client, namespace, room) = (client.clone(), namespace.clone(), Arc::clone(&room));
            tasks.spawn(async move {
                let _place = room.acquire_owned().await.unwrap();
                make_pod(client, &namespace, object, status).await;
            });
        }
        for object in services {
            let (client, namespace, room) = (client.clone(), namespace.clone(), Arc::clone(&room));
            tasks.spawn(async move {
                let _place = room.acquire_owned().await.unwrap();
                let api: Api<core::Service> = Api::namespaced(client, &namespace);
                let object = serde_json::from_value(object).unwrap();
                api.create(&PostParams::default(), &object).await.unwrap();
            });
        }
        while let Some(made) = tasks.join_next().await {
            made.unwrap();
        }
    });
}

async fn make_pod(client: Client, namespace: &str, object: Value, status: Value) {
    let api: Api<core::Pod> = Api::namespaced(client, namespace);
    let object: core::Pod = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    let name = object.metadata.name.unwrap();
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

fn service(group: &str, port: u16, down_after: Duration) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": group,
            "labels": {"vedette.dev/group": group},
            "annotations": {
                "vedette.dev/quorum": "2",
                "vedette.dev/down-after-milliseconds": down_after.as_millis().to_string(),
            },
        },
        "spec": {"clusterIP": "None", "selector": {"app": group}, "ports": [{"port": port}]},
    })
}

/// A Pod and its status.
fn pod(group: usize, node: usize, address: SocketAddrV4) -> (Value, Value) {
    let group = FakeFleet::name(group);
    let (name, ip) = (format!("{group}-{node}"), address.ip().to_string());
    let object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": group, POD: name}},
        "spec": {
            "nodeName": NODE,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "redis", "image": "redis", "ports": [{"containerPort": address.port()}],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    });
    let condition = |kind: &str| json!({"type": kind, "status": "True"});
    let status = json!({"status": {
        "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
        "conditions": [condition("Ready"), condition("ContainersReady")],
        "containerStatuses": [{
            "name": "redis", "image": "redis", "imageID": "stand-in://redis", "ready": true, "started": true,
            "restartCount": 0, "containerID": format!("stand-in://{name}"),
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }],
    }});
    (object, status)
}
