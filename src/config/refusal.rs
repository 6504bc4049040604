//! Why the daemon doesn't start, in Sentinel's words.

use super::Identity;
use crate::telemetry::LogConfig;

/// A start that failed before a socket was opened. Exit status 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The configuration is wrong: shown on standard error, even with a log file.
    #[error("{message}")]
    Statement {
        /// Where, with the line as read.
        line: Option<(usize, String)>,
        /// What is wrong.
        message: String,
    },
    /// Something else is wrong: lines of the log, at level warning.
    #[error("{}", .lines.join("; "))]
    Logged {
        /// The lines.
        lines: Vec<String>,
        /// Where the log goes, as far as the configuration had been read.
        log: Box<LogConfig>,
    },
}

impl Refusal {
    /// The text for standard error; empty for what goes to the log.
    #[must_use]
    pub fn block(&self, identity: Identity) -> String {
        match self {
            Self::Statement { line, message } => {
                let version = match identity {
                    Identity::Redis70 | Identity::Redis80 => format!("Redis {}", identity.version()),
                    Identity::Valkey80 => format!("Version {}", identity.version()),
                };
                let mut block = format!("\n*** FATAL CONFIG FILE ERROR ({version}) ***\n");
                if let Some((number, text)) = line {
                    block.push_str(&format!(
                        "Reading the configuration file, at line {number}\n>>> '{text}'\n"
                    ));
                }
                block.push_str(message);
                block.push('\n');
                block
            }
            Self::Logged { .. } => String::new(),
        }
    }
}
