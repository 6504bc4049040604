//! The API's own types as the plain values that the core knows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1 as api;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::core::claim::Plain;
use crate::core::cluster::{Container, Kind, Lease, Node, Object, Pod, Service};
use crate::core::ids::{PodUid, Version};
use crate::kube;

/// The taint by which an operator says that a node is off and stays off.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// A kind that is watched, and how it is told.
pub(super) trait Told: kube::Kind + kube::Lean {
    /// Which one.
    const KIND: Kind;
    /// As the core knows it.
    fn tell(self) -> Object;
}

impl Told for coordination::Lease {
    const KIND: Kind = Kind::Lease;

    fn tell(self) -> Object {
        let spec = self.spec.unwrap_or_default();
        let (name, version) = name_and_version(&self.metadata);
        let plain = Plain {
            holder: spec.holder_identity.unwrap_or_default(),
            seconds: spec.lease_duration_seconds.map(i64::from),
            transitions: spec.lease_transitions.map(i64::from),
            annotations: self.metadata.annotations.unwrap_or_default(),
        };
        Object::Lease(Lease { name, version, plain })
    }
}

impl Told for api::Pod {
    const KIND: Kind = Kind::Pod;

    fn tell(self) -> Object {
        let (spec, status) = (self.spec.unwrap_or_default(), self.status.unwrap_or_default());
        let first = status.pod_ip.into_iter();
        let all = first.chain(status.pod_ips.into_iter().flatten().map(|ip| ip.ip));
        let mut ips: Vec<IpAddr> = Vec::new();
        for ip in all.filter_map(|text| text.parse().ok()) {
            if !ips.contains(&ip) {
                ips.push(ip);
            }
        }
        let mut told: BTreeMap<String, api::ContainerStatus> =
            status.container_statuses.into_iter().flatten().map(|one| (one.name.clone(), one)).collect();
        let containers = spec.containers.into_iter().map(|one| container(told.remove(&one.name), one));
        Object::Pod(Pod {
            uid: PodUid::from(self.metadata.uid.unwrap_or_default()),
            ips,
            labels: self.metadata.labels.unwrap_or_default(),
            node: spec.node_name.unwrap_or_default(),
            deleting: self.metadata.deletion_timestamp.is_some(),
            over: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            containers: containers.collect(),
            name: self.metadata.name.unwrap_or_default(),
        })
    }
}

fn container(status: Option<api::ContainerStatus>, spec: api::Container) -> Container {
    let ports = spec.ports.into_iter().flatten().filter_map(|port| u16::try_from(port.container_port).ok());
    let mut container =
        Container { name: spec.name, ports: ports.collect(), id: String::new(), running: false, ended: None };
    if let Some(status) = status {
        let ended = |state: Option<&api::ContainerState>| {
            let ended = state?.terminated.as_ref()?;
            ended.container_id.clone().filter(|id| !id.is_empty())
        };
        container.running = status.state.as_ref().is_some_and(|state| state.running.is_some());
        container.ended = ended(status.state.as_ref()).or_else(|| ended(status.last_state.as_ref()));
        container.id = status.container_id.unwrap_or_default();
    }
    container
}

impl Told for api::Service {
    const KIND: Kind = Kind::Service;

    fn tell(self) -> Object {
        let manager = selector_manager(&self.metadata);
        let (name, version) = name_and_version(&self.metadata);
        let spec = self.spec.unwrap_or_default();
        let port = spec.ports.iter().flatten().next().and_then(|port| u16::try_from(target(port)).ok());
        Object::Service(Service {
            name,
            version,
            labels: self.metadata.labels.unwrap_or_default(),
            annotations: self.metadata.annotations.unwrap_or_default(),
            selector: spec.selector.unwrap_or_default(),
            port,
            manager,
            deleting: self.metadata.deletion_timestamp.is_some(),
        })
    }
}

impl Told for api::Node {
    const KIND: Kind = Kind::Node;

    fn tell(self) -> Object {
        let spec = self.spec.unwrap_or_default();
        Object::Node(Node {
            name: self.metadata.name.unwrap_or_default(),
            cordoned: spec.unschedulable.unwrap_or_default(),
            out_of_service: spec.taints.into_iter().flatten().any(|taint| taint.key == OUT_OF_SERVICE),
        })
    }
}

/// Where a Service's port leads in the Pods; a name there is for nobody to resolve but the API server's own controllers.
pub(super) const fn target(port: &api::ServicePort) -> i32 {
    match port.target_port {
        // 0 is how the API says that nothing was given.
        Some(IntOrString::Int(target)) if target != 0 => target,
        Some(IntOrString::Int(_) | IntOrString::String(_)) | None => port.port,
    }
}

fn name_and_version(metadata: &ObjectMeta) -> (String, Version) {
    let version = Version::from(metadata.resource_version.as_deref().unwrap_or_default());
    (metadata.name.clone().unwrap_or_default(), version)
}

/// Who wrote the selector last.
fn selector_manager(metadata: &ObjectMeta) -> String {
    let entries = metadata.managed_fields.iter().flatten();
    let writers = entries.filter(|entry| {
        entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer("/f:spec/f:selector").is_some())
    });
    let last = writers.max_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    last.and_then(|entry| entry.manager.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn told<K: Told + DeserializeOwned>(value: Value) -> Object {
        serde_json::from_value::<K>(value).unwrap().lean().tell()
    }

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_lease_is_told_with_all_its_annotations() {
        let object = told::<coordination::Lease>(json!({
            "metadata": {"name": "f-group-a", "resourceVersion": "7", "annotations": {"theirs": "x"}},
            "spec": {"holderIdentity": "me", "leaseDurationSeconds": 5, "leaseTransitions": 2},
        }));
        let plain = Plain {
            holder: "me".to_owned(),
            seconds: Some(5),
            transitions: Some(2),
            annotations: labels(&[("theirs", "x")]),
        };
        assert_eq!(
            object,
            Object::Lease(Lease { name: "f-group-a".to_owned(), version: Version::from("7"), plain })
        );
        let empty = told::<coordination::Lease>(json!({"metadata": {"name": "f"}}));
        let Object::Lease(empty) = empty else { panic!("{empty:?}") };
        assert_eq!(empty.plain, Plain::default());
    }

    #[test]
    fn a_pod_is_told_with_what_the_kubelet_says_of_its_containers() {
        let object = told::<api::Pod>(json!({
            "metadata": {
                "name": "redis-0", "uid": "u", "labels": {"app": "redis"},
                "deletionTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"nodeName": "one", "containers": [
                {"name": "redis", "ports": [{"containerPort": 6379}]}, {"name": "exporter"}, {"name": "new"},
            ]},
            "status": {
                "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                "containerStatuses": [
                    {"name": "exporter", "image": "", "imageID": "", "ready": false, "restartCount": 0, "containerID": "c://2",
                     "state": {"terminated": {"exitCode": 1, "containerID": "c://2"}},
                     "lastState": {"terminated": {"exitCode": 1, "containerID": "c://1"}}},
                    {"name": "redis", "image": "", "imageID": "", "ready": true, "restartCount": 1, "containerID": "c://9",
                     "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 137, "containerID": "c://8"}}},
                ],
            },
        }));
        let Object::Pod(pod) = object else { panic!("{object:?}") };
        assert_eq!(
            (pod.name.as_str(), pod.uid.as_str(), pod.node.as_str(), pod.deleting, pod.over),
            ("redis-0", "u", "one", true, false)
        );
        assert_eq!(pod.ips, ["10.0.0.1", "fd00::1"].map(|ip| ip.parse::<IpAddr>().unwrap()));
        let containers: Vec<_> = pod
            .containers
            .iter()
            .map(|one| {
                (one.name.as_str(), one.ports.as_slice(), one.id.as_str(), one.running, one.ended.as_deref())
            })
            .collect();
        assert_eq!(
            containers,
            [
                ("redis", &[6379][..], "c://9", true, Some("c://8")),
                ("exporter", &[], "c://2", false, Some("c://2")),
                ("new", &[], "", false, None),
            ]
        );
    }

    #[test]
    fn a_pod_is_over_in_its_last_phases_and_has_no_address_before_it_has_one() {
        for (phase, over) in [("Pending", false), ("Succeeded", true), ("Failed", true), ("Unknown", false)] {
            let object =
                told::<api::Pod>(json!({"metadata": {"name": "a"}, "status": {"phase": phase, "podIP": ""}}));
            let Object::Pod(pod) = object else { panic!("{object:?}") };
            assert_eq!((pod.over, pod.ips), (over, vec![]), "{phase}");
        }
    }

    #[test]
    fn the_port_of_a_service_is_the_pods_own_where_it_is_a_number() {
        for (ports, port) in [
            (json!([{"port": 6379, "targetPort": 6380}, {"port": 1}]), Some(6380)),
            (json!([{"port": 6379, "targetPort": "redis"}]), Some(6379)),
            (json!([{"port": 6379}]), Some(6379)),
            (json!([]), None),
        ] {
            let object = told::<api::Service>(json!({"metadata": {"name": "a"}, "spec": {"ports": ports}}));
            let Object::Service(service) = object else { panic!("{object:?}") };
            assert_eq!(service.port, port, "{ports}");
        }
    }

    #[test]
    fn who_wrote_the_selector_last_is_told() {
        let entry = |manager: &str, time: &str, fields: Value| json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields});
        let selector = json!({"f:spec": {"f:selector": {}}});
        let object = told::<api::Service>(json!({
            "metadata": {"name": "a", "resourceVersion": "3", "managedFields": [
                entry("kubectl", "2026-01-01T00:00:02Z", selector.clone()),
                entry("vedette", "2026-01-01T00:00:01Z", selector),
                entry("other", "2026-01-01T00:00:03Z", json!({"f:metadata": {}})),
            ]},
            "spec": {"selector": {"app": "redis"}},
        }));
        let Object::Service(service) = object else { panic!("{object:?}") };
        assert_eq!((service.manager.as_str(), service.version.as_str()), ("kubectl", "3"));
        assert_eq!(service.selector, labels(&[("app", "redis")]));
    }

    #[test]
    fn a_node_is_told_as_cordoned_and_as_out_of_service() {
        let object = told::<api::Node>(json!({"metadata": {"name": "one"}, "spec": {
            "unschedulable": true, "taints": [{"key": OUT_OF_SERVICE, "effect": "NoExecute"}],
        }}));
        assert_eq!(
            object,
            Object::Node(Node { name: "one".to_owned(), cordoned: true, out_of_service: true })
        );
    }
}
