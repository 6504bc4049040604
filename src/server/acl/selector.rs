//! One list of rights: commands, key patterns, channel patterns. A user has one and may have more behind it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::rule::{RuleError, check_text};
use crate::config::Identity;
use crate::core::glob;
use crate::server::table::{self, Category, CommandSpec};

/// A list of rights.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    /// Bits by the ids of listed commands: a command that is not listed stands under the right of another.
    commands: u128,
    /// Whether commands that come with later versions are allowed: the base that the rules are shown from.
    future: bool,
    /// First arguments with which a command is allowed that otherwise is not, by its id. Never empty lists.
    first_args: BTreeMap<u8, Vec<String>>,
    all_keys: bool,
    keys: Vec<KeyPattern>,
    all_channels: bool,
    channels: Vec<Vec<u8>>,
}

/// Keys that may be read, written or both. No command here takes keys; the rules are kept for the file.
#[derive(Clone, Debug)]
struct KeyPattern {
    read: bool,
    write: bool,
    pattern: Vec<u8>,
}

/// What a selector says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Granted,
    /// The command is not allowed.
    Command,
    /// The command is allowed, the channel at this argument is not.
    Channel(usize),
}

impl Selector {
    /// No rights, except for channels by `acl-pubsub-default allchannels`.
    pub(super) fn new(all_channels: bool) -> Self {
        Self { all_channels, ..Self::default() }
    }

    /// Every right.
    pub(super) fn unlimited() -> Self {
        Self { commands: u128::MAX, future: true, all_keys: true, all_channels: true, ..Self::default() }
    }

    // === rules ===

    /// Applies one rule about commands, keys or channels.
    pub(super) fn apply(&mut self, rule: &[u8], identity: Identity) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        if is("allkeys") || rule == b"~*" {
            self.all_keys = true;
            self.keys.clear();
        } else if is("resetkeys") {
            self.all_keys = false;
            self.keys.clear();
        } else if is("allchannels") || rule == b"&*" {
            self.all_channels = true;
            self.channels.clear();
        } else if is("resetchannels") {
            self.all_channels = false;
            self.channels.clear();
        } else if is("allcommands") || is("+@all") {
            self.set_all(true);
        } else if is("nocommands") || is("-@all") {
            self.set_all(false);
        } else {
            match rule {
                [b'~' | b'%', ..] => self.add_key(rule)?,
                [b'&', pattern @ ..] => self.add_channel(pattern)?,
                [sign @ (b'+' | b'-'), b'@', name @ ..] => {
                    let category = Category::parse(name).ok_or(RuleError::UnknownCommand)?;
                    self.set_category(category, *sign == b'+', identity);
                }
                [b'+', name @ ..] => self.allow(name, identity)?,
                [b'-', name @ ..] => {
                    let spec = lookup(name).ok_or(RuleError::UnknownCommand)?;
                    self.set(spec.right(identity), false);
                }
                _ => return Err(RuleError::Syntax),
            }
        }
        Ok(())
    }

    fn add_key(&mut self, rule: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AfterAllKeys);
        }
        let (read, write, pattern) = match rule {
            [b'%', rest @ ..] => key_permission(rest).ok_or(RuleError::Syntax)?,
            _ => (true, true, &rule[1..]),
        };
        check_text(pattern)?;
        match self.keys.iter_mut().find(|key| key.pattern == pattern) {
            Some(key) => {
                key.read |= read;
                key.write |= write;
            }
            None => self.keys.push(KeyPattern { read, write, pattern: pattern.to_vec() }),
        }
        Ok(())
    }

    fn add_channel(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AfterAllChannels);
        }
        check_text(pattern)?;
        if !self.channels.iter().any(|known| known == pattern) {
            self.channels.push(pattern.to_vec());
        }
        Ok(())
    }

    /// `+command`, `+container|subcommand` or `+command|first-argument`.
    fn allow(&mut self, name: &[u8], identity: Identity) -> Result<(), RuleError> {
        if let Some(spec) = lookup(name) {
            self.set(spec.right(identity), true);
            return Ok(());
        }
        let bar = name.iter().rposition(|byte| *byte == b'|').ok_or(RuleError::UnknownCommand)?;
        let spec = lookup(&name[..bar]).ok_or(RuleError::UnknownCommand)?;
        let argument = &name[bar + 1..];
        if argument.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !spec.subcommands.is_empty() {
            return Err(RuleError::UnknownCommand);
        }
        if spec.full_name.contains('|') {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        // Shown as it is in a line of words, so it must be one.
        check_text(argument)?;
        let argument = std::str::from_utf8(argument).map_err(|_| RuleError::Syntax)?;
        let known = self.first_args.entry(spec.id).or_default();
        if !known.iter().any(|word| word.eq_ignore_ascii_case(argument)) {
            known.push(argument.to_owned());
        }
        Ok(())
    }

    fn set_all(&mut self, allowed: bool) {
        self.commands = if allowed { u128::MAX } else { 0 };
        self.future = allowed;
        self.first_args.clear();
    }

    /// A container of the category brings its subcommands along, even those outside the category.
    fn set_category(&mut self, category: Category, allowed: bool, identity: Identity) {
        for spec in listed(identity).filter(|spec| spec.categories.contains(category)) {
            self.set(spec, allowed);
        }
    }

    /// A container's right is the right to all its subcommands.
    fn set(&mut self, spec: &'static CommandSpec, allowed: bool) {
        self.set_one(spec, allowed);
        for sub in spec.subcommands {
            self.set_one(sub, allowed);
        }
    }

    fn set_one(&mut self, spec: &CommandSpec, allowed: bool) {
        let bit = 1 << spec.id;
        self.commands = if allowed { self.commands | bit } else { self.commands & !bit };
        self.first_args.remove(&spec.id);
    }

    const fn has(&self, spec: &CommandSpec) -> bool {
        self.commands & (1 << spec.id) != 0
    }

    // === questions ===

    /// Whether a request is allowed. `channels` are the arguments that name channels.
    pub(super) fn check(
        &self,
        spec: &'static CommandSpec,
        args: &[Bytes],
        channels: Option<Channels>,
        identity: Identity,
    ) -> Verdict {
        let right = spec.right(identity);
        if !self.has(right) && !self.has_first_arg(right, args) {
            return Verdict::Command;
        }
        let Some(channels) = channels else { return Verdict::Granted };
        for (at, channel) in args.iter().enumerate().take(channels.end).skip(1) {
            if !self.allows_channel(channel, channels.patterns) {
                return Verdict::Channel(at);
            }
        }
        Verdict::Granted
    }

    fn has_first_arg(&self, spec: &CommandSpec, args: &[Bytes]) -> bool {
        let (Some(known), Some(argument)) = (self.first_args.get(&spec.id), args.get(1)) else {
            return false;
        };
        known.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(argument))
    }

    /// Whether a channel may be used. A pattern is allowed only if it is literally one of the allowed patterns.
    pub(super) fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_channels
            || self.channels.iter().any(|allowed| {
                if is_pattern { allowed == channel } else { glob::matches(allowed, channel, false) }
            })
    }

    // === description ===

    /// All the rules, as `ACL LIST` shows them.
    pub(super) fn describe(&self, out: &mut Vec<u8>, identity: Identity) {
        let keys = self.keys();
        if !keys.is_empty() {
            out.extend(keys);
            out.push(b' ');
        }
        if self.all_channels {
            out.extend(b"&* ");
        } else {
            out.extend(b"resetchannels ");
            for channel in &self.channels {
                out.push(b'&');
                out.extend(channel);
                out.push(b' ');
            }
        }
        out.extend(self.commands(identity).into_bytes());
    }

    /// The rules about keys, parted by blanks.
    pub(super) fn keys(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let rules = self.keys.iter().map(|key| {
            let sign: &[u8] = match (key.read, key.write) {
                (true, false) => b"%R~",
                (false, true) => b"%W~",
                (true, true) | (false, false) => b"~",
            };
            [sign, &key.pattern].concat()
        });
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules about channels, parted by blanks.
    pub(super) fn channels(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        self.channels
            .iter()
            .map(|channel| [b"&", channel.as_slice()].concat())
            .collect::<Vec<_>>()
            .join(&b' ')
    }

    /// The rules about commands, parted by blanks.
    ///
    /// They are found anew from what is allowed, however it came to be: from everything or nothing, first the
    /// categories that bring most of what is missing, then single commands.
    pub(super) fn commands(&self, identity: Identity) -> String {
        let adding = !self.future;
        let sign = |allowed: bool| if allowed { '+' } else { '-' };
        let mut text = String::from(if adding { "-@all" } else { "+@all" });
        // What the rules so far give, and what is still to be told apart from the base.
        let mut given = Self::default();
        given.set_all(!adding);
        let mut rest = self.clone();
        let mut used = Vec::new();
        while let Some(category) = rest.best_category(adding, &used, identity) {
            given.set_category(category, adding, identity);
            rest.set_category(category, !adding, identity);
            used.push(category);
            text.push_str(&format!(" {}@{}", sign(adding), category.name()));
        }
        for spec in listed(identity) {
            let allowed = self.has(spec);
            if allowed != given.has(spec) {
                given.set(spec, allowed);
                text.push_str(&format!(" {}{}", sign(allowed), spec.full_name));
            }
            if !allowed {
                for argument in self.first_args.get(&spec.id).into_iter().flatten() {
                    text.push_str(&format!(" +{}|{argument}", spec.full_name));
                }
            }
        }
        text
    }

    /// The category with more commands that differ from the base than commands that don't: the one with fewest of the
    /// latter, then with most of the former, then the first.
    fn best_category(&self, adding: bool, used: &[Category], identity: Identity) -> Option<Category> {
        let mut best: Option<(Category, usize, usize)> = None;
        for category in Category::all().filter(|category| !used.contains(category)) {
            let (mut hits, mut misses) = (0, 0);
            for spec in listed(identity).filter(|spec| spec.categories.contains(category)) {
                if self.has(spec) == adding { hits += 1 } else { misses += 1 }
            }
            let better =
                best.is_none_or(|(_, most, fewest)| misses < fewest || misses == fewest && hits > most);
            if hits > misses && better {
                best = Some((category, hits, misses));
            }
        }
        best.map(|(category, _, _)| category)
    }
}

/// The arguments of a request that name channels: from the second word up to `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels {
    end: usize,
    patterns: bool,
}

impl Channels {
    /// The channels of a command, if it has any that need a right.
    pub(super) fn of(spec: &CommandSpec) -> Option<Self> {
        match spec.full_name {
            "publish" => Some(Self { end: 2, patterns: false }),
            "subscribe" => Some(Self { end: usize::MAX, patterns: false }),
            "psubscribe" => Some(Self { end: usize::MAX, patterns: true }),
            _ => None,
        }
    }
}

/// The commands that rules speak of, containers before their subcommands.
fn listed(identity: Identity) -> impl Iterator<Item = &'static CommandSpec> {
    table::all().filter(move |spec| spec.listing.by(identity))
}

/// A command that a rule names; later commands too, QUIT not, which needs no right.
fn lookup(name: &[u8]) -> Option<&'static CommandSpec> {
    table::lookup_full(name).filter(|spec| spec.listing != table::Listing::Nobody)
}

/// What stands behind `%`: letters, `~`, pattern.
fn key_permission(rule: &[u8]) -> Option<(bool, bool, &[u8])> {
    let (mut read, mut write) = (false, false);
    let mut at = 0;
    while at < rule.len() {
        match rule[at] {
            b'R' | b'r' if !read => read = true,
            b'W' | b'w' if !write => write = true,
            b'~' if read || write => break,
            _ => return None,
        }
        at += 1;
    }
    (read || write).then(|| (read, write, rule.get(at + 1..).unwrap_or_default()))
}
