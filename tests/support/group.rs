//! A whole topology: one primary, its replicas, and the Sentinels that watch it.

use std::rc::Rc;
use std::time::Duration;

use super::node::{NodeSpec, REDIS};
use super::sentinel::SentinelSpec;
use super::{Certs, Login, Node, Program, Sentinel, eventually, poll};

/// The name of the group in all tests.
pub(crate) const NAME: &str = "mymaster";

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// The program of each data node.
    pub(crate) server: &'static str,
    /// Data nodes beside the primary.
    pub(crate) replicas: usize,
    /// The program of each Sentinel.
    pub(crate) programs: Vec<Program>,
    /// The quorum.
    pub(crate) quorum: usize,
    /// Address or name of all processes.
    pub(crate) host: String,
    /// Lines of each data node's file.
    pub(crate) node_lines: Vec<String>,
    /// Lines of each Sentinel's file before the group's `monitor` line.
    pub(crate) head: Vec<String>,
    /// Per-group lines without `sentinel`: `auth-pass mymaster secret`.
    pub(crate) group_lines: Vec<String>,
    /// `down-after-milliseconds`.
    pub(crate) down_after: Duration,
    /// `failover-timeout`.
    pub(crate) failover_timeout: Duration,
    /// How the harness logs in at data nodes.
    pub(crate) node_login: Login,
    /// How the harness logs in at Sentinels.
    pub(crate) sentinel_login: Login,
    /// Only TLS everywhere.
    pub(crate) certs: Option<Rc<Certs>>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            server: REDIS,
            replicas: 2,
            programs: vec![Program::subject(); 3],
            quorum: 2,
            host: "127.0.0.1".to_owned(),
            node_lines: Vec::new(),
            head: Vec::new(),
            group_lines: Vec::new(),
            down_after: Duration::from_millis(1500),
            failover_timeout: Duration::from_secs(15),
            node_login: Login::default(),
            sentinel_login: Login::default(),
            certs: None,
        }
    }
}

impl Spec {
    fn node(&self, primary: Option<u16>) -> NodeSpec {
        let mut lines = self.node_lines.clone();
        if let Some(port) = primary {
            lines.push(format!("replicaof {} {port}", self.host));
        }
        NodeSpec {
            program: self.server,
            host: self.host.clone(),
            place: None,
            lines,
            login: self.node_login.clone(),
            certs: self.certs.clone(),
        }
    }

    /// What each Sentinel of a group with this primary is started with.
    pub(crate) fn sentinel(&self, program: &Program, primary: u16) -> SentinelSpec {
        let mut lines = self.head.clone();
        lines.push(format!("sentinel monitor {NAME} {} {primary} {}", self.host, self.quorum));
        lines.push(format!("sentinel down-after-milliseconds {NAME} {}", self.down_after.as_millis()));
        lines.push(format!("sentinel failover-timeout {NAME} {}", self.failover_timeout.as_millis()));
        lines.extend(self.group_lines.iter().map(|line| format!("sentinel {line}")));
        SentinelSpec {
            program: program.clone(),
            host: self.host.clone(),
            place: None,
            lines,
            login: self.sentinel_login.clone(),
            certs: self.certs.clone(),
        }
    }

    /// Starts everything and waits until every Sentinel knows every other process.
    pub(crate) fn start(self) -> Group {
        let group = self.start_unsettled();
        group.settled();
        group
    }

    /// As [`Spec::start`] without the wait.
    pub(crate) fn start_unsettled(self) -> Group {
        let primary = Node::start(&self.node(None));
        let port = primary.port();
        let mut nodes = vec![primary];
        nodes.extend((0..self.replicas).map(|_| Node::start(&self.node(Some(port)))));
        for node in &nodes[1..] {
            eventually("the replica's link is up", || node.follows(port));
        }
        let sentinels =
            self.programs.iter().map(|program| Sentinel::start(&self.sentinel(program, port))).collect();
        Group { sentinels, nodes, spec: self }
    }
}

/// A running topology. The Sentinels end before the data nodes.
#[derive(Debug)]
pub(crate) struct Group {
    /// The Sentinels.
    pub(crate) sentinels: Vec<Sentinel>,
    /// The data nodes; the first was started as the primary.
    pub(crate) nodes: Vec<Node>,
    /// What it was made of.
    pub(crate) spec: Spec,
}

impl Group {
    /// One primary, two replicas, three Sentinels of the program under test.
    pub(crate) fn start() -> Self {
        Spec::default().start()
    }

    /// Waits until every Sentinel knows every other process and finds the primary well.
    #[track_caller]
    pub(crate) fn settled(&self) {
        let replicas = self.nodes.len() - 1;
        let others = self.sentinels.iter().filter(|sentinel| sentinel.running()).count() - 1;
        for sentinel in self.sentinels.iter().filter(|sentinel| sentinel.running()) {
            poll("the Sentinel knows the whole group", || {
                let master = sentinel.master(NAME);
                let good = master["flags"] == "master"
                    && master["num-slaves"] == replicas.to_string()
                    && master["num-other-sentinels"] == others.to_string()
                    && sentinel.rows("REPLICAS", NAME).iter().all(|row| row["flags"] == "slave")
                    && sentinel
                        .rows("SENTINELS", NAME)
                        .iter()
                        .all(|row| row["flags"] == "sentinel" && !row["runid"].is_empty());
                if good { Ok(()) } else { Err(master) }
            });
        }
    }

    /// The data node at `port`.
    pub(crate) fn node(&mut self, port: u16) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.port() == port).expect("a node at that port")
    }

    /// The port that all running Sentinels name.
    #[track_caller]
    pub(crate) fn primary_port(&self) -> u16 {
        poll("the Sentinels agree", || {
            let mut ports = self.running().map(|sentinel| sentinel.address(NAME).map(|(_, port)| port));
            let first = ports.next().flatten().ok_or_else(|| "no answer".to_owned())?;
            if ports.all(|port| port == Some(first)) { Ok(first) } else { Err("they differ".to_owned()) }
        })
    }

    /// The Sentinels that were not stopped.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Sentinel> {
        self.sentinels.iter().filter(|sentinel| sentinel.running())
    }

    /// Waits until all Sentinels name another primary than `old`, it is one, and every Sentinel is done with the failover.
    #[track_caller]
    pub(crate) fn switched_from(&self, old: u16) -> u16 {
        eventually("every Sentinel names a new primary", || {
            self.running().all(|sentinel| sentinel.address(NAME).is_some_and(|(_, port)| port != old))
        });
        let new = self.primary_port();
        eventually("the failover is over everywhere", || {
            self.running().all(|sentinel| {
                sentinel.master_field(NAME, "flags") == "master"
                    && sentinel.master_field(NAME, "port") == new.to_string()
            })
        });
        new
    }

    /// Waits until every running node but the primary follows it.
    #[track_caller]
    pub(crate) fn all_follow(&self, primary: u16) {
        let node = self.nodes.iter().find(|node| node.port() == primary).unwrap();
        assert_eq!(node.info("role"), "master");
        for node in self.nodes.iter().filter(|node| node.port() != primary && node.running()) {
            eventually(&format!("node {} follows {primary}", node.port()), || node.follows(primary));
        }
    }

    /// Kills the primary, waits for the switch, brings it back, and waits until all is well: one whole failover.
    #[track_caller]
    pub(crate) fn fails_over(&mut self) -> u16 {
        let old = self.primary_port();
        self.node(old).kill();
        let new = self.switched_from(old);
        self.node(old).restart();
        self.all_follow(new);
        self.settled();
        new
    }
}
