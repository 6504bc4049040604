//! `+sdown` and `-sdown`, `+odown` and `-odown` come in turn for each instance, until a switch makes it another one.
//!
//! Source: Redis's Sentinel documentation, "Pub/Sub messages": each tells of a state entered or left, and clients and
//! scripts count on it.

use std::collections::BTreeSet;

use super::Invariant;
use crate::sim::facts::{Fact, Seen};
use crate::sim::plan::DaemonId;

#[derive(Debug, Default)]
pub(super) struct DownsPair {
    /// Daemon, group, state, instance.
    down: BTreeSet<(DaemonId, String, &'static str, String)>,
}

impl Invariant for DownsPair {
    fn name(&self) -> &'static str {
        "downs come in pairs"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        if let Fact::Started { .. } = seen.fact {
            self.down.retain(|(who, ..)| *who != d);
        }
        let Fact::Event { event, .. } = seen.fact else { return Ok(()) };
        let Some(group) = event.group.as_ref().map(|group| group.as_str().to_owned()) else { return Ok(()) };
        if event.name == "+switch-master" {
            self.down.retain(|(who, of, _, instance)| {
                (*who, of.as_str()) != (d, group.as_str()) || instance.starts_with("sentinel ")
            });
            return Ok(());
        }
        if event.name == "+reset-master" || event.name == "-monitor" {
            self.down.retain(|(who, of, _, _)| (*who, of.as_str()) != (d, group.as_str()));
            return Ok(());
        }
        let instance = event.payload.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let news = match event.name {
            // Known anew.
            "+sentinel" | "+slave" => {
                self.down.remove(&(d, group, "s_down", instance));
                true
            }
            "+sdown" => self.down.insert((d, group, "s_down", instance)),
            "-sdown" => self.down.remove(&(d, group, "s_down", instance)),
            "+odown" => self.down.insert((d, group, "o_down", instance)),
            "-odown" => self.down.remove(&(d, group, "o_down", instance)),
            _ => return Ok(()),
        };
        if news { Ok(()) } else { Err(format!("d{d} says {} {} once more", event.name, event.payload)) }
    }
}
