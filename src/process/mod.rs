//! The process around the daemon: going to the background, pid file, supervisor, exit codes.

/// Name of the environment variable that tells a process that it is the background half of `daemonize yes`. Children
/// must not inherit it.
pub const DAEMON_MARKER: &str = "VEDETTE_DAEMON";

/// Exit status of a start that was refused.
pub const EXIT_REFUSED: u8 = 1;
/// Exit status of SENTINEL SIMULATE-FAILURE.
pub const EXIT_SIMULATED_CRASH: u8 = 99;
