//! One monitored thing: a primary, a replica or a peer, as this daemon sees it.

use bytes::Bytes;

use super::address::Address;
use super::ballot::Ballot;
use super::history::{History, ReplId};
use super::link::{Link, LinkId};
use super::role::Freshness;
use super::time::Time;

/// What an instance is to its group by configuration, whatever it reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Primary,
    Replica,
    Peer,
}

impl Kind {
    /// Sentinel's word on the wire.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Primary => "master",
            Self::Replica => "slave",
            Self::Peer => "sentinel",
        }
    }
}

/// What a data node says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Primary,
    Replica,
}

impl Role {
    /// Sentinel's word on the wire.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Primary => "master",
            Self::Replica => "slave",
        }
    }
}

/// How far a replica's reconfiguration is in the running failover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reconf {
    #[default]
    None,
    /// Told, since then.
    Sent(Time),
    /// Says that it follows the new primary.
    InProgress,
    /// Its link to the new primary is up.
    Done,
}

/// A primary that a switch of this process's life took the place of, and that has not been seen to obey since.
#[derive(Clone, Debug)]
pub(crate) struct Displaced {
    /// When it was displaced.
    pub(crate) at: Time,
    /// The process that it was; empty where unknown.
    pub(crate) run_id: String,
    /// The history that it wrote as a primary, if it ever told.
    pub(crate) history: Option<ReplId>,
    /// Since when it has been heard to call itself a primary all the same.
    pub(crate) risen_at: Option<Time>,
    /// When it was last told to follow.
    pub(crate) told_at: Option<Time>,
}

/// What only data nodes have.
#[derive(Debug)]
pub(crate) struct DataNode {
    pub(crate) info_at: Option<Time>,
    pub(crate) info_sent_at: Option<Time>,
    /// INFO requests without a reply.
    pub(crate) info_pending: u32,
    pub(crate) info_text: Option<Bytes>,
    pub(crate) role: Role,
    pub(crate) role_at: Time,
    /// How fresh its word on its role is.
    pub(crate) freshness: Freshness,
    pub(crate) primary_host: Option<String>,
    pub(crate) primary_port: u16,
    /// When the reported primary last changed.
    pub(crate) primary_changed_at: Time,
    pub(crate) link_down_ms: u64,
    pub(crate) link_up: bool,
    /// Replicas: its primary was heard then, or later.
    pub(crate) heard_primary_at: Option<Time>,
    pub(crate) priority: u32,
    pub(crate) offset: u64,
    pub(crate) announced: bool,
    pub(crate) reconf: Reconf,
    /// SCRIPT KILL was sent since it went down.
    pub(crate) script_kill_sent: bool,
    /// The run id changed then, and no PONG has come since that counts (only with master-reboot-down-after-period).
    pub(crate) rebooted_at: Option<Time>,
    /// The run id has changed since the instance took its place.
    pub(crate) reborn: bool,
    pub(crate) history: Option<History>,
    /// It reads its data.
    pub(crate) loading: bool,
    /// The ROLE that was asked last.
    pub(crate) role_sent_at: Option<Time>,
    /// That ROLE has no reply yet.
    pub(crate) role_pending: bool,
    pub(crate) displaced: Option<Displaced>,
}

impl DataNode {
    pub(crate) const fn new(role: Role, now: Time) -> Self {
        Self {
            info_at: None,
            info_sent_at: None,
            info_pending: 0,
            info_text: None,
            role,
            role_at: now,
            freshness: Freshness::NONE,
            primary_host: None,
            primary_port: 0,
            primary_changed_at: now,
            link_down_ms: 0,
            link_up: false,
            heard_primary_at: None,
            priority: 100,
            offset: 0,
            announced: true,
            reconf: Reconf::None,
            script_kill_sent: false,
            rebooted_at: None,
            reborn: false,
            history: None,
            loading: false,
            role_sent_at: None,
            role_pending: false,
            displaced: None,
        }
    }
}

/// What only peers have.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) hello_at: Time,
    /// Its own epoch, by its last hello.
    pub(crate) epoch: u64,
    /// That of its configuration of this group, by the same.
    pub(crate) config_epoch: u64,
    /// It says that the primary is down.
    pub(crate) says_down: bool,
    /// When it last answered, and when it was last asked.
    pub(crate) answered_at: Option<Time>,
    pub(crate) asked_at: Option<Time>,
    /// It is to be asked sooner than its turn comes.
    pub(crate) urgent: bool,
    /// The vote that it says it gave.
    pub(crate) ballot: Ballot,
}

impl Peer {
    pub(crate) const fn new(now: Time) -> Self {
        Self {
            hello_at: now,
            epoch: 0,
            config_epoch: 0,
            says_down: false,
            answered_at: None,
            asked_at: None,
            urgent: false,
            ballot: Ballot::restored(0),
        }
    }
}

/// The part that differs by kind.
#[derive(Debug)]
pub(crate) enum Detail {
    Data(Box<DataNode>),
    Peer(Peer),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) kind: Kind,
    /// Group name, `ip:port` as of creation, or the peer's id.
    pub(crate) name: String,
    /// Empty while unknown.
    pub(crate) run_id: String,
    pub(crate) address: Address,
    pub(crate) link: LinkId,
    /// Subjectively down since.
    pub(crate) down_since: Option<Time>,
    /// When it last went down, also after it recovered.
    pub(crate) last_down_at: Option<Time>,
    /// When it last recovered.
    pub(crate) last_up_at: Option<Time>,
    /// Clock of the hellos sent to it.
    pub(crate) published_at: Time,
    /// A hello is to go to it then, if its turn comes later.
    pub(crate) hello_wanted_at: Option<Time>,
    pub(crate) detail: Detail,
}

impl Instance {
    pub(crate) fn new(kind: Kind, name: String, address: Address, link: LinkId, now: Time) -> Self {
        let detail = match kind {
            Kind::Primary => Detail::Data(Box::new(DataNode::new(Role::Primary, now))),
            Kind::Replica => Detail::Data(Box::new(DataNode::new(Role::Replica, now))),
            Kind::Peer => Detail::Peer(Peer::new(now)),
        };
        Self {
            kind,
            name,
            run_id: String::new(),
            address,
            link,
            down_since: None,
            last_down_at: None,
            last_up_at: None,
            published_at: now,
            hello_wanted_at: None,
            detail,
        }
    }

    pub(crate) const fn data(&self) -> Option<&DataNode> {
        match &self.detail {
            Detail::Data(data) => Some(data),
            Detail::Peer(_) => None,
        }
    }

    pub(crate) const fn data_mut(&mut self) -> Option<&mut DataNode> {
        match &mut self.detail {
            Detail::Data(data) => Some(data),
            Detail::Peer(_) => None,
        }
    }

    pub(crate) const fn peer(&self) -> Option<&Peer> {
        match &self.detail {
            Detail::Peer(peer) => Some(peer),
            Detail::Data(_) => None,
        }
    }

    pub(crate) const fn peer_mut(&mut self) -> Option<&mut Peer> {
        match &mut self.detail {
            Detail::Peer(peer) => Some(peer),
            Detail::Data(_) => None,
        }
    }

    pub(crate) const fn is_down(&self) -> bool {
        self.down_since.is_some()
    }

    /// Neither down within `period` before `now` (Sentinel's "no recent down").
    pub(crate) fn quiet_for(&self, period: std::time::Duration, now: Time) -> bool {
        self.last_down_at.is_none_or(|at| now.since(at) > period)
    }

    /// Nor did it come back within `period` before `now`: what it does since may be by the word of others, whom this
    /// daemon may have been cut off from, too.
    pub(crate) fn there_for(&self, period: std::time::Duration, now: Time) -> bool {
        self.quiet_for(period, now)
            && !self.is_down()
            && self.last_up_at.is_none_or(|at| now.since(at) > period)
    }

    /// Milliseconds as SENTINEL MASTER shows them: age of the oldest unanswered PING, 0 if none is owed. A PING that
    /// was never sent owes nothing yet.
    pub(crate) fn owed_ms(&self, link: &Link, now: Time) -> u64 {
        link.owed_since.map_or(0, |at| now.millis_since(at))
    }
}
