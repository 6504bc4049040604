//! Every wish of the core. They are carried out in the order in which they were made.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use super::claim::Kind as ClaimKind;
use super::cluster;
use super::ids::{CallNo, CheckId, ClientId, ConnId, GroupName, JobId, ResolveId, SaveNo};
use crate::resp::Reply;

/// The ordered list that [`crate::core::Engine::handle`] appends to.
pub type Actions = Vec<Action>;

/// A wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Open a connection. Sends may follow at once; they wait for the connection. Answered by `Connected`, then
    /// `Disconnected` when it ends, or by `Disconnected` alone.
    Connect {
        /// Name of the new connection.
        conn: ConnId,
        /// Address.
        ip: IpAddr,
        /// Port.
        port: u16,
        /// What it is for, for metrics and spans.
        role: LinkRole,
    },
    /// Close a connection; queued requests are dropped, nothing more is heard of it.
    Close {
        /// Which one.
        conn: ConnId,
    },
    /// Send one request (RESP2, multibulk).
    Send {
        /// On which connection.
        conn: ConnId,
        /// The words. May hold secrets: never logged.
        args: Vec<Bytes>,
    },
    /// Answer a client's command.
    Reply {
        /// Whom.
        client: ClientId,
        /// With what.
        reply: Reply,
    },
    /// An event: one log line `name payload`, and unless its level is debug a message on the channel `name`.
    Event(Event),
    /// A log line that is no event.
    Log {
        /// Level.
        level: Level,
        /// The group it is about.
        group: Option<GroupName>,
        /// Text without line breaks.
        text: String,
    },
    /// The state changed: save it and answer with `Persisted`. Requests may be answered together by one write of the
    /// state as it is when the write begins.
    Persist {
        /// Number of the request.
        save: SaveNo,
    },
    /// Look a host name up; at most a few seconds, then answer "nothing".
    Resolve {
        /// Name of the question.
        id: ResolveId,
        /// The host name.
        host: String,
    },
    /// Find out which of these script paths this process can execute now (what access(2) says of X_OK); they may be
    /// relative to the working directory. Answered by `Executable`, at once but never from within
    /// [`crate::core::Engine::handle`]: a client waits for it.
    CheckExecutable {
        /// Name of the question.
        id: CheckId,
        /// The paths.
        paths: Vec<String>,
    },
    /// Start a script, without a shell, as a direct child, with no descriptor but the standard ones.
    RunScript {
        /// Name of the run.
        job: JobId,
        /// Program and arguments; the path may be relative to the working directory.
        argv: Vec<String>,
    },
    /// SIGKILL a running script.
    KillScript {
        /// Which run.
        job: JobId,
    },
    /// Change the level of the log.
    SetLogLevel(Level),
    /// A figure for the metrics.
    Observe(Observation),
    /// On Kubernetes: call the API server. Answered by [`super::Input::Answered`], at the latest when `limit` is over.
    Api {
        /// Number of the call.
        call: CallNo,
        /// What is called.
        request: cluster::Call,
        /// How long it may take.
        limit: Duration,
    },
    /// After [`super::Input::Terminate`]: nothing is left to hand over.
    Ended,
    /// End the process at once with exit status 99 (SENTINEL SIMULATE-FAILURE).
    Crash,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkRole {
    /// Commands to a data node.
    DataCommand,
    /// Subscription at a data node.
    DataPubSub,
    /// Commands to a peer.
    Peer,
    /// Commands of a claimant to a data node, behind a barrier.
    Claim,
}

/// Levels of Sentinel's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `.`
    Debug,
    /// `-`
    Verbose,
    /// `*`
    Notice,
    /// `#`
    Warning,
    /// Only as the configured level: no line at all.
    Nothing,
}

impl Level {
    /// The word used in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Verbose => "verbose",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Nothing => "nothing",
        }
    }

    /// The level that a word of the configuration names (any case).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Debug, Self::Verbose, Self::Notice, Self::Warning, Self::Nothing]
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(word))
    }
}

/// An event with Sentinel's name and payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Level of the log line.
    pub level: Level,
    /// `+sdown` and so on; also the channel's name.
    pub name: &'static str,
    /// What Sentinel puts behind the name.
    pub payload: String,
    /// The group it is about.
    pub group: Option<GroupName>,
    /// Run id of the instance it is about, where known.
    pub run_id: Option<String>,
    /// The daemon's current epoch.
    pub epoch: u64,
}

/// A figure for the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A phase of a failover that this daemon leads is over.
    Phase {
        /// Which one.
        phase: Phase,
        /// How long it took.
        took: Duration,
    },
    /// A failover that this daemon began has ended.
    Failover {
        /// Why it began.
        reason: FailoverReason,
        /// How it ended.
        result: FailoverResult,
    },
    /// A right of the data nodes' user, which a planned switchover needs, was found to be lacking, or to be there after
    /// all.
    Right {
        /// The group.
        group: GroupName,
        /// As access rules name it: `client|pause`.
        right: &'static str,
        /// Lacking.
        missing: bool,
    },
    /// A group was claimed, where Leases coordinate.
    Claim {
        /// What for.
        kind: ClaimKind,
        /// Another claim had begun it.
        resumed: bool,
    },
    /// Another's edit of a Service was put right.
    ServiceRepaired,
    /// A vote was given.
    Vote,
    /// A primary counts as down by the evidence of `fast-down-after-milliseconds`.
    FastDown,
    /// The core was driven late: how much after its deadline.
    Late(Duration),
}

/// Phases of a failover, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// From `+sdown` of the primary to `+odown`.
    Agree,
    /// From `+try-failover` to `+elected-leader`.
    Elect,
    /// From `+elected-leader` to `+selected-slave`.
    Select,
    /// From `+selected-slave` to `+promoted-slave`.
    Promote,
    /// From CLIENT PAUSE to `+promoted-slave`, in a planned switchover.
    Pause,
    /// From `+promoted-slave` to `+failover-end`.
    Reconfigure,
}

/// Why a failover began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailoverReason {
    /// The primary is objectively down.
    Down,
    /// SENTINEL FAILOVER.
    Manual,
}

/// How a failover ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailoverResult {
    /// Switched.
    Switched,
    /// Switched, but some replicas were not reconfigured in time.
    SwitchedLate,
    /// No majority of votes.
    NotElected,
    /// No replica could be promoted.
    NoGoodReplica,
    /// The chosen replica did not become a primary in time.
    ReplicaTimeout,
    /// A planned switchover was undone: the primary and its replica did not come to the same in time.
    PrimaryTimeout,
    /// The primary refused what a planned switchover needs.
    PrimaryRefused,
    /// Given up because the group was reset, removed or changed by a newer configuration.
    Superseded,
}
