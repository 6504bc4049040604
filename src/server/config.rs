//! What the server is started with.

use std::path::PathBuf;

use crate::config::{Config, General, Identity};

/// The version of Redis that Valkey says it is compatible with.
pub(super) const VALKEYS_REDIS: &str = "7.2.4";

/// What the server is started with.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The directives that Sentinel shares with the data nodes: listeners, limits, users.
    pub general: General,
    /// What the daemon calls itself.
    pub identity: Identity,
    /// The file that the daemon was started with, for INFO.
    pub config_file: PathBuf,
    /// 40 hex digits that name this process, for INFO; not the daemon's own id.
    pub run_id: String,
}

impl ServerConfig {
    /// From what was read at the start.
    #[must_use]
    pub fn new(config: &Config, run_id: String) -> Self {
        Self {
            general: config.general.clone(),
            identity: config.identity,
            config_file: config.path.clone(),
            run_id,
        }
    }

    /// Name and version that clients are told. Valkey can be asked to pass for the Redis that it is compatible with.
    pub(super) const fn shown_as(&self) -> (&'static str, &'static str) {
        match (self.identity, self.general.extended_redis_compatibility) {
            (Identity::Valkey80, true) => ("redis", VALKEYS_REDIS),
            (Identity::Valkey80 | Identity::Redis70 | Identity::Redis80, _) => {
                (self.identity.server_name(), self.identity.version())
            }
        }
    }
}
