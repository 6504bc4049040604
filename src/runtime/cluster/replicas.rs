//! A Service for the replicas: a selector can't say "all but one", so its EndpointSlices are written here. They follow from
//! the Service that leads to the primary and from the Pods, which all members see alike; who looks first writes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ObjectReference, Pod, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use tokio::time::Instant;

use super::Cluster;
use super::translate::target;
use crate::core::action::Level;
use crate::core::cluster::POD_KEY;
use crate::core::settings::Fleet;
use crate::kube::Seen;
use crate::runtime::random;

pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";
pub(super) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "vedette";
/// Changes within this time are written together; each member takes some more by chance, so that mostly one writes.
const TOGETHER: Duration = Duration::from_millis(20);
const CHANCE_MS: u64 = 150;
/// How long one write may take, and the pause after one that failed.
const LIMIT: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_secs(2);

/// One group's Services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    primary: String,
    replicas: String,
    /// The group's Pods, where that is not what the first Service says.
    pods: Option<BTreeMap<String, String>>,
}

impl Route {
    /// Those of a fleet that have a Service for the replicas.
    pub(super) fn all(fleet: &Fleet) -> Vec<Self> {
        let routes = fleet.services.iter().filter_map(|(group, routes)| {
            let pods = fleet.pods.get(group).map(|pods| pods.labels.clone());
            Some(Self { primary: routes.primary.clone(), replicas: routes.replicas.clone()?, pods })
        });
        routes.collect()
    }
}

/// What the watches have shown.
#[derive(Debug, Default)]
pub(super) struct Sight {
    pods: BTreeMap<String, Pod>,
    services: BTreeMap<String, Service>,
    slices: BTreeMap<String, EndpointSlice>,
    /// Services that were complained of.
    complained: Vec<String>,
}

impl Sight {
    pub(super) fn pod(&mut self, seen: &Seen<Pod>) {
        note(&mut self.pods, seen, |pod| &pod.metadata);
    }

    pub(super) fn service(&mut self, seen: &Seen<Service>) {
        note(&mut self.services, seen, |service| &service.metadata);
    }
}

fn note<K: Clone>(known: &mut BTreeMap<String, K>, seen: &Seen<K>, metadata: impl Fn(&K) -> &ObjectMeta) {
    let name = |object: &K| metadata(object).name.clone().unwrap_or_default();
    match seen {
        Seen::All(all) => *known = all.iter().map(|one| (name(one), one.clone())).collect(),
        Seen::Changed(one) => drop(known.insert(name(one), one.clone())),
        Seen::Removed(one) => drop(known.remove(&name(one))),
        Seen::Open | Seen::Lost(_) => {}
    }
}

/// Keeps the slices as they have to be, until the process ends.
pub(super) async fn keep(cluster: Rc<Cluster>) {
    tokio::task::spawn_local(follow(cluster.clone()));
    // The last failure, which is said once as long as it lasts.
    let mut failure = String::new();
    loop {
        cluster.replicas_changed.notified().await;
        tokio::time::sleep(TOGETHER + Duration::from_millis(random::seed() % CHANCE_MS)).await;
        let due: Vec<_> = cluster.routes.iter().flat_map(|route| due(&cluster, route)).collect();
        for slice in due {
            match write(&cluster, &slice).await {
                Ok(()) => failure.clear(),
                Err(text) => {
                    if text != failure {
                        let said = format!("failed to write the endpoints of the replicas: {text}");
                        cluster.log(Level::Warning, &said);
                        failure = text;
                    }
                    tokio::time::sleep(AGAIN).await;
                    cluster.replicas_changed.notify_one();
                    break;
                }
            }
        }
    }
}

async fn follow(cluster: Rc<Cluster>) {
    let mut watch = cluster.slices.watch(&format!("{MANAGED_BY}={MANAGER}"));
    loop {
        let seen = watch.next().await;
        if let Seen::Lost(error) = &seen {
            cluster.failed(error);
        }
        note(&mut cluster.replicas.borrow_mut().slices, &seen, |slice| &slice.metadata);
        cluster.replicas_changed.notify_one();
    }
}

async fn write(cluster: &Cluster, slice: &EndpointSlice) -> Result<(), String> {
    let deadline = Instant::now() + LIMIT;
    if !cluster.pace.patient(deadline).await {
        return Err("too many writes are waiting".to_owned());
    }
    cluster.slices.apply(slice, LIMIT).await.map_err(|error| {
        cluster.failed(&error);
        error.to_string()
    })
}

/// The slices of a route that are not as they have to be.
fn due(cluster: &Cluster, route: &Route) -> Vec<EndpointSlice> {
    let mut sight = cluster.replicas.borrow_mut();
    let selects = |service: &Service| {
        service
            .spec
            .as_ref()
            .and_then(|spec| spec.selector.as_ref())
            .is_some_and(|selector| !selector.is_empty())
    };
    if sight.services.get(&route.replicas).is_some_and(selects) {
        if !sight.complained.contains(&route.replicas) {
            sight.complained.push(route.replicas.clone());
            let text =
                format!("Service {} has a selector, so it can't lead to the replicas alone", route.replicas);
            cluster.log(Level::Warning, &text);
        }
        return Vec::new();
    }
    let wanted = wanted(&sight, route, &cluster.setup.namespace);
    let right = |slice: &EndpointSlice| {
        let known = slice.metadata.name.as_ref().and_then(|name| sight.slices.get(name));
        known.is_some_and(|known| alike(known, slice))
    };
    wanted.into_iter().filter(|slice| !right(slice)).collect()
}

/// Whether two slices lead to the same in the same way.
fn alike(one: &EndpointSlice, other: &EndpointSlice) -> bool {
    let ports = |slice: &EndpointSlice| -> Vec<(String, Option<i32>)> {
        let ports = slice.ports.iter().flatten();
        ports.map(|port| (port.name.clone().unwrap_or_default(), port.port)).collect()
    };
    let service = |slice: &EndpointSlice| slice.metadata.labels.as_ref()?.get(SERVICE_NAME).cloned();
    one.endpoints == other.endpoints && ports(one) == ports(other) && service(one) == service(other)
}

/// How the slices of a route have to be: none as long as it isn't known who is primary.
fn wanted(sight: &Sight, route: &Route, namespace: &str) -> Vec<EndpointSlice> {
    let spec = |name: &String| sight.services.get(name).and_then(|service| service.spec.as_ref());
    let Some(mut selector) = spec(&route.primary).and_then(|spec| spec.selector.clone()) else {
        return Vec::new();
    };
    let (Some(primary), Some(own)) = (selector.remove(POD_KEY), sight.services.get(&route.replicas)) else {
        return Vec::new();
    };
    let labels = route.pods.as_ref().unwrap_or(&selector);
    let belongs = |pod: &&Pod| {
        let theirs = pod.metadata.labels.as_ref();
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        pod.metadata.name.as_ref() != Some(&primary)
            && !labels.is_empty()
            && labels.iter().all(|(key, value)| theirs.and_then(|theirs| theirs.get(key)) == Some(value))
            && !matches!(phase, Some("Succeeded" | "Failed"))
    };
    let pods: Vec<&Pod> = sight.pods.values().filter(belongs).collect();
    let families = [("IPv4", "ipv4"), ("IPv6", "ipv6")].into_iter().filter_map(|(family, suffix)| {
        let name = format!("{}-vedette-{suffix}", route.replicas);
        let endpoints: Vec<Endpoint> =
            pods.iter().filter_map(|pod| endpoint(pod, family, namespace)).collect();
        // One that is there is emptied, not removed.
        let needed = !endpoints.is_empty() || sight.slices.contains_key(&name);
        needed.then(|| slice(name, family, endpoints, own))
    });
    families.collect()
}

fn slice(name: String, family: &str, endpoints: Vec<Endpoint>, own: &Service) -> EndpointSlice {
    let service = own.metadata.name.clone().unwrap_or_default();
    let labels = [(SERVICE_NAME, service.as_str()), (MANAGED_BY, MANAGER)];
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        name: service.clone(),
        uid: own.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    };
    let ports = own.spec.iter().flat_map(|spec| spec.ports.iter().flatten()).map(|port| EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(target(port)),
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".to_owned())),
        ..EndpointPort::default()
    });
    EndpointSlice {
        address_type: family.to_owned(),
        ports: Some(ports.collect()),
        endpoints,
        metadata: ObjectMeta {
            name: Some(name),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
    }
}

/// A Pod in a slice; nothing without an address of that family.
fn endpoint(pod: &Pod, family: &str, namespace: &str) -> Option<Endpoint> {
    let status = pod.status.as_ref()?;
    let all = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str()).chain(status.pod_ip.as_deref());
    let of_family = |text: &&str| {
        text.parse::<IpAddr>().is_ok_and(|ip| if family == "IPv4" { ip.is_ipv4() } else { ip.is_ipv6() })
    };
    let address = all.into_iter().find(of_family)?.to_owned();
    let ready = status.conditions.iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True");
    let terminating = pod.metadata.deletion_timestamp.is_some();
    Some(Endpoint {
        addresses: vec![address],
        conditions: Some(EndpointConditions {
            ready: Some(ready && !terminating),
            serving: Some(ready),
            terminating: Some(terminating),
        }),
        node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_owned()),
            name: pod.metadata.name.clone(),
            namespace: Some(namespace.to_owned()),
            uid: pod.metadata.uid.clone(),
            ..ObjectReference::default()
        }),
        ..Endpoint::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen<K: serde::de::DeserializeOwned>(objects: Value) -> Seen<K> {
        Seen::All(serde_json::from_value(objects).unwrap())
    }

    fn pod(name: &str, app: &str, ips: &[&str], more: Value) -> Value {
        let ready = json!([{"type": "Ready", "status": more["ready"].as_str().unwrap_or("True")}]);
        let ips: Vec<Value> = ips.iter().map(|ip| json!({"ip": ip})).collect();
        json!({
            "metadata": {
                "name": name, "uid": format!("uid-{name}"), "labels": {"app": app}, "deletionTimestamp": more["deleted"],
            },
            "spec": {"nodeName": "one", "containers": []},
            "status": {"phase": "Running", "podIPs": ips, "conditions": ready},
        })
    }

    fn sight(selector: Value) -> Sight {
        let mut sight = Sight::default();
        sight.service(&seen(json!([
            {"metadata": {"name": "redis"}, "spec": {"selector": selector}},
            {"metadata": {"name": "others", "uid": "s"}, "spec": {"ports": [{"port": 6379, "targetPort": 6380}]}},
        ])));
        sight.pod(&seen(json!([
            pod("redis-0", "redis", &["10.0.0.1", "fd00::1"], json!({})),
            pod("redis-1", "redis", &["10.0.0.2", "fd00::2"], json!({})),
            pod("redis-2", "redis", &["10.0.0.3"], json!({"ready": "False"})),
            pod("redis-3", "redis", &["10.0.0.4"], json!({"deleted": "2026-01-01T00:00:00Z"})),
            pod("redis-4", "redis", &[], json!({})),
            pod("web-0", "web", &["10.0.0.9"], json!({})),
        ])));
        sight
    }

    fn route() -> Route {
        Route { primary: "redis".to_owned(), replicas: "others".to_owned(), pods: None }
    }

    fn addresses(slice: &EndpointSlice) -> Vec<(&str, bool)> {
        let ready = |one: &Endpoint| one.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap();
        slice.endpoints.iter().map(|one| (one.addresses[0].as_str(), ready(one))).collect()
    }

    #[test]
    fn all_but_the_primary_are_there_in_a_slice_for_each_family() {
        let sight = sight(json!({"app": "redis", POD_KEY: "redis-0"}));
        let wanted = wanted(&sight, &route(), "db");
        let [four, six] = wanted.as_slice() else { panic!("{wanted:?}") };
        assert_eq!(addresses(four), [("10.0.0.2", true), ("10.0.0.3", false), ("10.0.0.4", false)]);
        assert_eq!(addresses(six), [("fd00::2", true)]);
        assert_eq!((four.address_type.as_str(), six.address_type.as_str()), ("IPv4", "IPv6"));
        assert_eq!(four.metadata.name.as_deref(), Some("others-vedette-ipv4"));
        assert_eq!(four.ports.as_ref().unwrap()[0].port, Some(6380));
        assert_eq!(four.metadata.owner_references.as_ref().unwrap()[0].uid, "s");
    }

    #[test]
    fn as_long_as_nobody_is_known_to_be_primary_nothing_is_written() {
        assert_eq!(wanted(&sight(json!({"app": "redis"})), &route(), "db"), []);
        let unknown = Route { replicas: "none".to_owned(), ..route() };
        assert_eq!(wanted(&sight(json!({"app": "redis", POD_KEY: "redis-0"})), &unknown, "db"), []);
    }

    #[test]
    fn a_slice_that_is_there_is_emptied() {
        let mut sight = sight(json!({"app": "redis", POD_KEY: "redis-1"}));
        let before = wanted(&sight, &route(), "db");
        let slices = before.into_iter().map(|one| (one.metadata.name.clone().unwrap(), one));
        sight.slices = slices.collect();
        sight.pod(&seen(json!([pod("redis-1", "redis", &["10.0.0.2"], json!({}))])));
        let after = wanted(&sight, &route(), "db");
        assert_eq!(after.iter().map(addresses).collect::<Vec<_>>(), [vec![], vec![]]);
    }
}
