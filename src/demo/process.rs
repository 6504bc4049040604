//! One child process that does not outlive the demo.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::error::Error;

/// How much of a log is shown when a process ends by itself.
const LOG_LINES: usize = 8;

/// A running program with its output in a file. Killed when it is dropped.
///
/// A child is signalled only as long as it has not been waited for, so its pid can't have passed to somebody else.
pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Start `program` in `folder`; what it writes goes to `folder/out.log`.
    pub(super) fn start(name: &str, program: &Path, args: &[&str], folder: &Path) -> Result<Self, Error> {
        let log = folder.join("out.log");
        let open = || File::options().create(true).append(true).open(&log);
        let output = open().and_then(|out| Ok((out, open()?))).map_err(|source| Error::Folder {
            action: "write",
            path: log.clone(),
            source,
        });
        let (out, err) = output?;
        let child = Command::new(program)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            // A group of its own: Ctrl-C in the terminal is for the demo, which then ends its children in order.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Spawn { program: program.to_owned(), source })?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// An error if it has ended; `stage` says what was going on.
    pub(super) fn check(&mut self, stage: &str) -> Result<(), Error> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(Error::Ended {
                name: self.name.clone(),
                status: status.to_string(),
                stage: stage.to_owned(),
                log: self.log_end(),
            }),
        }
    }

    /// The last lines of what it wrote, indented.
    pub(super) fn log_end(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let from = lines.len().saturating_sub(LOG_LINES);
        lines[from..].iter().map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
    }

    /// Ask it to end (SIGTERM).
    pub(super) fn terminate(&mut self) {
        if self.ended().is_none() {
            // It may end between the two; then there is nobody to signal, which is as good.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
    }

    /// End it at once (SIGKILL) and wait until the system has taken it away.
    pub(super) fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl Drop ===

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start("sleep", Path::new("/bin/sleep"), &["60"], folder.path()).unwrap();
        let pid = process.pid();
        assert!(alive(pid));
        drop(process);
        assert!(!alive(pid));
    }

    #[test]
    fn the_end_of_a_process_is_told_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut process =
            Process::start("sh", Path::new("/bin/sh"), &["-c", "echo no such luck; exit 3"], folder.path())
                .unwrap();
        process.child.wait().unwrap();
        let error = process.check("waiting").unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("| no such luck"), "{error}");
    }

    #[test]
    fn terminate_is_a_request() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start("sleep", Path::new("/bin/sleep"), &["60"], folder.path()).unwrap();
        process.terminate();
        process.child.wait().unwrap();
        assert!(process.ended().is_some());
        process.terminate();
    }
}
