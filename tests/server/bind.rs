//! Listeners.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use vedette::config::Identity;
use vedette::server::{BindError, Server};

use crate::support::{Running, config, free_port, general};

#[test]
fn a_busy_port_has_sentinels_words() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut general = general();
    general.port = port;
    let error = Server::bind(config(general, Identity::Redis70)).unwrap_err();
    assert_eq!(
        error.log_lines(),
        [
            format!(
                "Warning: Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address already in use"
            ),
            format!("Failed listening on port {port} (TCP), aborting."),
        ]
    );
}

#[test]
fn addresses_that_can_and_cannot_be_left_out() {
    // 192.0.2.0/24 is for documentation: no machine has such an address.
    let server = Running::with(|general| general.bind = vec!["-192.0.2.1".into(), "127.0.0.1".into()]);
    server.client().says("PING", "+PONG\n");
    let mut general = general();
    general.port = free_port();
    general.bind = vec!["127.0.0.1".into(), "192.0.2.1".into()];
    let port = general.port;
    let error = Server::bind(config(general, Identity::Redis70)).unwrap_err();
    let wanted = format!("192.0.2.1:{port}: bind: Cannot assign requested address");
    assert!(error.log_lines()[0].ends_with(&wanted), "{error:?}");
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "the first address stayed open");
}

#[test]
fn listening_nowhere_is_refused() {
    let mut general = general();
    general.port = 0;
    let error = Server::bind(config(general, Identity::Redis70)).unwrap_err();
    assert!(matches!(error, BindError::Nowhere));
    assert_eq!(error.log_lines(), ["Configured to not listen anywhere, exiting."]);
}

#[test]
fn the_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    // Left over by a process that died.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = Running::with(|general| {
        general.port = 0;
        general.unixsocket = Some(path.to_string_lossy().into_owned());
        general.unixsocketperm = 0o700;
    });
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"CLIENT LIST\r\nQUIT\r\n").unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    let shown = path.display();
    assert!(
        text.contains(&format!("addr={shown}:0 laddr={shown}:0 ")) && text.contains(" flags=U "),
        "{text}"
    );
    server.close_all();
    server.until("the socket is removed", |_| !path.exists());
}

#[test]
fn closing_all_leaves_nobody() {
    let server = Running::start();
    let mut clients: Vec<_> = (0..10).map(|_| server.client()).collect();
    for client in &mut clients {
        client.says("PING", "+PONG\n");
    }
    server.close_all();
    for client in &mut clients {
        client.expect_end();
    }
    server.until("all are gone", |stats| stats.connected_clients == 0);
    assert!(std::net::TcpStream::connect(("127.0.0.1", server.port)).is_err());
}
