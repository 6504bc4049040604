//! Rows that are made together, and how many rounds of them.

use super::{Kind, Row, Sheet};

/// What is wanted of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Rounds of each row.
    pub(crate) rounds: usize,
}

impl Plan {
    /// Rounds of a row in which the genuine daemons take their time: they get fewer.
    pub(crate) fn rounds_of(&self, kind: Kind, genuine: usize) -> usize {
        if kind == Kind::Vedette { self.rounds } else { self.rounds.min(genuine) }
    }
}

/// Rows that come out of the same rounds.
pub(crate) struct Chapter {
    /// What `--rows` calls all of them.
    pub(crate) id: &'static str,
    /// The rows.
    pub(crate) rows: &'static [Row],
    /// Makes the samples of one daemon.
    pub(crate) measure: fn(Kind, &Plan, &mut Sheet),
}
