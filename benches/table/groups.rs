//! Many groups over fake data nodes.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::fleet::all_local;
use super::probe::{Pinger, cpu, segments, segments_between};
use crate::common::{Events, Kind, Plan, Sheet};
use crate::support::fake::State;
use crate::support::sentinel::SentinelSpec;
use crate::support::{FakeFleet, Sentinel};

/// The longest that a fleet may need to find everybody, and to fail everything over.
const LIMIT: Duration = Duration::from_secs(300);
/// The pause between two looks at a fleet that is busy.
const LOOK: Duration = Duration::from_millis(500);
/// What is needed at the start shall be over before a fleet is called idle.
const CALM: Duration = Duration::from_secs(5);
/// How long an idle fleet is watched: two INFO periods.
const IDLE: Duration = Duration::from_secs(20);
/// Groups that lose their primary at once.
const LOST: usize = 100;
/// Daemons of a fleet, each of which gives a sample of what it costs.
pub(crate) const DAEMONS: usize = 3;

/// Three daemons that were started together on fresh files.
struct Daemons {
    sentinels: Vec<Sentinel>,
    pingers: Vec<Pinger>,
}

impl Daemons {
    /// Starts them over all groups, with PINGs from the first moment on, and waits until all know everybody.
    fn start(kind: Kind, nodes: &FakeFleet, replicas: usize, of_each: &[&str]) -> Self {
        let spec = SentinelSpec {
            program: kind.program(),
            lines: nodes.lines(2, of_each),
            ..SentinelSpec::default()
        };
        let mut sentinels: Vec<Sentinel> = (0..DAEMONS).map(|_| Sentinel::prepare(&spec)).collect();
        sentinels.iter_mut().for_each(Sentinel::launch);
        let pingers = sentinels.iter().map(|sentinel| Pinger::start(sentinel.port())).collect();
        let begin = Instant::now();
        while !sentinels.iter().all(|sentinel| knows_all(sentinel, nodes.len(), replicas)) {
            assert!(begin.elapsed() < LIMIT, "the daemons never knew everybody");
            thread::sleep(LOOK);
        }
        Self { sentinels, pingers }
    }

    fn pids(&mut self) -> Vec<u32> {
        self.sentinels.iter_mut().map(|sentinel| sentinel.process().pid()).collect()
    }
}

/// Whether the daemon knows all replicas and peers of all groups, and finds the primaries well.
fn knows_all(sentinel: &Sentinel, groups: usize, replicas: usize) -> bool {
    let Ok(reply) = sentinel.connect().and_then(|mut client| client.command(&["SENTINEL", "MASTERS"])) else {
        return false;
    };
    let rows = reply.items();
    let known = |row: &crate::support::Value| {
        let row = row.fields();
        row["flags"] == "master"
            && row["num-slaves"] == replicas.to_string()
            && row["num-other-sentinels"] == "2"
    };
    rows.len() == groups && rows.iter().all(known)
}

/// What a fleet costs that has nothing to do, and how it answers while it starts.
pub(crate) fn idle(kind: Kind, sheet: &mut Sheet) {
    let small = idle_with(kind, 100, sheet, ["memory-100", "cpu-100"]);
    let large = idle_with(kind, 500, sheet, ["memory-500", "cpu-500"]);
    // The difference of two sizes is what a group costs; what a daemon has anyway drops out.
    for (small, large) in small.into_iter().zip(large) {
        sheet.add("descriptors", kind, (large.0 - small.0) / 400.0);
        sheet.add("packets", kind, (large.1 - small.1) / 400.0);
    }
}

/// Descriptors and segments per second of each daemon.
fn idle_with(kind: Kind, groups: usize, sheet: &mut Sheet, rows: [&'static str; 2]) -> Vec<(f64, f64)> {
    let nodes = FakeFleet::start(groups, 1);
    let mut daemons = Daemons::start(kind, &nodes, 1, &["down-after-milliseconds 30000"]);
    thread::sleep(CALM);
    if groups == 500 {
        daemons.pingers.iter().for_each(|pinger| sheet.add("start-500", kind, pinger.worst()));
    }
    daemons.pingers.clear();
    let pids = daemons.pids();
    let before: Vec<_> = pids.iter().map(|pid| (segments(*pid), cpu(*pid))).collect();
    let begin = Instant::now();
    thread::sleep(IDLE);
    let used: Vec<f64> = pids.iter().zip(&before).map(|(pid, before)| cpu(*pid) - before.1).collect();
    let seconds = begin.elapsed().as_secs_f64();
    used.iter().for_each(|used| sheet.add(rows[1], kind, used * 1e3 / seconds));
    let mut seen = Vec::new();
    for (sentinel, before) in daemons.sentinels.iter_mut().zip(before) {
        let process = sentinel.process();
        sheet.add(rows[0], kind, process.resident_kb() as f64 / 1024.0);
        let sent = segments_between(&before.0, &segments(process.pid()));
        let sent = sent as f64 / begin.elapsed().as_secs_f64();
        seen.push((process.descriptors() as f64, sent));
    }
    seen
}

/// All primaries are lost in the same instant.
pub(crate) fn mass(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    for _ in 0..plan.rounds {
        let nodes = FakeFleet::start(LOST, 2);
        let lines = ["down-after-milliseconds 1000", "failover-timeout 10000"];
        let mut daemons = Daemons::start(kind, &nodes, 2, &lines);
        daemons.pingers.clear();
        thread::sleep(CALM);
        let ports: Vec<u16> = daemons.sentinels.iter().map(Sentinel::port).collect();
        let events = Events::follow(None, &all_local(&ports));
        let begin = Instant::now();
        (0..LOST).for_each(|group| nodes.put(group, 0, State::Down));
        let end = loop {
            let mut last = begin;
            let mut done = BTreeSet::new();
            for event in events.since(begin, "+switch-master", "") {
                let group = event.text.split(' ').next().unwrap().to_owned();
                if done.insert((event.daemon, group)) {
                    last = last.max(event.at);
                }
            }
            if done.len() == LOST * ports.len() {
                break last;
            }
            assert!(begin.elapsed() < LIMIT, "only {} of {} switches", done.len(), LOST * ports.len());
            thread::sleep(LOOK);
        };
        sheet.add("mass", kind, (end - begin).as_secs_f64());
    }
}
