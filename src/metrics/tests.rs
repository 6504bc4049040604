use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::core::action::{FailoverReason, FailoverResult, Observation, Phase};
use crate::core::view::{GroupView, InstanceView};
use crate::runtime::FrontStats;

fn instance(name: &str, flags: &str) -> InstanceView {
    InstanceView {
        name: name.to_owned(),
        host: "10.0.0.1".to_owned(),
        port: 6379,
        run_id: String::new(),
        flags: flags.to_owned(),
        down: flags.contains("s_down"),
        disconnected: false,
        last_ok_reply_ms: 1500,
        role: None,
        offset: None,
        link_ok: None,
    }
}

fn group() -> GroupView {
    GroupView {
        name: "m".to_owned(),
        status: "ok",
        primary: instance("m", "master"),
        current_host: "10.0.0.9".to_owned(),
        current_port: 7000,
        quorum: 2,
        quorum_reachable: true,
        usable_sentinels: 2,
        config_epoch: 7,
        leader_epoch: 7,
        leader: None,
        failover_state: None,
        down_after_ms: 5000,
        fast_down_after_ms: 0,
        fast_down: false,
        failover_timeout_ms: 180_000,
        parallel_syncs: 3,
        replicas: vec![instance("a", "slave"), instance("b", "s_down,slave,disconnected")],
        sentinels: vec![instance("x", "sentinel"), instance("y", "s_down,sentinel")],
    }
}

fn snapshot(groups: Vec<GroupView>) -> Snapshot {
    Snapshot {
        view: View {
            my_id: "me".to_owned(),
            current_epoch: 9,
            tilt: true,
            tilt_since_ms: Some(1),
            running_scripts: 1,
            queued_scripts: 2,
            next_deadline_in_ms: None,
            next_deadline_why: None,
            groups,
        },
        simulate_failure_flags: 3,
        front: FrontStats {
            connected: 4,
            accepted: 10,
            rejected: 6,
            calls: vec![("ping".to_owned(), 5), ("sentinel|masters".to_owned(), 2)],
        },
        ready: true,
    }
}

fn metrics() -> Metrics {
    Metrics::new(Registry::new()).unwrap()
}

fn text(metrics: &Metrics, snapshot: &Snapshot) -> String {
    metrics.exposition().text(snapshot, false).unwrap()
}

#[track_caller]
fn holds(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
}

#[test]
fn groups_are_shown_as_the_exporter_shows_them() {
    let text = text(&metrics(), &snapshot(vec![group()]));
    let labels = "{master_address=\"10.0.0.1:6379\",master_name=\"m\"}";
    for (name, value) in [
        ("redis_sentinel_master_slaves", "2"),
        ("redis_sentinel_master_ok_slaves", "1"),
        ("redis_sentinel_master_sentinels", "3"),
        ("redis_sentinel_master_ok_sentinels", "2"),
        ("redis_sentinel_master_setting_ckquorum", "2"),
        ("redis_sentinel_master_setting_failover_timeout", "180000"),
        ("redis_sentinel_master_setting_parallel_syncs", "3"),
        ("redis_sentinel_master_config_epoch", "7"),
        ("redis_sentinel_master_last_ok_ping_reply_seconds", "1.5"),
        ("vedette_group_down_after_seconds", "5"),
    ] {
        holds(&text, &format!("{name}{labels} {value}"));
    }
    holds(
        &text,
        "redis_sentinel_master_status{master_address=\"10.0.0.1:6379\",master_name=\"m\",master_status=\"ok\"} 1",
    );
    holds(
        &text,
        "redis_sentinel_master_ckquorum_status{master_name=\"m\",message=\"OK 2 usable Sentinels. Quorum and failover authorization can be reached\"} 1",
    );
    for (name, value) in [
        ("redis_sentinel_masters", "1"),
        ("redis_sentinel_tilt", "1"),
        ("redis_sentinel_running_scripts", "1"),
        ("redis_sentinel_scripts_queue_length", "2"),
        ("redis_sentinel_simulate_failure_flags", "3"),
        ("vedette_current_epoch", "9"),
        ("vedette_connected_clients", "4"),
        ("vedette_accepted_connections_total", "10"),
        ("vedette_rejected_connections_total", "6"),
        ("vedette_queries_total{command=\"ping\"}", "5"),
        ("vedette_queries_total{command=\"sentinel|masters\"}", "2"),
    ] {
        holds(&text, &format!("{name} {value}"));
    }
    assert!(!text.contains("_milliseconds{"));
}

#[test]
fn a_group_that_is_down_and_short_of_daemons_says_so() {
    let mut group = group();
    (group.status, group.quorum_reachable, group.usable_sentinels) = ("odown", false, 1);
    group.name = "a\"b".to_owned();
    let text = text(&metrics(), &snapshot(vec![group]));
    holds(
        &text,
        "redis_sentinel_master_status{master_address=\"10.0.0.1:6379\",master_name=\"a\\\"b\",master_status=\"odown\"} 0",
    );
    holds(
        &text,
        "redis_sentinel_master_ckquorum_status{master_name=\"a\\\"b\",message=\"NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the specified quorum for this master. Not enough available Sentinels to reach the majority and authorize a failover\"} 0",
    );
}

#[test]
fn observations_are_counted_under_their_labels() {
    let metrics = metrics();
    let before = text(&metrics, &snapshot(vec![]));
    holds(&before, "vedette_failovers_total{reason=\"down\",result=\"switched\"} 0");
    holds(&before, "vedette_votes_total 0");
    holds(&before, "vedette_config_writes_total{result=\"error\"} 0");
    let failover =
        Observation::Failover { reason: FailoverReason::Manual, result: FailoverResult::NoGoodReplica };
    metrics.core.observe(&failover);
    metrics.core.observe(&Observation::Phase { phase: Phase::Elect, took: Duration::from_millis(70) });
    metrics.core.observe(&Observation::Vote);
    metrics.core.event("+sdown");
    metrics.core.event("+sdown");
    metrics.store.written(true, Duration::from_millis(3));
    metrics.store.written(false, Duration::from_millis(300));
    metrics.turns.late(Duration::from_millis(20));
    metrics.turns.input();
    let after = text(&metrics, &snapshot(vec![]));
    for line in [
        "vedette_failovers_total{reason=\"manual\",result=\"no_good_replica\"} 1",
        "vedette_failovers_total{reason=\"down\",result=\"switched\"} 0",
        "vedette_failover_phase_seconds_bucket{phase=\"elect\",le=\"0.05\"} 0",
        "vedette_failover_phase_seconds_bucket{phase=\"elect\",le=\"0.1\"} 1",
        "vedette_failover_phase_seconds_count{phase=\"promote\"} 0",
        "vedette_votes_total 1",
        "vedette_events_total{event=\"+sdown\"} 2",
        "vedette_config_writes_total{result=\"ok\"} 1",
        "vedette_config_writes_total{result=\"error\"} 1",
        "vedette_config_write_seconds_count 2",
        "vedette_loop_lateness_seconds_bucket{le=\"0.025\"} 1",
        "vedette_inputs_total 1",
    ] {
        holds(&after, line);
    }
}

#[test]
fn promtool_finds_no_fault() {
    let metrics = metrics();
    metrics.core.event("+sdown");
    let text = text(&metrics, &snapshot(vec![group()]));
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{text}");
    assert_eq!(said, "");
}

#[test]
fn the_name_that_breaks_prometheus_rules_is_shown_on_request_only() {
    let metrics = metrics();
    let all = metrics.exposition().text(&snapshot(vec![group()]), true).unwrap();
    holds(
        &all,
        "redis_sentinel_master_setting_down_after_milliseconds{master_address=\"10.0.0.1:6379\",master_name=\"m\"} 5000",
    );
}

#[test]
fn two_registries_do_not_share_figures() {
    let (one, other) = (metrics(), metrics());
    one.core.observe(&Observation::Vote);
    holds(&text(&other, &snapshot(vec![])), "vedette_votes_total 0");
    let registry = Registry::new();
    Metrics::new(registry.clone()).unwrap();
    assert!(Metrics::new(registry).is_err(), "names are taken once");
}

#[test]
fn the_figures_of_a_fleet_are_there_with_a_fleet_only() {
    use crate::core::cluster::{About, Kind};
    use crate::kube::{Call, Error, Failure, Verb};

    let metrics = metrics();
    let without = text(&metrics, &snapshot(vec![]));
    assert!(!without.contains("kubernetes") && !without.contains("vedette_service_repairs_total"));
    let cluster = metrics.cluster().unwrap();
    let error = |verb, failure, code| {
        let call = Call { verb, resource: "leases".to_owned(), name: "a".to_owned() };
        Error { call, failure, code, retry_after: None, message: String::new() }
    };
    let conflict = error(Verb::Update, Failure::Conflict, Some(409));
    cluster.lease_written(&About::Member, Duration::from_millis(3), Ok(()));
    cluster.lease_written(&About::Group("a".to_owned()), Duration::from_millis(3), Err(&conflict));
    cluster.failed(&conflict);
    cluster.failed(&error(Verb::Watch, Failure::Unsent, None));
    cluster.watching(Kind::Lease, true);
    cluster.age(Duration::from_millis(1500));
    cluster.event_dropped();
    let text = text(&metrics, &snapshot(vec![]));
    for line in [
        "vedette_lease_write_seconds_count{kind=\"member\"} 1",
        "vedette_lease_conflicts_total{kind=\"member\"} 0",
        "vedette_lease_conflicts_total{kind=\"group\"} 1",
        "vedette_kubernetes_errors_total{code=\"409\",verb=\"update\"} 1",
        "vedette_kubernetes_errors_total{code=\"none\",verb=\"watch\"} 1",
        "vedette_kubernetes_watch_open{kind=\"lease\"} 1",
        "vedette_kubernetes_watch_open{kind=\"pod\"} 0",
        "vedette_kubernetes_state_age_seconds 1.5",
        "vedette_kubernetes_events_dropped_total 1",
    ] {
        holds(&text, line);
    }
    assert!(metrics.cluster().is_err(), "they are there once");
}
