//! Liveness: when the faults are over the fleet heals, and agrees.

use std::time::Duration;

use super::World;
use crate::core::Engine;
use crate::core::Time;
use crate::core::view::InstanceView;
use crate::sim::facts::{address, canonical};
use crate::sim::plan::Who;
use crate::sim::redis::FakeRedis;

/// How long the daemons have to find everybody before the faults.
const DISCOVERY: Duration = Duration::from_secs(60);
/// How long the fleet has to agree after the faults: TILT, blocked attempts and slow corrections may follow each other.
const SETTLING: Duration = Duration::from_secs(300);
/// How long a node may be known to nobody before the operator sees to it.
const ABANDONED: Duration = Duration::from_secs(60);
/// Agreement must last.
const STEADY: Duration = Duration::from_secs(3);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);

impl World {
    /// Runs until every daemon knows every node and every daemon.
    pub(crate) fn discover(&mut self) {
        let end = self.now + DISCOVERY;
        while self.violation.is_none() {
            match self.disagreement() {
                None => return,
                Some(what) if self.now >= end => self.break_rule("the fleet finds itself", what),
                Some(_) => self.run_for(LOOK),
            }
        }
    }

    /// The primary of each group dies for good: the rest must replace it, agree and heal.
    pub(crate) fn bury_the_primaries(&mut self) {
        if self.violation.is_some() {
            return;
        }
        for group in 0..self.plan.groups.len() {
            let host = self.host_of(Who::PrimaryOf(group));
            let node = host - self.plan.daemons;
            let nodes = &self.plan.groups[group].nodes;
            let heir = nodes.iter().any(|other| *other != node && self.nodes[*other].config.priority > 0);
            if heir && self.hosts[host].running {
                self.trace.line(|| format!("--- n{node} dies for good"));
                self.kill(host, false);
                self.buried.insert(node);
            }
        }
        self.settle();
    }

    /// Runs until the fleet has agreed for a while, with all faults over.
    pub(crate) fn settle(&mut self) {
        let begin = self.now;
        let mut since: Option<Time> = None;
        while self.violation.is_none() {
            match self.disagreement() {
                None => {
                    let since = *since.get_or_insert(self.now);
                    if self.now.since(since) >= STEADY {
                        self.figures.settled_after = since.millis_since(begin);
                        return;
                    }
                }
                Some(what) => {
                    since = None;
                    // Two promotions in one epoch on an operator's word can turn nodes against each other for good: in
                    // Sentinel's protocol equal epochs never change anything.
                    if self.figures().contested {
                        return;
                    }
                    if self.now.since(begin) >= ABANDONED {
                        self.rescue();
                    }
                    if self.now.since(begin) >= SETTLING {
                        self.portray();
                        self.break_rule("the fleet heals and agrees", what);
                        return;
                    }
                }
            }
            self.run_for(LOOK);
        }
    }

    /// What keeps the fleet from being one: one primary, all others its replicas with the same data, all daemons agree.
    pub(crate) fn disagreement(&self) -> Option<String> {
        for group in &self.plan.groups {
            let mut first: Option<(String, u64)> = None;
            for daemon in 0..self.plan.daemons {
                let Some(engine) = &self.daemons[daemon].engine else {
                    return Some(format!("d{daemon} is dead"));
                };
                let settings = engine.snapshot();
                let Some(held) = settings.groups.iter().find(|held| held.name.as_str() == group.name) else {
                    return Some(format!("d{daemon} doesn't know {}", group.name));
                };
                let told = (address(held), held.config_epoch);
                let first = first.get_or_insert_with(|| told.clone());
                if *first != told {
                    return Some(format!("d{daemon} has {told:?} for {}, d0 has {first:?}", group.name));
                }
                let (replicas, peers) = (held.known_replicas.len(), held.known_sentinels.len());
                if (replicas, peers) != (group.nodes.len() - 1, self.plan.daemons - 1) {
                    return Some(format!(
                        "d{daemon} knows {replicas} replicas and {peers} peers of {}",
                        group.name
                    ));
                }
                if let Some(what) = self.unrest(engine, daemon, &group.name) {
                    return Some(what);
                }
            }
            if let Some(what) = self.disorder(&group.nodes, &first?.0) {
                return Some(what);
            }
        }
        (0..self.plan.daemons).find_map(|daemon| {
            let owed = self.owed(daemon);
            let waits = self.daemons[daemon].disk.is_busy() || owed.is_empty();
            (!waits).then(|| format!("d{daemon} owes answers to {owed:?}"))
        })
    }

    /// A daemon that isn't at rest.
    fn unrest(&self, engine: &Engine, daemon: usize, group: &str) -> Option<String> {
        let view = engine.view(self.clock(daemon));
        if view.tilt {
            return Some(format!("d{daemon} is in TILT"));
        }
        let group = view.groups.iter().find(|seen| seen.name == group)?;
        if let Some(state) = group.failover_state {
            return Some(format!("d{daemon} is in a failover: {state}"));
        }
        let mut all = std::iter::once(&group.primary).chain(&group.replicas).chain(&group.sentinels);
        let buried = |seen: &InstanceView| {
            self.node_at(&format!("{}:{}", canonical(&seen.host), seen.port))
                .is_some_and(|node| self.buried.contains(&node))
        };
        let bad = all.find(|seen| (seen.down || seen.disconnected) && !buried(seen))?;
        Some(format!("d{daemon} has {} as {}", bad.name, bad.flags))
    }

    /// Every node and every daemon's view, into the trace.
    fn portray(&mut self) {
        let mut lines = Vec::new();
        for (node, machine) in self.nodes.iter().enumerate() {
            let process = machine.process.as_ref().map(FakeRedis::portrait);
            lines.push(format!("n{node} {}: {process:?}", machine.config.ip));
        }
        for (daemon, machine) in self.daemons.iter().enumerate() {
            let Some(engine) = &machine.engine else { continue };
            let view = engine.view(self.clock(daemon));
            for group in &view.groups {
                let all = std::iter::once(&group.primary).chain(&group.replicas);
                let all: Vec<_> =
                    all.map(|seen| format!("{}:{}={}", seen.host, seen.port, seen.flags)).collect();
                lines.push(format!(
                    "d{daemon} {} config {} leader {} {}: {}",
                    group.name,
                    group.config_epoch,
                    group.leader_epoch,
                    group.failover_state.unwrap_or("-"),
                    all.join(" ")
                ));
            }
        }
        for line in lines {
            self.trace.line(|| line);
        }
    }

    /// Data nodes that aren't one primary and its replicas.
    fn disorder(&self, nodes: &[usize], primary: &str) -> Option<String> {
        let at = self.node_at(primary)?;
        if self.buried.contains(&at) {
            return Some(format!("n{at} is dead, and still the primary"));
        }
        let source = self.nodes[at].process.as_ref().filter(|process| process.is_primary());
        let Some(source) = source else { return Some(format!("n{at} is no primary")) };
        for node in nodes.iter().filter(|node| **node != at && !self.buried.contains(node)) {
            let process = self.nodes[*node].process.as_ref();
            let following = process.and_then(FakeRedis::following);
            let following = following.map(|(host, port, up)| (canonical(host), port, up));
            let expected = (self.nodes[at].config.ip.clone(), self.nodes[at].config.port, true);
            if following.as_ref() != Some(&expected) {
                return Some(format!("n{node} follows {following:?}, not {expected:?}"));
            }
            // The stream is never further behind than what is on the wire.
            let (have, want) = (process.map_or(&[][..], FakeRedis::data), source.data());
            let same = have.len() + 3 >= want.len() && want.starts_with(have);
            if !same {
                return Some(format!("n{node} holds {} writes, its primary {}", have.len(), want.len()));
            }
        }
        None
    }
}
