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
    /// The daemons take turns round by round, of which each gives so many samples of a daemon: a machine's speed changes
    /// within minutes, and what is held against another's figure must not rest on when it was taken.
    pub(crate) alternates: Option<usize>,
    /// Makes the samples of one daemon; of one round if they alternate.
    pub(crate) measure: fn(Kind, &Plan, &mut Sheet),
}
