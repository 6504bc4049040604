//! A claimant that ends, or is stopped, at each step of a failover. A gate before the API server holds what it writes there.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::k8s::gate::Fault;
use crate::support::poll;
use crate::world::{GROUP, World};

/// Longer than a claim lasts.
const STOPPED: Duration = Duration::from_secs(8);

/// Where it is stopped.
struct Point {
    /// What it has done, as for people.
    done: &'static str,
    /// The request at which it is.
    at: fn(&str) -> bool,
    /// Whether that is carried out before.
    arrives: bool,
}

/// Between two of them are the steps that leave no trace at the API server: barrier, promotion and its proof, what the other
/// data nodes are told.
const POINTS: [Point; 9] = [
    Point { done: "it claimed", at: |request| records(request, "claimed"), arrives: true },
    Point { done: "it knows whom to choose", at: |request| records(request, "chosen"), arrives: false },
    Point { done: "it recorded its choice", at: |request| records(request, "chosen"), arrives: true },
    Point { done: "it promoted", at: |request| records(request, "committed"), arrives: false },
    Point { done: "it committed", at: |request| records(request, "committed"), arrives: true },
    Point { done: "it is about to route", at: routes, arrives: false },
    Point { done: "it routed", at: routes, arrives: true },
    Point { done: "it told the others whom to follow", at: closes, arrives: false },
    Point { done: "it closed", at: closes, arrives: true },
];

fn writes(request: &str) -> bool {
    let line = request.lines().next().unwrap_or_default();
    line.starts_with("PUT ") && line.contains(&format!("-group-{GROUP}"))
}

/// A claim's step goes into the group's Lease, in an annotation that is JSON itself.
fn records(request: &str, step: &str) -> bool {
    writes(request) && request.contains(&format!(r#"\"step\":\"{step}\""#)) && !closes(request)
}

fn closes(request: &str) -> bool {
    writes(request) && !request.contains("holderIdentity")
}

fn routes(request: &str) -> bool {
    request.lines().next().unwrap_or_default().starts_with("PATCH ") && request.contains("/services/")
}

/// Kills the primary's container, and waits until a member is at that point: its number.
fn at(world: &World, first: &str, point: &Point) -> usize {
    // What a replica without data can't replace comes back itself.
    world.put_a_key_everywhere(first);
    let gate = world.gate.as_ref().unwrap();
    let before = gate.stalled().len();
    gate.rule_where(point.at, Fault::Stall { arrives: point.arrives }, Some(1));
    world.kubelet.signal(first, Signal::KILL);
    let from = poll(point.done, || match gate.stalled().get(before) {
        Some(from) => Ok(from.to_string()),
        None => Err("nobody is there yet"),
    });
    let member = world.members.iter().position(|member| member.address() == from);
    member.unwrap_or_else(|| panic!("{from} is no member"))
}

#[test]
fn a_claimant_that_is_killed_at_any_step_is_gone_on_for() {
    let mut world = World::behind_a_gate();
    let writer = world.service_writer();
    for point in &POINTS {
        let first = world.settled();
        let member = at(&world, &first, point);
        world.members[member].kill();
        let second = world.settled_without(&first);
        writer.goes_on();
        world.members[member].start();
        assert_eq!(world.settled(), second, "{}", point.done);
    }
}

#[test]
fn a_claimant_that_is_stopped_at_any_step_does_no_harm_when_it_wakes() {
    let mut world = World::behind_a_gate();
    let writer = world.service_writer();
    for point in &POINTS {
        let first = world.settled();
        let member = at(&world, &first, point);
        world.members[member].process().pause();
        let wakes_at = Instant::now() + STOPPED;
        poll(point.done, || world.leads_to_another_than(&first));
        thread::sleep(wakes_at.saturating_duration_since(Instant::now()));
        let (epoch, second) = (world.epoch(), world.primary());
        world.members[member].process().signal(Signal::CONT);
        world.settled_without(&first);
        writer.goes_on();
        assert_eq!((world.epoch(), world.primary()), (epoch, second), "{}", point.done);
    }
}

#[test]
fn a_watch_that_lags_five_seconds_delays_and_breaks_nothing() {
    let mut world = World::behind_a_gate();
    let first = world.settled();
    let writer = world.service_writer();
    writer.goes_on();
    let gate = world.gate.as_ref().unwrap();
    gate.rule("GET ", "watch=true", Fault::Lag(Duration::from_secs(5)), None);
    // What is watched already doesn't lag.
    for member in &mut world.members {
        member.kill();
        member.start();
    }
    assert_eq!(world.settled(), first);
    world.kubelet.signal(&first, Signal::KILL);
    let second = world.settled_without(&first);
    writer.goes_on();
    world.gate.as_ref().unwrap().heal();
    assert_eq!(world.settled(), second);
}
