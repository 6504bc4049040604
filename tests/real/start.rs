//! Starts that must fail without harm, and starts the way Debian does them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::group::NAME;
use crate::support::poll::LIMIT;
use crate::support::process::Process;
use crate::support::{Client, Group, Port, Program, Spec, eventually, poll};

#[test]
fn a_second_start_on_the_same_file_and_port_dies_without_harm() {
    let mut group = Group::start();
    for drop_id in [false, true] {
        let sentinel = &mut group.sentinels[0];
        if drop_id {
            // As the conformance suite does it: the file no longer names the id.
            let text: String = sentinel
                .conf_text()
                .lines()
                .filter(|line| !line.starts_with("sentinel myid"))
                .map(|line| format!("{line}\n"))
                .collect();
            fs::write(sentinel.conf(), text).unwrap();
        }
        let before = fs::read(sentinel.conf()).unwrap();
        let meta = fs::metadata(sentinel.conf()).unwrap();
        let id = sentinel.call(&["SENTINEL", "MYID"]).text();
        let second =
            sentinel.program().command().arg(sentinel.conf()).current_dir(sentinel.dir()).output().unwrap();
        assert_eq!(second.status.code(), Some(1), "{second:?}");
        let log = sentinel.log();
        let port = sentinel.port();
        let busy = format!(
            "Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address already in use"
        );
        assert!(log.contains(&busy), "{log}");
        assert!(log.contains(&format!("Failed listening on port {port}")), "{log}");
        assert_eq!(fs::read(sentinel.conf()).unwrap(), before, "the file was touched");
        assert_eq!(fs::metadata(sentinel.conf()).unwrap().modified().unwrap(), meta.modified().unwrap());
        let entries: Vec<String> = fs::read_dir(sentinel.dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("sentinel.conf"))
            .collect();
        assert_eq!(entries, ["sentinel.conf"], "nothing lies beside the file");
        assert!(sentinel.process().ended().is_none(), "the running one goes on");
        assert_eq!(sentinel.call(&["SENTINEL", "MYID"]).text(), id);
    }
    group.settled();
    group.fails_over();
}

/// A refused start: what the file holds, and what both programs must say about it.
struct Refusal {
    name: &'static str,
    lines: &'static str,
}

const REFUSALS: &[Refusal] = &[
    Refusal { name: "unknown directive", lines: "port {port}\nno-such-directive 1\n" },
    Refusal { name: "no value", lines: "port\n" },
    Refusal { name: "two values", lines: "port {port} 2\n" },
    Refusal { name: "bad integer", lines: "port abc\n" },
    Refusal { name: "unbalanced quotes", lines: "port {port}\nlogfile \"abc\n" },
    Refusal { name: "log file", lines: "port {port}\nlogfile /no/such/folder/log\n" },
    Refusal { name: "unknown sentinel statement", lines: "port {port}\nsentinel nonsense mymaster 1\n" },
    Refusal { name: "short sentinel statement", lines: "port {port}\nsentinel monitor mymaster\n" },
    Refusal { name: "bad user", lines: "port {port}\nuser joe on +nonsense\n" },
    Refusal { name: "quorum", lines: "port {port}\nsentinel monitor mymaster 127.0.0.1 6379 0\n" },
    Refusal {
        name: "host name",
        lines: "port {port}\nsentinel monitor mymaster no-such-host.invalid 6379 1\n",
    },
    Refusal { name: "port number", lines: "port {port}\nsentinel monitor mymaster 127.0.0.1 99999 1\n" },
    Refusal {
        name: "duplicate group",
        lines: "port {port}\nsentinel monitor m 127.0.0.1 1 1\nsentinel monitor m 127.0.0.1 1 1\n",
    },
    Refusal {
        name: "duplicate replica",
        lines: "port {port}\nsentinel monitor m 127.0.0.1 1 1\nsentinel known-replica m 127.0.0.1 2\nsentinel known-replica m 127.0.0.1 2\n",
    },
    Refusal {
        name: "duplicate peer",
        lines: "port {port}\nsentinel monitor m 127.0.0.1 1 1\n\
                sentinel known-sentinel m 127.0.0.1 2 0123456789012345678901234567890123456789\n\
                sentinel known-sentinel m 127.0.0.1 2 0123456789012345678901234567890123456789\n",
    },
    Refusal { name: "unknown group", lines: "port {port}\nsentinel down-after-milliseconds nope 100\n" },
    Refusal {
        name: "zero down-after",
        lines: "port {port}\nsentinel monitor m 127.0.0.1 1 1\nsentinel down-after-milliseconds m 0\n",
    },
    Refusal {
        name: "zero failover-timeout",
        lines: "port {port}\nsentinel monitor m 127.0.0.1 1 1\nsentinel failover-timeout m 0\n",
    },
    Refusal {
        name: "negative reboot period",
        lines: "port {port}\nsentinel monitor m 127.0.0.1 1 1\nsentinel master-reboot-down-after-period m -1\n",
    },
    Refusal {
        name: "notification script",
        lines: "port {port}\nsentinel monitor m 127.0.0.1 1 1\nsentinel notification-script m /no/such/file\n",
    },
    Refusal {
        name: "reconfiguration script",
        lines: "port {port}\nsentinel monitor m 127.0.0.1 1 1\nsentinel client-reconfig-script m /no/such/file\n",
    },
    Refusal { name: "short id", lines: "port {port}\nsentinel myid 123\n" },
    Refusal {
        name: "renamed twice",
        lines: "port {port}\nsentinel monitor m 127.0.0.1 1 1\nsentinel rename-command m PING a\nsentinel rename-command m ping b\n",
    },
    Refusal { name: "deny-scripts-reconfig", lines: "port {port}\nsentinel deny-scripts-reconfig maybe\n" },
    Refusal { name: "resolve-hostnames", lines: "port {port}\nsentinel resolve-hostnames maybe\n" },
    Refusal { name: "announce-hostnames", lines: "port {port}\nsentinel announce-hostnames maybe\n" },
    Refusal { name: "nowhere to listen", lines: "port 0\n" },
    Refusal { name: "include", lines: "port {port}\ninclude /no/such/file.conf\n" },
    Refusal { name: "missing acl file", lines: "port {port}\naclfile /no/such/file.acl\n" },
    Refusal { name: "users twice", lines: "port {port}\naclfile {dir}/users.acl\nuser joe on\n" },
];

/// Standard error, or the log lines at level warning, without what differs from run to run.
fn complaint(output: &Output, port: u16) -> (Option<i32>, Vec<String>) {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    let lines = text
        .replace(&port.to_string(), "PORT")
        .lines()
        .map(str::to_owned)
        .filter_map(|line| {
            // `PID:X DATE TIME # text`: only the text counts; start lines and kernel advice are no complaint.
            match line.split_once(" # ") {
                Some((head, text)) if head.contains(":X ") => {
                    let noise = [
                        "oO0OoO0OoO0Oo",
                        "Redis version=",
                        "Configuration loaded",
                        "WARNING Memory overcommit",
                        "Sentinel ID is",
                    ];
                    (!noise.iter().any(|start| text.starts_with(start))).then(|| text.to_owned())
                }
                _ if line.contains(":X ") => None,
                _ => Some(line),
            }
        })
        .filter(|line| !line.trim().is_empty())
        .collect();
    (output.status.code(), lines)
}

fn refused(program: &Program, lines: &str, arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let dir = TempDir::with_prefix("vedette-refused").unwrap();
    let port = Port::reserve();
    fs::write(dir.path().join("users.acl"), "user jim on nopass +@all\n").unwrap();
    let place = dir.path().to_str().unwrap();
    let text = lines.replace("{port}", &port.number().to_string()).replace("{dir}", place);
    let conf = dir.path().join("s.conf");
    fs::write(&conf, &text).unwrap();
    let mut command = program.command();
    command.current_dir(dir.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if arguments.is_empty() {
        command.arg("s.conf");
    }
    command.args(arguments);
    let mut child = command.spawn().unwrap();
    poll("the start is refused", || match child.try_wait().unwrap() {
        Some(_) => Ok(()),
        None if Client::connect("127.0.0.1", port.number()).is_ok() => {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{program:?} started on\n{text}");
        }
        None => Err("running"),
    });
    let output = child.wait_with_output().unwrap();
    assert_eq!(fs::read_to_string(&conf).unwrap(), text, "the file was touched");
    let (code, lines) = complaint(&output, port.number());
    (code, lines.into_iter().map(|line| line.replace(place, "DIR")).collect())
}

#[test]
fn refusals_are_the_genuine_ones_word_for_word() {
    let mut differences = Vec::new();
    for refusal in REFUSALS {
        let genuine = refused(&Program::genuine(), refusal.lines, &[]);
        assert_eq!(genuine.0, Some(1), "{}: {genuine:?}", refusal.name);
        assert!(!genuine.1.is_empty(), "{} is refused without a word", refusal.name);
        let subject = refused(&Program::subject_as_redis_7(), refusal.lines, &[]);
        if subject != genuine {
            differences.push(format!("{}:\n  genuine: {genuine:?}\n  subject: {subject:?}", refusal.name));
        }
    }
    for arguments in [&["nowhere.conf"][..], &["--port", "0"], &[]] {
        // The last is a start without any argument.
        let arguments = if arguments.is_empty() { &["--sentinel"][..] } else { arguments };
        let genuine = refused(&Program::genuine(), "", arguments);
        let subject = refused(&Program::subject_as_redis_7(), "", arguments);
        if subject != genuine {
            differences.push(format!("{arguments:?}:\n  genuine: {genuine:?}\n  subject: {subject:?}"));
        }
    }
    assert!(differences.is_empty(), "{} refusals differ\n{}", differences.len(), differences.join("\n"));
}

/// Debian's sample file, on another port and folder, as its text is apart from that.
fn debian_sample(dir: &TempDir, port: u16) -> String {
    let sample = fs::read_to_string("/usr/share/doc/redis-sentinel/examples/sentinel.conf")
        .or_else(|_| fs::read_to_string("/etc/redis/sentinel.conf"))
        .expect("Debian's sentinel.conf");
    let place = dir.path().display().to_string();
    sample
        .replace("port 26379", &format!("port {port}"))
        .replace("/run/sentinel", &place)
        .replace("/var/log/redis", &place)
        .replace("/var/lib/redis", &place)
}

#[test]
fn debian_s_sample_file_daemonizes() {
    let dir = TempDir::with_prefix("vedette-sample").unwrap();
    let port = Port::reserve();
    let conf = dir.path().join("sentinel.conf");
    let text = debian_sample(&dir, port.number());
    assert!(text.contains("\ndaemonize yes"), "{text}");
    fs::write(&conf, &text).unwrap();
    let started = Program::subject().command().arg(&conf).stdin(Stdio::null()).output().unwrap();
    assert!(started.status.success(), "{started:?}");
    let mut client = poll("it answers", || Client::connect("127.0.0.1", port.number()));
    assert_eq!(client.call(&["PING"]).text(), "PONG");
    let pid_file = dir.path().join("redis-sentinel.pid");
    let pid: i32 = poll("the pid file", || fs::read_to_string(&pid_file)).trim().parse().unwrap();
    let info = client.call(&["INFO", "server"]).text();
    assert!(info.contains(&format!("process_id:{pid}\r\n")), "{info}");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session: i32 = stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap().parse().unwrap();
    assert_eq!(session, pid, "it leads a session of its own");
    for fd in 0..3 {
        assert_eq!(fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap().to_str(), Some("/dev/null"));
    }
    let log = fs::read_to_string(dir.path().join("redis-sentinel.log")).unwrap();
    assert!(log.contains("+monitor master mymaster 127.0.0.1 6379 quorum 2"), "{log}");
    let _ = client.command(&["SHUTDOWN"]);
    eventually("the pid file is gone", || !pid_file.exists());
    eventually("nothing listens", || Client::connect("127.0.0.1", port.number()).is_err());
    let rewritten = fs::read_to_string(&conf).unwrap();
    assert!(rewritten.contains("sentinel myid ") && rewritten.contains("daemonize yes"), "{rewritten}");
}

/// The lines of one key in Debian's unit file.
fn unit(key: &str) -> Vec<String> {
    let text = fs::read_to_string("/lib/systemd/system/redis-sentinel.service").unwrap();
    text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned).collect()
}

/// The system calls of a set as systemd defines it.
fn calls_of(set: &str) -> Vec<String> {
    let output = Command::new("systemd-analyze").args(["syscall-filter", set]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(|line| if line.starts_with('@') { calls_of(line) } else { vec![line.to_owned()] })
        .collect()
}

/// What Debian's unit lets the process call.
fn allowed_calls() -> Vec<String> {
    let mut allowed = Vec::new();
    for rule in unit("SystemCallFilter") {
        let (deny, sets) = rule.strip_prefix('~').map_or((false, &*rule), |rest| (true, rest));
        for set in sets.split_whitespace() {
            let calls = if set.starts_with('@') { calls_of(set) } else { vec![set.to_owned()] };
            if deny {
                allowed.retain(|call| !calls.contains(call));
            } else {
                allowed.extend(calls);
            }
        }
    }
    assert!(allowed.len() > 100, "{allowed:?}");
    allowed
}

/// Under Debian's unit nothing beyond its system call filter is needed: the daemon is traced from its start with the
/// unit's own arguments through a failover, a rewrite, a script and its end.
#[test]
fn debian_s_unit_forbids_no_system_call_that_is_made() {
    let allowed = allowed_calls();
    let mut group = Spec { programs: Spec::default().programs[..2].to_vec(), ..Spec::default() }.start();
    let sentinel = &mut group.sentinels[0];
    sentinel.terminate();
    let trace = sentinel.dir().join("trace.txt");
    let socket_path = sentinel.dir().join("notify");
    let socket = UnixDatagram::bind(&socket_path).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let program = sentinel.dir().join("redis-sentinel");
    symlink(sentinel.program().path(), &program).unwrap();
    let arguments: Vec<String> = unit("ExecStart")[0].split_whitespace().skip(2).map(str::to_owned).collect();
    assert_eq!(arguments, ["--supervised", "systemd", "--daemonize", "no"]);
    // The unit takes all capabilities away, and somebody else may own the file.
    assert_eq!(unit("CapabilityBoundingSet"), [""]);
    let mut command = if rustix::process::geteuid().is_root() {
        fs::set_permissions(sentinel.conf(), fs::Permissions::from_mode(0o666)).unwrap();
        chown(sentinel.conf(), Some(1234), Some(2345)).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all", "strace"]);
        command
    } else {
        Command::new("strace")
    };
    command.args(["-f", "-qq", "-e", "signal=none", "-o"]).arg(&trace);
    command.arg(&program).arg(sentinel.conf()).args(&arguments);
    command.env("NOTIFY_SOCKET", &socket_path).current_dir(sentinel.dir());
    let mut traced = Process::spawn("traced", command, sentinel.dir());
    let mut message = [0; 4096];
    let mut heard = String::new();
    while !heard.contains("READY=1") {
        let length = socket.recv(&mut message).unwrap();
        heard.push_str(std::str::from_utf8(&message[..length]).unwrap());
    }
    let sentinel = &group.sentinels[0];
    poll("it answers", || sentinel.connect()?.command(&["PING"]));
    sentinel.ok(&["SENTINEL", "SET", NAME, "quorum", "1"]);
    let old = group.nodes[0].port();
    group.node(old).kill();
    let sentinel = &group.sentinels[0];
    eventually("it switched", || sentinel.address(NAME).is_some_and(|(_, port)| port != old));
    sentinel.call(&["INFO"]);
    let pid = sentinel.call(&["INFO", "server"]).text();
    let pid = pid.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    traced.wait();
    let text = fs::read_to_string(&trace).unwrap();
    let mut forbidden: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('(').map(|(name, _)| name))
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        .filter(|name| !allowed.iter().any(|call| call == name))
        .collect();
    forbidden.sort_unstable();
    forbidden.dedup();
    assert!(forbidden.is_empty(), "the unit forbids {forbidden:?}");
    // MemoryDenyWriteExecute, RestrictAddressFamilies, RestrictRealtime, RestrictNamespaces of the same unit.
    for line in text.lines() {
        assert!(!(line.contains("PROT_WRITE") && line.contains("PROT_EXEC")), "{line}");
        if line.contains(" socket(") {
            let families = ["AF_INET,", "AF_INET6,", "AF_UNIX,"];
            assert!(families.iter().any(|family| line.contains(family)), "{line}");
        }
        for word in ["sched_setscheduler(", "CLONE_NEW"] {
            assert!(!line.contains(word), "{line}");
        }
    }
}

#[test]
fn a_read_only_file_is_refused() {
    // Root may write everywhere, so a user without rights plays the daemon's part.
    let dir = TempDir::with_prefix("vedette-readonly").unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let port = Port::reserve();
    let conf = dir.path().join("s.conf");
    fs::write(&conf, format!("port {}\n", port.number())).unwrap();
    fs::set_permissions(&conf, fs::Permissions::from_mode(0o444)).unwrap();
    let say = |program: &Program| {
        let copy = dir.path().join("program");
        fs::copy(program.path(), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(&copy)
            .arg(&conf)
            .arg("--sentinel")
            .env("VEDETTE_IDENTITY", "redis-7.0")
            .current_dir(dir.path())
            .output()
            .unwrap();
        let lines = complaint(&output, port.number());
        assert_eq!(lines.0, Some(1), "{output:?}");
        lines.1
    };
    let genuine = say(&Program::genuine());
    let expected =
        format!("Sentinel config file {} is not writable: Permission denied. Exiting...", conf.display());
    assert_eq!(genuine, [expected]);
    assert_eq!(say(&Program::subject()), genuine);
}
