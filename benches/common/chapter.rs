//! Rows that are made together, and how many rounds of them.

use super::{Kind, Row, Sheet};

/// What is wanted of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Rounds of each row.
    pub(crate) rounds: usize,
}

/// How the samples of a chapter are made, of one daemon each time.
pub(crate) enum Measure {
    /// All rounds of a daemon, then those of the next.
    Rounds(fn(Kind, &Plan, &mut Sheet)),
    /// The daemons take turns round by round, of which each gives so many samples: a machine's speed changes within minutes,
    /// and what is held against another's figure must not rest on when it was taken.
    Turns(usize, fn(Kind, &mut Sheet)),
}

/// Rows that come out of the same rounds.
pub(crate) struct Chapter {
    /// What `--rows` calls all of them.
    pub(crate) id: &'static str,
    /// The rows.
    pub(crate) rows: &'static [Row],
    /// Makes the samples.
    pub(crate) measure: Measure,
}
