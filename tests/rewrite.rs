//! The file as this program rewrites it, held byte for byte against what the genuine redis-sentinel makes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use support::{Client, Port, Process, Program, poll};
use tempfile::TempDir;

/// What both programs write, and in what order nobody can tell: the genuine one goes through a table in random order.
/// With all of them in the file the order is the file's.
const FORCED: &str = "port {port}\nbind 127.0.0.1\nprotected-mode no\ndir \"{dir}\"\n\
                      latency-tracking-info-percentiles 50 99 99.9\n";

const ID: &str = "sentinel myid 7921d7f4f6d6ed2de9a18b8a1f9a4ae13edc4ed4\n";

/// Runs a program on a file, has it write the file `times` times, ends it.
fn rewritten(program: &Program, dir: &Path, text: &str, arguments: &[&str], times: usize) -> String {
    let port = Port::reserve();
    let conf = dir.join("s.conf");
    let text = text.replace("{port}", &port.number().to_string()).replace("{dir}", dir.to_str().unwrap());
    fs::write(&conf, text).unwrap();
    let mut command = program.command();
    command.arg(&conf).args(arguments).current_dir(dir);
    let mut process = Process::spawn("sentinel", command, dir);
    let mut client = poll("it listens", || Client::connect("127.0.0.1", port.number()));
    for _ in 0..times {
        assert_eq!(client.call(&["SENTINEL", "FLUSHCONFIG"]).text(), "OK");
    }
    process.signal(Signal::TERM);
    assert!(process.wait().success());
    fs::read_to_string(&conf).unwrap().replace(&port.number().to_string(), "{port}")
}

/// Both programs, one after the other in the same folder.
fn same(text: &str, arguments: &[&str]) {
    for times in 1..=3 {
        let dir = TempDir::with_prefix("vedette-rewrite").unwrap();
        let genuine = rewritten(&Program::genuine(), dir.path(), text, arguments, times);
        let subject = rewritten(&Program::subject_as_redis_7(), dir.path(), text, arguments, times);
        assert_eq!(subject, genuine, "after {times} rewrites of\n{text}");
        // And the genuine one goes on from there.
        let back = rewritten(&Program::genuine(), dir.path(), &subject, &[], 1);
        let own = rewritten(&Program::subject_as_redis_7(), dir.path(), &subject, &[], 1);
        assert_eq!(back, own, "after the way back from\n{subject}");
    }
}

#[test]
fn comments_order_and_slots_are_kept() {
    same(
        &format!(
            "# first\n\n  # indented\n\n\n{FORCED}{ID}SENTINEL resolve-hostnames no\n\
             sentinel down-after-milliseconds m 30000\nsentinel parallel-syncs m 2 \n\
             sentinel monitor m 127.0.0.1 1 2\r\n# between\nport {{port}}\ntimeout 0\nslave-priority 10\n\
             save 900 1\nsave \"\"\nrename-command PSUBSCRIBE psub\nloglevel verbose\ntcp-backlog 511\n\
             masteruser \"a b\"\nlogfile log.txt\n# last"
        ),
        &[],
    );
}

#[test]
fn a_bare_file_gets_everything_that_is_needed() {
    same(&format!("{FORCED}{ID}"), &[]);
}

#[test]
fn every_line_of_a_group_is_written() {
    same(
        &format!(
            "{FORCED}{ID}sentinel monitor m 127.0.0.1 1 2\nsentinel auth-pass m \"x\"\nsentinel auth-user m bob\n\
             sentinel config-epoch m 7\nsentinel leader-epoch m 9\nsentinel known-replica m 127.0.0.1 2\n\
             sentinel known-sentinel m 127.0.0.1 3\n\
             sentinel known-sentinel m 127.0.0.1 4 0123456789012345678901234567890123456789\n\
             sentinel rename-command m CONFIG guessme\nsentinel master-reboot-down-after-period m 7\n\
             sentinel notification-script m /bin/true\nsentinel client-reconfig-script m /bin/true\n\
             sentinel failover-timeout m 3\nsentinel down-after-milliseconds m 60000\n\
             sentinel announce-ip 127.0.0.1\nsentinel announce-port 12\nsentinel sentinel-user u\n\
             sentinel sentinel-pass p\nsentinel deny-scripts-reconfig no\nsentinel announce-hostnames yes\n"
        ),
        &[],
    );
}

#[test]
fn lines_of_several_groups_share_their_slots() {
    // The genuine one takes groups in random order; these two differ in their names alone, so either order is known.
    let text = format!(
        "{FORCED}{ID}sentinel monitor one 127.0.0.1 1 2\nsentinel config-epoch one 0\nsentinel leader-epoch one 0\n\
         sentinel monitor two 127.0.0.1 2 2\nsentinel current-epoch 5\nuser default on nopass ~* &* +@all\n"
    );
    let dir = TempDir::with_prefix("vedette-rewrite").unwrap();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let genuine = rewritten(&Program::genuine(), dir.path(), &text, &[], 1);
    let subject = rewritten(&Program::subject_as_redis_7(), dir.path(), &text, &[], 1);
    assert_eq!(sorted(&subject), sorted(&genuine));
}

#[test]
fn options_land_in_the_file() {
    let text = format!("{FORCED}{ID}timeout 5\nmaxclients 100\n");
    same(
        &text,
        &["--timeout", "7", "--maxclients", "99", "--sentinel", "monitor", "m", "127.0.0.1", "1", "1"],
    );
}

#[test]
fn users_are_written_with_hashes() {
    same(
        &format!("{FORCED}{ID}user alice on >x +ping ~* &ch*\nuser default on nopass ~* +@all &*\n# end\n"),
        &[],
    );
}

#[test]
fn our_own_directives_stay_and_come_from_the_file_alone() {
    let dir = TempDir::with_prefix("vedette-rewrite").unwrap();
    let text = format!("{FORCED}{ID}  vedette   log-format sentinel\n");
    let arguments = ["--vedette", "coordination", "peers"];
    let subject = rewritten(&Program::subject_as_redis_7(), dir.path(), &text, &arguments, 2);
    assert!(subject.contains("\n  vedette   log-format sentinel\n"), "{subject}");
    assert_eq!(subject.matches("vedette ").count(), 1, "{subject}");
}
