//! A daemon asks a peer about a primary at a bounded rate, whatever happens: questions never answer questions without
//! end.
//!
//! Source: Redis's Sentinel documentation, "SDOWN and ODOWN failure state": opinions are asked for once a second. Asking
//! sooner when there is news may not become a storm.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Invariant;
use crate::core::Time;
use crate::sim::facts::{Fact, Seen};
use crate::sim::plan::DaemonId;

/// Most questions to one peer about one group within a second.
const MOST: usize = 20;

#[derive(Debug, Default)]
pub(super) struct FewQuestions {
    asked: BTreeMap<(DaemonId, DaemonId, String), VecDeque<Time>>,
}

impl Invariant for FewQuestions {
    fn name(&self) -> &'static str {
        "questions at a bounded rate"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let Fact::Asked { peer, group, .. } = seen.fact else { return Ok(()) };
        let times = self.asked.entry((seen.daemon, *peer, group.clone())).or_default();
        times.push_back(seen.at);
        while times.front().is_some_and(|at| seen.at.since(*at) > Duration::from_secs(1)) {
            times.pop_front();
        }
        if times.len() <= MOST {
            return Ok(());
        }
        Err(format!("d{} asks d{peer} about {group} {} times within a second", seen.daemon, times.len()))
    }
}
