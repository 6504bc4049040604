//! The claim: how the members of a fleet agree on Kubernetes. Opinions decide whether, a compare-and-swap on the group's
//! Lease decides who, and nothing is official before it is committed there.
//!
//! Pure as all of the core: Leases come in as values, wishes to read and to replace them go out.

mod error;
mod fields;
mod group;
mod member;
pub mod name;
mod plain;
mod running;
#[cfg(test)]
mod tests_group;

pub use error::Error;
pub use fields::Rest;
pub use group::{CLAIM_SECONDS, GroupLease, HISTORY_LENGTH, Instance, MOST_REPLICAS, Primary, Replicas};
pub use member::{MEMBER_SECONDS, MOST_OPINIONS, MemberLease, Opinion};
pub use plain::{PREFIX, Plain};
pub use running::{Failover, Fence, Kind, MOST_TRIED, Outcome, Past, Step};
