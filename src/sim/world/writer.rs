//! The writer: which writes were acknowledged, which of them are lost in the end, and what may be the cause.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Event, World};
use crate::sim::facts::{address, group};

/// How long a burst of writes lasts.
const BURST: Duration = Duration::from_millis(400);
/// Milliseconds between the writes of a burst.
const GAP: (u64, u64) = (1, 5);

/// What became of the writes.
#[derive(Debug, Default)]
pub(super) struct Writes {
    newest: u32,
    /// Nodes that a client was ever sent to.
    told: BTreeSet<usize>,
    /// Group and number of each acknowledged write.
    acknowledged: Vec<(usize, u32)>,
    /// Groups in which something happened that loses acknowledged writes, since replication doesn't wait.
    excused: BTreeSet<usize>,
}

impl World {
    /// A client of the simulation writes to a node, at once.
    pub(super) fn write_to(&mut self, node: usize) -> bool {
        let host = &self.hosts[self.node_host(node)];
        if !host.running || host.stopped > 0 {
            return false;
        }
        self.writes.newest += 1;
        let (id, now) = (self.writes.newest, self.now);
        let mut effects = Vec::new();
        let Some(process) = &mut self.nodes[node].process else { return false };
        let acknowledged = process.write(id, now, &mut effects);
        self.carry_out(node, effects);
        if acknowledged {
            self.figures.writes += 1;
            self.writes.acknowledged.push((self.plan.group_of(node), id));
        }
        acknowledged
    }

    /// A client was told that this node is a primary.
    pub(super) fn tell(&mut self, node: usize) {
        self.writes.told.insert(node);
    }

    /// Clients that don't wait for events write wherever they ever wrote, as fast as they can, for a while.
    pub(super) fn begin_burst(&mut self, group: usize) {
        let until = self.now + BURST;
        self.queue.push(self.now, Event::Burst { group, until });
    }

    pub(super) fn burst(&mut self, group: usize, until: crate::core::Time) {
        for node in self.plan.groups[group].nodes.clone() {
            if self.writes.told.contains(&node) {
                self.write_to(node);
            }
        }
        if self.now < until {
            let next = self.now + self.rng.millis(GAP.0, GAP.1);
            self.queue.push(next, Event::Burst { group, until });
        }
    }

    /// Something happened that may lose writes: a failover that nobody planned, a node that lost its data, a node that was
    /// promoted by hand.
    pub(super) fn excuse_losses(&mut self, node: usize) {
        let group = self.plan.group_of(node);
        self.writes.excused.insert(group);
    }

    /// The fleet has agreed: what is lost must be excused.
    pub(crate) fn account_for_writes(&mut self) {
        if self.violation.is_some() || self.figures().contested {
            return;
        }
        let Some(settings) = self.daemons[0].engine.as_ref().map(crate::core::Engine::snapshot) else {
            return;
        };
        for at in 0..self.plan.groups.len() {
            let name = self.plan.groups[at].name.clone();
            let primary = group(&settings, &name).map(address).and_then(|address| self.node_at(&address));
            let Some(process) = primary.and_then(|node| self.nodes[node].process.as_ref()) else { continue };
            let held: BTreeSet<u32> = process.data().iter().copied().collect();
            let mine = self.writes.acknowledged.iter().filter(|(of, _)| *of == at);
            let lost: Vec<u32> = mine.map(|(_, id)| *id).filter(|id| !held.contains(id)).collect();
            self.figures.lost += lost.len() as u64;
            if let Some(first) = lost.first()
                && !self.writes.excused.contains(&at)
            {
                let what = format!(
                    "{} writes of {name} are lost, write {first} first, and nothing excuses it",
                    lost.len()
                );
                self.break_rule("no acknowledged write is lost without a failover", what);
            }
        }
    }
}
