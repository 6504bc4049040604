//! The admin port of a running daemon: every name of `/metrics` changes for its reason, promtool finds no fault, and
//! Debian's exporter shows of this program whatever it shows of redis-sentinel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::group::NAME;
use crate::support::{Group, Port, Process, Program, Sentinel, Spec, eventually, poll};

/// A group whose first daemon has an admin port.
struct Watched {
    group: Group,
    admin: Port,
}

/// The samples of one scrape: name with labels, as written, to value.
type Samples = BTreeMap<String, f64>;

fn get(port: u16, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // 1.0: the answer comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn samples(text: &str) -> Samples {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

impl Watched {
    fn start(spec: Spec) -> Self {
        let admin = Port::reserve();
        let mut group = spec.start();
        let first = &mut group.sentinels[0];
        first.terminate();
        let text = format!("vedette admin 127.0.0.1:{}\n{}", admin.number(), first.conf_text());
        fs::write(first.conf(), text).unwrap();
        first.restart();
        group.settled();
        Self { group, admin }
    }

    fn first(&self) -> &Sentinel {
        &self.group.sentinels[0]
    }

    fn get(&self, path: &str) -> (u16, String) {
        get(self.admin.number(), path)
    }

    fn text(&self) -> String {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        text
    }

    fn samples(&self) -> Samples {
        samples(&self.text())
    }

    #[track_caller]
    fn value(&self, name: &str) -> f64 {
        let samples = self.samples();
        *samples.get(name).unwrap_or_else(|| panic!("no {name} in {samples:#?}"))
    }

    /// The value of a series of the group's.
    #[track_caller]
    fn of_group(&self, name: &str) -> f64 {
        let start = format!("{name}{{");
        let samples = self.samples();
        let found: Vec<f64> = samples
            .iter()
            .filter(|(series, _)| {
                series.starts_with(&start) && series.contains(&format!("master_name=\"{NAME}\""))
            })
            .map(|(_, value)| *value)
            .collect();
        assert_eq!(found.len(), 1, "{name} in {samples:#?}");
        found[0]
    }

    #[track_caller]
    fn until(&self, what: &str, condition: impl Fn(&Samples) -> bool) {
        poll(what, || {
            let samples = self.samples();
            if condition(&samples) { Ok(()) } else { Err(samples) }
        });
    }

    #[track_caller]
    fn until_group(&self, name: &str, expected: f64) {
        poll(&format!("{name} is {expected}"), || {
            let value = self.of_group(name);
            if (value - expected).abs() < f64::EPSILON { Ok(()) } else { Err(value) }
        });
    }

    fn set(&self, option: &str, value: &str) {
        self.first().ok(&["SENTINEL", "SET", NAME, option, value]);
    }
}

/// Sum of all series of this name.
fn sum(samples: &Samples, name: &str) -> f64 {
    let labelled = format!("{name}{{");
    samples
        .iter()
        .filter(|(series, _)| *series == name || series.starts_with(&labelled))
        .map(|(_, v)| v)
        .sum()
}

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 1e-9
}

/// The names of the families, by their HELP lines.
fn families(text: &str) -> BTreeSet<String> {
    let helps = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    helps.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Every family and the test here that sees it change. A new one must be entered, with a test.
const COVERED: &[(&str, &[&str])] = &[
    (
        "settings_and_beliefs",
        &[
            "redis_sentinel_masters",
            "redis_sentinel_master_status",
            "redis_sentinel_master_slaves",
            "redis_sentinel_master_ok_slaves",
            "redis_sentinel_master_sentinels",
            "redis_sentinel_master_ok_sentinels",
            "redis_sentinel_master_ckquorum_status",
            "redis_sentinel_master_setting_ckquorum",
            "redis_sentinel_master_setting_failover_timeout",
            "redis_sentinel_master_setting_parallel_syncs",
            "redis_sentinel_master_last_ok_ping_reply_seconds",
            "redis_sentinel_simulate_failure_flags",
            "vedette_group_down_after_seconds",
            "vedette_links",
            "vedette_link_attempts_total",
            "vedette_events_total",
        ],
    ),
    (
        "failovers",
        &[
            "redis_sentinel_master_config_epoch",
            "vedette_current_epoch",
            "vedette_failovers_total",
            "vedette_failover_phase_seconds",
            "vedette_votes_total",
            "vedette_fast_downs_total",
        ],
    ),
    (
        "the_daemon_itself",
        &[
            "redis_sentinel_tilt",
            "redis_sentinel_running_scripts",
            "redis_sentinel_scripts_queue_length",
            "vedette_accepted_connections_total",
            "vedette_build_info",
            "vedette_config_write_seconds",
            "vedette_config_writes_total",
            "vedette_connected_clients",
            "vedette_inputs_total",
            "vedette_loop_lateness_seconds",
            "vedette_queries_total",
            "vedette_rejected_connections_total",
            "process_cpu_seconds_total",
            "process_max_fds",
            "process_open_fds",
            "process_resident_memory_bytes",
            "process_start_time_seconds",
            "process_threads",
            "process_virtual_memory_bytes",
        ],
    ),
];

#[test]
fn every_name_is_covered_and_promtool_finds_no_fault() {
    let watched = Watched::start(Spec::default());
    let text = watched.text();
    let covered: BTreeSet<String> =
        COVERED.iter().flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned())).collect();
    assert_eq!(families(&text), covered);
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = tool.wait_with_output().unwrap();
    assert!(said.status.success(), "{said:?}");
    assert_eq!(watched.get("/live"), (200, "live\n".to_owned()));
    assert_eq!(watched.get("/ready"), (200, "ready\n".to_owned()));
    let (status, state) = watched.get("/state");
    assert_eq!(status, 200);
    assert!(state.contains(&format!("\"name\": \"{NAME}\"")), "{state}");
}

#[test]
fn settings_and_beliefs() {
    let mut watched = Watched::start(Spec::default());
    let port = watched.group.primary_port();
    let samples = watched.samples();
    let labels = format!("{{master_address=\"127.0.0.1:{port}\",master_name=\"{NAME}\"}}");
    for (name, value) in [
        ("redis_sentinel_master_slaves", 2.0),
        ("redis_sentinel_master_ok_slaves", 2.0),
        ("redis_sentinel_master_sentinels", 3.0),
        ("redis_sentinel_master_ok_sentinels", 3.0),
        ("redis_sentinel_master_setting_ckquorum", 2.0),
        ("redis_sentinel_master_setting_failover_timeout", 15000.0),
        ("redis_sentinel_master_setting_parallel_syncs", 1.0),
        ("vedette_group_down_after_seconds", 1.5),
    ] {
        assert_eq!(samples.get(&format!("{name}{labels}")), Some(&value), "{name} in {samples:#?}");
    }
    for (role, count) in [("data_command", 3.0), ("data_pubsub", 3.0), ("peer", 2.0)] {
        assert!(near(samples[&format!("vedette_links{{role=\"{role}\",state=\"connected\"}}")], count));
        assert!(samples[&format!("vedette_link_attempts_total{{role=\"{role}\"}}")] >= count);
    }
    let (_, all) = watched.get("/metrics?names=all");
    let all = self::samples(&all);
    assert_eq!(
        all.get(&format!("redis_sentinel_master_setting_down_after_milliseconds{labels}")),
        Some(&1500.0)
    );

    watched.first().ok(&["SENTINEL", "MONITOR", "other", "127.0.0.1", "1", "1"]);
    assert!(near(watched.value("redis_sentinel_masters"), 2.0));
    assert!(near(watched.value("vedette_events_total{event=\"+monitor\"}"), 2.0));
    watched.first().ok(&["SENTINEL", "REMOVE", "other"]);
    assert!(near(watched.value("redis_sentinel_masters"), 1.0));

    for (option, value, name, shown) in [
        ("parallel-syncs", "4", "redis_sentinel_master_setting_parallel_syncs", 4.0),
        ("failover-timeout", "20000", "redis_sentinel_master_setting_failover_timeout", 20000.0),
        ("down-after-milliseconds", "2500", "vedette_group_down_after_seconds", 2.5),
        ("quorum", "4", "redis_sentinel_master_setting_ckquorum", 4.0),
    ] {
        watched.set(option, value);
        assert!(near(watched.of_group(name), shown), "{name}");
    }
    let message = "NOQUORUM 3 usable Sentinels. Not enough available Sentinels to reach the specified quorum for this master";
    let series =
        format!("redis_sentinel_master_ckquorum_status{{master_name=\"{NAME}\",message=\"{message}\"}}");
    assert!(near(watched.value(&series), 0.0));
    // From here on nobody can agree on a failover here, so the primary may be down for a while.
    for sentinel in &watched.group.sentinels {
        sentinel.ok(&["SENTINEL", "SET", NAME, "quorum", "4", "down-after-milliseconds", "1000"]);
    }
    watched.first().ok(&["SENTINEL", "SIMULATE-FAILURE", "crash-after-election", "crash-after-promotion"]);
    assert!(near(watched.value("redis_sentinel_simulate_failure_flags"), 3.0));
    watched.first().call(&["SENTINEL", "SIMULATE-FAILURE", "help"]);
    assert!(near(watched.value("redis_sentinel_simulate_failure_flags"), 0.0));

    let attempts = watched.value("vedette_link_attempts_total{role=\"data_command\"}");
    watched.group.nodes[1].kill();
    watched.until_group("redis_sentinel_master_ok_slaves", 1.0);
    assert!(near(watched.of_group("redis_sentinel_master_slaves"), 2.0));
    assert!(watched.value("vedette_events_total{event=\"+sdown\"}") >= 1.0);
    watched.until("it is tried to reach the replica again", |samples| {
        samples["vedette_link_attempts_total{role=\"data_command\"}"] >= attempts + 2.0
    });
    watched.until("its links are gone", |samples| {
        near(samples["vedette_links{role=\"data_pubsub\",state=\"connected\"}"], 2.0)
    });
    watched.group.sentinels[2].kill();
    watched.until_group("redis_sentinel_master_ok_sentinels", 2.0);
    assert!(near(watched.of_group("redis_sentinel_master_sentinels"), 3.0));

    let ok = format!(
        "redis_sentinel_master_status{{master_address=\"127.0.0.1:{port}\",master_name=\"{NAME}\",master_status=\"ok\"}}"
    );
    assert!(near(watched.value(&ok), 1.0));
    watched.group.nodes[0].kill();
    let down = ok.replace("\"ok\"", "\"sdown\"");
    watched.until("the primary is down", |samples| samples.get(&down) == Some(&0.0));
    assert!(!watched.samples().contains_key(&ok));
    watched.until("its last answer grows old", |samples| {
        sum(samples, "redis_sentinel_master_last_ok_ping_reply_seconds") > 1.5
    });
}

#[test]
fn failovers() {
    // One daemon alone: it leads every failover.
    let spec = Spec { programs: vec![Program::subject()], quorum: 1, ..Spec::default() };
    let mut watched = Watched::start(spec);
    let before = watched.samples();
    assert!(near(sum(&before, "vedette_failovers_total"), 0.0));
    assert!(near(sum(&before, "vedette_failover_phase_seconds_count"), 0.0));
    assert!(near(before["vedette_votes_total"], 0.0));
    assert!(near(before["vedette_current_epoch"], 0.0));
    watched.group.fails_over();
    let after = watched.samples();
    assert!(near(after["vedette_failovers_total{reason=\"down\",result=\"switched\"}"], 1.0), "{after:#?}");
    for phase in ["agree", "elect", "select", "promote", "reconfigure"] {
        let name = format!("vedette_failover_phase_seconds_count{{phase=\"{phase}\"}}");
        assert!(near(after[&name], 1.0), "{phase} in {after:#?}");
    }
    assert!(near(after["vedette_votes_total"], 1.0));
    assert!(near(after["vedette_fast_downs_total"], 0.0), "down-after was over");
    assert!(near(after["vedette_current_epoch"], 1.0));
    assert!(near(watched.of_group("redis_sentinel_master_config_epoch"), 1.0));
    assert!(near(after["vedette_events_total{event=\"+switch-master\"}"], 1.0));

    let old = watched.group.primary_port();
    poll("the failover is accepted", || {
        let reply = watched.first().call(&["SENTINEL", "FAILOVER", NAME]);
        if reply.is_error() { Err(reply) } else { Ok(()) }
    });
    watched.group.switched_from(old);
    watched.until("the manual failover is counted", |samples| {
        near(samples["vedette_failovers_total{reason=\"manual\",result=\"switched\"}"], 1.0)
    });
    assert!(near(watched.of_group("redis_sentinel_master_config_epoch"), 2.0));
}

#[test]
fn the_daemon_itself() {
    let spec = Spec {
        programs: vec![Program::subject()],
        quorum: 1,
        head: vec!["maxclients 20".to_owned(), "sentinel deny-scripts-reconfig no".to_owned()],
        ..Spec::default()
    };
    let mut watched = Watched::start(spec);
    let dir = TempDir::with_prefix("vedette-metrics").unwrap();

    // Clients and queries. The connections by which the start was watched are closed first.
    watched.until("nobody is connected", |samples| near(samples["vedette_connected_clients"], 0.0));
    let before = watched.samples();
    let ping = "vedette_queries_total{command=\"ping\"}";
    let myid = "vedette_queries_total{command=\"sentinel|myid\"}";
    let mut held: Vec<_> = (0..3).map(|_| watched.first().connect().unwrap()).collect();
    for client in &mut held {
        client.call(&["PING"]);
        client.call(&["SENTINEL", "MYID"]);
    }
    let after = watched.samples();
    assert!(near(after["vedette_connected_clients"], 3.0));
    assert!(
        after["vedette_accepted_connections_total"] >= before["vedette_accepted_connections_total"] + 3.0
    );
    assert!(near(after[ping] - before[ping], 3.0));
    assert!(near(after[myid] - before.get(myid).copied().unwrap_or(0.0), 3.0));
    assert!(after["vedette_inputs_total"] >= before["vedette_inputs_total"] + 3.0);
    assert!(after["process_open_fds"] >= before["process_open_fds"] + 3.0);
    held.extend((0..30).map(|_| watched.first().connect_bare().unwrap()));
    watched.until("those above maxclients are refused", |samples| {
        samples["vedette_rejected_connections_total"] > before["vedette_rejected_connections_total"]
    });
    drop(held);
    watched.until("they are gone", |samples| samples["vedette_connected_clients"] <= 1.0);

    // The file.
    let writes = |samples: &Samples, result: &str| {
        samples[&format!("vedette_config_writes_total{{result=\"{result}\"}}")]
    };
    let before = watched.samples();
    watched.set("parallel-syncs", "2");
    let after = watched.samples();
    assert!(writes(&after, "ok") > writes(&before, "ok"));
    assert!(near(writes(&after, "error"), writes(&before, "error")));
    assert!(after["vedette_config_write_seconds_count"] > before["vedette_config_write_seconds_count"]);
    assert!(after["vedette_config_write_seconds_sum"] > before["vedette_config_write_seconds_sum"]);
    let (conf, aside) = (watched.first().conf(), watched.first().dir().join("aside"));
    fs::rename(&conf, &aside).unwrap();
    fs::create_dir(&conf).unwrap();
    let reply = watched.first().call(&["SENTINEL", "FLUSHCONFIG"]);
    assert!(reply.is_error(), "{reply:?}");
    assert!(writes(&watched.samples(), "error") > writes(&after, "error"));
    fs::remove_dir(&conf).unwrap();
    fs::rename(&aside, &conf).unwrap();

    // Scripts.
    let script = dir.path().join("script");
    let go = dir.path().join("go");
    fs::write(&script, format!("#!/bin/sh\nwhile [ ! -e {} ]; do sleep 0.05; done\n", go.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let before = watched.samples();
    assert!(near(before["redis_sentinel_running_scripts"], 0.0));
    assert!(near(before["redis_sentinel_scripts_queue_length"], 0.0));
    watched.set("notification-script", script.to_str().unwrap());
    watched.group.nodes[2].kill();
    watched.until("the script runs", |samples| {
        samples["redis_sentinel_running_scripts"] >= 1.0
            && samples["redis_sentinel_scripts_queue_length"] >= 1.0
    });
    fs::write(&go, "").unwrap();
    watched.until("it has ended", |samples| {
        near(samples["redis_sentinel_running_scripts"], 0.0)
            && near(samples["redis_sentinel_scripts_queue_length"], 0.0)
    });
    watched.set("notification-script", "");

    // A standstill: late, and long enough for TILT.
    let before = watched.samples();
    assert!(near(before["redis_sentinel_tilt"], 0.0));
    watched.first().ok(&["SENTINEL", "DEBUG", "TILT-TRIGGER", "300", "TILT-PERIOD", "1500"]);
    watched.group.sentinels[0].process().signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(1700));
    watched.group.sentinels[0].process().signal(Signal::CONT);
    watched.until("it is in TILT", |samples| near(samples["redis_sentinel_tilt"], 1.0));
    let after = watched.samples();
    assert!(after["vedette_loop_lateness_seconds_sum"] >= before["vedette_loop_lateness_seconds_sum"] + 0.3);
    assert!(after["vedette_loop_lateness_seconds_count"] > before["vedette_loop_lateness_seconds_count"]);
    watched.until("TILT ends", |samples| near(samples["redis_sentinel_tilt"], 0.0));

    // The process.
    let samples = watched.samples();
    let pid = watched.group.sentinels[0].process().pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    for (name, expected) in [
        ("process_resident_memory_bytes", line("VmRSS:") * 1024.0),
        ("process_virtual_memory_bytes", line("VmSize:") * 1024.0),
    ] {
        assert!((samples[name] / expected - 1.0).abs() < 0.2, "{name} {} {expected}", samples[name]);
    }
    assert!(samples["process_threads"] >= 2.0);
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let limit: f64 = limit.split_whitespace().next().unwrap().parse().unwrap();
    assert!(near(samples["process_max_fds"], limit));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - samples["process_start_time_seconds"];
    assert!((-2.0..600.0).contains(&age), "{age}");
    watched.until("CPU time is counted", |now| {
        now["process_cpu_seconds_total"] > samples["process_cpu_seconds_total"]
    });
    let version = env!("CARGO_PKG_VERSION");
    assert!(near(samples[&format!("vedette_build_info{{version=\"{version}\"}}")], 1.0));

    let start = samples["process_start_time_seconds"];
    watched.group.sentinels[0].terminate();
    watched.group.sentinels[0].restart();
    assert!(watched.value("process_start_time_seconds") > start);
}

/// What the exporter shows of the daemon at `port`.
fn exported(port: u16) -> Samples {
    let dir = TempDir::with_prefix("vedette-exporter").unwrap();
    let web = Port::reserve();
    let mut command = Command::new("prometheus-redis-exporter");
    command.arg(format!("-redis.addr=redis://127.0.0.1:{port}"));
    command.arg(format!("-web.listen-address=127.0.0.1:{}", web.number()));
    let _exporter = Process::spawn("exporter", command, dir.path());
    eventually("the exporter listens", || TcpStream::connect(("127.0.0.1", web.number())).is_ok());
    let (status, text) = get(web.number(), "/metrics");
    assert_eq!(status, 200);
    samples(&text)
}

/// A series without the values of its labels.
fn shape(series: &str) -> String {
    let Some((name, labels)) = series.split_once('{') else { return series.to_owned() };
    let names: Vec<&str> = labels.split("\",").map(|pair| pair.split('=').next().unwrap()).collect();
    format!("{name}{{{}}}", names.join(","))
}

#[test]
fn the_exporter_shows_all_that_it_shows_of_redis_sentinel() {
    let programs = vec![Program::subject_as_redis_7(), Program::genuine(), Program::subject_as_redis_7()];
    let watched = Watched::start(Spec { programs, ..Spec::default() });
    let ours = exported(watched.first().port());
    let theirs = exported(watched.group.sentinels[1].port());
    let own = |samples: &Samples| -> BTreeSet<String> {
        let of_the_daemon = |series: &&String| !series.starts_with("go_") && !series.starts_with("process_");
        samples.keys().filter(of_the_daemon).map(|series| shape(series)).collect()
    };
    let (shown, expected) = (own(&ours), own(&theirs));
    assert!(expected.len() > 50, "{expected:#?}");
    let missing: Vec<_> = expected.difference(&shown).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    // What it says of the group is the same, and /metrics says it without an exporter.
    let group = |samples: &Samples| -> Samples {
        let of_the_group = samples.iter().filter(|(series, _)| series.starts_with("redis_sentinel_"));
        of_the_group.map(|(series, value)| (series.clone(), *value)).collect()
    };
    assert_eq!(group(&ours), group(&theirs));
    let direct = group(&watched.samples());
    for (series, value) in group(&theirs) {
        assert_eq!(direct.get(&series), Some(&value), "{series} in {direct:#?}");
    }
}
