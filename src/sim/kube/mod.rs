//! A fleet on Kubernetes: the same engines against a model of the API server, with data nodes in Pods that come and go.

mod api;
mod daemon;
mod laws;
mod node;
mod run;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_memory;
#[cfg(test)]
mod tests_observe;
mod world;

pub use run::{FleetOutcome, run_fleet};
