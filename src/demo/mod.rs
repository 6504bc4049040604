//! `vedette demo`: a failover on real processes, drawn in the terminal.

mod args;
mod error;

pub use args::DemoArgs;
pub use error::Error;
