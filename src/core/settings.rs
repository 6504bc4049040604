//! What is configured and what must survive a restart: the content of the `sentinel` lines of the file.
//!
//! The file's reader makes a [`Settings`], [`crate::core::Engine`] starts from one and gives one back at any time for
//! the file's writer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ids::{GroupName, RunId};

/// Sentinel's default for `down-after-milliseconds`.
pub const DEFAULT_DOWN_AFTER: Duration = Duration::from_millis(30_000);
/// Sentinel's default for `failover-timeout`.
pub const DEFAULT_FAILOVER_TIMEOUT: Duration = Duration::from_millis(180_000);
/// Sentinel's default for `parallel-syncs`.
pub const DEFAULT_PARALLEL_SYNCS: u32 = 1;

/// A host as given (name or literal address) and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// Name or literal IPv4 or IPv6 address without brackets.
    pub host: String,
    /// 0 means "never connect".
    pub port: u16,
}

impl HostPort {
    /// Where nobody is ever sought.
    #[must_use]
    pub const fn nowhere() -> Self {
        Self { host: String::new(), port: 0 }
    }
}

/// A `known-sentinel` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSentinel {
    /// Where it was seen.
    pub addr: HostPort,
    /// Its id.
    pub run_id: RunId,
}

/// All `sentinel` lines that name a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSettings {
    /// The group's name.
    pub name: GroupName,
    /// The primary's address (the promoted replica's as soon as the promotion is acknowledged).
    pub primary: HostPort,
    /// Opinions needed for `+odown`; at least 1.
    pub quorum: u32,
    /// `down-after-milliseconds`; above 0.
    pub down_after: Duration,
    /// `failover-timeout`; above 0.
    pub failover_timeout: Duration,
    /// `parallel-syncs`.
    pub parallel_syncs: u32,
    /// `notification-script`.
    pub notification_script: Option<String>,
    /// `client-reconfig-script`.
    pub client_reconfig_script: Option<String>,
    /// `auth-pass`: password for the primary and its replicas.
    pub auth_pass: Option<String>,
    /// `auth-user`: used only beside a password.
    pub auth_user: Option<String>,
    /// `master-reboot-down-after-period`; zero is off.
    pub reboot_down_after: Duration,
    /// Epoch of the failover that gave the group its present primary.
    pub config_epoch: u64,
    /// Epoch of the last vote given.
    pub leader_epoch: u64,
    /// `known-replica` lines.
    pub known_replicas: Vec<HostPort>,
    /// `known-sentinel` lines (those with a run id).
    pub known_sentinels: Vec<KnownSentinel>,
    /// `rename-command`: what to send instead of a command, in the file's order. The first word is matched without
    /// regard to case.
    pub renamed_commands: Vec<(String, String)>,
}

impl GroupSettings {
    /// A group with Sentinel's defaults.
    #[must_use]
    pub fn new(name: GroupName, primary: HostPort, quorum: u32) -> Self {
        Self {
            name,
            primary,
            quorum,
            down_after: DEFAULT_DOWN_AFTER,
            failover_timeout: DEFAULT_FAILOVER_TIMEOUT,
            parallel_syncs: DEFAULT_PARALLEL_SYNCS,
            notification_script: None,
            client_reconfig_script: None,
            auth_pass: None,
            auth_user: None,
            reboot_down_after: Duration::ZERO,
            config_epoch: 0,
            leader_epoch: 0,
            known_replicas: Vec::new(),
            known_sentinels: Vec::new(),
            renamed_commands: Vec::new(),
        }
    }
}

/// All `sentinel` lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `myid`. `None` only between reading a new file and the first start.
    pub my_id: Option<RunId>,
    /// `current-epoch`.
    pub current_epoch: u64,
    /// `deny-scripts-reconfig` is `no`: SENTINEL SET may change script paths.
    pub allow_scripts_reconfig: bool,
    /// `resolve-hostnames`.
    pub resolve_hostnames: bool,
    /// `announce-hostnames`.
    pub announce_hostnames: bool,
    /// `announce-ip`; never the empty text.
    pub announce_ip: Option<String>,
    /// `announce-port`; 0 is "the port listened on".
    pub announce_port: u16,
    /// `sentinel-user`; never the empty text.
    pub sentinel_user: Option<String>,
    /// `sentinel-pass`; never the empty text.
    pub sentinel_pass: Option<String>,
    /// The groups, in the order in which the daemon shows them.
    pub groups: Vec<GroupSettings>,
}

/// What the core must know of the process around it; fixed for the process's life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The port that hello messages announce when `announce-port` is 0: `tls-port` with `tls-replication`, else `port`.
    pub port: u16,
    /// `requirepass`: the password towards peers when `sentinel-pass` is not set.
    pub requirepass: Option<String>,
    /// `vedette fast-down-after-milliseconds` by group; off for those that are not named.
    pub fast_down_after: BTreeMap<GroupName, Duration>,
    /// `vedette switchover sentinel`: SENTINEL FAILOVER is Sentinel's forced failover also while the primary works.
    pub plain_switchover: bool,
    /// `vedette switchover-pause-milliseconds` by group.
    pub switchover_pause: BTreeMap<GroupName, Duration>,
    /// `vedette coordination kubernetes`; without it the peers vote.
    pub fleet: Option<Fleet>,
}

/// What is configured for the coordination by Leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// `vedette fleet`: a DNS label.
    pub name: String,
    /// `vedette member`: this daemon's Pod.
    pub member: String,
    /// `vedette fleet-size`: members that there are, at least 1.
    pub size: usize,
    /// `vedette observe yes`: look and route, never act.
    pub observe: bool,
    /// `vedette cold-start-wait-milliseconds`.
    pub cold_start_wait: Duration,
    /// `vedette pods` by group: which Pods, and their port.
    pub pods: BTreeMap<GroupName, PodSelector>,
    /// `vedette service` by group: what follows the primary.
    pub services: BTreeMap<GroupName, Routes>,
}

/// Which Pods belong to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSelector {
    /// Labels that all have to be there, `key=value`.
    pub labels: BTreeMap<String, String>,
    /// The data nodes' port, if it is not that of the Service.
    pub port: Option<u16>,
}

/// The Services of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    /// The one that leads to the primary.
    pub primary: String,
    /// The one that leads to the replicas.
    pub replicas: Option<String>,
}
