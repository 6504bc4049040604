//! Queries, idle clients and subscribers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fleet::Fleet;
use super::probe::cpu;
use crate::common::{Kind, Plan, Sheet, ms};
use crate::support::group::NAME;
use crate::support::{Process, eventually};

const DOWN_AFTER: Duration = Duration::from_millis(1000);
/// Row, connections, pipelined queries, queries.
const QUERIES: [(&str, usize, usize, usize); 3] =
    [("query-1", 1, 1, 100_000), ("query-50", 50, 1, 200_000), ("query-16", 50, 16, 1_600_000)];
/// Idle connections.
const CLIENTS: usize = 10_000;
/// What buffers a daemon takes back from idle clients, it takes back within this time.
const RELEASE: Duration = Duration::from_secs(10);
/// Subscribers of one event.
const SUBSCRIBERS: usize = 1000;

/// Processor time of one GET-MASTER-ADDR-BY-NAME.
pub(crate) fn queries(kind: Kind, sheet: &mut Sheet) {
    let mut fleet = Fleet::start(kind, DOWN_AFTER, &[], &[]);
    let port = fleet.0.sentinels[0].port();
    let dir = tempfile::TempDir::with_prefix("vedette-queries").unwrap();
    let pid = fleet.0.sentinels[0].process().pid();
    for (row, connections, pipelined, count) in QUERIES {
        let mut command = Command::new("redis-benchmark");
        command.args(["-q", "-p", &port.to_string(), "-c", &connections.to_string()]);
        command.args(["-P", &pipelined.to_string(), "-n", &count.to_string()]);
        command.args(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        let before = cpu(pid);
        let mut benchmark = Process::spawn("redis-benchmark", command, dir.path());
        assert!(benchmark.wait().success(), "redis-benchmark failed");
        sheet.add(row, kind, (cpu(pid) - before) * 1e6 / count as f64);
    }
}

/// Memory of a connection that has asked once and is silent.
pub(crate) fn clients(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    // Each time on a daemon that has not yet grown.
    for _ in 0..plan.rounds {
        sheet.add("clients", kind, kb_of_a_client(kind));
    }
}

fn kb_of_a_client(kind: Kind) -> f64 {
    let mut fleet = Fleet::start(kind, DOWN_AFTER, &["maxclients 12000"], &[]);
    let port = fleet.0.sentinels[0].port();
    let before = fleet.0.sentinels[0].process().resident_kb();
    let mut streams: Vec<TcpStream> =
        (0..CLIENTS).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    for stream in &mut streams {
        stream.write_all(b"*1\r\n$4\r\nPING\r\n").unwrap();
        let mut reply = [0; 7];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"+PONG\r\n");
    }
    thread::sleep(RELEASE);
    let after = fleet.0.sentinels[0].process().resident_kb();
    (after as f64 - before as f64) / CLIENTS as f64
}

/// How far apart in time +switch-master reaches the first and the last of many subscribers of one daemon.
pub(crate) fn subscribers(kind: Kind, plan: &Plan, sheet: &mut Sheet) {
    let mut fleet = Fleet::start(kind, DOWN_AFTER, &[], &[]);
    let events = fleet.events();
    for _ in 0..plan.rounds {
        let old = fleet.restore();
        let (ready, subscribed) = mpsc::channel();
        let port = fleet.0.sentinels[0].port();
        let readers = thread::spawn(move || read_one_each(port, &ready));
        subscribed.recv().unwrap();
        let begin = Instant::now();
        fleet.0.sentinels[0].ok(&["SENTINEL", "FAILOVER", NAME]);
        let times = readers.join().unwrap();
        let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        sheet.add("subscribers", kind, ms(*first, *last));
        events.first_of_each(begin, "+switch-master", NAME);
        eventually("the daemons have a new primary", || fleet.primary() != old);
    }
}

/// Subscribes many times, says so, and reads one message of each subscription: when it came.
fn read_one_each(port: u16, ready: &mpsc::Sender<()>) -> Vec<Instant> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..SUBSCRIBERS {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(b"*2\r\n$9\r\nSUBSCRIBE\r\n$14\r\n+switch-master\r\n").await.unwrap();
            let mut confirmation = [0; 256];
            assert!(stream.read(&mut confirmation).await.unwrap() > 0);
            streams.push(stream);
        }
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|mut stream| {
                tokio::spawn(async move {
                    let mut message = [0; 256];
                    assert!(stream.read(&mut message).await.unwrap() > 0);
                    Instant::now()
                })
            })
            .collect();
        ready.send(()).unwrap();
        let mut times = Vec::new();
        for task in tasks {
            times.push(task.await.unwrap());
        }
        times
    })
}
