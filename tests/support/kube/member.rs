//! One vedette of a fleet: a process on a host of its own that may do at the API server what its ServiceAccount may.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::Account;
use super::admin::kubeconfig;
use crate::support::hosts::with_port;
use crate::support::{Client, Host, Process, Value, poll};

/// Its port, the same on each host.
pub(crate) const PORT: u16 = 26379;
/// The port of metrics and health.
const ADMIN: u16 = 9355;
/// Longest wait for what the admin port answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// The fleet's name.
pub(crate) const FLEET: &str = "vedette";

/// A member, running or not. It has no file that it could write, and no Pod object.
#[derive(Debug)]
pub(crate) struct Member {
    process: Option<Process>,
    name: String,
    host: Host,
    dir: TempDir,
    lines: Vec<String>,
}

impl Member {
    /// One of `size`, with a copy of the account's token. `more` are further lines of its configuration.
    pub(crate) fn new(account: &Account<'_>, name: &str, host: &Host, size: usize, more: &[&str]) -> Self {
        let dir = TempDir::with_prefix("vedette-member").unwrap();
        let copy = |file: &str| {
            let copied = dir.path().join(file);
            fs::copy(account.folder().join(file), &copied).unwrap();
            copied
        };
        let user = format!("tokenFile: {}", copy("token").display());
        let text = kubeconfig(account.address(), &copy("ca.crt"), &user, account.namespace());
        fs::write(dir.path().join("kubeconfig"), text).unwrap();
        let mut lines = vec![
            format!("port {PORT}"),
            format!("bind {}", host.address()),
            format!("dir {}", dir.path().display()),
            "logfile log.txt".to_owned(),
            format!("vedette admin {}", with_port(host.address(), ADMIN)),
            format!("sentinel announce-ip {}", host.address()),
            "vedette coordination kubernetes".to_owned(),
            format!("vedette fleet {FLEET}"),
            format!("vedette fleet-size {size}"),
            format!("vedette member {name}"),
        ];
        lines.extend(more.iter().map(|&line| line.to_owned()));
        Self { process: None, name: name.to_owned(), host: host.clone(), dir, lines }
    }

    /// Leads it to another address than the API server's, before it starts.
    pub(crate) fn lead(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.kubeconfig()).unwrap();
        fs::write(self.kubeconfig(), text.replace(from, to)).unwrap();
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.launch();
        poll(&format!("{} answers", self.name), || {
            if let Some(status) = self.process().ended() {
                panic!("{} ended with {status}:\n{}", self.name, self.log());
            }
            self.command(&["PING"]).map_err(|error| error.to_string())
        });
    }

    /// Starts it.
    pub(crate) fn launch(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        for line in &self.lines {
            let (name, values) = line.split_once(' ').expect("a value");
            command.arg(format!("--{name}")).args(values.split(' '));
        }
        command.env("KUBECONFIG", self.kubeconfig()).env_remove("NOTIFY_SOCKET").current_dir(self.dir.path());
        self.process = Some(Process::spawn_at(Some(&self.host), &self.name, command, self.dir.path()));
    }

    /// Changes a line of its configuration: what it says from its next start on.
    pub(crate) fn configure(&mut self, directive: &str, value: &str) {
        self.lines.retain(|line| !line.starts_with(&format!("{directive} ")));
        self.lines.push(format!("{directive} {value}"));
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.process().kill();
        self.process = None;
    }

    /// SIGTERM; how it ended.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.process().signal(Signal::TERM);
        let status = self.process().wait();
        self.process = None;
        status
    }

    /// The process, which must run.
    pub(crate) fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a running member")
    }

    /// Whether it was started and not ended by the test.
    pub(crate) const fn running(&self) -> bool {
        self.process.is_some()
    }

    /// The name of its Pod, if it had one.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    pub(crate) fn address(&self) -> &str {
        self.host.address()
    }

    /// A connection from its own host.
    pub(crate) fn connect(&self) -> io::Result<Client> {
        self.host.connect(PORT)
    }

    /// One command on a connection of its own.
    pub(crate) fn command(&self, words: &[&str]) -> io::Result<Value> {
        self.connect()?.command(words)
    }

    /// The address of the group's primary as it tells clients.
    pub(crate) fn primary(&self, group: &str) -> Option<String> {
        match self.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", group]) {
            Ok(Value::Array(items)) => Some(items[0].text()),
            Ok(_) | Err(_) => None,
        }
    }

    /// SENTINEL MASTER as a map; empty if it can't be asked.
    pub(crate) fn master(&self, group: &str) -> BTreeMap<String, String> {
        match self.command(&["SENTINEL", "MASTER", group]) {
            Ok(reply) if !reply.is_error() => reply.fields(),
            Ok(_) | Err(_) => BTreeMap::new(),
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> String {
        self.command(&["SENTINEL", "MYID"]).unwrap().text()
    }

    /// Whether it says that it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.get("/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// What the admin port answers, with the head.
    pub(crate) fn get(&self, path: &str) -> io::Result<String> {
        self.host.run(|| {
            let mut stream = TcpStream::connect((self.host.address(), ADMIN))?;
            // One that is stopped doesn't answer.
            stream.set_read_timeout(Some(PATIENCE))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: vedette\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        })
    }

    /// The log, of all its runs.
    pub(crate) fn log(&self) -> String {
        let text = |file: &str| fs::read_to_string(self.dir.path().join(file)).unwrap_or_default();
        text("log.txt") + &text("err.txt")
    }

    /// The lines of the log with that word.
    pub(crate) fn lines(&self, word: &str) -> Vec<String> {
        self.log().lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }
}
