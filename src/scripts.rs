//! Running notification and reconfiguration scripts.
//!
//! A script is a direct child without a shell. It gets the daemon's standard streams, environment and working
//! directory and no other descriptor: all that this process opens is closed by exec.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::rc::Rc;

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use crate::core::Input;
use crate::core::ids::JobId;
use crate::core::input::ScriptExit;

/// Sentinel's number, in place of a signal's, for a script that no process could be made for.
const NO_FORK: i32 = 99;

/// The running scripts.
#[derive(Clone)]
pub struct Scripts {
    running: Rc<RefCell<BTreeMap<JobId, Pid>>>,
    deliver: Rc<dyn Fn(Input)>,
}

impl Scripts {
    /// None runs; news goes to `deliver`.
    #[must_use]
    pub fn new(deliver: Rc<dyn Fn(Input)>) -> Self {
        Self { running: Rc::default(), deliver }
    }

    /// Start one. Whether that worked and how it ended is delivered, never before this call has returned.
    pub fn run(&self, job: JobId, argv: Vec<String>) {
        let scripts = self.clone();
        tokio::task::spawn_local(async move { scripts.follow(job, argv).await });
    }

    /// SIGKILL one that runs. The end is delivered as always.
    pub fn kill(&self, job: JobId) {
        // A process in the map has not been waited for, so its number can't be another's.
        if let Some(pid) = self.running.borrow().get(&job) {
            let _ = rustix::process::kill_process(*pid, Signal::KILL);
        }
    }

    async fn follow(&self, job: JobId, argv: Vec<String>) {
        let (mut child, pid) = match spawn(&argv) {
            Ok(started) => started,
            Err(error) => {
                (self.deliver)(not_started(job, &error));
                return;
            }
        };
        self.running.borrow_mut().insert(job, pid);
        (self.deliver)(Input::ScriptStarted { job, pid: Some(pid.as_raw_nonzero().get().unsigned_abs()) });
        let status = child.wait().await;
        self.running.borrow_mut().remove(&job);
        (self.deliver)(Input::ScriptEnded { job, exit: status.map_or(ScriptExit::Code(-1), exit) });
    }
}

/// Whether this process may execute the file at `path` now. As in Sentinel, a folder counts.
#[must_use]
pub fn executable(path: &str) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

fn spawn(argv: &[String]) -> io::Result<(Child, Pid)> {
    let (path, args) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    // The path is one, never a name to be searched for.
    let program = if path.contains('/') { path.clone() } else { format!("./{path}") };
    let child =
        Command::new(program).arg0(path).args(args).env_remove(crate::process::background::MARKER).spawn()?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    Ok((child, pid.ok_or(io::ErrorKind::NotFound)?))
}

/// What a failed start is to the core: a lack that may pass, or a file that is no program.
fn not_started(job: JobId, error: &io::Error) -> Input {
    let lacks = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
    if Errno::from_io_error(error).is_some_and(|errno| lacks.contains(&errno)) {
        return Input::ScriptEnded { job, exit: ScriptExit::Signal(NO_FORK) };
    }
    Input::ScriptStarted { job, pid: None }
}

fn exit(status: ExitStatus) -> ScriptExit {
    match (status.code(), status.signal()) {
        (Some(code), _) => ScriptExit::Code(code),
        (None, Some(signal)) => ScriptExit::Signal(signal),
        (None, None) => ScriptExit::Code(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;
    use tokio::sync::mpsc;

    fn script(dir: &std::path::Path, text: &str) -> String {
        let path = dir.join("script");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn scripts() -> (Scripts, mpsc::UnboundedReceiver<Input>) {
        let (tx, rx) = mpsc::unbounded_channel();
        (Scripts::new(Rc::new(move |input| tx.send(input).unwrap())), rx)
    }

    #[test]
    fn a_lack_that_may_pass_is_told_apart() {
        let job = JobId(1);
        for (errno, input) in [
            (Errno::AGAIN, Input::ScriptEnded { job, exit: ScriptExit::Signal(99) }),
            (Errno::MFILE, Input::ScriptEnded { job, exit: ScriptExit::Signal(99) }),
            (Errno::NOENT, Input::ScriptStarted { job, pid: None }),
            (Errno::ACCESS, Input::ScriptStarted { job, pid: None }),
            (Errno::NOEXEC, Input::ScriptStarted { job, pid: None }),
        ] {
            assert_eq!(not_started(job, &errno.into()), input);
        }
    }

    #[test]
    fn only_what_can_be_executed_is_executable() {
        assert!(executable("/bin/sh"));
        assert!(!executable("/dev/null"));
        assert!(!executable("/nowhere/script"));
    }

    /// The standard descriptors and whatever this process itself was started with: what any child gets.
    fn inheritable() -> Vec<u32> {
        const CLOSED_BY_EXEC: u32 = 0o2_000_000;
        let listed = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
        let fds: Vec<String> = listed.map(|name| name.into_string().unwrap()).collect();
        let open_in_child = |fd: &&String| {
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            flags.is_some_and(|flags| u32::from_str_radix(flags.trim(), 8).unwrap() & CLOSED_BY_EXEC == 0)
        };
        fds.iter().filter(open_in_child).map(|fd| fd.parse().unwrap()).collect()
    }

    async fn run_local(test: impl Future<Output = ()>) {
        tokio::task::LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn a_script_gets_its_words_unchanged_and_its_code_is_told() {
        run_local(async {
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            let path = script(
                dir.path(),
                &format!("#!/bin/sh\nprintf '%s|' \"$@\" $PPID > {}\nexit 7\n", out.display()),
            );
            let (scripts, mut news) = scripts();
            scripts.run(JobId(4), vec![path, "+sdown".into(), "a  b \"$HOME\" *".into()]);
            let Some(Input::ScriptStarted { job: JobId(4), pid: Some(_) }) = news.recv().await else {
                panic!("not started")
            };
            let end = news.recv().await;
            assert_eq!(end, Some(Input::ScriptEnded { job: JobId(4), exit: ScriptExit::Code(7) }));
            let parent = std::process::id();
            assert_eq!(fs::read_to_string(out).unwrap(), format!("+sdown|a  b \"$HOME\" *|{parent}|"));
        })
        .await;
    }

    #[tokio::test]
    async fn no_descriptor_but_the_standard_ones_reaches_a_script() {
        run_local(async {
            let inherited = inheritable();
            let dir = tempfile::tempdir().unwrap();
            let out = dir.path().join("out");
            let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let file = fs::File::create(dir.path().join("held")).unwrap();
            // exec: the shell's own descriptor for the script is gone then.
            let path = script(dir.path(), &format!("#!/bin/sh\nexec ls /proc/self/fd > {}\n", out.display()));
            let (scripts, mut news) = scripts();
            scripts.run(JobId(1), vec![path]);
            while !matches!(news.recv().await, Some(Input::ScriptEnded { .. })) {}
            let fds: Vec<u32> =
                fs::read_to_string(out).unwrap().lines().map(|line| line.parse().unwrap()).collect();
            // One more is the folder that ls itself has open: the lowest number that is free.
            let own = (0..).find(|fd| !inherited.contains(fd)).unwrap();
            for fd in fds {
                assert!(fd == own || inherited.contains(&fd), "{fd} leaked, inherited were {inherited:?}");
            }
            assert!(inherited.iter().all(|fd| ![held.as_raw_fd(), file.as_raw_fd()].contains(&(*fd as i32))));
        })
        .await;
    }

    #[tokio::test]
    async fn a_killed_script_is_told_by_its_signal() {
        run_local(async {
            let dir = tempfile::tempdir().unwrap();
            let path = script(dir.path(), "#!/bin/sh\nexec sleep 1000\n");
            let (scripts, mut news) = scripts();
            scripts.kill(JobId(9));
            scripts.run(JobId(9), vec![path]);
            assert!(matches!(news.recv().await, Some(Input::ScriptStarted { pid: Some(_), .. })));
            scripts.kill(JobId(9));
            let end = news.recv().await;
            assert_eq!(end, Some(Input::ScriptEnded { job: JobId(9), exit: ScriptExit::Signal(9) }));
            assert!(scripts.running.borrow().is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_no_program_is_not_started() {
        run_local(async {
            let dir = tempfile::tempdir().unwrap();
            let text = script(dir.path(), "no interpreter named: a shell would run this\n");
            let (scripts, mut news) = scripts();
            for argv in [vec![], vec!["/no/such/file".to_owned()], vec!["sh".to_owned()], vec![text]] {
                scripts.run(JobId(2), argv);
                assert_eq!(news.recv().await, Some(Input::ScriptStarted { job: JobId(2), pid: None }));
            }
        })
        .await;
    }
}
