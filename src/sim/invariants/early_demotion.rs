//! The primary of the newest configuration of all is never made a replica in haste by a daemon that doesn't know that
//! configuration. After Sentinel's wait, four hello periods in which nobody has told it a newer one, it may be.
//!
//! Source: Redis's Sentinel documentation, "Sentinel reconfiguration of instances outside the failover procedure": a primary that
//! shouldn't be one is observed for some time before it is changed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::sim::facts::{Fact, Seen, address};
use crate::sim::plan::DaemonId;

/// Four hello periods.
const WAIT: Duration = Duration::from_secs(8);

#[derive(Debug, Default)]
pub(super) struct EarlyDemotion {
    /// For each group, the newest configuration of all daemons.
    newest: BTreeMap<String, (u64, String)>,
    /// The newest epoch that each daemon has heard of.
    heard: BTreeMap<(DaemonId, String), u64>,
}

impl Invariant for EarlyDemotion {
    fn name(&self) -> &'static str {
        "no demotion in haste on old knowledge"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        match seen.fact {
            Fact::Started { .. } => {
                self.heard.retain(|(who, _), _| *who != d);
                self.commit_saved(seen);
            }
            Fact::Forgot { group, .. } => self.heard.retain(|(who, of), _| !seen.forgets(group, *who, of)),
            Fact::Saved => self.commit_saved(seen),
            Fact::HelloSent(hello) => self.commit(d, &hello.group, hello.config_epoch, &hello.address),
            Fact::HelloHeard(hello) => self.hear(d, &hello.group, hello.config_epoch),
            Fact::Event { event, known: Some(known) }
                if ["+promoted-slave", "+switch-master"].contains(&event.name) =>
            {
                self.commit(d, known.name.as_str(), known.config_epoch, &address(known));
            }
            Fact::Slaveof { group, node, target: Some(target), primary_for: Some(age), .. } => {
                let Some((epoch, newest)) = self.newest.get(group) else { return Ok(()) };
                let heard = self.heard.get(&(d, group.clone())).copied().unwrap_or(0);
                // An operator's planned switchover demotes the primary that works.
                let handover = seen.ledger.current(d, group).and_then(|attempt| attempt.handover.as_ref());
                if handover.is_some_and(|(old, new)| old == node && new == target) {
                    return Ok(());
                }
                let contested = seen.ledger.contested(group, *epoch);
                if node == newest && target != newest && heard < *epoch && *age < WAIT && !contested {
                    return Err(format!(
                        "d{d} knows of epoch {heard} and makes {node} follow {target}, {age:?} after it became the primary of \
                         epoch {epoch}"
                    ));
                }
            }
            Fact::Slaveof { .. }
            | Fact::Event { .. }
            | Fact::Asked { .. }
            | Fact::Opinion { .. }
            | Fact::Voted { .. }
            | Fact::Forced { .. }
            | Fact::Pointed { .. }
            | Fact::Told { .. } => {}
        }
        Ok(())
    }
}

impl EarlyDemotion {
    fn commit_saved(&mut self, seen: &Seen<'_>) {
        for group in &seen.saved.groups {
            self.renew(group.name.as_str(), group.config_epoch, &address(group));
        }
        for group in seen.known_groups() {
            self.hear(seen.daemon, group.name.as_str(), group.config_epoch);
        }
    }

    fn commit(&mut self, daemon: DaemonId, group: &str, epoch: u64, address: &str) {
        self.hear(daemon, group, epoch);
        self.renew(group, epoch, address);
    }

    fn renew(&mut self, group: &str, epoch: u64, address: &str) {
        let newest = self.newest.entry(group.to_owned()).or_insert_with(|| (epoch, address.to_owned()));
        if epoch > newest.0 {
            *newest = (epoch, address.to_owned());
        }
    }

    fn hear(&mut self, daemon: DaemonId, group: &str, epoch: u64) {
        let heard = self.heard.entry((daemon, group.to_owned())).or_insert(epoch);
        *heard = epoch.max(*heard);
    }
}
