//! A Redis Pod's container: a real redis-server at the Pod's address, and the probe that says whether it is ready.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::Signal;

use crate::support::hosts::with_hosts;
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
    /// Starts redis-server on that host with its files in `dir`; `command` and `arguments` are the container's own.
    pub(crate) fn start(
        pod: &str,
        host: &Host,
        dir: &PathBuf,
        command: &[String],
        arguments: &[String],
    ) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        fs::create_dir_all(dir).unwrap();
        let mut command = program(command);
        command
            .arg("--bind")
            .args(host.addresses())
            .args(["127.0.0.1", "--port", &PORT.to_string(), "--protected-mode", "no"])
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

/// What starts the server: its image's own program without a command, or vedette's, as a Pod finds it in a shared folder.
fn program(command: &[String]) -> Command {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words[..] {
        [] => Command::new(REDIS),
        ["/vedette/vedette", "boot", "exec", "redis-server"] => {
            let mut program = Command::new(env!("CARGO_BIN_EXE_vedette"));
            program.arg0("vedette").args(["boot", "exec", REDIS]);
            program
        }
        ["with-hosts", hosts] => with_hosts(Path::new(hosts), Path::new(REDIS)),
        _ => panic!("the stand-in for a kubelet can't run {words:?}"),
    }
}

/// Starts the command of a preStop hook inside the Pod: vedette's, as a Pod finds it in a shared folder.
pub(super) fn pre_stop(command: &[String], host: &Host, dir: &Path) -> Process {
    let ["/vedette/vedette", words @ ..] = &command.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        panic!("the stand-in for a kubelet can't run {command:?}");
    };
    let mut program = Command::new(env!("CARGO_BIN_EXE_vedette"));
    program.arg0("vedette").args(words);
    Process::spawn_at(Some(host), "preStop", program, dir)
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
