//! What can happen to a fleet.

use std::time::Duration;

use super::{DaemonId, NodeId};

/// Something that happens at a time after the discovery.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) after: Duration,
    pub(crate) what: What,
}

/// A machine: a daemon's or a data node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Daemon(DaemonId),
    Node(NodeId),
    /// The data node that a group's first daemon holds for the primary at that moment.
    PrimaryOf(usize),
}

/// The file that a daemon starts again from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    /// As the process left it.
    Kept,
    /// As it was some time before: a restored copy.
    Old,
    /// As the operator first wrote it: without an id, and without anything learnt.
    Lost,
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The process ends; with `power` the whole machine, so that nobody is told. It is back after `lasts`: a data node with
    /// `lose_data` is empty then, a daemon reads `file`.
    Kill { who: Who, lasts: Duration, power: bool, lose_data: bool, loading: Duration, file: File },
    /// SIGSTOP and, after `lasts`, SIGCONT.
    Pause { who: Who, lasts: Duration },
    /// No packet from `from` reaches `to`; both ways unless `one_way`.
    Cut { from: Who, to: Who, one_way: bool, lasts: Duration },
    /// One side hears nothing of the other, or with `one_way` only the others hear nothing of that side.
    Partition { side: Vec<Who>, one_way: bool, lasts: Duration },
    /// So many packets of a thousand are late by up to `by`. What comes behind them on the same connection waits, on other
    /// connections it overtakes them.
    Late { permille: u64, by: Duration, lasts: Duration },
    /// All connections of a machine are reset.
    Reset { who: Who },
    /// The path between two machines is slow.
    Slow { from: Who, to: Who, latency: Duration, lasts: Duration },
    /// A daemon's disk takes this long for a write.
    SlowDisk { daemon: DaemonId, write: Duration, lasts: Duration },
    /// A daemon's disk refuses writes.
    BrokenDisk { daemon: DaemonId, lasts: Duration },
    /// A daemon's resolver finds nothing.
    Deaf { daemon: DaemonId, lasts: Duration },
    /// A data node runs a script.
    Busy { who: Who, lasts: Duration, killable: bool },
    /// Somebody tells a replica to follow an address where nobody is.
    Mislead { node: NodeId, to: NodeId },
    /// Somebody promotes a replica by hand.
    Stray { node: NodeId },
    /// SENTINEL FAILOVER, at one daemon.
    Failover { daemon: DaemonId, group: usize },
    /// SENTINEL SIMULATE-FAILURE.
    Simulate { daemon: DaemonId, flag: &'static str },
    /// SENTINEL FLUSHCONFIG.
    Flush { daemon: DaemonId },
    /// SENTINEL SET of a number, at one daemon.
    Set { daemon: DaemonId, group: usize, option: &'static str, value: u64 },
    /// SENTINEL RESET, at one daemon.
    Forget { daemon: DaemonId, group: usize },
    /// SENTINEL REMOVE at one daemon, and after `lasts` SENTINEL MONITOR with the address that another daemon tells.
    Remove { daemon: DaemonId, group: usize, lasts: Duration },
}
