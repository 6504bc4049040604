//! Hosts, connections and events of a simulated namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::api::Api;
use super::daemon::Daemon;
use super::laws::Laws;
use super::node::DataPod;
use crate::core::cluster::{Answered, Call, Kind, Seen};
use crate::core::ids::{CallNo, ConnId};
use crate::core::{Input, Time};
use crate::resp::Reply;
use crate::sim::queue::Queue;
use crate::sim::redis::{ClientKey, ReplMsg};
use crate::sim::rng::Rng;

/// The data nodes' port.
pub(super) const PORT: u16 = 6379;
/// The daemons' port.
pub(super) const DAEMON_PORT: u16 = 26379;

/// One end of a connection, or whom an event is for. Pods and daemons live more than once: the second number tells the lives
/// apart.
pub(super) type Life = (usize, u64);

/// What happens.
#[derive(Debug)]
pub(super) enum Event {
    DaemonWakes(Life),
    Daemon(Life, Input),
    /// A connection of a daemon arrives at an address.
    Dialled {
        conn: Conn,
        ip: String,
        port: u16,
    },
    /// A request arrives at a data node, or at another daemon.
    Request(Conn, Vec<Bytes>),
    /// The daemon has closed it.
    Closed(Conn),
    NodeWakes(Life),
    /// A replica's link to its primary arrives there.
    ReplDialled {
        from: Life,
        link: ClientKey,
        ip: String,
    },
    ReplUp {
        to: Life,
        link: ClientKey,
    },
    ReplGone {
        to: Life,
        link: ClientKey,
    },
    ToPrimary {
        to: Life,
        link: ClientKey,
        message: ReplMsg,
    },
    ToReplica {
        to: Life,
        link: ClientKey,
        message: ReplMsg,
    },
    ReplicaGone {
        to: Life,
        link: ClientKey,
    },
    /// A call arrives at the API server.
    Call {
        from: Life,
        call: CallNo,
        request: Call,
        until: Time,
    },
}

/// A connection of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Conn {
    pub(super) daemon: Life,
    pub(super) id: ConnId,
}

/// Where a connection leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Node(Life, ClientKey),
    Daemon(Life),
}

/// How the API server answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moods {
    /// Nothing is answered, and watches are broken.
    pub(super) away: bool,
    /// Of a thousand calls so many are refused,
    pub(super) refused: u64,
    /// so many fail and leave open whether they did anything,
    pub(super) failed: u64,
    /// of which each second one did.
    pub(super) watch_lag: Duration,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct World {
    pub(super) now: Time,
    pub(super) queue: Queue<Event>,
    pub(super) rng: Rng,
    pub(super) api: Api,
    pub(super) moods: Moods,
    pub(super) daemons: Vec<Daemon>,
    pub(super) pods: Vec<DataPod>,
    pub(super) targets: BTreeMap<Conn, Target>,
    /// Who is at the other end of a data node's client.
    pub(super) clients: BTreeMap<ClientKey, Conn>,
    /// Replication: link to replica and primary.
    pub(super) links: BTreeMap<ClientKey, (Life, Option<Life>)>,
    /// When the last message of a stream arrives: streams keep their order.
    last: BTreeMap<(u8, u64, u64), Time>,
    /// Pairs of addresses between which nothing goes.
    pub(super) cut: BTreeSet<(String, String)>,
    pub(super) next_key: ClientKey,
    pub(super) next_ip: u8,
    /// Data nodes start as replicas of nobody.
    pub(super) guarded: bool,
    pub(super) laws: Laws,
    pub(super) log: Vec<String>,
}

impl World {
    /// Nothing runs yet.
    pub(super) fn empty(seed: u64) -> Self {
        Self {
            now: Time::from_millis(1_000_000),
            queue: Queue::new(),
            rng: Rng::new(seed, 77),
            api: Api::default(),
            moods: Moods::default(),
            daemons: Vec::new(),
            pods: Vec::new(),
            targets: BTreeMap::new(),
            clients: BTreeMap::new(),
            links: BTreeMap::new(),
            last: BTreeMap::new(),
            cut: BTreeSet::new(),
            next_key: 0,
            next_ip: 1,
            guarded: false,
            laws: Laws::default(),
            log: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        const MOST: usize = 20_000;
        if self.log.len() < MOST {
            let at = self.now.as_micros().saturating_sub(1_000_000_000) / 100;
            let (s, ms) = (at / 10_000, (at % 10_000) as f64 / 10.0);
            self.log.push(format!("{s:>4}.{ms:05.1} {}", line()));
        }
    }

    /// When a message that is sent now arrives, not before those that were sent earlier on its stream.
    pub(super) fn due(&mut self, stream: (u8, u64, u64)) -> Time {
        self.due_after(stream, Duration::ZERO)
    }

    fn due_after(&mut self, stream: (u8, u64, u64), lag: Duration) -> Time {
        let at = self.now + lag + Duration::from_micros(self.rng.range(100, 600));
        let last = self.last.entry(stream).or_insert(at);
        *last = at.max(*last);
        *last
    }

    pub(super) fn is_cut(&self, from: &str, to: &str) -> bool {
        self.cut.contains(&(from.to_owned(), to.to_owned()))
    }

    /// Plays until that time, or until a law is broken.
    pub(crate) fn run_until(&mut self, end: Time) {
        while self.laws.broken.is_none() {
            let Some((at, event)) = self.queue.pop_until(end) else { break };
            self.now = at.max(self.now);
            self.happen(event);
        }
        self.now = self.now.max(end);
    }

    pub(crate) fn run_for(&mut self, period: Duration) {
        self.run_until(self.now + period);
    }

    /// Plays until a condition holds; whether it came to hold in time.
    pub(crate) fn run_to(&mut self, limit: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while self.now < end && self.laws.broken.is_none() {
            if holds(self) {
                return true;
            }
            self.run_for(Duration::from_millis(1));
        }
        holds(self)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::DaemonWakes(life) => self.daemon_wakes(life),
            Event::Daemon(life, input) => self.daemon_takes(life, input),
            Event::Dialled { conn, ip, port } => self.dialled(conn, &ip, port),
            Event::Request(conn, args) => self.request(conn, args),
            Event::Closed(conn) => self.closed(conn),
            Event::NodeWakes(life) => self.node_wakes(life),
            Event::ReplDialled { from, link, ip } => self.repl_dialled(from, link, &ip),
            Event::ReplUp { to, link } => self.repl_up(to, link),
            Event::ReplGone { to, link } => self.repl_gone(to, link),
            Event::ToPrimary { to, link, message } => self.primary_hears(to, link, message),
            Event::ToReplica { to, link, message } => self.replica_hears(to, link, message),
            Event::ReplicaGone { to, link } => self.replica_gone(to, link),
            Event::Call { from, call, request, until } => self.call(from, call, request, until),
        }
    }

    // === The API server ===

    fn call(&mut self, from: Life, call: CallNo, request: Call, until: Time) {
        use crate::core::cluster::Answer;
        let shown = describe(&request);
        let draw = self.rng.below(1000);
        let (mut at, answer) = if self.moods.away {
            (until, Answer::Unknown("no answer".to_owned()))
        } else if draw < self.moods.refused {
            let after = (draw.is_multiple_of(2)).then(|| Duration::from_millis(300));
            (self.due((3, from.0 as u64, from.1)), Answer::Refused { reason: "429".to_owned(), after })
        } else {
            let fails = draw < self.moods.refused + self.moods.failed;
            let mut answer = Answer::Unknown("500".to_owned());
            if !fails || draw.is_multiple_of(2) {
                if let Call::PatchService { selector, annotations, .. } = &request
                    && !selector.is_empty()
                {
                    let text = |value: Option<&Option<String>>| value.cloned().flatten();
                    let pod = text(selector.get("statefulset.kubernetes.io/pod-name"));
                    let epoch = text(annotations.get("vedette.dev/epoch"));
                    self.observe_patch(pod.as_deref(), epoch.as_deref());
                }
                let (served, seen) = self.api.serve(request);
                if let Some(seen) = seen {
                    self.show(&seen);
                }
                self.written();
                if !fails {
                    answer = served;
                }
            }
            (self.due((3, from.0 as u64, from.1)) + Duration::from_millis(1), answer)
        };
        self.note(|| format!("api {} from d{}: {}", shown, from.0, outcome(&answer)));
        at = at.min(until.max(self.now));
        self.queue.push(at, Event::Daemon(from, Input::Answered(Answered { call, answer })));
    }

    /// All watches show something.
    pub(super) fn show(&mut self, seen: &Seen) {
        if self.moods.away {
            return;
        }
        let lag = self.moods.watch_lag;
        for daemon in 0..self.daemons.len() {
            let life = (daemon, self.daemons[daemon].life);
            let at = self.due_after((2, life.0 as u64, life.1), lag);
            self.queue.push(at, Event::Daemon(life, Input::Seen(seen.clone())));
        }
    }

    /// A daemon's watches begin anew.
    pub(super) fn list(&mut self, daemon: usize) {
        let life = (daemon, self.daemons[daemon].life);
        for kind in [Kind::Pod, Kind::Service, Kind::Node, Kind::Lease] {
            let all = self.api.all(kind);
            for seen in [all, Seen::Watching(kind, true)] {
                let at = self.due((2, life.0 as u64, life.1));
                self.queue.push(at, Event::Daemon(life, Input::Seen(seen)));
            }
        }
    }

    /// The API server goes away, or comes back.
    pub(super) fn set_away(&mut self, away: bool) {
        self.note(|| format!("the API server is {}", if away { "away" } else { "back" }));
        if away {
            for daemon in 0..self.daemons.len() {
                let life = (daemon, self.daemons[daemon].life);
                for kind in [Kind::Pod, Kind::Service, Kind::Node, Kind::Lease] {
                    let at = self.due((2, life.0 as u64, life.1));
                    self.queue.push(at, Event::Daemon(life, Input::Seen(Seen::Watching(kind, false))));
                }
            }
            self.moods.away = true;
        } else {
            self.moods.away = false;
            for daemon in 0..self.daemons.len() {
                self.list(daemon);
            }
        }
    }

    // === Connections of daemons ===

    fn dialled(&mut self, conn: Conn, ip: &str, port: u16) {
        let from = self.daemons[conn.daemon.0].ip.clone();
        if self.is_cut(&from, ip) {
            return;
        }
        let there = if port == PORT {
            self.pod_at(ip).filter(|pod| self.pods[*pod].redis.is_some()).map(|pod| {
                self.next_key += 1;
                let life = (pod, self.pods[pod].life);
                if let Some(redis) = &mut self.pods[pod].redis {
                    redis.accept(self.next_key);
                }
                self.clients.insert(self.next_key, conn);
                Target::Node(life, self.next_key)
            })
        } else {
            let daemon = self.daemons.iter().position(|daemon| daemon.ip == ip && daemon.engine.is_some());
            daemon.map(|daemon| Target::Daemon((daemon, self.daemons[daemon].life)))
        };
        let exists = self.pod_at(ip).is_some() || self.daemons.iter().any(|daemon| daemon.ip == ip);
        match there {
            Some(target) => {
                self.targets.insert(conn, target);
                let local = from.parse().unwrap_or(std::net::IpAddr::from([127, 0, 0, 1]));
                self.inform(conn, Input::Connected { conn: conn.id, local });
            }
            None if exists => self.disconnect(conn, true),
            // Nobody has that address: nothing comes back.
            None => {}
        }
    }

    pub(super) fn inform(&mut self, conn: Conn, input: Input) {
        let at = self.due((1, conn.daemon.0 as u64, conn.id.0));
        self.queue.push(at, Event::Daemon(conn.daemon, input));
    }

    pub(super) fn disconnect(&mut self, conn: Conn, refused: bool) {
        if let Some(Target::Node(_, key)) = self.targets.remove(&conn) {
            self.clients.remove(&key);
        }
        let error = if refused { "Connection refused" } else { "Connection reset by peer" }.to_owned();
        self.inform(conn, Input::Disconnected { conn: conn.id, error, refused });
    }

    fn request(&mut self, conn: Conn, args: Vec<Bytes>) {
        match self.targets.get(&conn) {
            Some(&Target::Node(life, key)) => {
                let (from, to) = (self.daemons[conn.daemon.0].ip.clone(), self.pods[life.0].ip.clone());
                if !self.is_cut(&from, &to) {
                    self.node_request(life, key, args);
                }
            }
            Some(&Target::Daemon(life)) => {
                let (from, to) = (self.daemons[conn.daemon.0].ip.clone(), self.daemons[life.0].ip.clone());
                if !self.is_cut(&from, &to) && !self.is_cut(&to, &from) {
                    self.peer_request(life, conn, args);
                }
            }
            None => {}
        }
    }

    fn closed(&mut self, conn: Conn) {
        if let Some(Target::Node(life, key)) = self.targets.remove(&conn) {
            self.clients.remove(&key);
            if self.pods[life.0].life == life.1
                && let Some(redis) = &mut self.pods[life.0].redis
            {
                redis.client_gone(key);
            }
        }
    }

    /// Nothing gets from one host to the other, either way.
    pub(super) fn part(&mut self, one: &str, other: &str) {
        self.note(|| format!("{one} and {other} are cut from each other"));
        self.cut.insert((one.to_owned(), other.to_owned()));
        self.cut.insert((other.to_owned(), one.to_owned()));
    }

    /// Two hosts reach each other again; what was on its way is lost, and its connections with it.
    pub(super) fn mend(&mut self, one: &str, other: &str) {
        self.note(|| format!("{one} and {other} reach each other"));
        self.cut.remove(&(one.to_owned(), other.to_owned()));
        self.cut.remove(&(other.to_owned(), one.to_owned()));
        let across: Vec<Conn> = self
            .targets
            .iter()
            .filter(|(conn, target)| {
                let there = match target {
                    Target::Node(life, _) => &self.pods[life.0].ip,
                    Target::Daemon(life) => &self.daemons[life.0].ip,
                };
                let here = &self.daemons[conn.daemon.0].ip;
                (here == one && there == other) || (here == other && there == one)
            })
            .map(|(conn, _)| *conn)
            .collect();
        for conn in across {
            let target = self.targets.get(&conn).copied();
            self.disconnect(conn, false);
            if let Some(Target::Node(life, key)) = target
                && self.pods[life.0].life == life.1
                && let Some(redis) = &mut self.pods[life.0].redis
            {
                redis.client_gone(key);
            }
        }
    }

    /// A data node's answer.
    pub(super) fn reply(&mut self, pod: usize, key: ClientKey, reply: Reply) {
        let Some(&conn) = self.clients.get(&key) else { return };
        let (from, to) = (self.pods[pod].ip.clone(), self.daemons[conn.daemon.0].ip.clone());
        if !self.is_cut(&from, &to) {
            self.inform(conn, Input::Frame { conn: conn.id, reply });
        }
    }
}

fn describe(call: &Call) -> String {
    match call {
        Call::ReadLease { name } => format!("read {name}"),
        Call::WriteLease { name, version, plain, .. } => {
            format!(
                "write {name} on {version:?} by '{}' {}",
                plain.holder,
                plain.annotations.get("vedette.dev/failover").map_or("", String::as_str)
            )
        }
        Call::ReadService { name } => format!("read service {name}"),
        Call::PatchService { name, selector, annotations, .. } => {
            format!("patch {name} {selector:?} {annotations:?}")
        }
        Call::Event(event) => format!("event {}", event.reason),
    }
}

fn outcome(answer: &crate::core::cluster::Answer) -> String {
    use crate::core::cluster::Answer;
    match answer {
        Answer::Read(object) => format!("read, {}", if object.is_some() { "there" } else { "none" }),
        Answer::Landed(version) => format!("landed as {version}"),
        Answer::Conflict => "conflict".to_owned(),
        Answer::Refused { reason, .. } => format!("refused: {reason}"),
        Answer::Unknown(reason) => format!("unknown: {reason}"),
    }
}
