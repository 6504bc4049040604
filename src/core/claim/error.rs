//! What is wrong with a Lease that can't be read.

/// Longest part of an offending value that is shown.
const SHOWN: usize = 80;

/// A Lease, or a part of it, can't be read: the place, what stands there, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: '{value}' {problem}")]
pub struct Error {
    /// As a path: `vedette.dev/primary: epoch`.
    pub place: String,
    /// What stands there, cut to a bounded length.
    pub value: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Error {
    pub(super) fn new(place: impl Into<String>, value: &str, problem: &'static str) -> Self {
        let shown: String = value.chars().take(SHOWN).collect();
        let value = if shown.len() < value.len() { format!("{shown}...") } else { shown };
        Self { place: place.into(), value, problem }
    }
}
