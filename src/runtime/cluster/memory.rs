//! What a Lease holds beside the values that the core knows: kept, so that a write doesn't lose it. And uids, which owners
//! and Events are told by.

use std::collections::{BTreeMap, VecDeque};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};

use crate::core::claim::{PREFIX, Plain, name};
use crate::core::cluster::About;

/// Versions of one Lease that are kept. A watch that lags tells older ones after the answer to a write.
const VERSIONS: usize = 4;

/// Labels of every Lease.
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label with the fleet's name, by which its Leases are found.
pub(super) const FLEET: &str = "vedette.dev/fleet";

/// The last versions of the fleet's Leases, without annotations and without the API server's own record of managers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    leases: BTreeMap<String, VecDeque<Lease>>,
    /// Uids of the Services.
    services: BTreeMap<String, String>,
    member: String,
    /// Uid of the daemon's own Pod, if there is one.
    own_pod: Option<String>,
}

impl Memory {
    /// That of the member whose Pod has that name.
    pub(super) fn new(member: &str) -> Self {
        Self { member: member.to_owned(), ..Self::default() }
    }

    /// Takes a version in.
    pub(super) fn keep(&mut self, lease: &Lease) {
        let (Some(name), Some(_)) = (&lease.metadata.name, &lease.metadata.resource_version) else { return };
        let known = self.leases.entry(name.clone()).or_default();
        if known.iter().any(|one| one.metadata.resource_version == lease.metadata.resource_version) {
            return;
        }
        if known.len() == VERSIONS {
            known.pop_front();
        }
        let metadata = ObjectMeta { annotations: None, managed_fields: None, ..lease.metadata.clone() };
        known.push_back(Lease { metadata, spec: lease.spec.clone() });
    }

    /// That Lease is gone.
    pub(super) fn forget(&mut self, name: &str) {
        self.leases.remove(name);
    }

    /// These are all that there are.
    pub(super) fn replace(&mut self, all: &[Lease]) {
        self.leases.retain(|name, _| all.iter().any(|lease| lease.metadata.name.as_ref() == Some(name)));
        all.iter().for_each(|lease| self.keep(lease));
    }

    /// That version, if it is known.
    pub(super) fn get(&self, name: &str, version: &str) -> Option<&Lease> {
        self.leases.get(name)?.iter().find(|one| one.metadata.resource_version.as_deref() == Some(version))
    }

    /// The uid of a Lease.
    pub(super) fn uid(&self, name: &str) -> Option<String> {
        self.leases.get(name)?.back()?.metadata.uid.clone()
    }

    /// Takes a Pod in.
    pub(super) fn pod(&mut self, pod: &ObjectMeta) {
        if pod.name.as_ref() == Some(&self.member) {
            self.own_pod.clone_from(&pod.uid);
        }
    }

    /// The Pod with that uid is gone, or with none all that were known; perhaps that is the daemon's own.
    pub(super) fn own_pod_gone(&mut self, uid: Option<&str>) {
        if uid.is_none() || self.own_pod.as_deref() == uid {
            self.own_pod = None;
        }
    }

    /// Uid of the daemon's own Pod.
    pub(super) fn own_pod(&self) -> Option<&str> {
        self.own_pod.as_deref()
    }

    /// Takes a Service in.
    pub(super) fn service(&mut self, service: &ObjectMeta) {
        if let (Some(name), Some(uid)) = (&service.name, &service.uid) {
            self.services.insert(name.clone(), uid.clone());
        }
    }

    /// That Service is gone.
    pub(super) fn forget_service(&mut self, name: &str) {
        self.services.remove(name);
    }

    /// All of them are told anew.
    pub(super) fn forget_services(&mut self) {
        self.services.clear();
    }

    /// The uid of a Service.
    pub(super) fn service_uid(&self, name: &str) -> Option<String> {
        self.services.get(name).cloned()
    }
}

/// Whose Lease it is, as the API server is told.
#[derive(Clone, Debug)]
pub(super) struct Whose<'a> {
    pub(super) fleet: &'a str,
    /// Name of the daemon's own Pod.
    pub(super) member: &'a str,
    /// Its uid; none as long as it isn't known, or if there is no such Pod.
    pub(super) uid: Option<&'a str>,
}

/// The Lease that is to replace `base`, or else to be there.
pub(super) fn compose(
    name: String,
    plain: Plain,
    about: &About,
    whose: &Whose<'_>,
    base: Option<Lease>,
    now: MicroTime,
) -> Lease {
    let Lease { metadata, spec } = base.unwrap_or_default();
    let old = spec.unwrap_or_default();
    let holder = Some(plain.holder).filter(|holder| !holder.is_empty());
    let number = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
    let changed = holder != old.holder_identity.clone().filter(|holder| !holder.is_empty());
    let spec = LeaseSpec {
        acquire_time: if changed { holder.as_ref().map(|_| now.clone()) } else { old.acquire_time.clone() },
        lease_duration_seconds: plain.seconds.map(number),
        lease_transitions: plain.transitions.map(number),
        renew_time: Some(now),
        holder_identity: holder,
        ..old
    };
    let mut labels = metadata.labels.unwrap_or_default();
    let ours = [(MANAGED_BY, "vedette".to_owned()), (FLEET, whose.fleet.to_owned())];
    labels.extend(
        ours.into_iter().chain(kind_labels(whose.fleet, about)).map(|(key, value)| (key.to_owned(), value)),
    );
    let mut owners = metadata.owner_references.unwrap_or_default();
    if let (About::Member, Some(uid)) = (about, whose.uid) {
        // An earlier Pod of that name would take the Lease along.
        owners.retain(|owner| owner.kind != "Pod" || owner.name != whose.member);
        owners.push(OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: whose.member.to_owned(),
            uid: uid.to_owned(),
            ..OwnerReference::default()
        });
    }
    let metadata = ObjectMeta {
        name: Some(name),
        labels: Some(labels),
        annotations: Some(plain.annotations),
        owner_references: (!owners.is_empty()).then_some(owners),
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        finalizers: metadata.finalizers,
        ..ObjectMeta::default()
    };
    Lease { metadata, spec: Some(spec) }
}

fn kind_labels(fleet: &str, about: &About) -> Vec<(&'static str, String)> {
    const KIND: &str = "vedette.dev/kind";
    const GROUP: &str = "vedette.dev/group";
    debug_assert!(KIND.starts_with(PREFIX) && GROUP.starts_with(PREFIX));
    match about {
        About::Member => vec![(KIND, "member".to_owned())],
        About::Group(group) => {
            // Not every name may be a label; what the Lease is called by always may.
            let lease = name::group_lease(fleet, group);
            let label = lease.strip_prefix(&format!("{fleet}-group-")).unwrap_or(&lease).to_owned();
            vec![(KIND, "group".to_owned()), (GROUP, label)]
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn lease(value: Value) -> Lease {
        serde_json::from_value(value).unwrap()
    }

    fn version(name: &str, version: u32) -> Lease {
        lease(json!({
            "metadata": {"name": name, "uid": "u", "resourceVersion": version.to_string(), "annotations": {"a": "b"}},
        }))
    }

    fn now() -> MicroTime {
        serde_json::from_value(json!("2026-01-02T03:04:05.000006Z")).unwrap()
    }

    fn composed(about: &About, uid: Option<&str>, holder: &str, base: Option<Lease>) -> Value {
        let plain = Plain {
            holder: holder.to_owned(),
            seconds: Some(5),
            transitions: Some(3),
            annotations: [("ours".to_owned(), "1".to_owned())].into(),
        };
        let whose = Whose { fleet: "f", member: "vedette-0", uid };
        serde_json::to_value(compose("name".to_owned(), plain, about, &whose, base, now())).unwrap()
    }

    #[test]
    fn the_last_versions_are_known_in_whatever_order_they_came() {
        let mut memory = Memory::default();
        memory.keep(&version("a", 5));
        memory.keep(&version("a", 4));
        assert!(memory.get("a", "5").is_some() && memory.get("a", "4").is_some());
        assert_eq!(memory.get("a", "5").unwrap().metadata.annotations, None);
        (6..20).for_each(|number| memory.keep(&version("a", number)));
        assert!(memory.get("a", "5").is_none());
        assert_eq!(memory.leases["a"].len(), VERSIONS);
        memory.keep(&version("b", 1));
        memory.replace(&[version("b", 2)]);
        assert!(memory.get("a", "19").is_none() && memory.get("b", "1").is_some());
        assert_eq!(memory.uid("b").as_deref(), Some("u"));
        memory.forget("b");
        assert_eq!(memory.uid("b"), None);
    }

    #[test]
    fn what_others_have_put_into_a_lease_stays() {
        let base = lease(json!({
            "metadata": {
                "name": "name", "uid": "u", "resourceVersion": "9", "finalizers": ["example.org/x"],
                "labels": {"team": "blue", "vedette.dev/fleet": "wrong"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "1"}],
            },
            "spec": {"holderIdentity": "old", "strategy": "OldestEmulationVersion", "acquireTime": "2026-01-01T00:00:00.000000Z"},
        }));
        let written = composed(&About::Group("My.Group".to_owned()), Some("pod"), "new", Some(base));
        assert_eq!(
            written["metadata"],
            json!({
                "name": "name", "uid": "u", "resourceVersion": "9", "finalizers": ["example.org/x"],
                "annotations": {"ours": "1"},
                "labels": {
                    "team": "blue", "vedette.dev/fleet": "f", "vedette.dev/kind": "group",
                    "vedette.dev/group": "my-group-33f3c3a2", "app.kubernetes.io/managed-by": "vedette",
                },
                "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "1"}],
            })
        );
        assert_eq!(
            written["spec"],
            json!({
                "holderIdentity": "new", "leaseDurationSeconds": 5, "leaseTransitions": 3,
                "strategy": "OldestEmulationVersion",
                "acquireTime": "2026-01-02T03:04:05.000006Z", "renewTime": "2026-01-02T03:04:05.000006Z",
            })
        );
    }

    #[test]
    fn a_lease_at_rest_has_no_holder_and_one_that_is_renewed_keeps_its_beginning() {
        let spec = json!({"holderIdentity": "me", "acquireTime": "2026-01-01T00:00:00.000000Z"});
        let base = || Some(lease(json!({"metadata": {}, "spec": spec})));
        let about = About::Group("a".to_owned());
        let rest = composed(&about, None, "", base());
        assert_eq!(
            (&rest["spec"]["holderIdentity"], &rest["spec"]["acquireTime"]),
            (&Value::Null, &Value::Null)
        );
        let renewed = composed(&about, None, "me", base());
        assert_eq!(renewed["spec"]["acquireTime"], "2026-01-01T00:00:00.000000Z");
    }

    #[test]
    fn a_member_is_owned_by_the_pod_that_there_is_now() {
        let pod = |uid: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": "vedette-0", "uid": uid});
        let base = lease(json!({"metadata": {"ownerReferences": [pod("old")]}}));
        let owners =
            |uid, base| composed(&About::Member, uid, "me", base)["metadata"]["ownerReferences"].clone();
        assert_eq!(owners(Some("new"), Some(base.clone())), json!([pod("new")]));
        assert_eq!(owners(None, Some(base)), json!([pod("old")]));
        assert_eq!(owners(None, None), Value::Null);
        assert_eq!(
            composed(&About::Member, None, "me", None)["metadata"]["labels"]["vedette.dev/kind"],
            "member"
        );
    }
}
