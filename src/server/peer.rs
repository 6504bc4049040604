//! The two ends of a client's connection.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

/// The two ends of a client's connection.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// TCP.
    Tcp {
        /// The client's end.
        remote: SocketAddr,
        /// Our end.
        local: SocketAddr,
    },
    /// The unix socket.
    Unix(Rc<Path>),
}

impl Peer {
    /// The client's end, as CLIENT LIST shows it.
    pub(super) fn remote(&self) -> String {
        match self {
            Self::Tcp { remote, .. } => remote.to_string(),
            Self::Unix(path) => unix(path),
        }
    }

    /// Our end.
    pub(super) fn local(&self) -> String {
        match self {
            Self::Tcp { local, .. } => local.to_string(),
            Self::Unix(path) => unix(path),
        }
    }

    /// Whether the client is on this machine.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Tcp { remote, .. } => remote.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.remote())
    }
}

fn unix(path: &Path) -> String {
    format!("{}:0", path.display())
}
