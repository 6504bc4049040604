//! The protocol server in front of a small daemon: bytes in, bytes out, on real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods)]

mod bad_input;
mod bind;
mod clients;
mod info;
mod limits;
#[path = "../support/ports.rs"]
mod ports;
mod protocol;
mod pubsub;
mod rights;
mod support;
mod tls;
