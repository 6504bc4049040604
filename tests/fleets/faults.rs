//! Everything that is done to a fleet of three hosts, each with a data node and a daemon.

use crate::fleet::Fleet;
use crate::support::group::NAME;
use crate::support::{Client, Events, Value, eventually};

/// One fault and its repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// kill -9 of the primary; it comes back after the switch.
    KillPrimary,
    /// kill -9 of the primary, back at once: without its data, and often before it is missed.
    RebootPrimary,
    /// kill -9 of a replica, back when it is missed.
    KillReplica,
    /// SIGSTOP of the primary, SIGCONT after the switch.
    FreezePrimary,
    /// SIGSTOP of a replica, SIGCONT when it is missed.
    FreezeReplica,
    /// DEBUG SLEEP of the primary for longer than down-after.
    SleepPrimary,
    /// SENTINEL FAILOVER.
    Order,
    /// SENTINEL RESET of a daemon.
    Reset,
    /// kill -9 of the third daemon, back when it is missed.
    KillDaemon,
    /// SIGTERM of the third daemon and a start.
    RestartDaemon,
    /// SIGSTOP of a daemon, SIGCONT when it is missed.
    FreezeDaemon,
    /// The primary's host is cut off until the others have switched.
    CutPrimary,
    /// Another host is cut off until it is missed.
    CutOther,
    /// CLIENT KILL of everything on every data node.
    CutClients,
    /// A replica wants a password that nobody knows, until it is missed.
    LockReplica,
    /// Two hundred clients come to each daemon and go.
    Crowd,
}

pub(crate) const ALL: [Fault; 16] = [
    Fault::KillPrimary,
    Fault::RebootPrimary,
    Fault::KillReplica,
    Fault::FreezePrimary,
    Fault::FreezeReplica,
    Fault::SleepPrimary,
    Fault::Order,
    Fault::Reset,
    Fault::KillDaemon,
    Fault::RestartDaemon,
    Fault::FreezeDaemon,
    Fault::CutPrimary,
    Fault::CutOther,
    Fault::CutClients,
    Fault::LockReplica,
    Fault::Crowd,
];

/// The daemon that is stopped and started; the others run from the first fault to the last.
pub(crate) const RESTARTED: usize = 2;
const DAEMONS: [usize; 3] = [0, 1, 2];

/// Does it to the fleet, of which `turn` picks the part, and undoes it. What follows is left to the fleet.
pub(crate) fn strike(fleet: &mut Fleet, fault: Fault, turn: usize) {
    let old = fleet.group.primary_port();
    let primary = fleet.group.nodes.iter().position(|node| node.port() == old).unwrap();
    let other = (primary + 1 + turn % 2) % 3;
    match fault {
        Fault::KillPrimary => {
            fleet.group.nodes[primary].kill();
            fleet.switched(&DAEMONS, old);
            fleet.group.nodes[primary].restart();
        }
        Fault::RebootPrimary => {
            fleet.group.nodes[primary].kill();
            fleet.group.nodes[primary].restart();
        }
        Fault::KillReplica => {
            fleet.group.nodes[other].kill();
            missed(fleet, &DAEMONS, "REPLICAS", fleet.group.nodes[other].port());
            fleet.group.nodes[other].restart();
        }
        Fault::FreezePrimary => {
            fleet.group.nodes[primary].pause();
            fleet.switched(&DAEMONS, old);
            fleet.group.nodes[primary].resume();
        }
        Fault::FreezeReplica => {
            fleet.group.nodes[other].pause();
            missed(fleet, &DAEMONS, "REPLICAS", fleet.group.nodes[other].port());
            fleet.group.nodes[other].resume();
        }
        Fault::SleepPrimary => {
            let mut client = fleet.group.nodes[primary].connect().unwrap();
            client.send(&["DEBUG", "SLEEP", "4"]).unwrap();
            fleet.switched(&DAEMONS, old);
        }
        Fault::Order => {
            fleet.group.sentinels[turn % 3].ok(&["SENTINEL", "FAILOVER", NAME]);
            fleet.switched(&DAEMONS, old);
        }
        Fault::Reset => {
            let reply = fleet.group.sentinels[turn % 3].call(&["SENTINEL", "RESET", "*"]);
            assert_eq!(reply, Value::Int(1));
        }
        Fault::KillDaemon => {
            fleet.group.sentinels[RESTARTED].kill();
            missed(fleet, &[0, 1], "SENTINELS", fleet.group.sentinels[RESTARTED].port());
            started(fleet);
        }
        Fault::RestartDaemon => {
            fleet.group.sentinels[RESTARTED].terminate();
            started(fleet);
        }
        Fault::FreezeDaemon => {
            let frozen = turn % 3;
            let watchers: Vec<usize> = DAEMONS.into_iter().filter(|daemon| *daemon != frozen).collect();
            fleet.group.sentinels[frozen].process().signal(rustix::process::Signal::STOP);
            missed(fleet, &watchers, "SENTINELS", fleet.group.sentinels[frozen].port());
            fleet.group.sentinels[frozen].process().signal(rustix::process::Signal::CONT);
        }
        Fault::CutPrimary => {
            let rest: Vec<usize> = DAEMONS.into_iter().filter(|host| *host != primary).collect();
            fleet.network.split_off(&[primary]);
            fleet.switched(&rest, old);
            fleet.network.heal();
        }
        Fault::CutOther => {
            let rest: Vec<usize> = DAEMONS.into_iter().filter(|host| *host != other).collect();
            fleet.network.split_off(&[other]);
            missed(fleet, &rest, "REPLICAS", fleet.group.nodes[other].port());
            fleet.network.heal();
        }
        Fault::CutClients => {
            for node in &fleet.group.nodes {
                let mut client = node.connect().unwrap();
                for kind in ["normal", "pubsub", "replica"] {
                    let killed = client.call(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]);
                    assert!(matches!(killed, Value::Int(_)), "{killed:?}");
                }
            }
        }
        Fault::LockReplica => {
            let mut client = fleet.group.nodes[other].connect().unwrap();
            client.call(&["CONFIG", "SET", "requirepass", "unknown"]);
            // Who was let in before stays.
            for kind in ["normal", "pubsub"] {
                client.call(&["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]);
            }
            missed(fleet, &DAEMONS, "REPLICAS", fleet.group.nodes[other].port());
            assert_eq!(client.call(&["CONFIG", "SET", "requirepass", ""]).text(), "OK");
        }
        Fault::Crowd => {
            for sentinel in &fleet.group.sentinels {
                let mut crowd: Vec<Client> = (0..200).map(|_| sentinel.connect().unwrap()).collect();
                for (number, client) in crowd.iter_mut().enumerate() {
                    let words: &[&str] = if number % 2 == 0 { &["PING"] } else { &["PSUBSCRIBE", "*"] };
                    assert!(!client.call(words).is_error());
                }
            }
        }
    }
}

fn started(fleet: &mut Fleet) {
    fleet.group.sentinels[RESTARTED].restart();
    fleet.events[RESTARTED] = Events::listen(&fleet.group.sentinels[RESTARTED]);
}

/// Waits until these daemons hold the replica or peer at `port` down.
#[track_caller]
fn missed(fleet: &Fleet, daemons: &[usize], what: &str, port: u16) {
    eventually("it is missed", || {
        daemons.iter().all(|&daemon| {
            let rows = fleet.group.sentinels[daemon].rows(what, NAME);
            rows.iter().any(|row| row["port"] == port.to_string() && row["flags"].contains("s_down"))
        })
    });
}
