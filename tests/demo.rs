//! `vedette demo` on real processes: what it shows, and that it leaves nothing behind.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(240);

/// A running demo with a temporary folder of its own. Killed when it is dropped.
struct Demo {
    child: Child,
    folder: TempDir,
    output: PathBuf,
}

impl Demo {
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        fs::create_dir(folder.path().join("tmp")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .arg("demo")
            .args(args)
            .env("TMPDIR", folder.path().join("tmp"))
            .stdin(Stdio::null())
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(folder.path().join("errors")).unwrap())
            .spawn()
            .unwrap();
        Self { child, folder, output }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    fn wait_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < LIMIT, "{what}: {ended:?}\n{}", self.story());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The exit status. Panics after [`LIMIT`].
    fn end(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < LIMIT, "it does not end\n{}", self.story());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn story(&self) -> String {
        let errors = fs::read_to_string(self.folder.path().join("errors")).unwrap();
        format!("{}\n{errors}", self.text())
    }

    /// Processes that work below the temporary folder: all that the demo starts do.
    fn left(&self) -> Vec<PathBuf> {
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        let below = |path: &PathBuf| {
            fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.folder.path()))
        };
        processes.filter(below).collect()
    }

    fn assert_nothing_left(&self) {
        assert_eq!(self.left(), Vec::<PathBuf>::new());
        let files: Vec<_> = fs::read_dir(self.folder.path().join("tmp")).unwrap().collect();
        assert!(files.is_empty(), "{files:?}");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            // In order, so that its children end, too.
            kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
            self.child.wait().unwrap();
        }
    }
}

#[test]
fn it_shows_both_failovers_and_leaves_nothing_behind() {
    for server in ["redis-server", "valkey-server"] {
        shows_both_failovers_and_leaves_nothing_behind(server);
    }
}

fn shows_both_failovers_and_leaves_nothing_behind(server: &str) {
    let mut demo = Demo::start(&["--once", "--server-program", server]);
    demo.wait_until("processes run", |demo| demo.left().len() == 6);
    assert_eq!(demo.end(), Some(0), "{}", demo.story());
    let text = demo.text();
    assert!(text.lines().next().is_some_and(|line| line.contains(server)), "{text}");
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what} in\n{text}"));
    let killed = place("kill -9 of n1, the primary");
    let moved = place("SENTINEL FAILOVER demo, sent to v1");
    assert!(killed < moved);
    for story in [&text[killed..moved], &text[moved..]] {
        for event in
            ["+try-failover", "+elected-leader", "+selected-slave", "+promoted-slave", "+switch-master"]
        {
            assert!(story.contains(event), "no {event} in\n{story}");
        }
        assert!(story.contains("first write") && story.contains(" writes acknowledged, "), "{story}");
    }
    assert!(text[moved..].contains(" writes acknowledged, 0 lost"), "{text}");
    for event in ["+sdown", "+odown"] {
        assert!(text[killed..moved].contains(event), "no {event} in\n{text}");
    }
    assert!(!text.contains('\x1b'), "escapes in a file");
    for line in text.lines() {
        // The first line names programs, by paths of any length.
        assert!(line.len() <= 79 || line.starts_with("vedette demo:"), "{line}");
    }
    demo.assert_nothing_left();
}

#[test]
fn a_signal_in_the_middle_ends_everything() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut demo = Demo::start(&[]);
        demo.wait_until("daemons run", |demo| demo.left().len() == 6);
        kill_process(Pid::from_child(&demo.child), signal).unwrap();
        assert_eq!(demo.end(), Some(status), "{}", demo.story());
        demo.assert_nothing_left();
    }
}

#[test]
fn it_stays_up_until_it_is_told_to_end() {
    let mut demo = Demo::start(&[]);
    demo.wait_until("the hints", |demo| demo.text().contains("It stays up until Ctrl-C"));
    let port = demo.text().split("psubscribe").next().and_then(|text| {
        let line = text.lines().last()?;
        line.split_whitespace().nth(2)?.parse::<u16>().ok()
    });
    std::net::TcpStream::connect(("127.0.0.1", port.unwrap())).unwrap();
    kill_process(Pid::from_child(&demo.child), Signal::INT).unwrap();
    assert_eq!(demo.end(), Some(0), "{}", demo.story());
    demo.assert_nothing_left();
}

#[test]
fn what_is_missing_is_named_with_how_to_get_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_vedette")).arg("demo").env("PATH", "").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("redis-server") && errors.contains("apt install"), "{errors}");
    assert!(output.stdout.is_empty());
}

#[test]
fn an_end_before_its_time_is_told_with_the_process_s_own_words() {
    let mut demo = Demo::start(&["--once", "--sentinel-program", "/bin/false"]);
    assert_eq!(demo.end(), Some(1));
    // All of them end, and any may be the first that is seen.
    let named = ["v1", "v2", "v3"].map(|name| format!("{name} ended (exit status: 1)"));
    assert!(named.iter().any(|words| demo.story().contains(words)), "{}", demo.story());
    demo.assert_nothing_left();
}
