//! The system log, by its socket.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use jiff::Zoned;

use super::Syslog;
use crate::core::action::Level;

/// A connection to the system log. What can't be sent is lost.
#[derive(Debug)]
pub(super) struct SystemLog {
    path: PathBuf,
    config: Syslog,
    socket: Option<UnixDatagram>,
}

impl SystemLog {
    pub(super) fn new(config: &Syslog) -> Self {
        Self::at(Path::new("/dev/log"), config)
    }

    fn at(path: &Path, config: &Syslog) -> Self {
        Self { path: path.to_owned(), config: config.clone(), socket: None }
    }

    pub(super) fn send(&mut self, level: Level, text: &str) {
        let severity = match level {
            Level::Debug => 7,
            Level::Verbose => 6,
            Level::Notice => 5,
            Level::Warning | Level::Nothing => 4,
        };
        let line = format!(
            "<{}>{} {}[{}]: {text}",
            self.config.facility * 8 + severity,
            Zoned::now().strftime("%b %e %H:%M:%S"),
            self.config.ident,
            std::process::id()
        );
        // The system log may have been started anew: one more try with a new connection.
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect(&self.path);
            }
            match &self.socket {
                Some(socket) if socket.send(line.as_bytes()).is_ok() => return,
                Some(_) => self.socket = None,
                None => return,
            }
        }
    }
}

fn connect(path: &Path) -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect(path).ok()?;
    // A full system log must not hold the file up.
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_carry_priority_name_and_pid_and_a_restart_is_survived() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let config = Syslog { ident: "redis".to_owned(), facility: 16 };
        let mut log = SystemLog::at(&path, &config);
        log.send(Level::Warning, "nobody hears this");
        for _ in 0..2 {
            let server = UnixDatagram::bind(&path).unwrap();
            log.send(Level::Warning, "+sdown master m");
            let mut buffer = [0; 200];
            let length = server.recv(&mut buffer).unwrap();
            let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
            assert!(line.starts_with("<132>"), "{line}");
            assert!(line.ends_with(&format!(" redis[{}]: +sdown master m", std::process::id())), "{line}");
            drop(server);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
