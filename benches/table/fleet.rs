//! A fleet of one of the daemons over real data nodes.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::common::guide::{Asks, Listens};
use crate::common::{Events, Kind, Writer};
use crate::support::group::NAME;
use crate::support::node::REDIS;
use crate::support::{Group, Node, Sentinel, Spec, eventually};

/// Long enough that no failover is given up under way; a lost election is tried again after twice this time.
pub(crate) const FAILOVER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a fleet that looks whole is watched before the next round.
const SECOND_THOUGHTS: Duration = Duration::from_secs(1);

/// Three daemons, a primary and two replicas.
pub(crate) struct Fleet(pub(crate) Group);

impl Fleet {
    /// Starts all and waits until everybody knows everybody. The lines are without `sentinel`, as
    /// `parallel-syncs mymaster 2`; those of `head` are whole.
    pub(crate) fn start(kind: Kind, down_after: Duration, head: &[&str], lines: &[&str]) -> Self {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let spec = Spec {
            server: REDIS,
            programs: vec![kind.program(); 3],
            down_after,
            failover_timeout: FAILOVER_TIMEOUT,
            head: owned(head),
            group_lines: owned(lines),
            ..Spec::default()
        };
        Self(spec.start())
    }

    /// The ports of the daemons.
    pub(crate) fn daemons(&self) -> Vec<u16> {
        self.0.sentinels.iter().map(Sentinel::port).collect()
    }

    /// A subscription at each daemon.
    pub(crate) fn events(&self) -> Events {
        Events::follow(None, &all_local(&self.daemons()))
    }

    /// A client that follows what the daemons publish.
    pub(crate) fn follower(&self, events: &Arc<Events>) -> Writer {
        Writer::start(None, Listens::new(&all_local(&self.daemons()), events))
    }

    /// A client that asks the daemons only when a connection fails or answers READONLY.
    pub(crate) fn stubborn(&self) -> Writer {
        Writer::start(None, Asks::new(&all_local(&self.daemons())))
    }

    /// The ports of the data nodes.
    pub(crate) fn nodes(&self) -> Vec<u16> {
        self.0.nodes.iter().map(Node::port).collect()
    }

    /// The primary that all daemons name.
    pub(crate) fn primary(&self) -> u16 {
        self.0.primary_port()
    }

    /// The data node at `port`.
    pub(crate) fn node(&mut self, port: u16) -> &mut Node {
        self.0.node(port)
    }

    /// Makes the fleet whole for the next round without the daemons' help: what is dead starts again as a replica, what
    /// follows another is told the primary, and everybody is waited for. A daemon that then moves the primary once more
    /// (a genuine one takes a new primary for dead when it cuts its connections) is given the time to be done with it.
    pub(crate) fn restore(&mut self) -> u16 {
        loop {
            let primary = self.primary();
            self.repair(primary);
            thread::sleep(SECOND_THOUGHTS);
            if self.primary() == primary && self.whole(primary) {
                self.settle();
                return primary;
            }
        }
    }

    /// Whether that node is the primary of all others.
    pub(crate) fn whole(&self, primary: u16) -> bool {
        self.0.nodes.iter().all(|node| match node.port() == primary {
            true => node.info("role") == "master",
            false => node.follows(primary),
        })
    }

    fn repair(&mut self, primary: u16) {
        for node in self.0.nodes.iter_mut().filter(|node| node.port() != primary) {
            if !node.running() {
                let text = fs::read_to_string(node.conf()).unwrap();
                let kept = text.lines().filter(|line| !line.starts_with("replicaof"));
                let text: String = kept.map(|line| format!("{line}\n")).collect();
                fs::write(node.conf(), format!("{text}replicaof 127.0.0.1 {primary}\n")).unwrap();
                node.restart();
            } else if node.info("role") == "master"
                && self.0.sentinels[0].address(NAME).is_some_and(|now| now.1 == primary)
            {
                node.call(&["REPLICAOF", "127.0.0.1", &primary.to_string()]);
            }
        }
        eventually("the fleet is whole, or has another primary", || {
            self.whole(primary)
                || self.0.sentinels.iter().any(|one| one.address(NAME).is_none_or(|now| now.1 != primary))
        });
    }

    /// Waits until every daemon knows everybody, and that no failover is under way.
    pub(crate) fn settle(&self) {
        self.0.settled();
        for sentinel in &self.0.sentinels {
            eventually("the daemon has heard from every replica", || {
                let rows = sentinel.rows("REPLICAS", NAME);
                rows.len() == self.0.nodes.len() - 1
                    && rows.iter().all(|row| {
                        // A genuine daemon that takes a replica for a primary would demote it at any moment.
                        row["flags"] == "slave" && row["role-reported"] == "slave" && !row["runid"].is_empty()
                    })
            });
        }
    }
}

/// What listens on this machine, by its port.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The same of several.
pub(crate) fn all_local(ports: &[u16]) -> Vec<SocketAddr> {
    ports.iter().map(|port| local(*port)).collect()
}
