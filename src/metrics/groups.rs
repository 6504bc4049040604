//! The figures that redis_exporter makes of a Sentinel's answers, under its names, labels and values.

use prometheus::{Gauge, GaugeVec, Opts, Registry};

use super::{Error, Snapshot};
use crate::core::view::{GroupView, InstanceView};

const GROUP: &[&str] = &["master_name", "master_address"];

/// The families with one series per group.
struct Families {
    status: GaugeVec,
    replicas: GaugeVec,
    ok_replicas: GaugeVec,
    sentinels: GaugeVec,
    ok_sentinels: GaugeVec,
    ckquorum: GaugeVec,
    quorum: GaugeVec,
    failover_timeout: GaugeVec,
    parallel_syncs: GaugeVec,
    down_after_ms: Option<GaugeVec>,
    down_after: GaugeVec,
    config_epoch: GaugeVec,
    last_ok: GaugeVec,
}

pub(super) fn register(registry: &Registry, snapshot: &Snapshot, all_names: bool) -> Result<(), Error> {
    let view = &snapshot.view;
    for (name, help, value) in [
        ("redis_sentinel_masters", "Groups that this daemon watches.", view.groups.len() as f64),
        ("redis_sentinel_tilt", "Whether judgement is suspended (TILT).", f64::from(u8::from(view.tilt))),
        ("redis_sentinel_running_scripts", "Scripts that run now.", view.running_scripts as f64),
        (
            "redis_sentinel_scripts_queue_length",
            "Scripts queued, running ones included.",
            view.queued_scripts as f64,
        ),
        (
            "redis_sentinel_simulate_failure_flags",
            "Failures to be simulated: 1 after election, 2 after promotion, 3 both.",
            snapshot.simulate_failure_flags as f64,
        ),
        ("vedette_current_epoch", "Highest epoch seen.", view.current_epoch as f64),
    ] {
        gauge(registry, name, help, value)?;
    }
    let families = Families::new(registry, all_names)?;
    view.groups.iter().for_each(|group| families.set(group));
    Ok(())
}

/// Register one gauge without labels.
pub(super) fn gauge(registry: &Registry, name: &str, help: &str, value: f64) -> Result<(), Error> {
    let made = Gauge::new(name, help)?;
    made.set(value);
    registry.register(Box::new(made))?;
    Ok(())
}

impl Families {
    fn new(registry: &Registry, all_names: bool) -> Result<Self, Error> {
        let family = |name: &str, help: &str, labels: &[&str]| -> Result<GaugeVec, Error> {
            let made = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(made.clone()))?;
            Ok(made)
        };
        let down_after_ms = all_names.then(|| {
            family(
                "redis_sentinel_master_setting_down_after_milliseconds",
                "The group's down-after-milliseconds.",
                GROUP,
            )
        });
        Ok(Self {
            status: family(
                "redis_sentinel_master_status",
                "1 while the group's primary is neither subjectively nor objectively down.",
                &["master_name", "master_address", "master_status"],
            )?,
            replicas: family("redis_sentinel_master_slaves", "Replicas of the group.", GROUP)?,
            ok_replicas: family("redis_sentinel_master_ok_slaves", "Replicas that are not down.", GROUP)?,
            sentinels: family(
                "redis_sentinel_master_sentinels",
                "Daemons that watch the group, this one included.",
                GROUP,
            )?,
            ok_sentinels: family(
                "redis_sentinel_master_ok_sentinels",
                "Daemons that watch the group and are not down, this one included.",
                GROUP,
            )?,
            ckquorum: family(
                "redis_sentinel_master_ckquorum_status",
                "Whether quorum and majority can be reached, and SENTINEL CKQUORUM's words.",
                &["master_name", "message"],
            )?,
            quorum: family("redis_sentinel_master_setting_ckquorum", "The group's quorum.", GROUP)?,
            failover_timeout: family(
                "redis_sentinel_master_setting_failover_timeout",
                "The group's failover-timeout in milliseconds.",
                GROUP,
            )?,
            parallel_syncs: family(
                "redis_sentinel_master_setting_parallel_syncs",
                "The group's parallel-syncs.",
                GROUP,
            )?,
            down_after_ms: down_after_ms.transpose()?,
            down_after: family(
                "vedette_group_down_after_seconds",
                "The group's down-after-milliseconds, in seconds.",
                GROUP,
            )?,
            config_epoch: family(
                "redis_sentinel_master_config_epoch",
                "Epoch of the group's present configuration.",
                GROUP,
            )?,
            last_ok: family(
                "redis_sentinel_master_last_ok_ping_reply_seconds",
                "Seconds since the primary's last acceptable answer to PING.",
                GROUP,
            )?,
        })
    }

    fn set(&self, group: &GroupView) {
        let name = group.name.as_str();
        let address = format!("{}:{}", group.primary.host, group.primary.port);
        let labels = &[name, address.as_str()];
        let up = if group.status == "ok" { 1.0 } else { 0.0 };
        self.status.with_label_values(&[name, address.as_str(), group.status]).set(up);
        self.replicas.with_label_values(labels).set(group.replicas.len() as f64);
        self.ok_replicas.with_label_values(labels).set(not_down(&group.replicas) as f64);
        self.sentinels.with_label_values(labels).set((group.sentinels.len() + 1) as f64);
        self.ok_sentinels.with_label_values(labels).set((not_down(&group.sentinels) + 1) as f64);
        let reachable = f64::from(u8::from(group.quorum_reachable));
        self.ckquorum.with_label_values(&[name, ckquorum(group).as_str()]).set(reachable);
        self.quorum.with_label_values(labels).set(f64::from(group.quorum));
        self.failover_timeout.with_label_values(labels).set(group.failover_timeout_ms as f64);
        self.parallel_syncs.with_label_values(labels).set(f64::from(group.parallel_syncs));
        if let Some(family) = &self.down_after_ms {
            family.with_label_values(labels).set(group.down_after_ms as f64);
        }
        self.down_after.with_label_values(labels).set(group.down_after_ms as f64 / 1000.0);
        self.config_epoch.with_label_values(labels).set(group.config_epoch as f64);
        self.last_ok.with_label_values(labels).set(group.primary.last_ok_reply_ms as f64 / 1000.0);
    }
}

fn not_down(instances: &[InstanceView]) -> usize {
    instances.iter().filter(|instance| !instance.flags.contains("s_down")).count()
}

/// What SENTINEL CKQUORUM answers.
fn ckquorum(group: &GroupView) -> String {
    let usable = group.usable_sentinels;
    if group.quorum_reachable {
        return format!("OK {usable} usable Sentinels. Quorum and failover authorization can be reached");
    }
    let mut text = format!("NOQUORUM {usable} usable Sentinels. ");
    let quorum = usize::try_from(group.quorum).unwrap_or(usize::MAX);
    let voters = group.sentinels.len() + 1;
    let majority = voters / 2 + 1;
    let mut missing = Vec::new();
    if usable < quorum {
        missing.push("Not enough available Sentinels to reach the specified quorum for this master");
    }
    if usable < majority {
        missing.push("Not enough available Sentinels to reach the majority and authorize a failover");
    }
    text.push_str(&missing.join(". "));
    text
}
