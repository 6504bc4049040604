//! Who is elected has the votes of a majority of the fleet and of as many as the quorum, in the epoch of its attempt.
//!
//! Source: Redis's Sentinel documentation, "Quorum": a failover needs the
//! authorization of the majority, and of the quorum when that is larger.

use std::collections::{BTreeMap, BTreeSet};

use super::Invariant;
use super::one_vote::vote;
use crate::sim::facts::{Fact, Seen, group};
use crate::sim::plan::DaemonId;

#[derive(Debug, Default)]
pub(super) struct Majority {
    fleet: usize,
    /// Who voted for whom.
    votes: BTreeMap<(String, u64, String), BTreeSet<DaemonId>>,
}

impl Invariant for Majority {
    fn name(&self) -> &'static str {
        "elected by a majority"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if let Fact::Started { fleet } = seen.fact {
            self.fleet = *fleet;
        }
        if let Some((group, leader, epoch)) = vote(seen.fact) {
            self.votes.entry((group.to_owned(), epoch, leader.to_owned())).or_default().insert(seen.daemon);
        }
        let Fact::Event { event, known } = seen.fact else { return Ok(()) };
        if event.name != "+elected-leader" {
            return Ok(());
        }
        let (Some(known), Some(id)) = (known, &seen.saved.my_id) else { return Ok(()) };
        let Some(attempt) = seen.ledger.current(seen.daemon, known.name.as_str()) else { return Ok(()) };
        if attempt.forced {
            return Ok(());
        }
        let key = (known.name.as_str().to_owned(), attempt.epoch, id.as_str().to_owned());
        // Who asks nobody shows no vote, not even his own.
        let own =
            group(seen.saved, known.name.as_str()).is_some_and(|group| group.leader_epoch == attempt.epoch);
        let have = self.votes.get(&key).map_or(0, BTreeSet::len).max(usize::from(own));
        // Who was made to forget his peers counts those that he has found again: Sentinel's majority is of the known.
        let fleet =
            if seen.ledger.is_forgetful(seen.daemon) { known.known_sentinels.len() + 1 } else { self.fleet };
        let need = (fleet / 2 + 1).max(usize::try_from(known.quorum).unwrap_or(usize::MAX));
        if have >= need {
            return Ok(());
        }
        Err(format!(
            "d{} is elected in epoch {} of {} by {have} votes of {need}",
            seen.daemon, attempt.epoch, key.0
        ))
    }
}
