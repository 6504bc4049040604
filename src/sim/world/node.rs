//! The data nodes on their hosts.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Delivery, NODE_PORT, NetId, Packet, Side, World};
use crate::core::Time;
use crate::sim::facts::{Fact, canonical};
use crate::sim::net::HostId;
use crate::sim::plan::{DaemonId, NodeId};
use crate::sim::redis::{Durable, Effect, FakeRedis, NodeConfig};
use crate::sim::rng::Rng;

/// A data node's machine.
#[derive(Debug)]
pub(super) struct DataHost {
    pub(super) config: NodeConfig,
    pub(super) left: Durable,
    pub(super) process: Option<FakeRedis>,
    /// The connection to the primary.
    primary: Option<NetId>,
    /// Connections accepted.
    clients: BTreeSet<NetId>,
    /// When it last became a primary by no daemon's word, and which daemons told it whom to follow since.
    rose_at: Option<Time>,
    told_by: BTreeSet<DaemonId>,
    /// When a daemon last told it to follow another one.
    told_at: Option<Time>,
}

/// So long a daemon may not know that a node which obeyed it is a primary again: packets are up to three seconds late,
/// and an answer counts for a second.
const UNKNOWN: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn make_nodes(&mut self) {
        for group in self.plan.groups.clone() {
            for (at, node) in group.nodes.iter().enumerate() {
                let ip = self.ip(self.node_host(*node));
                let primary = self.ip(self.node_host(group.nodes[0]));
                let config = NodeConfig {
                    ip,
                    port: NODE_PORT,
                    priority: group.priorities[at],
                    password: group.password.clone(),
                    repl_timeout: Duration::from_secs(15),
                    backlog: 60,
                    transfer: self.rng.millis(20, 1500),
                    tells_keys: false,
                };
                let replica_of = (at > 0).then_some((primary, NODE_PORT));
                let left = Durable { replica_of, ..Durable::default() };
                self.nodes.push(DataHost {
                    config,
                    left,
                    process: None,
                    primary: None,
                    clients: BTreeSet::new(),
                    rose_at: None,
                    told_by: BTreeSet::new(),
                    told_at: None,
                });
            }
        }
        for node in 0..self.nodes.len() {
            self.boot_node(node, Duration::ZERO, false);
        }
    }

    pub(super) fn boot_node(&mut self, node: NodeId, loading: Duration, lose_data: bool) {
        if lose_data {
            self.excuse_losses(node);
        }
        let host = self.node_host(node);
        let rng = Rng::new(self.rng.next(), 5);
        let data_host = &mut self.nodes[node];
        let mut left = std::mem::take(&mut data_host.left);
        let undone = left.demoted && left.replica_of.is_none();
        if lose_data {
            left = Durable { replica_of: left.replica_of, reign: left.reign, ..Durable::default() };
        }
        let process = FakeRedis::boot(data_host.config.clone(), left, rng, self.now, loading);
        data_host.process = Some(process);
        if undone {
            self.rise(node);
        }
        self.hosts[host].running = true;
        self.hosts[host].life += 1;
        self.wake_node(node);
    }

    /// A node becomes a primary by no daemon's word: by hand, or because its process ended before it had saved that it was
    /// made a replica. Nobody knows at once, and writes that it takes meanwhile are lost when it follows another again.
    pub(super) fn rise(&mut self, node: NodeId) {
        self.nodes[node].rose_at = Some(self.now);
        self.nodes[node].told_by.clear();
        self.excuse_losses(node);
    }

    /// The process ends; its disk keeps what it holds.
    pub(super) fn end_node(&mut self, node: NodeId) {
        let data_host = &mut self.nodes[node];
        if let Some(process) = data_host.process.take() {
            let reign = process.primary_since().map(|since| (since, self.now));
            data_host.left = Durable { reign, demoted: !process.is_primary(), ..process.durable() };
        }
        data_host.primary = None;
        data_host.clients.clear();
    }

    pub(super) fn wake_node(&mut self, node: NodeId) {
        let mut effects = Vec::new();
        if let Some(process) = &mut self.nodes[node].process {
            process.timer(self.now, &mut effects);
        }
        self.carry_out(node, effects);
    }

    pub(super) fn node_takes(&mut self, node: NodeId, delivery: Delivery) {
        let now = self.now;
        let data_host = &mut self.nodes[node];
        let Some(process) = &mut data_host.process else { return };
        let mut effects = Vec::new();
        match delivery {
            Delivery::Accepted(net) => {
                data_host.clients.insert(net);
                process.accept(net);
            }
            Delivery::Packet { net, side: Side::Listener, packet } => match packet {
                Packet::Request(args) => {
                    if !data_host.clients.contains(&net) {
                        return;
                    }
                    // Told while writes were held back, and arrived when they no longer were: nobody could know.
                    let follow = args.first().is_some_and(|word| word.eq_ignore_ascii_case(b"SLAVEOF"));
                    let told_at = data_host.told_at.filter(|_| follow);
                    let late =
                        told_at.is_some_and(|at| process.pause_over(now).is_some_and(|over| at < over));
                    if !process.request(net, &args, now, &mut effects) {
                        let words = args.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>();
                        let what = format!("n{node} is sent {words:?}");
                        self.break_rule("data nodes are sent only what is documented", what);
                        return;
                    }
                    if late {
                        self.excuse_losses(node);
                    }
                }
                Packet::Repl(message) => process.replica_says(net, message, now, &mut effects),
                Packet::Close => {
                    process.client_gone(net);
                    data_host.clients.remove(&net);
                    self.net.vanish(net, Side::Listener);
                }
                Packet::Syn | Packet::Accept | Packet::Refuse | Packet::Reply(_) => {}
            },
            Delivery::Packet { net, side: Side::Dialer, packet } => {
                if data_host.primary != Some(net) {
                    return;
                }
                match packet {
                    Packet::Accept => process.primary_up(now, &mut effects),
                    Packet::Repl(message) => process.primary_says(message, now, &mut effects),
                    Packet::Refuse | Packet::Close => {
                        data_host.primary = None;
                        process.primary_gone(now);
                        self.net.vanish(net, Side::Dialer);
                    }
                    Packet::Syn | Packet::Request(_) | Packet::Reply(_) => {}
                }
            }
            Delivery::Reset { net, side: Side::Listener } => {
                process.client_gone(net);
                data_host.clients.remove(&net);
            }
            Delivery::Reset { net, side: Side::Dialer } => {
                if data_host.primary == Some(net) {
                    data_host.primary = None;
                    process.primary_gone(now);
                }
            }
            Delivery::Own(_) => {}
        }
        self.carry_out(node, effects);
    }

    /// Carries a node's wishes out and sees to its next wake-up.
    pub(super) fn carry_out(&mut self, node: NodeId, effects: Vec<Effect>) {
        let host = self.node_host(node);
        for effect in effects {
            match effect {
                Effect::Reply(net, reply) => {
                    let due = self.net.send(self.now, net, Side::Listener, Packet::Reply(reply));
                    self.post(due);
                }
                Effect::Close(net) => {
                    self.nodes[node].clients.remove(&net);
                    let due = self.net.close(self.now, net, Side::Listener);
                    self.post(due);
                }
                Effect::ToReplica(net, message) => {
                    let due = self.net.send(self.now, net, Side::Listener, Packet::Repl(message));
                    self.post(due);
                }
                Effect::ToPrimary(message) => {
                    if let Some(net) = self.nodes[node].primary {
                        let due = self.net.send(self.now, net, Side::Dialer, Packet::Repl(message));
                        self.post(due);
                    }
                }
                Effect::HangUp => {
                    if let Some(net) = self.nodes[node].primary.take() {
                        let due = self.net.close(self.now, net, Side::Dialer);
                        self.post(due);
                    }
                }
                Effect::Dial(name, port) => self.dial_primary(node, &name, port),
            }
        }
        let deadline = self.nodes[node].process.as_ref().and_then(FakeRedis::next_deadline);
        if let Some(at) = deadline {
            self.wake_by(host, at.max(self.now));
        }
    }

    fn dial_primary(&mut self, node: NodeId, name: &str, port: u16) {
        let from = self.node_host(node);
        let target = self
            .node_at(&format!("{}:{port}", canonical(name)))
            .map(|to| self.node_host(to))
            .filter(|to| *to != from);
        let Some(to) = target else {
            if let Some(process) = &mut self.nodes[node].process {
                process.primary_gone(self.now);
            }
            return;
        };
        let (net, due) = self.net.dial(self.now, from, to);
        self.nodes[node].primary = Some(net);
        self.post(due);
    }

    /// SLAVEOF on its way to a node.
    pub(super) fn see_slaveof(&mut self, daemon: usize, host: HostId, target: Option<String>) {
        let node = host - self.plan.daemons;
        let group = self.plan.groups[self.plan.group_of(node)].name.clone();
        let address = self.node_address(node);
        let priority = self.nodes[node].config.priority;
        if target.is_none() && self.ledger.current(daemon, &group).is_none_or(|attempt| !attempt.is_planned())
        {
            self.excuse_losses(node);
        }
        let replica = self.nodes[node].process.as_ref().is_some_and(|process| !process.is_primary());
        let process = self.nodes[node].process.as_ref();
        let primary_for = process.and_then(FakeRedis::primary_since).map(|since| self.now.since(since));
        let primary_for = primary_for.map(|real| self.daemons[daemon].own(real));
        let priority = replica.then_some(priority);
        let promoted = target.is_none();
        if !promoted {
            self.nodes[node].told_by.insert(daemon);
            self.nodes[node].told_at = Some(self.now);
        }
        let fact =
            Fact::Slaveof { group: group.clone(), node: address.clone(), priority, target, primary_for };
        self.see(daemon, &fact);
        let handover = self.ledger.current(daemon, &group).and_then(|attempt| attempt.handover.clone());
        match handover.filter(|_| promoted) {
            Some((old, new)) if new == address => self.see_handover(daemon, &old, &new),
            Some((old, new)) if old == address => self.see_restore(daemon, &new),
            Some(_) | None => {}
        }
    }

    /// A planned switchover gives the old primary its role back. A candidate that it can't reach may have become a primary all
    /// the same, and takes writes until it is made a replica again.
    fn see_restore(&mut self, daemon: usize, candidate: &str) {
        let Some(node) = self.node_at(candidate) else { return };
        let to = self.node_host(node);
        let host = &self.hosts[to];
        if !host.running || host.stopped > 0 || self.net.is_disturbed(daemon, to) {
            self.excuse_losses(node);
        }
    }

    /// A planned switchover promotes: whatever the old primary holds, and so whatever it acknowledged, is there. One that a
    /// moment ago became a primary once more, by nobody's word and after it had been told to follow, is not known of.
    fn see_handover(&mut self, daemon: usize, old: &str, new: &str) {
        let process = |world: &Self, address: &str| -> Option<Vec<u32>> {
            Some(world.nodes[world.node_at(address)?].process.as_ref()?.data().to_vec())
        };
        let (Some(held), Some(have)) = (process(self, old), process(self, new)) else { return };
        self.figures.handovers += 1;
        let rose_unknown = self.node_at(old).map(|node| &self.nodes[node]).is_some_and(|node| {
            node.rose_at.is_some_and(|at| self.now.since(at) < UNKNOWN) && !node.told_by.contains(&daemon)
        });
        if rose_unknown {
            return;
        }
        let have: BTreeSet<u32> = have.into_iter().collect();
        let still_primary = |address: &str| {
            let process = self.node_at(address).and_then(|node| self.nodes[node].process.as_ref());
            process.is_some_and(FakeRedis::is_primary)
        };
        if still_primary(old) {
            let what = format!("d{daemon} promotes {new} while {old} is a primary");
            self.break_rule("a planned switchover leaves one primary", what);
        } else if let Some(write) = held.iter().find(|write| !have.contains(write)) {
            let what = format!("d{daemon} promotes {new} without write {write} of {old}");
            self.break_rule("a planned switchover loses no write", what);
        }
    }

    pub(super) fn node_address(&self, node: NodeId) -> String {
        format!("{}:{NODE_PORT}", self.ip(self.node_host(node)))
    }

    /// The node at `ip:port`.
    pub(super) fn node_at(&self, address: &str) -> Option<NodeId> {
        let ip = address.strip_suffix(&format!(":{NODE_PORT}"))?;
        self.host_of_ip.get(ip)?.checked_sub(self.plan.daemons)
    }
}
