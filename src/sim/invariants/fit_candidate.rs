//! A replica whose priority is 0 is never promoted.
//!
//! Source: Redis's Sentinel documentation, "Replica selection and priority": such a replica is never chosen. A node that calls
//! itself a primary doesn't tell its priority, so the rule can't be kept for it.

use super::Invariant;
use crate::sim::facts::{Fact, Seen};

#[derive(Debug)]
pub(super) struct FitCandidate;

impl Invariant for FitCandidate {
    fn name(&self) -> &'static str {
        "priority 0 is never promoted"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if let Fact::Slaveof { group, node, priority: Some(0), target: None, .. } = seen.fact {
            let handover =
                seen.ledger.current(seen.daemon, group).and_then(|attempt| attempt.handover.as_ref());
            // A planned switchover that is undone: it was the primary before.
            if handover.is_some_and(|(old, _)| old == node) {
                return Ok(());
            }
            return Err(format!("d{} promotes {node}", seen.daemon));
        }
        Ok(())
    }
}
