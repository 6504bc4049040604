//! Nothing is left behind, also when the run is interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;

use rustix::process::{Pid, Resource, Signal, getpid, getrlimit, kill_process, setrlimit};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// Descriptors that the largest row needs, here and in a daemon.
const DESCRIPTORS: u64 = 12_000;

/// Holds the folder of all temporary files. On SIGINT, SIGTERM or SIGHUP the child processes are killed and the folder
/// removed. A panic is the owners' of the processes: they end them as they are dropped.
pub(crate) struct Guard {
    _dir: TempDir,
}

impl Guard {
    /// Begins to watch for signals, and raises the number of descriptors that this process and its children may open.
    /// Temporary files go into `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let dir = TempDir::with_prefix_in("vedette-bench", folder).unwrap();
        tempfile::env::override_temp_dir(dir.path()).unwrap();
        let path = dir.path().to_owned();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut interrupt = signal(SignalKind::interrupt()).unwrap();
                let mut terminate = signal(SignalKind::terminate()).unwrap();
                let mut hangup = signal(SignalKind::hangup()).unwrap();
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
            });
            end_all(&path);
        });
        let mut limit = getrlimit(Resource::Nofile);
        if limit.current.is_some_and(|current| current < DESCRIPTORS) {
            limit.current = limit.maximum;
            setrlimit(Resource::Nofile, limit).unwrap();
            assert!(
                limit.maximum.is_none_or(|most| most >= DESCRIPTORS),
                "{DESCRIPTORS} descriptors are needed"
            );
        }
        Self { _dir: dir }
    }
}

/// Kills the children and removes the folder. Twice: a child may have been started meanwhile.
fn end_all(dir: &PathBuf) -> ! {
    for _ in 0..2 {
        for pid in children() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let _ = fs::remove_dir_all(dir);
    eprintln!("interrupted");
    process::exit(130)
}

/// The processes whose parent is this one.
fn children() -> Vec<Pid> {
    let own = getpid();
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After the name in parentheses: the state, then the parent.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        parent == Some(own.as_raw_nonzero().get())
    })
    .filter_map(Pid::from_raw)
    .collect()
}
