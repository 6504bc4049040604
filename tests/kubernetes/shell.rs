//! The shell between the core and the API server: what it tells of what is there, and what it makes of calls.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::events::v1::Event as ApiEvent;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::LocalSet;
use vedette::core::Input;
use vedette::core::action::{Event as CoreEvent, Level};
use vedette::core::claim::Plain;
use vedette::core::cluster::{About, Answer, Answered, Call, Event, Kind, Object, Regarding, Seen};
use vedette::core::ids::{CallNo, GroupName, Version};
use vedette::core::settings::Fleet;
use vedette::kube::{Access, Source};
use vedette::metrics::Metrics;
use vedette::runtime::cluster::{Cluster, Setup};
use vedette::runtime::{Api as _, Journal};

use crate::k8s::gate::{Fault, Gate};
use crate::k8s::{Account, ControlPlane, Shared};
use crate::leases::LIMIT;

/// The log, kept.
#[derive(Default)]
struct Lines(RefCell<Vec<String>>);

impl Journal for Lines {
    fn event(&self, _: &CoreEvent) {}

    fn line(&self, _: Level, _: Option<&GroupName>, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }

    fn signal(&self, _: &str) {}

    fn set_level(&self, _: Level) {}
}

/// A shell without a core: the test asks, and looks at what comes.
struct Shell {
    cluster: Rc<Cluster>,
    inputs: Rc<RefCell<Vec<Input>>>,
    came: Rc<Notify>,
    lines: Rc<Lines>,
    calls: RefCell<u64>,
}

impl Shell {
    async fn new(account: &Account<'_>, address: &str) -> Self {
        let source = Source::Cluster { address: address.to_owned(), folder: account.folder().to_owned() };
        let lines = Rc::new(Lines::default());
        let cluster = Cluster::new(Setup {
            access: Access::new(source).await.unwrap(),
            namespace: account.namespace().to_owned(),
            fleet: Fleet {
                name: "f".to_owned(),
                member: "vedette-0".to_owned(),
                size: 1,
                observe: false,
                cold_start_wait: LIMIT,
                pods: BTreeMap::new(),
                services: BTreeMap::new(),
            },
            journal: lines.clone(),
            metrics: Metrics::new(prometheus::Registry::new()).unwrap().cluster().unwrap(),
        });
        let (inputs, came) = (Rc::<RefCell<Vec<Input>>>::default(), Rc::new(Notify::new()));
        let (sink, bell) = (inputs.clone(), came.clone());
        cluster.begin(Rc::new(move |input| {
            sink.borrow_mut().push(input);
            bell.notify_one();
        }));
        Self { cluster, inputs, came, lines, calls: RefCell::new(0) }
    }

    /// Waits until something among all that came is as wanted.
    async fn until<T>(&self, what: &str, find: impl Fn(&Input) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = self.inputs.borrow().iter().rev().find_map(&find) {
                    return found;
                }
                self.came.notified().await;
            }
        };
        let found = tokio::time::timeout(LIMIT, found).await;
        found.unwrap_or_else(|_| panic!("never came: {what}; what came: {:?}", self.inputs.borrow()))
    }

    async fn seen<T>(&self, what: &str, find: impl Fn(&Seen) -> Option<T>) -> T {
        self.until(what, |input| match input {
            Input::Seen(seen) => find(seen),
            _ => None,
        })
        .await
    }

    async fn watching(&self, kind: Kind) {
        self.seen("an open watch", |seen| (*seen == Seen::Watching(kind, true)).then_some(())).await;
    }

    async fn call_within(&self, request: Call, limit: Duration) -> Answer {
        let number = {
            let mut calls = self.calls.borrow_mut();
            *calls += 1;
            CallNo(*calls)
        };
        self.cluster.call(number, request, limit);
        let answer = self
            .until("an answer", |input| match input {
                Input::Answered(Answered { call, answer }) if *call == number => Some(answer.clone()),
                _ => None,
            })
            .await;
        let all = self.inputs.borrow();
        let times =
            all.iter().filter(|input| matches!(input, Input::Answered(one) if one.call == number)).count();
        assert_eq!(times, 1, "answered once");
        answer
    }

    async fn call(&self, request: Call) -> Answer {
        self.call_within(request, LIMIT).await
    }

    /// Writes that Lease and gives its version.
    async fn written(&self, name: &str, version: Option<Version>, holder: &str, about: About) -> Version {
        match self.call(write(name, version, holder, about)).await {
            Answer::Landed(version) => version,
            other => panic!("{other:?}"),
        }
    }
}

fn plain(holder: &str) -> Plain {
    Plain {
        holder: holder.to_owned(),
        seconds: Some(5),
        transitions: Some(1),
        annotations: [("vedette.dev/form".to_owned(), "1".to_owned())].into(),
    }
}

fn write(name: &str, version: Option<Version>, holder: &str, about: About) -> Call {
    Call::WriteLease { name: name.to_owned(), version, plain: plain(holder), about }
}

fn group() -> About {
    About::Group("A b".to_owned())
}

async fn local<T>(work: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(work).await
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    crate::leases::block_on(local(work))
}

fn read(account: &Account<'_>, name: &'static str) -> Lease {
    let namespace = account.namespace().to_owned();
    account
        .admin()
        .run(|client| async move { Api::<Lease>::namespaced(client, &namespace).get(name).await.unwrap() })
}

#[test]
fn leases_are_written_with_labels_and_owner_and_keep_what_others_put_there() {
    let plane = Shared::get();
    let account = plane.account();
    let pod = plane.admin().apply(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "vedette-0", "namespace": account.namespace()},
        "spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "vedette", "image": "vedette", "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            }}],
        },
    }));
    block_on(async {
        let shell = Shell::new(&account, account.address()).await;
        shell.watching(Kind::Pod).await;
        shell.written("f-member-vedette-0", None, "me", About::Member).await;
        let member = read(&account, "f-member-vedette-0").metadata;
        assert_eq!(member.owner_references.unwrap()[0].uid, pod.metadata.uid.unwrap());
        let labels = member.labels.unwrap();
        let label = |key: &str| labels[key].as_str();
        assert_eq!(
            (label("app.kubernetes.io/managed-by"), label("vedette.dev/fleet"), label("vedette.dev/kind")),
            ("vedette", "f", "member")
        );

        let first = shell.written("f-group-a", None, "one", group()).await;
        plane.admin().apply(json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "f-group-a", "namespace": account.namespace(), "labels": {"team": "blue"}},
        }));
        assert_eq!(shell.call(write("f-group-a", Some(first), "two", group())).await, Answer::Conflict);
        let Answer::Read(Some(Object::Lease(now))) =
            shell.call(Call::ReadLease { name: "f-group-a".to_owned() }).await
        else {
            panic!("no Lease")
        };
        assert_eq!(now.plain, plain("one"));
        let second = shell.written("f-group-a", Some(now.version), "", group()).await;
        let written = read(&account, "f-group-a");
        let labels = written.metadata.labels.unwrap();
        assert_eq!((labels["team"].as_str(), labels["vedette.dev/group"].as_str()), ("blue", "a-b-a760b0e1"));
        let spec = written.spec.unwrap();
        assert_eq!((spec.holder_identity, spec.lease_transitions), (None, Some(1)));
        shell
            .seen("the change in the watch", |seen| match seen {
                Seen::Changed(Object::Lease(lease)) => (lease.version == second).then_some(()),
                _ => None,
            })
            .await;
    });
}

#[test]
fn a_write_on_what_is_gone_or_taken_is_a_conflict() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let shell = Shell::new(&account, account.address()).await;
        shell.watching(Kind::Lease).await;
        let version = shell.written("f-group-a", None, "one", group()).await;
        assert_eq!(shell.call(write("f-group-a", None, "two", group())).await, Answer::Conflict);
        let namespace = account.namespace().to_owned();
        account.admin().run(|client| async move {
            Api::<Lease>::namespaced(client, &namespace)
                .delete("f-group-a", &Default::default())
                .await
                .unwrap();
        });
        // Known here still, or not any more: the answer is the same.
        assert_eq!(
            shell.call(write("f-group-a", Some(version.clone()), "two", group())).await,
            Answer::Conflict
        );
        let gone = Seen::Removed(Kind::Lease, "f-group-a".to_owned());
        shell.seen("that it is gone", |seen| (*seen == gone).then_some(())).await;
        assert_eq!(shell.call(write("f-group-a", Some(version), "two", group())).await, Answer::Conflict);
        assert_eq!(shell.call(Call::ReadLease { name: "f-group-a".to_owned() }).await, Answer::Read(None));
        assert_eq!(shell.call(Call::ReadService { name: "none".to_owned() }).await, Answer::Read(None));
    });
}

#[test]
fn another_fleets_leases_are_not_shown_and_nodes_only_with_the_right_to_see_them() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        plane.admin().apply(json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {
                "name": "g-group-a", "namespace": account.namespace(), "labels": {"vedette.dev/fleet": "g"},
            },
        }));
        let shell = Shell::new(&account, account.address()).await;
        shell.watching(Kind::Lease).await;
        let all = shell
            .seen("all Leases", |seen| match seen {
                Seen::All(Kind::Lease, all) => Some(all.clone()),
                _ => None,
            })
            .await;
        assert_eq!(all, []);
        let off = Seen::Watching(Kind::Node, false);
        shell.seen("that nodes can't be watched", |seen| (*seen == off).then_some(())).await;
        let lines = shell.lines.0.borrow();
        assert_eq!(lines.iter().filter(|line| line.contains("right to watch nodes")).count(), 1, "{lines:?}");
    });
}

#[test]
fn a_service_is_patched_in_the_version_that_was_read() {
    let plane = Shared::get();
    let account = plane.account();
    plane.admin().apply(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "redis", "namespace": account.namespace(), "labels": {"vedette.dev/group": "a"}},
        "spec": {"selector": {"app": "redis"}, "ports": [{"port": 6379}]},
    }));
    block_on(async {
        let shell = Shell::new(&account, account.address()).await;
        let Answer::Read(Some(Object::Service(read))) =
            shell.call(Call::ReadService { name: "redis".to_owned() }).await
        else {
            panic!("no Service")
        };
        assert_eq!((read.manager.as_str(), read.port), ("test-administrator", Some(6379)));
        assert_eq!(read.labels["vedette.dev/group"], "a");
        let patch = |epoch: &str| Call::PatchService {
            name: "redis".to_owned(),
            version: read.version.clone(),
            selector: [("pod".to_owned(), Some("redis-1".to_owned()))].into(),
            annotations: [("vedette.dev/epoch".to_owned(), Some(epoch.to_owned()))].into(),
        };
        let Answer::Landed(version) = shell.call(patch("7")).await else { panic!("not patched") };
        assert_eq!(shell.call(patch("8")).await, Answer::Conflict);
        let now = shell
            .seen("the change", |seen| {
                let found = |object: &Object| match object {
                    Object::Service(service) if service.version == version => Some(service.clone()),
                    _ => None,
                };
                match seen {
                    Seen::Changed(object) => found(object),
                    Seen::All(_, all) => all.iter().find_map(found),
                    _ => None,
                }
            })
            .await;
        assert_eq!((now.manager.as_str(), now.annotations["vedette.dev/epoch"].as_str()), ("vedette", "7"));
        let selector =
            [("app", "redis"), ("pod", "redis-1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(now.selector, BTreeMap::from(selector));
    });
}

#[test]
fn answers_say_whether_it_may_have_happened() {
    const PUT: &str = "PUT /apis/coordination.k8s.io/v1/namespaces/";
    let plane = ControlPlane::start(None);
    let (gate, account) = (Gate::new(&plane), plane.account());
    block_on(async {
        let shell = Shell::new(&account, &gate.address()).await;
        shell.watching(Kind::Lease).await;
        let version = shell.written("f-group-a", None, "one", group()).await;
        let mut answers = Vec::new();
        for fault in [
            Fault::Answer(429, "TooManyRequests", 7),
            Fault::Answer(403, "Forbidden", 0),
            Fault::Answer(500, "InternalError", 0),
            Fault::LoseRequest,
        ] {
            gate.rule(PUT, "", fault, Some(1));
            answers.push(shell.call(write("f-group-a", Some(version.clone()), "two", group())).await);
        }
        let [
            Answer::Refused { after: Some(after), .. },
            Answer::Refused { after: None, reason },
            Answer::Unknown(_),
            Answer::Unknown(_),
        ] = answers.as_slice()
        else {
            panic!("{answers:?}")
        };
        assert_eq!(*after, Duration::from_secs(7));
        assert!(reason.starts_with("update leases f-group-a: refused (403)"), "{reason}");

        gate.rule(PUT, "", Fault::Lag(Duration::from_secs(600)), Some(1));
        let limit = Duration::from_millis(300);
        let late = shell.call_within(write("f-group-a", Some(version), "two", group()), limit).await;
        assert!(matches!(late, Answer::Unknown(_)), "{late:?}");
    });
}

#[test]
fn an_api_server_that_goes_and_comes_back_is_told_and_logged_once_each() {
    let plane = ControlPlane::start(None);
    let account = plane.account();
    block_on(async {
        let shell = Shell::new(&account, account.address()).await;
        shell.watching(Kind::Lease).await;
        shell.watching(Kind::Pod).await;
        plane.kill_api();
        let lost = Seen::Watching(Kind::Lease, false);
        shell.seen("the watch is lost", |seen| (*seen == lost).then_some(())).await;
        let refused = shell.call(Call::ReadLease { name: "f-group-a".to_owned() }).await;
        assert!(matches!(refused, Answer::Refused { after: None, .. }), "{refused:?}");
        plane.start_api();
        shell.inputs.borrow_mut().clear();
        shell.watching(Kind::Lease).await;
        let count = |text: &str| shell.lines.0.borrow().iter().filter(|line| line.contains(text)).count();
        assert_eq!(count("lost sight of the fleet's Leases: "), 1);
        assert_eq!(count("the fleet's Leases are in sight again"), 1);
    });
}

#[test]
fn a_token_that_is_refused_is_read_again() {
    let plane = Shared::get();
    let account = plane.account();
    account.write_token("no.such.token");
    block_on(async {
        let shell = Shell::new(&account, account.address()).await;
        let lost = Seen::Watching(Kind::Lease, false);
        shell.seen("nothing to see", |seen| (*seen == lost).then_some(())).await;
        account.write_token(&account.new_token());
        shell.watching(Kind::Lease).await;
        let lines = shell.lines.0.borrow();
        assert!(
            lines.iter().any(|line| line.contains("credentials of the Kubernetes API were replaced")),
            "{lines:?}"
        );
    });
}

#[test]
fn the_same_event_again_is_counted() {
    let plane = Shared::get();
    let account = plane.account();
    plane.admin().apply(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "redis", "namespace": account.namespace()},
        "spec": {"ports": [{"port": 6379}]},
    }));
    block_on(async {
        let shell = Shell::new(&account, account.address()).await;
        shell.watching(Kind::Service).await;
        let event = |note: &str| {
            Call::Event(Event {
                regarding: Regarding::Service("redis".to_owned()),
                warning: true,
                reason: "ServiceEdited",
                note: note.to_owned(),
            })
        };
        for note in ["by kubectl", "by kubectl", "by helm", "by kubectl"] {
            let answer = shell.call(event(note)).await;
            assert!(matches!(answer, Answer::Landed(_)), "{answer:?}");
        }
        let namespace = account.namespace().to_owned();
        let listed = account.admin().run(|client| async move {
            let api: Api<ApiEvent> = Api::namespaced(client, &namespace);
            api.list(&ListParams::default()).await.unwrap().items
        });
        let mut found: Vec<_> = listed
            .iter()
            .map(|one| (one.note.as_deref().unwrap(), one.series.as_ref().map(|series| series.count)))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [("by helm", None), ("by kubectl", Some(3))]);
        let regarding = listed[0].regarding.as_ref().unwrap();
        assert_eq!((regarding.kind.as_deref(), regarding.name.as_deref()), (Some("Service"), Some("redis")));
        assert!(regarding.uid.is_some());

        // The API server forgets Events after a while.
        for one in &listed {
            let (namespace, name) = (account.namespace().to_owned(), one.metadata.name.clone().unwrap());
            account.admin().run(|client| async move {
                Api::<ApiEvent>::namespaced(client, &namespace)
                    .delete(&name, &Default::default())
                    .await
                    .unwrap();
            });
        }
        let answer = shell.call(event("by kubectl")).await;
        assert!(matches!(answer, Answer::Landed(_)), "{answer:?}");
    });
}
