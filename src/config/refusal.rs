//! Why the daemon doesn't start, in Sentinel's words.

use super::Identity;
use crate::core::action::Level;
use crate::telemetry::LogConfig;

/// A start that failed before a socket was opened. Exit status 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Refusal {
    /// What is wrong.
    pub cause: Cause,
    /// Lines of the log that go before it.
    pub notes: Vec<(Level, String)>,
    /// Where the log goes, as far as the configuration had been read.
    pub log: LogConfig,
    /// What the daemon calls itself, as far as the configuration had been read.
    pub identity: Identity,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The configuration: shown on standard error, even with a log file.
    #[error("{message}")]
    Statement {
        /// Number of the line, and the line as read.
        line: Option<(usize, String)>,
        /// What is wrong with it.
        message: String,
    },
    /// Something else: a line of the log, at level warning.
    #[error("{0}")]
    Logged(String),
}

impl Refusal {
    /// The line for the log; nothing for what goes to standard error.
    #[must_use]
    pub fn log_line(&self) -> Option<&str> {
        match &self.cause {
            Cause::Statement { .. } => None,
            Cause::Logged(text) => Some(text),
        }
    }

    /// The text for standard error; empty for what goes to the log only.
    #[must_use]
    pub fn block(&self) -> String {
        match &self.cause {
            Cause::Statement { line, message } => {
                let version = match self.identity {
                    Identity::Redis70 | Identity::Redis80 => format!("Redis {}", self.identity.version()),
                    Identity::Valkey80 => format!("Version {}", self.identity.version()),
                };
                let place = line.as_ref().map_or_else(String::new, |(number, text)| {
                    format!("Reading the configuration file, at line {number}\n>>> '{text}'\n")
                });
                format!("\n*** FATAL CONFIG FILE ERROR ({version}) ***\n{place}{message}\n")
            }
            Cause::Logged(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_has_sentinels_form() {
        let mut refusal = Refusal {
            cause: Cause::Statement { line: Some((2, "port x".to_owned())), message: "bad".to_owned() },
            notes: Vec::new(),
            log: LogConfig::default(),
            identity: Identity::Redis70,
        };
        assert_eq!(
            refusal.block(),
            "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n\
             Reading the configuration file, at line 2\n>>> 'port x'\nbad\n"
        );
        refusal.identity = Identity::Valkey80;
        refusal.cause = Cause::Statement { line: None, message: "bad".to_owned() };
        assert_eq!(refusal.block(), "\n*** FATAL CONFIG FILE ERROR (Version 8.0.0) ***\nbad\n");
    }
}
