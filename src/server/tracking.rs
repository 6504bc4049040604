//! CLIENT TRACKING. A daemon without keys never has anything to invalidate: the wish is checked, kept and shown.

use bytes::Bytes;

use crate::core::ids::ClientId;

/// What a client asked for with CLIENT TRACKING ON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tracking {
    /// REDIRECT: where invalidations would go.
    pub(super) redirect: Option<ClientId>,
    /// BCAST.
    pub(super) broadcast: bool,
    /// PREFIX, with BCAST only.
    pub(super) prefixes: Vec<Bytes>,
    /// OPTIN.
    pub(super) opt_in: bool,
    /// OPTOUT.
    pub(super) opt_out: bool,
    /// NOLOOP.
    pub(super) no_loop: bool,
    /// CLIENT CACHING, for the next command.
    pub(super) caching: bool,
}
