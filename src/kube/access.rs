//! The two clients, and how they follow credentials that are replaced.

use std::sync::{Arc, PoisonError, RwLock};

use ::kube::Client;

use super::source::Reading;
use super::{SetupError, Source, http};

/// The way to one API server; clones share it.
///
/// Tokens and certificates are read again by [`Access::refresh`]. Calls that began before go on with what they began with.
#[derive(Clone)]
pub struct Access {
    source: Arc<Source>,
    current: Arc<RwLock<Clients>>,
}

struct Clients {
    reads: Client,
    writes: Client,
    namespace: String,
    digest: [u8; 32],
}

impl Clients {
    fn new(reading: &Reading) -> Result<Self, SetupError> {
        let client = || http::client(&reading.config).map_err(Box::new);
        Ok(Self {
            reads: client()?,
            writes: client()?,
            namespace: reading.config.default_namespace.clone(),
            digest: reading.digest,
        })
    }
}

impl Access {
    /// Reads the source. Nothing is sent yet. To be called within a tokio runtime.
    pub async fn new(source: Source) -> Result<Self, SetupError> {
        let clients = Clients::new(&source.read().await?)?;
        Ok(Self { source: Arc::new(source), current: Arc::new(RwLock::new(clients)) })
    }

    /// Reads the source again and, where anything in it has changed, makes new connections from now on. True if so.
    ///
    /// With an error, what was there before stays in use: a file may be seen half written. To be called every few seconds,
    /// and when a call is refused with 401.
    pub async fn refresh(&self) -> Result<bool, SetupError> {
        let reading = self.source.read().await?;
        if reading.digest == self.with(|current| current.digest) {
            return Ok(false);
        }
        let clients = Clients::new(&reading)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = clients;
        Ok(true)
    }

    /// The namespace that the source names.
    pub fn namespace(&self) -> String {
        self.with(|current| current.namespace.clone())
    }

    /// For reads and watches.
    pub(super) fn reads(&self) -> Client {
        self.with(|current| current.reads.clone())
    }

    /// For writes and for the reads that a write rests on.
    pub(super) fn writes(&self) -> Client {
        self.with(|current| current.writes.clone())
    }

    fn with<T>(&self, read: impl FnOnce(&Clients) -> T) -> T {
        read(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}
