//! The claim: how the members of a fleet agree on Kubernetes. Opinions decide whether, a compare-and-swap on the group's
//! Lease decides who, and nothing is official before it is committed there.
//!
//! Pure as all of the core: Leases come in as values, wishes to read and to replace them go out.

mod choose;
mod claimant;
mod consider;
mod error;
mod facts;
mod fields;
mod gates;
mod group;
mod hold;
mod kin;
mod member;
pub mod name;
mod observer;
mod opinions;
mod order;
mod plain;
mod planned;
mod presence;
mod router;
mod rules;
mod running;
mod sight;
#[cfg(test)]
mod tests_claimant;
#[cfg(test)]
mod tests_data;
#[cfg(test)]
mod tests_founding;
#[cfg(test)]
mod tests_group;
#[cfg(test)]
mod tests_losses;
#[cfg(test)]
mod tests_observer;
#[cfg(test)]
mod tests_service;
#[cfg(test)]
mod tests_waiting;
#[cfg(test)]
mod tests_world;
mod work;

pub use claimant::{Claimant, Config, Room};
pub use error::Error;
pub use facts::{Command, Fact, Gathered, Listed, Role, Service, Shown, Standing, Wish, Written};
pub use fields::Rest;
pub use group::{CLAIM_SECONDS, GroupLease, HISTORY_LENGTH, Instance, MOST_REPLICAS, Primary, Replicas};
pub(crate) use kin::is_recorded;
pub use member::{MEMBER_SECONDS, MOST_OPINIONS, MOST_PROMISES, MemberLease, Opinion};
pub use opinions::{Count, Needed, Opinions};
pub use order::start_after;
pub use plain::{PREFIX, Plain};
pub use presence::Presence;
pub use rules::{Rule, Rules};
pub use running::{Failover, Fence, Kind, MOST_TRIED, Outcome, Past, Step};
pub use sight::{Sight, acts_until};
