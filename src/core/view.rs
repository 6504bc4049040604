//! What the daemon believes, for people and dashboards: the content of `/state` and the source of the gauges.
//!
//! Field names are an interface: they change only with a major version.

use serde::Serialize;

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// This daemon's id.
    pub my_id: String,
    /// Highest epoch seen.
    pub current_epoch: u64,
    /// Whether judgement is suspended (TILT).
    pub tilt: bool,
    /// Milliseconds since TILT began; absent outside TILT.
    pub tilt_since_ms: Option<u64>,
    /// Scripts running.
    pub running_scripts: usize,
    /// Scripts queued, the running ones included.
    pub queued_scripts: usize,
    /// Milliseconds until the next deadline of the core; absent when there is none.
    pub next_deadline_in_ms: Option<u64>,
    /// What that deadline is for.
    pub next_deadline_why: Option<&'static str>,
    /// The groups, in the order of SENTINEL MASTERS.
    pub groups: Vec<GroupView>,
}

/// One group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupView {
    /// Name.
    pub name: String,
    /// `ok`, `sdown` or `odown`.
    pub status: &'static str,
    /// The configured primary.
    pub primary: InstanceView,
    /// The address clients are told.
    pub current_host: String,
    /// Its port.
    pub current_port: u16,
    /// Opinions needed.
    pub quorum: u32,
    /// Whether enough daemons are usable for quorum and majority (what SENTINEL CKQUORUM says).
    pub quorum_reachable: bool,
    /// Usable daemons, this one included.
    pub usable_sentinels: usize,
    /// Epoch of the present configuration.
    pub config_epoch: u64,
    /// Epoch of the last vote given.
    pub leader_epoch: u64,
    /// Whom that vote was for.
    pub leader: Option<String>,
    /// Sentinel's name of the failover's state; absent when none runs.
    pub failover_state: Option<&'static str>,
    /// Milliseconds.
    pub down_after_ms: u64,
    /// Milliseconds; 0 is off.
    pub fast_down_after_ms: u64,
    /// The primary counts as down by the evidence that this looks for.
    pub fast_down: bool,
    /// Milliseconds.
    pub failover_timeout_ms: u64,
    /// Replicas reconfigured at a time.
    pub parallel_syncs: u32,
    /// Replicas, in the order of SENTINEL REPLICAS.
    pub replicas: Vec<InstanceView>,
    /// Other daemons, in the order of SENTINEL SENTINELS.
    pub sentinels: Vec<InstanceView>,
}

/// One data node or peer.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceView {
    /// Name shown by Sentinel: `ip:port` of a replica, id of a peer.
    pub name: String,
    /// Announced address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Run id, empty while unknown.
    pub run_id: String,
    /// Sentinel's flags, comma-joined.
    pub flags: String,
    /// Subjectively down.
    pub down: bool,
    /// At least one needed connection is missing.
    pub disconnected: bool,
    /// Milliseconds since the last acceptable reply to PING.
    pub last_ok_reply_ms: u64,
    /// Role that it last reported; absent for peers.
    pub role: Option<&'static str>,
    /// Replication offset it last reported; absent for peers.
    pub offset: Option<u64>,
    /// Replicas only: its own link to its primary is up.
    pub link_ok: Option<bool>,
}
