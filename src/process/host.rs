//! What happens around the daemon's life: start lines, pid file, supervisor.

use std::fs;
use std::path::PathBuf;

use super::Supervisor;
use crate::config::{Config, Identity};
use crate::core::action::Level;
use crate::runtime::Host;
use crate::telemetry::Telemetry;

/// The surroundings of a daemon.
#[derive(Debug)]
pub struct ProcessHost {
    log: Telemetry,
    supervisor: Supervisor,
    pidfile: Option<PathBuf>,
    identity: Identity,
    /// The port that is told in the log.
    port: u16,
}

impl ProcessHost {
    /// The surroundings that a configuration asks for.
    #[must_use]
    pub fn new(config: &Config, supervisor: Supervisor, background: bool, log: Telemetry) -> Self {
        let default = match config.identity {
            Identity::Redis70 | Identity::Redis80 => "/var/run/redis.pid",
            Identity::Valkey80 => "/var/run/valkey.pid",
        };
        let named = config.general.pidfile.clone();
        let pidfile = named.or_else(|| background.then(|| default.to_owned()));
        let general = &config.general;
        Self {
            log,
            supervisor,
            pidfile: pidfile.map(|file| general.dir.join(file)),
            identity: config.identity,
            port: if general.port == 0 { general.tls.port } else { general.port },
        }
    }

    /// Logs the lines that a start begins with.
    pub fn starting(&self) {
        let product = self.identity.product();
        // Redis 7.0 found them important.
        let level = match self.identity {
            Identity::Redis70 => Level::Warning,
            Identity::Redis80 | Identity::Valkey80 => Level::Notice,
        };
        self.log.line(level, None, &format!("oO0OoO0OoO0Oo {product} is starting oO0OoO0OoO0Oo"));
        let version = self.identity.version();
        let text = format!(
            "{product} version={version}, bits={}, commit=00000000, modified=0, pid={}, just started",
            usize::BITS,
            std::process::id()
        );
        self.log.line(level, None, &text);
        self.log.line(level, None, "Configuration loaded");
        self.notice(concat!("This is vedette ", env!("CARGO_PKG_VERSION")));
        self.notice("monotonic clock: POSIX clock_gettime");
    }

    fn notice(&self, text: &str) {
        self.log.line(Level::Notice, None, text);
    }
}

impl Host for ProcessHost {
    fn bound(&self) {
        if let Some(file) = &self.pidfile
            && let Err(error) = fs::write(file, format!("{}\n", std::process::id()))
        {
            self.notice(&format!("Failed to write PID file {}: {error}", file.display()));
        }
        self.notice(&format!("Running mode=sentinel, port={}.", self.port));
    }

    fn ready(&self) {
        if let Err(error) = self.supervisor.ready() {
            self.log.line(Level::Warning, None, &format!("failed to tell the supervisor: {error}"));
        }
    }

    fn stopping(&self) {
        if let Err(error) = self.supervisor.stopping() {
            self.log.line(Level::Warning, None, &format!("failed to tell the supervisor: {error}"));
        }
        if let Some(file) = &self.pidfile {
            self.notice("Removing the pid file.");
            // One that could not be written can't be removed either.
            let _ = fs::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use crate::telemetry::LogConfig;

    fn host(text: &str, background: bool) -> ProcessHost {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.conf");
        fs::write(&path, text).unwrap();
        let sources = Sources { file: Some(path), ..Sources::default() };
        let config = crate::config::load(&sources, &crate::config::system::RealSystem).unwrap().config;
        let (log, _) = Telemetry::build(LogConfig::default()).unwrap();
        ProcessHost::new(&config, Supervisor::None, background, log)
    }

    #[test]
    fn the_pid_file_is_written_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let host = host(&format!("pidfile {}\n", file.display()), false);
        host.bound();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", std::process::id()));
        host.stopping();
        assert!(!file.exists());
        // A pid file that can't be written or removed stops nobody.
        fs::create_dir(&file).unwrap();
        host.bound();
        host.stopping();
        assert!(file.is_dir());
    }

    #[test]
    fn only_a_background_process_has_a_pid_file_without_asking() {
        assert_eq!(host("", false).pidfile, None);
        assert_eq!(host("", true).pidfile, Some(PathBuf::from("/var/run/redis.pid")));
        let valkey = host("vedette identity valkey-8.0\n", true);
        assert_eq!(valkey.pidfile, Some(PathBuf::from("/var/run/valkey.pid")));
    }
}
