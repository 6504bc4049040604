//! The process around the daemon: background, pid file, log, tools of the command line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use support::{Client, Port, Process, Program, eventually, poll};
use tempfile::TempDir;

#[test]
fn going_to_the_background_takes_standard_input_and_the_folder_along() {
    let dir = TempDir::with_prefix("vedette-process").unwrap();
    let port = Port::reserve();
    fs::create_dir(dir.path().join("work")).unwrap();
    fs::write(dir.path().join("s.conf"), "bind 127.0.0.1\nlogfile log.txt\npidfile pid\n").unwrap();
    let mut child = Program::subject()
        .command()
        .args(["s.conf", "--daemonize", "yes", "-"])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let text = format!("port {}\ndir work\nsentinel monitor m 127.0.0.1 1 1\n", port.number());
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let mut client = poll("it listens", || Client::connect("127.0.0.1", port.number()));
    assert_eq!(client.call(&["SENTINEL", "FLUSHCONFIG"]).text(), "OK");
    let pid_file = dir.path().join("work/pid");
    let pid: i32 = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    assert!(client.call(&["INFO", "server"]).text().contains(&format!("process_id:{pid}\r\n")));
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    eventually("the pid file is gone", || !pid_file.exists());
    let text = fs::read_to_string(dir.path().join("s.conf")).unwrap();
    let work = fs::canonicalize(dir.path().join("work")).unwrap();
    for line in [
        format!("port {}\n", port.number()),
        "daemonize yes\n".to_owned(),
        format!("dir \"{}\"\n", work.display()),
        "sentinel monitor m 127.0.0.1 1 1\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }
    let log_file = dir.path().join("work/log.txt");
    eventually("the last line", || fs::read_to_string(&log_file).unwrap().contains("bye bye"));
    let log = fs::read_to_string(&log_file).unwrap();
    let said = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text:?} is missing in\n{log}"));
    let lines = [
        "Reading config from stdin",
        "is starting oO0OoO0OoO0Oo",
        "Running mode=sentinel",
        "Sentinel ID is ",
        "+monitor master m 127.0.0.1 1 quorum 1",
        "Received SIGTERM scheduling shutdown...",
        "User requested shutdown...",
        "Removing the pid file.",
        "Sentinel is now ready to exit, bye bye...",
    ];
    assert!(lines.map(said).is_sorted(), "{log}");
    assert!(log.lines().all(|line| line.starts_with(&format!("{pid}:"))), "{log}");
}

#[test]
fn the_log_follows_its_name_and_speaks_json() {
    let dir = TempDir::with_prefix("vedette-process").unwrap();
    let port = Port::reserve();
    let log = dir.path().join("log.txt");
    let conf = dir.path().join("s.conf");
    let text = format!(
        "bind 127.0.0.1\nport {}\nlogfile {}\nvedette log-format json\nsentinel monitor m 127.0.0.1 1 1\n",
        port.number(),
        log.display()
    );
    fs::write(&conf, text).unwrap();
    let mut command = Program::subject().command();
    command.arg(&conf).current_dir(dir.path());
    let mut process = Process::spawn("sentinel", command, dir.path());
    let mut client = poll("it listens", || Client::connect("127.0.0.1", port.number()));
    eventually("the group is told", || fs::read_to_string(&log).is_ok_and(|text| text.contains("+monitor")));
    let rotated = dir.path().join("log.1");
    fs::rename(&log, &rotated).unwrap();
    assert_eq!(client.call(&["SENTINEL", "SET", "m", "quorum", "2"]).text(), "OK");
    eventually("the new file has it", || fs::read_to_string(&log).is_ok_and(|text| text.contains("+set")));
    let lines = |file| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    let find = |lines: &[serde_json::Value], event: &str| {
        lines.iter().find(|line| line["event"] == event).cloned().unwrap_or_else(|| panic!("no {event}"))
    };
    let monitor = find(&lines(&rotated), "+monitor");
    assert_eq!((&monitor["group"], &monitor["level"]), (&"m".into(), &"warning".into()));
    assert_eq!(monitor["message"], "+monitor master m 127.0.0.1 1 quorum 1");
    assert_eq!(find(&lines(&log), "+set")["epoch"], 0);
    // The level can be changed while it runs, and is kept.
    assert_eq!(client.call(&["SENTINEL", "CONFIG", "SET", "loglevel", "nothing"]).text(), "OK");
    let quiet = fs::read_to_string(&log).unwrap();
    assert_eq!(client.call(&["SENTINEL", "SET", "m", "quorum", "1"]).text(), "OK");
    process.signal(Signal::TERM);
    assert!(process.wait().success());
    let after = fs::read_to_string(&log).unwrap();
    assert!(!after[quiet.len()..].contains("quorum 1"), "{after}");
    assert!(fs::read_to_string(&conf).unwrap().contains("\nloglevel nothing\n"));
}

#[test]
fn tools_write_what_they_are_asked_for() {
    for (arguments, wanted) in [
        (&["man"][..], ".TH vedette"),
        (&["completions", "bash"], "_vedette()"),
        (&["--version"], "Redis server v=8.0."),
        (&["--help"], "Usage: vedette FILE"),
    ] {
        let output = Program::subject().named("vedette").command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(wanted), "{arguments:?}: {text}");
    }
    let help = Program::subject().command().arg("--help").output().unwrap();
    assert_eq!((help.status.code(), help.stdout.is_empty(), help.stderr.is_empty()), (Some(1), true, false));
}
