//! Figures for Prometheus. Each subsystem has a struct of its own; all are made with the registry that is passed in.
//!
//! What is a matter of belief or of another part's own count (groups, clients, the process) is not kept twice: it is
//! read when a scrape asks, from a [`Snapshot`].

mod cluster;
mod groups;
mod own;
mod process;

use prometheus::{Registry, TextEncoder};

pub use cluster::ClusterMetrics;
pub use own::{CoreMetrics, LinkMetrics, LinkState, LoopMetrics, StoreMetrics};

use crate::core::view::View;
use crate::runtime::FrontStats;

/// Everything that is counted as it happens.
pub struct Metrics {
    registry: Registry,
    /// The core's observations.
    pub core: CoreMetrics,
    /// Connections to data nodes and peers.
    pub links: LinkMetrics,
    /// Writes of the configuration file.
    pub store: StoreMetrics,
    /// The loop itself.
    pub turns: LoopMetrics,
}

/// What a scrape reads from the loop.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The core's belief.
    pub view: View,
    /// `sentinel_simulate_failure_flags` of INFO.
    pub simulate_failure_flags: u64,
    /// The server's figures.
    pub front: FrontStats,
    /// Whether the daemon is ready to serve.
    pub ready: bool,
}

/// The text could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the metrics: {0}")]
pub struct Error(#[from] prometheus::Error);

impl Metrics {
    /// Register everything with `registry`.
    ///
    /// # Errors
    /// If a name is taken already.
    pub fn new(registry: Registry) -> Result<Self, Error> {
        Ok(Self {
            core: CoreMetrics::new(&registry)?,
            links: LinkMetrics::new(&registry)?,
            store: StoreMetrics::new(&registry)?,
            turns: LoopMetrics::new(&registry)?,
            registry,
        })
    }

    /// The figures of the coordination by Leases, registered beside these.
    ///
    /// # Errors
    /// If they are there already.
    pub fn cluster(&self) -> Result<ClusterMetrics, Error> {
        self.core.register_fleet(&self.registry)?;
        ClusterMetrics::new(&self.registry)
    }

    /// A handle for the thread that serves scrapes.
    #[must_use]
    pub fn exposition(&self) -> Exposition {
        Exposition { registry: self.registry.clone() }
    }
}

/// Writes the text that Prometheus reads. May be used on any thread.
#[derive(Clone)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// The text format. With `all_names` also the one name of redis_exporter that Prometheus' own rules refuse
    /// (`..._down_after_milliseconds`: not a base unit).
    ///
    /// # Errors
    /// If a metric can't be written.
    pub fn text(&self, snapshot: &Snapshot, all_names: bool) -> Result<String, Error> {
        let scraped = Registry::new();
        groups::register(&scraped, snapshot, all_names)?;
        process::register(&scraped)?;
        own::register_scraped(&scraped, snapshot)?;
        let mut families = self.registry.gather();
        families.extend(scraped.gather());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(TextEncoder::new().encode_to_string(&families)?)
    }
}

#[cfg(test)]
mod tests;
