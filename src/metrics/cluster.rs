//! What the coordination by Leases costs and meets. Only there with a fleet.

use std::time::Duration;

use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use super::Error;
use crate::core::cluster::{About, Kind};
use crate::kube::{self, Failure, Verb};

const WRITE_BUCKETS: &[f64] = &[0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// Calls of the API server, and what its watches show.
#[derive(Clone)]
pub struct ClusterMetrics {
    lease_writes: HistogramVec,
    conflicts: IntCounterVec,
    errors: IntCounterVec,
    watches: IntGaugeVec,
    age: Gauge,
    dropped: IntCounter,
}

impl ClusterMetrics {
    /// Register everything with `registry`.
    ///
    /// # Errors
    /// If a name is taken already.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        let made = Self {
            lease_writes: HistogramVec::new(
                HistogramOpts::new(
                    "vedette_lease_write_seconds",
                    "Duration of writes of Leases, failed ones included, by whose Lease it is.",
                )
                .buckets(WRITE_BUCKETS.to_vec()),
                &["kind"],
            )?,
            conflicts: IntCounterVec::new(
                Opts::new(
                    "vedette_lease_conflicts_total",
                    "Writes of Leases that another one had come before.",
                ),
                &["kind"],
            )?,
            errors: IntCounterVec::new(
                Opts::new(
                    "vedette_kubernetes_errors_total",
                    "Calls of the Kubernetes API that failed, by verb and code.",
                ),
                &["verb", "code"],
            )?,
            watches: IntGaugeVec::new(
                Opts::new("vedette_kubernetes_watch_open", "1 while a watch of that kind is open."),
                &["kind"],
            )?,
            age: Gauge::new(
                "vedette_kubernetes_state_age_seconds",
                "Since the watch of the fleet's Leases last showed anything.",
            )?,
            dropped: IntCounter::new(
                "vedette_kubernetes_events_dropped_total",
                "Events for people that were not written: there was too much to do, or it failed.",
            )?,
        };
        registry.register(Box::new(made.lease_writes.clone()))?;
        registry.register(Box::new(made.conflicts.clone()))?;
        registry.register(Box::new(made.errors.clone()))?;
        registry.register(Box::new(made.watches.clone()))?;
        registry.register(Box::new(made.age.clone()))?;
        registry.register(Box::new(made.dropped.clone()))?;
        for about in ["member", "group"] {
            made.lease_writes.with_label_values(&[about]);
            made.conflicts.with_label_values(&[about]);
        }
        for kind in [Kind::Lease, Kind::Pod, Kind::Service, Kind::Node] {
            made.watching(kind, false);
        }
        // The one whose growth an alert is most likely about is there from the start.
        made.errors.with_label_values(&[Verb::Update.word(), "none"]);
        Ok(made)
    }

    /// A write of a Lease has ended.
    pub fn lease_written(&self, about: &About, took: Duration, result: Result<(), &kube::Error>) {
        let kind = match about {
            About::Member => "member",
            About::Group(_) => "group",
        };
        self.lease_writes.with_label_values(&[kind]).observe(took.as_secs_f64());
        if result.is_err_and(|error| matches!(error.failure, Failure::Conflict | Failure::Exists)) {
            self.conflicts.with_label_values(&[kind]).inc();
        }
    }

    /// A call has failed.
    pub fn failed(&self, error: &kube::Error) {
        let code = error.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.errors.with_label_values(&[error.call.verb.word(), &code]).inc();
    }

    /// A watch is open, or is not.
    pub fn watching(&self, kind: Kind, open: bool) {
        let kind = match kind {
            Kind::Lease => "lease",
            Kind::Pod => "pod",
            Kind::Service => "service",
            Kind::Node => "node",
        };
        self.watches.with_label_values(&[kind]).set(i64::from(open));
    }

    /// How old what is known of the fleet is, at a scrape.
    pub fn age(&self, age: Duration) {
        self.age.set(age.as_secs_f64());
    }

    /// An Event was not written.
    pub fn event_dropped(&self) {
        self.dropped.inc();
    }
}
