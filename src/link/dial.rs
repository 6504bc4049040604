//! Making a connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::LinkConfig;
use super::io::Stream;

/// Idle time before the system probes a connection, time between probes, and probes before it gives up.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);

/// Connect to `addr`; the stream and its local address.
pub(super) async fn dial(addr: SocketAddr, config: LinkConfig) -> io::Result<(Stream, IpAddr)> {
    let limit = config.connect_limit;
    tokio::time::timeout(limit, connect(addr, config))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "Connection timed out")))
}

async fn connect(addr: SocketAddr, config: LinkConfig) -> io::Result<(Stream, IpAddr)> {
    let tcp = connect_tcp(addr, config.source).await?;
    let local = tcp.local_addr()?.ip().to_canonical();
    let Some(tls) = config.tls else { return Ok((Stream::Plain(tcp), local)) };
    // The name is not checked and, being an address, not sent either.
    let name = ServerName::IpAddress(addr.ip().into());
    let stream = TlsConnector::from(tls).connect(name, tcp).await?;
    Ok((Stream::Tls(Box::new(stream)), local))
}

async fn connect_tcp(addr: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    socket.set_nodelay(true)?;
    let (idle, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(retries);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    let stream = socket.connect(addr).await?;
    refuse_self(&stream)?;
    Ok(stream)
}

/// To a local port that nobody listens on, the system may give a connection that very port as its own: it then talks to
/// itself, and keeps the data node from coming back.
fn refuse_self(stream: &TcpStream) -> io::Result<()> {
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::Error::from_raw_os_error(rustix::io::Errno::CONNREFUSED.raw_os_error()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_to_itself_is_none() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        let stream = socket.connect(own).await.unwrap();
        assert_eq!(super::super::io::words(&refuse_self(&stream).unwrap_err()), "Connection refused");

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        connect_tcp(listener.local_addr().unwrap(), None).await.unwrap();
    }
}
