//! A Sentinel process: the program under test or the genuine one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Certs, Client, Host, Login, Port, Process, Value, poll};

/// Which program plays the Sentinel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    path: PathBuf,
    identity: Option<&'static str>,
    name: &'static str,
    /// The names that it can resolve, instead of the machine's.
    hosts: Option<PathBuf>,
}

impl Program {
    /// The program under test, as `redis-sentinel` would be called.
    pub(crate) fn subject() -> Self {
        let path = std::env::var_os("VEDETTE_TEST_SENTINEL")
            .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_vedette")), PathBuf::from);
        Self { path, identity: None, name: "redis-sentinel", hosts: None }
    }

    /// The program under test with Debian's version as its identity.
    pub(crate) fn subject_as_redis_7() -> Self {
        Self { identity: Some("redis-7.0"), ..Self::subject() }
    }

    /// The installed redis-sentinel.
    pub(crate) fn genuine() -> Self {
        Self {
            path: PathBuf::from("/usr/bin/redis-sentinel"),
            identity: None,
            name: "redis-sentinel",
            hosts: None,
        }
    }

    /// The installed valkey-sentinel.
    pub(crate) fn genuine_valkey() -> Self {
        Self {
            path: PathBuf::from("/usr/bin/valkey-sentinel"),
            identity: None,
            name: "valkey-sentinel",
            hosts: None,
        }
    }

    /// Called by another name.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The same with the names of that file where others find `/etc/hosts`.
    pub(crate) fn with_hosts(self, hosts: &Path) -> Self {
        Self { hosts: Some(hosts.to_owned()), ..self }
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs it.
    pub(crate) fn command(&self) -> Command {
        let mut command = match &self.hosts {
            Some(hosts) => super::hosts::with_hosts(hosts, &self.path),
            None => {
                let mut command = Command::new(&self.path);
                command.arg0(self.name);
                command
            }
        };
        command.env_remove("VEDETTE_IDENTITY").env_remove("NOTIFY_SOCKET");
        if let Some(identity) = self.identity {
            command.env("VEDETTE_IDENTITY", identity);
        }
        command
    }
}

/// What a Sentinel is started with.
#[derive(Clone, Debug)]
pub(crate) struct SentinelSpec {
    /// The program.
    pub(crate) program: Program,
    /// Where it listens.
    pub(crate) host: String,
    /// The host that it runs on, with `host` as its address, instead of this machine's loopback.
    pub(crate) place: Option<Host>,
    /// Lines of the file after the harness's own.
    pub(crate) lines: Vec<String>,
    /// How the harness logs in.
    pub(crate) login: Login,
    /// TLS beside plain text on another port, and on all links.
    pub(crate) certs: Option<Rc<Certs>>,
}

impl Default for SentinelSpec {
    fn default() -> Self {
        Self {
            program: Program::subject(),
            host: "127.0.0.1".to_owned(),
            place: None,
            lines: Vec::new(),
            login: Login::default(),
            certs: None,
        }
    }
}

/// A running or stopped Sentinel with its folder.
#[derive(Debug)]
pub(crate) struct Sentinel {
    process: Option<Process>,
    dir: TempDir,
    port: Port,
    program: Program,
    host: String,
    place: Option<Host>,
    login: Login,
    certs: Option<Rc<Certs>>,
}

impl Sentinel {
    /// Writes the file, starts the process and waits until it answers.
    pub(crate) fn start(spec: &SentinelSpec) -> Self {
        let mut sentinel = Self::prepare(spec);
        sentinel.restart();
        sentinel
    }

    /// As [`Sentinel::start`] without starting.
    pub(crate) fn prepare(spec: &SentinelSpec) -> Self {
        Self::prepare_at(spec, Port::reserve())
    }

    /// As [`Sentinel::prepare`], on a port reserved before.
    pub(crate) fn prepare_at(spec: &SentinelSpec, port: Port) -> Self {
        let dir = TempDir::with_prefix("vedette-sentinel").unwrap();
        let bind = Host::bind(spec.place.as_ref(), &spec.host);
        let mut lines = vec![
            format!("bind {bind}"),
            format!("dir {}", dir.path().display()),
            "logfile log.txt".to_owned(),
        ];
        match &spec.certs {
            Some(certs) => lines.extend(certs.lines(port.number())),
            None => lines.push(format!("port {}", port.number())),
        }
        lines.extend(spec.lines.iter().cloned());
        fs::write(dir.path().join("sentinel.conf"), lines.join("\n") + "\n").unwrap();
        Self {
            process: None,
            dir,
            port,
            program: spec.program.clone(),
            host: spec.host.clone(),
            place: spec.place.clone(),
            login: spec.login.clone(),
            certs: spec.certs.clone(),
        }
    }

    /// Starts the process on the file as it is now and waits until it answers.
    pub(crate) fn restart(&mut self) {
        self.launch();
        poll(&format!("sentinel {} answers", self.port()), || {
            if let Some(status) = self.process().ended() {
                let dir = self.dir.path();
                let text =
                    ["err.txt", "log.txt"].map(|file| fs::read_to_string(dir.join(file)).unwrap_or_default());
                panic!("the Sentinel ended with {status}:\n{}", text.join("\n"));
            }
            self.connect()?.command(&["PING"])
        });
    }

    /// Starts the process without waiting.
    pub(crate) fn launch(&mut self) {
        self.process = None;
        let mut command = self.program.command();
        command.arg(self.conf()).current_dir(self.dir.path());
        let name = format!("sentinel {}", self.port());
        self.process = Some(Process::spawn_at(self.place.as_ref(), &name, command, self.dir.path()));
    }

    /// Puts another program in its place: SIGTERM, then a start on the same file.
    pub(crate) fn replace_by(&mut self, program: Program) {
        self.terminate();
        self.program = program;
        self.restart();
    }

    /// SIGTERM and waits for exit status 0.
    pub(crate) fn terminate(&mut self) {
        self.process().signal(Signal::TERM);
        let status = self.process().wait();
        self.process = None;
        assert!(status.success(), "SIGTERM ended it with {status}");
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.process().kill();
        self.process = None;
    }

    /// Takes note that the process ended by itself.
    pub(crate) fn forget_process(&mut self) {
        self.process = None;
    }

    /// The process.
    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a running Sentinel")
    }

    /// Whether it was started and not stopped.
    pub(crate) const fn running(&self) -> bool {
        self.process.is_some()
    }

    /// The program it runs.
    pub(crate) const fn program(&self) -> &Program {
        &self.program
    }

    /// Its port.
    pub(crate) const fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its address as text.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The configuration file.
    pub(crate) fn conf(&self) -> PathBuf {
        self.dir.path().join("sentinel.conf")
    }

    /// The configuration file's text.
    pub(crate) fn conf_text(&self) -> String {
        fs::read_to_string(self.conf()).unwrap()
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log.txt")).unwrap_or_default()
    }

    /// Changes how the harness logs in.
    pub(crate) fn set_login(&mut self, login: Login) {
        self.login = login;
    }

    /// A logged-in connection.
    pub(crate) fn connect(&self) -> io::Result<Client> {
        self.connect_bare()?.login(&self.login)
    }

    /// A connection without AUTH.
    pub(crate) fn connect_bare(&self) -> io::Result<Client> {
        match (&self.place, &self.certs) {
            (Some(host), _) => host.connect(self.port()),
            (None, Some(certs)) => Client::connect_tls(&self.host, self.port(), certs),
            (None, None) => Client::connect(&self.host, self.port()),
        }
    }

    /// One command on a connection of its own.
    #[track_caller]
    pub(crate) fn call(&self, words: &[&str]) -> Value {
        self.connect().unwrap_or_else(|error| panic!("{words:?}: {error}")).call(words)
    }

    /// One command that must be answered with OK.
    #[track_caller]
    pub(crate) fn ok(&self, words: &[&str]) {
        assert_eq!(self.call(words), Value::Simple("OK".to_owned()), "{words:?}");
    }

    /// SENTINEL MASTER as a map.
    #[track_caller]
    pub(crate) fn master(&self, name: &str) -> BTreeMap<String, String> {
        self.call(&["SENTINEL", "MASTER", name]).fields()
    }

    /// A field of SENTINEL MASTER; empty when it is not there or the Sentinel can't be asked.
    pub(crate) fn master_field(&self, name: &str, field: &str) -> String {
        let Ok(reply) = self.connect().and_then(|mut client| client.command(&["SENTINEL", "MASTER", name]))
        else {
            return String::new();
        };
        if reply.is_error() {
            return String::new();
        }
        reply.fields().remove(field).unwrap_or_default()
    }

    /// SENTINEL REPLICAS or SENTINELS as maps.
    #[track_caller]
    pub(crate) fn rows(&self, what: &str, name: &str) -> Vec<BTreeMap<String, String>> {
        self.call(&["SENTINEL", what, name]).items().iter().map(Value::fields).collect()
    }

    /// The row of the replica at `port`, if it is known.
    pub(crate) fn replica(&self, name: &str, port: u16) -> Option<BTreeMap<String, String>> {
        self.rows("REPLICAS", name).into_iter().find(|row| row["port"] == port.to_string())
    }

    /// SENTINEL GET-MASTER-ADDR-BY-NAME; nothing when it can't be asked or has no answer.
    pub(crate) fn address(&self, name: &str) -> Option<(String, u16)> {
        let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name];
        let reply = self.connect().and_then(|mut client| client.command(&words)).ok()?;
        let Value::Array(items) = reply else { return None };
        Some((items[0].text(), items[1].text().parse().unwrap()))
    }
}
