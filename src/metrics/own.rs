//! The figures named `vedette_*`.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use super::{Error, Snapshot};
use crate::core::action::{FailoverReason, FailoverResult, LinkRole, Observation, Phase};

const PHASE_BUCKETS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0];
const WRITE_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const LATENESS_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 10.0];

/// What the core observes.
pub struct CoreMetrics {
    failovers: IntCounterVec,
    phases: HistogramVec,
    votes: IntCounter,
    claims: IntCounterVec,
    service_repairs: IntCounter,
    fast_downs: IntCounter,
    missing_rights: IntGaugeVec,
    events: IntCounterVec,
}

impl CoreMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let made = Self {
            failovers: counters(
                registry,
                "vedette_failovers_total",
                "Failovers that this daemon began and that have ended, by reason and result.",
                &["reason", "result"],
            )?,
            phases: HistogramVec::new(
                HistogramOpts::new(
                    "vedette_failover_phase_seconds",
                    "Duration of the phases of failovers that this daemon led.",
                )
                .buckets(PHASE_BUCKETS.to_vec()),
                &["phase"],
            )?,
            claims: counters(
                registry,
                "vedette_claims_total",
                "Claims of groups by what for; resumed: another claim had begun it.",
                &["kind", "resumed"],
            )?,
            service_repairs: IntCounter::new(
                "vedette_service_repairs_total",
                "Edits of a Service by others that were put right.",
            )?,
            votes: IntCounter::new("vedette_votes_total", "Votes given, those for itself included.")?,
            fast_downs: IntCounter::new(
                "vedette_fast_downs_total",
                "Primaries that counted as down by fast-down-after-milliseconds, before down-after was over.",
            )?,
            missing_rights: IntGaugeVec::new(
                Opts::new(
                    "vedette_missing_right",
                    "1 for a right of the data nodes' user that a planned switchover was found to lack.",
                ),
                &["master_name", "right"],
            )?,
            events: counters(registry, "vedette_events_total", "Events by name.", &["event"])?,
        };
        registry.register(Box::new(made.phases.clone()))?;
        registry.register(Box::new(made.votes.clone()))?;
        registry.register(Box::new(made.fast_downs.clone()))?;
        registry.register(Box::new(made.missing_rights.clone()))?;
        for reason in [FailoverReason::Down, FailoverReason::Manual] {
            for result in RESULTS {
                made.failovers.with_label_values(&[reason_label(reason), result_label(result)]);
            }
        }
        for phase in PHASES {
            made.phases.with_label_values(&[phase_label(phase)]);
        }
        Ok(made)
    }

    /// What only a fleet on Kubernetes shows.
    pub(super) fn register_fleet(&self, registry: &Registry) -> Result<(), Error> {
        registry.register(Box::new(self.service_repairs.clone()))?;
        Ok(())
    }

    /// Count an event of this name.
    pub fn event(&self, name: &'static str) {
        self.events.with_label_values(&[name]).inc();
    }

    /// Take in an observation; lateness is [`LoopMetrics`]'s.
    pub fn observe(&self, observation: &Observation) {
        match observation {
            Observation::Phase { phase, took } => {
                self.phases.with_label_values(&[phase_label(*phase)]).observe(took.as_secs_f64());
            }
            Observation::Failover { reason, result } => {
                self.failovers.with_label_values(&[reason_label(*reason), result_label(*result)]).inc();
            }
            Observation::Right { group, right, missing } => {
                self.missing_rights.with_label_values(&[group.as_str(), right]).set(i64::from(*missing));
            }
            Observation::Claim { kind, resumed } => {
                let resumed = if *resumed { "yes" } else { "no" };
                self.claims.with_label_values(&[kind.word(), resumed]).inc();
            }
            Observation::ServiceRepaired => self.service_repairs.inc(),
            Observation::Vote => self.votes.inc(),
            Observation::FastDown => self.fast_downs.inc(),
            Observation::Late(_) => {}
        }
    }
}

/// State of a connection to a data node or peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Under way.
    Connecting,
    /// Stands.
    Connected,
}

/// Connections to data nodes and peers.
#[derive(Clone)]
pub struct LinkMetrics {
    links: IntGaugeVec,
    attempts: IntCounterVec,
}

impl LinkMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let made = Self {
            links: IntGaugeVec::new(
                Opts::new("vedette_links", "Connections to data nodes and peers, by role and state."),
                &["role", "state"],
            )?,
            attempts: counters(
                registry,
                "vedette_link_attempts_total",
                "Connections to data nodes and peers that were begun, by role.",
                &["role"],
            )?,
        };
        registry.register(Box::new(made.links.clone()))?;
        for role in [LinkRole::DataCommand, LinkRole::DataPubSub, LinkRole::Peer] {
            made.attempts.with_label_values(&[role_label(role)]);
            for state in [LinkState::Connecting, LinkState::Connected] {
                made.links.with_label_values(&[role_label(role), state_label(state)]);
            }
        }
        Ok(made)
    }

    /// A connection of this role is begun.
    pub fn attempted(&self, role: LinkRole) {
        self.attempts.with_label_values(&[role_label(role)]).inc();
    }

    /// A connection of this role enters a state.
    pub fn enter(&self, role: LinkRole, state: LinkState) {
        self.links.with_label_values(&[role_label(role), state_label(state)]).inc();
    }

    /// A connection of this role leaves a state.
    pub fn leave(&self, role: LinkRole, state: LinkState) {
        self.links.with_label_values(&[role_label(role), state_label(state)]).dec();
    }
}

/// Writes of the configuration file.
pub struct StoreMetrics {
    writes: IntCounterVec,
    seconds: Histogram,
}

impl StoreMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let made = Self {
            writes: counters(
                registry,
                "vedette_config_writes_total",
                "Writes of the configuration file, by result.",
                &["result"],
            )?,
            seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "vedette_config_write_seconds",
                    "Duration of the writes of the configuration file.",
                )
                .buckets(WRITE_BUCKETS.to_vec()),
            )?,
        };
        registry.register(Box::new(made.seconds.clone()))?;
        for ok in [true, false] {
            made.writes.with_label_values(&[write_label(ok)]);
        }
        Ok(made)
    }

    /// A write has ended.
    pub fn written(&self, ok: bool, took: std::time::Duration) {
        self.writes.with_label_values(&[write_label(ok)]).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

/// The loop.
pub struct LoopMetrics {
    lateness: Histogram,
    inputs: IntCounter,
}

impl LoopMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let made = Self {
            lateness: Histogram::with_opts(
                HistogramOpts::new(
                    "vedette_loop_lateness_seconds",
                    "How late the core's timers were served.",
                )
                .buckets(LATENESS_BUCKETS.to_vec()),
            )?,
            inputs: IntCounter::new("vedette_inputs_total", "Facts that the core has taken in.")?,
        };
        registry.register(Box::new(made.lateness.clone()))?;
        registry.register(Box::new(made.inputs.clone()))?;
        Ok(made)
    }

    /// A timer was served this long after its deadline.
    pub fn late(&self, by: std::time::Duration) {
        self.lateness.observe(by.as_secs_f64());
    }

    /// An input was handled.
    pub fn input(&self) {
        self.inputs.inc();
    }
}

/// The figures that the server and the build know.
pub(super) fn register_scraped(registry: &Registry, snapshot: &Snapshot) -> Result<(), Error> {
    let front = &snapshot.front;
    let queries =
        counters(registry, "vedette_queries_total", "Calls of clients' commands, by command.", &["command"])?;
    for (command, calls) in &front.calls {
        queries.with_label_values(&[command.as_str()]).inc_by(*calls);
    }
    super::groups::gauge(
        registry,
        "vedette_connected_clients",
        "Clients connected.",
        front.connected as f64,
    )?;
    let accepted =
        IntCounter::new("vedette_accepted_connections_total", "Connections of clients that were accepted.")?;
    accepted.inc_by(front.accepted);
    registry.register(Box::new(accepted))?;
    let rejected = IntCounter::new(
        "vedette_rejected_connections_total",
        "Connections of clients that were refused because there were too many.",
    )?;
    rejected.inc_by(front.rejected);
    registry.register(Box::new(rejected))?;
    let build =
        IntGaugeVec::new(Opts::new("vedette_build_info", "The version that runs; always 1."), &["version"])?;
    build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    registry.register(Box::new(build))?;
    Ok(())
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
    let made = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(made.clone()))?;
    Ok(made)
}

// === labels ===

const PHASES: [Phase; 6] =
    [Phase::Agree, Phase::Elect, Phase::Select, Phase::Promote, Phase::Pause, Phase::Reconfigure];

const RESULTS: [FailoverResult; 8] = [
    FailoverResult::Switched,
    FailoverResult::SwitchedLate,
    FailoverResult::NotElected,
    FailoverResult::NoGoodReplica,
    FailoverResult::ReplicaTimeout,
    FailoverResult::PrimaryTimeout,
    FailoverResult::PrimaryRefused,
    FailoverResult::Superseded,
];

const fn reason_label(reason: FailoverReason) -> &'static str {
    match reason {
        FailoverReason::Down => "down",
        FailoverReason::Manual => "manual",
    }
}

const fn result_label(result: FailoverResult) -> &'static str {
    match result {
        FailoverResult::Switched => "switched",
        FailoverResult::SwitchedLate => "switched_late",
        FailoverResult::NotElected => "not_elected",
        FailoverResult::NoGoodReplica => "no_good_replica",
        FailoverResult::ReplicaTimeout => "replica_timeout",
        FailoverResult::PrimaryTimeout => "primary_timeout",
        FailoverResult::PrimaryRefused => "primary_refused",
        FailoverResult::Superseded => "superseded",
    }
}

const fn phase_label(phase: Phase) -> &'static str {
    match phase {
        Phase::Agree => "agree",
        Phase::Elect => "elect",
        Phase::Select => "select",
        Phase::Promote => "promote",
        Phase::Pause => "pause",
        Phase::Reconfigure => "reconfigure",
    }
}

const fn role_label(role: LinkRole) -> &'static str {
    match role {
        LinkRole::DataCommand => "data_command",
        LinkRole::DataPubSub => "data_pubsub",
        LinkRole::Peer => "peer",
        LinkRole::Claim => "claim",
    }
}

const fn state_label(state: LinkState) -> &'static str {
    match state {
        LinkState::Connecting => "connecting",
        LinkState::Connected => "connected",
    }
}

const fn write_label(ok: bool) -> &'static str {
    if ok { "ok" } else { "error" }
}
