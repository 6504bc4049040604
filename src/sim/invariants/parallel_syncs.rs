//! No more than `parallel-syncs` replicas are on their way to the new primary at a time.
//!
//! Source: Redis's sample sentinel.conf, on `parallel-syncs`: how many replicas can be reconfigured at the same time.

use std::collections::{BTreeMap, BTreeSet};

use super::Invariant;
use crate::sim::facts::{Fact, Seen, group};
use crate::sim::plan::DaemonId;

#[derive(Debug, Default)]
pub(super) struct ParallelSyncs {
    on_their_way: BTreeMap<(DaemonId, String), BTreeSet<String>>,
}

impl Invariant for ParallelSyncs {
    fn name(&self) -> &'static str {
        "few replicas are repointed at a time"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        if let Fact::Started { .. } = seen.fact {
            self.on_their_way.retain(|(who, _), _| *who != d);
        }
        let Fact::Event { event, known } = seen.fact else { return Ok(()) };
        let Some(name) = event.group.as_ref().map(|group| group.as_str().to_owned()) else { return Ok(()) };
        // SENTINEL SET holds before it is saved.
        let limit = known.as_deref().or(group(seen.saved, &name)).map_or(1, |group| group.parallel_syncs);
        let nodes = self.on_their_way.entry((d, name)).or_default();
        let node = event.payload.split(' ').nth(1).unwrap_or_default();
        match event.name {
            "+try-failover" | "+failover-end" | "+switch-master" | "+reset-master" | "-monitor" => {
                nodes.clear();
            }
            "+slave-reconf-done" | "-slave-reconf-sent-timeout" => {
                nodes.remove(node);
            }
            "+slave-reconf-sent" => {
                nodes.insert(node.to_owned());
                if nodes.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
                    return Err(format!("d{d} has {nodes:?} on their way, allowed are {limit}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
