//! Several orders at once.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use crate::fleet::agree;
use crate::support::group::NAME;
use crate::support::poll::holds_for;
use crate::support::{Client, Group, Value, Writer, eventually, rounds};

/// Sends each request on a connection of its own, all at one moment.
fn at_once(requests: &[(u16, &[&str])]) -> Vec<Value> {
    let start = Barrier::new(requests.len());
    thread::scope(|scope| {
        let threads: Vec<_> = requests
            .iter()
            .map(|(port, words)| {
                let mut client = Client::connect("127.0.0.1", *port).unwrap();
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    client.command(words).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Waits until no daemon is in a failover and all is well and the same everywhere.
#[track_caller]
fn calm(group: &Group, writer: &Writer) -> u16 {
    eventually("no failover is under way", || {
        group.running().all(|sentinel| sentinel.master_field(NAME, "flags") == "master")
    });
    group.settled();
    let primary = agree(group);
    group.all_follow(primary);
    group.settled();
    // Nothing is left that moves it later. And for a second a daemon takes a second order for a repeated one.
    holds_for(Duration::from_millis(1500), "the primary stays", || {
        group.running().all(|sentinel| sentinel.address(NAME).is_some_and(|(_, port)| port == primary))
    });
    agree(group);
    writer.goes_on();
    primary
}

#[test]
fn two_failovers_at_once_end_in_one_primary() {
    let group = Group::start();
    let writer = Writer::start(&group);
    writer.goes_on();
    let ports: Vec<u16> = group.sentinels.iter().map(crate::support::Sentinel::port).collect();
    for round in 0..rounds() {
        let old = group.primary_port();
        let order: &[&str] = &["SENTINEL", "FAILOVER", NAME];
        let (one, other) = (round % 3, (round + 1) % 3);
        let replies = at_once(&[(ports[one], order), (ports[other], order)]);
        let accepted = replies.iter().filter(|reply| reply.text() == "OK").count();
        assert!(accepted >= 1, "{replies:?}");
        if accepted == 1 {
            assert_ne!(group.switched_from(old), old);
        }
        calm(&group, &writer);
    }
}

#[test]
fn a_reset_beside_a_failover_leaves_one_primary() {
    let group = Group::start();
    let writer = Writer::start(&group);
    writer.goes_on();
    let ports: Vec<u16> = group.sentinels.iter().map(crate::support::Sentinel::port).collect();
    for round in 0..rounds() {
        let order: &[&str] = &["SENTINEL", "FAILOVER", NAME];
        let reset: &[&str] = &["SENTINEL", "RESET", "*"];
        // The daemon that was told to move is among those that forget everything.
        let asked = round % 3;
        let requests: Vec<(u16, &[&str])> =
            std::iter::once((ports[asked], order)).chain(ports.iter().map(|port| (*port, reset))).collect();
        let replies = at_once(&requests);
        assert!(replies[1..].iter().all(|reply| *reply == Value::Int(1)), "{replies:?}");
        calm(&group, &writer);
    }
}

#[test]
fn a_reset_amid_a_killed_primary_s_failover_is_made_good() {
    let mut group = Group::start();
    let writer = Writer::start(&group);
    writer.goes_on();
    for round in 0..rounds() {
        let old = group.primary_port();
        group.node(old).kill();
        let forgetful = &group.sentinels[round % 3];
        eventually("it holds the primary down", || {
            forgetful.master_field(NAME, "flags").contains("down")
                || forgetful.address(NAME).is_some_and(|(_, port)| port != old)
        });
        assert_eq!(forgetful.call(&["SENTINEL", "RESET", NAME]), Value::Int(1));
        // Whom it named last, it still names; the others bring it to their new primary, or it waits for the old one.
        group.node(old).restart();
        calm(&group, &writer);
    }
}
