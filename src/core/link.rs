//! The pair of connections to one data node, or the one connection to a peer, and the clock of its PINGs.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::group::GroupId;
use super::ids::ConnId;
use super::retry::Retry;
use super::switchover::Ask;
use super::time::Time;

/// Most requests without a reply on a command connection, times the groups that share it (Sentinel's limit).
pub(crate) const MAX_PENDING: usize = 100;

/// Waits of connections that were not begun put the moment at which an instance counts as down off by no more than this.
const MAX_HELD: Duration = Duration::from_secs(10);

/// Name of a link inside the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkId(pub(crate) u64);

/// What a reply will be about. Replies come in the order of the requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// AUTH, CLIENT SETNAME, transactions: the effect is seen elsewhere.
    Ignore,
    Ping,
    /// INFO, asked at that moment.
    Info(Time),
    /// ROLE, likewise.
    Role(Time),
    /// PUBLISH of a hello for that group.
    Publish(GroupId),
    /// SENTINEL is-master-down-by-addr for that group's primary of that era.
    IsDown(GroupId, u64),
    /// SENTINEL MASTER of that group, asked at that moment.
    Consent(GroupId, Time),
    /// SENTINEL is-master-down-by-addr for the sake of the last vote, asked at that moment.
    LastVote(GroupId, Time),
    Subscribe,
    /// A step of that group's planned switchover at that epoch.
    Switchover {
        group: GroupId,
        epoch: u64,
        ask: Ask,
    },
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Command,
    PubSub,
}

/// One connection, counted as there from the moment it was begun, as Sentinel does.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    pub(crate) opened_at: Time,
    /// It was asked for and had to wait since then; it is not begun yet.
    pub(crate) waits_since: Option<Time>,
    pub(crate) local: Option<IpAddr>,
    pub(crate) pending: VecDeque<Tag>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    /// A data node needs a subscription too; peers don't.
    pub(crate) data_node: bool,
    pub(crate) command: Option<Conn>,
    pub(crate) pubsub: Option<Conn>,
    /// How many instances (one per group) share the link.
    pub(crate) users: usize,
    pub(crate) command_retry: Retry,
    pub(crate) pubsub_retry: Retry,
    /// ROLE is not allowed there: INFO is asked instead.
    pub(crate) role_refused: bool,
    pub(crate) pubsub_heard_at: Time,
    /// Since when an acceptable reply to a PING is owed.
    pub(crate) owed_since: Option<Time>,
    pub(crate) ping_sent_at: Option<Time>,
    pub(crate) ok_at: Time,
    pub(crate) pong_at: Time,
    /// How long its command connections waited to be begun since the last acceptable reply.
    held: Duration,
}

impl Link {
    fn new(data_node: bool, now: Time) -> Self {
        Self {
            data_node,
            command: None,
            pubsub: None,
            users: 1,
            command_retry: Retry::default(),
            pubsub_retry: Retry::default(),
            role_refused: false,
            pubsub_heard_at: now,
            owed_since: Some(now),
            ping_sent_at: None,
            ok_at: now,
            pong_at: now,
            held: Duration::ZERO,
        }
    }

    /// The place of one of the two connections.
    pub(crate) const fn slot(&mut self, channel: Channel) -> &mut Option<Conn> {
        match channel {
            Channel::Command => &mut self.command,
            Channel::PubSub => &mut self.pubsub,
        }
    }

    /// When that one is tried again.
    pub(crate) const fn retry(&mut self, channel: Channel) -> &mut Retry {
        match channel {
            Channel::Command => &mut self.command_retry,
            Channel::PubSub => &mut self.pubsub_retry,
        }
    }

    /// Lost connections may be tried again at once.
    pub(crate) const fn retry_at_once(&mut self) {
        self.command_retry.begin_anew();
        self.pubsub_retry.begin_anew();
    }

    /// The command connection stands.
    pub(crate) fn stands(&self) -> bool {
        self.command.as_ref().is_some_and(|conn| conn.local.is_some())
    }

    /// At least one needed connection is missing.
    pub(crate) const fn disconnected(&self) -> bool {
        self.command.is_none() || (self.data_node && self.pubsub.is_none())
    }

    pub(crate) fn pending(&self) -> usize {
        self.command.as_ref().map_or(0, |conn| conn.pending.len())
    }

    /// Restarts the clock of the PINGs, as for an instance that was only now heard of.
    pub(crate) const fn restart_clock(&mut self, now: Time) {
        self.owed_since = Some(now);
        self.ping_sent_at = None;
        self.ok_at = now;
        self.pong_at = now;
        self.held = Duration::ZERO;
    }

    /// An acceptable reply to a PING.
    pub(crate) const fn ok(&mut self, now: Time) {
        self.ok_at = now;
        self.owed_since = None;
        self.held = Duration::ZERO;
    }

    /// The command connection is not begun yet.
    pub(crate) fn waits(&self) -> bool {
        self.command.as_ref().is_some_and(|conn| conn.waits_since.is_some())
    }

    /// Since when nothing acceptable has come although it was due.
    pub(crate) fn silent_since(&self) -> Option<Time> {
        self.owed_since.or_else(|| self.disconnected().then_some(self.ok_at))
    }

    /// How much of the silence is this process's own: a connection that waits to be begun can hear nothing.
    pub(crate) fn held(&self, now: Time) -> Duration {
        let waits_since = self.command.as_ref().and_then(|conn| conn.waits_since);
        let waits = waits_since.map_or(Duration::ZERO, |since| now.since(since));
        (self.held + waits).min(MAX_HELD)
    }
}

/// All links, and who they are found by.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: BTreeMap<LinkId, Link>,
    by_conn: BTreeMap<ConnId, (LinkId, Channel)>,
    next_link: u64,
    next_conn: u64,
}

impl Links {
    pub(crate) fn create(&mut self, data_node: bool, now: Time) -> LinkId {
        self.next_link += 1;
        let id = LinkId(self.next_link);
        self.links.insert(id, Link::new(data_node, now));
        id
    }

    pub(crate) fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// Adds a new connection to a link, in place of none.
    pub(crate) fn open(&mut self, id: LinkId, channel: Channel, now: Time) -> Option<ConnId> {
        self.links.get(&id)?;
        let conn = self.number();
        let link = self.links.get_mut(&id)?;
        let pending = VecDeque::new();
        *link.slot(channel) =
            Some(Conn { id: conn, opened_at: now, waits_since: None, local: None, pending });
        self.by_conn.insert(conn, (id, channel));
        Some(conn)
    }

    /// A number for a connection.
    pub(crate) const fn number(&mut self) -> ConnId {
        self.next_conn += 1;
        ConnId(self.next_conn)
    }

    /// A connection has to wait before it is begun, and has done so since it was asked for: a start with many groups
    /// may itself take long.
    pub(crate) fn wait(&mut self, conn: ConnId) {
        if let Some(conn) = self.conn_mut(conn) {
            conn.waits_since = Some(conn.opened_at);
        }
    }

    /// A connection that had to wait begins.
    pub(crate) fn begun(&mut self, conn: ConnId, now: Time) {
        let waits_since = self.conn_mut(conn).and_then(|conn| conn.waits_since.take());
        if let (Some(since), Some((id, Channel::Command))) = (waits_since, self.find(conn))
            && let Some(link) = self.links.get_mut(&id)
        {
            link.held += now.since(since);
        }
    }

    fn conn_mut(&mut self, conn: ConnId) -> Option<&mut Conn> {
        let (id, channel) = self.find(conn)?;
        self.links.get_mut(&id)?.slot(channel).as_mut()
    }

    /// A connection has ended by itself, or could not be made; its link and place.
    pub(crate) fn ended(&mut self, conn: ConnId, now: Time) -> Option<(LinkId, Channel)> {
        let (id, channel) = self.find(conn)?;
        if let Some(link) = self.links.get_mut(&id)
            && let Some((opened_at, stood)) =
                link.slot(channel).as_ref().map(|conn| (conn.opened_at, conn.local.is_some()))
        {
            link.retry(channel).ended(opened_at, stood, now);
        }
        self.forget_conn(conn)
    }

    /// Forgets a connection; its link and place.
    pub(crate) fn forget_conn(&mut self, conn: ConnId) -> Option<(LinkId, Channel)> {
        let (id, channel) = self.by_conn.remove(&conn)?;
        if let Some(link) = self.links.get_mut(&id) {
            *link.slot(channel) = None;
        }
        Some((id, channel))
    }

    /// Restarts the clocks of all PINGs.
    pub(crate) fn restart_clocks(&mut self, now: Time) {
        self.links.values_mut().for_each(|link| link.restart_clock(now));
    }

    /// Whether a connection stands whose local end is at that address.
    pub(crate) fn are_from(&self, ip: IpAddr) -> bool {
        let conns = self.links.values().flat_map(|link| [&link.command, &link.pubsub]).flatten();
        conns.into_iter().any(|conn| conn.local == Some(ip))
    }

    pub(crate) fn find(&self, conn: ConnId) -> Option<(LinkId, Channel)> {
        self.by_conn.get(&conn).copied()
    }

    /// Another instance uses the link too.
    pub(crate) fn share(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.users += 1;
        }
    }

    /// An instance gives its link up; the connections to close when it was the last one.
    pub(crate) fn release(&mut self, id: LinkId) -> Vec<ConnId> {
        let Some(link) = self.links.get_mut(&id) else { return Vec::new() };
        link.users -= 1;
        if link.users > 0 {
            return Vec::new();
        }
        let conns: Vec<ConnId> =
            [&link.command, &link.pubsub].into_iter().flatten().map(|conn| conn.id).collect();
        for conn in &conns {
            self.by_conn.remove(conn);
        }
        self.links.remove(&id);
        conns
    }
}
