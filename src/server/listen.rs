//! Listening sockets, opened before anything else is touched.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::error::BindError;
use crate::config::General;

/// A socket that clients may connect to.
#[derive(Debug)]
pub(super) enum Listener {
    /// TCP, with or without TLS.
    Tcp {
        /// The socket.
        socket: std::net::TcpListener,
        /// Whether connections begin with a TLS handshake.
        tls: bool,
    },
    /// Unix domain.
    Unix {
        /// The socket.
        socket: UnixListener,
        /// Its place in the file system.
        path: PathBuf,
    },
}

/// The sockets, and what the log should say about addresses that were left out.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    pub(super) sockets: Vec<Listener>,
    pub(super) warnings: Vec<String>,
}

/// Opens every socket that the configuration names, or none.
pub(super) fn open(general: &General) -> Result<Listeners, BindError> {
    let mut opened = Listeners::default();
    for (port, tls) in [(general.port, false), (general.tls.port, true)] {
        if port != 0 {
            open_port(general, port, tls, &mut opened)?;
        }
    }
    if let Some(path) = general.unixsocket.as_deref().filter(|path| !path.is_empty()) {
        let socket = open_unix(Path::new(path), general).map_err(BindError::Unix)?;
        opened.sockets.push(Listener::Unix { socket, path: path.into() });
    }
    if opened.sockets.is_empty() { Err(BindError::Nowhere) } else { Ok(opened) }
}

fn open_port(general: &General, port: u16, tls: bool, opened: &mut Listeners) -> Result<(), BindError> {
    for word in &general.bind {
        let (addr, optional) = match word.strip_prefix('-') {
            Some(addr) => (addr, true),
            None => (word.as_str(), false),
        };
        if addr.is_empty() {
            continue;
        }
        match open_tcp(addr, port, general.tcp_backlog) {
            Ok(socket) => opened.sockets.push(Listener::Tcp { socket, tls }),
            Err(error) => {
                opened.warnings.push(format!(
                    "Warning: Could not create server TCP listening socket {addr}:{port}: {}",
                    error.text
                ));
                if !error.may_be_skipped(optional) {
                    return Err(BindError::Port {
                        warnings: std::mem::take(&mut opened.warnings),
                        port,
                        tls,
                    });
                }
            }
        }
    }
    Ok(())
}

/// Why one address can't be listened on.
struct AddrError {
    text: String,
    errno: Option<Errno>,
}

impl AddrError {
    fn at(step: &str, error: &io::Error) -> Self {
        let errno = Errno::from_io_error(error);
        Self { text: format!("{step}: {}", strerror(error)), errno }
    }

    /// Addresses of a family that the system lacks are never insisted on; `-` makes any missing address optional.
    fn may_be_skipped(&self, optional: bool) -> bool {
        match self.errno {
            Some(Errno::ADDRNOTAVAIL) => optional,
            Some(errno) => [
                Errno::NOPROTOOPT,
                Errno::PROTONOSUPPORT,
                Errno::SOCKTNOSUPPORT,
                Errno::PFNOSUPPORT,
                Errno::AFNOSUPPORT,
            ]
            .contains(&errno),
            None => false,
        }
    }
}

fn open_tcp(addr: &str, port: u16, backlog: u32) -> Result<std::net::TcpListener, AddrError> {
    let addr = resolve(addr, port)?;
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))
        .map_err(|error| AddrError::at("socket", &error))?;
    if addr.is_ipv6() {
        // IPv4 has an address of its own in the list.
        socket.set_only_v6(true).map_err(|error| AddrError::at("setsockopt", &error))?;
    }
    socket.set_reuse_address(true).map_err(|error| AddrError::at("setsockopt SO_REUSEADDR", &error))?;
    socket.bind(&addr.into()).map_err(|error| AddrError::at("bind", &error))?;
    socket
        .listen(i32::try_from(backlog).unwrap_or(i32::MAX))
        .and_then(|()| socket.set_nonblocking(true))
        .map_err(|error| AddrError::at("listen", &error))?;
    Ok(socket.into())
}

fn resolve(addr: &str, port: u16) -> Result<SocketAddr, AddrError> {
    match addr {
        "*" => return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)),
        "::*" => return Ok(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)),
        _ => {}
    }
    let found = (addr, port).to_socket_addrs().ok().and_then(|mut all| all.next());
    found.ok_or_else(|| AddrError { text: "Name or service not known".into(), errno: None })
}

fn open_unix(path: &Path, general: &General) -> io::Result<UnixListener> {
    // A socket left by a process that died can't be bound again.
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    if general.unixsocketperm != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(general.unixsocketperm))?;
    }
    socket.listen(i32::try_from(general.tcp_backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The system's words for an error, without the number that Rust adds.
pub(super) fn strerror(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
