//! One engine among two peers, a primary and two replicas that say what the fuzzer makes up.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder as _;

use super::files::read;
use crate::config::rewrite::{State, rewrite};
use crate::core::action::{Level, LinkRole};
use crate::core::fuzz::check;
use crate::core::ids::{ClientId, ConnId, RunId};
use crate::core::settings::{GroupSettings, HostPort, KnownSentinel};
use crate::core::{Action, Engine, Input, Node, Settings, Time};
use crate::resp::{Reply, ReplyDecoder};

/// Ports of the primary and its replicas.
pub(super) const NODES: [u16; 3] = [6379, 6380, 6381];
const PEERS: [u16; 2] = [26380, 26381];
const LOCAL: [u8; 4] = [127, 0, 0, 1];
/// Most facts that follow from one, and most deadlines in one stretch of time. A message may bring a connection, a
/// connection some requests; none of it may go on for ever.
const MANY: usize = 20_000;

/// See the module.
pub(super) struct World {
    engine: Engine,
    now: Time,
    conns: BTreeMap<ConnId, (u16, LinkRole)>,
    infos: [Bytes; 3],
    opinion: Option<Reply>,
    primary_silent: bool,
    epochs: (u64, u64),
    news: VecDeque<Input>,
    asked: usize,
    answered: usize,
}

fn settings() -> Settings {
    let at = |port| HostPort { host: "127.0.0.1".to_owned(), port };
    let mut group = GroupSettings::new("mymaster".into(), at(NODES[0]), 2);
    group.down_after = Duration::from_millis(1000);
    group.failover_timeout = Duration::from_millis(5000);
    group.known_replicas = vec![at(NODES[1]), at(NODES[2])];
    let peer =
        |(port, letter): (u16, &str)| KnownSentinel { addr: at(port), run_id: letter.repeat(40).into() };
    group.known_sentinels = PEERS.into_iter().zip(["b", "c"]).map(peer).collect();
    Settings { my_id: Some(RunId::from("a".repeat(40))), groups: vec![group], ..Settings::default() }
}

impl World {
    pub(super) fn new() -> Self {
        let now = Time::from_millis(1_000_000);
        let node = Node { port: 26379, ..Node::default() };
        let replica = |id: &str| {
            Bytes::from(format!(
                "run_id:{}\r\nrole:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\n\
                 slave_repl_offset:100\r\nslave_priority:100\r\n",
                id.repeat(40)
            ))
        };
        let mut world = Self {
            engine: Engine::new(settings(), node, 1, Level::Notice, now),
            now,
            conns: BTreeMap::new(),
            infos: [
                Bytes::from(format!("run_id:{}\r\nrole:master\r\n", "1".repeat(40))),
                replica("2"),
                replica("3"),
            ],
            opinion: None,
            primary_silent: false,
            epochs: (0, 0),
            news: VecDeque::new(),
            asked: 0,
            answered: 0,
        };
        let mut out = Vec::new();
        world.engine.start(now, &mut out);
        world.carry_out(out);
        world.follow();
        world
    }

    /// The INFO of a data node from here on.
    pub(super) fn says(&mut self, node: usize, info: &[u8]) {
        self.infos[node] = Bytes::copy_from_slice(info);
    }

    /// What peers answer from here on: the first reply in these bytes.
    pub(super) fn peers_answer(&mut self, bytes: &[u8]) {
        self.opinion = ReplyDecoder::default().decode(&mut BytesMut::from(bytes)).ok().flatten();
    }

    pub(super) fn primary_silent(&mut self, silent: bool) {
        self.primary_silent = silent;
    }

    /// A hello on the subscription at a data node, if there is one.
    pub(super) fn hear(&mut self, node: usize, hello: &[u8]) {
        let wanted = (NODES[node], LinkRole::DataPubSub);
        let Some((&conn, _)) = self.conns.iter().find(|(_, at)| **at == wanted) else { return };
        let words: [&[u8]; 3] = [b"message", b"__sentinel__:hello", hello];
        let words = words.map(|word| Reply::bulk(Bytes::copy_from_slice(word)));
        self.handle(Input::Frame { conn, reply: Reply::Array(words.to_vec()) });
    }

    /// A client's command. It has its answer at once, for the disk is quick.
    pub(super) fn command(&mut self, words: &[&[u8]]) {
        self.asked += 1;
        let args = words.iter().map(|word| Bytes::copy_from_slice(word)).collect();
        self.handle(Input::Command { client: ClientId(1), args });
        assert_eq!(self.answered, self.asked, "answers");
    }

    /// Lets time pass, stopping at each deadline.
    pub(super) fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        let mut left = MANY;
        while let Some((at, why)) = self.engine.next_deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.handle(Input::Timer { heard: self.now });
            left -= 1;
            assert!(left > 0, "no end of {why}");
        }
        self.now = end;
    }

    /// What is saved can be read again and says the same.
    pub(super) fn check_file(&self) {
        let settings = self.engine.snapshot();
        let Ok(empty) = read(b"") else { panic!("an empty file is refused") };
        let text = rewrite(None, &State { general: &empty.general, users: &[], settings: &settings });
        let shown = String::from_utf8_lossy(&text);
        match read(&text) {
            Ok(again) => assert_eq!(again.settings, settings, "{shown}"),
            Err(refusal) => panic!("{refusal}:\n{shown}"),
        }
    }

    fn handle(&mut self, input: Input) {
        self.news.push_back(input);
        self.follow();
    }

    fn follow(&mut self) {
        let mut left = MANY;
        while let Some(input) = self.news.pop_front() {
            let mut out = Vec::new();
            self.engine.handle(input, self.now, &mut out);
            self.carry_out(out);
            let epochs = check(&self.engine);
            assert!(self.epochs.0 <= epochs.0 && self.epochs.1 <= epochs.1, "epochs go back");
            self.epochs = epochs;
            left -= 1;
            assert!(left > 0, "one thing leads to another without end");
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        assert!(actions.len() <= MANY, "{} wishes at once", actions.len());
        for action in actions {
            match action {
                Action::Connect { conn, ip, port, role } => {
                    let known = ip == IpAddr::from(LOCAL) && (NODES.contains(&port) || PEERS.contains(&port));
                    if known {
                        self.conns.insert(conn, (port, role));
                        self.news.push_back(Input::Connected { conn, local: LOCAL.into() });
                    } else {
                        let error = "Connection refused".to_owned();
                        self.news.push_back(Input::Disconnected { conn, error, refused: true });
                    }
                }
                Action::Close { conn } => {
                    self.conns.remove(&conn);
                }
                Action::Send { conn, args } => {
                    if let Some(&(port, _)) = self.conns.get(&conn)
                        && let Some(reply) = self.answer(port, &args)
                    {
                        self.news.push_back(Input::Frame { conn, reply });
                    }
                }
                Action::Reply { .. } => self.answered += 1,
                Action::Event(event) => one_line(&event.payload),
                Action::Log { text, .. } => one_line(&text),
                Action::Persist { save } => self.news.push_back(Input::Persisted { upto: save, ok: true }),
                Action::Resolve { id, .. } => self.news.push_back(Input::Resolved { id, ip: None }),
                Action::CheckExecutable { id, paths } => {
                    self.news.push_back(Input::Executable { id, ok: vec![true; paths.len()] });
                }
                Action::RunScript { .. }
                | Action::KillScript { .. }
                | Action::SetLogLevel(_)
                | Action::Observe(_)
                | Action::Api { .. }
                | Action::Ended
                | Action::Crash => {}
            }
        }
    }

    /// What is answered to a request; nothing by a primary that is silent.
    fn answer(&self, port: u16, args: &[Bytes]) -> Option<Reply> {
        let node = NODES.iter().position(|node| *node == port);
        if node == Some(0) && self.primary_silent {
            return None;
        }
        let word = args.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        Some(match (word.as_slice(), node) {
            (b"PING", _) => Reply::Simple("PONG".into()),
            (b"INFO", Some(node)) => Reply::Bulk(self.infos[node].clone()),
            (b"SENTINEL", None) => self.opinion.clone().unwrap_or(Reply::Nil),
            (b"PUBLISH", _) => Reply::Int(1),
            (b"SUBSCRIBE", _) => {
                Reply::Array(vec![Reply::bulk("subscribe"), Reply::bulk("__sentinel__:hello"), Reply::Int(1)])
            }
            _ => Reply::OK,
        })
    }
}

/// Events and lines of the log must not make others up.
fn one_line(text: &str) {
    assert!(!text.contains(['\r', '\n']), "{text:?}");
}
