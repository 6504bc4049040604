//! How a reader judges a Lease: by its own clock, from the moment when it last saw it change. The stamps in a Lease come from
//! other clocks and say nothing here. Clocks may differ in rate by a third, which is why a claimant acts for two thirds of the
//! time only that its readers wait.

use std::time::Duration;

use crate::core::ids::Version;
use crate::core::time::Time;

/// Versions that are known to have been replaced: a read takes less time than so many writes.
const MOST_EARLIER: usize = 4;

/// A Lease as it was seen, and since when it looks like that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sight<L> {
    /// The version that was seen.
    pub version: Version,
    /// What it holds.
    pub lease: L,
    /// When this reader first saw that version.
    pub changed_at: Time,
    /// Versions that it replaced, the last ones.
    earlier: Vec<Version>,
}

impl<L> Sight<L> {
    /// What is seen for the first time.
    #[must_use]
    pub const fn new(version: Version, lease: L, now: Time) -> Self {
        Self { version, lease, changed_at: now, earlier: Vec::new() }
    }

    /// Sees it again. The same version is no change, however often it is shown; a change makes it young again. The answer to
    /// a read may be older than what a watch, or a write of one's own, showed since.
    pub fn see(&mut self, version: Version, lease: L, now: Time) {
        if !self.earlier.contains(&version) {
            self.read(version, lease, now);
        }
    }

    /// Takes the answer to a read that was begun after all that was seen. A watch that lags behind another read shows what is
    /// older as if it were news: what was taken for replaced then is what there is.
    pub fn read(&mut self, version: Version, lease: L, now: Time) {
        if version == self.version {
            return;
        }
        let before = std::mem::replace(self, Self::new(version, lease, now));
        self.earlier = before.earlier;
        self.earlier.retain(|earlier| *earlier != self.version);
        self.earlier.push(before.version);
        if self.earlier.len() > MOST_EARLIER {
            self.earlier.remove(0);
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
    fn what_was_replaced_is_not_seen_again() {
        let versions = ["1", "2", "3", "4", "5", "6"].map(Version::from);
        let mut sight = Sight::new(versions[0].clone(), 0, Time::ZERO);
        for (at, version) in (1..).zip(&versions[1..]) {
            sight.see(version.clone(), at, Time::from_millis(10));
            for (back, earlier) in versions[..at].iter().enumerate().rev().take(MOST_EARLIER) {
                sight.see(earlier.clone(), back, Time::from_millis(20));
                assert_eq!((sight.lease, sight.changed_at), (at, Time::from_millis(10)));
            }
        }
        assert_eq!(sight.earlier.len(), MOST_EARLIER);
    }

    #[test]
    fn a_read_that_was_begun_since_shows_what_there_is() {
        let [old, new] = ["1", "2"].map(Version::from);
        let mut sight = Sight::new(new.clone(), 'b', Time::ZERO);
        // A watch that lags behind the read that showed it.
        sight.see(old.clone(), 'a', Time::from_millis(1));
        sight.see(new.clone(), 'b', Time::from_millis(2));
        assert_eq!(sight.lease, 'a');
        sight.read(new.clone(), 'b', Time::from_millis(3));
        assert_eq!((sight.lease, sight.changed_at), ('b', Time::from_millis(3)));
        sight.see(old, 'a', Time::from_millis(4));
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
