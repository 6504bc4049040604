//! The deterministic heart: facts and a time go in, ordered wishes come out. No IO, no clock, no randomness.

pub mod action;
pub mod glob;
pub mod ids;
pub mod input;
pub mod settings;
pub mod time;
pub mod view;

pub use action::{Action, Actions};
pub use input::Input;
pub use settings::Settings;
pub use time::Time;
