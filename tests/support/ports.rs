//! Free ports that no other test takes at the same time.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range for outgoing connections and off the ports of the conformance suite.
const FIRST: u16 = 11_000;
const COUNT: u16 = 8_900;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that is ours until dropped. The reservation is an abstract unix socket, so it ends with the process and leaves
/// no file behind.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _reservation: UnixListener,
}

impl Port {
    /// Reserves a port that nobody listens on, over IPv4 and IPv6.
    pub(crate) fn reserve() -> Self {
        let offset = u16::try_from(std::process::id() * 97 % u32::from(COUNT)).unwrap();
        for _ in 0..COUNT {
            let number = FIRST + (offset + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
            let name = SocketAddr::from_abstract_name(format!("vedette-port-{number}")).unwrap();
            let Ok(reservation) = UnixListener::bind_addr(&name) else { continue };
            if TcpListener::bind(("0.0.0.0", number)).is_ok() && TcpListener::bind(("::", number)).is_ok() {
                return Self { number, _reservation: reservation };
            }
        }
        panic!("no free port between {FIRST} and {}", FIRST + COUNT);
    }

    /// The number.
    pub(crate) const fn number(&self) -> u16 {
        self.number
    }
}
