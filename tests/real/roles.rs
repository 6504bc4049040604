//! Who is a primary: the old one when it wakes, one that came back empty, and how the daemons ask.

use std::time::Duration;

use crate::support::group::NAME;
use crate::support::poll::holds_for;
use crate::support::{Group, Sentinel, Spec, eventually, rounds};

/// Sentinel waits for four of these before it corrects a role: here longer than any test waits. Peers are still heard
/// within a test's patience, which a demotion without that wait takes.
fn never_correct(group: &Group) {
    for sentinel in group.running() {
        sentinel.ok(&["SENTINEL", "DEBUG", "PUBLISH-PERIOD", "30000"]);
    }
}

fn count(sentinel: &Sentinel, event: &str) -> usize {
    sentinel.log().lines().filter(|line| line.contains(event)).count()
}

#[test]
fn an_old_primary_that_wakes_is_demoted_without_a_wait() {
    let mut group = Group::start();
    let old = group.primary_port();
    never_correct(&group);
    group.node(old).pause();
    let new = group.switched_from(old);
    group.node(old).resume();
    group.all_follow(new);
    assert!(group.running().any(|sentinel| count(sentinel, "+convert-to-slave") > 0));
}

#[test]
fn an_old_primary_that_comes_back_is_demoted_without_a_wait_also_while_it_loads() {
    let mut group = Spec { node_lines: vec!["appendonly yes".to_owned()], ..Spec::default() }.start();
    let old = group.primary_port();
    never_correct(&group);
    group.node(old).call(&["DEBUG", "POPULATE", "20000"]);
    group.node(old).call(&["BGREWRITEAOF"]);
    eventually("the data are written", || group.nodes[0].info("aof_rewrite_in_progress") == "0");
    group.node(old).call(&["CONFIG", "SET", "key-load-delay", "100"]);
    group.node(old).call(&["CONFIG", "REWRITE"]);
    group.node(old).kill();
    let new = group.switched_from(old);
    group.node(old).launch();
    group.all_follow(new);
}

#[test]
fn a_switch_known_from_the_file_alone_keeps_sentinel_s_wait() {
    let mut group = Group::start();
    let old = group.primary_port();
    group.node(old).pause();
    let new = group.switched_from(old);
    for sentinel in &mut group.sentinels {
        sentinel.kill();
        sentinel.restart();
    }
    never_correct(&group);
    group.node(old).resume();
    for sentinel in group.running() {
        eventually("it is seen to call itself a primary", || {
            sentinel.replica(NAME, old).is_some_and(|row| row["role-reported"] == "master")
        });
    }
    holds_for(Duration::from_secs(2), "it stays one", || group.node(old).info("role") == "master");
    for sentinel in group.running() {
        sentinel.ok(&["SENTINEL", "DEBUG", "PUBLISH-PERIOD", "200"]);
    }
    group.all_follow(new);
}

#[test]
fn with_a_short_down_after_each_fault_is_one_switch_for_each_daemon() {
    let mut group = Spec { down_after: Duration::from_millis(300), ..Spec::default() }.start();
    for round in 1..=2 + rounds() {
        group.fails_over();
        for sentinel in group.running() {
            assert_eq!(count(sentinel, "+switch-master"), round, "{}", sentinel.log());
        }
    }
}

#[test]
fn without_the_right_to_role_the_promotion_is_seen_all_the_same() {
    let rights = "user sentinel on >secret ~* &* +@all -role";
    let mut group = Spec {
        node_lines: vec![rights.to_owned()],
        group_lines: vec![format!("auth-user {NAME} sentinel"), format!("auth-pass {NAME} secret")],
        ..Spec::default()
    }
    .start();
    let old = group.primary_port();
    group.node(old).kill();
    let new = group.switched_from(old);
    group.node(old).restart();
    group.all_follow(new);
    group.settled();
    let refused = group.nodes.iter().any(|node| {
        node.call(&["ACL", "LOG"]).items().iter().any(|entry| entry.fields()["object"] == "role")
    });
    assert!(refused, "ROLE was tried");
}

/// A primary is killed and comes back at once; only its new run id can tell. Until `patience` is over it is not replaced.
fn restarted_at_once(spec: Spec, patience: u32) -> (Group, u16) {
    let mut group = Spec {
        down_after: Duration::from_secs(600),
        group_lines: vec![format!("master-reboot-down-after-period {NAME} {patience}")],
        ..spec
    }
    .start();
    let old = group.primary_port();
    let mut client = group.node(old).connect().unwrap();
    for key in 0..100 {
        client.call(&["SET", &format!("key:{key}"), "value"]);
    }
    assert_eq!(client.call(&["WAIT", "2", "30000"]).text(), "2");
    // Nothing is given to its replicas before the daemons have had their time.
    group.node(old).call(&["CONFIG", "SET", "repl-diskless-sync-delay", "120"]);
    group.node(old).call(&["CONFIG", "REWRITE"]);
    group.node(old).kill();
    group.node(old).restart();
    (group, old)
}

#[test]
fn a_primary_that_came_back_empty_is_replaced_and_nothing_is_lost() {
    let (mut group, old) = restarted_at_once(Spec::default(), 200);
    let new = group.switched_from(old);
    assert_eq!(group.node(new).call(&["DBSIZE"]).text(), "100");
    group.all_follow(new);
    assert_eq!(group.node(old).call(&["DBSIZE"]).text(), "100");
}

#[test]
fn a_primary_that_came_back_with_its_data_stays() {
    let (mut group, old) =
        restarted_at_once(Spec { node_lines: vec!["appendonly yes".to_owned()], ..Spec::default() }, 20_000);
    let good = |group: &Group| {
        group.running().all(|sentinel| sentinel.master_field(NAME, "flags") == "master")
            && group.primary_port() == old
    };
    for sentinel in group.running() {
        eventually("the new process is seen", || count(sentinel, "+reboot") > 0);
    }
    eventually("it is well", || good(&group));
    holds_for(Duration::from_secs(2), "it stays", || good(&group));
    assert_eq!(group.node(old).call(&["DBSIZE"]).text(), "100");
}
