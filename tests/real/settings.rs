//! What can be changed while it runs, and what survives a restart.

use std::fs;

use crate::support::group::NAME;
use crate::support::{Group, Spec, Value, eventually, poll};

fn one_sentinel() -> Group {
    Spec { programs: Spec::default().programs[..1].to_vec(), quorum: 1, ..Spec::default() }.start()
}

#[test]
fn groups_come_and_go_at_run_time() {
    let group = one_sentinel();
    let sentinel = &group.sentinels[0];
    let port = group.nodes[0].port().to_string();
    let mut events = sentinel.connect().unwrap();
    for channel in ["+monitor", "-monitor", "+set", "+reset-master"] {
        events.send(&["SUBSCRIBE", channel]).unwrap();
        assert_eq!(events.read().unwrap().texts()[1], channel);
    }
    let mut next = || {
        let message = events.read().unwrap().texts();
        (message[1].clone(), message[2].clone())
    };
    sentinel.ok(&["SENTINEL", "MONITOR", "other", "127.0.0.1", &port, "2"]);
    assert_eq!(next(), ("+monitor".to_owned(), format!("master other 127.0.0.1 {port} quorum 2")));
    let again = sentinel.call(&["SENTINEL", "MONITOR", "other", "127.0.0.1", &port, "2"]);
    assert_eq!(again.text(), "ERR Duplicate master name.");
    eventually("its replicas are found", || sentinel.master("other")["num-slaves"] == "2");
    sentinel.ok(&["SENTINEL", "SET", "other", "quorum", "1", "parallel-syncs", "7"]);
    assert_eq!(next().1, format!("master other 127.0.0.1 {port} quorum 1"));
    assert_eq!(next().1, format!("master other 127.0.0.1 {port} parallel-syncs 7"));
    assert_eq!(sentinel.master("other")["parallel-syncs"], "7");
    assert_eq!(sentinel.call(&["SENTINEL", "RESET", "oth*"]), Value::Int(1));
    assert_eq!(next(), ("+reset-master".to_owned(), format!("master other 127.0.0.1 {port}")));
    assert_eq!(sentinel.call(&["SENTINEL", "RESET", "OTH*"]), Value::Int(0));
    eventually("they are found again", || sentinel.master("other")["num-slaves"] == "2");
    assert!(sentinel.conf_text().contains(&format!("sentinel monitor other 127.0.0.1 {port} 1")));
    sentinel.ok(&["SENTINEL", "REMOVE", "other"]);
    assert_eq!(next(), ("-monitor".to_owned(), format!("master other 127.0.0.1 {port}")));
    assert!(!sentinel.conf_text().contains("other"), "{}", sentinel.conf_text());
    let gone = sentinel.call(&["SENTINEL", "MASTER", "other"]);
    assert_eq!(gone.text(), "ERR No such master with that name");
    assert_eq!(sentinel.call(&["ROLE"]).items()[1].texts(), [NAME]);
}

#[test]
fn settings_are_read_back_and_survive_kill_9() {
    let mut group = one_sentinel();
    let sentinel = &mut group.sentinels[0];
    let settings = [
        ("down-after-milliseconds", "4321"),
        ("failover-timeout", "54321"),
        ("parallel-syncs", "3"),
        ("quorum", "2"),
    ];
    for (name, value) in settings {
        sentinel.ok(&["SENTINEL", "SET", NAME, name, value]);
    }
    for (name, value) in [("announce-ip", "127.0.0.9"), ("announce-port", "12345"), ("sentinel-user", "bob")]
    {
        sentinel.ok(&["SENTINEL", "CONFIG", "SET", name, value]);
    }
    let id = sentinel.call(&["SENTINEL", "MYID"]).text();
    sentinel.kill();
    sentinel.restart();
    assert_eq!(sentinel.call(&["SENTINEL", "MYID"]).text(), id);
    let master = sentinel.master(NAME);
    for (name, value) in settings {
        assert_eq!(master[name], value, "{name}");
    }
    assert_eq!(master["num-slaves"], "2", "the replicas come from the file");
    for (name, value) in [("announce-ip", "127.0.0.9"), ("announce-port", "12345"), ("sentinel-user", "bob")]
    {
        assert_eq!(sentinel.call(&["SENTINEL", "CONFIG", "GET", name]).fields()[name], value);
    }
}

#[test]
fn a_fleet_back_from_kill_9_knows_epochs_peers_and_the_new_primary() {
    let mut group = Group::start();
    let first = group.primary_port();
    let new = group.fails_over();
    assert_ne!(new, first);
    let epoch = group.sentinels[0].master_field(NAME, "config-epoch");
    assert_ne!(epoch, "0");
    for sentinel in &mut group.sentinels {
        sentinel.kill();
    }
    for sentinel in &mut group.sentinels {
        sentinel.restart();
        assert_eq!(sentinel.address(NAME).unwrap().1, new);
        let master = sentinel.master(NAME);
        assert_eq!(master["config-epoch"], epoch);
        assert_eq!((&*master["num-slaves"], &*master["num-other-sentinels"]), ("2", "2"));
    }
    group.settled();
    group.fails_over();
}

#[test]
fn log_levels_change_what_is_logged() {
    let group = one_sentinel();
    let sentinel = &group.sentinels[0];
    for level in ["debug", "verbose", "notice", "warning", "nothing"] {
        sentinel.ok(&["SENTINEL", "CONFIG", "SET", "loglevel", level]);
        assert_eq!(sentinel.call(&["SENTINEL", "CONFIG", "GET", "loglevel"]).texts(), ["loglevel", level]);
    }
    let quiet = sentinel.log();
    sentinel.ok(&["SENTINEL", "SET", NAME, "quorum", "1"]);
    assert_eq!(sentinel.log(), quiet, "nothing is logged at level nothing");
    sentinel.ok(&["SENTINEL", "CONFIG", "SET", "loglevel", "notice"]);
    sentinel.ok(&["SENTINEL", "SET", NAME, "quorum", "1"]);
    eventually("events are logged again", || sentinel.log().len() > quiet.len());
}

#[test]
fn the_log_file_is_opened_by_name() {
    let group = one_sentinel();
    let sentinel = &group.sentinels[0];
    fs::rename(sentinel.dir().join("log.txt"), sentinel.dir().join("log.1")).unwrap();
    sentinel.ok(&["SENTINEL", "SET", NAME, "quorum", "1"]);
    poll("a new log file with the event", || {
        let log = sentinel.log();
        if log.contains("+set master mymaster") { Ok(()) } else { Err(log) }
    });
}

#[test]
fn a_file_that_can_t_be_saved_is_an_error_and_the_daemon_stays_up() {
    let mut group = one_sentinel();
    let conf = group.sentinels[0].conf();
    let kept = conf.with_extension("kept");
    fs::rename(&conf, &kept).unwrap();
    fs::create_dir(&conf).unwrap();
    let failed = "ERR Failed to save config file. Check server logs.";
    let sentinel = &group.sentinels[0];
    assert_eq!(sentinel.call(&["SENTINEL", "SET", NAME, "quorum", "2"]).text(), failed);
    assert_eq!(sentinel.call(&["SENTINEL", "FLUSHCONFIG"]).text(), failed);
    assert_eq!(sentinel.master_field(NAME, "quorum"), "2", "the change stays in memory");
    assert!(
        sentinel.log().contains("WARNING: Sentinel was not able to save the new configuration on disk!!!")
    );
    fs::remove_dir(&conf).unwrap();
    sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
    assert!(sentinel.conf_text().contains(" 2\n"), "a missing file is made anew");
    assert!(group.sentinels[0].process().ended().is_none());
}

#[test]
fn comments_order_and_strange_lines_survive_a_rewrite() {
    let group = Spec {
        programs: Spec::default().programs[..1].to_vec(),
        quorum: 1,
        head: vec!["# the first comment".to_owned(), "maxclients 4000".to_owned(), "  # indented".to_owned()],
        ..Spec::default()
    }
    .start();
    let sentinel = &group.sentinels[0];
    sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
    let text = sentinel.conf_text();
    let places: Vec<usize> =
        ["bind ", "# the first comment", "maxclients 4000", "# indented", "sentinel monitor mymaster"]
            .iter()
            .map(|line| text.find(line).unwrap_or_else(|| panic!("{line:?} is gone from\n{text}")))
            .collect();
    assert!(places.is_sorted(), "{text}");
    sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
    assert_eq!(sentinel.conf_text().trim(), text.trim(), "a second rewrite changes nothing");
}
