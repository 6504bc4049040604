//! What the nodes of one group are, and what they say about it.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::lock;

/// What a node is in replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FakeRole {
    /// A primary.
    Primary,
    /// A replica of the node there.
    Replica(SocketAddrV4),
}

/// How a node's process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Answers.
    Up,
    /// Stopped: connections stay, nothing is answered.
    Frozen,
    /// Dead: connections drop and are refused.
    Down,
}

/// What another task tells a connection.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Send this.
    Send(Vec<u8>),
    /// Close.
    Close,
}

/// The connections' orders wait in a queue of this length; what a client doesn't read is dropped beyond it.
pub(super) const ORDERS: usize = 256;

#[derive(Debug)]
struct Connection {
    orders: mpsc::Sender<Order>,
    subscribed: bool,
    name: String,
}

#[derive(Debug)]
struct FakeNode {
    run_id: String,
    role: FakeRole,
    link_down_since: Option<Instant>,
    connections: BTreeMap<u64, Connection>,
    state: watch::Sender<State>,
}

/// One primary and its replicas.
#[derive(Debug)]
pub(super) struct FakeGroup {
    addresses: Vec<SocketAddrV4>,
    nodes: Mutex<Vec<FakeNode>>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// The offset of every node: nothing is ever written.
const OFFSET: u64 = 1000;

fn run_id() -> String {
    format!("{:08x}{:032x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl FakeGroup {
    /// The first address is the primary's.
    pub(super) fn new(addresses: Vec<SocketAddrV4>) -> Self {
        let nodes = (0..addresses.len())
            .map(|index| FakeNode {
                run_id: run_id(),
                role: if index == 0 { FakeRole::Primary } else { FakeRole::Replica(addresses[0]) },
                link_down_since: None,
                connections: BTreeMap::new(),
                state: watch::Sender::new(State::Up),
            })
            .collect();
        Self { addresses, nodes: Mutex::new(nodes) }
    }

    pub(super) const fn len(&self) -> usize {
        self.addresses.len()
    }

    pub(super) fn address(&self, node: usize) -> SocketAddrV4 {
        self.addresses[node]
    }

    pub(super) fn role(&self, node: usize) -> FakeRole {
        lock(&self.nodes)[node].role
    }

    pub(super) fn put(&self, node: usize, state: State) {
        let mut nodes = lock(&self.nodes);
        if state == State::Up && *nodes[node].state.borrow() == State::Down {
            nodes[node].run_id = run_id();
        }
        nodes[node].state.send_replace(state);
    }

    pub(super) fn state(&self, node: usize) -> watch::Receiver<State> {
        lock(&self.nodes)[node].state.subscribe()
    }

    pub(super) fn connections(&self) -> usize {
        lock(&self.nodes).iter().map(|node| node.connections.len()).sum()
    }

    /// A new connection: its number and its orders.
    pub(super) fn connect(&self, node: usize) -> (u64, mpsc::Receiver<Order>) {
        let (orders, queue) = mpsc::channel(ORDERS);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let connection = Connection { orders, subscribed: false, name: String::new() };
        lock(&self.nodes)[node].connections.insert(number, connection);
        (number, queue)
    }

    pub(super) fn disconnect(&self, node: usize, connection: u64) {
        lock(&self.nodes)[node].connections.remove(&connection);
    }

    pub(super) fn subscribe(&self, node: usize, connection: u64) {
        if let Some(connection) = lock(&self.nodes)[node].connections.get_mut(&connection) {
            connection.subscribed = true;
        }
    }

    /// Sends a message to the subscribers of the node and of the replicas that follow it; the node's own are counted.
    pub(super) fn publish(&self, node: usize, message: &[u8]) -> usize {
        let nodes = lock(&self.nodes);
        let mut own = 0;
        for index in 0..nodes.len() {
            if index != node && !self.linked(&nodes, index, node) {
                continue;
            }
            for connection in nodes[index].connections.values().filter(|one| one.subscribed) {
                let _ = connection.orders.try_send(Order::Send(message.to_vec()));
                own += usize::from(index == node);
            }
        }
        own
    }

    /// The name that a connection gave itself.
    pub(super) fn rename(&self, node: usize, connection: u64, name: &str) {
        if let Some(connection) = lock(&self.nodes)[node].connections.get_mut(&connection) {
            name.clone_into(&mut connection.name);
        }
    }

    /// The reply to CLIENT LIST, as far as anybody reads it.
    pub(super) fn clients(&self, node: usize) -> String {
        let nodes = lock(&self.nodes);
        let connections = nodes[node].connections.iter();
        connections.map(|(number, one)| format!("id={number} name={} flags=N\n", one.name)).collect()
    }

    /// CLIENT KILL ID; whether there was one.
    pub(super) fn kill_one(&self, node: usize, number: u64) -> bool {
        let nodes = lock(&self.nodes);
        let meant = nodes[node].connections.get(&number);
        meant.is_some_and(|connection| connection.orders.try_send(Order::Close).is_ok())
    }

    /// CLIENT KILL TYPE normal or pubsub, without the caller.
    pub(super) fn kill(&self, node: usize, caller: u64, subscribed: bool) -> usize {
        let nodes = lock(&self.nodes);
        let killed = nodes[node]
            .connections
            .iter()
            .filter(|(number, connection)| **number != caller && connection.subscribed == subscribed)
            .map(|(_, connection)| connection.orders.try_send(Order::Close));
        killed.count()
    }

    /// SLAVEOF.
    pub(super) fn follow(&self, node: usize, role: FakeRole) {
        lock(&self.nodes)[node].role = role;
    }

    /// Whether the replica's link to the other node is up.
    fn linked(&self, nodes: &[FakeNode], replica: usize, other: usize) -> bool {
        nodes[replica].role == FakeRole::Replica(self.addresses[other])
            && *nodes[other].state.borrow() == State::Up
            && *nodes[replica].state.borrow() != State::Down
    }

    fn linked_to_any(&self, nodes: &[FakeNode], replica: usize) -> bool {
        (0..nodes.len()).any(|other| other != replica && self.linked(nodes, replica, other))
    }

    /// The reply to INFO: what a Sentinel reads of it and what stands beside.
    pub(super) fn info(&self, node: usize) -> String {
        use std::fmt::Write as _;
        let mut nodes = lock(&self.nodes);
        let up = self.linked_to_any(&nodes, node);
        let own = &mut nodes[node];
        if up {
            own.link_down_since = None;
        } else {
            own.link_down_since.get_or_insert_with(Instant::now);
        }
        let own = &nodes[node];
        let mut text = format!(
            "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nprocess_id:{}\r\nrun_id:{}\r\n\
             tcp_port:{}\r\n\r\n# Persistence\r\nloading:0\r\n\r\n# Replication\r\n",
            std::process::id(),
            own.run_id,
            self.addresses[node].port(),
        );
        match own.role {
            FakeRole::Primary => {
                let linked: Vec<usize> =
                    (0..nodes.len()).filter(|index| self.linked(&nodes, *index, node)).collect();
                let _ = write!(text, "role:master\r\nconnected_slaves:{}\r\n", linked.len());
                for (place, index) in linked.into_iter().enumerate() {
                    let address = self.addresses[index];
                    let _ = write!(
                        text,
                        "slave{place}:ip={},port={},state=online,offset={OFFSET},lag=0\r\n",
                        address.ip(),
                        address.port()
                    );
                }
            }
            FakeRole::Replica(primary) => {
                let status = if up { "up" } else { "down" };
                let _ = write!(
                    text,
                    "role:slave\r\nmaster_host:{}\r\nmaster_port:{}\r\nmaster_link_status:{status}\r\n\
                     master_last_io_seconds_ago:{}\r\nmaster_sync_in_progress:0\r\n\
                     slave_read_repl_offset:{OFFSET}\r\nslave_repl_offset:{OFFSET}\r\n",
                    primary.ip(),
                    primary.port(),
                    if up { "0" } else { "-1" },
                );
                if let Some(since) = own.link_down_since {
                    let _ = write!(text, "master_link_down_since_seconds:{}\r\n", since.elapsed().as_secs());
                }
                text += "slave_priority:100\r\nslave_read_only:1\r\nreplica_announced:1\r\n\
                         connected_slaves:0\r\n";
            }
        }
        let _ = write!(
            text,
            "master_failover_state:no-failover\r\nmaster_replid:{:040x}\r\n\
             master_replid2:0000000000000000000000000000000000000000\r\nmaster_repl_offset:{OFFSET}\r\n\
             second_repl_offset:-1\r\n\r\n# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n",
            u32::from(*self.addresses[0].ip()),
        );
        text
    }

    /// The reply to ROLE.
    pub(super) fn role_reply(&self, node: usize) -> Vec<u8> {
        let nodes = lock(&self.nodes);
        match nodes[node].role {
            FakeRole::Primary => {
                let linked: Vec<SocketAddrV4> = (0..nodes.len())
                    .filter(|index| self.linked(&nodes, *index, node))
                    .map(|index| self.addresses[index])
                    .collect();
                let mut text = format!("*3\r\n$6\r\nmaster\r\n:{OFFSET}\r\n*{}\r\n", linked.len());
                for address in linked {
                    let parts = [address.ip().to_string(), address.port().to_string(), OFFSET.to_string()];
                    text += "*3\r\n";
                    parts.iter().for_each(|part| text += &bulk(part));
                }
                text.into_bytes()
            }
            FakeRole::Replica(primary) => {
                let link = if self.linked_to_any(&nodes, node) { "connected" } else { "connect" };
                let ip = bulk(&primary.ip().to_string());
                format!("*5\r\n$5\r\nslave\r\n{ip}:{}\r\n{}:{OFFSET}\r\n", primary.port(), bulk(link))
                    .into_bytes()
            }
        }
    }
}

/// A bulk string.
pub(super) fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}
