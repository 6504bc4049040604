//! The way to the Kubernetes API: Leases as registers, Services that are patched, and watches of both.
//!
//! Nothing here decides. A call says what came of it in [`Error`], whose [`Failure`] tells the one thing that matters to a
//! claim: whether the write may have happened nevertheless. There are two clients, and neither ever repeats a request by
//! itself: one for reads and watches, one for writes, so that no watch or long list stands in the way of a claim.
//! All calls take the time that they may last; all answers have a greatest size.

mod access;
mod error;
mod events;
mod http;
mod lean;
mod leases;
mod objects;
mod services;
mod slices;
mod source;
mod watch;

pub use self::access::Access;
pub use self::error::{Call, Error, Failure, SetupError, Verb};
pub use self::events::Events;
pub use self::lean::Lean;
pub use self::leases::Leases;
pub use self::objects::{Kind, Listed, Objects, Reach};
pub use self::services::{ServiceChange, Services};
pub use self::slices::Slices;
pub use self::source::Source;
pub use self::watch::{Seen, Watch};

/// The name under which the API server records who wrote which field.
pub const FIELD_MANAGER: &str = "vedette";
