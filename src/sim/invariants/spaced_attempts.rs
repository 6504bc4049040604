//! Attempts that nobody asked for are spaced by twice the failover-timeout, from the last attempt or the last vote for
//! another's, so that a group without a fit replica is not tossed about.
//!
//! Source: Redis's sample sentinel.conf, on `failover-timeout`: the time needed to restart a failover after a previous
//! one was tried by a given Sentinel is two times the failover timeout.

use std::collections::BTreeMap;

use super::Invariant;
use crate::core::Time;
use crate::sim::facts::{Fact, Seen};
use crate::sim::plan::DaemonId;

#[derive(Debug, Default)]
pub(super) struct SpacedAttempts {
    last: BTreeMap<(DaemonId, String), Time>,
}

impl Invariant for SpacedAttempts {
    fn name(&self) -> &'static str {
        "attempts are spaced"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        if let Fact::Started { .. } = seen.fact {
            self.last.retain(|(who, _), _| *who != d);
        }
        let Fact::Event { event, known } = seen.fact else { return Ok(()) };
        let Some(group) = &event.group else { return Ok(()) };
        let key = (d, group.as_str().to_owned());
        match event.name {
            "+switch-master" | "+reset-master" | "-monitor" => {
                self.last.remove(&key);
            }
            // A daemon that stands again, within the same attempt, votes for itself once more.
            "+vote-for-leader" => {
                let own = seen.saved.my_id.as_ref().is_some_and(|id| event.payload.starts_with(id.as_str()));
                if !own || !self.last.contains_key(&key) {
                    self.last.insert(key, seen.at);
                }
            }
            "+try-failover" => {
                let forced = seen.ledger.current(d, &key.1).is_some_and(|attempt| attempt.forced);
                let need = known.as_ref().map(|known| known.failover_timeout * 2);
                let last = self.last.insert(key, seen.at);
                if let (false, Some(last), Some(need)) = (forced, last, need)
                    && seen.at.since(last) < need
                {
                    return Err(format!("d{d} tries {group} again after {:?}", seen.at.since(last)));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
