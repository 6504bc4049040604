//! A daemon gives at most one vote per group and epoch, restarts included.
//!
//! Source: Redis's Sentinel documentation, "Configuration epochs": a
//! Sentinel votes once per epoch; Raft (Ongaro and Ousterhout 2014), section 5.2: `votedFor` is kept on stable storage.

use std::collections::BTreeMap;

use super::Invariant;
use crate::sim::facts::{Fact, Seen};
use crate::sim::plan::DaemonId;

#[derive(Debug, Default)]
pub(super) struct OneVote {
    given: BTreeMap<(DaemonId, String, u64), String>,
}

impl Invariant for OneVote {
    fn name(&self) -> &'static str {
        "one vote per group and epoch"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        // What a daemon was made to forget it may give again: the ledger keeps account of what follows from that.
        if let Fact::Forgot { group, .. } = seen.fact {
            self.given.retain(|(who, of, _), _| !seen.forgets(group, *who, of));
        }
        let Some((group, leader, epoch)) = vote(seen.fact) else { return Ok(()) };
        if seen.ledger.has_forgotten(seen.daemon, group, epoch) {
            return Ok(());
        }
        let first =
            self.given.entry((seen.daemon, group.to_owned(), epoch)).or_insert_with(|| leader.to_owned());
        if first == leader {
            return Ok(());
        }
        Err(format!(
            "d{} votes for {leader} in epoch {epoch} of {group}, and voted for {first} before",
            seen.daemon
        ))
    }
}

/// The vote that a fact gives away: group, whom, epoch. One's own is given as soon as others are asked for theirs.
pub(crate) fn vote(fact: &Fact) -> Option<(&str, &str, u64)> {
    match fact {
        Fact::Voted { group, leader: Some(leader), epoch }
        | Fact::Asked { group, candidate: Some(leader), epoch, .. } => Some((group, leader, *epoch)),
        Fact::Event { .. }
        | Fact::Asked { .. }
        | Fact::Voted { .. }
        | Fact::Started { .. }
        | Fact::Saved
        | Fact::Slaveof { .. }
        | Fact::HelloSent(_)
        | Fact::HelloHeard(_)
        | Fact::Forgot { .. }
        | Fact::Opinion { .. }
        | Fact::Forced { .. }
        | Fact::Pointed { .. }
        | Fact::Told { .. } => None,
    }
}
