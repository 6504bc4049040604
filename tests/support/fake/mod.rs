//! Data nodes by the thousand: one thread that answers on many addresses as far as a Sentinel asks a redis-server.
//!
//! All nodes of a fleet share one port; each has an address of its own: of the loopback network, or of a range that a host has. They hold no data. What a Sentinel can
//! see is true to Redis: roles, links, run ids, transactions, CLIENT KILL, and hellos that a primary hands on to its
//! replicas.

mod connection;
mod node;
mod request;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::node::FakeGroup;
pub(crate) use self::node::{FakeRole, State};
use super::{Host, Port};

/// The first byte of every address: loopback.
const LOOPBACK: u8 = 127;
/// The second byte of the first addresses.
const NETWORK: u8 = 100;
/// Addresses of a fleet that is not on loopback begin with these two bytes, and there may be so many groups that the second
/// becomes greater.
const RANGE: (u8, &str) = (10, "10.100.0.0/14");
/// Hosts per byte of an address: 0 and 255 are left out.
const HOSTS: usize = 250;

/// Groups of fake data nodes. Dropped, all of them are gone.
#[derive(Debug)]
pub(crate) struct FakeFleet {
    port: Port,
    groups: Vec<Arc<FakeGroup>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeFleet {
    /// Starts so many groups of one primary and so many replicas, and returns when all of them listen.
    pub(crate) fn start(groups: usize, replicas: usize) -> Self {
        Self::at(LOOPBACK, groups, replicas)
    }

    /// The same on that host, at addresses that are no loopback addresses: a Pod can't have one of those.
    pub(crate) fn start_on(host: &Host, groups: usize, replicas: usize) -> Self {
        host.take_range(RANGE.1);
        host.run(|| Self::at(RANGE.0, groups, replicas))
    }

    fn at(first: u8, groups: usize, replicas: usize) -> Self {
        let port = Port::reserve();
        let size = replicas + 1;
        let groups: Vec<Arc<FakeGroup>> = (0..groups)
            .map(|group| {
                let addresses = (0..size).map(|node| address(first, group * size + node, port.number()));
                Arc::new(FakeGroup::new(addresses.collect()))
            })
            .collect();
        let (stop, stopped) = oneshot::channel();
        let (ready, listening) = std::sync::mpsc::channel();
        let served = groups.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                for group in &served {
                    for index in 0..group.len() {
                        let listener = TcpListener::bind(group.address(index)).await.unwrap();
                        tokio::spawn(connection::listen(Arc::clone(group), index, listener));
                    }
                }
                ready.send(()).unwrap();
                let _ = stopped.await;
            });
            runtime.shutdown_timeout(Duration::ZERO);
        });
        listening.recv().unwrap();
        Self { port, groups, stop: Some(stop), thread: Some(thread) }
    }

    /// How many groups.
    pub(crate) const fn len(&self) -> usize {
        self.groups.len()
    }

    /// The name of a group.
    pub(crate) fn name(group: usize) -> String {
        format!("group-{group:04}")
    }

    /// The address of a node; the first was started as the primary.
    pub(crate) fn address(&self, group: usize, node: usize) -> SocketAddrV4 {
        self.groups[group].address(node)
    }

    /// What a node says that it is.
    pub(crate) fn role(&self, group: usize, node: usize) -> FakeRole {
        self.groups[group].role(node)
    }

    /// Lines of a Sentinel's file: all groups, each with these lines (`down-after-milliseconds 1000`).
    pub(crate) fn lines(&self, quorum: usize, of_each: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        for group in 0..self.groups.len() {
            let (name, address) = (Self::name(group), self.address(group, 0));
            lines.push(format!("sentinel monitor {name} {} {} {quorum}", address.ip(), address.port()));
            lines.extend(of_each.iter().filter_map(|line| {
                let (word, value) = line.split_once(' ')?;
                Some(format!("sentinel {word} {name} {value}"))
            }));
        }
        lines
    }

    /// Ends a node, as kill -9 does: connections drop and are refused. [`State::Frozen`] is SIGSTOP; [`State::Up`]
    /// again is SIGCONT, or a restart with another run id.
    pub(crate) fn put(&self, group: usize, node: usize, state: State) {
        self.groups[group].put(node, state);
    }

    /// How many connections all nodes have taken.
    pub(crate) fn connections(&self) -> usize {
        self.groups.iter().map(|group| group.connections()).sum()
    }
}

impl Drop for FakeFleet {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn address(first: u8, number: usize, port: u16) -> SocketAddrV4 {
    let byte = |number: usize| u8::try_from(number % HOSTS + 1).unwrap();
    let third = u8::try_from(number / HOSTS / HOSTS).unwrap();
    let ip = Ipv4Addr::new(first, NETWORK + third, byte(number / HOSTS), byte(number));
    SocketAddrV4::new(ip, port)
}

/// Locks; a panic elsewhere is shown there.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
