//! Why the server can't be started, in Sentinel's words.

use std::io;

use thiserror::Error;

use super::acl::AclError;
use super::listen::strerror;

/// Why the server can't be started. Nothing is left open.
#[derive(Debug, Error)]
pub enum BindError {
    /// A TCP address can't be listened on.
    #[error("Failed listening on port {port} ({}), aborting.", if *tls { "TLS" } else { "TCP" })]
    Port {
        /// One line for each address that failed, the decisive one last.
        warnings: Vec<String>,
        /// The port.
        port: u16,
        /// Whether it is the TLS port.
        tls: bool,
    },
    /// The unix socket can't be listened on.
    #[error("Failed opening Unix socket: bind: {}", strerror(.0))]
    Unix(#[source] io::Error),
    /// No listener at all is configured.
    #[error("Configured to not listen anywhere, exiting.")]
    Nowhere,
    /// Certificate, key or CA are missing or unusable.
    #[error("Failed to configure TLS. Check logs for more info.")]
    Tls {
        /// What is wrong.
        reason: String,
    },
    /// Users can't be loaded.
    #[error(transparent)]
    Acl(#[from] AclError),
    /// A `rename-command` line can't be carried out.
    #[error("rename-command: {0}")]
    Rename(&'static str),
}

impl BindError {
    /// The lines for the log (level warning), in order.
    #[must_use]
    pub fn log_lines(&self) -> Vec<String> {
        let mut lines = match self {
            Self::Port { warnings, .. } => warnings.clone(),
            Self::Tls { reason } => vec![reason.clone()],
            Self::Acl(error) => return error.lines(),
            Self::Unix(_) | Self::Nowhere | Self::Rename(_) => Vec::new(),
        };
        lines.push(self.to_string());
        lines
    }
}
