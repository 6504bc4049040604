//! One engine of a fleet and an API server that answers as a test says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::scope::{EPOCH, annotation};
use crate::core::action::Level;
use crate::core::claim::{GroupLease, Instance, Primary, Rest, name::group_lease};
use crate::core::cluster::{Answer, Answered, Call, Kind, Lease, Object, POD_KEY, Pod, Seen, Service};
use crate::core::ids::{CallNo, GroupName, PodUid, RunId, Version};
use crate::core::settings::Fleet;
use crate::core::{Action, Engine, Input, Node, Settings, Time};

/// Many more than a member begins with at once.
const GROUPS: usize = 300;
/// Long after nobody else can have claimed a Lease that isn't there.
const LATER: Time = Time::from_millis(20_000);

fn group(number: usize) -> String {
    format!("g{number:03}")
}

fn pod(number: usize) -> Object {
    Object::Pod(Pod {
        name: group(number),
        uid: PodUid::from(group(number)),
        ips: vec![format!("10.0.{}.{}", number / 100, number % 100 + 1).parse().unwrap()],
        labels: [("app".to_owned(), group(number))].into(),
        node: "one".to_owned(),
        deleting: false,
        over: false,
        containers: Vec::new(),
    })
}

fn service(number: usize) -> Object {
    Object::Service(Service {
        name: group(number),
        version: Version::from("1"),
        labels: [("vedette.dev/group".to_owned(), group(number))].into(),
        annotations: BTreeMap::new(),
        selector: [("app".to_owned(), group(number))].into(),
        port: Some(6379),
        manager: "kubectl".to_owned(),
        deleting: false,
    })
}

/// A member that sees so many groups without a Lease.
fn member(groups: usize) -> Engine {
    let fleet = Fleet {
        name: "fleet".to_owned(),
        member: "m".to_owned(),
        size: 3,
        observe: false,
        cold_start_wait: Duration::from_secs(30),
        pods: BTreeMap::new(),
        services: BTreeMap::new(),
    };
    let node = Node { port: 26379, fleet: Some(fleet), ..Node::default() };
    let mut engine = Engine::new(Settings::default(), node, 1, Level::Notice, Time::ZERO);
    let mut out = Vec::new();
    engine.start(Time::ZERO, &mut out);
    let all = [
        (Kind::Lease, Vec::new()),
        (Kind::Node, Vec::new()),
        (Kind::Pod, (0..groups).map(pod).collect()),
        (Kind::Service, (0..groups).map(service).collect()),
    ];
    for (kind, objects) in all {
        engine.handle(Input::Seen(Seen::All(kind, objects)), Time::ZERO, &mut out);
        engine.handle(Input::Seen(Seen::Watching(kind, true)), Time::ZERO, &mut out);
    }
    engine
}

/// Calls that were just made of claims that want to be begun, each with its group.
fn begun(out: &mut Vec<Action>) -> Vec<(CallNo, String)> {
    let read = |action| match action {
        Action::Api { call, request: Call::ReadService { name }, .. } => Some((call, name)),
        _ => None,
    };
    out.drain(..).filter_map(read).collect()
}

#[test]
fn claims_begin_as_there_is_room_for_their_calls_and_all_have_their_turn() {
    let mut engine = member(GROUPS);
    let mut out = Vec::new();
    engine.handle(Input::Timer { heard: LATER }, LATER, &mut out);
    let mut waiting = begun(&mut out);
    let most = waiting.len();
    assert!((1..GROUPS / 4).contains(&most), "{most} at once");
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for _ in 0..GROUPS {
        let Some((call, name)) = waiting.pop() else { break };
        seen.insert(name);
        // It comes back to this group, but not before it has seen to others.
        let answer = Answer::Unknown("no answer".to_owned());
        engine.handle(Input::Answered(Answered { call, answer }), LATER, &mut out);
        waiting.extend(begun(&mut out));
        assert!(waiting.len() <= most, "{} at once", waiting.len());
    }
    assert_eq!(seen.len(), GROUPS);
}

#[test]
fn a_group_that_comes_while_the_process_ends_is_not_claimed() {
    for ends in [false, true] {
        let (mut engine, mut out) = (member(0), Vec::new());
        if ends {
            engine.handle(Input::Terminate, Time::ZERO, &mut out);
        }
        for object in [pod(0), service(0)] {
            engine.handle(Input::Seen(Seen::Changed(object)), Time::ZERO, &mut out);
        }
        engine.handle(Input::Timer { heard: LATER }, LATER, &mut out);
        assert_eq!(begun(&mut out).is_empty(), ends);
    }
}

#[test]
fn a_mistake_is_told_once_and_again_when_it_is_made_again() {
    let (mut engine, mut told) = (member(0), Vec::new());
    for quorum in ["many", "many", "2", "many"] {
        let Object::Service(service) = service(0) else { panic!("no Service") };
        let annotations = [(annotation("quorum"), quorum.to_owned())].into();
        let mut out = Vec::new();
        let changed = Object::Service(Service { annotations, ..service });
        engine.handle(Input::Seen(Seen::Changed(changed)), Time::ZERO, &mut out);
        let logged = |action| matches!(action, &Action::Log { level: Level::Warning, .. });
        told.push(out.iter().filter(|action| logged(action)).count());
    }
    assert_eq!(told, [1, 0, 0, 1]);
}

#[test]
fn an_edit_counts_as_one_also_where_the_service_was_shown_before_the_commit() {
    let mut engine = member(1);
    let Object::Service(bare) = service(0) else { panic!("no Service") };
    let mut turned = bare.clone();
    turned.selector.insert(POD_KEY.to_owned(), group(0));
    turned.annotations.insert(EPOCH.to_owned(), "8".to_owned());
    let instance = Instance {
        pod: group(0),
        uid: PodUid::from(group(0)),
        address: "10.0.0.1:6379".to_owned(),
        run_id: RunId::from("r"),
    };
    let primary =
        Primary { instance, replication_id: "h".to_owned(), offset: 0, epoch: 8, rest: Rest::new() };
    let lease = GroupLease { primary: Some(primary), ..GroupLease::new(GroupName::from(group(0))) };
    let name = group_lease("fleet", &group(0));
    let lease = Object::Lease(Lease { name, version: Version::from("2"), plain: lease.print() });
    let mut out = Vec::new();
    for object in [Object::Service(turned), lease, Object::Service(bare)] {
        engine.handle(Input::Seen(Seen::Changed(object)), Time::ZERO, &mut out);
    }
    let repaired =
        |action: &Action| matches!(action, Action::Log { text, .. } if text.contains("changed whom Service"));
    assert_eq!(out.iter().filter(|action| repaired(action)).count(), 1, "{out:?}");
}
