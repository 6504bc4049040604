//! A Service of somebody else's, of which two fields are ours.

use serde_json::json;
use vedette::kube::{Failure, ServiceChange, Services};

use crate::k8s::{Account, Cluster, Shared};
use crate::leases::{LIMIT, block_on, in_cluster};

const POD: &str = "statefulset.kubernetes.io/pod-name";
const EPOCH: &str = "vedette.dev/epoch";

fn service(plane: &Cluster, account: &Account<'_>) {
    plane.admin().apply(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "redis", "namespace": account.namespace(), "annotations": {"theirs": "kept"}},
        "spec": {
            "selector": {"app": "redis", "old": "yes"},
            "ports": [{"port": 6379}],
            "trafficDistribution": "PreferClose",
        },
    }));
}

fn to_pod(pod: &str, epoch: u64) -> ServiceChange {
    ServiceChange {
        annotations: [(EPOCH.to_owned(), Some(epoch.to_string()))].into(),
        selector: [(POD.to_owned(), Some(pod.to_owned())), ("old".to_owned(), None)].into(),
    }
}

#[test]
fn a_patch_changes_its_fields_and_leaves_the_rest() {
    let plane = Shared::get();
    let account = plane.account();
    service(&plane, &account);
    block_on(async {
        let services = Services::new(in_cluster(&account).await, account.namespace());
        let read = services.get("redis", LIMIT).await.unwrap();
        let version = read.metadata.resource_version.as_deref().unwrap();
        let after = services.change("redis", version, &to_pod("redis-1", 7), LIMIT).await.unwrap();

        let (before, spec) = (read.spec.unwrap(), after.spec.unwrap());
        let selector = spec.selector.as_ref().unwrap();
        let pairs: Vec<_> = selector.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("app", "redis"), (POD, "redis-1")]);
        let annotations = after.metadata.annotations.unwrap();
        assert_eq!((annotations["theirs"].as_str(), annotations[EPOCH].as_str()), ("kept", "7"));
        assert_eq!(spec.ports, before.ports);
        assert_eq!(spec.cluster_ip, before.cluster_ip);
        assert_eq!(spec.traffic_distribution.as_deref(), Some("PreferClose"));
        let managers = after.metadata.managed_fields.unwrap();
        assert!(managers.iter().any(|entry| entry.manager.as_deref() == Some("vedette")), "{managers:?}");
    });
}

#[test]
fn a_patch_on_what_somebody_else_changed_is_a_conflict() {
    let plane = Shared::get();
    let account = plane.account();
    service(&plane, &account);
    block_on(async {
        let services = Services::new(in_cluster(&account).await, account.namespace());
        let read = services.get("redis", LIMIT).await.unwrap();
        let version = read.metadata.resource_version.as_deref().unwrap();
        services.change("redis", version, &to_pod("redis-1", 7), LIMIT).await.unwrap();
        let error = services.change("redis", version, &to_pod("redis-2", 6), LIMIT).await.unwrap_err();
        assert_eq!((error.failure, error.code), (Failure::Conflict, Some(409)), "{error}");
        assert_eq!(error.call.to_string(), "patch services redis");
        let now = services.get("redis", LIMIT).await.unwrap();
        assert_eq!(now.spec.unwrap().selector.unwrap()[POD], "redis-1");

        let error = services.change("redis", "", &to_pod("redis-2", 8), LIMIT).await.unwrap_err();
        assert_eq!((error.failure, error.code), (Failure::Invalid, None));
    });
}
