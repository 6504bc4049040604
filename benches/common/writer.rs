//! Clients that write about a thousand times a second and note the time of each acknowledged write.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::guide::Guide;
use crate::support::{Client, Host, Value, poll};

/// The pause between two writes, and between two attempts to find the primary.
const PAUSE: Duration = Duration::from_millis(1);
/// How often a writer that waits for a reply looks whether it was told another primary.
const LOOK: Duration = Duration::from_millis(2);
/// What doesn't take a connection within this time is left.
pub(crate) const CONNECT: Duration = Duration::from_millis(100);

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// An acknowledged write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    /// The number in its key.
    pub(crate) number: usize,
    /// When the reply was read.
    pub(crate) at: Instant,
    /// Who acknowledged it.
    pub(crate) node: SocketAddr,
}

/// A client that writes until stopped.
pub(crate) struct Writer {
    name: String,
    place: Option<Host>,
    acks: Arc<Mutex<Vec<Ack>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts to write to the primary to which it is guided, from that host if there is one.
    pub(crate) fn start(place: Option<&Host>, guide: impl Guide + 'static) -> Self {
        let (acks, stop): (Arc<Mutex<Vec<Ack>>>, Arc<AtomicBool>) = Default::default();
        let name = format!("writer-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let client = Task {
            guide: Box::new(guide),
            name: name.clone(),
            acks: Arc::clone(&acks),
            stop: Arc::clone(&stop),
        };
        let place = place.cloned();
        let inside = place.clone();
        let thread = thread::spawn(move || {
            if let Some(host) = inside {
                host.enter();
            }
            client.run();
        });
        Self { name, place, acks, stop, thread: Some(thread) }
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
    pub(crate) fn first_elsewhere(&self, since: Instant, old: SocketAddr) -> Instant {
        poll("a write is acknowledged by another node", || {
            let acks = self.acks.lock().unwrap();
            let found = acks.iter().find(|ack| ack.at >= since && ack.node != old);
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
    pub(crate) fn lost(&self, node: SocketAddr) -> usize {
        let connect = || Client::over(TcpStream::connect(node)?);
        let mut client = self.place.as_ref().map_or_else(connect, |host| host.run(connect)).unwrap();
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
    guide: Box<dyn Guide>,
    name: String,
    acks: Arc<Mutex<Vec<Ack>>>,
    stop: Arc<AtomicBool>,
}

impl Task {
    fn run(&self) {
        let (mut number, mut told) = (0, None);
        while !self.stopped() {
            let seen = self.guide.told();
            let found = told.take().and_then(writable);
            if let Some((node, client)) = found.or_else(|| self.guide.ask().find_map(writable)) {
                // However it ended without being told another primary, the guide is asked next.
                told = self.write(node, client, seen.0, &mut number).unwrap_or_default();
            } else {
                thread::sleep(PAUSE);
            }
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Writes until the connection fails or another primary is told; which.
    fn write(
        &self,
        node: SocketAddr,
        mut client: Client,
        seen: u64,
        number: &mut usize,
    ) -> io::Result<Option<SocketAddr>> {
        let moved = || {
            let (count, primary) = self.guide.told();
            primary.filter(|primary| count != seen && *primary != node)
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
            self.acks.lock().unwrap().push(Ack { number: *number, at: Instant::now(), node });
            if self.stopped() || moved().is_some() {
                return Ok(moved());
            }
            thread::sleep(PAUSE);
        }
    }
}

/// A connection to the node there, if it says that it is a primary.
fn writable(node: SocketAddr) -> Option<(SocketAddr, Client)> {
    let mut client = connect(node, LOOK)?;
    let role = client.command(&["ROLE"]).ok()?;
    matches!(&role, Value::Array(items) if items[0].text() == "master").then_some((node, client))
}

/// A connection that doesn't wait for long.
pub(crate) fn connect(address: SocketAddr, patience: Duration) -> Option<Client> {
    let stream = TcpStream::connect_timeout(&address, CONNECT).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    Client::over(stream).ok()
}
