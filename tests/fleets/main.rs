//! Fleets: several daemons together, of more than one kind, on hosts that lose each other, for a long time.
//!
//! `make test` goes through each kind once with a short `down-after-milliseconds`; `make soak` (`VEDETTE_TEST_ROUNDS`)
//! does it in numbers. What was counted is printed, and added to the file that `VEDETTE_SOAK_REPORT` names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

#[path = "../support/mod.rs"]
mod support;

mod endurance;
mod faults;
mod fleet;
mod health;
mod ledger;
mod mixed;
mod one_way;
mod operators;
mod partitions;
mod report;
