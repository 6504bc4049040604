//! Every fact that reaches the core from outside.

use std::net::IpAddr;

use bytes::Bytes;

use super::cluster;
use super::ids::{CheckId, ClientId, ConnId, GroupName, JobId, ResolveId, SaveNo};
use super::time::Time;
use crate::resp::Reply;

/// A fact from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Time has passed: the deadline of [`crate::core::Engine::next_deadline`] may be over. Harmless at any time.
    Timer {
        /// What had reached the process by then has been handed over. Nobody is called down for a silence that ended
        /// later: the answer may lie in a socket that had no turn yet.
        heard: Time,
    },
    /// A connection that was asked for has to wait before it is begun, for many others were asked for before it.
    Waiting {
        /// Which one.
        conn: ConnId,
    },
    /// A connection that had to wait begins.
    Begun {
        /// Which one.
        conn: ConnId,
    },
    /// A connection that [`super::Action::Connect`] asked for stands.
    Connected {
        /// Which one.
        conn: ConnId,
        /// The local end's address; hello messages announce it unless `announce-ip` is set.
        local: IpAddr,
    },
    /// A connection could not be made, or ended. Nothing more comes from it. Not sent for what the core closed itself.
    Disconnected {
        /// Which one.
        conn: ConnId,
        /// The system's words, for the log.
        error: String,
        /// It was never made: something at the address said that nobody listens there.
        refused: bool,
    },
    /// One reply or message arrived on a connection. Replies come in the order of the requests.
    Frame {
        /// From where.
        conn: ConnId,
        /// The value.
        reply: Reply,
    },
    /// A client sent SENTINEL, ROLE or PUBLISH. Known command, arity, authentication and rights have been checked;
    /// `args[0]` is the command. Answered by exactly one [`super::Action::Reply`], possibly later.
    Command {
        /// Who asks.
        client: ClientId,
        /// The words.
        args: Vec<Bytes>,
    },
    /// All save requests up to and including `upto` have been dealt with by one write.
    Persisted {
        /// The newest request that the write covered.
        upto: SaveNo,
        /// Whether the state is on the disk now.
        ok: bool,
    },
    /// The resolver's answer to [`super::Action::Resolve`].
    Resolved {
        /// Which question.
        id: ResolveId,
        /// The first address, or nothing.
        ip: Option<IpAddr>,
    },
    /// A credential that lies in a file of its own was read for the first time, or has changed. It is never saved.
    Secret {
        /// Which one.
        secret: Secret,
        /// Its value; nothing when the file is empty.
        value: Option<String>,
    },
    /// The answer to [`super::Action::CheckExecutable`].
    Executable {
        /// Which question.
        id: CheckId,
        /// For each path, in the order of the question, whether it can be executed.
        ok: Vec<bool>,
    },
    /// A script could be started, or (without a pid) can't be executed. One that could not be started for lack of
    /// processes, memory or descriptors has ended by signal 99 instead, Sentinel's number for that; it is tried again.
    ScriptStarted {
        /// Which run.
        job: JobId,
        /// Its process id.
        pid: Option<u32>,
    },
    /// A script ended.
    ScriptEnded {
        /// Which run.
        job: JobId,
        /// How: the exit code, or the signal that ended it.
        exit: ScriptExit,
    },
    /// On Kubernetes: a watch showed something.
    Seen(cluster::Seen),
    /// On Kubernetes: the answer to [`super::Action::Api`].
    Answered(cluster::Answered),
    /// The process is asked to end: hand over what is under way. [`super::Action::Ended`] follows, at once where there is
    /// nothing to hand over.
    Terminate,
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptExit {
    /// Exit code.
    Code(i32),
    /// Signal number.
    Signal(i32),
}

/// Credentials that may lie in files of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secret {
    /// User for data nodes: of one group, where it wins over `auth-user`; or of every group that has none.
    AuthUser(Option<GroupName>),
    /// Password for data nodes: of one group, where it wins over `auth-pass`; or of every group that has none.
    AuthPass(Option<GroupName>),
    /// Password for peers; wins over `sentinel-pass`.
    SentinelPass,
}
