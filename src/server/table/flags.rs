//! The flags of a command that `COMMAND INFO` shows.

/// A set of flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u16);

/// Names in the order in which they are shown.
const NAMES: [&str; 9] =
    ["admin", "pubsub", "noscript", "loading", "stale", "fast", "no_auth", "no_multi", "allow_busy"];

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Administration.
    pub const ADMIN: Self = Self(1);
    /// Publish and subscribe.
    pub const PUBSUB: Self = Self(1 << 1);
    /// Not for scripts.
    pub const NOSCRIPT: Self = Self(1 << 2);
    /// Works while data is loaded.
    pub const LOADING: Self = Self(1 << 3);
    /// Works on a replica without its primary.
    pub const STALE: Self = Self(1 << 4);
    /// Constant or logarithmic time.
    pub const FAST: Self = Self(1 << 5);
    /// Works before authentication, whatever the access rules say.
    pub const NO_AUTH: Self = Self(1 << 6);
    /// Not inside a transaction.
    pub const NO_MULTI: Self = Self(1 << 7);
    /// Works while a script keeps the server busy.
    pub const ALLOW_BUSY: Self = Self(1 << 8);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in the set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Names of the flags, in order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_order() {
        let flags = Flags::ALLOW_BUSY.and(Flags::ADMIN).and(Flags::STALE);
        assert!(flags.names().eq(["admin", "stale", "allow_busy"]));
        assert!(flags.contains(Flags::STALE) && !flags.contains(Flags::STALE.and(Flags::FAST)));
    }
}
