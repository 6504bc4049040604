//! Another member as this one sees it: whether it lives, by its Lease.

use super::member::MemberLease;
use super::sight::Sight;
use crate::core::ids::Version;
use crate::core::time::Time;

/// A member's Lease, and whether it was ever seen to change. One that was seen only once may have been left by a member that
/// died long ago: what it says counts for nothing until it is renewed, which takes a living member two seconds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Presence {
    sight: Sight<MemberLease>,
    moved: bool,
}

impl Presence {
    /// What is seen for the first time.
    #[must_use]
    pub const fn new(version: Version, lease: MemberLease, now: Time) -> Self {
        Self { sight: Sight::new(version, lease, now), moved: false }
    }

    /// Sees it again.
    pub fn see(&mut self, version: Version, lease: MemberLease, now: Time) {
        self.moved |= version != self.sight.version;
        self.sight.see(version, lease, now);
    }

    /// What it says.
    #[must_use]
    pub const fn lease(&self) -> &MemberLease {
        &self.sight.lease
    }

    /// Whether its Lease is being renewed.
    #[must_use]
    pub fn lives(&self, now: Time) -> bool {
        self.moved && !self.sight.expired(self.sight.lease.seconds, now)
    }
}
