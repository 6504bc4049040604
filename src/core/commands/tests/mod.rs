//! The commands on an engine whose surroundings are a few lines of test.

mod config;
mod monitor;
mod query;
mod set;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::core::action::Level;
use crate::core::ids::{ClientId, SaveNo};
use crate::core::settings::{GroupSettings, HostPort, KnownSentinel};
use crate::core::{Action, Engine, Input, Node, Settings, Time};
use crate::resp::Reply;

const ME: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const PEER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const NO_SUCH: &str = "-ERR No such master with that name";
const OK: &str = "+OK";

/// An engine, a disk, files and a resolver.
struct Desk {
    engine: Engine,
    now: Time,
    /// Whether saves succeed; nothing: they stay unanswered.
    disk: Option<bool>,
    unsaved: Vec<SaveNo>,
    saves: usize,
    /// What can be executed.
    scripts: Vec<&'static str>,
    /// What the resolver knows; nothing: questions stay unanswered.
    names: Option<BTreeMap<&'static str, IpAddr>>,
    resolves: VecDeque<Input>,
    /// `event payload` lines.
    events: Vec<String>,
    logs: Vec<String>,
    closed: usize,
    replies: Vec<(ClientId, Reply)>,
    levels: Vec<Level>,
    runs: Vec<Vec<String>>,
}

fn at(port: u16) -> HostPort {
    HostPort { host: "127.0.0.1".to_owned(), port }
}

fn settings() -> Settings {
    let mut group = GroupSettings::new("mm".into(), at(6379), 2);
    group.down_after = Duration::from_millis(3000);
    group.known_replicas = vec![at(6380)];
    group.known_sentinels = vec![KnownSentinel { addr: at(26380), run_id: PEER.into() }];
    Settings { my_id: Some(ME.into()), groups: vec![group], ..Settings::default() }
}

impl Desk {
    fn new() -> Self {
        Self::with(settings())
    }

    fn with(settings: Settings) -> Self {
        let now = Time::from_millis(1_000_000);
        let node = Node { port: 26379, ..Node::default() };
        let mut desk = Self {
            engine: Engine::new(settings, node, 1, Level::Notice, now),
            now,
            disk: Some(true),
            unsaved: Vec::new(),
            saves: 0,
            scripts: Vec::new(),
            names: Some(BTreeMap::new()),
            resolves: VecDeque::new(),
            events: Vec::new(),
            logs: Vec::new(),
            closed: 0,
            replies: Vec::new(),
            levels: Vec::new(),
            runs: Vec::new(),
        };
        let mut out = Vec::new();
        desk.engine.start(now, &mut out);
        desk.carry_out(out);
        desk.events.clear();
        desk
    }

    fn handle(&mut self, input: Input) {
        let mut out = Vec::new();
        self.engine.handle(input, self.now, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        let mut answers = VecDeque::new();
        for action in actions {
            match action {
                Action::Reply { client, reply } => self.replies.push((client, reply)),
                Action::Event(event) => self.events.push(format!("{} {}", event.name, event.payload)),
                Action::Log { text, .. } => self.logs.push(text),
                Action::Close { .. } => self.closed += 1,
                Action::SetLogLevel(level) => self.levels.push(level),
                Action::RunScript { argv, .. } => self.runs.push(argv),
                Action::Persist { save } => {
                    self.saves += 1;
                    match self.disk {
                        Some(ok) => answers.push_back(Input::Persisted { upto: save, ok }),
                        None => self.unsaved.push(save),
                    }
                }
                Action::CheckExecutable { id, paths } => {
                    let ok = paths.iter().map(|path| self.scripts.contains(&path.as_str())).collect();
                    answers.push_back(Input::Executable { id, ok });
                }
                Action::Resolve { id, host } => match &self.names {
                    Some(names) => {
                        let ip = names.get(host.as_str()).copied();
                        answers.push_back(Input::Resolved { id, ip });
                    }
                    None => self.resolves.push_back(Input::Resolved { id, ip: Some([10, 0, 0, 9].into()) }),
                },
                Action::Connect { .. }
                | Action::Send { .. }
                | Action::KillScript { .. }
                | Action::Observe(_)
                | Action::Api { .. }
                | Action::Ended
                | Action::Crash => {}
            }
        }
        for answer in answers {
            self.handle(answer);
        }
    }

    /// One command whose words hold no blanks; `''` is the empty word.
    fn ask(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').map(|word| if word == "''" { "" } else { word }).collect();
        self.ask_words(&words)
    }

    /// The one reply to a command, as text.
    fn ask_words(&mut self, words: &[&str]) -> String {
        self.replies.clear();
        self.send(words);
        assert_eq!(self.replies.len(), 1, "replies to {words:?}");
        self.replies.pop().map(|(_, reply)| text(&reply)).unwrap_or_default()
    }

    fn send(&mut self, words: &[&str]) {
        let args = words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        self.handle(Input::Command { client: ClientId(7), args });
    }

    fn check(&mut self, cases: &[(&str, &str)]) {
        for (command, reply) in cases {
            assert_eq!(self.ask(command), *reply, "{command}");
        }
    }

    /// One field of SENTINEL MASTER.
    fn field(&mut self, group: &str, name: &str) -> Option<String> {
        let reply = self.ask(&format!("sentinel master {group}"));
        let words: Vec<&str> = reply.trim_matches(['*', '[', ']']).split_whitespace().collect();
        words.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].to_owned())
    }
}

/// RESP2 in short: `+OK`, `-ERR ..`, `:1`, `$-1`, `*-1`, bare words for bulk strings, `[..]` for arrays and maps.
fn text(reply: &Reply) -> String {
    let list = |items: Vec<String>| format!("[{}]", items.join(" "));
    match reply {
        Reply::Simple(text) => format!("+{text}"),
        Reply::Error(text) => format!("-{text}"),
        Reply::Int(number) => format!(":{number}"),
        Reply::Bulk(bytes) if bytes.is_empty() => "''".to_owned(),
        Reply::Bulk(bytes) | Reply::Verbatim(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Nil => "$-1".to_owned(),
        Reply::NilArray => "*-1".to_owned(),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            list(items.iter().map(text).collect())
        }
        Reply::Map(pairs) => list(pairs.iter().flat_map(|(key, value)| [text(key), text(value)]).collect()),
        Reply::Double(number) => number.to_string(),
    }
}
