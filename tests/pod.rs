//! `vedette boot` and `vedette leave`, which run in the Pods of data nodes, on real data nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::rc::Rc;
use std::time::Duration;

use support::group::{NAME, Spec};
use support::node::{NodeSpec, REDIS, VALKEY};
use support::{Certs, Client, Group, Login, Node, Port, Process, Program, eventually, poll};
use tempfile::TempDir;

/// A folder like the emptyDir that a Pod's containers share: programs may be started from it, which not every temporary
/// folder allows.
fn shared_folder() -> TempDir {
    TempDir::with_prefix_in("shared", env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn vedette() -> Command {
    Program::subject().named("vedette").command()
}

/// A data node's Pod: a folder shared with its init container, and files that may outlive its container.
struct Pod {
    program: &'static str,
    shared: TempDir,
    files: TempDir,
    port: Port,
    /// Whether the role comes with the configuration file instead of the command.
    include: bool,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Pod {
    /// Runs the init container, and then the container.
    fn start(program: &'static str, include: bool, arguments: &[&str]) -> Self {
        let shared = shared_folder();
        let prepared = vedette().args(["boot", "--into"]).arg(shared.path()).output().unwrap();
        assert!(prepared.status.success(), "{prepared:?}");
        let mut pod = Self {
            program,
            shared,
            files: TempDir::with_prefix("vedette-files").unwrap(),
            port: Port::reserve(),
            include,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            process: None,
        };
        pod.restart();
        pod
    }

    /// Runs the container alone, as after its end.
    fn restart(&mut self) {
        self.process = None;
        let conf = self.files.path().join("redis.conf");
        let mut text = format!(
            "bind 127.0.0.1\nport {}\ndir {}\nlogfile log.txt\n# As a file that was rewritten while it was a primary.\n\
             replicaof no one\n",
            self.port.number(),
            self.files.path().display()
        );
        if self.include {
            text += &format!("include {}\n", self.shared.path().join("boot.conf").display());
        }
        fs::write(&conf, text).unwrap();
        let mut command = if self.include {
            Command::new(self.program)
        } else {
            let mut command = Command::new(self.shared.path().join("vedette"));
            command.args(["boot", "exec", self.program]);
            command
        };
        command.arg(conf).args(&self.arguments);
        self.process = Some(Process::spawn("pod", command, self.files.path()));
        eventually("it answers", || {
            self.connect().is_ok_and(|mut client| {
                let text = client.call(&["INFO"]).text();
                text.contains("\nloading:0") || text.starts_with("NOAUTH")
            })
        });
    }

    fn connect(&self) -> std::io::Result<Client> {
        Client::connect("127.0.0.1", self.port.number())
    }

    fn call(&self, words: &[&str]) -> String {
        self.connect().unwrap().call(words).text()
    }

    fn kill(&mut self) {
        self.process.as_mut().unwrap().kill();
    }

    /// It has no role: it follows nobody and takes no write.
    fn assert_without_role(&self) {
        let role = self.connect().unwrap().call(&["ROLE"]).texts();
        assert_eq!(role[..3], ["slave", "127.0.0.1", "1"], "{role:?}");
        let info = self.call(&["INFO", "replication"]);
        assert!(info.contains("master_link_status:down"), "{info}");
        let written = self.call(&["SET", "key", "other"]);
        assert!(written.starts_with("READONLY") || written.starts_with("MASTERDOWN"), "{written}");
    }
}

/// A replica with data is attached to a primary whose container dies, with or without its data.
fn dies_as_primary(program: &'static str, include: bool, persistent: bool) {
    let durable: &[&str] = if persistent { &["--appendonly", "yes"] } else { &["--save", ""] };
    let mut pod = Pod::start(program, include, durable);
    pod.assert_without_role();
    assert_eq!(pod.call(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_eq!(pod.call(&["SET", "key", "kept"]), "OK");
    let replica = Node::start(&NodeSpec {
        program,
        lines: vec![format!("replicaof 127.0.0.1 {}", pod.port.number())],
        ..NodeSpec::default()
    });
    let of_replica = |words: &[&str]| replica.connect().unwrap().call(words).text();
    eventually("the replica has it", || of_replica(&["GET", "key"]) == "kept");

    pod.kill();
    pod.restart();
    pod.assert_without_role();
    let empty = pod.call(&["EXISTS", "key"]);
    assert_eq!(empty, if persistent { "1" } else { "0" }, "its data are as they were left");
    // The replica asks for a sync again and again; it is refused each time.
    let log = replica.dir().join("log.txt");
    let refused = || fs::read_to_string(&log).unwrap().matches("NOMASTERLINK").count();
    let before = refused();
    eventually("the replica was refused", || refused() > before + 1);
    assert_eq!(of_replica(&["GET", "key"]), "kept");
}

#[test]
fn a_primary_that_restarts_empty_overwrites_nobody() {
    dies_as_primary(REDIS, false, false);
}

#[test]
fn a_primary_that_restarts_with_data_waits_for_its_role() {
    dies_as_primary(REDIS, false, true);
}

#[test]
fn valkey_waits_for_its_role_too() {
    dies_as_primary(VALKEY, false, false);
}

#[test]
fn a_configuration_file_can_include_it() {
    dies_as_primary(REDIS, true, false);
}

#[test]
fn passwords_and_announced_addresses_stay() {
    let pod = Pod::start(
        REDIS,
        false,
        &["--requirepass", "secret", "--masterauth", "secret", "--replica-announce-ip", "10.1.2.3"],
    );
    assert!(pod.call(&["ROLE"]).starts_with("NOAUTH"));
    let mut client = pod.connect().unwrap().login(&Login::password("secret")).unwrap();
    for (name, value) in
        [("masterauth", "secret"), ("replica-announce-ip", "10.1.2.3"), ("replicaof", "127.0.0.1 1")]
    {
        assert_eq!(client.call(&["CONFIG", "GET", name]).texts(), [name, value]);
    }
}

#[test]
fn a_pod_that_is_not_prepared_is_told_why() {
    for (arguments, wanted) in [
        (
            &["boot", "--into", "/nonexistent/folder"][..],
            "vedette boot: there is no folder /nonexistent/folder",
        ),
        (
            &["boot", "exec", "/nonexistent/redis-server"],
            "vedette boot: '/nonexistent/redis-server' could not be started: No such file",
        ),
        (&["boot", "exec", "sh", "-c", "redis-server"], "vedette boot: 'sh' is no redis-server"),
    ] {
        let output = vedette().args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.starts_with(wanted), "{said}");
    }
}

/// A fleet that does nothing by itself within a test.
fn fleet(spec: Spec) -> Group {
    Spec { down_after: Duration::from_secs(60), ..spec }.start()
}

fn leave(vedettes: u16, node: u16, more: &[&str]) -> Output {
    let [vedettes, node] = [vedettes, node].map(|port| format!("127.0.0.1:{port}"));
    let arguments = ["leave", NAME, "--vedettes", &vedettes, "--node", &node];
    vedette().args(arguments).args(more).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_primary_leaves_after_its_role() {
    let group = fleet(Spec::default());
    let old = group.primary_port();
    let output = leave(group.sentinels[0].port(), old, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "the role has left\n");
    let new = group.sentinels[0].address(NAME).unwrap().1;
    assert_ne!(new, old);
    let mut client = Client::connect("127.0.0.1", old).unwrap();
    assert_eq!(client.call(&["ROLE"]).texts()[0], "slave");

    // Once more from the same node, and from another: there is nothing to do, and nothing is done.
    let third = group.nodes.iter().map(Node::port).find(|port| ![old, new].contains(port)).unwrap();
    for port in [old, third] {
        let output = leave(group.sentinels[0].port(), port, &[]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(said(&output), "not a primary: nothing to hand over\n");
    }
    assert_eq!(group.sentinels[0].address(NAME).unwrap().1, new);
}

#[test]
fn it_leaves_from_genuine_sentinels() {
    let group = fleet(Spec { programs: vec![Program::genuine(); 3], ..Spec::default() });
    let output = leave(group.sentinels[0].port(), group.primary_port(), &["--within", "60"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "the role has left\n");
}

#[test]
fn it_speaks_tls_with_whom_it_is_told_to() {
    let certs = Rc::new(Certs::new());
    let group = fleet(Spec { certs: Some(certs.clone()), ..Spec::default() });
    let plain = fleet(Spec::default());
    let file = |name: &str| certs.dir().join(name).to_str().unwrap().to_owned();
    let (ca, cert, key) = (file("ca.crt"), file("node.crt"), file("node.key"));
    let shown = ["--cacert", &ca, "--cert", &cert, "--key", &key];
    let (vedettes, node) = (group.sentinels[0].port(), group.primary_port());
    let tls = |with: &'static str| [&[with][..], &shown].concat();

    let other = Certs::new();
    let foreign = other.ca();
    let output = leave(vedettes, node, &["--tls", "--cacert", foreign.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).starts_with("vedette leave: the data node said: no TLS with it:"),
        "{}",
        said(&output)
    );
    let output = leave(vedettes, node, &["--tls", "--cacert", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("failed to read a CA certificate from '/nonexistent'"),
        "{}",
        said(&output)
    );

    let output = leave(vedettes, plain.primary_port(), &tls("--tls=vedettes"));
    assert_eq!(said(&output), "not the primary that the vedettes know: nothing to hand over\n");
    let output = leave(plain.sentinels[0].port(), node, &tls("--tls=node"));
    assert_eq!(said(&output), "not the primary that the vedettes know: nothing to hand over\n");
    let output = leave(vedettes, node, &tls("--tls"));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "the role has left\n");
}

#[test]
fn passwords_come_from_files_and_the_environment() {
    let spec = Spec {
        node_lines: vec!["requirepass one".to_owned(), "masterauth one".to_owned()],
        node_login: Login::password("one"),
        head: vec!["requirepass two".to_owned(), "sentinel sentinel-pass two".to_owned()],
        sentinel_login: Login::password("two"),
        group_lines: vec![format!("auth-pass {NAME} one")],
        ..Spec::default()
    };
    let group = fleet(spec);
    let dir = TempDir::with_prefix("vedette-pass").unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, two, wrong) = (file("one", "one\n"), file("two", "two"), file("wrong", "wrong"));
    let (vedettes, node) = (group.sentinels[0].port(), group.primary_port());
    for (arguments, wanted) in [
        (&[][..], "vedette leave: the data node said: NOAUTH"),
        (&["--pass-file", &wrong], "vedette leave: the data node said: WRONGPASS"),
        (&["--pass-file", "/nonexistent"], "vedette leave: no password in /nonexistent: No such file"),
        (&["--pass-file", &one], "vedette leave: the vedettes said: NOAUTH"),
    ] {
        let output = leave(vedettes, node, arguments);
        assert!(!output.status.success() && said(&output).starts_with(wanted), "{}", said(&output));
    }
    let output = vedette()
        .args(["leave", NAME, "--vedettes", &format!("127.0.0.1:{vedettes}")])
        .args(["--node", &format!("localhost:{node}"), "--sentinel-pass-file", &two])
        .env("REDISCLI_AUTH", "one")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "the role has left\n");
}

#[test]
fn nobody_who_answers_holds_nobody_up() {
    let node = Node::start(&NodeSpec::default());
    let closed = Port::reserve();
    // Neither the node nor the vedettes.
    let output = leave(closed.number(), closed.number(), &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).starts_with("the data node does not answer (Connection refused"),
        "{}",
        said(&output)
    );
    // A primary that no vedette speaks for: connections refused, connections that stay silent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (port, why) in
        [(closed.number(), "Connection refused"), (silent.local_addr().unwrap().port(), "timed out")]
    {
        let output = leave(port, node.port(), &[]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).starts_with(&format!("no vedette answers ({why}")), "{}", said(&output));
    }
}

#[test]
fn who_is_not_theirs_moves_nothing() {
    let group = fleet(Spec::default());
    let stranger = Node::start(&NodeSpec::default());
    let vedettes = group.sentinels[0].port();
    let output = leave(vedettes, stranger.port(), &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), "not the primary that the vedettes know: nothing to hand over\n");
    assert_eq!(group.sentinels[0].address(NAME).unwrap().1, group.primary_port());

    let output = vedette()
        .args(["leave", "nosuch", "--vedettes", &format!("127.0.0.1:{vedettes}")])
        .args(["--node", &format!("127.0.0.1:{}", stranger.port())])
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(
        said(&output).starts_with("vedette leave: the vedettes said: ERR No such master"),
        "{}",
        said(&output)
    );
}

#[test]
fn who_may_not_ask_is_told_at_once() {
    let head = vec!["user onlooker on >look allchannels +sentinel|master +auth".to_owned()];
    let group = fleet(Spec { head, ..Spec::default() });
    let dir = TempDir::with_prefix("vedette-pass").unwrap();
    let file = dir.path().join("look");
    fs::write(&file, "look").unwrap();
    let login = ["--sentinel-user", "onlooker", "--sentinel-pass-file", file.to_str().unwrap()];
    // Longer than any test may take.
    let more = [&login[..], &["--within", "86400"]].concat();
    let output = leave(group.sentinels[0].port(), group.primary_port(), &more);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).starts_with("vedette leave: the vedettes said: NOPERM"), "{}", said(&output));
}

#[test]
fn a_role_that_nobody_can_take_is_said_to_be_still_here() {
    let group = fleet(Spec { replicas: 0, ..Spec::default() });
    let output = leave(group.sentinels[0].port(), group.primary_port(), &["--within", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output)
            .starts_with("vedette leave: the role is still here; the vedettes said last: NOGOODSLAVE"),
        "{}",
        said(&output)
    );
    let role = poll("it answers", || Client::connect("127.0.0.1", group.primary_port())).call(&["ROLE"]);
    assert_eq!(role.items()[0].text(), "master");
}

#[test]
fn the_shared_program_is_this_one() {
    let shared = shared_folder();
    let prepared = vedette().args(["boot", "--into"]).arg(shared.path()).output().unwrap();
    assert!(said(&prepared).starts_with("vedette and boot.conf are in "), "{}", said(&prepared));
    let version = |program: &Path| said(&Command::new(program).arg("--version").output().unwrap());
    assert_eq!(version(&shared.path().join("vedette")), version(Program::subject().path()));
}
