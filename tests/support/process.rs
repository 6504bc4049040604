//! A child process that ends with its owner.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Host, eventually, poll};

/// A running child. Dropped, it is killed, waited for, and on a panic the end of its log is shown.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
    dir: PathBuf,
}

impl Process {
    /// Starts `command`; its output goes to `out.txt` and `err.txt` in `dir`.
    pub(crate) fn spawn(name: &str, mut command: Command, dir: &Path) -> Self {
        let file = |name: &str| File::options().create(true).append(true).open(dir.join(name)).unwrap();
        command.stdin(Stdio::null()).stdout(file("out.txt")).stderr(file("err.txt"));
        let child = command.spawn().unwrap_or_else(|error| panic!("can't start {command:?}: {error}"));
        Self { child, name: name.to_owned(), dir: dir.to_owned() }
    }

    /// As [`Process::spawn`], on that host if there is one.
    pub(crate) fn spawn_at(place: Option<&Host>, name: &str, command: Command, dir: &Path) -> Self {
        match place {
            Some(host) => host.run(|| Self::spawn(name, command, dir)),
            None => Self::spawn(name, command, dir),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap_or_else(|error| panic!("can't signal {}: {error}", self.name));
    }

    /// SIGSTOP, and waits until the last of its threads has stopped: until then one may still answer.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.pid());
        eventually("the last thread has stopped", || {
            fs::read_dir(&tasks).unwrap().flatten().all(|task| {
                let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
                // A thread that ended meanwhile has none.
                status.is_empty() || status.contains("\nState:\tT")
            })
        });
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let name = self.name.clone();
        poll(&format!("{name} ends"), || self.ended().ok_or("still running"))
    }

    /// kill -9 and wait.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Resident memory in kB.
    pub(crate) fn resident_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a VmRSS line");
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Number of open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            for file in ["log.txt", "err.txt"] {
                let text = fs::read(self.dir.join(file)).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let lines: Vec<&str> = text.lines().collect();
                let tail = lines[lines.len().saturating_sub(40)..].join("\n");
                if !tail.is_empty() {
                    eprintln!("--- {} {file} ---\n{tail}", self.name);
                }
            }
        }
    }
}
