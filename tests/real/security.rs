//! Passwords, ACL users and TLS, on data nodes, on Sentinels and between them.

use std::rc::Rc;

use crate::support::group::NAME;
use crate::support::{Certs, Client, Group, Login, Spec, Value, Writer, eventually};

/// What Redis's documentation grants the user that a Sentinel logs in with, and nothing more.
pub(crate) const OLD: &str = "user sentinel on >sentinelpass allchannels -@all +multi +slaveof +ping +exec +subscribe \
                     +config|rewrite +role +publish +info +client|setname +client|kill +script|kill";

/// The same, and what a planned switchover needs.
pub(crate) const LEAST: &str = "user sentinel on >sentinelpass allchannels -@all +multi +slaveof +ping +exec +subscribe \
                     +config|rewrite +role +publish +info +client|setname +client|kill +script|kill \
                     +client|pause +client|unpause +failover";

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn with_node_passwords() -> Spec {
    Spec {
        node_lines: lines(&["requirepass datapass", "masterauth datapass"]),
        group_lines: lines(&["auth-pass mymaster datapass"]),
        node_login: Login::password("datapass"),
        ..Spec::default()
    }
}

#[test]
fn a_failover_with_passwords_everywhere() {
    let mut group = Spec {
        head: lines(&["requirepass peerpass"]),
        sentinel_login: Login::password("peerpass"),
        ..with_node_passwords()
    }
    .start();
    let writer = Writer::start(&group);
    writer.goes_on();
    group.fails_over();
    writer.goes_on();
    let mut stranger = group.sentinels[0].connect_bare().unwrap();
    assert_eq!(stranger.call(&["SENTINEL", "MASTERS"]).text(), "NOAUTH Authentication required.");
}

#[test]
fn a_wrong_password_shows_and_a_set_mends_it() {
    let group =
        Spec { group_lines: lines(&["auth-pass mymaster wrong"]), ..with_node_passwords() }.start_unsettled();
    for sentinel in &group.sentinels {
        eventually("the primary can't be used", || sentinel.master(NAME)["flags"].contains("s_down"));
        sentinel.ok(&["SENTINEL", "SET", NAME, "auth-pass", "datapass"]);
    }
    group.settled();
}

#[test]
fn the_documented_least_privilege_user_is_enough() {
    let mut group = Spec {
        node_lines: lines(&[
            LEAST,
            "user replica on >replicapass -@all +psync +replconf +ping",
            "user admin on >adminpass ~* &* +@all",
            "user default off",
            "masteruser replica",
            "masterauth replicapass",
        ]),
        group_lines: lines(&["auth-pass mymaster sentinelpass", "auth-user mymaster sentinel"]),
        node_login: Login::user("admin", "adminpass"),
        ..Spec::default()
    }
    .start();
    let writer = Writer::start(&group);
    writer.goes_on();
    let old = group.primary_port();
    group.fails_over();
    writer.goes_on();
    let moved = group.primary_port();
    group.sentinels[1].ok(&["SENTINEL", "FAILOVER", NAME]);
    group.switched_from(moved);
    group.settled();
    // A stray promotion is mended with the same rights.
    let stray = group.nodes.iter().find(|node| node.port() != group.primary_port()).unwrap();
    stray.call(&["REPLICAOF", "NO", "ONE"]);
    eventually("it was turned back", || stray.info("role") == "slave");
    for node in &group.nodes {
        let denied = node.call(&["ACL", "LOG"]);
        assert!(denied.items().is_empty(), "node {} refused: {denied:?}", node.port());
    }
    assert!(group.nodes.iter().any(|node| node.port() == old));
}

#[test]
fn an_acl_user_between_sentinels() {
    let mut group = Spec {
        head: lines(&[
            "user peer on >peerpass allchannels +@all",
            "user default off",
            "sentinel sentinel-user peer",
            "sentinel sentinel-pass peerpass",
        ]),
        sentinel_login: Login::user("peer", "peerpass"),
        ..Spec::default()
    }
    .start();
    group.fails_over();
    for sentinel in &group.sentinels {
        assert!(sentinel.call(&["SENTINEL", "CKQUORUM", NAME]).text().starts_with("OK 3 usable"));
    }
}

#[test]
fn acl_rules_by_subcommand_and_channel() {
    let group =
        Spec { programs: Spec::default().programs[..1].to_vec(), quorum: 1, ..Spec::default() }.start();
    let sentinel = &group.sentinels[0];
    let rule = [
        "ACL",
        "SETUSER",
        "viewer",
        "on",
        ">viewerpass",
        "+sentinel|masters",
        "+ping",
        "+subscribe",
        "&+switch*",
    ];
    sentinel.ok(&rule);
    let mut viewer = sentinel.connect_bare().unwrap().login(&Login::user("viewer", "viewerpass")).unwrap();
    assert_eq!(viewer.call(&["SENTINEL", "MASTERS"]).items().len(), 1);
    let refused = viewer.call(&["SENTINEL", "MASTER", NAME]);
    assert!(refused.text().starts_with("NOPERM"), "{refused:?}");
    let refused = viewer.call(&["SUBSCRIBE", "+sdown"]);
    assert!(refused.text().starts_with("NOPERM"), "{refused:?}");
    assert_eq!(viewer.call(&["SUBSCRIBE", "+switch-master"]).texts()[0], "subscribe");
    assert_eq!(sentinel.call(&["ACL", "DELUSER", "viewer"]), Value::Int(1));
    assert!(viewer.read_to_close().is_ok(), "a deleted user's connection is closed");
}

#[test]
fn acl_changes_survive_a_restart() {
    let mut group =
        Spec { programs: Spec::default().programs[..1].to_vec(), quorum: 1, ..Spec::default() }.start();
    let sentinel = &mut group.sentinels[0];
    sentinel.ok(&["ACL", "SETUSER", "viewer", "on", ">viewerpass", "+@all"]);
    sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
    assert!(!sentinel.conf_text().contains("viewerpass"), "the password is kept as a hash");
    sentinel.kill();
    sentinel.restart();
    let mut viewer = sentinel.connect_bare().unwrap().login(&Login::user("viewer", "viewerpass")).unwrap();
    assert_eq!(viewer.call(&["ACL", "WHOAMI"]).text(), "viewer");
}

#[test]
fn tls_on_data_nodes_and_between_peers() {
    let certs = Rc::new(Certs::new());
    let mut group = Spec { certs: Some(Rc::clone(&certs)), ..Spec::default() }.start();
    group.fails_over();
    for sentinel in &group.sentinels {
        assert!(sentinel.call(&["SENTINEL", "CKQUORUM", NAME]).text().starts_with("OK 3 usable"));
        let plain =
            Client::connect("127.0.0.1", sentinel.port()).and_then(|mut client| client.command(&["PING"]));
        assert!(plain.is_err(), "plain text on the TLS port was answered: {plain:?}");
    }
    // A client without a certificate of our authority is refused.
    let stranger = Certs::new();
    let refused = Client::connect_tls("127.0.0.1", group.sentinels[0].port(), &stranger)
        .and_then(|mut client| client.command(&["PING"]));
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn tls_and_passwords_together() {
    let mut group = Spec {
        certs: Some(Rc::new(Certs::new())),
        head: lines(&["requirepass peerpass"]),
        sentinel_login: Login::password("peerpass"),
        ..with_node_passwords()
    }
    .start();
    group.fails_over();
}

#[test]
fn a_group_of_one_password_does_not_leak_it() {
    let group = Spec {
        head: lines(&["requirepass peerpass"]),
        sentinel_login: Login::password("peerpass"),
        ..with_node_passwords()
    }
    .start();
    for sentinel in &group.sentinels {
        let mut shown = sentinel.log();
        for words in
            [&["SENTINEL", "MASTERS"][..], &["INFO"], &["SENTINEL", "REPLICAS", NAME], &["CLIENT", "LIST"]]
        {
            shown.push_str(&format!("{:?}", sentinel.call(words)));
        }
        assert!(!shown.contains("datapass") && !shown.contains("peerpass"), "{shown}");
    }
    let _: &Group = &group;
}
