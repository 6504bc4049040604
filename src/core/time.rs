//! The clock reading that the core is given. The core never asks for one.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A reading of the boot clock (monotonic, suspension counts), in microseconds from an arbitrary start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);

    /// A reading of `micros` microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A reading of `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds since the start of the clock.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to this reading, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The last multiple of `grain` that is not after this reading; the reading itself for a grain of nothing.
    #[must_use]
    pub fn floored(self, grain: Duration) -> Self {
        let grain = u64::try_from(grain.as_micros()).unwrap_or(u64::MAX);
        Self(self.0 - self.0.checked_rem(grain).unwrap_or(0))
    }

    /// As [`Time::since`], in whole milliseconds: the form in which Sentinel shows ages.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1000
    }
}

// === impl Add / Sub: both saturate, so that an absurd configured period can't wrap ===

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_put_back_to_its_grain() {
        let at = Time::from_micros(1_234_567);
        for (grain, floored) in [(1_000, 1_234_000), (100_000, 1_200_000), (2_000_000, 0), (0, 1_234_567)] {
            assert_eq!(at.floored(Duration::from_micros(grain)), Time::from_micros(floored));
        }
        assert_eq!(at.floored(Duration::MAX), Time::ZERO);
    }
}
