//! The admin port: `/metrics`, `/live`, `/ready` and `/state`.
//!
//! It is served by a thread of its own that asks the loop, with a time limit, so that a loop that hangs is seen as
//! one instead of as a port that hangs too.

mod listener;
mod routes;

use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};

use crate::metrics::{Exposition, Snapshot};
use crate::runtime::Driver;

/// Questions that may wait for the loop.
const WAITING: usize = 32;

/// The port could not be opened or its thread not be started.
#[derive(Debug, thiserror::Error)]
#[error("failed to serve the admin port on {addr}: {source}")]
pub struct Error {
    addr: String,
    source: std::io::Error,
}

/// The admin port, open but not served.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

/// A question to the loop.
enum Query {
    /// Does it turn?
    Live(oneshot::Sender<()>),
    /// What does it know?
    Snapshot(oneshot::Sender<Box<Snapshot>>),
}

impl Bound {
    /// Open the port `ADDR:PORT`.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn open(addr: &str) -> Result<Self, Error> {
        let fail = |source| Error { addr: addr.to_owned(), source };
        let listener = TcpListener::bind(addr).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let addr = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, addr })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serve it. Must be called on the loop's [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn serve(self, driver: &Rc<Driver>) -> Result<(), Error> {
        let (ask, mut asked) = mpsc::channel(WAITING);
        let state = routes::State::new(ask, driver.metrics().exposition());
        let addr = self.addr.to_string();
        std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || listener::serve(self.listener, routes::router(state)))
            .map_err(|source| Error { addr, source })?;
        let driver = Rc::downgrade(driver);
        tokio::task::spawn_local(async move {
            while let Some(query) = asked.recv().await {
                let Some(driver) = driver.upgrade() else { return };
                // Whoever asked may have given up meanwhile.
                match query {
                    Query::Live(answer) => drop(answer.send(())),
                    Query::Snapshot(answer) => drop(answer.send(Box::new(driver.snapshot()))),
                }
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
