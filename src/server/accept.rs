//! New connections: who is let in, and the task that serves them.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::client::Client;
use super::conn;
use super::counters::bump;
use super::inner::Inner;
use super::listen::{Listener, strerror};
use super::peer::Peer;
use crate::core::action::Level;

/// Pause after a failed accept, so that a lack of descriptors does not turn into a busy loop.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// Time that a client has for its TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";
const PROTECTED: &[u8] =
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the \
      default user. In this mode connections are only accepted from the loopback interface. To connect from another \
      machine, set a password for the default user, or set 'protected-mode no' in the configuration file and start \
      again, after making sure that this port can't be reached from where it should not be.\r\n";

/// Serves a listener for ever.
pub(super) fn spawn(server: &Rc<Inner>, listener: Listener) -> io::Result<()> {
    let shared = Rc::clone(server);
    let task = match listener {
        Listener::Tcp { socket, tls } => {
            let socket = TcpListener::from_std(socket)?;
            tokio::task::spawn_local(async move { accept_tcp(shared, socket, tls).await })
        }
        Listener::Unix { socket, path } => {
            let socket = UnixListener::from_std(socket)?;
            tokio::task::spawn_local(async move { accept_unix(shared, socket, path.into()).await })
        }
    };
    server.tasks.borrow_mut().push(task.abort_handle());
    Ok(())
}

async fn accept_tcp(server: Rc<Inner>, socket: TcpListener, tls: bool) {
    loop {
        match socket.accept().await {
            Ok((stream, remote)) => {
                let Ok(local) = stream.local_addr() else { continue };
                prepare(&server, &stream);
                if let Some(client) = admit(&server, Peer::Tcp { remote, local }, &stream, tls) {
                    start_tcp(&server, stream, client, tls);
                }
            }
            Err(error) => back_off(&server, &error).await,
        }
    }
}

async fn accept_unix(server: Rc<Inner>, socket: UnixListener, path: Rc<Path>) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                if let Some(client) = admit(&server, Peer::Unix(Rc::clone(&path)), &stream, false) {
                    start_unix(&server, stream, client);
                }
            }
            Err(error) => back_off(&server, &error).await,
        }
    }
}

fn start_tcp(server: &Rc<Inner>, stream: TcpStream, client: Rc<Client>, tls: bool) {
    let server = Rc::clone(server);
    if !tls {
        tokio::task::spawn_local(conn::serve(stream, server, client));
        return;
    }
    tokio::task::spawn_local(async move {
        let config = server.tls.borrow().clone();
        let shaken = match config {
            Some(config) => {
                tokio::time::timeout(HANDSHAKE_TIME, TlsAcceptor::from(config).accept(stream)).await
            }
            None => Ok(Err(io::ErrorKind::NotConnected.into())),
        };
        let problem = match shaken {
            Ok(Ok(stream)) => {
                conn::serve(stream, server, client).await;
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "handshake timed out".to_owned(),
        };
        server.log(
            Level::Verbose,
            &format!(
                "Error accepting a client connection: {problem} (addr={} laddr={})",
                client.peer,
                client.peer.local()
            ),
        );
        server.dismiss(&client);
    });
}

fn start_unix(server: &Rc<Inner>, stream: UnixStream, client: Rc<Client>) {
    tokio::task::spawn_local(conn::serve(stream, Rc::clone(server), client));
}

/// Takes a connection in, or turns it away with a reason.
fn admit(server: &Inner, peer: Peer, socket: &(impl AsFd + AsRawFd), tls: bool) -> Option<Rc<Client>> {
    let refusal = if server.clients.borrow().len() >= server.max_clients {
        Some(TOO_MANY)
    } else if server.config.general.protected_mode
        && !peer.is_local()
        && server.acl.borrow().default_user_has_nopass()
    {
        Some(PROTECTED)
    } else {
        None
    };
    if let Some(text) = refusal {
        bump(&server.counters.rejected);
        if !tls {
            // A new socket has room for this; if not, the client learns it from the closed connection.
            let _ = rustix::io::write(socket, text);
        }
        return None;
    }
    bump(&server.counters.connections);
    Some(server.admit(peer, socket.as_raw_fd()))
}

fn prepare(server: &Inner, stream: &TcpStream) {
    // A connection without these options still works.
    drop(stream.set_nodelay(true));
    let idle = server.config.general.tcp_keepalive;
    if idle > 0 {
        let idle = u64::from(idle);
        let probes = TcpKeepalive::new()
            .with_time(Duration::from_secs(idle))
            .with_interval(Duration::from_secs((idle / 3).max(1)))
            .with_retries(3);
        drop(SockRef::from(stream).set_tcp_keepalive(&probes));
    }
}

async fn back_off(server: &Inner, error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if [ConnectionAborted, ConnectionReset, Interrupted].contains(&error.kind()) {
        // The client changed its mind.
        return;
    }
    server.log(Level::Warning, &format!("Accepting client connection: accept: {}", strerror(error)));
    tokio::time::sleep(ACCEPT_BACKOFF).await;
}
