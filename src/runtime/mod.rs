//! The one loop and what surrounds it: clock, chance, timers, saving, names, signals.

pub mod clock;
pub mod cluster;
mod core_port;
mod driver;
mod file_saver;
mod front;
mod journal;
mod ports;
pub mod random;
mod resolver;
mod run;
mod secrets;
mod store;
mod timer;

pub use driver::{Driver, Parts};
pub use ports::{Api, Core, Front, FrontStats, Journal, Saver, Saving};
pub use run::{Host, StartError, run};

#[cfg(test)]
mod tests;
