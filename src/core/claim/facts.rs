//! What a claimant is told, and what it wishes for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::group::{GroupLease, Primary};
use super::running::Fence;
use crate::core::ids::{CallNo, PodUid, RunId, Version};

/// The group's Lease as it was shown: nothing if there is none.
pub type Shown = Option<(Version, GroupLease)>;

/// A data node that discovery lists in this group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listed {
    /// The Pod's name.
    pub pod: String,
    /// Where it answers: `host:port`. Empty as long as its Pod has no address: it runs nowhere, but what it will hold is not
    /// known.
    pub address: String,
    /// This member holds it down: no step waits for it.
    pub down: bool,
    /// Its Pod is asked to end, or its node is being emptied: no switchover leads there.
    pub leaving: bool,
}

/// What a data node says that it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It follows `host:port`.
    Replica {
        /// Whom.
        of: String,
    },
}

/// A data node's answer to ROLE and INFO on one connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Which run of the server answered.
    pub run_id: RunId,
    /// What it is.
    pub role: Role,
    /// Its replication history.
    pub replication_id: String,
    /// The history that its own goes on from, empty if there is none.
    pub earlier_id: String,
    /// How far it is, in bytes.
    pub offset: u64,
    /// It loads its data, or is in the middle of a full sync.
    pub busy: bool,
    /// Its link to its primary is up.
    pub linked: bool,
    /// `replica-priority`; 0 is never promoted.
    pub priority: u32,
    /// It holds no key.
    pub empty: bool,
}

/// What step 0 found: opinions enough to claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gathered {
    /// The primary that they are about; about another one they are void.
    pub about: Primary,
    /// Whose they are.
    pub opinions: BTreeSet<RunId>,
    /// What is known to keep the primary from acknowledging writes, without anything being done for it.
    pub fence: Fence,
    /// How long to leave it to others to start.
    pub start_after: Duration,
}

/// What became of a write to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// It is there, in this version.
    Landed(Version),
    /// Another one came first.
    Conflict,
    /// There was no answer, or an error: it may have landed, and may yet.
    Unknown,
}

/// The Service as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// Its version.
    pub version: Version,
    /// The Pod that it selects; empty if it selects by other keys alone.
    pub pod: String,
    /// Its epoch annotation, 0 without one.
    pub epoch: u64,
}

impl Service {
    /// There is no such Service: nothing follows the primary, and nothing remembers an epoch.
    #[must_use]
    pub fn none() -> Self {
        Self { version: Version::from(""), pod: String::new(), epoch: 0 }
    }

    /// Whether there is no such Service.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.version.as_str().is_empty()
    }
}

/// A fact from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// The instances that discovery lists, all of them.
    Nodes(BTreeMap<PodUid, Listed>),
    /// Step 0 was passed, or (nothing) is no longer.
    Gathered(Option<Gathered>),
    /// A Sentinel listens at a data node, where this member is about to found the group's Lease.
    Beside,
    /// A committed epoch was heard of: from another member or from the Service.
    Heard(u64),
    /// Some member was about to commit that epoch, and may have.
    Promised(u64),
    /// The answer to [`Wish::Promise`]: the promise is in this member's own Lease.
    Recorded(u64),
    /// Sentinels beside a fleet that only observes name this primary, whose run is not known: it counts while there is no Lease.
    /// Whether this member heard them say so; else another did, and the Service shows it.
    Followed(Box<Primary>, bool),
    /// Monitoring sees roles that differ from what the Lease says, or no longer.
    Wrong(bool),
    /// The watch showed the group's Lease.
    Seen(Shown),
    /// The answer to [`Wish::Read`]; nothing if there was none.
    Read(CallNo, Option<Shown>),
    /// The answer to [`Wish::Put`].
    Put(CallNo, Written),
    /// The answer to [`Wish::Barrier`] or [`Wish::Command`]; nothing if there was none in time. With the barrier's number and
    /// nothing: its connection broke, whenever that is. Either way the barrier is void.
    Stood(PodUid, CallNo, Option<Standing>),
    /// The watch showed the Service.
    ServiceSeen(Service),
    /// The answer to [`Wish::ReadService`]; nothing if there was none.
    Service(CallNo, Option<Service>),
    /// The answer to [`Wish::Patch`].
    Patched(CallNo, Written),
    /// An operator wants a failover, whatever the members hold of the primary.
    Word,
    /// A planned switchover is wanted, which holds writes back for so long at most.
    Switchover(Duration),
    /// The process is to end.
    Terminate,
    /// Time passed.
    Tick,
}

/// What a data node is told, in one MULTI with the question for its role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// REPLICAOF NO ONE and CLIENT KILL.
    Promote,
    /// REPLICAOF that address, and CLIENT KILL.
    Follow(String),
    /// Nothing: it is only asked.
    Ask,
    /// CLIENT PAUSE WRITE for so long.
    Hold(Duration),
    /// REPLICAOF that address, while writes are held back.
    Yield(String),
    /// CLIENT UNPAUSE.
    Resume,
    /// CLIENT KILL and CLIENT UNPAUSE.
    SendAway,
}

/// A wish, to be carried out in the order of its making.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Read the group's Lease from the API server, not from a cache.
    Read(CallNo),
    /// Replace that version of the group's Lease, or create it. Never tried again by the shell.
    Put(CallNo, Option<Version>, Box<GroupLease>),
    /// Have it in this member's own Lease that this epoch is about to be committed: there it outlives the group's Lease. Wished for
    /// again and again until it is there.
    Promise(u64),
    /// Open a connection to a data node, ask who it is, and cut all other actors' connections to it. The number is the
    /// connection's from then on.
    Barrier {
        /// Which node.
        node: PodUid,
        /// The connection.
        call: CallNo,
        /// Always, but in a model that leaves it out.
        cut: bool,
    },
    /// Tell a data node something, over that barrier's connection and no other, within the time that is left to the claim.
    Command {
        /// Which node.
        node: PodUid,
        /// The barrier whose connection it is.
        connection: CallNo,
        /// This command.
        call: CallNo,
        /// Which run of the server is meant.
        run_id: RunId,
        /// What it is told.
        command: Command,
    },
    /// Close the connections of all barriers.
    Release,
    /// Read the Service from the API server, not from a cache.
    ReadService(CallNo),
    /// Patch selector and epoch of the Service, on that version.
    Patch(CallNo, Service),
    /// The Lease shows a new committed primary: answer clients with it, and tell subscribers.
    Switched(Box<Primary>),
    /// Two primaries hold data that differ: nothing is touched.
    Diverged,
    /// That node holds data of another history, and isn't known as one of the group's: it is left alone.
    Foreign(PodUid),
    /// That node holds the group's data, and the primary nothing: it isn't told to follow.
    Spared(PodUid),
    /// After [`Fact::Terminate`]: no claim is left.
    Ended,
}
