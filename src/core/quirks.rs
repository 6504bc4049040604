//! What the simulation alone asks of an engine: to be as slow as redis-sentinel, or to make a mistake on purpose, so that it can
//! be seen that the mistake is found. Without the feature `sim` all of this is nothing.

/// A mistake that the simulation must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A vote is told before it is on the disk.
    VoteBeforeSave,
    /// One vote less than it takes elects.
    OneVoteShort,
    /// Opinions about an earlier primary count for the present one.
    OldOpinions,
    /// A stray primary is turned back at once, on what was known before.
    DemoteOnOldKnowledge,
    /// A promotion is announced before it is on the disk.
    CommitBeforeSave,
    /// A planned switchover doesn't wait for the rest of the writes.
    PromoteBehind,
    /// A failover goes on, and nodes are put right, while a newer configuration is being saved.
    ActWhileAdopting,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    #[cfg(feature = "sim")]
    slow: bool,
    #[cfg(feature = "sim")]
    mistake: Option<Mistake>,
}

#[cfg(feature = "sim")]
impl Quirks {
    /// A daemon that makes a mistake.
    #[must_use]
    pub const fn mistaken(mistake: Mistake) -> Self {
        Self { slow: false, mistake: Some(mistake) }
    }

    /// The same, as slow as redis-sentinel: it looks at a group ten times a second, begins an election up to a second
    /// late, asks nobody at once, and looks at INFO no more than once a second.
    #[must_use]
    pub const fn slowed(self, slow: bool) -> Self {
        Self { slow, ..self }
    }

    pub(crate) const fn slow(self) -> bool {
        self.slow
    }

    pub(crate) fn makes(self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }
}

#[cfg(not(feature = "sim"))]
impl Quirks {
    pub(crate) const fn slow(self) -> bool {
        false
    }

    pub(crate) const fn makes(self, _: Mistake) -> bool {
        false
    }
}
