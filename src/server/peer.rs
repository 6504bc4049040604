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

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(remote: &str) -> Peer {
        Peer::Tcp { remote: remote.parse().unwrap(), local: "[::1]:26379".parse().unwrap() }
    }

    #[test]
    fn who_is_local() {
        for (remote, local) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("[2001:db8::1]:1", false),
        ] {
            assert_eq!(tcp(remote).is_local(), local, "{remote}");
        }
        assert!(Peer::Unix(Path::new("/s").into()).is_local());
    }

    #[test]
    fn addresses_are_shown_as_in_client_list() {
        assert_eq!(tcp("[2001:db8::1]:77").remote(), "[2001:db8::1]:77");
        assert_eq!(tcp("10.0.0.1:5").local(), "[::1]:26379");
        assert_eq!(Peer::Unix(Path::new("/run/s").into()).remote(), "/run/s:0");
    }
}
