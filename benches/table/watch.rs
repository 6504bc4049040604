//! Threads that ask the same again and again and note when the answer changes.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::group::NAME;
use crate::support::{Client, Value, poll};

/// The pause between two questions, and so how exact a figure is.
const PAUSE: Duration = Duration::from_millis(1);
/// What doesn't answer within this time is asked anew.
const PATIENCE: Duration = Duration::from_millis(100);

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// ROLE: a primary.
    Primary,
    /// ROLE: a replica of the node at this port, with or without a working link.
    Replica(u16, bool),
    /// GET-MASTER-ADDR-BY-NAME: this port.
    Address(u16),
}

/// Which port gave which answer, and when: changes only.
type Seen = Arc<Mutex<Vec<(u16, Instant, Answer)>>>;

/// One such thread for each of some ports, until dropped.
pub(crate) struct Watch {
    ports: Vec<u16>,
    seen: Seen,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    /// Asks data nodes for their role.
    pub(crate) fn roles(ports: &[u16]) -> Self {
        Self::start(ports, &["ROLE"], |reply| {
            let items = reply.items();
            match items[0].text().as_str() {
                "master" => Answer::Primary,
                _ => {
                    let port = items[2].text().parse().unwrap();
                    Answer::Replica(port, items[3].text() == "connected")
                }
            }
        })
    }

    /// Asks daemons for the primary.
    pub(crate) fn addresses(ports: &[u16]) -> Self {
        Self::start(ports, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME], |reply| {
            Answer::Address(reply.items()[1].text().parse().unwrap())
        })
    }

    fn start(ports: &[u16], words: &'static [&'static str], read: fn(&Value) -> Answer) -> Self {
        let (seen, stop): (Seen, Arc<AtomicBool>) = Default::default();
        let threads = ports.iter().map(|port| {
            let (port, seen, stop) = (*port, Arc::clone(&seen), Arc::clone(&stop));
            thread::spawn(move || {
                let mut last = None;
                while !stop.load(Ordering::Relaxed) {
                    // A connection that ends is opened again: a failover cuts it.
                    let _ = ask(port, words, &stop, |reply| {
                        let answer = read(reply);
                        if last.replace(answer) != Some(answer) {
                            seen.lock().unwrap().push((port, Instant::now(), answer));
                        }
                    });
                    thread::sleep(PAUSE);
                }
            })
        });
        let threads = threads.collect();
        Self { ports: ports.to_vec(), seen, stop, threads }
    }

    /// The first time since then at which one of the ports but `except` answered so, and which; waits for it.
    pub(crate) fn first(&self, since: Instant, except: u16, answer: Answer) -> (u16, Instant) {
        poll("a node answers as is waited for", || {
            let seen = self.seen.lock().unwrap();
            let found = seen.iter().find(|one| one.0 != except && one.1 >= since && one.2 == answer);
            found.map(|one| (one.0, one.1)).ok_or_else(|| seen.clone())
        })
    }

    /// When the last of all ports but `except` first answered so; waits for it.
    pub(crate) fn all(&self, since: Instant, except: &[u16], answer: Answer) -> Instant {
        let ports = self.ports.iter().filter(|port| !except.contains(port));
        let times = ports.map(|port| {
            poll("every node answers as is waited for", || {
                let seen = self.seen.lock().unwrap();
                let found = seen.iter().find(|one| one.0 == *port && one.1 >= since && one.2 == answer);
                found.map(|one| one.1).ok_or_else(|| seen.clone())
            })
        });
        times.max().unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn ask(port: u16, words: &[&str], stop: &AtomicBool, mut take: impl FnMut(&Value)) -> io::Result<()> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut client = Client::over(stream)?;
    while !stop.load(Ordering::Relaxed) {
        let reply = client.command(words)?;
        if !matches!(reply, Value::Array(_)) {
            return Err(io::Error::other("no array"));
        }
        take(&reply);
        thread::sleep(PAUSE);
    }
    Ok(())
}
