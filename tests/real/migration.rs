//! The way from redis-sentinel and back, one process at a time, under writes.

use crate::support::group::NAME;
use crate::support::{Group, Login, Program, Spec, Writer, eventually};

fn settled_and_writing(group: &Group, writer: &Writer) {
    group.settled();
    writer.goes_on();
}

/// What the operator changed is the same on every Sentinel, whichever program runs there.
fn changes_hold(group: &Group, down_after: &str) {
    for sentinel in &group.sentinels {
        assert_eq!(sentinel.master_field(NAME, "down-after-milliseconds"), down_after);
        let mut viewer =
            sentinel.connect_bare().unwrap().login(&Login::user("viewer", "viewerpass")).unwrap();
        assert_eq!(viewer.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).texts().len(), 2);
        assert!(viewer.call(&["SENTINEL", "MASTERS"]).text().starts_with("NOPERM"));
    }
}

#[test]
fn a_fleet_goes_there_and_back() {
    let (genuine, subject) = (Program::genuine(), Program::subject());
    let mut group = Spec {
        programs: vec![genuine.clone(); 3],
        head: vec!["requirepass peerpass".to_owned()],
        sentinel_login: Login::password("peerpass"),
        node_lines: vec!["requirepass datapass".to_owned(), "masterauth datapass".to_owned()],
        group_lines: vec!["auth-pass mymaster datapass".to_owned()],
        node_login: Login::password("datapass"),
        ..Spec::default()
    }
    .start();
    let writer = Writer::start(&group);
    writer.goes_on();
    let ids: Vec<String> = group.sentinels.iter().map(|s| s.call(&["SENTINEL", "MYID"]).text()).collect();
    for sentinel in &group.sentinels {
        sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
        let text = sentinel.conf_text();
        assert_eq!(text.matches("sentinel known-replica").count(), 2, "{text}");
        assert_eq!(text.matches("sentinel known-sentinel").count(), 2, "{text}");
    }

    // There: one by one, with a failover while the fleet is mixed.
    group.sentinels[0].replace_by(subject.clone());
    settled_and_writing(&group, &writer);
    group.fails_over();
    writer.goes_on();
    group.sentinels[1].replace_by(subject.clone());
    settled_and_writing(&group, &writer);
    group.fails_over();
    writer.goes_on();
    group.sentinels[2].replace_by(subject);
    settled_and_writing(&group, &writer);
    assert_eq!(group.sentinels.iter().map(|s| s.call(&["SENTINEL", "MYID"]).text()).collect::<Vec<_>>(), ids);

    // The whole fleet is replaced: a failover, settings and an ACL user.
    group.fails_over();
    writer.goes_on();
    for sentinel in &group.sentinels {
        sentinel.ok(&["ACL", "SETUSER", "viewer", "on", ">viewerpass", "+sentinel|get-master-addr-by-name"]);
        sentinel.ok(&["SENTINEL", "SET", NAME, "down-after-milliseconds", "2345", "parallel-syncs", "2"]);
    }
    changes_hold(&group, "2345");
    let epoch = group.sentinels[0].master_field(NAME, "config-epoch");

    // And back, again with failovers in between.
    group.sentinels[0].replace_by(genuine.clone());
    settled_and_writing(&group, &writer);
    group.fails_over();
    writer.goes_on();
    group.sentinels[1].replace_by(genuine.clone());
    settled_and_writing(&group, &writer);
    group.sentinels[2].replace_by(genuine);
    settled_and_writing(&group, &writer);
    changes_hold(&group, "2345");
    assert_eq!(group.sentinels.iter().map(|s| s.call(&["SENTINEL", "MYID"]).text()).collect::<Vec<_>>(), ids);
    for sentinel in &group.sentinels {
        let now: u64 = sentinel.master_field(NAME, "config-epoch").parse().unwrap();
        assert!(now > epoch.parse().unwrap(), "the epoch went back to {now}");
    }
    group.fails_over();
    writer.goes_on();
}

#[test]
fn either_kind_leads_a_mixed_fleet() {
    let (genuine, subject) = (Program::genuine(), Program::subject());
    // Only the first may start a failover: the others don't miss the primary for minutes.
    for programs in
        [vec![genuine.clone(), subject.clone(), subject.clone()], vec![subject, genuine.clone(), genuine]]
    {
        let mut group = Spec { programs, quorum: 1, ..Spec::default() }.start();
        for sentinel in &group.sentinels[1..] {
            sentinel.ok(&["SENTINEL", "SET", NAME, "down-after-milliseconds", "600000"]);
        }
        let old = group.primary_port();
        group.node(old).kill();
        let new = group.switched_from(old);
        assert!(group.sentinels[0].log().contains("+elected-leader"));
        let voters = || group.sentinels[1..].iter().filter(|s| s.log().contains("+vote-for-leader")).count();
        eventually("another voted", || voters() > 0);
        group.all_follow(new);
    }
}
