//! How a reader judges a Lease: by its own clock, from the moment when it last saw it change. The stamps in a Lease come from
//! other clocks and say nothing here. Clocks may differ in rate by a third, which is why a claimant acts for two thirds of the
//! time only that its readers wait.

use std::time::Duration;

use crate::core::ids::Version;
use crate::core::time::Time;

/// A Lease as it was seen, and since when it looks like that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sight<L> {
    /// The version that was seen.
    pub version: Version,
    /// What it holds.
    pub lease: L,
    /// When this reader first saw that version.
    pub changed_at: Time,
}

impl<L> Sight<L> {
    /// What is seen for the first time.
    #[must_use]
    pub const fn new(version: Version, lease: L, now: Time) -> Self {
        Self { version, lease, changed_at: now }
    }

    /// Sees it again. The same version is no change, however often it is shown; a change makes it young again.
    pub fn see(&mut self, version: Version, lease: L, now: Time) {
        if version != self.version {
            *self = Self::new(version, lease, now);
        }
    }

    /// When it has been seen unchanged for so many seconds.
    #[must_use]
    pub fn expires_at(&self, seconds: u64) -> Time {
        self.changed_at + Duration::from_secs(seconds)
    }

    /// Whether it has been seen unchanged for so many seconds.
    #[must_use]
    pub fn expired(&self, seconds: u64, now: Time) -> bool {
        now >= self.expires_at(seconds)
    }
}

/// Until when a claimant may begin to change data nodes: two thirds of the claim's time from when it *began* its last
/// successful renewal. Whoever judges that Lease saw it change later than that, and waits for all of the time.
#[must_use]
pub fn acts_until(began: Time, seconds: u64) -> Time {
    began + Duration::from_secs(seconds) * 2 / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_makes_a_lease_young() {
        let (first, second) = (Version::from("1"), Version::from("2"));
        let mut sight = Sight::new(first.clone(), 'a', Time::ZERO);
        sight.see(first, 'a', Time::from_millis(4999));
        assert!(!sight.expired(5, Time::from_millis(4999)));
        assert!(sight.expired(5, Time::from_millis(5000)));
        sight.see(second, 'b', Time::from_millis(5000));
        assert!(!sight.expired(5, Time::from_millis(9999)));
        assert_eq!(sight.lease, 'b');
    }

    #[test]
    fn a_claimant_with_a_slow_clock_ends_before_a_reader_with_a_fast_one() {
        // For each second of the claimant's the reader counts up to a third more, and began to count no earlier.
        let claimant = acts_until(Time::ZERO, 5).as_micros();
        assert_eq!(claimant, 3_333_333);
        let reader = Sight::new(Version::from("1"), (), Time::ZERO).expires_at(5).as_micros();
        assert!(claimant * 4 / 3 < reader);
    }
}
