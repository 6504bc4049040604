//! One engine among data nodes and peers that say what a test tells them to.

mod consent;
mod failover;
mod fastdown;
mod forgetting;
mod hostile;
mod monitor;
mod roles;
mod switchover;
mod vote;
mod wave;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use super::action::Level;
use super::ids::{ClientId, ConnId};
use super::link::Tag;
use super::settings::{GroupSettings, HostPort, KnownSentinel};
use super::{Action, Engine, Input, Node, Settings, Time};
use crate::resp::Reply;

const PRIMARY: u16 = 6379;
const REPLICA_A: u16 = 6380;
const REPLICA_B: u16 = 6381;
const PEER_A: u16 = 26380;
const PEER_B: u16 = 26381;

fn id(letter: char) -> String {
    std::iter::repeat_n(letter, 40).collect()
}

/// What an instance at a port answers.
#[derive(Clone, Debug)]
struct Fake {
    /// Nothing is answered when it is not there or frozen.
    up: bool,
    /// Connections to one that is not there are refused; else nobody answers.
    refuses: bool,
    /// Connections to it are asked for, but wait to be begun.
    waits: bool,
    /// `None`: a primary.
    follows: Option<u16>,
    /// A replica's link to its primary.
    linked: bool,
    pong: &'static str,
    run_id: String,
    offset: u64,
    /// CLIENT PAUSE is answered so; it held writes back.
    pause: Reply,
    paused: bool,
    /// What it takes in right before it holds writes back.
    burst: u64,
    /// It obeys this command and is gone before it answers.
    dies_of: Option<&'static str>,
    /// It answers this command and none after it.
    freezes_after: Option<&'static str>,
    /// SLAVEOF is obeyed.
    obeys: bool,
    priority: u32,
    /// A peer's answer to "is it down".
    opinion: Reply,
    /// Peers: which primary they hold, at which epoch.
    holds: (u16, u64),
    flags: &'static str,
    /// Its replication history, and the one before it.
    history: (char, char),
    /// Whether ROLE is allowed.
    role_allowed: bool,
    /// SLAVEOF is refused.
    loading: bool,
    subscription_refused: bool,
}

struct World {
    engine: Engine,
    now: Time,
    fakes: BTreeMap<u16, Fake>,
    conns: BTreeMap<ConnId, (u16, bool)>,
    /// `event payload` lines.
    events: Vec<String>,
    logs: Vec<String>,
    /// `port: words` lines of what was sent, without the periodic rest.
    sent: Vec<String>,
    replies: Vec<(ClientId, Reply)>,
    /// PINGs and attempts to connect by port.
    pings: BTreeMap<u16, usize>,
    connects: BTreeMap<u16, usize>,
    /// Whether saves succeed; nothing: they stay unanswered.
    disk: Option<bool>,
    unsaved: Vec<super::ids::SaveNo>,
    /// Facts that follow from what was carried out, in order.
    answers: VecDeque<Input>,
    crashed: bool,
}

fn opinion(down: bool, leader: &str, epoch: i64) -> Reply {
    Reply::Array(vec![Reply::Int(i64::from(down)), Reply::bulk(leader.to_owned()), Reply::Int(epoch)])
}

fn settings() -> Settings {
    let at = |port| HostPort { host: "127.0.0.1".to_owned(), port };
    let mut group = GroupSettings::new("mymaster".into(), at(PRIMARY), 2);
    group.down_after = Duration::from_millis(1000);
    group.failover_timeout = Duration::from_millis(10_000);
    group.known_replicas = vec![at(REPLICA_A), at(REPLICA_B)];
    group.known_sentinels = [(PEER_A, 'b'), (PEER_B, 'c')]
        .map(|(port, letter)| KnownSentinel { addr: at(port), run_id: id(letter).into() })
        .to_vec();
    Settings { my_id: Some(id('a').into()), groups: vec![group], ..Settings::default() }
}

impl World {
    fn new(settings: Settings) -> Self {
        Self::on(Node { port: 26379, ..Node::default() }, settings)
    }

    fn on(node: Node, settings: Settings) -> Self {
        let now = Time::from_millis(1_000_000);
        let mut fakes = BTreeMap::new();
        for (index, port) in [PRIMARY, REPLICA_A, REPLICA_B, PEER_A, PEER_B].into_iter().enumerate() {
            let follows = (port == REPLICA_A || port == REPLICA_B).then_some(PRIMARY);
            fakes.insert(
                port,
                Fake {
                    up: true,
                    refuses: true,
                    waits: false,
                    follows,
                    linked: true,
                    pong: "PONG",
                    run_id: id(char::from(b'1' + u8::try_from(index).unwrap())),
                    offset: 100,
                    pause: Reply::OK,
                    paused: false,
                    burst: 0,
                    obeys: true,
                    dies_of: None,
                    freezes_after: None,
                    priority: 100,
                    opinion: opinion(false, "*", 0),
                    holds: (PRIMARY, 0),
                    flags: "master",
                    history: ('1', '0'),
                    role_allowed: true,
                    loading: false,
                    subscription_refused: false,
                },
            );
        }
        let mut world = Self {
            engine: Engine::new(settings, node, 1, Level::Notice, now),
            now,
            fakes,
            conns: BTreeMap::new(),
            events: Vec::new(),
            logs: Vec::new(),
            sent: Vec::new(),
            replies: Vec::new(),
            pings: BTreeMap::new(),
            connects: BTreeMap::new(),
            disk: Some(true),
            unsaved: Vec::new(),
            answers: VecDeque::new(),
            crashed: false,
        };
        let mut out = Vec::new();
        world.engine.start(now, &mut out);
        world.carry_out(out);
        world
    }

    fn handle(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.handle(input, self.now, &mut out);
        self.carry_out(out);
    }

    /// The command connection to a port.
    fn command(&self, node: u16) -> ConnId {
        *self.conns.iter().find(|(_, (port, subscribed))| *port == node && !*subscribed).unwrap().0
    }

    /// The subscription at a data node.
    fn subscription(&self, node: u16) -> ConnId {
        *self.conns.iter().find(|(_, (port, subscribed))| *port == node && *subscribed).unwrap().0
    }

    /// A hello on the subscription at the data node at a port.
    fn hear_at(&mut self, node: u16, hello: &str) {
        let conn = self.subscription(node);
        let words = ["message", "__sentinel__:hello", hello].map(|word| Reply::bulk(word.to_owned()));
        self.handle(Input::Frame { conn, reply: Reply::Array(words.to_vec()) });
    }

    /// A hello on the subscription at the primary.
    fn hear(&mut self, hello: &str) {
        self.hear_at(PRIMARY, hello);
    }

    /// A client's command, whose answer may have to wait for the disk.
    fn order(&mut self, words: &[&str]) {
        let args = words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        self.handle(Input::Command { client: ClientId(9), args });
    }

    /// A client's command, answered at once.
    fn ask(&mut self, words: &[&str]) -> Reply {
        self.order(words);
        self.replies.pop().unwrap().1
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        self.perform(actions);
        while let Some(answer) = self.answers.pop_front() {
            let mut out = Vec::new();
            self.engine.handle(answer, self.now, &mut out);
            self.perform(out);
        }
    }

    fn perform(&mut self, actions: Vec<Action>) {
        let local: IpAddr = [127, 0, 0, 1].into();
        for action in actions {
            match action {
                Action::Connect { conn, port, role, .. } => {
                    *self.connects.entry(port).or_default() += 1;
                    let up = self.fakes.get(&port).is_some_and(|fake| fake.up);
                    self.conns.insert(conn, (port, role == super::action::LinkRole::DataPubSub));
                    if self.fakes.get(&port).is_some_and(|fake| fake.waits) {
                        self.answers.push_back(Input::Waiting { conn });
                    } else if up {
                        self.answers.push_back(Input::Connected { conn, local });
                    } else if self.fakes.get(&port).is_none_or(|fake| fake.refuses) {
                        let error = "refused".to_owned();
                        self.answers.push_back(Input::Disconnected { conn, error, refused: true });
                    }
                }
                Action::Close { conn } => {
                    self.conns.remove(&conn);
                }
                Action::Send { conn, args } => {
                    let Some(&(port, _)) = self.conns.get(&conn) else { continue };
                    let was_up = self.fakes.get(&port).is_some_and(|fake| fake.up);
                    if let Some(reply) = self.answer(port, &args) {
                        self.answers.push_back(Input::Frame { conn, reply });
                    } else if was_up && !self.fakes.get(&port).is_some_and(|fake| fake.up) {
                        self.break_connections(port);
                    }
                }
                Action::Reply { client, reply } => self.replies.push((client, reply)),
                Action::Event(event) if event.level > Level::Debug => {
                    self.events.push(format!("{} {}", event.name, event.payload));
                }
                Action::Persist { save } => match self.disk {
                    Some(ok) => self.answers.push_back(Input::Persisted { upto: save, ok }),
                    None => self.unsaved.push(save),
                },
                Action::Log { text, .. } => self.logs.push(text),
                Action::Crash => self.crashed = true,
                #[allow(unreachable_patterns)]
                #[allow(clippy::wildcard_enum_match_arm)]
                // wishes that these tests have no part for
                _ => {}
            }
        }
    }

    fn answer(&mut self, port: u16, args: &[Bytes]) -> Option<Reply> {
        let line = args.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ");
        let fake = self.fakes.get_mut(&port)?;
        if !fake.up {
            return None;
        }
        if args[0].as_ref() == b"PING" {
            *self.pings.entry(port).or_default() += 1;
        }
        let reply = match args[0].as_ref() {
            b"PING" => Reply::Simple(fake.pong.into()),
            b"INFO" => Reply::bulk(fake.info()),
            b"PUBLISH" => Reply::Int(1),
            b"SENTINEL" if args[1].as_ref() == b"master" => fake.held(),
            b"SENTINEL" => fake.opinion.clone(),
            b"CLIENT" if args[1].as_ref() == b"PAUSE" => {
                fake.paused = fake.pause == Reply::OK;
                fake.offset += fake.burst;
                fake.pause.clone()
            }
            b"CLIENT" if args[1].as_ref() == b"UNPAUSE" => {
                fake.paused = false;
                Reply::OK
            }
            b"SLAVEOF" if !fake.obeys => Reply::err("ERR refused"),
            b"ROLE" if !fake.role_allowed => Reply::err("NOPERM this user has no permissions"),
            b"ROLE" => fake.role(),
            b"SLAVEOF" if fake.loading => Reply::err("LOADING Redis is loading the dataset in memory"),
            b"SLAVEOF" => {
                let target: Option<u16> = std::str::from_utf8(&args[2]).unwrap().parse().ok();
                let promoted = target.is_none() && fake.follows.is_some();
                fake.follows = target;
                if promoted {
                    fake.history = (if fake.history.0 == 'e' { 'f' } else { 'e' }, fake.history.0);
                }
                if let Some(history) = target.and_then(|port| self.fakes.get(&port)).map(|fake| fake.history)
                {
                    self.fakes.get_mut(&port)?.history = history;
                }
                Reply::Simple("QUEUED".into())
            }
            b"SUBSCRIBE" if fake.subscription_refused => Reply::err("NOPERM this user has no permissions"),
            _ => Reply::OK,
        };
        if !matches!(args[0].as_ref(), b"PING" | b"INFO" | b"ROLE") {
            self.sent.push(format!("{port}: {line}"));
        }
        let freezes =
            self.fakes.get(&port)?.freezes_after.is_some_and(|word| word.as_bytes() == args[0].as_ref());
        self.fakes.get_mut(&port)?.up &= !freezes;
        let dies = self.fakes.get(&port)?.dies_of.is_some_and(|word| word.as_bytes() == args[0].as_ref());
        self.fakes.get_mut(&port)?.up &= !dies;
        (!dies).then_some(reply)
    }

    /// What waits for an answer on the command connection to a port.
    fn pending(&self, port: u16) -> Vec<Tag> {
        let (link, _) = self.engine.shared.links.find(self.command(port)).unwrap();
        let command = self.engine.shared.links.get(link).unwrap().command.as_ref().unwrap();
        command.pending.iter().cloned().collect()
    }

    /// A node that was silent is heard after all, on the same connection: what it was asked up to then.
    fn answers_late(&mut self, port: u16, upto: Time) {
        let conn = self.command(port);
        for tag in self.pending(port) {
            let fake = self.fake(port);
            let reply = match tag {
                Tag::Info(asked_at) | Tag::Role(asked_at) if asked_at > upto => break,
                Tag::Ping => Reply::Simple(fake.pong.into()),
                Tag::Info(_) => Reply::bulk(fake.info()),
                Tag::Role(_) => fake.role(),
                #[allow(clippy::wildcard_enum_match_arm)]
                // replies that say nothing
                _ => Reply::OK,
            };
            self.handle(Input::Frame { conn, reply });
        }
    }

    /// Lets time pass, stopping at each deadline of the engine.
    fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some((at, _)) = self.engine.next_deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.handle(Input::Timer { heard: self.now });
        }
        self.now = end;
    }

    /// Lets time pass until there is such an event; when that is.
    fn until(&mut self, event: &str) -> Time {
        let end = self.now + Duration::from_secs(60);
        while !self.saw(event) {
            assert!(self.now < end, "no {event}: {:#?}", self.events);
            self.run(1);
        }
        self.now
    }

    fn saw(&self, event: &str) -> bool {
        self.events.iter().any(|line| line.starts_with(event))
    }

    /// The events from the first that starts so.
    fn events_from(&self, event: &str) -> Vec<&str> {
        let names = self.events.iter().map(|line| line.split(' ').next().unwrap());
        names.skip_while(|name| *name != event).collect()
    }

    /// The process at a port ends: its connections break.
    fn kill(&mut self, port: u16) {
        self.fakes.get_mut(&port).unwrap().up = false;
        self.reset(port);
    }

    /// The connections to a port break.
    fn reset(&mut self, port: u16) {
        self.break_connections(port);
        self.carry_out(Vec::new());
    }

    /// One connection breaks.
    fn cut(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        self.handle(Input::Disconnected { conn, error: "reset".to_owned(), refused: false });
    }

    fn break_connections(&mut self, port: u16) {
        let broken: Vec<ConnId> =
            self.conns.iter().filter(|(_, (at, _))| *at == port).map(|(conn, _)| *conn).collect();
        for conn in broken {
            self.conns.remove(&conn);
            self.answers.push_back(Input::Disconnected { conn, error: "reset".to_owned(), refused: false });
        }
    }

    /// The process at a port comes back.
    fn revive(&mut self, port: u16) {
        self.fake(port).up = true;
    }

    fn fake(&mut self, port: u16) -> &mut Fake {
        self.fakes.get_mut(&port).unwrap()
    }

    /// Both peers hold another primary, at that epoch.
    fn peers_hold(&mut self, primary: u16, epoch: u64) {
        for port in [PEER_A, PEER_B] {
            self.fake(port).holds = (primary, epoch);
        }
    }

    /// Both peers hold the primary down and vote as told.
    fn peers_say(&mut self, reply: &Reply) {
        for port in [PEER_A, PEER_B] {
            self.fake(port).opinion = reply.clone();
        }
    }
}

impl Fake {
    /// A peer's answer to SENTINEL MASTER, as far as it matters.
    fn held(&self) -> Reply {
        let (port, epoch) = self.holds;
        let fields = [
            "ip",
            "127.0.0.1",
            "port",
            &port.to_string(),
            "flags",
            self.flags,
            "config-epoch",
            &epoch.to_string(),
        ];
        Reply::Array(fields.into_iter().map(|text| Reply::bulk(text.to_owned())).collect())
    }

    fn role(&self) -> Reply {
        match self.follows {
            None => Reply::Array(vec![Reply::bulk("master"), Reply::Int(0), Reply::Array(vec![])]),
            Some(port) => Reply::Array(vec![
                Reply::bulk("slave"),
                Reply::bulk("127.0.0.1"),
                Reply::Int(port.into()),
                Reply::bulk(if self.linked { "connected" } else { "connect" }),
                Reply::Int(0),
            ]),
        }
    }

    fn info(&self) -> String {
        let mut text = format!(
            "# Server\r\nrun_id:{}\r\nmaster_replid:{}\r\nmaster_replid2:{}\r\nmaster_repl_offset:{}\r\n",
            self.run_id,
            id(self.history.0),
            id(self.history.1),
            self.offset
        );
        match self.follows {
            None => text.push_str("role:master\r\n"),
            Some(port) => text.push_str(&format!(
                "role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:{port}\r\nmaster_link_status:{}\r\n\
                 slave_repl_offset:{}\r\nslave_priority:{}\r\n",
                if self.linked { "up" } else { "down" },
                self.offset,
                self.priority
            )),
        }
        text
    }
}
