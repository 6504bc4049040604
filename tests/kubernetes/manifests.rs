//! What is shipped in `deploy/`: kustomize and Helm render it, both the same, and the API server takes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::k8s::{Admin, ControlPlane, manifests};
use crate::support::poll;

/// The namespace that the overlays name.
const NAMESPACE: &str = "redis";
/// All that is optional, as values of the chart.
const FULL: [&str; 4] = ["--set", "rbac.nodes=true", "--set", "podMonitor.enabled=true"];

/// Its path in the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A program that `tools/prepare` builds, or that a variable of the environment names.
fn tool(name: &str) -> Command {
    static ONCE: Once = Once::new();
    if let Some(own) = std::env::var_os(name.to_uppercase()) {
        return Command::new(own);
    }
    ONCE.call_once(|| {
        let status = Command::new(path("tests/kubernetes/tools/prepare")).status().unwrap();
        assert!(status.success(), "Helm and kustomize could not be built");
    });
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| path("target"), PathBuf::from);
    Command::new(target.join("kubernetes").join(name))
}

/// What a program says, or else what it complains of.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn kustomize(folder: &str) -> Vec<Value> {
    let folder = path("deploy/kubernetes").join(folder);
    let text = said(tool("kustomize").arg("build").arg(&folder));
    manifests::parse(&text.unwrap_or_else(|error| panic!("{}: {error}", folder.display())))
}

fn try_helm(release: &str, values: &[&str]) -> Result<Vec<Value>, String> {
    let chart = path("deploy/helm/vedette");
    let text = said(tool("helm").args(["template", release, "-n", NAMESPACE]).arg(chart).args(values))?;
    // Where nothing is rendered between two lines of dashes there is no object.
    Ok(manifests::parse(&text).into_iter().filter(|object| !object.is_null()).collect())
}

fn helm(values: &[&str]) -> Vec<Value> {
    try_helm("vedette", values).unwrap_or_else(|error| panic!("{values:?}: {error}"))
}

/// Objects by kind and name.
fn by_name(objects: Vec<Value>) -> BTreeMap<(String, String), Value> {
    let name = |object: &Value| {
        let text = |value: &Value| value.as_str().expect("a name").to_owned();
        (text(&object["kind"]), text(&object["metadata"]["name"]))
    };
    let count = objects.len();
    let found: BTreeMap<_, _> = objects.into_iter().map(|object| (name(&object), object)).collect();
    assert_eq!(found.len(), count, "each is there once");
    found
}

/// Takes out what kustomize has and a chart can't have: the digest behind a ConfigMap's name.
fn without_digest(objects: &mut [Value]) {
    for object in objects {
        let place = match object["kind"].as_str().expect("a kind") {
            "ConfigMap" => "/metadata/name",
            "StatefulSet" => "/spec/template/spec/volumes/0/configMap/name",
            _ => continue,
        };
        let name = object.pointer_mut(place).expect("the name of a ConfigMap");
        let (short, digest) = name.as_str().expect("a name").rsplit_once('-').expect("a digest");
        assert_eq!(digest.len(), 10, "{name}");
        *name = short.into();
    }
}

/// Takes out what a chart has and kustomize can't have: who made it, the digest of the ConfigMap, a version from one place,
/// and names of the whole cluster that hold the namespace.
fn without_chart(objects: &mut [Value]) {
    for object in objects {
        let labels = object["metadata"]["labels"].as_object_mut().expect("labels");
        assert_eq!(labels.remove("app.kubernetes.io/managed-by"), Some("Helm".into()));
        assert_eq!(
            labels.remove("helm.sh/chart"),
            Some(concat!("vedette-", env!("CARGO_PKG_VERSION")).into()),
            "the chart is as old as the program"
        );
        for place in ["/metadata/name", "/roleRef/name"] {
            if let Some(name) = object.pointer_mut(place)
                && name == "vedette-nodes-redis"
            {
                *name = "vedette-nodes".into();
            }
        }
        if object["kind"] == "StatefulSet" {
            let template = &mut object["spec"]["template"];
            let annotations = template["metadata"].as_object_mut().unwrap().remove("annotations").unwrap();
            assert_eq!(annotations["checksum/config"].as_str().unwrap().len(), 64);
            let mut own = 0;
            for place in ["containers", "initContainers"] {
                for container in
                    template["spec"].get_mut(place).and_then(Value::as_array_mut).into_iter().flatten()
                {
                    if container["image"] == concat!("vedette:", env!("CARGO_PKG_VERSION")) {
                        container["image"] = "vedette".into();
                        own += 1;
                    }
                }
            }
            assert_eq!(own, 1, "the program's own version: {}", template["spec"]);
        }
    }
}

/// Asserts that two lists hold the same objects.
#[track_caller]
fn assert_same(mut chart: Vec<Value>, mut kustomized: Vec<Value>) {
    without_chart(&mut chart);
    without_digest(&mut kustomized);
    let (chart, kustomized) = (by_name(chart), by_name(kustomized));
    assert_eq!(chart.keys().collect::<Vec<_>>(), kustomized.keys().collect::<Vec<_>>());
    for (key, object) in &chart {
        assert_eq!(object, &kustomized[key], "{key:?}: the chart's, and kustomize's");
    }
}

#[test]
fn the_chart_and_the_kustomization_are_the_same() {
    assert_same(helm(&FULL), kustomize("overlays/full"));
    let sample = ["--set", "rbac.nodes=true,antiAffinity=preferred,redis.enabled=true"];
    assert_same(helm(&sample), kustomize("overlays/sample"));
}

#[test]
fn helm_finds_nothing_to_complain_of() {
    for values in [&[][..], &FULL, &["--set", "antiAffinity=none,redis.enabled=true"]] {
        let chart = path("deploy/helm/vedette");
        said(tool("helm").args(["lint", "--strict"]).arg(chart).args(values)).unwrap();
    }
}

#[test]
fn values_do_what_they_say() {
    let text = "vedette auth-pass-file * /etc/vedette-auth/redis\nvedette log-format json\n";
    let objects = by_name(helm(&[
        "--set=members=5,rbac.services={redis,other},authSecret=passwords,fullnameOverride=guard",
        "--set=podDisruptionBudget.enabled=false,networkPolicy.clients[0].namespaceSelector.matchLabels.a=b",
        "--set-string=podAnnotations.one=1",
        &format!("--set-literal=extraConfig={text}"),
        "--set=redis.enabled=true,redis.name=cache,redis.options.down-after-milliseconds=12345678",
        "--set-literal=redis.extraConfig=maxmemory 1gb\n",
    ]));
    let object = |kind: &str, name: &str| &objects[&(kind.to_owned(), name.to_owned())];
    let config = object("ConfigMap", "guard")["data"]["sentinel.conf"].as_str().unwrap();
    assert!(config.contains("\nvedette fleet-size 5\n") && config.ends_with(text), "{config}");
    let fleet = &object("StatefulSet", "guard")["spec"];
    assert_eq!(fleet["replicas"], 5);
    assert_eq!(fleet["serviceName"], "guard-members");
    assert_eq!(fleet["template"]["metadata"]["annotations"]["one"], "1");
    assert_eq!(fleet["template"]["spec"]["volumes"][1]["secret"]["secretName"], "passwords");
    let rules = object("Role", "guard")["rules"].as_array().unwrap();
    let patches: Vec<&Value> = rules
        .iter()
        .filter(|rule| rule["resources"][0] == "services")
        .filter(|rule| rule["verbs"].as_array().unwrap().contains(&json!("patch")))
        .map(|rule| &rule["resourceNames"])
        .collect();
    assert_eq!(patches, [&json!(["redis", "other"])]);
    let from = &object("NetworkPolicy", "guard")["spec"]["ingress"][0]["from"];
    assert_eq!(*from, json!([{"podSelector": {}}, {"namespaceSelector": {"matchLabels": {"a": "b"}}}]));
    let redis = object("Service", "cache");
    assert_eq!(redis["metadata"]["labels"]["vedette.dev/group"], "cache");
    assert_eq!(redis["metadata"]["annotations"]["vedette.dev/down-after-milliseconds"], "12345678");
    let redis = &object("StatefulSet", "cache")["spec"]["template"]["spec"]["containers"][0];
    let leave = &redis["lifecycle"]["preStop"]["exec"]["command"];
    assert_eq!(
        *leave,
        json!(["/vedette/vedette", "leave", "cache", "--vedettes", "guard:26379", "--within", "30"])
    );
    let config = object("ConfigMap", "cache")["data"]["redis.conf"].as_str().unwrap();
    assert!(config.ends_with("\nreplica-serve-stale-data no\nmaxmemory 1gb\n"), "{config}");
    assert!(!objects.keys().any(|(kind, name)| name == "redis" || kind == "PodMonitor"));
}

#[test]
fn the_schema_refuses_wrong_values() {
    for (value, named) in [
        ("members=0", "/members"),
        ("members=three", "/members"),
        ("members=1.5", "/members"),
        ("replicas=3", "replicas"),
        ("image.repository=", "/image/repository"),
        ("image.tag=a b", "/image/tag"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("antiAffinity=soft", "/antiAffinity"),
        ("fullnameOverride=Upper", "/fullnameOverride"),
        ("authSecret=a/b", "/authSecret"),
        ("rbac.nodes=maybe", "/rbac/nodes"),
        ("rbac.services={Redis}", "/rbac/services/0"),
        ("rbac.services={redis,redis}", "/rbac/services"),
        ("service.ipFamilyPolicy=Dual", "/service/ipFamilyPolicy"),
        ("networkPolicy.clients[0].pods=x", "/networkPolicy/clients/0"),
        ("podMonitor.interval=often", "/podMonitor/interval"),
        ("podMonitor.namespace=a.b", "/podMonitor/namespace"),
        ("resources.limit.cpu=1", "/resources"),
        ("podAnnotations.one=1", "/podAnnotations/one"),
        ("redis.replicas=0", "/redis/replicas"),
        ("redis.storage=much", "/redis/storage"),
        ("redis.options.down-after=1", "propertyName 'down-after'"),
        ("redis.options.quorum=two", "/redis/options/quorum"),
    ] {
        let error = try_helm("vedette", &["--set", value]).expect_err(value);
        assert!(error.contains("don't meet the specifications of the schema"), "{value}: {error}");
        assert!(error.contains(named), "{value}: {error}");
    }
    let error = try_helm("vedette", &["--set", "redis.enabled=true,redis.name=vedette"]).unwrap_err();
    assert!(error.contains("redis.name: 'vedette' is the fleet's own"), "{error}");
}

/// As much of the Prometheus operator's own definition as the PodMonitor here uses.
const POD_MONITORS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: podmonitors.monitoring.coreos.com, annotations: {api-approved.kubernetes.io: unapproved}}
spec:
  group: monitoring.coreos.com
  names: {kind: PodMonitor, plural: podmonitors}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            spec:
              type: object
              required: [selector]
              properties:
                selector:
                  type: object
                  properties: {matchLabels: {type: object, additionalProperties: {type: string}}}
                podMetricsEndpoints:
                  type: array
                  items:
                    type: object
                    properties: {port: {type: string}, path: {type: string}, interval: {type: string}}
";

fn pods(admin: &Admin, namespace: &str) -> Vec<String> {
    let namespace = namespace.to_owned();
    let listed = admin.run(|client| async move {
        Api::<Pod>::namespaced(client, &namespace).list(&ListParams::default()).await.unwrap()
    });
    listed.items.into_iter().filter_map(|pod| pod.metadata.name).collect()
}

/// Has the API server check the objects, and then take them.
fn apply(admin: &Admin, objects: Vec<Value>) {
    for object in &objects {
        admin.dry_run(object.clone()).unwrap_or_else(|error| panic!("{error} on\n{object}"));
    }
    for object in objects {
        admin.apply(object);
    }
}

#[test]
fn a_restricted_namespace_takes_all_of_it() {
    let plane = ControlPlane::start(None).with_controllers();
    let admin = plane.admin();
    for definition in manifests::parse(POD_MONITORS) {
        admin.apply(definition);
    }
    let full = kustomize("overlays/full");
    let monitor = full.iter().find(|object| object["kind"] == "PodMonitor").expect("a PodMonitor").clone();
    admin.namespace(NAMESPACE);
    poll("PodMonitors are known", || admin.dry_run(monitor.clone()).map(drop));

    apply(admin, full);
    apply(admin, kustomize("overlays/sample"));
    // The controller makes Pods of the templates; one that breaks the profile is refused.
    let expected = ["redis-0", "redis-1", "redis-2", "vedette-0", "vedette-1", "vedette-2"];
    poll("all Pods are let in", || {
        let found = pods(admin, NAMESPACE);
        if found == expected { Ok(()) } else { Err(found) }
    });

    // A release of another name beside it, and with the fewest of everything.
    let mut values = FULL.to_vec();
    values.extend(["--set", "members=1,rbac.services={redis},antiAffinity=none"]);
    apply(admin, try_helm("other", &values).unwrap());
    poll("its Pod is let in", || {
        let found = pods(admin, NAMESPACE);
        if found.iter().any(|name| name == "other-0") { Ok(()) } else { Err(found) }
    });

    // The namespace does refuse: the same with one right more.
    let mut fleet = helm(&[]).into_iter().find(|object| object["kind"] == "StatefulSet").unwrap();
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "loose", "namespace": NAMESPACE}});
    pod["spec"] = fleet["spec"]["template"]["spec"].take();
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
    let error = admin.dry_run(pod).unwrap_err().to_string();
    assert!(error.contains("violates PodSecurity \"restricted"), "{error}");
}
