//! The process around the daemon: going to the background, pid file, supervisor, exit codes.

pub mod background;
mod host;
mod supervisor;

pub use host::ProcessHost;
pub use supervisor::Supervisor;

/// Exit status of a start that was refused.
pub const EXIT_REFUSED: u8 = 1;
/// Exit status of SENTINEL SIMULATE-FAILURE.
pub const EXIT_SIMULATED_CRASH: u8 = 99;
