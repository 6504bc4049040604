//! What a process holds.

use std::fs;

use crate::support::{Sentinel, poll};

/// What a daemon holds while nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// Resident memory in kB.
    pub(crate) memory: u64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
    /// Sockets among them.
    pub(crate) sockets: usize,
    /// Threads.
    pub(crate) threads: usize,
    /// Bytes of the configuration file.
    pub(crate) file: u64,
    /// Files in its folder: nothing temporary stays.
    pub(crate) files: usize,
}

impl Health {
    /// Looks at a daemon.
    pub(crate) fn of(sentinel: &mut Sentinel) -> Self {
        let process = sentinel.process();
        let pid = process.pid();
        let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let targets = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
        let sockets = targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count();
        Self {
            memory: process.resident_kb(),
            descriptors: process.descriptors(),
            sockets,
            threads: fs::read_dir(format!("/proc/{pid}/task")).unwrap().count(),
            file: fs::metadata(sentinel.conf()).unwrap().len(),
            files: fs::read_dir(sentinel.dir()).unwrap().count(),
        }
    }

    /// Waits until the daemon holds what it held in the beginning; memory is for the caller to judge.
    #[track_caller]
    pub(crate) fn back_to(self, sentinel: &mut Sentinel) -> Self {
        poll("the daemon holds what it held in the beginning", || {
            let now = Self::of(sentinel);
            let same = now.descriptors == self.descriptors
                && now.sockets == self.sockets
                && now.files == self.files
                // Epochs grow by a digit or two, in three places.
                && now.file.abs_diff(self.file) <= 12;
            if same { Ok(now) } else { Err((self, now)) }
        })
    }
}
