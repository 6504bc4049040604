//! In TILT nothing is judged and no failover goes on: no change of s_down or o_down, no attempt, no step of one, no
//! command that gives a node its role. (An operator's word is taken, and acted upon after it.)
//!
//! Source: Redis's Sentinel documentation, "TILT mode": monitoring goes on, acting doesn't.

use std::collections::BTreeSet;

use super::Invariant;
use crate::sim::facts::{Fact, Seen};
use crate::sim::plan::DaemonId;

/// What may not happen.
const ACTS: [&str; 10] = [
    "+sdown",
    "-sdown",
    "+odown",
    "-odown",
    "+try-failover",
    "+elected-leader",
    "+selected-slave",
    "+slave-reconf-sent",
    "+convert-to-slave",
    "+fix-slave-config",
];

#[derive(Debug, Default)]
pub(super) struct TiltIsStill {
    tilted: BTreeSet<DaemonId>,
}

impl Invariant for TiltIsStill {
    fn name(&self) -> &'static str {
        "TILT is still"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        match seen.fact {
            Fact::Started { .. } => {
                self.tilted.remove(&d);
                Ok(())
            }
            Fact::Event { event, .. } => {
                match event.name {
                    "+tilt" => {
                        self.tilted.insert(d);
                    }
                    "-tilt" => {
                        self.tilted.remove(&d);
                    }
                    name if self.tilted.contains(&d) && ACTS.contains(&name) => {
                        let group = event.group.as_ref().map_or("", |group| group.as_str());
                        let forced = seen.ledger.current(d, group).is_some_and(|attempt| attempt.forced);
                        if name == "+try-failover" && forced {
                            return Ok(());
                        }
                        return Err(format!("d{d} in TILT: {name} {}", event.payload));
                    }
                    _ => {}
                }
                Ok(())
            }
            Fact::Slaveof { node, target, .. } if self.tilted.contains(&d) => {
                Err(format!("d{d} in TILT commands {node} to follow {target:?}"))
            }
            Fact::Slaveof { .. }
            | Fact::Saved
            | Fact::HelloSent(_)
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
