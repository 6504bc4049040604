//! `daemonize yes`: the process starts itself again, in a session of its own, and ends.

use std::env;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Name of the environment variable that tells a process that it is the background half. Scripts must not inherit it:
/// a daemon that one of them starts has to go to the background by itself.
pub const MARKER: &str = "VEDETTE_BACKGROUND";

/// Whether this process is a background half.
#[must_use]
pub fn is_background() -> bool {
    env::var_os(MARKER).is_some()
}

/// Leaves the terminal: a session of one's own.
///
/// # Errors
/// The system's.
pub fn detach() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

/// Starts the background half: this program with the same arguments in the folder `dir`, with `stdin` as its input and
/// no output. Its pid.
///
/// # Errors
/// The system's.
pub fn start(dir: &Path, stdin: &[u8]) -> io::Result<u32> {
    let mut args = env::args_os();
    let name = args.next().unwrap_or_else(|| "vedette".into());
    let mut command = Command::new(env::current_exe()?);
    command
        .arg0(name)
        .args(args)
        .current_dir(dir)
        .env(MARKER, "1")
        .stdin(if stdin.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(stdin)?;
    }
    Ok(child.id())
}
