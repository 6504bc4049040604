//! A daemon makes a data node follow only the primary of the newest configuration that it has heard of.
//!
//! Source: Redis's Sentinel documentation, "Sentinel reconfiguration of instances outside the failover procedure": a stale Sentinel must
//! not set a node to an older configuration than the one it knows.

use std::collections::BTreeMap;

use super::Invariant;
use crate::sim::facts::{Fact, Seen, address};
use crate::sim::plan::DaemonId;

#[derive(Debug, Default)]
pub(super) struct NewestKnown {
    newest: BTreeMap<(DaemonId, String), (u64, String)>,
}

impl Invariant for NewestKnown {
    fn name(&self) -> &'static str {
        "no reconfiguration on old knowledge"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        match seen.fact {
            Fact::Started { .. } => {
                self.newest.retain(|(who, _), _| *who != d);
                self.learn_saved(seen);
                Ok(())
            }
            Fact::Forgot { group, .. } => {
                self.newest.retain(|(who, of), _| !seen.forgets(group, *who, of));
                Ok(())
            }
            Fact::Saved => {
                self.learn_saved(seen);
                Ok(())
            }
            Fact::HelloHeard(hello) => {
                self.learn(d, &hello.group, hello.config_epoch, &hello.address);
                Ok(())
            }
            // A promotion is a fact even when the disk would not take it.
            Fact::Event { event, known: Some(known) } if event.name == "+promoted-slave" => {
                self.learn(d, known.name.as_str(), known.config_epoch, &address(known));
                Ok(())
            }
            Fact::Slaveof { group, node, target: Some(target), .. } => {
                let handover = seen.ledger.current(d, group).and_then(|attempt| attempt.handover.as_ref());
                match self.newest.get(&(d, group.clone())) {
                    // The first half of a planned switchover.
                    Some((_, newest))
                        if newest == node
                            && handover.is_some_and(|(old, new)| old == node && new == target) =>
                    {
                        Ok(())
                    }
                    Some((epoch, newest)) if newest != target && !seen.ledger.contested(group, *epoch) => {
                        Err(format!("d{d} makes {node} follow {target}, and knows {newest} of epoch {epoch}"))
                    }
                    Some(_) | None => Ok(()),
                }
            }
            Fact::Slaveof { .. }
            | Fact::Event { .. }
            | Fact::HelloSent(_)
            | Fact::Asked { .. }
            | Fact::Opinion { .. }
            | Fact::Voted { .. }
            | Fact::Forced { .. }
            | Fact::Pointed { .. }
            | Fact::Told { .. } => Ok(()),
        }
    }
}

impl NewestKnown {
    fn learn_saved(&mut self, seen: &Seen<'_>) {
        for group in seen.known_groups() {
            self.learn(seen.daemon, group.name.as_str(), group.config_epoch, &address(group));
        }
    }

    fn learn(&mut self, daemon: DaemonId, group: &str, epoch: u64, address: &str) {
        let newest =
            self.newest.entry((daemon, group.to_owned())).or_insert_with(|| (epoch, address.to_owned()));
        if epoch > newest.0 {
            *newest = (epoch, address.to_owned());
        }
    }
}
