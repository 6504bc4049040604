//! Ports that nobody takes between the choice and the start of a process.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Ports of outgoing connections come from here. A port of this range that is free now may be some connection's a moment
/// later, so none of it is chosen.
const OUTGOING: &str = "/proc/sys/net/ipv4/ip_local_port_range";
/// Linux's own default for the start of that range.
const OUTGOING_FROM: u16 = 32_768;
/// Off the ports that redis-server and redis-sentinel users have by habit.
const FIRST: u16 = 28_000;
/// Where `FIRST` lies in the range of outgoing connections; from here on only root may listen.
const LOWEST: u16 = 1_024;

/// A port on 127.0.0.1 that is ours until dropped, as far as other demos and the tests are concerned: an abstract unix
/// socket stands for it, which ends with the process and leaves no file behind.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    _reservation: UnixListener,
}

impl Port {
    /// `count` different ports that nobody listens on.
    ///
    /// # Errors
    /// When fewer are free.
    pub(super) fn reserve(count: usize) -> io::Result<Vec<Self>> {
        let ports: Vec<Self> =
            candidates(outgoing_from()).filter_map(Self::try_reserve).take(count).collect();
        if ports.len() < count {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "too few free ports"));
        }
        Ok(ports)
    }

    fn try_reserve(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("vedette-port-{number}")).ok()?;
        let reservation = UnixListener::bind_addr(&name).ok()?;
        TcpListener::bind(("127.0.0.1", number)).ok()?;
        Some(Self { number, _reservation: reservation })
    }

    /// The number.
    pub(super) const fn number(&self) -> u16 {
        self.number
    }
}

fn outgoing_from() -> u16 {
    let text = fs::read_to_string(OUTGOING).unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(OUTGOING_FROM)
}

/// Ports below the outgoing connections' range, where there are any.
fn candidates(outgoing_from: u16) -> std::ops::Range<u16> {
    let first = if outgoing_from > FIRST { FIRST } else { LOWEST };
    if outgoing_from > first { first..outgoing_from } else { FIRST..OUTGOING_FROM }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_or_while_somebody_listens() {
        let first = Port::reserve(20).unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let second = Port::reserve(20).unwrap();
        let mut numbers: Vec<u16> = first.iter().chain(&second).map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 40);
        assert!(
            !numbers.contains(&taken) && numbers.iter().all(|number| *number < outgoing_from()),
            "{numbers:?}"
        );
    }

    #[test]
    fn candidates_lie_below_outgoing_connections() {
        assert_eq!(candidates(32_768), 28_000..32_768);
        assert_eq!(candidates(15_000), 1_024..15_000);
        assert_eq!(candidates(1_024), 28_000..32_768);
    }
}
