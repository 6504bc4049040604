//! What claimants act upon: the API server's objects and the data nodes. They do what they are asked to, whenever that comes,
//! and note what must never happen.

use std::collections::{BTreeMap, BTreeSet};

use vedette::core::claim::{
    Command, GroupLease, Instance, Listed, Outcome, Primary, Rest, Role, Service, Shown, Standing, Written,
};
use vedette::core::ids::{CallNo, ClaimId, GroupName, PodUid, RunId, Version};

/// The committed epoch at the start.
pub(crate) const EPOCH: u64 = 7;
const HISTORY: &str = "history";

/// What must always hold; the words name the property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Law {
    /// One primary for each committed epoch, and each commit at a later one, be the Lease deleted or not.
    OneCommit,
    /// What is committed is a primary when it is committed, unless it restarted just then.
    CommittedIsPrimary,
    /// What is committed has data if anybody has.
    CommittedHasData,
    /// Nobody turns the committed primary into a replica but the holder of the claim.
    NotDemoted,
    /// Behind an undone failover nobody rises.
    UndoneStays,
    /// The Service goes to what was committed, and never back.
    ServiceForward,
}

pub(crate) const LAWS: [(Law, &str); 6] = [
    (Law::OneCommit, "one primary an epoch, and no epoch twice"),
    (Law::CommittedIsPrimary, "what is committed is a primary"),
    (Law::CommittedHasData, "what is committed has data if anybody has"),
    (Law::NotDemoted, "only the claim's holder demotes the committed primary"),
    (Law::UndoneStays, "nobody rises behind an undone failover"),
    (Law::ServiceForward, "the Service never goes back"),
];

/// A connection of a claimant: whose, in which of its lives, and which.
pub(crate) type Connection = (usize, u64, CallNo);

/// One data node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// How often it has started.
    run: u64,
    /// Whom it follows: another's address, that of a closed port after a start, nobody's if it is a primary.
    follows: Option<String>,
    data: bool,
    /// Connections that were not cut.
    open: BTreeSet<Connection>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) lease: Option<GroupLease>,
    version: u64,
    pub(crate) service: Service,
    service_version: u64,
    nodes: Vec<Node>,
    commits: BTreeMap<u64, PodUid>,
    routed: u64,
    pub(crate) broken: BTreeSet<Law>,
    pub(crate) undone: bool,
}

fn uid(node: usize) -> PodUid {
    PodUid::from(["a", "b", "c"][node])
}

fn address(uid: &PodUid) -> String {
    format!("{uid}:6379")
}

fn run_id(uid: &PodUid, run: u64) -> RunId {
    RunId::from(format!("{uid}{run}"))
}

impl World {
    /// The first node is primary, the others follow it.
    pub(crate) fn new(nodes: usize) -> Self {
        let a = uid(0);
        let instance =
            Instance { pod: a.to_string(), address: address(&a), run_id: run_id(&a, 1), uid: a.clone() };
        let primary = Primary {
            instance,
            replication_id: HISTORY.to_owned(),
            offset: 0,
            epoch: EPOCH,
            rest: Rest::new(),
        };
        let node =
            |at| Node { run: 1, follows: (at > 0).then(|| address(&a)), data: true, open: BTreeSet::new() };
        Self {
            lease: Some(GroupLease { primary: Some(primary), ..GroupLease::new(GroupName::from("g")) }),
            version: 1,
            service: Service { version: Version::from("1"), pod: a.to_string(), epoch: EPOCH },
            service_version: 1,
            nodes: (0..nodes).map(node).collect(),
            commits: [(EPOCH, a.clone())].into(),
            routed: EPOCH,
            broken: BTreeSet::new(),
            undone: false,
        }
    }

    pub(crate) fn listed(&self) -> BTreeMap<PodUid, Listed> {
        let listed = |uid: &PodUid| Listed {
            pod: uid.to_string(),
            address: address(uid),
            down: false,
            leaving: false,
        };
        (0..self.nodes.len()).map(uid).map(|uid| (uid.clone(), listed(&uid))).collect()
    }

    pub(crate) fn shown(&self) -> Shown {
        self.lease.clone().map(|lease| (Version::from(self.version.to_string()), lease))
    }

    pub(crate) fn committed_epochs(&self) -> usize {
        self.commits.len()
    }

    fn node(&mut self, wanted: &PodUid) -> &mut Node {
        let at = (0..self.nodes.len()).find(|at| uid(*at) == *wanted).unwrap();
        &mut self.nodes[at]
    }

    fn breach(&mut self, law: Law, broken: bool) {
        if broken {
            self.broken.insert(law);
        }
    }

    // === The API server ===

    pub(crate) fn put(&mut self, version: Option<&Version>, lease: GroupLease) -> Written {
        if version != self.shown().as_ref().map(|(version, _)| version) {
            return Written::Conflict;
        }
        // How far the primary is may be written again; another run or epoch is a commit.
        let before = self.lease.as_ref().and_then(|lease| lease.primary.clone());
        let again = |primary: &Primary| {
            let one = |known: &Primary| known.epoch == primary.epoch && known.instance == primary.instance;
            before.as_ref().is_some_and(one)
        };
        if let Some(primary) = lease.primary.clone().filter(|primary| !again(primary)) {
            self.committed(&primary);
        }
        self.undone |= lease.history.last().is_some_and(|past| past.outcome == Outcome::Undone);
        self.version += 1;
        self.lease = Some(lease);
        Written::Landed(Version::from(self.version.to_string()))
    }

    fn committed(&mut self, primary: &Primary) {
        let last = self.commits.keys().next_back().copied().unwrap_or(0);
        self.breach(Law::OneCommit, primary.epoch <= last);
        self.commits.insert(primary.epoch, primary.instance.uid.clone());
        let uid = &primary.instance.uid;
        let data = self.nodes.iter().any(|node| node.data);
        let Node { run, follows, data: has_data, .. } = self.node(uid).clone();
        if primary.instance.run_id == run_id(uid, run) {
            self.breach(Law::CommittedIsPrimary, follows.is_some());
            self.breach(Law::CommittedHasData, data && !has_data);
        }
    }

    /// Somebody deletes the Lease.
    pub(crate) fn delete(&mut self) {
        self.lease = None;
        self.version += 1;
    }

    pub(crate) fn patch(&mut self, wanted: &Service) -> Written {
        if wanted.version != self.service.version {
            return Written::Conflict;
        }
        let right = self.commits.get(&wanted.epoch).is_some_and(|uid| uid.as_str() == wanted.pod);
        self.breach(Law::ServiceForward, !right || wanted.epoch < self.routed);
        self.routed = self.routed.max(wanted.epoch);
        self.edit(wanted.pod.clone(), wanted.epoch);
        Written::Landed(self.service.version.clone())
    }

    /// Somebody edits the Service.
    pub(crate) fn edit(&mut self, pod: String, epoch: u64) {
        self.service_version += 1;
        self.service = Service { version: Version::from(self.service_version.to_string()), pod, epoch };
    }

    // === Data nodes ===

    fn standing(&mut self, uid: &PodUid) -> Standing {
        let Node { run, follows, data, .. } = self.node(uid).clone();
        Standing {
            run_id: run_id(uid, run),
            role: follows.map_or(Role::Primary, |of| Role::Replica { of }),
            replication_id: if data { HISTORY } else { "" }.to_owned(),
            earlier_id: String::new(),
            offset: u64::from(data),
            busy: false,
            linked: true,
            priority: 100,
            empty: !data,
        }
    }

    pub(crate) fn barrier(&mut self, uid: &PodUid, connection: Connection, cut: bool) -> Standing {
        let node = self.node(uid);
        if cut {
            node.open.clear();
        }
        node.open.insert(connection);
        self.standing(uid)
    }

    /// A command comes, at once or late. Nothing if its connection is gone.
    pub(crate) fn command(
        &mut self,
        uid: &PodUid,
        connection: Connection,
        command: &Command,
        claim: Option<&ClaimId>,
    ) -> Option<Standing> {
        if !self.node(uid).open.contains(&connection) {
            return None;
        }
        let run = run_id(uid, self.node(uid).run);
        match command {
            Command::Promote => {
                let lease = self.lease.as_ref();
                let recorded =
                    lease.is_some_and(|lease| lease.failover.is_some() || lease.is_primary(uid, &run));
                let undone = lease
                    .and_then(|lease| lease.history.last())
                    .is_some_and(|past| past.outcome == Outcome::Undone);
                let rises = self.node(uid).follows.is_some();
                self.breach(Law::UndoneStays, rises && undone && !recorded);
                self.node(uid).follows = None;
            }
            // Only of a planned switchover, which nobody asks for here.
            Command::Ask | Command::Hold(_) | Command::Yield(_) | Command::Resume | Command::SendAway => {}
            Command::Follow(of) => {
                let holder = self.lease.as_ref().and_then(|lease| lease.holder.as_ref());
                let primary = self.lease.as_ref().is_some_and(|lease| lease.is_primary(uid, &run));
                let rightful = claim.is_some() && holder == claim;
                self.breach(Law::NotDemoted, primary && !rightful);
                self.node(uid).follows = Some(of.clone());
            }
        }
        Some(self.standing(uid))
    }

    /// Whether a late command could still be carried out.
    pub(crate) fn is_open(&self, uid: &PodUid, connection: Connection) -> bool {
        self.clone().node(uid).open.contains(&connection)
    }

    /// The server in a Pod starts again, without its data, and waits for its role.
    pub(crate) fn restart(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        *node = Node {
            run: node.run + 1,
            follows: Some("closed".to_owned()),
            data: false,
            open: BTreeSet::new(),
        };
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }
}
