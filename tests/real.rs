//! Tests with real processes: redis-server and valkey-server as the data nodes, this program and the genuine
//! redis-sentinel and valkey-sentinel as Sentinels.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

mod support;

#[path = "real/acl.rs"]
mod acl;
#[path = "real/addressing.rs"]
mod addressing;
#[path = "real/attack.rs"]
mod attack;
#[path = "real/disk.rs"]
mod disk;
#[path = "real/failover.rs"]
mod failover;
#[path = "real/fastdown.rs"]
mod fastdown;
#[path = "real/groups.rs"]
mod groups;
#[path = "real/hostile.rs"]
mod hostile;
#[path = "real/metrics.rs"]
mod metrics;
#[path = "real/migration.rs"]
mod migration;
#[path = "real/newer.rs"]
mod newer;
#[path = "real/parity.rs"]
mod parity;
#[path = "real/reload.rs"]
mod reload;
#[path = "real/roles.rs"]
mod roles;
#[path = "real/scripts.rs"]
mod scripts;
#[path = "real/security.rs"]
mod security;
#[path = "real/settings.rs"]
mod settings;
#[path = "real/start.rs"]
mod start;
#[path = "real/switchover.rs"]
mod switchover;
#[path = "real/valkey.rs"]
mod valkey;
