//! A data node in pure code: what a daemon sees of Redis 7, and replication with offsets and histories.
//!
//! Requests and news of connections go in with a time, [`Effect`]s come out. Data is a list of write numbers, so that
//! two nodes can be compared.

mod commands;
mod info;
mod replication;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::rng::Rng;
use crate::core::Time;
use crate::resp::Reply;

/// Name of a client's connection at a node.
pub(crate) type ClientKey = u64;

/// A wish of a data node.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// Answer, or send a message.
    Reply(ClientKey, Reply),
    /// Close a client's connection.
    Close(ClientKey),
    /// Open the link to the primary; answered by `primary_up` or `primary_gone`.
    Dial(String, u16),
    /// Close the link to the primary.
    HangUp,
    /// Send on the link to the primary.
    ToPrimary(ReplMsg),
    /// Send to a replica, named by its connection.
    ToReplica(ClientKey, ReplMsg),
}

/// The replication protocol, in outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplMsg {
    /// Replica: I listen on `port`, hold `offset` bytes of the history `history`; go on from there if you can.
    Psync { ip: String, port: u16, history: String, offset: u64 },
    /// Primary: not now.
    Refused,
    /// Primary: a full copy follows.
    FullStart,
    /// Primary: the full copy.
    FullData { history: String, offset: u64, data: Vec<u32> },
    /// Primary: going on from your offset; the history is called so.
    Continue { history: String },
    /// Primary: one item of the stream, and the offset after it.
    Item { item: Item, offset: u64 },
}

/// An item of the replication stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A write.
    Write(u32),
    /// The primary's PING.
    Ping,
}

impl Item {
    const fn bytes(self) -> u64 {
        match self {
            Self::Write(_) => 30,
            Self::Ping => 14,
        }
    }
}

/// What is fixed for a node, whatever happens to its process.
#[derive(Clone, Debug)]
pub(crate) struct NodeConfig {
    pub(crate) ip: String,
    pub(crate) port: u16,
    /// `replica-priority`.
    pub(crate) priority: u32,
    /// `requirepass`.
    pub(crate) password: Option<String>,
    /// `repl-timeout`.
    pub(crate) repl_timeout: Duration,
    /// How many items of the stream are kept for partial resynchronization.
    pub(crate) backlog: usize,
    /// How long a full copy takes.
    pub(crate) transfer: Duration,
    /// INFO tells how many keys there are.
    pub(crate) tells_keys: bool,
}

/// A primary that is back so soon is taken for one that was never away: its role has been seen all the time.
const UNNOTICED: Duration = Duration::from_secs(1);

/// What a process leaves on its disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durable {
    /// The `replicaof` line of its configuration file.
    pub(crate) replica_of: Option<(String, u16)>,
    pub(crate) history: String,
    pub(crate) offset: u64,
    pub(crate) data: Vec<u32>,
    /// Not on the disk, but known to who watches: since when it was a primary, if it was one, and when it ended.
    pub(crate) reign: Option<(Time, Time)>,
    /// Known to them, too: it was a replica when it ended, whatever its file says.
    pub(crate) demoted: bool,
}

/// A data node's process.
#[derive(Debug)]
pub(crate) struct FakeRedis {
    config: NodeConfig,
    rng: Rng,
    run_id: String,
    role: Role,
    role_since: Time,
    /// What the configuration file says.
    saved_role: Option<(String, u16)>,
    history: String,
    /// The history that this node followed before its promotion, and the first offset that isn't part of it.
    old_history: Option<(String, u64)>,
    offset: u64,
    data: Vec<u32>,
    backlog: VecDeque<(u64, Item)>,
    loading_until: Option<Time>,
    busy: Option<Busy>,
    /// CLIENT PAUSE WRITE: writes and PUBLISH wait until then.
    paused_until: Option<Time>,
    /// When the last pause ran out.
    pause_over: Option<Time>,
    /// A command that the access rules don't allow.
    pub(crate) refuses: Option<&'static str>,
    clients: BTreeMap<ClientKey, Client>,
    next_ping_at: Time,
}

#[derive(Debug, PartialEq)]
enum Role {
    Primary,
    Replica(Following),
}

/// A replica's view of its primary.
#[derive(Debug, PartialEq)]
struct Following {
    host: String,
    port: u16,
    link: Link,
    /// When the link was lost; `None` if it never stood.
    down_since: Option<Time>,
    last_io: Time,
}

#[derive(Debug, PartialEq)]
enum Link {
    Down {
        retry_at: Time,
    },
    Dialing,
    /// PSYNC was sent.
    Handshake,
    Transfer,
    Up,
}

#[derive(Debug)]
struct Busy {
    until: Time,
    /// SCRIPT KILL works.
    killable: bool,
}

#[derive(Debug, Default)]
struct Client {
    authenticated: bool,
    name: String,
    subscribed: bool,
    replica: Option<Replica>,
    /// Queued words inside MULTI; `None` outside.
    queued: Option<Vec<Vec<Bytes>>>,
    queue_failed: bool,
    /// Requests from the first that a pause holds back on: one connection is served in order.
    held: VecDeque<Vec<Bytes>>,
}

/// A replica as its primary sees it.
#[derive(Debug)]
struct Replica {
    ip: String,
    port: u16,
    /// When its full copy is made; until then no stream goes to it.
    copy_at: Option<Time>,
}

impl FakeRedis {
    /// A process that starts with what an earlier one left, and loads for a while.
    pub(crate) fn boot(
        config: NodeConfig,
        left: Durable,
        mut rng: Rng,
        now: Time,
        loading: Duration,
    ) -> Self {
        let run_id = rng.run_id();
        // A replica may go on with the history in its snapshot; a primary begins one.
        let role = match &left.replica_of {
            None => Role::Primary,
            Some((host, port)) => Role::Replica(Following {
                host: host.clone(),
                port: *port,
                link: Link::Down { retry_at: now + loading },
                down_since: None,
                last_io: now,
            }),
        };
        let history = match role {
            Role::Replica(_) if !left.history.is_empty() => left.history,
            Role::Replica(_) | Role::Primary => rng.run_id(),
        };
        let unnoticed = left.reign.filter(|(_, ended)| now.since(*ended) < UNNOTICED);
        let role_since = match role {
            Role::Primary => unnoticed.map_or(now, |(since, _)| since),
            Role::Replica(_) => now,
        };
        Self {
            config,
            rng,
            run_id,
            role,
            role_since,
            saved_role: left.replica_of,
            history,
            old_history: None,
            offset: left.offset,
            data: left.data,
            backlog: VecDeque::new(),
            loading_until: (!loading.is_zero()).then(|| now + loading),
            busy: None,
            paused_until: None,
            pause_over: None,
            refuses: None,
            clients: BTreeMap::new(),
            next_ping_at: now + PING_EVERY,
        }
    }

    /// Whether what it holds is of that history, or that of its past.
    pub(crate) fn is_of(&self, history: &str) -> bool {
        self.history == history || self.old_history.as_ref().is_some_and(|(old, _)| old == history)
    }

    /// What a process killed at this moment leaves.
    pub(crate) fn durable(&self) -> Durable {
        Durable {
            replica_of: self.saved_role.clone(),
            history: self.history.clone(),
            offset: self.offset,
            data: self.data.clone(),
            reign: None,
            demoted: false,
        }
    }

    /// A client connected.
    pub(crate) fn accept(&mut self, client: ClientKey) {
        let authenticated = self.config.password.is_none();
        self.clients.insert(client, Client { authenticated, ..Client::default() });
    }

    /// A client's connection ended.
    pub(crate) fn client_gone(&mut self, client: ClientKey) {
        self.clients.remove(&client);
    }

    /// A script runs: everything but SCRIPT KILL is refused for a while.
    pub(crate) fn make_busy(&mut self, until: Time, killable: bool) {
        self.busy = Some(Busy { until, killable });
    }

    /// A client writes. True when it was acknowledged. One that a pause holds back gives up waiting.
    pub(crate) fn write(&mut self, id: u32, now: Time, effects: &mut Vec<Effect>) -> bool {
        self.pass(now);
        let held = self.loading_until.is_some() || self.busy.is_some() || self.paused_until.is_some();
        if held || self.role != Role::Primary {
            return false;
        }
        self.data.push(id);
        self.feed(Item::Write(id), effects);
        true
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.role == Role::Primary
    }

    /// Since when this process is a primary, if it is one.
    pub(crate) fn primary_since(&self) -> Option<Time> {
        self.is_primary().then_some(self.role_since)
    }

    /// The address that this node follows, and whether the link stands.
    pub(crate) fn following(&self) -> Option<(&str, u16, bool)> {
        match &self.role {
            Role::Primary => None,
            Role::Replica(f) => Some((&f.host, f.port, f.link == Link::Up)),
        }
    }

    /// What it is at this moment, for the trace.
    pub(crate) fn portrait(&self) -> String {
        format!(
            "{:?} history {} offset {} writes {}",
            self.role,
            &self.history[..6],
            self.offset,
            self.data.len()
        )
    }

    pub(crate) fn data(&self) -> &[u32] {
        &self.data
    }

    /// When [`FakeRedis::timer`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let busy_until = self.busy.as_ref().map(|busy| busy.until);
        let mut next = [self.loading_until, busy_until, self.paused_until].into_iter().flatten().min();
        let mut offer = |at: Time| next = Some(next.map_or(at, |next: Time| next.min(at)));
        let mut feeding = false;
        for client in self.clients.values() {
            if let Some(replica) = &client.replica {
                feeding = true;
                replica.copy_at.into_iter().for_each(&mut offer);
            }
        }
        match &self.role {
            Role::Primary if feeding => offer(self.next_ping_at),
            Role::Primary => {}
            Role::Replica(f) => match f.link {
                Link::Down { retry_at } => {
                    offer(self.loading_until.map_or(retry_at, |until| until.max(retry_at)));
                }
                Link::Dialing | Link::Handshake | Link::Transfer | Link::Up => {
                    offer(f.last_io + self.config.repl_timeout);
                }
            },
        }
        next
    }

    /// When the last pause ran out, of a primary that takes writes again since.
    pub(crate) fn pause_over(&mut self, now: Time) -> Option<Time> {
        self.pass(now);
        if self.paused_until.is_none() && self.is_primary() { self.pause_over } else { None }
    }

    /// Ends what lasts a while and is over.
    fn pass(&mut self, now: Time) {
        if self.loading_until.is_some_and(|until| until <= now) {
            self.loading_until = None;
        }
        if self.busy.as_ref().is_some_and(|busy| busy.until <= now) {
            self.busy = None;
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.pause_over = self.paused_until.take();
        }
    }
}

/// `repl-ping-replica-period`.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How soon a replica tries again to reach its primary.
const RETRY_AFTER: Duration = Duration::from_secs(1);
