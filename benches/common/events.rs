//! What the daemons publish, with the time at which it came.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::support::group::NAME;
use crate::support::{Client, Host, Value, poll};

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
    /// How many +switch-master of the group came from any daemon, and the last one's new primary.
    switched: Arc<Mutex<(u64, Option<SocketAddr>)>>,
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
    daemons: usize,
}

impl Events {
    /// Subscribes at the daemons there, from that host if there is one; returns when all have confirmed.
    pub(crate) fn follow(place: Option<&Host>, daemons: &[SocketAddr]) -> Self {
        let log: Arc<Mutex<Vec<Event>>> = Arc::default();
        let switched: Arc<Mutex<(u64, Option<SocketAddr>)>> = Arc::default();
        let (mut streams, mut threads) = (Vec::new(), Vec::new());
        for (daemon, address) in daemons.iter().enumerate() {
            let stream = match place {
                Some(host) => host.run(|| TcpStream::connect(address)).unwrap(),
                None => TcpStream::connect(address).unwrap(),
            };
            streams.push(stream.try_clone().unwrap());
            let mut client = Client::over(stream).unwrap();
            client.call(&["PSUBSCRIBE", "*"]);
            let (log, switched) = (Arc::clone(&log), Arc::clone(&switched));
            threads.push(thread::spawn(move || {
                while let Ok(Value::Array(items)) = client.read() {
                    let at = Instant::now();
                    let (name, text) = (items[2].text(), items[3].text());
                    if name == "+switch-master" && text.starts_with(NAME) {
                        let mut switched = switched.lock().unwrap();
                        *switched = (switched.0 + 1, new_primary(&text));
                    }
                    log.lock().unwrap().push(Event { daemon, at, name, text });
                }
            }));
        }
        Self { log, switched, streams, threads, daemons: daemons.len() }
    }

    /// A number that changes with each +switch-master of the group, and the primary that the last one named.
    pub(crate) fn switched(&self) -> (u64, Option<SocketAddr>) {
        *self.switched.lock().unwrap()
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

/// The last two words of a +switch-master.
fn new_primary(text: &str) -> Option<SocketAddr> {
    let mut words = text.rsplit(' ');
    let port = words.next()?.parse().ok()?;
    Some(SocketAddr::new(words.next()?.parse().ok()?, port))
}
