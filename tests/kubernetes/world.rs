//! A Redis StatefulSet behind a Service, and three vedettes that watch it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::k8s::gate::Gate;
use crate::k8s::member::FLEET;
use crate::k8s::{Admin, ControlPlane, Kubelet, Member, manifests};
use crate::layout::{CLAIMS, REPLICA_SERVICE};
pub(crate) use crate::layout::{GUARD, Layout, REDIS, REPLICAS};
use crate::support::hosts::Family;
use crate::support::{Client, Host, Network, Value, eventually, poll};
use crate::writer::Writer;

/// The group's name.
pub(crate) const GROUP: &str = "mymaster";
/// The Service, and the StatefulSet.
pub(crate) const SERVICE: &str = "redis";
/// The label of the selector that leads to one Pod.
pub(crate) const POD: &str = "statefulset.kubernetes.io/pod-name";
/// The annotation with the epoch.
pub(crate) const EPOCH: &str = "vedette.dev/epoch";

/// Hosts: the API server's, the members', a client's; the others are the Pods'.
const API: usize = 0;
const MEMBERS: usize = 3;
const CLIENT: usize = MEMBERS + 1;
const PODS: usize = CLIENT + 1;

/// See the module.
pub(crate) struct World {
    // In the order in which they end.
    pub(crate) members: Vec<Member>,
    pub(crate) kubelet: Kubelet,
    pub(crate) namespace: String,
    /// What the members reach the API server through.
    pub(crate) gate: Option<Gate>,
    pub(crate) plane: Arc<ControlPlane>,
    pub(crate) network: Arc<Network>,
}

impl World {
    /// Number of the first host that is nobody's.
    pub(crate) const OTHERS: usize = PODS;

    /// All of it, settled. `spare` more Pods can come in the place of others.
    pub(crate) fn new(spare: usize) -> Self {
        Self::prepare(spare, |text| text, &[])
    }

    /// The same with a gate before the API server.
    pub(crate) fn behind_a_gate() -> Self {
        let mut world = Self::build(0, 0, |text| text, &[]);
        let gate = Gate::new(&world.plane);
        world.members.iter().for_each(|member| member.lead(world.plane.address(), &gate.address()));
        world.gate = Some(gate);
        world.launched()
    }

    /// The same with members that wait for data nodes no longer than that when all begins anew.
    pub(crate) fn with_cold_start_wait(wait: Duration) -> Self {
        let line = format!("vedette cold-start-wait-milliseconds {}", wait.as_millis());
        Self::prepare(0, |text| text, &[&line])
    }

    /// The same with data nodes that rise as primaries, as those do that nobody has prepared.
    pub(crate) fn unguarded(spare: usize) -> Self {
        Self::prepare(spare, |text| text.replace(GUARD, ""), &[])
    }

    /// The same with data that a container doesn't find again when it restarts.
    pub(crate) fn forgetful(spare: usize) -> Self {
        Self::prepare(spare, |text| text.replace("--appendonly, 'yes'", "--save, ''"), &[])
    }

    /// The same with data that outlives the Pods.
    pub(crate) fn with_claims(spare: usize) -> Self {
        Self::prepare(spare, |text| format!("{}{CLAIMS}", text.trim_end()), &[])
    }

    /// The same with another Service, which leads to the replicas.
    pub(crate) fn with_replica_service(family: Family, spare: usize) -> Self {
        let line = format!("vedette service {GROUP} {SERVICE} {REPLICAS}");
        let mut objects = format!("{REDIS}---{REPLICA_SERVICE}");
        if family == Family::Dual {
            objects = objects.replace(
                "  ports: [{port: 6379}]",
                "  ports: [{port: 6379}]\n  ipFamilyPolicy: RequireDualStack",
            );
        }
        let layout = Layout { family, spare, others: 0, objects, lines: &[&line], audited: false };
        Self::unwatched(&layout).launched()
    }

    fn prepare(spare: usize, change: impl FnOnce(String) -> String, lines: &[&str]) -> Self {
        Self::build(spare, 0, change, lines).launched()
    }

    /// Starts the members, and waits until all is settled.
    pub(crate) fn launched(mut self) -> Self {
        self.members.iter_mut().for_each(Member::launch);
        self.settled();
        self
    }

    /// The same before any member runs, with so many hosts for others, from [`World::OTHERS`] on.
    pub(crate) fn build(
        spare: usize,
        others: usize,
        change: impl FnOnce(String) -> String,
        lines: &[&str],
    ) -> Self {
        let objects = change(REDIS.to_owned());
        Self::unwatched(&Layout { family: Family::V4, spare, others, objects, lines, audited: false })
    }

    /// No member runs yet, and so nobody gives a data node its role.
    pub(crate) fn unwatched(layout: &Layout<'_>) -> Self {
        let network = Arc::new(Network::of(layout.family, PODS + layout.others + 3 + layout.spare));
        let place = Some(network.host(API));
        let plane = if layout.audited { ControlPlane::audited(place) } else { ControlPlane::start(place) };
        let plane = Arc::new(plane.with_controllers());
        let account = plane.account();
        let namespace = account.namespace().to_owned();
        let members: Vec<Member> = (0..MEMBERS)
            .map(|number| {
                let host = network.host(Self::host_of_member(number));
                Member::new(&account, &format!("vedette-{number}"), host, MEMBERS, layout.lines)
            })
            .collect();
        drop(account);
        let first = PODS + layout.others;
        let kubelet = Kubelet::start(&plane, &network, first, &namespace, &["one", "two", "three"]);
        for mut object in manifests::parse(&layout.objects) {
            manifests::into_namespace(&mut object, &namespace);
            plane.admin().apply(object);
        }
        Self { members, kubelet, namespace, gate: None, plane, network }
    }

    /// Waits until Service, members and data nodes agree on a primary; the name of its Pod.
    #[track_caller]
    pub(crate) fn settled(&self) -> String {
        poll("all agree on a primary", || self.agreed())
    }

    /// The same, on another one.
    #[track_caller]
    pub(crate) fn settled_without(&self, pod: &str) -> String {
        poll(&format!("all agree on a primary that is not {pod}"), || match self.agreed() {
            Ok(primary) if primary == pod => Err(format!("it is {pod}")),
            other => other,
        })
    }

    /// The Pod of the primary on which all agree, or what is not so yet.
    pub(crate) fn agreed(&self) -> Result<String, String> {
        let service = self.service();
        let selector = service.spec.and_then(|spec| spec.selector).unwrap_or_default();
        let primary = selector.get(POD).ok_or("the Service leads to no one Pod")?.clone();
        let address = self.kubelet.address(&primary).ok_or_else(|| format!("{primary} is no Pod"))?;
        let endpoints = self.endpoints();
        let addresses = self.kubelet.addresses(&primary);
        if endpoints != addresses {
            return Err(format!("the Service leads to {endpoints:?}, not to {addresses:?}"));
        }
        for member in self.running() {
            let told = member.primary(GROUP);
            if told.as_ref() != Some(&address) {
                return Err(format!("{} names {told:?}, not {address}", member.name()));
            }
        }
        for (pod, ..) in self.pods() {
            let role = self.role(&pod)?;
            let wanted =
                if pod == primary { "master".to_owned() } else { format!("slave of {address} connected") };
            if role != wanted {
                return Err(format!("{pod} is {role}, not {wanted}"));
            }
        }
        let lease = self.group_lease().ok_or("there is no group Lease")?;
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        if !holder.is_empty() {
            return Err(format!("{holder} holds the group Lease"));
        }
        let recorded = lease.metadata.annotations.unwrap_or_default();
        let info =
            self.kubelet.connect(&primary).and_then(|mut client| client.command(&["INFO", "replication"]));
        let info = info.map_err(|error| format!("{primary}: {error}"))?.text();
        let history = info.lines().find_map(|line| line.strip_prefix("master_replid:")).unwrap_or_default();
        if recorded.values().any(|text| text.contains(history)) {
            Ok(primary)
        } else {
            Err(format!("{primary} is at the history {history}, which is not recorded: {recorded:?}"))
        }
    }

    /// Whether the Service leads to another Pod than that.
    pub(crate) fn leads_to_another_than(&self, pod: &str) -> Result<(), String> {
        match self.primary() {
            Some(primary) if primary != pod => Ok(()),
            other => Err(format!("it leads to {other:?}")),
        }
    }

    /// The Pod that the Service leads to.
    pub(crate) fn primary(&self) -> Option<String> {
        self.service().spec?.selector?.remove(POD)
    }

    /// Lets the members see nodes, as the optional overlay does.
    pub(crate) fn show_nodes(&self) {
        for mut object in manifests::read("deploy/kubernetes/components/nodes/nodes.yaml") {
            for subject in
                object.get_mut("subjects").and_then(|found| found.as_array_mut()).into_iter().flatten()
            {
                subject["namespace"] = self.namespace.clone().into();
            }
            self.admin().apply(object);
        }
    }

    /// Lets a node take no more Pods, or lets it again.
    pub(crate) fn cordon(&self, node: &str, cordoned: bool) {
        let (node, patch) = (node.to_owned(), Patch::Merge(json!({"spec": {"unschedulable": cordoned}})));
        self.admin().run(|client| async move {
            Api::<Node>::all(client).patch(&node, &PatchParams::default(), &patch).await.unwrap();
        });
    }

    /// The node of a Pod.
    pub(crate) fn node(&self, pod: &str) -> String {
        let (namespace, pod) = (self.namespace.clone(), pod.to_owned());
        let found = self
            .admin()
            .run(|client| async move { Api::<Pod>::namespaced(client, &namespace).get(&pod).await.unwrap() });
        found.spec.unwrap().node_name.unwrap()
    }

    /// Lets the StatefulSet have so many Pods.
    pub(crate) fn scale(&self, size: usize) {
        let namespace = self.namespace.clone();
        let patch = Patch::Merge(json!({"spec": {"replicas": size}}));
        self.admin().run(|client| async move {
            let api: Api<StatefulSet> = Api::namespaced(client, &namespace);
            api.patch(SERVICE, &PatchParams::default(), &patch).await.unwrap();
        });
    }

    /// A key that the primary takes, and that all have before this returns.
    pub(crate) fn put_a_key_everywhere(&self, primary: &str) {
        self.kubelet.connect(primary).unwrap().call(&["SET", "key", "kept"]);
        for (pod, ..) in self.pods() {
            poll("it is everywhere", || {
                match self.kubelet.connect(&pod).unwrap().call(&["GET", "key"]).text() {
                    text if text == "kept" => Ok(()),
                    other => Err(other),
                }
            });
        }
    }

    /// Has the StatefulSet's controller replace one Pod after the other.
    pub(crate) fn roll(&self) {
        let namespace = self.namespace.clone();
        let template = json!({"metadata": {"annotations": {"rolled": "yes"}}});
        let patch = Patch::Merge(json!({"spec": {"template": template}}));
        self.admin().run(|client| async move {
            let api: Api<StatefulSet> = Api::namespaced(client, &namespace);
            api.patch(SERVICE, &PatchParams::default(), &patch).await.unwrap();
        });
    }

    /// Who has claimed the group.
    pub(crate) fn holder(&self) -> Option<String> {
        let spec = self.group_lease()?.spec?;
        spec.holder_identity.filter(|holder| !holder.is_empty())
    }

    /// The members that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.running())
    }

    /// Names, uids and addresses of the Pods, of those that have an address.
    pub(crate) fn pods(&self) -> Vec<(String, String, String)> {
        let namespace = self.namespace.clone();
        let pods = self.admin().run(|client| async move {
            Api::<Pod>::namespaced(client, &namespace).list(&ListParams::default()).await.unwrap()
        });
        let parts = |pod: Pod| {
            let address = pod.status?.pod_ip?;
            Some((pod.metadata.name?, pod.metadata.uid?, address))
        };
        pods.items.into_iter().filter_map(parts).collect()
    }

    /// The role of the Redis in a Pod: `master`, or `slave of ADDRESS STATE`.
    pub(crate) fn role(&self, pod: &str) -> Result<String, String> {
        let reply = self.kubelet.connect(pod).and_then(|mut client| client.command(&["ROLE"]));
        match reply {
            Ok(Value::Array(items)) if items[0].text() == "slave" => {
                Ok(format!("slave of {} {}", items[1].text(), items[3].text()))
            }
            Ok(Value::Array(items)) => Ok(items[0].text()),
            other => Err(format!("{pod}: {other:?}")),
        }
    }

    /// The Service.
    pub(crate) fn service(&self) -> Service {
        let namespace = self.namespace.clone();
        self.admin()
            .run(|client| async move { Api::namespaced(client, &namespace).get(SERVICE).await.unwrap() })
    }

    /// The epoch on the Service.
    pub(crate) fn epoch(&self) -> u64 {
        let annotations = self.service().metadata.annotations.unwrap_or_default();
        annotations.get(EPOCH).map_or(0, |text| text.parse().unwrap())
    }

    /// The group's Lease.
    pub(crate) fn group_lease(&self) -> Option<Lease> {
        let namespace = self.namespace.clone();
        let name = format!("{FLEET}-group-{GROUP}");
        self.admin()
            .run(|client| async move { Api::namespaced(client, &namespace).get_opt(&name).await.unwrap() })
    }

    /// Waits for an Event with that reason about the Service; its note.
    #[track_caller]
    pub(crate) fn event(&self, reason: &str) -> String {
        poll(reason, || self.events(reason).pop().ok_or("no such Event"))
    }

    /// Notes of the Events with that reason about the Service.
    pub(crate) fn events(&self, reason: &str) -> Vec<String> {
        let namespace = self.namespace.clone();
        let listed = self.admin().run(|client| async move {
            Api::<Event>::namespaced(client, &namespace).list(&ListParams::default()).await.unwrap().items
        });
        let about = |event: &Event| event.regarding.as_ref().and_then(|one| one.name.clone());
        let of_reason = listed.into_iter().filter(|event| {
            event.reason.as_deref() == Some(reason) && about(event).as_deref() == Some(SERVICE)
        });
        of_reason.filter_map(|event| event.note).collect()
    }

    /// Deletes an object of the namespace.
    pub(crate) fn delete<K>(&self, name: &str, params: DeleteParams)
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
    {
        let (namespace, name) = (self.namespace.clone(), name.to_owned());
        self.admin().run(|client| async move {
            Api::<K>::namespaced(client, &namespace).delete(&name, &params).await.unwrap();
        });
    }

    /// Addresses that the Service leads to.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        endpoints(self.admin(), &self.namespace, SERVICE).unwrap()
    }

    /// Addresses that the Service for the replicas leads to.
    pub(crate) fn replica_endpoints(&self) -> Vec<String> {
        endpoints(self.admin(), &self.namespace, REPLICAS).unwrap()
    }

    /// Which members acknowledge how many switches.
    pub(crate) fn switches(&self) -> BTreeMap<String, usize> {
        self.members
            .iter()
            .map(|member| (member.name().to_owned(), member.lines("+switch-master").len()))
            .collect()
    }

    /// Waits until every running member has told so many switches more than `before`; more are a mistake.
    #[track_caller]
    pub(crate) fn switched(&self, before: &BTreeMap<String, usize>, times: usize) {
        for member in self.running() {
            let wanted = before[member.name()] + times;
            eventually("a member tells of the switch", || member.lines("+switch-master").len() >= wanted);
            let lines = member.lines("+switch-master");
            assert_eq!(lines.len(), wanted, "{}: {lines:?}", member.name());
        }
    }

    /// A client of the Service, which keeps the last address while the API server can't be asked, as kube-proxy does.
    pub(crate) fn service_writer(&self) -> Writer {
        let (plane, namespace) = (Arc::clone(&self.plane), self.namespace.clone());
        let mut last = None;
        Writer::start(self.client(), "through-service", move || {
            if let Ok(found) = endpoints(plane.admin(), &namespace, SERVICE) {
                last = found.into_iter().next();
            }
            last.clone()
        })
    }

    /// A client that asks the members.
    pub(crate) fn sentinel_writer(&self) -> Writer {
        let members: Vec<String> = self.members.iter().map(|member| member.address().to_owned()).collect();
        Writer::start(self.client(), "through-sentinel", move || {
            members.iter().find_map(|member| {
                let mut client = Client::connect(member, crate::k8s::member::PORT).ok()?;
                match client.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", GROUP]) {
                    Ok(Value::Array(items)) => Some(items[0].text()),
                    Ok(_) | Err(_) => None,
                }
            })
        })
    }

    /// The hosts of the members.
    pub(crate) const fn hosts_of_members() -> [usize; MEMBERS] {
        [1, 2, 3]
    }

    /// Number of the host of a member.
    pub(crate) const fn host_of_member(number: usize) -> usize {
        number + 1
    }

    /// Number of the API server's host.
    pub(crate) const fn host_of_api() -> usize {
        API
    }

    /// The host of the clients.
    pub(crate) fn client(&self) -> Host {
        self.network.host(CLIENT).clone()
    }

    pub(crate) fn admin(&self) -> &Admin {
        self.plane.admin()
    }
}

impl Drop for World {
    /// Shows what a test that fails could want to know.
    fn drop(&mut self) {
        if !thread::panicking() || self.admin().ready().is_err() {
            return;
        }
        let service = self.service();
        eprintln!(
            "--- Service ---\n{:?} {:?}",
            service.metadata.annotations,
            service.spec.and_then(|spec| spec.selector)
        );
        if let Some(lease) = self.group_lease() {
            eprintln!("--- group Lease ---\n{:?}\n{:#?}", lease.spec, lease.metadata.annotations);
        }
        for (pod, uid, address) in self.pods() {
            eprintln!("--- {pod} {uid} {address} ---\n{:?}", self.role(&pod));
        }
        for member in self.running() {
            let of_kubernetes = |line: &&str| line.contains("kubernetes") || line.contains("lease_conflicts");
            let metrics = member.get("/metrics").unwrap_or_default();
            let metrics: Vec<&str> =
                metrics.lines().filter(|line| !line.starts_with('#')).filter(of_kubernetes).collect();
            eprintln!("--- {} ---\n{}", member.name(), metrics.join("\n"));
        }
    }
}

/// Without waiting for an end in order.
pub(crate) fn by_force() -> DeleteParams {
    DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }
}

fn endpoints(admin: &Admin, namespace: &str, service: &str) -> Result<Vec<String>, kube::Error> {
    let (namespace, of_service) = (namespace.to_owned(), format!("kubernetes.io/service-name={service}"));
    let slices = admin.run(|client| async move {
        let api: Api<EndpointSlice> = Api::namespaced(client, &namespace);
        api.list(&ListParams::default().labels(&of_service)).await
    })?;
    let all = slices.items.into_iter().flat_map(|slice| slice.endpoints);
    let ready =
        all.filter(|one| one.conditions.as_ref().and_then(|conditions| conditions.ready) == Some(true));
    let mut found: Vec<String> = ready.flat_map(|endpoint| endpoint.addresses).collect();
    found.sort();
    Ok(found)
}
