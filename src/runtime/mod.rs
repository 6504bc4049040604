//! The one loop and what surrounds it: clock, chance, timers, saving, names, signals.

pub mod clock;
mod driver;
mod ports;
pub mod random;
mod resolver;
mod store;
mod timer;

pub use driver::{Driver, Parts};
pub use ports::{Core, Front, FrontStats, Journal, Saver, Saving};
