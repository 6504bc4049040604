//! `+switch-master` is told once per switch, in an unbroken chain: each begins at the address where the last one ended.
//!
//! Source: Redis's Sentinel documentation, "Pub/sub messages": clients follow `+switch-master` alone.

use std::collections::BTreeMap;

use super::Invariant;
use crate::sim::facts::{Fact, Seen, address, canonical};
use crate::sim::plan::DaemonId;

#[derive(Debug, Default)]
pub(super) struct SwitchTold {
    /// Where the last switch of this process ended, or where it began.
    last: BTreeMap<(DaemonId, String), String>,
}

impl Invariant for SwitchTold {
    fn name(&self) -> &'static str {
        "switches are told in a chain"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        match seen.fact {
            Fact::Started { .. } => {
                for group in &seen.saved.groups {
                    self.last.insert((d, group.name.as_str().to_owned()), address(group));
                }
                Ok(())
            }
            Fact::Event { event, .. } if event.name == "+monitor" => {
                let words: Vec<&str> = event.payload.split(' ').collect();
                // A name that has no address yet is shown as none.
                if let [_, name, ip, port, ..] = words[..]
                    && !ip.is_empty()
                {
                    self.last.insert((d, name.to_owned()), format!("{}:{port}", canonical(ip)));
                }
                Ok(())
            }
            Fact::Event { event, .. } if event.name == "+switch-master" => {
                let words: Vec<&str> = event.payload.split(' ').collect();
                let [name, from_ip, from_port, ip, port] = words[..] else {
                    return Err(event.payload.clone());
                };
                let (from, to) =
                    (format!("{}:{from_port}", canonical(from_ip)), format!("{}:{port}", canonical(ip)));
                let last = self.last.insert((d, name.to_owned()), to.clone());
                // Of a name that was never resolved nobody can know that it is that very address.
                let nameless = from_ip != ip && canonical(from_ip) != from_ip;
                if from == to && !nameless {
                    return Err(format!("d{d} tells a switch of {name} from {from} to itself"));
                }
                if last.as_ref().is_some_and(|last| *last != from) {
                    return Err(format!(
                        "d{d} tells a switch of {name} from {from}, the last one ended at {last:?}"
                    ));
                }
                Ok(())
            }
            Fact::Event { .. }
            | Fact::Slaveof { .. }
            | Fact::Saved
            | Fact::Forgot { .. }
            | Fact::HelloSent(_)
            | Fact::HelloHeard(_)
            | Fact::Asked { .. }
            | Fact::Opinion { .. }
            | Fact::Voted { .. }
            | Fact::Forced { .. }
            | Fact::Pointed { .. }
            | Fact::Told { .. } => Ok(()),
        }
    }
}
