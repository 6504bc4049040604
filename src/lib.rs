//! vedette: a failover daemon for Redis and Valkey that speaks Sentinel's protocol.

pub mod core;
pub mod resp;
