//! Clients that write about a thousand times a second and note the time of each acknowledged write.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::events::Events;
use crate::support::group::NAME;
use crate::support::{Client, Value, poll};

/// The pause between two writes, and between two attempts to find the primary.
const PAUSE: Duration = Duration::from_millis(1);
/// How often a writer that waits for a reply looks whether the daemons have named another primary.
const LOOK: Duration = Duration::from_millis(2);
/// What doesn't take a connection within this time is left.
const CONNECT: Duration = Duration::from_millis(100);

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// How a writer learns of another primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// By +switch-master, and when a connection fails by asking the daemons.
    FollowsEvents,
    /// Only when a connection fails or answers READONLY.
    WaitsForErrors,
}

/// An acknowledged write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    /// The number in its key.
    pub(crate) number: usize,
    /// When the reply was read.
    pub(crate) at: Instant,
    /// Who acknowledged it.
    pub(crate) port: u16,
}

/// A client that writes until stopped.
pub(crate) struct Writer {
    name: String,
    acks: Arc<Mutex<Vec<Ack>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts to write to the primary that these daemons name.
    pub(crate) fn start(daemons: &[u16], events: &Arc<Events>, habit: Habit) -> Self {
        let (acks, stop): (Arc<Mutex<Vec<Ack>>>, Arc<AtomicBool>) = Default::default();
        let name = format!("writer-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let client = Task {
            daemons: daemons.to_vec(),
            events: (habit == Habit::FollowsEvents).then(|| Arc::clone(events)),
            name: name.clone(),
            acks: Arc::clone(&acks),
            stop: Arc::clone(&stop),
        };
        Self { name, acks, stop, thread: Some(thread::spawn(move || client.run())) }
    }

    /// The acknowledged writes so far.
    pub(crate) fn acks(&self) -> Vec<Ack> {
        self.acks.lock().unwrap().clone()
    }

    /// Waits until so many more writes were acknowledged.
    pub(crate) fn goes_on(&self, more: usize) {
        let before = self.acks.lock().unwrap().len();
        poll("writes are acknowledged", || {
            let now = self.acks.lock().unwrap().len();
            if now >= before + more { Ok(()) } else { Err(now) }
        });
    }

    /// The first write since then that another node than `old` acknowledged; waits for it.
    pub(crate) fn first_elsewhere(&self, since: Instant, old: u16) -> Instant {
        poll("a write is acknowledged by another node", || {
            let acks = self.acks.lock().unwrap();
            let found = acks.iter().find(|ack| ack.at >= since && ack.port != old);
            found.map(|ack| ack.at).ok_or(acks.len())
        })
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// How many of the acknowledged writes the node doesn't have.
    pub(crate) fn lost(&self, port: u16) -> usize {
        let mut client = Client::connect("127.0.0.1", port).unwrap();
        let keys: Vec<String> = self.acks().iter().map(|ack| key(&self.name, ack.number)).collect();
        let mut there = 0;
        for keys in keys.chunks(500) {
            let mut words = vec!["EXISTS"];
            words.extend(keys.iter().map(String::as_str));
            let Value::Int(count) = client.call(&words) else { panic!("EXISTS gives no number") };
            there += usize::try_from(count).unwrap();
        }
        keys.len() - there
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn key(name: &str, number: usize) -> String {
    format!("{name}:{number}")
}

/// What the thread knows.
struct Task {
    daemons: Vec<u16>,
    events: Option<Arc<Events>>,
    name: String,
    acks: Arc<Mutex<Vec<Ack>>>,
    stop: Arc<AtomicBool>,
}

impl Task {
    fn run(&self) {
        let (mut number, mut told) = (0, None);
        while !self.stopped() {
            let seen = self.switched();
            let found = told.take().and_then(writable);
            if let Some((port, client)) = found.or_else(|| self.daemons.iter().find_map(|one| primary(*one)))
            {
                // However it ended without being told another primary, the daemons are asked next.
                told = self.write(port, client, seen, &mut number).unwrap_or_default();
            } else {
                thread::sleep(PAUSE);
            }
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn switched(&self) -> (u64, u16) {
        self.events.as_ref().map(|events| events.switched()).unwrap_or_default()
    }

    /// Writes until the connection fails or another primary is told; which.
    fn write(
        &self,
        port: u16,
        mut client: Client,
        seen: (u64, u16),
        number: &mut usize,
    ) -> io::Result<Option<u16>> {
        let moved = || {
            let now = self.switched();
            (now.0 != seen.0 && now.1 != port).then_some(now.1)
        };
        loop {
            *number += 1;
            client.send(&["SET", &key(&self.name, *number), "x"])?;
            let reply = loop {
                match client.read() {
                    Ok(reply) => break reply,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        if self.stopped() || moved().is_some() {
                            return Ok(moved());
                        }
                    }
                    Err(error) => return Err(error),
                }
            };
            if !matches!(reply, Value::Simple(_)) {
                return Ok(None);
            }
            self.acks.lock().unwrap().push(Ack { number: *number, at: Instant::now(), port });
            if self.stopped() || moved().is_some() {
                return Ok(moved());
            }
            thread::sleep(PAUSE);
        }
    }
}

/// A connection to the primary that this daemon names, if it says that it is one.
fn primary(daemon: u16) -> Option<(u16, Client)> {
    let mut client = connect(daemon, CONNECT)?;
    let reply = client.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).ok()?;
    let Value::Array(items) = reply else { return None };
    writable(items[1].text().parse().ok()?)
}

/// A connection to the node at this port, if it says that it is a primary.
fn writable(port: u16) -> Option<(u16, Client)> {
    let mut client = connect(port, LOOK)?;
    let role = client.command(&["ROLE"]).ok()?;
    matches!(&role, Value::Array(items) if items[0].text() == "master").then_some((port, client))
}

fn connect(port: u16, patience: Duration) -> Option<Client> {
    let stream = TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), CONNECT).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    Client::over(stream).ok()
}
