//! The faults that a failover is for.

use std::fs;
use std::time::Duration;

use crate::support::group::NAME;
use crate::support::poll::holds_for;
use crate::support::{Group, Spec, Writer, eventually, rounds};

#[test]
fn a_killed_primary_is_replaced_and_comes_back_as_a_replica() {
    let mut group = Group::start();
    let writer = Writer::start(&group);
    writer.goes_on();
    for _ in 0..rounds() {
        let old = group.primary_port();
        group.node(old).kill();
        let new = group.switched_from(old);
        writer.goes_on();
        group.node(old).restart();
        eventually("the old primary follows", || {
            group.nodes.iter().any(|n| n.port() == old && n.follows(new))
        });
        group.all_follow(new);
        group.settled();
    }
}

#[test]
fn a_frozen_primary_is_replaced_and_demoted_when_it_wakes() {
    let mut group = Group::start();
    let old = group.primary_port();
    group.node(old).pause();
    let new = group.switched_from(old);
    for sentinel in group.running() {
        let row = sentinel.replica(NAME, old).expect("the old primary is listed as a replica");
        assert!(row["flags"].contains("slave"), "{row:?}");
    }
    group.node(old).resume();
    eventually("the woken primary follows", || group.nodes.iter().any(|n| n.port() == old && n.follows(new)));
    group.settled();
}

#[test]
fn a_primary_that_shuts_down_is_replaced() {
    let mut group = Group::start();
    let old = group.primary_port();
    group.node(old).plant("key", "value", 2);
    group.node(old).shut_down();
    let new = group.switched_from(old);
    assert_eq!(group.node(new).call(&["GET", "key"]).text(), "value");
    group.all_follow(new);
}

#[test]
fn a_primary_back_before_it_is_missed_stays_primary() {
    let mut group = Spec {
        down_after: Duration::from_secs(60),
        node_lines: vec!["appendonly yes".to_owned()],
        ..Spec::default()
    }
    .start();
    let port = group.primary_port();
    group.node(port).call(&["SET", "key", "value"]);
    let first_id = group.sentinels[0].master_field(NAME, "runid");
    group.node(port).kill();
    group.node(port).restart();
    eventually("the new run id is seen", || {
        let id = group.sentinels[0].master_field(NAME, "runid");
        !id.is_empty() && id != first_id
    });
    assert_eq!(group.primary_port(), port);
    assert_eq!(group.node(port).call(&["GET", "key"]).text(), "value");
    group.all_follow(port);
    group.settled();
}

#[test]
fn a_primary_back_with_its_data_after_the_switch_takes_the_new_data() {
    let mut group = Spec { node_lines: vec!["appendonly yes".to_owned()], ..Spec::default() }.start();
    let old = group.primary_port();
    group.node(old).plant("key", "old", 2);
    group.node(old).kill();
    let new = group.switched_from(old);
    group.node(new).call(&["SET", "key", "new"]);
    group.node(old).restart();
    group.all_follow(new);
    assert_eq!(group.node(old).call(&["GET", "key"]).text(), "new");
}

#[test]
fn a_primary_back_without_its_data_after_the_switch_takes_the_new_data() {
    let mut group = Spec { node_lines: vec!["appendonly yes".to_owned()], ..Spec::default() }.start();
    let old = group.primary_port();
    group.node(old).plant("key", "value", 2);
    group.node(old).kill();
    let new = group.switched_from(old);
    fs::remove_dir_all(group.node(old).dir().join("appendonlydir")).unwrap();
    group.node(old).restart();
    group.all_follow(new);
    assert_eq!(group.node(old).call(&["GET", "key"]).text(), "value");
}

#[test]
fn the_operator_s_failover_moves_the_primary_once() {
    let mut group = Group::start();
    let writer = Writer::start(&group);
    writer.goes_on();
    let old = group.primary_port();
    group.sentinels[0].ok(&["SENTINEL", "FAILOVER", NAME]);
    let second = group.sentinels[0].call(&["SENTINEL", "FAILOVER", NAME]);
    assert!(second.text().starts_with("INPROG"), "{second:?}");
    let new = group.switched_from(old);
    writer.goes_on();
    group.all_follow(new);
    group.settled();
    assert_eq!(group.node(old).info("role"), "slave");
}

#[test]
fn lost_replicas_are_flagged_and_do_not_hinder_a_failover() {
    let mut group = Group::start();
    let old = group.primary_port();
    let lost = group.nodes[1].port();
    let kept = group.nodes[2].port();
    group.node(lost).kill();
    for sentinel in group.running() {
        eventually("the lost replica is flagged", || {
            sentinel.replica(NAME, lost).is_some_and(|row| row["flags"].contains("s_down"))
        });
    }
    group.node(old).kill();
    assert_eq!(group.switched_from(old), kept);
    group.node(lost).restart();
    group.all_follow(kept);
}

#[test]
fn without_any_replica_nothing_is_promoted() {
    let mut group = Group::start();
    let old = group.primary_port();
    for index in [1, 2] {
        group.nodes[index].kill();
    }
    eventually("both are down", || {
        group.running().all(|s| s.rows("REPLICAS", NAME).iter().all(|row| row["flags"].contains("s_down")))
    });
    let reply = group.sentinels[0].call(&["SENTINEL", "FAILOVER", NAME]);
    assert_eq!(reply.text(), "NOGOODSLAVE No suitable replica to promote");
    group.node(old).kill();
    eventually("an attempt was given up", || {
        group.running().any(|sentinel| sentinel.log().contains("-failover-abort-no-good-slave"))
    });
    assert!(group.running().all(|s| s.address(NAME).is_some_and(|(_, port)| port == old)));
    // The primary comes back: all is well again, under the same address.
    group.node(old).restart();
    group.nodes[1].restart();
    group.nodes[2].restart();
    group.settled();
    assert_eq!(group.primary_port(), old);
}

#[test]
fn a_minority_does_not_fail_over() {
    let mut group = Spec { quorum: 1, ..Spec::default() }.start();
    let old = group.primary_port();
    group.sentinels[1].kill();
    group.sentinels[2].kill();
    group.node(old).kill();
    eventually("the survivor holds it down", || {
        group.sentinels[0].master_field(NAME, "flags").contains("o_down")
    });
    eventually("it could not be elected", || {
        group.sentinels[0].log().contains("-failover-abort-not-elected")
    });
    assert_eq!(group.sentinels[0].address(NAME).unwrap().1, old);
    group.sentinels[1].restart();
    let new = group.switched_from(old);
    group.all_follow(new);
}

#[test]
fn a_primary_that_says_it_is_a_replica_is_replaced() {
    let mut group = Group::start();
    let old = group.primary_port();
    let elsewhere = group.nodes[1].port();
    // Somebody turned the primary into a replica of one of its own replicas, which stays a replica itself.
    group.node(old).call(&["REPLICAOF", "127.0.0.1", "1"]);
    let new = group.switched_from(old);
    assert_ne!(new, old);
    let _ = elsewhere;
    group.all_follow(new);
    group.settled();
}

#[test]
fn a_replica_that_follows_a_stranger_is_put_right() {
    let mut group = Group::start();
    let primary = group.primary_port();
    let wrong = group.nodes[1].port();
    let other = group.nodes[2].port();
    group.node(wrong).call(&["REPLICAOF", "127.0.0.1", &other.to_string()]);
    eventually("it follows the primary again", || group.nodes[1].follows(primary));
    assert!(group.running().any(|sentinel| sentinel.log().contains("+fix-slave-config")));
}

#[test]
fn a_replica_that_was_made_a_primary_is_turned_back() {
    let mut group = Group::start();
    let primary = group.primary_port();
    let wrong = group.nodes[1].port();
    group.node(wrong).call(&["REPLICAOF", "NO", "ONE"]);
    eventually("it follows the primary again", || group.nodes[1].follows(primary));
    assert!(group.running().any(|sentinel| sentinel.log().contains("+convert-to-slave")));
    holds_for(Duration::from_secs(2), "the primary stays", || {
        group.running().all(|s| s.address(NAME).is_some_and(|(_, port)| port == primary))
    });
}

#[test]
fn a_replica_down_during_the_failover_is_put_right_when_it_returns() {
    let mut group = Group::start();
    let old = group.primary_port();
    let away = group.nodes[1].port();
    group.node(away).kill();
    group.node(old).kill();
    let new = group.switched_from(old);
    group.node(away).restart();
    group.node(old).restart();
    group.all_follow(new);
    group.settled();
}

#[test]
fn the_order_of_events_of_a_failover_is_sentinel_s() {
    let mut group = Group::start();
    let old = group.primary_port();
    group.node(old).kill();
    group.switched_from(old);
    let leader = group.running().find(|s| s.log().contains("+elected-leader")).expect("a leader");
    eventually("the failover's end is logged", || leader.log().contains("+switch-master"));
    let expected = [
        "+sdown master",
        "+odown master",
        "+new-epoch",
        "+try-failover master",
        "+vote-for-leader",
        "+elected-leader master",
        "+failover-state-select-slave master",
        "+selected-slave slave",
        "+failover-state-send-slaveof-noone slave",
        "+failover-state-wait-promotion slave",
        "+promoted-slave slave",
        "+failover-state-reconf-slaves master",
        "+slave-reconf-sent slave",
        "+failover-end master",
        "+switch-master",
    ];
    let log = leader.log();
    let mut rest = log.as_str();
    for event in expected {
        let at = rest.find(event).unwrap_or_else(|| panic!("{event} is missing or out of order in\n{log}"));
        rest = &rest[at..];
    }
}
