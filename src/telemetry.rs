//! The log: `tracing` inside, Sentinel's line format (or JSON) outside.
//!
//! [`Telemetry`] writes the lines that Sentinel knows; any `tracing` event of this program lands in the same log. Lines
//! are made where they come up and written by a thread of their own, so that a slow disk doesn't hold the loop up. The
//! log's file is opened by its name for every batch of lines, so that it can be renamed away without a signal.

mod format;
mod layer;
mod sink;
mod syslog;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use jiff::Zoned;
use tracing::{Subscriber, event};
use tracing_subscriber::layer::SubscriberExt as _;

use self::layer::LineLayer;
use self::sink::Sink;
use crate::config::directives::LogFormat;
use crate::core::action::{Event, Level};
use crate::core::ids::GroupName;

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
    threshold: Threshold,
    format: LogFormat,
    sink: Sink,
}

/// The lowest level that is written; it can be changed at any time.
#[derive(Clone, Debug)]
struct Threshold(Arc<AtomicU8>);

impl Threshold {
    const LEVELS: [Level; 5] = [Level::Debug, Level::Verbose, Level::Notice, Level::Warning, Level::Nothing];

    fn new(level: Level) -> Self {
        Self(Arc::new(AtomicU8::new(level as u8)))
    }

    fn set(&self, level: Level) {
        self.0.store(level as u8, Ordering::Relaxed);
    }

    fn get(&self) -> Level {
        let number = usize::from(self.0.load(Ordering::Relaxed));
        Self::LEVELS.get(number).copied().unwrap_or(Level::Notice)
    }

    fn admits(&self, level: Level) -> bool {
        level != Level::Nothing && level >= self.get()
    }
}

impl Telemetry {
    /// Starts the log: from here on `tracing` events of this process reach it.
    ///
    /// # Errors
    /// The log's thread can't be started, or another log was started before.
    pub fn init(config: LogConfig) -> io::Result<Self> {
        let (telemetry, subscriber) = Self::build(config)?;
        tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)?;
        Ok(telemetry)
    }

    /// A log and its subscriber, which nobody listens to yet.
    pub(crate) fn build(config: LogConfig) -> io::Result<(Self, impl Subscriber + Send + Sync)> {
        let threshold = Threshold::new(config.level);
        let format = config.format;
        let sink = Sink::start(config)?;
        let layer = LineLayer::new(threshold.clone(), format, sink.clone());
        Ok((Self { threshold, format, sink }, tracing_subscriber::registry().with(layer)))
    }

    /// The lowest level that is written now.
    #[must_use]
    pub fn level(&self) -> Level {
        self.threshold.get()
    }

    /// Changes the lowest level that is written.
    pub fn set_level(&self, level: Level) {
        self.threshold.set(level);
    }

    /// Writes an event of the core: its name, a blank and its payload.
    pub fn event(&self, event: &Event) {
        macro_rules! write_event {
            ($level:expr) => {
                event!(
                    target: "vedette",
                    $level,
                    event = event.name,
                    group = event.group.as_ref().map(GroupName::as_str),
                    run_id = event.run_id.as_deref(),
                    epoch = event.epoch,
                    "{} {}",
                    event.name,
                    event.payload
                )
            };
        }
        match event.level {
            Level::Debug => write_event!(tracing::Level::TRACE),
            Level::Verbose => write_event!(tracing::Level::DEBUG),
            Level::Notice => write_event!(tracing::Level::INFO),
            Level::Warning => write_event!(tracing::Level::WARN),
            Level::Nothing => {}
        }
    }

    /// Writes one line about a group, or about none. Line breaks in `text` become blanks.
    pub fn line(&self, level: Level, group: Option<&GroupName>, text: &str) {
        let group = group.map(GroupName::as_str);
        match level {
            Level::Debug => event!(target: "vedette", tracing::Level::TRACE, group, "{text}"),
            Level::Verbose => event!(target: "vedette", tracing::Level::DEBUG, group, "{text}"),
            Level::Notice => event!(target: "vedette", tracing::Level::INFO, group, "{text}"),
            Level::Warning => event!(target: "vedette", tracing::Level::WARN, group, "{text}"),
            Level::Nothing => {}
        }
    }

    /// Writes one line about a signal; in Sentinel's format it has the form that its signal handlers use.
    pub fn signal(&self, text: &str) {
        if self.threshold.admits(Level::Warning) {
            let line = match self.format {
                LogFormat::Sentinel => format::signal(text),
                LogFormat::Json => format::plain(self.format, Level::Warning, text, &Zoned::now()),
            };
            self.sink.send(Level::Warning, line, text);
        }
    }

    /// Waits until everything that was logged is written, but not longer than a second.
    pub fn flush(&self) {
        self.sink.flush();
    }
}

#[cfg(test)]
mod tests;
