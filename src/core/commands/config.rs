//! SENTINEL CONFIG: settings of the daemon itself. All is judged before anything is changed.

use super::words::Words;
use super::{Outcome, when_saved};
use crate::core::action::{Action, Actions, Level};
use crate::core::engine::Engine;
use crate::core::glob;
use crate::core::ids::ClientId;
use crate::core::shared::{Cx, Shared};
use crate::core::time::Time;
use crate::resp::Reply;

const USAGE: Reply = Reply::err(
    "ERR Only SENTINEL CONFIG GET <param> [<param> <param> ...] / SET <param> <value> [<param> <value> ...] are \
     supported.",
);

/// What can be seen and set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Param {
    ResolveHostnames,
    AnnounceHostnames,
    AnnounceIp,
    AnnouncePort,
    SentinelUser,
    SentinelPass,
    LogLevel,
}

/// In the order of CONFIG GET.
const PARAMS: [Param; 7] = [
    Param::ResolveHostnames,
    Param::AnnounceHostnames,
    Param::AnnounceIp,
    Param::AnnouncePort,
    Param::SentinelUser,
    Param::SentinelPass,
    Param::LogLevel,
];

impl Param {
    const fn name(self) -> &'static str {
        match self {
            Self::ResolveHostnames => "resolve-hostnames",
            Self::AnnounceHostnames => "announce-hostnames",
            Self::AnnounceIp => "announce-ip",
            Self::AnnouncePort => "announce-port",
            Self::SentinelUser => "sentinel-user",
            Self::SentinelPass => "sentinel-pass",
            Self::LogLevel => "loglevel",
        }
    }

    fn parse(word: &[u8]) -> Option<Self> {
        PARAMS.into_iter().find(|param| param.name().as_bytes().eq_ignore_ascii_case(word))
    }

    const fn is_credential(self) -> bool {
        matches!(self, Self::SentinelUser | Self::SentinelPass)
    }

    fn value(self, shared: &Shared) -> String {
        let yes_no = |set: bool| if set { "yes" } else { "no" }.to_owned();
        match self {
            Self::ResolveHostnames => yes_no(shared.names.enabled),
            Self::AnnounceHostnames => yes_no(shared.announce_hostnames),
            Self::AnnounceIp => shared.announce_ip.clone().unwrap_or_default(),
            Self::AnnouncePort => shared.announce_port.to_string(),
            Self::SentinelUser => shared.sentinel_user.clone().unwrap_or_default(),
            Self::SentinelPass => shared.sentinel_pass.clone().unwrap_or_default(),
            Self::LogLevel => shared.log_level.name().to_owned(),
        }
    }
}

/// A parameter with a value that fits it.
#[derive(Debug)]
enum Change {
    ResolveHostnames(bool),
    AnnounceHostnames(bool),
    AnnounceIp(Option<String>),
    AnnouncePort(u16),
    SentinelUser(Option<String>),
    SentinelPass(Option<String>),
    LogLevel(Level),
}

impl Change {
    fn parse(param: Param, words: &Words<'_>, index: usize) -> Option<Self> {
        let value = words.text(index)?;
        // An empty text means "not set", in the file as well.
        let text = || Some(value.to_owned()).filter(|value| !value.is_empty());
        let yes_no = || match words.lower(index).as_slice() {
            b"yes" => Some(true),
            b"no" => Some(false),
            _ => None,
        };
        Some(match param {
            Param::ResolveHostnames => Self::ResolveHostnames(yes_no()?),
            Param::AnnounceHostnames => Self::AnnounceHostnames(yes_no()?),
            Param::AnnounceIp => Self::AnnounceIp(text()),
            Param::AnnouncePort => Self::AnnouncePort(words.integer(index)?.try_into().ok()?),
            Param::SentinelUser => Self::SentinelUser(text()),
            Param::SentinelPass => Self::SentinelPass(text()),
            Param::LogLevel => Self::LogLevel(Level::parse(value)?),
        })
    }

    /// Carries it out; whether peers must be called anew.
    fn apply(self, cx: &mut Cx<'_>) -> bool {
        let mut credentials = false;
        let shared = &mut *cx.shared;
        match self {
            Self::ResolveHostnames(set) => shared.names.enabled = set,
            Self::AnnounceHostnames(set) => shared.announce_hostnames = set,
            Self::AnnounceIp(ip) => shared.announce_ip = ip,
            Self::AnnouncePort(port) => shared.announce_port = port,
            Self::SentinelUser(user) => {
                shared.sentinel_user = user;
                credentials = true;
            }
            Self::SentinelPass(pass) => {
                shared.sentinel_pass = pass;
                credentials = true;
            }
            Self::LogLevel(level) => {
                shared.log_level = level;
                cx.out.push(Action::SetLogLevel(level));
            }
        }
        credentials
    }
}

impl Engine {
    pub(super) fn config(
        &mut self,
        client: ClientId,
        words: &Words<'_>,
        now: Time,
        out: &mut Actions,
    ) -> Outcome {
        match (words.lower(2).as_slice(), words.len()) {
            (b"get", 4..) => self.config_get(words).into(),
            (b"set", 5..) => self.config_set(client, words, now, out),
            _ => USAGE.into(),
        }
    }

    /// By the order of the patterns, no name twice.
    fn config_get(&self, words: &Words<'_>) -> Reply {
        let mut found = Vec::new();
        for pattern in words.from(3) {
            for param in PARAMS {
                if glob::matches(pattern, param.name().as_bytes(), true) && !found.contains(&param) {
                    found.push(param);
                }
            }
        }
        let rows = found.into_iter();
        Reply::Map(
            rows.map(|param| (Reply::bulk(param.name()), Reply::bulk(param.value(&self.shared)))).collect(),
        )
    }

    fn config_set(&mut self, client: ClientId, words: &Words<'_>, now: Time, out: &mut Actions) -> Outcome {
        let credential = |at: usize| Param::parse(words.bytes(at)).is_some_and(Param::is_credential);
        if let Some(refusal) = words.refusal("CONFIG SET", |index| index % 2 == 0 && credential(index - 1)) {
            return refusal.into();
        }
        let mut seen = Vec::new();
        let mut changes = Vec::new();
        for index in (3..words.len()).step_by(2) {
            let name = words.shown(index);
            let Some(param) = Param::parse(words.bytes(index)) else {
                return Reply::error(format!("ERR Invalid argument '{name}' to SENTINEL CONFIG SET")).into();
            };
            if seen.contains(&param) {
                return Reply::error(format!("ERR Duplicate argument '{name}' to SENTINEL CONFIG SET"))
                    .into();
            }
            seen.push(param);
            if index + 1 == words.len() {
                return Reply::error(format!("ERR Missing argument '{name}' value")).into();
            }
            let Some(change) = Change::parse(param, words, index + 1) else {
                let value = words.shown(index + 1);
                return Reply::error(format!("ERR Invalid value '{value}' to SENTINEL CONFIG SET '{name}'"))
                    .into();
            };
            changes.push(change);
        }
        let (mut cx, parts) = self.split(now, out);
        let mut credentials = false;
        for change in changes {
            credentials |= change.apply(&mut cx);
        }
        cx.shared.touched.extend(parts.groups.keys());
        if credentials {
            self.drop_peer_links(now, out);
        }
        let (mut cx, _) = self.split(now, out);
        when_saved(client, Reply::OK, &mut cx)
    }
}
