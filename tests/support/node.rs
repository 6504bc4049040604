//! A data node: the installed redis-server, or valkey-server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Certs, Client, Host, Login, Port, Process, poll};

/// Debian's Redis, what data nodes run unless told otherwise.
pub(crate) const REDIS: &str = "redis-server";

/// Debian's Valkey (`.ci/valkey` installs it).
pub(crate) const VALKEY: &str = "valkey-server";

/// A running or stopped data node with its folder.
#[derive(Debug)]
pub(crate) struct Node {
    process: Option<Process>,
    program: &'static str,
    dir: TempDir,
    port: Port,
    host: String,
    place: Option<Host>,
    login: Login,
    certs: Option<Rc<Certs>>,
}

/// What a node is started with.
#[derive(Clone, Debug)]
pub(crate) struct NodeSpec {
    /// The server's program.
    pub(crate) program: &'static str,
    /// The loopback address or name that it listens on and that clients use.
    pub(crate) host: String,
    /// The host that it runs on, with `host` as its address, instead of this machine's loopback.
    pub(crate) place: Option<Host>,
    /// Lines of redis.conf after the harness's own.
    pub(crate) lines: Vec<String>,
    /// How the harness logs in.
    pub(crate) login: Login,
    /// Only TLS, with these.
    pub(crate) certs: Option<Rc<Certs>>,
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self {
            program: REDIS,
            host: "127.0.0.1".to_owned(),
            place: None,
            lines: Vec::new(),
            login: Login::default(),
            certs: None,
        }
    }
}

impl Node {
    /// Starts a node and waits until it answers.
    pub(crate) fn start(spec: &NodeSpec) -> Self {
        Self::start_at(spec, Port::reserve())
    }

    /// As [`Node::start`], on a port reserved before.
    pub(crate) fn start_at(spec: &NodeSpec, port: Port) -> Self {
        let dir = TempDir::with_prefix("vedette-node").unwrap();
        let mut lines = vec![
            format!("bind {}", Host::bind(spec.place.as_ref(), &spec.host)),
            // Hosts of a test are nobody else's.
            "protected-mode no".to_owned(),
            format!("dir {}", dir.path().display()),
            "logfile log.txt".to_owned(),
            "save \"\"".to_owned(),
            "enable-debug-command yes".to_owned(),
            "repl-diskless-sync-delay 0".to_owned(),
        ];
        match &spec.certs {
            Some(certs) => lines.extend(certs.lines(port.number())),
            None => lines.push(format!("port {}", port.number())),
        }
        lines.extend(spec.lines.iter().cloned());
        fs::write(dir.path().join("redis.conf"), lines.join("\n") + "\n").unwrap();
        let (login, certs) = (spec.login.clone(), spec.certs.clone());
        let program = spec.program;
        let (host, place) = (spec.host.clone(), spec.place.clone());
        let mut node = Self { process: None, program, dir, port, host, place, login, certs };
        node.restart();
        node
    }

    /// Starts the process on its configuration file as it is now and waits until it answers.
    pub(crate) fn restart(&mut self) {
        self.launch();
        poll(&format!("node {} answers", self.port()), || match self.connect()?.command(&["PING"])? {
            reply if reply.is_error() && !reply.text().starts_with("MASTERDOWN") => {
                Err(io::Error::other(reply.text()))
            }
            _ => Ok::<_, io::Error>(()),
        });
    }

    /// As [`Node::restart`] without waiting.
    pub(crate) fn launch(&mut self) {
        self.process = None;
        let mut command = Command::new(self.program);
        command.arg(self.conf());
        let name = format!("node {}", self.port());
        self.process = Some(Process::spawn_at(self.place.as_ref(), &name, command, self.dir.path()));
    }

    /// The configuration file.
    pub(crate) fn conf(&self) -> PathBuf {
        self.dir.path().join("redis.conf")
    }

    /// The folder with its data.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its port.
    pub(crate) const fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its address as text.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether it was started and not killed.
    pub(crate) const fn running(&self) -> bool {
        self.process.is_some()
    }

    /// The process.
    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a running node")
    }

    /// Changes how the harness logs in.
    pub(crate) fn set_login(&mut self, login: Login) {
        self.login = login;
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.process().kill();
        self.process = None;
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    pub(crate) fn pause(&mut self) {
        self.process().signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn resume(&mut self) {
        self.process().signal(Signal::CONT);
    }

    /// SHUTDOWN NOSAVE, and waits for the end.
    pub(crate) fn shut_down(&mut self) {
        let _ = self.connect().unwrap().command(&["SHUTDOWN", "NOSAVE"]);
        self.process().wait();
        self.process = None;
    }

    /// A logged-in connection.
    pub(crate) fn connect(&self) -> io::Result<Client> {
        let client = match (&self.place, &self.certs) {
            (Some(host), _) => host.connect(self.port())?,
            (None, Some(certs)) => Client::connect_tls(&self.host, self.port(), certs)?,
            (None, None) => Client::connect(&self.host, self.port())?,
        };
        client.login(&self.login)
    }

    /// One command on a connection of its own.
    pub(crate) fn call(&self, words: &[&str]) -> super::Value {
        self.connect().unwrap().call(words)
    }

    /// Writes a key and waits until that many replicas have it: WAIT looks at the writes of its own connection alone.
    pub(crate) fn plant(&self, key: &str, value: &str, replicas: usize) {
        let mut client = self.connect().unwrap();
        assert_eq!(client.call(&["SET", key, value]).text(), "OK");
        let replicas = replicas.to_string();
        assert_eq!(client.call(&["WAIT", &replicas, "20000"]).text(), replicas);
    }

    /// A field of INFO, empty when it is not there or the node can't be asked.
    pub(crate) fn info(&self, field: &str) -> String {
        let Ok(reply) = self.connect().and_then(|mut client| client.command(&["INFO"])) else {
            return String::new();
        };
        let text = reply.text();
        let found = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        found.unwrap_or_default().to_owned()
    }

    /// Whether it is a replica of the node at `port` with a working link.
    pub(crate) fn follows(&self, port: u16) -> bool {
        self.info("role") == "slave"
            && self.info("master_port") == port.to_string()
            && self.info("master_link_status") == "up"
    }
}
