//! Connections to data nodes and peers: dumb pipes that carry requests out and replies in.
//!
//! Every connection is one task. [`Links`] knows them by [`ConnId`]; what a connection has to tell goes as an
//! [`Input`] to the function given to [`Links::new`]. An idle connection holds no buffer.

mod dial;
pub(crate) mod dialogue;
mod io;
mod pace;
mod task;
pub mod tls;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::task::AbortHandle;

use self::pace::Pace;
use crate::core::Input;
use crate::core::action::LinkRole;
use crate::core::ids::ConnId;
use crate::metrics::{LinkMetrics, LinkState};
use crate::resp::encode_request;

/// How connections are made.
#[derive(Clone)]
pub struct LinkConfig {
    /// `bind-source-addr`: local address of every connection.
    pub source: Option<IpAddr>,
    /// `tls-replication`: all connections use TLS.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Time to connect, TLS included.
    pub connect_limit: Duration,
    /// Most bytes that may wait to be sent on one connection; one that has more is closed.
    pub send_limit: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self { source: None, tls: None, connect_limit: Duration::from_secs(10), send_limit: 1 << 20 }
    }
}

/// Where news of the connections goes.
pub type Deliver = Rc<dyn Fn(Input)>;

/// All connections. Clones are handles to the same ones.
#[derive(Clone)]
pub struct Links {
    shared: Rc<Shared>,
}

/// What all connections share.
struct Shared {
    config: RefCell<LinkConfig>,
    open: RefCell<BTreeMap<ConnId, Open>>,
    deliver: Deliver,
    metrics: LinkMetrics,
    pace: Pace,
    /// The buffer that bytes are read into; none is kept by an idle connection.
    scratch: RefCell<Box<[u8]>>,
}

/// One connection as seen from outside its task.
struct Open {
    outbox: Rc<RefCell<Outbox>>,
    /// None while it waits to be begun.
    task: Option<AbortHandle>,
    role: LinkRole,
    state: LinkState,
}

/// Bytes that wait to be sent.
#[derive(Default)]
struct Outbox {
    bytes: BytesMut,
    /// More waited than may wait: the task ends the connection.
    overflow: bool,
    /// The core closed the connection: nothing more may be delivered.
    closed: bool,
    waker: Option<Waker>,
}

impl Outbox {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Links {
    /// No connection yet.
    #[must_use]
    pub fn new(config: LinkConfig, metrics: LinkMetrics, deliver: Deliver) -> Self {
        Self {
            shared: Rc::new(Shared {
                config: RefCell::new(config),
                open: RefCell::default(),
                deliver,
                metrics,
                pace: Pace::default(),
                scratch: RefCell::new(vec![0; io::READ_SIZE].into_boxed_slice()),
            }),
        }
    }

    /// Begin a connection, as soon as those that were wished for before have begun. Must be called on a
    /// [`tokio::task::LocalSet`].
    pub fn connect(&self, conn: ConnId, ip: IpAddr, port: u16, role: LinkRole) {
        self.shared.metrics.attempted(role);
        self.shared.metrics.enter(role, LinkState::Connecting);
        let entry = Open { outbox: Rc::default(), task: None, role, state: LinkState::Connecting };
        if let Some(old) = self.shared.open.borrow_mut().insert(conn, entry) {
            self.shared.metrics.leave(old.role, old.state);
            old.close();
        }
        self.pace(conn, (ip, port).into());
    }

    /// Begin a connection whose turn has come, unless it was closed meanwhile; whether it was begun.
    fn begin(&self, conn: ConnId, addr: SocketAddr) -> bool {
        let mut open = self.shared.open.borrow_mut();
        let Some(entry) = open.get_mut(&conn) else { return false };
        let config = self.shared.config.borrow().clone();
        let task = task::run(self.clone(), conn, addr, config, entry.outbox.clone());
        entry.task = Some(tokio::task::spawn_local(task).abort_handle());
        true
    }

    /// Queue a request. One for a connection that has ended is dropped: the core hears of the end.
    pub fn send(&self, conn: ConnId, args: &[Bytes]) {
        let limit = self.shared.config.borrow().send_limit;
        let open = self.shared.open.borrow();
        let Some(entry) = open.get(&conn) else { return };
        let mut outbox = entry.outbox.borrow_mut();
        encode_request(args, &mut outbox.bytes);
        outbox.overflow |= outbox.bytes.len() > limit;
        outbox.wake();
    }

    /// Close a connection. Nothing more is delivered for it.
    pub fn close(&self, conn: ConnId) {
        // The entry is dropped only after the borrow has ended.
        let entry = self.shared.open.borrow_mut().remove(&conn);
        if let Some(entry) = entry {
            self.shared.metrics.leave(entry.role, entry.state);
            entry.close();
        }
    }

    /// Use another TLS configuration for connections begun from here on (certificates were re-read).
    pub fn set_tls(&self, tls: Option<Arc<rustls::ClientConfig>>) {
        self.shared.config.borrow_mut().tls = tls;
    }

    /// Number of connections, those under way included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.open.borrow().len()
    }

    /// Whether there is no connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The connection stands.
    fn connected(&self, conn: ConnId, local: IpAddr) {
        if let Some(entry) = self.shared.open.borrow_mut().get_mut(&conn) {
            self.shared.metrics.leave(entry.role, entry.state);
            entry.state = LinkState::Connected;
            self.shared.metrics.enter(entry.role, entry.state);
        }
        (self.shared.deliver)(Input::Connected { conn, local });
    }

    /// The connection has ended by itself, or (when `refused`) was never made because nobody listens there.
    fn ended(&self, conn: ConnId, error: String, refused: bool) {
        let entry = self.shared.open.borrow_mut().remove(&conn);
        if let Some(entry) = entry {
            self.shared.metrics.leave(entry.role, entry.state);
            (self.shared.deliver)(Input::Disconnected { conn, error, refused });
        }
    }
}

impl Open {
    fn close(self) {
        let mut outbox = self.outbox.borrow_mut();
        outbox.closed = true;
        if let Some(task) = self.task {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests;
