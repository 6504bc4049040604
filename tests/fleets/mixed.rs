//! vedette together with redis-sentinel and valkey-sentinel, each in the minority and in the majority.

use std::time::{Duration, Instant};

use crate::fleet::{agree, kind, soaking};
use crate::report;
use crate::support::group::NAME;
use crate::support::node::{REDIS, VALKEY};
use crate::support::{Events, Group, Program, Spec, Writer};

/// What makes a fleet fail over.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// kill -9 of the primary.
    Kill,
    /// SIGSTOP of the primary, SIGCONT after the switch.
    Freeze,
    /// SENTINEL FAILOVER.
    Order,
}

const FAULTS: [Fault; 3] = [Fault::Kill, Fault::Freeze, Fault::Order];

#[test]
fn with_redis_sentinel_in_the_minority() {
    goes_through_faults(REDIS, &[Program::subject(), Program::subject(), Program::genuine()]);
}

#[test]
fn with_redis_sentinel_in_the_majority() {
    goes_through_faults(REDIS, &[Program::subject(), Program::genuine(), Program::genuine()]);
}

#[test]
fn with_valkey_sentinel_in_the_minority() {
    goes_through_faults(VALKEY, &[Program::subject(), Program::subject(), Program::genuine_valkey()]);
}

#[test]
fn with_valkey_sentinel_in_the_majority() {
    goes_through_faults(VALKEY, &[Program::subject(), Program::genuine_valkey(), Program::genuine_valkey()]);
}

/// Three faults with a short patience, or ten with a long one.
fn goes_through_faults(server: &'static str, programs: &[Program]) {
    let (count, patience) = if soaking() { (10, 5000) } else { (FAULTS.len(), 1500) };
    let down_after = Duration::from_millis(patience);
    let mut group = Spec { server, programs: programs.to_vec(), down_after, ..Spec::default() }.start();
    let events: Vec<Events> = group.sentinels.iter().map(Events::listen).collect();
    let kinds: Vec<&str> = programs.iter().map(kind).collect();
    let writer = Writer::start(&group);
    writer.goes_on();
    let mut rows = Vec::new();
    let mut epoch = epoch_of(&group);
    // Where each daemon's events of each fault begin: what is published late still counts for the fault before.
    let mut marks: Vec<Vec<usize>> = Vec::new();
    for number in 0..count {
        marks.push(events.iter().map(Events::mark).collect());
        let fault = FAULTS[number % FAULTS.len()];
        let begin = Instant::now();
        let old = group.primary_port();
        // Each daemon is the one asked in its turn.
        let asked = number / FAULTS.len() % programs.len();
        match fault {
            Fault::Kill => group.node(old).kill(),
            Fault::Freeze => group.node(old).pause(),
            Fault::Order => group.sentinels[asked].ok(&["SENTINEL", "FAILOVER", NAME]),
        }
        let new = group.switched_from(old);
        match fault {
            Fault::Kill => group.node(old).restart(),
            Fault::Freeze => group.node(old).resume(),
            Fault::Order => {}
        }
        group.all_follow(new);
        group.settled();
        assert_eq!(agree(&group), new, "the primary moved again");
        writer.goes_on();
        let now = epoch_of(&group);
        assert!(now > epoch, "a switch without a new epoch: {epoch}, then {now}");
        epoch = now;
        let last = |one: usize, channel: &str| events[one].since(marks[number][one], channel).pop();
        let leaders = (0..events.len()).filter(|&one| last(one, "+selected-slave").is_some());
        let names: Vec<&str> = leaders.map(|one| kinds[one]).collect();
        let told =
            (0..events.len()).filter_map(|one| last(one, "+switch-master")).map(|event| event.at).max();
        rows.push(vec![
            format!("{fault:?}"),
            names.join(" and "),
            format!("{}", told.expect("a switch").duration_since(begin).as_millis()),
        ]);
    }
    let ends: Vec<usize> = events.iter().map(Events::mark).collect();
    marks.push(ends);
    for (number, row) in rows.iter_mut().enumerate() {
        for (one, kind) in kinds.iter().enumerate() {
            let rest = marks[number + 1][one];
            let later = events[one].since(rest, "+switch-master").len();
            let switches = events[one].since(marks[number][one], "+switch-master").len() - later;
            row.push(switches.to_string());
            if *kind == "vedette" {
                let text = events[one].text(marks[number][one]);
                assert_eq!(switches, 1, "fault {number}: +switch-master of daemon {one}:\n{text}");
            }
        }
    }
    let head: Vec<&str> =
        ["fault", "led by", "ms to the last +switch-master"].into_iter().chain(kinds).collect();
    report::table(&format!("Mixed fleet, {}: +switch-master per fault", head[3..].join(", ")), &head, &rows);
}

fn epoch_of(group: &Group) -> u64 {
    group.sentinels[0].master_field(NAME, "config-epoch").parse().unwrap()
}
