//! Networks that carry packets one way only.

use crate::fleet::{Fleet, spec};
use crate::support::group::NAME;
use crate::support::{Program, Spec, eventually, rounds};

const NODES: [usize; 3] = [0, 1, 2];
const DAEMONS: [usize; 3] = [3, 4, 5];
const HOSTS: usize = 6;

fn start() -> Fleet {
    Fleet::start(spec(&Program::subject(), 3, 2), HOSTS, &NODES, &DAEMONS)
}

#[test]
fn a_primary_that_is_heard_or_hears_one_way_only_is_replaced() {
    let fleet = start();
    for round in 0..2 * rounds() {
        let old = fleet.whole();
        let marks = fleet.marks();
        let host = NODES[fleet.group.nodes.iter().position(|node| node.port() == old).unwrap()];
        if round % 2 == 0 {
            fleet.network.cut_one_way(&[host], &DAEMONS);
        } else {
            fleet.network.cut_one_way(&DAEMONS, &[host]);
        }
        let new = fleet.switched(&[0, 1, 2], old);
        fleet.network.heal();
        assert_eq!(fleet.whole(), new);
        assert_eq!(fleet.switches(&marks), [1; 3]);
    }
}

#[test]
fn a_daemon_that_hears_or_is_heard_one_way_only_moves_nothing() {
    let fleet = start();
    let all: Vec<usize> = (0..HOSTS).collect();
    for round in 0..2 * rounds() {
        let old = fleet.whole();
        let marks = fleet.marks();
        if round % 2 == 0 {
            fleet.network.cut_one_way(&all, &[DAEMONS[0]]);
        } else {
            fleet.network.cut_one_way(&[DAEMONS[0]], &all);
        }
        eventually("it holds everybody down", || {
            let sentinel = &fleet.group.sentinels[0];
            sentinel.master_field(NAME, "flags").contains("s_down")
                && sentinel.rows("SENTINELS", NAME).iter().all(|row| row["flags"].contains("s_down"))
        });
        eventually("the others hold it down", || {
            fleet.group.sentinels[1..].iter().all(|sentinel| {
                sentinel.rows("SENTINELS", NAME).iter().any(|row| row["flags"].contains("s_down"))
            })
        });
        fleet.network.heal();
        assert_eq!(fleet.whole(), old);
        assert_eq!(fleet.switches(&marks), [0; 3]);
    }
}

#[test]
fn a_replica_that_the_primary_no_longer_reaches_is_not_chosen() {
    let impatient = vec!["repl-timeout 5".to_owned(), "repl-ping-replica-period 1".to_owned()];
    let spec = Spec { node_lines: impatient, ..spec(&Program::subject(), 3, 2) };
    let mut fleet = Fleet::start(spec, HOSTS, &NODES, &DAEMONS);
    for round in 0..rounds() {
        let old = fleet.whole();
        let marks = fleet.marks();
        let at = |port: u16| fleet.group.nodes.iter().position(|node| node.port() == port).unwrap();
        let primary = at(old);
        let replicas: Vec<usize> = NODES.into_iter().filter(|node| *node != primary).collect();
        let (behind, good) = (replicas[round % 2], replicas[(round + 1) % 2]);
        fleet.network.cut_one_way(&[primary], &[behind]);
        fleet.group.nodes[primary].plant("late", &round.to_string(), 1);
        eventually("the daemons see its link down", || {
            let port = fleet.group.nodes[behind].port();
            fleet.group.sentinels.iter().all(|sentinel| {
                sentinel.replica(NAME, port).is_some_and(|row| row["master-link-status"] == "err")
            })
        });
        fleet.group.nodes[primary].kill();
        let new = fleet.switched(&[0, 1, 2], old);
        assert_eq!(new, fleet.group.nodes[good].port());
        fleet.network.heal();
        fleet.group.nodes[primary].restart();
        assert_eq!(fleet.whole(), new);
        assert_eq!(fleet.switches(&marks), [1; 3]);
        for node in &fleet.group.nodes {
            assert_eq!(node.call(&["GET", "late"]).text(), round.to_string());
        }
    }
}
