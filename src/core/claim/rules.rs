//! The rules that a model of the claim showed to be needed. Each can be left out, so that the model can show again that it is;
//! without the feature `sim` none can.

/// One rule: see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Data nodes are changed only under a claim, be it to repair.
    Repair,
    /// A node is relied on, and commanded, only over a connection of the claim's own, after all others were cut.
    Barrier,
    /// Only the recorded run of a server is promoted or followed.
    RunId,
    /// Undone is a failover only when every candidate is known to be a replica.
    Tried,
    /// The Service is patched only after a direct read of the Lease that follows the read of the Service.
    Route,
    /// A missing Lease is waited for, and made as a claim above all epochs that were heard of.
    Missing,
    /// A claim ends for its holder before it ends for its readers.
    TwoThirds,
    /// A claim's time runs from the start of the attempt, not from the answer.
    FromTheStart,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    #[cfg(feature = "sim")]
    lacking: Option<Rule>,
}

#[cfg(feature = "sim")]
impl Rules {
    /// All but one.
    #[must_use]
    pub const fn without(rule: Rule) -> Self {
        Self { lacking: Some(rule) }
    }

    pub(crate) fn hold(self, rule: Rule) -> bool {
        self.lacking != Some(rule)
    }
}

#[cfg(not(feature = "sim"))]
impl Rules {
    pub(crate) const fn hold(self, _: Rule) -> bool {
        true
    }
}
