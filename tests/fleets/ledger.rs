//! A client that keeps a record of every acknowledged write, so that lost ones can be counted.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::group::NAME;
use crate::support::{Client, Host, Node, Value, eventually};

/// A client waits no longer for a connection or an answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// A client that follows asks the daemons again after this long.
const ASKED_AGAIN: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(5);

/// How a client comes to know of a new primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// It keeps its connection until that fails, as plain client libraries do.
    Stays,
    /// It asks the daemons again and again.
    Follows,
}

/// An acknowledged write.
#[derive(Clone, Copy, Debug)]
struct Write {
    number: u64,
    at: Instant,
    /// Who acknowledged it.
    node: u16,
}

/// The lost ones of one client's acknowledged writes.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    /// Writes acknowledged in all.
    pub(crate) acknowledged: usize,
    /// Lost ones from before the cut.
    pub(crate) before: usize,
    /// Lost ones of the time of the cut.
    pub(crate) during: usize,
    /// Lost ones from after it was healed.
    pub(crate) after: usize,
    /// How long after the healing the last lost one was acknowledged.
    pub(crate) last: Option<Duration>,
}

/// Writes numbers into a set until dropped.
#[derive(Debug)]
pub(crate) struct Ledger {
    key: String,
    writes: Arc<Mutex<Vec<Write>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ledger {
    /// Starts a client on `host` that asks these daemons in turn where the primary is; the key must be its own.
    pub(crate) fn start(host: &Host, key: &str, habit: Habit, daemons: Vec<(String, u16)>) -> Self {
        let (writes, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (record, ended, host) = (Arc::clone(&writes), Arc::clone(&stop), host.clone());
        let name = key.to_owned();
        let thread = thread::spawn(move || {
            host.enter();
            let mut number = 0;
            while !ended.load(Ordering::SeqCst) {
                let Some((mut client, node)) = primary(&daemons) else {
                    thread::sleep(PAUSE);
                    continue;
                };
                let mut asked = Instant::now();
                while !ended.load(Ordering::SeqCst) {
                    number += 1;
                    let Ok(Value::Int(_)) = client.command(&["SADD", &name, &u64::to_string(&number)]) else {
                        break;
                    };
                    record.lock().unwrap().push(Write { number, at: Instant::now(), node });
                    if habit == Habit::Follows && asked.elapsed() > ASKED_AGAIN {
                        if named(&daemons).is_some_and(|(_, port)| port != node) {
                            break;
                        }
                        asked = Instant::now();
                    }
                    thread::sleep(PAUSE);
                }
            }
        });
        Self { key: key.to_owned(), writes, stop, thread: Some(thread) }
    }

    /// How many writes were acknowledged, by `node` or by any.
    pub(crate) fn acknowledged(&self, node: Option<u16>) -> usize {
        self.writes.lock().unwrap().iter().filter(|write| node.is_none_or(|node| node == write.node)).count()
    }

    /// Waits until `node`, or any, has acknowledged twenty more.
    #[track_caller]
    pub(crate) fn goes_on(&self, node: Option<u16>) {
        let before = self.acknowledged(node);
        eventually("the client's writes are acknowledged", || self.acknowledged(node) > before + 20);
    }

    /// Ends the client and compares its record with what `primary` holds. What `primary` itself acknowledged must all
    /// be there.
    #[track_caller]
    pub(crate) fn lost(mut self, primary: &Node, cut: Instant, healed: Instant) -> Loss {
        self.end();
        let kept: BTreeSet<u64> = primary
            .call(&["SMEMBERS", &self.key])
            .items()
            .iter()
            .map(|member| member.text().parse().unwrap())
            .collect();
        let writes = self.writes.lock().unwrap();
        let lost: Vec<&Write> = writes.iter().filter(|write| !kept.contains(&write.number)).collect();
        let own = lost.iter().filter(|write| write.node == primary.port() && write.at > cut).count();
        assert_eq!(own, 0, "the primary that was kept lost writes that it acknowledged itself");
        let count = |keep: &dyn Fn(Instant) -> bool| lost.iter().filter(|write| keep(write.at)).count();
        Loss {
            acknowledged: writes.len(),
            before: count(&|at| at <= cut),
            during: count(&|at| at > cut && at <= healed),
            after: count(&|at| at > healed),
            last: lost.last().and_then(|write| write.at.checked_duration_since(healed)),
        }
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.end();
    }
}

fn connect(address: &(String, u16)) -> io::Result<Client> {
    let address = SocketAddr::new(address.0.parse().map_err(io::Error::other)?, address.1);
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Client::over(stream)
}

/// What the first daemon that answers names.
fn named(daemons: &[(String, u16)]) -> Option<(String, u16)> {
    daemons.iter().find_map(|daemon| {
        let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
        match connect(daemon).and_then(|mut client| client.command(&words)) {
            Ok(Value::Array(items)) => Some((items[0].text(), items[1].text().parse().ok()?)),
            _ => None,
        }
    })
}

/// A connection to what is named, if it says that it is a primary.
fn primary(daemons: &[(String, u16)]) -> Option<(Client, u16)> {
    let address = named(daemons)?;
    let mut client = connect(&address).ok()?;
    match client.command(&["ROLE"]) {
        Ok(Value::Array(items)) if items[0].text() == "master" => Some((client, address.1)),
        _ => None,
    }
}
