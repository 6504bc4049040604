//! A primary is held objectively down only on fresh opinions of `quorum` daemons about that very address, and a
//! failover begins only while it is, unless an operator asked for it.
//!
//! Source: Redis's Sentinel documentation, "SDOWN and ODOWN failure state": ODOWN needs that many confirmations
//! within a time range.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Invariant;
use crate::core::Time;
use crate::sim::facts::{Fact, Seen, canonical};
use crate::sim::plan::DaemonId;

/// Five periods of asking, and one to ask.
const FRESH: Duration = Duration::from_millis(6_500);

#[derive(Debug, Default)]
pub(super) struct Quorum {
    /// Who said what last, and when, about which address of a group.
    heard: BTreeMap<(DaemonId, String, DaemonId), (Time, String, bool)>,
    down: BTreeMap<(DaemonId, String), bool>,
}

impl Invariant for Quorum {
    fn name(&self) -> &'static str {
        "no failover without quorum"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        match seen.fact {
            Fact::Started { .. } => {
                self.heard.retain(|(who, _, _), _| *who != d);
                self.down.retain(|(who, _), _| *who != d);
                Ok(())
            }
            Fact::Forgot { group, .. } => {
                self.heard.retain(|(who, of, _), _| !seen.forgets(group, *who, of));
                self.down.retain(|(who, of), _| !seen.forgets(group, *who, of));
                Ok(())
            }
            Fact::Opinion { group, address, peer, down } => {
                self.heard.insert((d, group.clone(), *peer), (seen.at, address.clone(), *down));
                Ok(())
            }
            Fact::Event { event, known: Some(known) } => {
                let name = known.name.as_str().to_owned();
                match event.name {
                    "+odown" => {
                        let about = about(&event.payload);
                        let others = self
                            .heard
                            .range((d, name.clone(), 0)..=(d, name.clone(), DaemonId::MAX))
                            .filter(|(_, (at, of, down))| {
                                *down && *of == about && seen.at.since(*at) <= FRESH
                            })
                            .count();
                        let need = usize::try_from(known.quorum).unwrap_or(usize::MAX);
                        self.down.insert((d, name), true);
                        if others + 1 >= need {
                            return Ok(());
                        }
                        Err(format!("d{d} has {} of {need} opinions about {about}", others + 1))
                    }
                    "-odown" | "+switch-master" | "+reset-master" => {
                        self.down.insert((d, name), false);
                        Ok(())
                    }
                    "+try-failover" => {
                        let forced = seen.ledger.current(d, &name).is_some_and(|attempt| attempt.forced);
                        if forced || self.down.get(&(d, name.clone())) == Some(&true) {
                            return Ok(());
                        }
                        Err(format!("d{d} begins a failover of {name} without o_down"))
                    }
                    _ => Ok(()),
                }
            }
            Fact::Event { .. }
            | Fact::Saved
            | Fact::Slaveof { .. }
            | Fact::HelloSent(_)
            | Fact::HelloHeard(_)
            | Fact::Asked { .. }
            | Fact::Voted { .. }
            | Fact::Forced { .. }
            | Fact::Pointed { .. }
            | Fact::Told { .. } => Ok(()),
        }
    }
}

/// The address in an event about a primary: `master NAME IP PORT ...`.
fn about(payload: &str) -> String {
    let words: Vec<&str> = payload.split(' ').collect();
    match words[..] {
        [_, _, ip, port, ..] => format!("{}:{port}", canonical(ip)),
        _ => String::new(),
    }
}
