//! The deterministic heart: facts and a time go in, ordered wishes come out. No IO, no clock, no randomness.

pub mod action;
mod address;
pub mod ballot;
pub mod claim;
pub mod cluster;
mod commands;
mod consent;
mod engine;
mod failover;
mod fastdown;
mod fleet;
mod followers;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
pub mod glob;
mod group;
mod hello;
mod history;
pub mod ids;
mod index;
mod info;
pub mod input;
mod instance;
mod instances;
mod link;
mod monitor;
mod news;
mod params;
mod quirks;
mod quorum;
mod registry;
mod retry;
mod role;
pub mod saves;
mod scripts;
mod select;
pub mod settings;
mod shared;
mod show;
mod spread;
mod switchover;
#[cfg(test)]
mod tests;
mod tilt;
pub mod time;
mod timers;
mod told;
pub mod view;
mod vote;
mod wave;

pub use action::{Action, Actions};
pub use engine::Engine;
pub use input::{Input, Secret};
pub use quirks::{Mistake, Quirks};
pub use settings::{Node, Settings};
pub use time::Time;
