//! Against a real Kubernetes API server, as the ServiceAccount and with the rights that are shipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

#[path = "../support/kube/mod.rs"]
#[allow(dead_code, unused_imports)]
mod k8s;
#[path = "../support/mod.rs"]
mod support;

mod crews;
mod failovers;
mod layout;
mod leases;
mod manifests;
mod migration;
mod outage;
mod outages;
mod pods;
mod restarts;
mod rights;
mod services;
mod shell;
mod sick;
mod steps;
mod world;
mod writer;
