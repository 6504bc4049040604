//! Who watches over the process, and telling them.

use std::env;
use std::ffi::OsString;
use std::io;

use crate::config::general::Supervised;

/// Who watches over the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervisor {
    /// Nobody.
    None,
    /// systemd, which listens on its notify socket.
    Systemd,
    /// upstart, which waits for the process to stop itself once.
    Upstart,
}

impl Supervisor {
    /// The supervisor that the configuration asks for, if the environment shows it.
    #[must_use]
    pub fn find(wanted: Supervised) -> Self {
        Self::find_in(wanted, |name| env::var_os(name))
    }

    fn find_in(wanted: Supervised, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let systemd = variable("NOTIFY_SOCKET").is_some_and(|value| !value.is_empty());
        let upstart = variable("UPSTART_JOB").is_some_and(|value| !value.is_empty());
        match wanted {
            Supervised::Systemd | Supervised::Auto if systemd => Self::Systemd,
            Supervised::Upstart | Supervised::Auto if upstart => Self::Upstart,
            Supervised::No | Supervised::Systemd | Supervised::Upstart | Supervised::Auto => Self::None,
        }
    }

    /// Tells that the daemon serves.
    ///
    /// # Errors
    /// It can't be told.
    pub fn ready(self) -> io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Systemd => sd_notify::notify(&[
                sd_notify::NotifyState::Status("Ready to accept connections"),
                sd_notify::NotifyState::Ready,
            ]),
            Self::Upstart => {
                Ok(rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?)
            }
        }
    }

    /// Tells that the daemon is about to end.
    ///
    /// # Errors
    /// It can't be told.
    pub fn stopping(self) -> io::Result<()> {
        match self {
            Self::None | Self::Upstart => Ok(()),
            Self::Systemd => sd_notify::notify(&[sd_notify::NotifyState::Stopping]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_must_be_wanted_and_there() {
        let find = |wanted, there: &'static str| {
            Supervisor::find_in(wanted, move |name| (name == there).then(|| "x".into()))
        };
        assert_eq!(find(Supervised::Systemd, "NOTIFY_SOCKET"), Supervisor::Systemd);
        assert_eq!(find(Supervised::Auto, "NOTIFY_SOCKET"), Supervisor::Systemd);
        assert_eq!(find(Supervised::Auto, "UPSTART_JOB"), Supervisor::Upstart);
        assert_eq!(find(Supervised::Upstart, "NOTIFY_SOCKET"), Supervisor::None);
        assert_eq!(find(Supervised::No, "NOTIFY_SOCKET"), Supervisor::None);
        assert_eq!(find(Supervised::Systemd, ""), Supervisor::None);
    }
}
