//! Saving into the configuration file.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

use super::ports::{Saver, Saving};
use crate::config::store::Store;
use crate::core::Settings;
use crate::core::action::Level;
use crate::server::Server;
use crate::telemetry::Telemetry;

/// Writes the file on a thread that may block.
pub(super) struct FileSaver {
    store: Arc<Store>,
    /// Its users are part of the file.
    server: OnceCell<Server>,
    level: Rc<Cell<Level>>,
    log: Telemetry,
}

impl FileSaver {
    pub(super) fn new(store: Store, level: Rc<Cell<Level>>, log: Telemetry) -> Self {
        Self { store: Arc::new(store), server: OnceCell::new(), level, log }
    }

    /// Tell the server whose users are saved; once, before anything is saved.
    pub(super) fn attach(&self, server: Server) {
        // A second server would be a mistake of the start-up; the first one stays.
        let _ = self.server.set(server);
    }
}

impl Saver for FileSaver {
    fn save(&self, settings: Settings) -> Saving {
        let (store, level, log) = (self.store.clone(), self.level.get(), self.log.clone());
        let users = self.server.get().map(Server::acl_lines).unwrap_or_default();
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || store.write(&settings, &users, level)).await;
            match written {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => {
                    log.line(Level::Warning, None, &error.to_string());
                    Err(error.reason())
                }
                Err(error) => Err(error.to_string()),
            }
        })
    }
}

/// Stands in for the file of a fleet's member that has none, or none that it may write.
pub(super) struct NoFile {
    reason: String,
}

impl NoFile {
    pub(super) const fn new(reason: String) -> Self {
        Self { reason }
    }
}

impl Saver for NoFile {
    fn save(&self, _: Settings) -> Saving {
        let reason = self.reason.clone();
        Box::pin(async move { Err(reason) })
    }
}
