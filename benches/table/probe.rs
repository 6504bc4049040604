//! What the kernel says about a process, and how fast it answers PING.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::Client;

/// The pause between two PINGs.
const PAUSE: Duration = Duration::from_millis(2);

/// Processor time that the process has used, in seconds: utime and stime of all its threads, the ended ones too.
pub(crate) fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // After the name in parentheses: the state is field 3; utime and stime are 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// TCP segments that each of the process's open connections has sent and received, by its two addresses.
pub(crate) fn segments(pid: u32) -> BTreeMap<String, u64> {
    let output =
        Command::new("ss").args(["-tinpOH"]).output().expect("ss is missing: apt-get install iproute2");
    let text = String::from_utf8_lossy(&output.stdout);
    let owner = format!("pid={pid},");
    let connections = text.lines().filter(|line| line.contains(&owner)).filter_map(|line| {
        // State, two queues, the addresses; then what is known about it.
        let words: Vec<&str> = line.split_whitespace().collect();
        let counts = words.iter().filter_map(|word| {
            let number = word.strip_prefix("segs_out:").or_else(|| word.strip_prefix("segs_in:"))?;
            number.parse::<u64>().ok()
        });
        Some((format!("{} {}", words.get(3)?, words.get(4)?), counts.sum()))
    });
    connections.collect()
}

/// Segments that came between two such counts.
pub(crate) fn segments_between(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> u64 {
    let grown =
        |(name, count): (&String, &u64)| count.saturating_sub(before.get(name).copied().unwrap_or_default());
    after.iter().map(grown).sum()
}

/// A client that sends PINGs one after the other, from the moment at which a connection is taken.
pub(crate) struct Pinger {
    worst: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pinger {
    /// Starts to connect.
    pub(crate) fn start(port: u16) -> Self {
        let (worst, stop): (Arc<AtomicU64>, Arc<AtomicBool>) = Default::default();
        let (noted, ended) = (Arc::clone(&worst), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut since = None;
            while !ended.load(Ordering::Relaxed) {
                let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else {
                    thread::sleep(PAUSE);
                    continue;
                };
                let mut client = Client::over(stream).unwrap();
                while !ended.load(Ordering::Relaxed) {
                    // A connection that was lost while it waited counts from the first PING without an answer.
                    let asked = *since.get_or_insert_with(Instant::now);
                    if client.command(&["PING"]).is_err() {
                        break;
                    }
                    noted.fetch_max(u64::try_from(asked.elapsed().as_micros()).unwrap(), Ordering::Relaxed);
                    since = None;
                    thread::sleep(PAUSE);
                }
            }
        });
        Self { worst, stop, thread: Some(thread) }
    }

    /// The longest time from a PING to its answer so far, in milliseconds.
    pub(crate) fn worst(&self) -> f64 {
        self.worst.load(Ordering::Relaxed) as f64 / 1e3
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
