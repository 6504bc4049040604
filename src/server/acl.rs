//! Access rules: who may log in, run which commands and use which channels.
//!
//! Everything here is decided in memory; only `acl/file.rs` touches the disk, and it does so in jobs that the caller runs on
//! another thread. Rules speak of commands by their own names, whatever `rename-command` made of them.

mod command;
mod error;
mod file;
mod help;
mod log;
mod password;
mod rule;
mod selector;
mod user;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;

pub use command::Outcome;
pub use error::AclError;
pub use file::{LoadJob, SaveError, SaveJob};
pub use log::Reason;
pub use rule::RuleError;

use self::log::Log;
use self::password::Digest;
use self::selector::{Channels, Verdict};
use self::user::{Ground, User};
use super::session::Session;
use super::table::{CommandSpec, Flags};
use crate::config::Identity;
use crate::core::Time;
use crate::resp::Reply;

/// The user that every connection has before it logs in.
pub const DEFAULT_USER: &str = "default";

/// What the rules are made from at the start.
#[derive(Clone, Debug, Default)]
pub struct AclConfig {
    /// Whose commands the rules speak of.
    pub identity: Identity,
    /// `requirepass`.
    pub requirepass: Option<String>,
    /// The words of each `user` line, the name first.
    pub users: Vec<Vec<String>>,
    /// `aclfile`; excludes `users`.
    pub aclfile: Option<PathBuf>,
    /// `acllog-max-len`: entries.
    pub log_max_len: usize,
    /// `acl-pubsub-default allchannels`.
    pub all_channels: bool,
}

/// All users and the log of what they were denied.
#[derive(Debug)]
pub struct Acl {
    ground: Ground,
    users: BTreeMap<String, User>,
    log: Log,
    aclfile: Option<PathBuf>,
}

/// Whether a request may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission<'a> {
    /// It may.
    Granted,
    /// The user may not run the command.
    Command(&'static CommandSpec),
    /// The user may not use the channel.
    Channel(&'a [u8]),
}

impl Permission<'_> {
    /// The error that a denied request is answered with.
    #[must_use]
    pub fn denial(&self) -> Option<Reply> {
        match self {
            Self::Granted => None,
            Self::Command(spec) => Some(Reply::error(format!(
                "NOPERM this user has no permissions to run the '{}' command",
                spec.full_name
            ))),
            Self::Channel(_) => Some(Reply::err(
                "NOPERM this user has no permissions to access one of the channels used as arguments",
            )),
        }
    }
}

/// What a change of the rules may mean for connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// These users are gone: their connections end.
    Deleted(Vec<String>),
    /// This user's rights changed: its connections end if they are subscribed to what it may no longer use.
    Changed(String),
    /// All users but `default` are new ones, whatever they are called: connections of the old ones end.
    Reloaded,
}

impl Effect {
    /// Whether a connection must end.
    #[must_use]
    pub fn ends(&self, acl: &Acl, session: &dyn Session) -> bool {
        let user = session.user();
        let outlawed = || {
            let mut outlawed = false;
            session.subscriptions(&mut |channel, is_pattern| {
                outlawed |= !acl.allows_channel(&user, channel, is_pattern);
            });
            outlawed
        };
        match self {
            Self::Deleted(users) => users.iter().any(|deleted| **deleted == *user),
            Self::Changed(changed) => **changed == *user && outlawed(),
            Self::Reloaded => *user != *DEFAULT_USER || outlawed(),
        }
    }
}

impl Acl {
    /// The rules at the start. With an aclfile they are read from it, which blocks.
    ///
    /// # Errors
    /// See [`AclError`].
    pub fn new(config: AclConfig) -> Result<Self, AclError> {
        let ground = Ground { identity: config.identity, all_channels: config.all_channels };
        let mut default = User::unlimited();
        if let Some(password) = config.requirepass.filter(|password| !password.is_empty()) {
            default.add_password(Digest::of(password.as_bytes()));
        }
        let mut acl = Self {
            ground,
            users: BTreeMap::from([(DEFAULT_USER.to_owned(), default)]),
            log: Log::new(config.log_max_len),
            aclfile: config.aclfile,
        };
        if acl.aclfile.is_some() && !config.users.is_empty() {
            return Err(AclError::Both);
        }
        for words in &config.users {
            acl.add_line(words)?;
        }
        if let Some(job) = acl.load_job() {
            acl.install(job.run(), &job.path).map_err(AclError::File)?;
        }
        Ok(acl)
    }

    fn add_line(&mut self, words: &[String]) -> Result<(), AclError> {
        let Some((name, rules)) = words.split_first() else { return Ok(()) };
        check_name(name.as_bytes()).ok_or(AclError::Name)?;
        let refusal = |rule: &[u8], reason: String| AclError::Rule {
            user: name.clone(),
            rule: match rule {
                [sign @ (b'>' | b'<' | b'#' | b'!'), ..] => format!("{}...", char::from(*sign)),
                _ => rule::shown(rule),
            },
            reason,
        };
        let rules = rule::merge(rules.iter().map(String::as_bytes))
            .map_err(|open| refusal(&open, unmatched(&open)))?;
        let mut user = User::new(self.ground);
        if name == DEFAULT_USER {
            // Sentinel resets the user that exists already, which shows in its flags.
            user.apply(b"reset", self.ground).map_err(|error| refusal(b"reset", error.to_string()))?;
        }
        for rule in &rules {
            user.apply(rule, self.ground).map_err(|error| refusal(rule, error.to_string()))?;
        }
        self.users.insert(name.clone(), user);
        Ok(())
    }

    /// What is worth a notice in the log after the start: users of the configuration that are off.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let users = self.users.iter().filter(|(_, user)| self.aclfile.is_none() && !user.enabled);
        users
            .map(|(name, _)| {
                format!(
                    "The user '{name}' is disabled (there is no 'on' modifier in the user description). Make sure this \
                     is not a configuration error."
                )
            })
            .collect()
    }

    /// The user that a name and a password open.
    #[must_use]
    pub fn authenticate(&self, user: &[u8], password: &[u8]) -> Option<&str> {
        let (name, user) = self.users.get_key_value(std::str::from_utf8(user).ok()?)?;
        user.accepts(password).then_some(name.as_str())
    }

    /// Whether there is such a user.
    #[must_use]
    pub fn has_user(&self, name: &str) -> bool {
        self.users.contains_key(name)
    }

    /// Whether a new connection may do nothing before it logs in.
    #[must_use]
    pub fn default_user_needs_auth(&self) -> bool {
        self.users.get(DEFAULT_USER).is_none_or(|user| !user.enabled || !user.nopass)
    }

    /// Whether `AUTH password` makes no sense because the default user has no password.
    #[must_use]
    pub fn default_user_has_nopass(&self) -> bool {
        self.users.get(DEFAULT_USER).is_some_and(|user| user.nopass)
    }

    /// Whether a user may run a request. Does not allocate.
    #[must_use]
    pub fn check<'a>(&self, user: &str, spec: &'static CommandSpec, args: &'a [Bytes]) -> Permission<'a> {
        if spec.flags.contains(Flags::NO_AUTH) {
            return Permission::Granted;
        }
        self.users.get(user).map_or(Permission::Command(spec), |user| self.check_user(user, spec, args))
    }

    fn check_user<'a>(&self, user: &User, spec: &'static CommandSpec, args: &'a [Bytes]) -> Permission<'a> {
        if spec.flags.contains(Flags::NO_AUTH) {
            return Permission::Granted;
        }
        let channels = Channels::of(spec);
        let mut worst = Verdict::Command;
        for rights in user.all_rights() {
            match rights.check(spec, args, channels, self.ground.identity) {
                Verdict::Granted => return Permission::Granted,
                // The selector that came furthest says what is missing.
                verdict @ (Verdict::Command | Verdict::Channel(_)) => worst = worst.max(verdict),
            }
        }
        match worst {
            Verdict::Channel(at) => Permission::Channel(args.get(at).map_or(&[], |channel| channel)),
            Verdict::Command | Verdict::Granted => Permission::Command(spec),
        }
    }

    /// Whether a user may use a channel (or subscribe to a pattern) by any of its lists of rights.
    #[must_use]
    pub fn allows_channel(&self, user: &str, channel: &[u8], is_pattern: bool) -> bool {
        self.users
            .get(user)
            .is_some_and(|user| user.all_rights().any(|rights| rights.allows_channel(channel, is_pattern)))
    }

    /// Notes a denied request for `ACL LOG`. `client` is the client's line of CLIENT LIST.
    pub fn log_denied(&mut self, user: &str, permission: &Permission<'_>, client: String, now: Time) {
        match permission {
            Permission::Granted => {}
            Permission::Command(spec) => {
                self.log.add(Reason::Command, spec.full_name.as_bytes(), user.as_bytes(), client, now);
            }
            Permission::Channel(channel) => {
                self.log.add(Reason::Channel, channel, user.as_bytes(), client, now);
            }
        }
    }

    /// Notes a failed login for `ACL LOG`. `command` is AUTH or HELLO as the client wrote it.
    pub fn log_failed_login(&mut self, command: &[u8], user: &[u8], client: String, now: Time) {
        self.log.add(Reason::Auth, command, user, client, now);
    }

    /// The `user` lines of the configuration file, quoted where needed; none with an aclfile.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if self.aclfile.is_some() {
            return Vec::new();
        }
        let quoted =
            |line: Vec<u8>| line.split(|byte| *byte == b' ').map(quote).collect::<Vec<_>>().join(" ");
        self.users.iter().map(|(name, user)| quoted(self.line(name, user))).collect()
    }

    /// `user NAME RULES`, as `ACL LIST` and the aclfile show it.
    fn line(&self, name: &str, user: &User) -> Vec<u8> {
        let mut line = format!("user {name} ").into_bytes();
        line.extend(user.describe(self.ground.identity));
        line
    }
}

/// Checks a `user` line of the configuration while it is read, as far as Sentinel does then: rules that name unknown
/// commands are found only later, by [`Acl::new`].
///
/// # Errors
/// The number of the first wrong rule, from 0, and the reason.
pub fn check_line(words: &[String]) -> Result<(), (usize, String)> {
    // Whose commands they are makes no difference for errors.
    let ground = Ground { identity: Identity::default(), all_channels: false };
    let rules = words.iter().skip(1).map(String::as_bytes);
    let mut user = User::new(ground);
    let rules = rule::merge(rules).map_err(|open| (0, unmatched(&open)))?;
    for (index, rule) in rules.into_iter().enumerate() {
        match user.apply(&rule, ground) {
            Ok(()) | Err(RuleError::UnknownCommand) => {}
            Err(error) => return Err((index, error.to_string())),
        }
    }
    Ok(())
}

fn unmatched(open: &[u8]) -> String {
    format!("Unmatched parenthesis in acl selector starting at '{}'.", rule::shown(open))
}

/// A user's name: text without blanks and control characters.
fn check_name(name: &[u8]) -> Option<&str> {
    rule::check_text(name).ok()?;
    std::str::from_utf8(name).ok()
}

/// A word as the configuration file needs it, so that it is read back the same.
fn quote(word: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'');
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    let mut quoted = String::from("\"");
    for byte in word {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
