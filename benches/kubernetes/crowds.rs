//! Many groups: what they cost at rest, and how long they take when all primaries are lost.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::audit::{self, About};
use crate::common::{Events, Kind, Plan, Sheet};
use crate::crowd::{Crowd, knows_all, member_hosts};
use crate::endpoints::Endpoints;
use crate::support::fake::{FakeRole, State};
use crate::support::sentinel::SentinelSpec;
use crate::support::{FakeFleet, Network, Sentinel};

/// Groups of the row, and its name.
const RESTING: [(usize, &str); 3] = [(1, "rest-1"), (100, "rest-100"), (1000, "rest-1000")];
/// How long members at rest are watched.
const REST: Duration = Duration::from_secs(60);
/// At rest are members that have written of nothing but themselves for so long.
const CALM: Duration = Duration::from_secs(10);
/// The longest that may take.
const LIMIT: Duration = Duration::from_secs(300);
/// Groups that lose their primary at once, and how many replicas each has.
const LOST: (usize, usize) = (100, 2);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Writes to the API while nothing happens, and memory.
pub(crate) fn rest(kind: Kind, _plan: &Plan, sheet: &mut Sheet) {
    for (groups, row) in RESTING {
        let mut crowd = Crowd::start(groups, 1, Duration::from_secs(30));
        calm(&crowd);
        let since = Timestamp::now();
        thread::sleep(REST);
        let until = since + REST;
        let writes = audit::writes(&crowd.plane);
        let count = writes.iter().filter(|write| write.received >= since && write.received < until).count();
        sheet.add(row, kind, count as f64 / REST.as_secs_f64());
        if groups == 1000 {
            for member in &mut crowd.members {
                sheet.add("memory", kind, member.process().resident_kb() as f64 / 1024.0);
            }
        }
    }
}

/// Waits until the members have nothing more to write about than themselves.
fn calm(crowd: &Crowd) {
    let begin = Instant::now();
    let busy = || {
        let now = Timestamp::now();
        let writes = audit::writes(&crowd.plane);
        let mut about_others = writes.iter().filter(|write| !matches!(write.about, About::Member { .. }));
        about_others.next_back().is_some_and(|write| now.duration_since(write.answered).unsigned_abs() < CALM)
    };
    while busy() {
        assert!(begin.elapsed() < LIMIT, "the members never came to rest");
        thread::sleep(LOOK);
    }
}

/// All primaries are lost in the same instant.
pub(crate) fn mass(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    if kind == Kind::Vedette { mass_on_kubernetes(plan, sheet) } else { mass_of(kind, plan, sheet) }
}

/// Served again is a group when every member has told of the switch and its Service leads to another Pod.
fn mass_on_kubernetes(plan: &Plan, sheet: &mut Sheet) {
    let crowd = Crowd::start(LOST.0, LOST.1, Duration::from_secs(1));
    let endpoints = Endpoints::watch(&crowd.plane, crowd.host(), &crowd.namespace);
    let daemons = crowd.daemons();
    let events = Events::follow(Some(crowd.host()), &daemons);
    for _ in 0..plan.rounds {
        calm(&crowd);
        let (begin, primaries) = lose_all(&crowd.nodes);
        let told = told_by_all(&events, daemons.len(), begin);
        let routed = routed(&endpoints, &crowd.nodes, &primaries, begin);
        sheet.add("mass", Kind::Vedette, (told.max(routed) - begin).as_secs_f64());
        for (group, primary) in primaries.into_iter().enumerate() {
            crowd.nodes.put(group, primary, State::Up);
        }
        crowd.settled(LOST.1);
        wait("the old primaries follow", || {
            (0..LOST.0)
                .all(|group| (0..=LOST.1).filter(|node| leads(&crowd.nodes, group, *node)).count() == 1)
        });
    }
}

/// The same daemons on the same machine without an API server.
fn mass_of(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    for _ in 0..plan.rounds {
        let network = Network::new(1);
        let nodes = FakeFleet::start_on(network.host(0), LOST.0, LOST.1);
        let spec = |host: &crate::support::Host| SentinelSpec {
            program: kind.program(),
            host: host.address().to_owned(),
            place: Some(host.clone()),
            lines: nodes
                .lines(2, &["down-after-milliseconds 1000", "failover-timeout 10000"])
                .into_iter()
                // On one host an outgoing connection doesn't tell which address is the daemon's own.
                .chain([format!("sentinel announce-ip {}", host.address())])
                .collect(),
            ..SentinelSpec::default()
        };
        let mut sentinels: Vec<Sentinel> =
            member_hosts(network.host(0)).iter().map(|host| Sentinel::prepare(&spec(host))).collect();
        sentinels.iter_mut().for_each(Sentinel::launch);
        wait("the daemons know everybody", || {
            sentinels.iter().all(|sentinel| {
                let reply = sentinel.connect().and_then(|mut one| one.command(&["SENTINEL", "MASTERS"]));
                reply.is_ok_and(|reply| knows_all(&reply, LOST.0, LOST.1))
            })
        });
        thread::sleep(CALM);
        let daemons: Vec<SocketAddr> =
            sentinels.iter().map(|one| SocketAddr::new(one.host().parse().unwrap(), one.port())).collect();
        let events = Events::follow(Some(network.host(0)), &daemons);
        let (begin, _) = lose_all(&nodes);
        let told = told_by_all(&events, daemons.len(), begin);
        sheet.add("mass", kind, (told - begin).as_secs_f64());
    }
}

fn leads(nodes: &FakeFleet, group: usize, node: usize) -> bool {
    nodes.role(group, node) == FakeRole::Primary
}

/// Ends all primaries; when, and which they were.
fn lose_all(nodes: &FakeFleet) -> (Instant, Vec<usize>) {
    let primaries: Vec<usize> = (0..LOST.0)
        .map(|group| (0..=LOST.1).find(|node| leads(nodes, group, *node)).expect("a primary"))
        .collect();
    let begin = Instant::now();
    primaries.iter().enumerate().for_each(|(group, primary)| nodes.put(group, *primary, State::Down));
    (begin, primaries)
}

/// When the last daemon told of the last group's switch.
fn told_by_all(events: &Events, daemons: usize, begin: Instant) -> Instant {
    let mut last = begin;
    wait("all daemons tell of all switches", || {
        let mut done = BTreeSet::new();
        for event in events.since(begin, "+switch-master", "") {
            let group = event.text.split(' ').next().unwrap().to_owned();
            if done.insert((event.daemon, group)) {
                last = last.max(event.at);
            }
        }
        done.len() == LOST.0 * daemons
    });
    last
}

/// When the last Service led to another node than the one that was lost.
fn routed(endpoints: &Endpoints, nodes: &FakeFleet, primaries: &[usize], begin: Instant) -> Instant {
    let mut last = begin;
    wait("all Services lead elsewhere", || {
        last = begin;
        primaries.iter().enumerate().all(|(group, primary)| {
            let (lost, all) = (SocketAddr::V4(nodes.address(group, *primary)), 0..=LOST.1);
            let Some(route) = endpoints.route(&FakeFleet::name(group)) else { return false };
            last = last.max(route.since);
            let led = |node| route.to == [SocketAddr::V4(nodes.address(group, node))];
            route.to != [lost] && all.into_iter().any(led)
        })
    });
    last
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < LIMIT, "never came true: {what}");
        thread::sleep(LOOK);
    }
}
