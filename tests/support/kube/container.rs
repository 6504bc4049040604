//! A Redis Pod's container: a real redis-server at the Pod's address, and the probe that says whether it is ready.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::Signal;

use crate::support::node::REDIS;
use crate::support::{Host, Process};

/// Redis's port, the same in each Pod.
pub(crate) const PORT: u16 = 6379;
/// Between two looks at whether it answers.
const PROBE: Duration = Duration::from_millis(50);

/// A running container, or one that has just ended.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) started: Timestamp,
    process: Process,
    ready: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    probe: Option<JoinHandle<()>>,
}

impl Container {
    /// Starts redis-server on that host with its files in `dir`; `arguments` are the container's own.
    pub(crate) fn start(pod: &str, host: &Host, dir: &PathBuf, arguments: &[String]) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        fs::create_dir_all(dir).unwrap();
        let mut command = Command::new(REDIS);
        command
            .args(["--bind", host.address(), "--port", &PORT.to_string(), "--protected-mode", "no"])
            .args(["--dir", dir.to_str().unwrap(), "--logfile", "log.txt", "--repl-diskless-sync-delay", "0"])
            .args(arguments);
        let process = Process::spawn_at(Some(host), pod, command, dir);
        let number = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut container = Self {
            id: format!("stand-in://{:08x}{number:056x}", std::process::id()),
            started: Timestamp::now(),
            process,
            ready: Arc::default(),
            ended: Arc::default(),
            probe: None,
        };
        container.probe = Some(container.probe(host.clone()));
        container
    }

    /// Readiness is an answered PING, whatever the role. A probe that hangs holds nobody else up.
    fn probe(&self, host: Host) -> JoinHandle<()> {
        let (ready, ended) = (Arc::clone(&self.ready), Arc::clone(&self.ended));
        thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let answer = host.connect(PORT).and_then(|mut client| client.command(&["PING"]));
                // An instance that loads or has lost its primary answers with an error: not ready, but for MASTERDOWN.
                let good =
                    answer.is_ok_and(|reply| !reply.is_error() || reply.text().starts_with("MASTERDOWN"));
                ready.store(good, Ordering::Relaxed);
                thread::sleep(PROBE);
            }
        })
    }

    /// Whether the probe was answered last time.
    pub(crate) fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// SIGSTOP, in force.
    pub(crate) fn pause(&self) {
        self.process.pause();
    }

    /// kill -9 and wait.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // A probe that hangs ends with the process, and must not outlive its host.
        self.process.kill();
        if let Some(probe) = self.probe.take() {
            let _ = probe.join();
        }
    }
}
