//! A port mapping: what NAT and Docker do to an address.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Port;

/// Takes connections on one loopback address and port and carries them to another, until dropped.
#[derive(Debug)]
pub(crate) struct PortMap {
    port: Port,
    host: String,
    closed: Arc<AtomicBool>,
}

impl PortMap {
    /// Listens on `host` and maps to `127.0.0.1:target`.
    pub(crate) fn new(host: &str, target: u16) -> Self {
        let port = Port::reserve();
        let closed = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind((host, port.number())).unwrap();
        let stop = Arc::clone(&closed);
        thread::spawn(move || {
            for inside in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(inside), Ok(outside)) = (inside, TcpStream::connect(("127.0.0.1", target))) else {
                    continue;
                };
                let pair = (inside.try_clone().unwrap(), outside.try_clone().unwrap());
                thread::spawn(move || carry(inside, outside));
                thread::spawn(move || carry(pair.1, pair.0));
            }
        });
        Self { port, host: host.to_owned(), closed }
    }

    /// Connections are refused from here on; those that stand stay.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect((self.host.as_str(), self.port()));
    }

    /// The port outside.
    pub(crate) const fn port(&self) -> u16 {
        self.port.number()
    }
}

impl Drop for PortMap {
    fn drop(&mut self) {
        self.close();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut chunk = [0; 16 * 1024];
    while let Ok(count) = from.read(&mut chunk) {
        if count == 0 || to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
