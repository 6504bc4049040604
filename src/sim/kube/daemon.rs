//! The daemons: engines, their connections, and what their server layer answers by itself.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::world::{Conn, DAEMON_PORT, Event, Life, World};
use crate::core::action::{Level, LinkRole};
use crate::core::ids::ClientId;
use crate::core::settings::{Fleet, Settings};
use crate::core::{Action, Engine, Input, Node, Time};
use crate::resp::Reply;

/// The fleet's name.
pub(super) const FLEET: &str = "v";

/// See the module.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) name: String,
    pub(super) ip: String,
    pub(super) life: u64,
    /// From its next start on it only observes.
    pub(super) observes: bool,
    pub(super) engine: Option<Engine>,
    /// It is stopped until then.
    pub(super) frozen_until: Option<Time>,
    waiting: VecDeque<Input>,
    /// Whose command waits for an answer; nobody's is the operator's.
    clients: BTreeMap<ClientId, Option<Conn>>,
    next_client: u64,
    /// Answers to the operator.
    pub(super) replies: Vec<Reply>,
    pub(super) events: Vec<String>,
    pub(super) logs: Vec<String>,
    pub(super) ended: bool,
    wake_at: Option<Time>,
}

impl World {
    pub(super) fn add_daemon(&mut self) -> usize {
        let at = self.daemons.len();
        let ip = self.new_ip();
        self.daemons.push(Daemon {
            name: format!("vedette-{at}"),
            ip,
            life: 0,
            observes: false,
            engine: None,
            frozen_until: None,
            waiting: VecDeque::new(),
            clients: BTreeMap::new(),
            next_client: 0,
            replies: Vec::new(),
            events: Vec::new(),
            logs: Vec::new(),
            ended: false,
            wake_at: None,
        });
        at
    }

    /// The process starts. It remembers nothing.
    pub(super) fn start_daemon(&mut self, at: usize, size: usize) {
        let seed = self.rng.next();
        let now = self.now;
        let daemon = &mut self.daemons[at];
        daemon.life += 1;
        daemon.frozen_until = None;
        daemon.ended = false;
        daemon.waiting.clear();
        daemon.clients.clear();
        daemon.wake_at = None;
        let fleet = Fleet {
            name: FLEET.to_owned(),
            member: daemon.name.clone(),
            size,
            observe: daemon.observes,
            cold_start_wait: Duration::from_secs(30),
            pods: BTreeMap::new(),
            services: BTreeMap::new(),
        };
        let node = Node { port: DAEMON_PORT, fleet: Some(fleet), ..Node::default() };
        let settings = Settings { announce_ip: Some(daemon.ip.clone()), ..Settings::default() };
        let mut engine = Engine::new(settings, node, seed, Level::Notice, now);
        let mut out = Vec::new();
        engine.start(now, &mut out);
        daemon.engine = Some(engine);
        self.note(|| format!("d{at} starts"));
        self.carry_out(at, out);
        self.plan_wake(at);
        if !self.moods.away {
            self.list(at);
        }
    }

    /// The process is killed.
    pub(super) fn kill_daemon(&mut self, at: usize) {
        self.note(|| format!("d{at} is killed"));
        let life = (at, self.daemons[at].life);
        self.daemons[at].engine = None;
        self.daemons[at].life += 1;
        let conns: Vec<Conn> = self.targets.keys().filter(|conn| conn.daemon == life).copied().collect();
        for conn in conns {
            let due = self.due((0, conn.daemon.0 as u64, conn.id.0));
            self.queue.push(due, Event::Closed(conn));
        }
        let from: Vec<Conn> = self
            .targets
            .iter()
            .filter(|(_, target)| matches!(target, super::world::Target::Daemon(there) if *there == life))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in from {
            self.disconnect(conn, false);
        }
        self.laws.forget_member(at);
    }

    /// An operator's command.
    pub(super) fn command(&mut self, at: usize, words: &[&str]) -> Option<Reply> {
        let daemon = &mut self.daemons[at];
        daemon.next_client += 1;
        let client = ClientId(daemon.next_client);
        daemon.clients.insert(client, None);
        let args = words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        let life = (at, daemon.life);
        self.daemon_takes(life, Input::Command { client, args });
        self.daemons[at].replies.pop()
    }

    /// Where a daemon sends clients, and the epoch of that.
    pub(super) fn told(&self, at: usize) -> Option<(String, u64)> {
        self.answer(at).map(|(host, epoch)| (host.to_owned(), epoch))
    }

    /// The same, as the daemon has it: this is asked for after every step.
    pub(super) fn answer(&self, at: usize) -> Option<(&str, u64)> {
        let group = self.daemons[at].engine.as_ref()?.groups.values().next()?;
        Some((&group.current().address.host, group.config_epoch))
    }

    pub(super) fn daemon_wakes(&mut self, life: Life) {
        let (now, at) = (self.now, life.0);
        if self.daemons[at].life != life.1 || self.daemons[at].wake_at.is_none_or(|wake| wake > now) {
            return;
        }
        self.daemons[at].wake_at = None;
        self.daemon_takes(life, Input::Timer { heard: now });
    }

    pub(super) fn daemon_takes(&mut self, life: Life, input: Input) {
        let (now, at) = (self.now, life.0);
        let daemon = &mut self.daemons[at];
        if daemon.life != life.1 {
            return;
        }
        if let Some(until) = daemon.frozen_until {
            if now < until {
                if !matches!(input, Input::Timer { .. }) {
                    daemon.waiting.push_back(input);
                }
                self.queue.push(until, Event::DaemonWakes(life));
                daemon.wake_at = Some(until);
                return;
            }
            daemon.frozen_until = None;
        }
        let mut inputs: VecDeque<Input> = std::mem::take(&mut daemon.waiting);
        inputs.push_back(input);
        for input in inputs {
            let mut out = Vec::new();
            let Some(engine) = &mut self.daemons[at].engine else { return };
            engine.handle(input, now, &mut out);
            self.check_answer(at);
            self.carry_out(at, out);
        }
        self.plan_wake(at);
    }

    fn plan_wake(&mut self, at: usize) {
        let daemon = &mut self.daemons[at];
        let Some(engine) = &daemon.engine else { return };
        let life = (at, daemon.life);
        if let Some((next, why)) = engine.next_deadline() {
            if next <= self.now {
                self.laws.count_idle(at, why);
            }
            let next = next.max(self.now + Duration::from_micros(50));
            if daemon.wake_at.is_none_or(|wake| wake > next) {
                daemon.wake_at = Some(next);
                self.queue.push(next, Event::DaemonWakes(life));
            }
        }
    }

    fn carry_out(&mut self, at: usize, actions: Vec<Action>) {
        let life = (at, self.daemons[at].life);
        for action in actions {
            match action {
                Action::Connect { conn, ip, port, role } => {
                    let conn = Conn { daemon: life, id: conn };
                    if role == LinkRole::DataPubSub && !self.daemons[at].observes {
                        self.laws.break_law("nothing is subscribed to", format!("d{at} at {ip}"));
                    }
                    let due = self.due((0, at as u64, conn.id.0));
                    self.queue.push(due, Event::Dialled { conn, ip: ip.to_string(), port });
                }
                Action::Close { conn } => {
                    let conn = Conn { daemon: life, id: conn };
                    let due = self.due((0, at as u64, conn.id.0));
                    self.queue.push(due, Event::Closed(conn));
                }
                Action::Send { conn, args } => {
                    let conn = Conn { daemon: life, id: conn };
                    let due = self.due((0, at as u64, conn.id.0));
                    self.queue.push(due, Event::Request(conn, args));
                }
                Action::Reply { client, reply } => match self.daemons[at].clients.remove(&client) {
                    Some(Some(conn)) => self.inform(conn, Input::Frame { conn: conn.id, reply }),
                    Some(None) => self.daemons[at].replies.push(reply),
                    None => {}
                },
                Action::Event(event) => {
                    let line = format!("{} {}", event.name, event.payload);
                    if event.level > Level::Debug {
                        self.note(|| format!("d{at} {line}"));
                        self.daemons[at].events.push(line);
                    }
                }
                Action::Log { level, text, .. } => {
                    if level > Level::Debug {
                        self.note(|| format!("d{at} log {text}"));
                        self.daemons[at].logs.push(text);
                    }
                }
                Action::Persist { save } => {
                    let due = self.due((5, at as u64, life.1));
                    self.queue.push(due, Event::Daemon(life, Input::Persisted { upto: save, ok: true }));
                }
                Action::Api { call, request, limit } => {
                    let due = self.due((6, at as u64, call.0));
                    let until = self.now + limit;
                    self.queue.push(due, Event::Call { from: life, call, request, until });
                }
                Action::Ended => {
                    self.note(|| format!("d{at} has ended"));
                    self.daemons[at].ended = true;
                }
                Action::CheckExecutable { .. }
                | Action::Resolve { .. }
                | Action::RunScript { .. }
                | Action::KillScript { .. }
                | Action::SetLogLevel(_)
                | Action::Observe(_)
                | Action::Crash => {}
            }
        }
    }

    /// A request of another member.
    pub(super) fn peer_request(&mut self, life: Life, from: Conn, args: Vec<Bytes>) {
        let daemon = &mut self.daemons[life.0];
        if daemon.life != life.1 || daemon.engine.is_none() {
            return;
        }
        let name = args.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        let frozen = daemon.frozen_until.is_some_and(|until| self.now < until);
        match name.as_slice() {
            b"SENTINEL" => {
                daemon.next_client += 1;
                let client = ClientId(daemon.next_client);
                daemon.clients.insert(client, Some(from));
                self.daemon_takes(life, Input::Command { client, args });
            }
            _ if frozen => {}
            _ => {
                let reply = if name == b"PING" { Reply::Simple("PONG".into()) } else { Reply::OK };
                self.inform(from, Input::Frame { conn: from.id, reply });
            }
        }
    }
}
