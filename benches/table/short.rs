//! Short times: a down-after of 300 ms, a primary that is back at once with nothing, and vedette's fast down-after.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::faults::WRITES;
use super::fleet::{Fleet, local};
use crate::common::{Events, Kind, Plan, Sheet, ms, spread};
use crate::support::group::NAME;
use crate::support::{Client, Value, eventually};

/// After a fault nothing may be published for so long before the next: a second switch comes within a second or two.
const QUIET: Duration = Duration::from_secs(3);
/// How long the primary is away.
const AWAY: Duration = Duration::from_millis(300);
/// Keys that the primary holds as it is killed.
const KEYS: usize = 1000;

/// How often each daemon publishes +switch-master for one kill -9.
pub(crate) fn switches(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let mut fleet = Fleet::start(kind, Duration::from_millis(300), &[], &[]);
    let daemons = fleet.daemons();
    let events = Arc::new(fleet.events());
    for round in 0..plan.rounds {
        let old = fleet.restore();
        let writer = fleet.follower(&events);
        writer.goes_on(WRITES);
        spread(round);
        let begin = Instant::now();
        fleet.node(old).kill();
        writer.first_elsewhere(begin, local(old));
        events.first_of_each(begin, "+switch-master", NAME);
        quiet(&events, begin);
        fleet.restore();
        quiet(&events, begin);
        let switches = events.since(begin, "+switch-master", NAME);
        for daemon in 0..daemons.len() {
            let count = switches.iter().filter(|event| event.daemon == daemon).count();
            sheet.add("switches-300", kind, count as f64);
        }
    }
}

/// Waits until no daemon has switched for some time.
fn quiet(events: &Events, begin: Instant) {
    eventually("the daemons are done with switching", || {
        let last = events.since(begin, "+switch-master", NAME).last().map_or(begin, |event| event.at);
        last.elapsed() >= QUIET
    });
}

/// The primary is killed and back after 0.3 s without its data: what is left of it?
pub(crate) fn reboot(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let line = format!("master-reboot-down-after-period {NAME} 200");
    let mut fleet = Fleet::start(kind, Duration::from_millis(1000), &[], &[&line]);
    let events = fleet.events();
    for round in 0..plan.rounds {
        let old = fleet.restore();
        let key = |number| format!("reboot-{round}-{number}");
        let mut client = Client::connect("127.0.0.1", old).unwrap();
        for number in 0..KEYS {
            client.call(&["SET", &key(number), "x"]);
        }
        assert_eq!(client.call(&["WAIT", "2", "5000"]), Value::Int(2));
        spread(round);
        let begin = Instant::now();
        fleet.node(old).kill();
        without_replication(&mut fleet, old);
        thread::sleep(AWAY.saturating_sub(begin.elapsed()));
        fleet.node(old).launch();
        // As far as a daemon does something, it does it within this time; whatever it did must then be finished.
        thread::sleep(QUIET);
        eventually("the fleet is whole", || {
            let primary = fleet.primary();
            fleet.whole(primary)
        });
        quiet(&events, begin);
        let mut client = Client::connect("127.0.0.1", fleet.primary()).unwrap();
        let keys: Vec<String> = (0..KEYS).map(key).collect();
        let mut words = vec!["EXISTS"];
        words.extend(keys.iter().map(String::as_str));
        let Value::Int(left) = client.call(&words) else { panic!("EXISTS gives no number") };
        sheet.add("reboot", kind, KEYS as f64 - left as f64);
    }
}

/// The node's file makes it a primary at its next start, with Redis's own delay of a full resync: the harness's zero would
/// have it empty its replicas in the same instant in which they notice it, whoever watches.
fn without_replication(fleet: &mut Fleet, port: u16) {
    let conf = fleet.node(port).conf();
    let text = std::fs::read_to_string(&conf).unwrap();
    let left_out = ["replicaof", "repl-diskless-sync-delay"];
    let kept = text.lines().filter(|line| !left_out.iter().any(|name| line.starts_with(name)));
    std::fs::write(&conf, kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// kill -9 with fast-down-after-milliseconds 100.
pub(crate) fn fast(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let line = format!("vedette fast-down-after-milliseconds {NAME} 100");
    // The directive names a group: it stands after it.
    let mut fleet = Fleet::start(kind, Duration::from_millis(1000), &[&line], &[]);
    let events = Arc::new(fleet.events());
    for round in 0..plan.rounds {
        let old = fleet.restore();
        let writer = fleet.follower(&events);
        writer.goes_on(WRITES);
        spread(round);
        let begin = Instant::now();
        fleet.node(old).kill();
        sheet.add("fast", kind, ms(begin, writer.first_elsewhere(begin, local(old))));
        events.first_of_each(begin, "+switch-master", NAME);
        fleet.0.switched_from(old);
    }
}

/// From the start of three daemons with fresh files until each knows both others.
pub(crate) fn peers(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let mut fleet = Fleet::start(kind, Duration::from_millis(1000), &[], &[]);
    let primary = fleet.primary();
    for _ in 0..plan.rounds {
        // The hellos of the daemons before these have ended with them.
        fleet.0.sentinels.clear();
        let spec = fleet.0.spec.sentinel(&kind.program(), primary);
        let mut fresh: Vec<_> = (0..3).map(|_| crate::support::Sentinel::prepare(&spec)).collect();
        let begin = Instant::now();
        fresh.iter_mut().for_each(crate::support::Sentinel::launch);
        let knows =
            |sentinel: &crate::support::Sentinel| sentinel.master_field(NAME, "num-other-sentinels") == "2";
        while !fresh.iter().all(knows) {
            assert!(begin.elapsed() < Duration::from_secs(60), "the daemons never knew each other");
            thread::sleep(Duration::from_millis(2));
        }
        sheet.add("peers", kind, begin.elapsed().as_secs_f64());
        fleet.0.sentinels = fresh;
    }
}
