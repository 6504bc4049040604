//! What the daemons publish, with the time at which it came.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::support::group::NAME;
use crate::support::{Client, Value, poll};

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Which daemon: its place in the fleet.
    pub(crate) daemon: usize,
    /// When it came.
    pub(crate) at: Instant,
    /// `+switch-master` and the like.
    pub(crate) name: String,
    /// What it says.
    pub(crate) text: String,
}

/// Subscriptions to everything that the daemons publish, until dropped.
pub(crate) struct Events {
    log: Arc<Mutex<Vec<Event>>>,
    /// How many +switch-master of the group came from any daemon, and in the lower 16 bits the last one's new port.
    switched: Arc<AtomicU64>,
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
    daemons: usize,
}

impl Events {
    /// Subscribes at the daemons on these ports; returns when all have confirmed.
    pub(crate) fn follow(ports: &[u16]) -> Self {
        let log: Arc<Mutex<Vec<Event>>> = Arc::default();
        let switched: Arc<AtomicU64> = Arc::default();
        let (mut streams, mut threads) = (Vec::new(), Vec::new());
        for (daemon, port) in ports.iter().enumerate() {
            let stream = TcpStream::connect(("127.0.0.1", *port)).unwrap();
            streams.push(stream.try_clone().unwrap());
            let mut client = Client::over(stream).unwrap();
            client.call(&["PSUBSCRIBE", "*"]);
            let (log, switched) = (Arc::clone(&log), Arc::clone(&switched));
            threads.push(thread::spawn(move || {
                while let Ok(Value::Array(items)) = client.read() {
                    let at = Instant::now();
                    let (name, text) = (items[2].text(), items[3].text());
                    if name == "+switch-master" && text.starts_with(NAME) {
                        let port: u64 = text.rsplit(' ').next().unwrap().parse().unwrap();
                        let count = switched.load(Ordering::SeqCst) >> 16;
                        switched.store((count + 1) << 16 | port, Ordering::SeqCst);
                    }
                    log.lock().unwrap().push(Event { daemon, at, name, text });
                }
            }));
        }
        Self { log, switched, streams, threads, daemons: ports.len() }
    }

    /// A number that changes with each +switch-master of the group, and the port that the last one named.
    pub(crate) fn switched(&self) -> (u64, u16) {
        let value = self.switched.load(Ordering::SeqCst);
        (value >> 16, (value & 0xffff) as u16)
    }

    /// All of that name since then whose text begins so.
    pub(crate) fn since(&self, since: Instant, name: &str, begins: &str) -> Vec<Event> {
        let log = self.log.lock().unwrap();
        let meant =
            |event: &&Event| event.at >= since && event.name == name && event.text.starts_with(begins);
        log.iter().filter(meant).cloned().collect()
    }

    /// The time of the first such event of each daemon; waits until every daemon has published one.
    pub(crate) fn first_of_each(&self, since: Instant, name: &str, begins: &str) -> Vec<Instant> {
        poll(&format!("every daemon publishes {name}"), || {
            let events = self.since(since, name, begins);
            let firsts: Vec<Instant> = (0..self.daemons)
                .filter_map(|daemon| events.iter().find(|event| event.daemon == daemon))
                .map(|event| event.at)
                .collect();
            if firsts.len() == self.daemons { Ok(firsts) } else { Err(events) }
        })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        for stream in &self.streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
