//! vedette: a failover daemon for Redis and Valkey that speaks Sentinel's protocol.
//!
//! [`core`] decides, everything else carries out: [`server`] talks to clients, [`link`] to data nodes and peers,
//! [`config`] keeps the file, [`runtime`] drives the core from one loop.

pub mod admin;
pub mod cli;
pub mod config;
pub mod core;
pub mod demo;
pub mod link;
pub mod metrics;
pub mod process;
pub mod resp;
pub mod runtime;
pub mod scripts;
pub mod server;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod telemetry;
