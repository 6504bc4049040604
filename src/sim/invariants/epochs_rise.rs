//! An epoch never goes back in what a daemon publishes, asks, answers or writes, restarts included
//! (but for what its disk refused).
//!
//! Source: Redis's Sentinel documentation, "Configuration epochs"; Raft, section 5.1: terms increase monotonically.

use std::collections::BTreeMap;

use super::Invariant;
use crate::sim::facts::{Fact, Seen};
use crate::sim::plan::DaemonId;

#[derive(Debug, Default)]
pub(super) struct EpochsRise {
    highest: BTreeMap<(DaemonId, &'static str, String), u64>,
}

impl Invariant for EpochsRise {
    fn name(&self) -> &'static str {
        "epochs never go back"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        match seen.fact {
            Fact::Forgot { group: None, .. } => {
                self.highest.retain(|(who, ..), _| *who != d);
                Ok(())
            }
            // What goes on in other groups, and the daemon's own epoch, it still knows.
            Fact::Forgot { group: Some(group), .. } => {
                self.highest.retain(|(who, _, of), _| *who != d || of != group);
                Ok(())
            }
            Fact::HelloSent(hello) => {
                self.rise(d, "the current epoch of its hellos", "", hello.current_epoch)?;
                if seen.refused {
                    return Ok(());
                }
                self.rise(d, "the configuration epoch of its hellos", &hello.group, hello.config_epoch)
            }
            Fact::Asked { epoch, candidate: None, .. } => {
                self.rise(d, "the epoch of its questions", "", *epoch)
            }
            Fact::Asked { group, epoch, candidate: Some(_), .. } => {
                self.rise(d, "the epoch of its requests for votes", group, *epoch)
            }
            Fact::Voted { group, epoch, .. } => self.rise(d, "the epoch of its votes", group, *epoch),
            Fact::Told { group, config_epoch } if !seen.refused => {
                self.rise(d, "the configuration epoch told to clients", group, *config_epoch)
            }
            Fact::Saved | Fact::Started { .. } => {
                self.rise(d, "the current epoch in its file", "", seen.saved.current_epoch)?;
                for group in seen.known_groups() {
                    let name = group.name.as_str();
                    self.rise(d, "the configuration epoch in its file", name, group.config_epoch)?;
                    self.rise(d, "the leader epoch in its file", name, group.leader_epoch)?;
                }
                Ok(())
            }
            Fact::Event { event, known: Some(known) } if event.name == "+switch-master" && !seen.refused => {
                self.rise(
                    d,
                    "the configuration epoch of its switches",
                    known.name.as_str(),
                    known.config_epoch,
                )
            }
            Fact::Event { .. }
            | Fact::Pointed { .. }
            | Fact::Told { .. }
            | Fact::Slaveof { .. }
            | Fact::HelloHeard(_)
            | Fact::Opinion { .. }
            | Fact::Forced { .. } => Ok(()),
        }
    }
}

impl EpochsRise {
    fn rise(&mut self, daemon: DaemonId, what: &'static str, group: &str, epoch: u64) -> Result<(), String> {
        let highest = self.highest.entry((daemon, what, group.to_owned())).or_insert(epoch);
        if epoch < *highest {
            return Err(format!("d{daemon}: {what} goes back from {highest} to {epoch} {group}"));
        }
        *highest = epoch;
        Ok(())
    }
}
