//! Durations and what is said about them.

use std::time::Duration;

/// A set of durations. An unanswered one counts with the time that it has lasted so far.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    durations: Vec<Duration>,
    unanswered: usize,
}

impl Sample {
    /// Adds one.
    pub(crate) fn add(&mut self, duration: Duration) {
        self.durations.push(duration);
    }

    /// Adds one that has not ended yet: at least so long.
    pub(crate) fn add_open(&mut self, so_far: Duration) {
        self.durations.push(so_far);
        self.unanswered += 1;
    }

    /// All of some samples.
    pub(crate) fn merged(samples: impl IntoIterator<Item = Self>) -> Self {
        samples.into_iter().fold(Self::default(), |mut all, sample| {
            all.durations.extend(sample.durations);
            all.unanswered += sample.unanswered;
            all
        })
    }

    /// How many.
    pub(crate) const fn len(&self) -> usize {
        self.durations.len()
    }

    /// How many had not ended.
    pub(crate) const fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// The shortest; nothing is very short.
    pub(crate) fn fastest(&self) -> Duration {
        self.durations.iter().min().copied().unwrap_or_default()
    }

    /// Median, 99th percentile (nearest rank) and worst.
    pub(crate) fn figures(&self) -> [Duration; 3] {
        let mut sorted = self.durations.clone();
        sorted.sort();
        [50, 99, 100].map(|percent| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        })
    }
}
