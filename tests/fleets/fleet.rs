//! A group on hosts, and what all daemons must agree on once nothing is broken.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::group::NAME;
use crate::support::node::NodeSpec;
use crate::support::{Events, Group, Network, Node, Program, Sentinel, Spec, eventually, poll, rounds};

/// Whether this is `make soak`.
pub(crate) fn soaking() -> bool {
    rounds() > 1
}

/// How a program is called in tables.
pub(crate) fn kind(program: &Program) -> &'static str {
    if *program == Program::genuine() {
        "redis-sentinel"
    } else if *program == Program::genuine_valkey() {
        "valkey-sentinel"
    } else {
        "vedette"
    }
}

/// What a daemon's file says of the group: where the primary is, since which epoch, and all who belong to it.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    monitor: String,
    epoch: String,
    replicas: BTreeSet<String>,
    daemons: BTreeSet<String>,
}

impl Kept {
    fn of(sentinel: &Sentinel) -> Self {
        let text = sentinel.conf_text();
        let lines = |start: &str| -> BTreeSet<String> {
            text.lines()
                .filter_map(|line| line.strip_prefix(start))
                .map(|rest| rest.trim().to_owned())
                .collect()
        };
        let one = |start: &str| lines(start).into_iter().collect::<Vec<_>>().join(" and ");
        let known = lines(&format!("sentinel known-sentinel {NAME} "));
        let ids = known.iter().filter_map(|line| line.split_whitespace().last().map(str::to_owned));
        Self {
            monitor: one(&format!("sentinel monitor {NAME} ")),
            epoch: one(&format!("sentinel config-epoch {NAME} ")),
            replicas: lines(&format!("sentinel known-replica {NAME} ")),
            daemons: ids.chain([one("sentinel myid ")]).collect(),
        }
    }
}

/// Waits until all running daemons answer with one primary and one epoch, and their files say the same and are whole.
#[track_caller]
pub(crate) fn agree(group: &Group) -> u16 {
    let primary = group.primary_port();
    let running: Vec<&Sentinel> = group.running().collect();
    poll("all daemons have the same epoch, and their files the same group", || {
        let epochs: BTreeSet<String> =
            running.iter().map(|sentinel| sentinel.master_field(NAME, "config-epoch")).collect();
        let kept: Vec<Kept> = running.iter().map(|sentinel| Kept::of(sentinel)).collect();
        let whole = kept[0].replicas.len() == group.nodes.len() - 1
            && kept[0].daemons.len() == group.sentinels.len()
            && kept[0].monitor.contains(&format!(" {primary} "));
        let same = epochs.len() == 1 && kept.iter().all(|one| *one == kept[0]);
        if whole && same { Ok(()) } else { Err((epochs, kept)) }
    });
    primary
}

/// A group whose processes have hosts of their own. The processes end before their hosts.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// The processes.
    pub(crate) group: Group,
    /// Everything that each daemon published, in the daemons' order.
    pub(crate) events: Vec<Events>,
    /// The hosts.
    pub(crate) network: Network,
}

impl Fleet {
    /// Starts data nodes on the hosts `nodes`, the first as the primary, and a daemon on each of the hosts `daemons`.
    pub(crate) fn start(spec: Spec, hosts: usize, nodes: &[usize], daemons: &[usize]) -> Self {
        let network = Network::new(hosts);
        let node = |host: usize, primary: Option<&Node>| {
            let host = network.host(host);
            let mut lines = spec.node_lines.clone();
            lines.extend(primary.map(|node| format!("replicaof {} {}", node.host(), node.port())));
            Node::start(&NodeSpec {
                program: spec.server,
                host: host.address().to_owned(),
                place: Some(host.clone()),
                lines,
                ..NodeSpec::default()
            })
        };
        let mut started = vec![node(nodes[0], None)];
        let port = started[0].port();
        for host in &nodes[1..] {
            started.push(node(*host, Some(&started[0])));
        }
        for replica in &started[1..] {
            eventually("the replica's link is up", || replica.follows(port));
        }
        // A replica's link is up a while before the primary streams to it: what is written meanwhile only it has.
        started[0].plant("first", "write", nodes.len() - 1);
        let spec = Spec { host: started[0].host().to_owned(), ..spec };
        let sentinels: Vec<Sentinel> = daemons
            .iter()
            .zip(&spec.programs)
            .map(|(host, program)| {
                let host = network.host(*host).clone();
                let mut one = spec.sentinel(program, port);
                one.host = host.address().to_owned();
                one.place = Some(host);
                Sentinel::start(&one)
            })
            .collect();
        assert_eq!(sentinels.len(), daemons.len(), "a program for each daemon");
        let events = sentinels.iter().map(Events::listen).collect();
        let fleet = Self { group: Group { sentinels, nodes: started, spec }, events, network };
        fleet.group.settled();
        fleet
    }

    /// The address and port of these daemons, for clients.
    pub(crate) fn addresses(&self, daemons: &[usize]) -> Vec<(String, u16)> {
        let of = |index: &usize| &self.group.sentinels[*index];
        daemons.iter().map(of).map(|one| (one.host().to_owned(), one.port())).collect()
    }

    /// Waits until these daemons name another primary than `old`, all the same, and it is one.
    #[track_caller]
    pub(crate) fn switched(&self, daemons: &[usize], old: u16) -> u16 {
        poll("the daemons on that side name a new primary", || {
            let named: BTreeSet<Option<u16>> = daemons
                .iter()
                .map(|&index| self.group.sentinels[index].address(NAME).map(|(_, port)| port))
                .collect();
            match named.iter().collect::<Vec<_>>()[..] {
                [Some(port)] if *port != old && self.role(*port) == "master" => Ok(*port),
                _ => Err(named),
            }
        })
    }

    /// What the node at `port` says that it is.
    pub(crate) fn role(&self, port: u16) -> String {
        self.group.nodes.iter().find(|node| node.port() == port).unwrap().info("role")
    }

    /// Waits until nothing is left of a fault: one primary, all nodes follow it, all daemons agree and know everybody.
    #[track_caller]
    pub(crate) fn whole(&self) -> u16 {
        self.group.settled();
        let primary = agree(&self.group);
        self.group.all_follow(primary);
        // Nothing was still under way.
        self.group.settled();
        assert_eq!(agree(&self.group), primary, "the primary moved again");
        primary
    }

    /// How many `+switch-master` each daemon has published since its mark.
    pub(crate) fn switches(&self, marks: &[usize]) -> Vec<usize> {
        self.events.iter().zip(marks).map(|(one, mark)| one.since(*mark, "+switch-master").len()).collect()
    }

    /// Marks of all daemons' events.
    pub(crate) fn marks(&self) -> Vec<usize> {
        self.events.iter().map(Events::mark).collect()
    }
}

/// What the tests with hosts start from: a second of patience, so that a test is soon over.
pub(crate) fn spec(program: &Program, daemons: usize, quorum: usize) -> Spec {
    Spec {
        programs: vec![program.clone(); daemons],
        quorum,
        down_after: Duration::from_millis(1000),
        ..Spec::default()
    }
}
