//! What the core hears from the API server and asks of it, on Kubernetes: plain values, so that neither the core nor the simulation
//! knows the API's own types.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::claim::Plain;
use super::ids::{CallNo, PodUid, Version};

/// The key of a Service's selector that pins it to the primary's Pod: the label that a StatefulSet gives each of its Pods.
pub const POD_KEY: &str = "statefulset.kubernetes.io/pod-name";

/// The kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The fleet's Leases: members and groups.
    Lease,
    /// All Pods of the namespace.
    Pod,
    /// All Services of the namespace.
    Service,
    /// Nodes; only with the optional right to see them.
    Node,
}

/// One object of a kind that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// See [`Kind::Lease`].
    Lease(Lease),
    /// See [`Kind::Pod`].
    Pod(Pod),
    /// See [`Kind::Service`].
    Service(Service),
    /// See [`Kind::Node`].
    Node(Node),
}

impl Object {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Lease(_) => Kind::Lease,
            Self::Pod(_) => Kind::Pod,
            Self::Service(_) => Kind::Service,
            Self::Node(_) => Kind::Node,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Lease(lease) => &lease.name,
            Self::Pod(pod) => &pod.name,
            Self::Service(service) => &service.name,
            Self::Node(node) => &node.name,
        }
    }
}

/// A Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The object's name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// What it says.
    pub plain: Plain,
}

/// A Pod, as far as it matters to who may be in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Its uid: another Pod of the same name has another.
    pub uid: PodUid,
    /// Its addresses, the one in `status.podIP` first; none before it has one.
    pub ips: Vec<IpAddr>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The node that it is on; empty before it was scheduled.
    pub node: String,
    /// It has a deletion time stamp: it is asked to end.
    pub deleting: bool,
    /// It is over (`Succeeded` or `Failed`) and never runs again.
    pub over: bool,
    /// Its containers, as the kubelet last reported them.
    pub containers: Vec<Container>,
}

/// A container of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The ports that it declares.
    pub ports: Vec<u16>,
    /// Its id at the runtime; another start has another. Empty before the first start.
    pub id: String,
    /// The kubelet reports it running now.
    pub running: bool,
    /// The id that the kubelet reports as ended, if any: the last one, or the present one if it doesn't run.
    pub ended: Option<String>,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its selector.
    pub selector: BTreeMap<String, String>,
    /// Its first port's `targetPort` if that is a number, else its `port`; nothing without ports.
    pub port: Option<u16>,
    /// Who wrote the selector last, as the API server recorded it; for people.
    pub manager: String,
    /// It has a deletion time stamp.
    pub deleting: bool,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// It bears the taint `node.kubernetes.io/out-of-service`.
    pub out_of_service: bool,
}

/// What a watch shows. The shell keeps watches open by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// All that there is of a kind; what was known before and is not among them is gone.
    All(Kind, Vec<Object>),
    /// It is new, or has changed.
    Changed(Object),
    /// It was deleted.
    Removed(Kind, String),
    /// The watch of that kind is open, so that what was shown is how it is; or it is broken.
    Watching(Kind, bool),
}

/// A call of the API server. Never tried again by the shell; answered exactly once, by [`Answer`], within the limit that
/// [`super::Action::Api`] gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Read a Lease, from the API server and no cache.
    ReadLease {
        /// Its name.
        name: String,
    },
    /// Replace that version of a Lease, or (without one) create it. Labels, owners and what else the object holds are the
    /// shell's.
    WriteLease {
        /// Its name.
        name: String,
        /// The version that was read.
        version: Option<Version>,
        /// What it is to say.
        plain: Plain,
        /// Whose it is.
        about: About,
    },
    /// Read a Service, from the API server and no cache.
    ReadService {
        /// Its name.
        name: String,
    },
    /// Change a Service of that version, in one merge patch.
    PatchService {
        /// Its name.
        name: String,
        /// The version that was read.
        version: Version,
        /// Keys of the selector; `None` removes one.
        selector: BTreeMap<String, Option<String>>,
        /// Annotations; `None` removes one.
        annotations: BTreeMap<String, Option<String>>,
    },
    /// Write an Event, for people. Its answer changes nothing.
    Event(Event),
}

/// What a Lease is about: decides its labels and its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// This member: owned by the daemon's own Pod.
    Member,
    /// The group of that exact name.
    Group(String),
}

/// An Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub regarding: Regarding,
    /// `true`: type Warning; `false`: type Normal.
    pub warning: bool,
    /// A short word in camel case, for machines: `FailoverStarted`.
    pub reason: &'static str,
    /// A sentence for people.
    pub note: String,
}

/// The object that an Event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Regarding {
    /// A Service, by its name.
    Service(String),
    /// A Pod, by name and uid.
    Pod(String, PodUid),
    /// A Lease, by its name.
    Lease(String),
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A read: the object, or that there is none.
    Read(Option<Object>),
    /// A write: it is there, in this version.
    Landed(Version),
    /// A write: another one came first (409), or the name is taken, or the object is gone (404).
    Conflict,
    /// It certainly did not happen: the API server said no (400, 401, 403, 422, 429), or was never reached.
    Refused {
        /// The reason, for the log.
        reason: String,
        /// The API server asks to be left alone for so long.
        after: Option<Duration>,
    },
    /// No answer, or one that leaves open whether it happened (500, 504, a broken connection, the limit).
    Unknown(String),
}

/// An answer on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The call's number.
    pub call: CallNo,
    /// What came of it.
    pub answer: Answer,
}
