//! A client that keeps writing to whatever the Sentinels name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::group::NAME;
use super::{Client, Group, Login, Value, eventually};

/// Writes a counter every few milliseconds until dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts writing to the group's primary as its Sentinels name it.
    pub(crate) fn start(group: &Group) -> Self {
        let ports: Vec<u16> = group.sentinels.iter().map(super::Sentinel::port).collect();
        let logins = (group.spec.sentinel_login.clone(), group.spec.node_login.clone());
        let host = group.spec.host.clone();
        let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ended) = (Arc::clone(&acknowledged), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                if let Some(mut client) = primary(&host, &ports, &logins.0, &logins.1) {
                    while !ended.load(Ordering::SeqCst) {
                        let value = (count.load(Ordering::SeqCst) + 1).to_string();
                        match client.command(&["SET", "counter", &value]) {
                            Ok(Value::Simple(_)) => count.fetch_add(1, Ordering::SeqCst),
                            _ => break,
                        };
                        thread::sleep(Duration::from_millis(5));
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self { acknowledged, stop, thread: Some(thread) }
    }

    /// Writes acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits until twenty more writes were acknowledged.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        let before = self.acknowledged();
        eventually("writes are acknowledged", || self.acknowledged() > before + 20);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A connection to the primary that the first answering Sentinel names, if it says that it is one.
fn primary(host: &str, ports: &[u16], sentinel: &Login, node: &Login) -> Option<Client> {
    let reply = ports.iter().find_map(|port| {
        let mut client = Client::connect(host, *port).ok()?.login(sentinel).ok()?;
        match client.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]) {
            Ok(Value::Array(items)) => Some((items[0].text(), items[1].text())),
            _ => None,
        }
    })?;
    let mut client = Client::connect(&reply.0, reply.1.parse().ok()?).ok()?.login(node).ok()?;
    let role = client.command(&["ROLE"]).ok()?;
    (role.items()[0].text() == "master").then_some(client)
}
