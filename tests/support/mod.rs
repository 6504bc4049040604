//! Real processes for the tests: data nodes, Sentinels, a RESP client, certificates, a port mapping.
//!
//! Everything listens on loopback, or on a host made for it, in a temporary folder and ends with the value that owns it,
//! also when a test panics.
//! The program under test is this package's binary; `VEDETTE_TEST_SENTINEL` names another one, which is how the tests
//! themselves are tried against the genuine `redis-sentinel`.

// Each test binary uses a part of this.
#![allow(dead_code, unused_imports)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

pub(crate) mod events;
pub(crate) mod fake;
pub(crate) mod group;
pub(crate) mod hosts;
pub(crate) mod node;
pub(crate) mod poll;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod resp;
pub(crate) mod sentinel;
pub(crate) mod tls;
pub(crate) mod writer;

pub(crate) use events::Events;
pub(crate) use fake::FakeFleet;
pub(crate) use group::{Group, Spec};
pub(crate) use hosts::{Host, Network};
pub(crate) use node::Node;
pub(crate) use poll::{eventually, poll, rounds};
pub(crate) use ports::Port;
pub(crate) use process::Process;

pub(crate) use proxy::PortMap;
pub(crate) use resp::{Client, Login, Value};
pub(crate) use sentinel::{Program, Sentinel};
pub(crate) use tls::Certs;
pub(crate) use writer::Writer;
