//! A primary that is killed and one that is stopped.

use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::fleet::{Fleet, local};
use super::watch::{Answer, Watch};
use crate::common::{Event, Kind, Plan, Sheet, ms, spread};
use crate::support::group::NAME;
use crate::support::{Client, Value};

const DOWN_AFTER: Duration = Duration::from_millis(1000);
/// Writes before a fault.
pub(crate) const WRITES: usize = 50;
/// The longest that an old primary is watched taking writes.
const WRITES_END: Duration = Duration::from_secs(60);

/// kill -9 of the primary.
pub(crate) fn kill(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let mut fleet = Fleet::start(kind, DOWN_AFTER, &[], &[]);
    let events = Arc::new(fleet.events());
    for round in 0..plan.rounds {
        let old = fleet.restore();
        let writer = fleet.follower(&events);
        writer.goes_on(WRITES);
        let others: Vec<u16> = fleet.nodes().into_iter().filter(|port| *port != old).collect();
        let (roles, addresses) = (Watch::roles(&others), Watch::addresses(&fleet.daemons()));
        spread(round);
        let begin = Instant::now();
        fleet.node(old).kill();
        let write = writer.first_elsewhere(begin, local(old));
        let switched = events.first_of_each(begin, "+switch-master", NAME);
        let (new, promoted) = roles.first(begin, old, Answer::Primary);
        let answered = addresses.all(begin, &[], Answer::Address(new));
        let linked = roles.all(begin, &[new], Answer::Replica(new, true));
        let down = events.since(begin, "+sdown", "master ");
        let down = down.iter().map(|event| event.at).min().unwrap();
        sheet.add("kill-write", kind, ms(begin, write));
        sheet.add("sdown-write", kind, ms(down, write));
        sheet.add("answers", kind, ms(promoted, answered));
        let (first, last) = (switched.iter().min().unwrap(), switched.iter().max().unwrap());
        sheet.add("switches", kind, ms(*first, *last));
        sheet.add("linked", kind, ms(promoted, linked));
    }
}

/// SIGSTOP of the primary, and SIGCONT when all is done.
pub(crate) fn stop(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let mut fleet = Fleet::start(kind, DOWN_AFTER, &[], &[]);
    let events = Arc::new(fleet.events());
    for round in 0..plan.rounds {
        let old = fleet.restore();
        let writer = fleet.follower(&events);
        writer.goes_on(WRITES);
        let others: Vec<u16> = fleet.nodes().into_iter().filter(|port| *port != old).collect();
        let roles = Watch::roles(&others);
        spread(round);
        let begin = Instant::now();
        fleet.node(old).pause();
        events.first_of_each(begin, "+switch-master", NAME);
        let (new, _) = roles.first(begin, old, Answer::Primary);
        roles.all(begin, &[new], Answer::Replica(new, true));
        writer.first_elsewhere(begin, local(old));
        // A daemon that hears of the new primary before its own time is up has nothing to detect.
        let down = events.since(begin, "+sdown", "master ");
        let after = |event: &Event| ms(begin, event.at) - DOWN_AFTER.as_secs_f64() * 1e3;
        sheet.add("stop-first", kind, down.iter().map(after).fold(f64::INFINITY, f64::min));
        down.iter().for_each(|event| sheet.add("stop-worst", kind, after(event)));
        drop((writer, roles));
        fleet.0.switched_from(old);
        let mut late = LateWriter::connect(old);
        let begin = Instant::now();
        fleet.node(old).resume();
        sheet.add("cont-writes", kind, ms(begin, late.last_write(begin)));
    }
}

/// A client that never noticed anything and goes on writing to the old primary.
struct LateWriter {
    port: u16,
    client: Option<Client>,
}

impl LateWriter {
    /// Connects; the kernel takes the connection for a stopped process, too.
    fn connect(port: u16) -> Self {
        let mut this = Self { port, client: None };
        this.client = this.open();
        this
    }

    fn open(&self) -> Option<Client> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(WRITES_END)).ok()?;
        Client::over(stream).ok()
    }

    /// Writes until the node refuses; the time of the last write that it took, `begin` without any.
    fn last_write(&mut self, begin: Instant) -> Instant {
        let mut last = begin;
        while begin.elapsed() < WRITES_END {
            let Some(mut client) = self.client.take().or_else(|| self.open()) else { continue };
            // A connection that is cut is opened again.
            let Ok(reply) = client.command(&["SET", "late", "x"]) else { continue };
            match reply {
                Value::Simple(_) => last = Instant::now(),
                Value::Error(text) if text.starts_with("READONLY") => return last,
                other => panic!("SET was answered with {other:?}"),
            }
            self.client = Some(client);
            thread::sleep(Duration::from_millis(1));
        }
        last
    }
}
