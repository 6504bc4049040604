//! vedette: a failover daemon for Redis and Valkey that speaks Sentinel's protocol.
//!
//! [`core`] decides, everything else carries out: [`server`] talks to clients, [`link`] to data nodes and peers,
//! [`config`] keeps the file, [`runtime`] drives the core from one loop.

#![cfg_attr(
    test,
    allow(
        clippy::wildcard_enum_match_arm,
        clippy::disallowed_methods,
        reason = "a test looks for the one variant that it is about, and may read the clock"
    )
)]

pub mod admin;
pub mod cli;
pub mod config;
pub mod core;
pub mod demo;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod kube;
pub mod link;
pub mod metrics;
pub mod pod;
pub mod process;
pub mod resp;
pub mod runtime;
pub mod scripts;
pub mod server;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod telemetry;
