//! A file that can't be saved: a full disk, a file system that became read-only, a file that is a mount of its own. The
//! daemon says so, goes on serving, gives no vote that it might forget, and saves when it can.
//!
//! The file lies on a small file system of its own, so these tests need the right to mount.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::group::NAME;
use crate::support::node::NodeSpec;
use crate::support::poll::holds_for;
use crate::support::sentinel::SentinelSpec;
use crate::support::{Client, Node, Process, Program, Sentinel, Value, eventually, poll};

const FAILED: &str = "ERR Failed to save config file. Check server logs.";
const LOGGED: &str = "WARNING: Sentinel was not able to save the new configuration on disk!!!: ";

fn run(command: &str, words: &[&str]) {
    let output = Command::new(command).args(words).output().unwrap();
    assert!(output.status.success(), "{command} {words:?} (root is needed): {output:?}");
}

/// A mount that ends with it.
struct Mount(PathBuf);

impl Mount {
    /// A small file system in memory.
    fn memory(at: &Path) -> Self {
        fs::create_dir(at).unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=64k", "vedette-test", at.to_str().unwrap()]);
        Self(at.to_owned())
    }

    /// A file mounted on itself, as container engines do with a file of the host.
    fn of_file(at: &Path) -> Self {
        run("mount", &["--bind", at.to_str().unwrap(), at.to_str().unwrap()]);
        Self(at.to_owned())
    }

    fn writable(&self, writable: bool) {
        let option = if writable { "remount,rw" } else { "remount,ro" };
        run("mount", &["-o", option, self.0.to_str().unwrap()]);
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("ballast")).unwrap();
        let error = (0..).find_map(|_| file.write_all(&[b'x'; 4096]).err()).unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// A primary, a replica, and one Sentinel whose file lies on a small disk. The log and all else lie elsewhere.
struct Small {
    process: Process,
    disk: Mount,
    sentinel: Sentinel,
    program: Program,
    primary: Node,
    replica: Node,
    _dir: TempDir,
}

impl Small {
    fn start(program: Program) -> Self {
        let primary = Node::start(&NodeSpec::default());
        let follow = format!("replicaof 127.0.0.1 {}", primary.port());
        let replica = Node::start(&NodeSpec { lines: vec![follow], ..NodeSpec::default() });
        eventually("the replica's link is up", || replica.follows(primary.port()));
        let sentinel = Sentinel::prepare(&SentinelSpec {
            program: program.clone(),
            lines: vec![
                format!("sentinel monitor {NAME} 127.0.0.1 {} 1", primary.port()),
                format!("sentinel down-after-milliseconds {NAME} 1000"),
                format!("sentinel failover-timeout {NAME} 2000"),
            ],
            ..SentinelSpec::default()
        });
        let dir = TempDir::with_prefix("vedette-disk").unwrap();
        let disk = Mount::memory(&dir.path().join("disk"));
        fs::copy(sentinel.conf(), disk.0.join("sentinel.conf")).unwrap();
        let process = launch(&program, &sentinel, &disk);
        let small = Self { process, disk, sentinel, program, primary, replica, _dir: dir };
        small.settled();
        small
    }

    /// Waits until nothing more is to be learnt, and so nothing to be saved.
    fn settled(&self) {
        poll("the daemon answers", || self.sentinel.connect()?.command(&["PING"]));
        poll("it knows the replica", || {
            let rows = self.sentinel.rows("REPLICAS", NAME);
            if rows.len() == 1 && rows[0]["flags"] == "slave" { Ok(()) } else { Err(rows) }
        });
        let known = format!("known-replica {NAME} 127.0.0.1 {}", self.replica.port());
        poll("the replica is saved", || {
            let text = self.file();
            if text.contains(&known) { Ok(()) } else { Err(text) }
        });
    }

    fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.program, &self.sentinel, &self.disk);
        self.settled();
    }

    fn path(&self) -> PathBuf {
        self.disk.0.join("sentinel.conf")
    }

    fn file(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// The quorum, to be changed and looked at.
    fn set(&self, quorum: &str) -> Value {
        self.sentinel.call(&["SENTINEL", "SET", NAME, "quorum", quorum])
    }

    fn quorum_in_file(&self) -> String {
        let text = self.file();
        let line = text.lines().find(|line| line.starts_with("sentinel monitor")).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }

    /// Whatever asks for a save is refused, the file is as it was, and all else goes on.
    fn cannot_save(&mut self, reason: &str) {
        let before = self.file();
        let mut client = self.sentinel.connect().unwrap();
        assert_eq!(self.set("7"), Value::Error(FAILED.to_owned()));
        assert_eq!(client.call(&["SENTINEL", "FLUSHCONFIG"]), Value::Error(FAILED.to_owned()));
        assert_eq!(
            client.call(&["SENTINEL", "CONFIG", "SET", "announce-port", "4321"]),
            Value::Error(FAILED.to_owned())
        );
        poll("the log says why", || {
            let log = self.sentinel.log();
            if log.contains(&format!("{LOGGED}{reason}")) { Ok(()) } else { Err(log) }
        });
        assert_eq!(self.file(), before);
        assert_eq!(self.sentinel.master_field(NAME, "quorum"), "7", "the change holds in memory");
        serves(&mut client, self.primary.port());
        assert_eq!(self.process.ended(), None);
        let mut names: Vec<String> = fs::read_dir(&self.disk.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "ballast")
            .collect();
        names.sort();
        assert_eq!(names, ["sentinel.conf"], "nothing is left behind");
    }

    /// It works as if nothing had happened, also for the next start.
    fn saves_again(&mut self) {
        assert_eq!(self.set("5"), Value::Simple("OK".to_owned()));
        assert_eq!(self.quorum_in_file(), "5");
        self.sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
        self.restart();
        assert_eq!(self.sentinel.master_field(NAME, "quorum"), "5");
        let port = self.sentinel.call(&["SENTINEL", "CONFIG", "GET", "announce-port"]);
        assert_eq!(port.texts(), ["announce-port", "4321"]);
    }

    /// Asks for a vote, as a peer does; the leader and the epoch in the answer.
    fn ask_vote(&self, epoch: u64, candidate: &str) -> (String, i64) {
        let (port, epoch) = (self.primary.port().to_string(), epoch.to_string());
        let words = ["SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", &port, &epoch, candidate];
        let reply = self.sentinel.call(&words);
        let [Value::Int(0), leader, Value::Int(epoch)] = reply.items() else { panic!("{reply:?}") };
        (leader.text(), *epoch)
    }
}

fn launch(program: &Program, sentinel: &Sentinel, disk: &Mount) -> Process {
    let mut command = program.command();
    command.arg(disk.0.join("sentinel.conf")).current_dir(sentinel.dir());
    Process::spawn("sentinel", command, sentinel.dir())
}

fn serves(client: &mut Client, primary: u16) {
    assert_eq!(client.call(&["PING"]), Value::Simple("PONG".to_owned()));
    let address = client.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
    assert_eq!(address.texts(), ["127.0.0.1", &primary.to_string()]);
}

/// The genuine one too: what is expected of a drop-in is what the other one does.
fn both() -> [Program; 2] {
    [Program::subject(), Program::genuine()]
}

#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    for program in both() {
        let mut small = Small::start(program);
        small.disk.fill();
        small.cannot_save("No space left on device");
        small.disk.empty();
        small.saves_again();
    }
}

#[test]
fn a_read_only_file_system_is_an_error_until_it_can_be_written() {
    for program in both() {
        let mut small = Small::start(program);
        small.disk.writable(false);
        small.cannot_save("Read-only file system");
        small.disk.writable(true);
        small.saves_again();
    }
}

#[test]
fn a_file_that_is_a_mount_of_its_own_can_t_be_replaced() {
    for program in both() {
        let mut small = Small::start(program);
        let mount = Mount::of_file(&small.path());
        small.cannot_save("Device or resource busy");
        drop(mount);
        small.saves_again();
    }
}

#[test]
fn what_could_not_be_saved_is_saved_without_being_asked_for() {
    let small = Small::start(Program::subject());
    small.disk.fill();
    assert_eq!(small.set("7").text(), FAILED);
    assert_eq!(small.quorum_in_file(), "1");
    small.disk.empty();
    eventually("the change is in the file", || small.quorum_in_file() == "7");
    assert!(small.sentinel.log().contains("Sentinel new configuration saved on disk"));
}

#[test]
fn a_start_on_a_full_disk_serves_and_saves_its_id_later() {
    let mut small = Small::start(Program::subject());
    small.process.kill();
    let kept: Vec<String> =
        small.file().lines().filter(|line| !line.contains("myid")).map(str::to_owned).collect();
    fs::write(small.path(), kept.join("\n") + "\n").unwrap();
    small.disk.fill();
    small.process = launch(&small.program, &small.sentinel, &small.disk);
    small.settled();
    let id = small.sentinel.call(&["SENTINEL", "MYID"]).text();
    assert_eq!(id.len(), 40);
    serves(&mut small.sentinel.connect().unwrap(), small.primary.port());
    assert!(!small.file().contains(&id));
    small.disk.empty();
    eventually("the id is in the file", || small.file().contains(&format!("sentinel myid {id}")));
}

#[test]
fn a_vote_that_can_t_be_saved_is_not_given() {
    let mut small = Small::start(Program::subject());
    let [first, second] = ["a", "b"].map(|letter| letter.repeat(40));
    assert_eq!(small.ask_vote(1, &first), (first.clone(), 1));
    assert!(small.file().contains(&format!("sentinel leader-epoch {NAME} 1")));
    small.disk.fill();
    // The given one stands: it is on the disk.
    assert_eq!(small.ask_vote(1, &second), (first, 1));
    for _ in 0..3 {
        assert_eq!(small.ask_vote(2, &second), ("*".to_owned(), 0));
    }
    serves(&mut small.sentinel.connect().unwrap(), small.primary.port());
    assert!(small.file().contains(&format!("sentinel leader-epoch {NAME} 1")));
    small.disk.empty();
    assert_eq!(small.ask_vote(2, &second), (second, 2));
    assert!(small.file().contains(&format!("sentinel leader-epoch {NAME} 2")));
    small.restart();
    // The file doesn't tell for whom the vote was, but that there is none left in that epoch.
    assert_eq!(small.ask_vote(2, &"c".repeat(40)), ("*".to_owned(), 2));
}

#[test]
fn nobody_is_elected_by_a_vote_that_can_t_be_saved() {
    let mut small = Small::start(Program::subject());
    small.disk.fill();
    let (old, new) = (small.primary.port(), small.replica.port());
    small.primary.kill();
    eventually("an attempt was given up", || small.sentinel.log().contains("-failover-abort-not-elected"));
    assert!(!small.sentinel.log().contains("+elected-leader"));
    holds_for(Duration::from_millis(500), "the replica is one", || small.replica.info("role") == "slave");
    assert_eq!(small.sentinel.address(NAME).unwrap().1, old);
    small.disk.empty();
    eventually("the replica is promoted", || {
        small.sentinel.address(NAME).is_some_and(|(_, port)| port == new)
    });
    assert_eq!(small.replica.info("role"), "master");
    eventually("the new primary is in the file", || {
        small.file().contains(&format!("sentinel monitor {NAME} 127.0.0.1 {new} 1"))
    });
}
