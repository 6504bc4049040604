//! The protocol server: listeners, one task for each connection, and every command that is not the core's.

pub mod acl;
mod backend;
mod config;
pub mod docs;
mod error;
mod listen;
pub mod session;
mod stats;
pub mod table;

use std::rc::Rc;

pub use backend::Backend;
pub use config::ServerConfig;
pub use error::BindError;
pub use stats::ServerStats;

use self::listen::Listeners;
use crate::core::ids::ClientId;
use crate::resp::Reply;

/// The sockets are open, and nobody is served yet.
#[derive(Debug)]
pub struct Bound {
    config: ServerConfig,
    listeners: Listeners,
}

/// The running server. A cheap handle; all of them are one.
#[derive(Clone)]
pub struct Server {
    inner: Rc<Inner>,
}

struct Inner {
    config: ServerConfig,
    backend: Rc<dyn Backend>,
    listeners: Listeners,
}

impl Server {
    /// Opens the sockets and loads certificates and users. Blocks on the resolver where `bind` holds a name.
    ///
    /// # Errors
    /// [`BindError`], with the lines that Sentinel logs.
    pub fn bind(config: ServerConfig) -> Result<Bound, BindError> {
        let listeners = listen::open(&config.general)?;
        Ok(Bound { config, listeners })
    }

    /// Answers a client's command that [`Backend::command`] was given. Nothing happens if the client has gone.
    pub fn reply(&self, client: ClientId, reply: Reply) {
        let _ = (client, reply);
    }

    /// Sends a message to the subscribers of a channel and of the patterns that match it; returns their number.
    pub fn publish(&self, channel: &str, payload: &str) -> usize {
        let _ = (channel, payload);
        0
    }

    /// The `user` lines of the file, without line ends: empty where users come from an `aclfile`.
    #[must_use]
    pub fn acl_lines(&self) -> Vec<String> {
        Vec::new()
    }

    /// The present figures.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        ServerStats::default()
    }

    /// SIGHUP: reads certificates and the aclfile again. What can't be read stays as it was; the problems are returned
    /// for the log.
    #[must_use]
    pub fn reload(&self) -> Vec<String> {
        Vec::new()
    }

    /// Closes the listeners and all clients without another word.
    pub fn close_all(&self) {
        let _ = (&self.inner.config, &self.inner.backend, &self.inner.listeners);
    }
}

impl Bound {
    /// Lines for the log (level warning): addresses that were left out.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.listeners.warnings
    }

    /// Starts to serve, with tasks on the current [`tokio::task::LocalSet`].
    #[must_use]
    pub fn serve(self, backend: Rc<dyn Backend>) -> Server {
        Server { inner: Rc::new(Inner { config: self.config, backend, listeners: self.listeners }) }
    }
}
