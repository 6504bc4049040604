//! The protocol server: listeners, one task for each connection, and every command that is not the core's.
//!
//! A request's way: `conn` reads and decodes it, `dispatch` looks the command up and checks authentication, rights
//! and context, `commands` answers it or the [`Backend`] does, at once or later. Everything runs on one thread; a
//! request that waits for its answer holds back its own client and nobody else.

mod accept;
mod access;
pub mod acl;
mod backend;
mod client;
mod commands;
mod config;
mod conn;
mod counters;
mod describe;
mod descriptors;
mod dispatch;
pub mod docs;

mod error;
mod housekeeping;
mod inner;
mod listen;
mod pause;
mod peer;
mod pubsub;
pub mod session;
mod stats;
pub mod table;
mod tls;
mod tracking;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::Instant;

pub use backend::Backend;
pub use config::ServerConfig;
pub use error::BindError;
pub use stats::ServerStats;

use self::acl::{Acl, AclConfig};
use self::client::Ending;
use self::counters::Counters;
use self::inner::Inner;
use self::listen::{Listener, Listeners};
use self::pubsub::PubSub;
use self::table::Table;
use crate::core::action::Level;
use crate::core::ids::ClientId;
use crate::resp::Reply;

/// The sockets are open, and nobody is served yet.
#[derive(Debug)]
pub struct Bound {
    config: ServerConfig,
    listeners: Listeners,
    tls: Option<Arc<rustls::ServerConfig>>,
    table: Table,
    acl: Acl,
    max_clients: usize,
}

/// The running server. A cheap handle; all of them are one.
#[derive(Clone)]
pub struct Server {
    inner: Rc<Inner>,
}

impl Server {
    /// Loads users and certificates and opens the sockets. Blocks on the resolver where `bind` holds a name, and on
    /// files.
    ///
    /// # Errors
    /// [`BindError`], with the lines that Sentinel logs.
    pub fn bind(config: ServerConfig) -> Result<Bound, BindError> {
        let general = &config.general;
        let mut table = Table::new(config.identity);
        for (old, new) in &general.renamed_commands {
            table.rename(old, new).map_err(BindError::Rename)?;
        }
        let acl = Acl::new(AclConfig {
            identity: config.identity,
            requirepass: general.requirepass.clone(),
            users: general.users.iter().map(|line| line.words.clone()).collect(),
            aclfile: general.aclfile.as_ref().map(Into::into),
            log_max_len: usize::try_from(general.acllog_max_len).unwrap_or(usize::MAX),
            all_channels: general.acl_pubsub_default_all,
        })?;
        let tls = match general.tls.port {
            0 => None,
            _ => Some(
                tls::configure(&general.tls).map_err(|error| BindError::Tls { reason: error.to_string() })?,
            ),
        };
        let mut listeners = listen::open(general)?;
        let wanted = usize::try_from(general.maxclients).unwrap_or(usize::MAX);
        let (max_clients, lines) = descriptors::provide(wanted);
        listeners.warnings.extend(lines);
        Ok(Bound { config, listeners, tls, table, acl, max_clients })
    }

    /// Answers a client's command that [`Backend::command`] was given. Nothing happens if the client has gone.
    pub fn reply(&self, client: ClientId, reply: Reply) {
        self.inner.late_answer(client, &reply);
    }

    /// Sends a message to the subscribers of a channel and of the patterns that match it; returns their number.
    pub fn publish(&self, channel: &str, payload: &str) -> usize {
        self.inner.publish(channel.as_bytes(), payload.as_bytes())
    }

    /// The `user` lines of the file, without line ends: empty where users come from an `aclfile`.
    #[must_use]
    pub fn acl_lines(&self) -> Vec<String> {
        self.inner.acl.borrow().lines()
    }

    /// The present figures.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.inner.stats()
    }

    /// SIGHUP: reads certificates and the aclfile again. What can't be read stays as it was; the problems are returned
    /// for the log.
    #[must_use]
    pub fn reload(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.inner.tls.borrow().is_some() {
            match tls::configure(&self.inner.config.general.tls) {
                Ok(config) => *self.inner.tls.borrow_mut() = Some(config),
                Err(error) => problems.push(error.to_string()),
            }
        }
        problems.extend(access::reload(&self.inner));
        problems
    }

    /// Closes the listeners and all clients without another word.
    pub fn close_all(&self) {
        let inner = &self.inner;
        inner.tasks.borrow_mut().drain(..).for_each(|task| task.abort());
        for client in inner.clients.borrow().values() {
            client.end(Ending::Now);
        }
        if let Some(path) = inner.unix_socket.borrow_mut().take() {
            inner.log(Level::Notice, "Removing the unix socket file.");
            if let Err(error) = std::fs::remove_file(&path) {
                let text = format!("Error removing the unix socket file: {}", listen::strerror(&error));
                inner.log(Level::Warning, &text);
            }
        }
    }
}

impl Bound {
    /// Lines for the log (level warning): addresses that were left out, and limits that could not be met.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.listeners.warnings
    }

    /// Lines for the log (level notice) about the users that were loaded.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.acl.notices()
    }

    /// Starts to serve, with tasks on the current [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// If the runtime can't watch a listener.
    pub fn serve(self, backend: Rc<dyn Backend>) -> io::Result<Server> {
        let unix_socket = self.listeners.sockets.iter().find_map(|listener| match listener {
            Listener::Unix { path, .. } => Some(path.clone()),
            Listener::Tcp { .. } => None,
        });
        let inner = Rc::new(Inner {
            config: self.config,
            max_clients: self.max_clients,
            backend,
            table: self.table,
            acl: RefCell::new(self.acl),
            clients: RefCell::new(BTreeMap::new()),
            pubsub: RefCell::new(PubSub::default()),
            counters: Counters::default(),
            pause: RefCell::new(None),
            tls: RefCell::new(self.tls),
            scratch: RefCell::new(BytesMut::new()),
            started_at: Instant::now(),
            executable: std::env::current_exe().unwrap_or_default(),
            tasks: RefCell::new(Vec::new()),
            unix_socket: RefCell::new(unix_socket),
            next_id: Cell::new(1),
            busy: Cell::new(0),
        });
        for listener in self.listeners.sockets {
            accept::spawn(&inner, listener)?;
        }
        housekeeping::spawn(&inner);
        Ok(Server { inner })
    }
}
