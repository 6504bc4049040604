//! At most one primary per group and configuration epoch, in hellos, files and switches of all daemons together.
//!
//! Source: Redis's Sentinel documentation, "Configuration epochs" and "Configuration propagation": the configuration
//! with the higher version wins, which needs that no two have the same.

use std::collections::BTreeMap;

use super::Invariant;
use crate::sim::facts::{Fact, Seen, address};

#[derive(Debug, Default)]
pub(super) struct OnePrimary {
    primaries: BTreeMap<(String, u64), String>,
}

impl Invariant for OnePrimary {
    fn name(&self) -> &'static str {
        "one primary per group and epoch"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.fact {
            Fact::HelloSent(hello) => self.commit(seen, &hello.group, hello.config_epoch, &hello.address),
            Fact::Saved | Fact::Started { .. } => {
                for group in &seen.saved.groups {
                    self.commit(seen, group.name.as_str(), group.config_epoch, &address(group))?;
                }
                Ok(())
            }
            Fact::Event { event, known: Some(known) } if event.name == "+switch-master" => {
                self.commit(seen, known.name.as_str(), known.config_epoch, &address(known))
            }
            Fact::Event { .. }
            | Fact::Slaveof { .. }
            | Fact::HelloHeard(_)
            | Fact::Asked { .. }
            | Fact::Forgot { .. }
            | Fact::Opinion { .. }
            | Fact::Voted { .. }
            | Fact::Forced { .. }
            | Fact::Pointed { .. }
            | Fact::Told { .. } => Ok(()),
        }
    }
}

impl OnePrimary {
    fn commit(&mut self, seen: &Seen<'_>, group: &str, epoch: u64, address: &str) -> Result<(), String> {
        // The first configuration is what somebody wrote or told.
        if epoch == 0 {
            return Ok(());
        }
        let first = self.primaries.entry((group.to_owned(), epoch)).or_insert_with(|| address.to_owned());
        if first == address || seen.ledger.contested(group, epoch) {
            return Ok(());
        }
        Err(format!(
            "d{} has {address} as the primary of {group} in epoch {epoch}, another is {first}",
            seen.daemon
        ))
    }
}
