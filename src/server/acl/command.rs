//! The subcommands of ACL.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use bytes::Bytes;

use super::file::{LoadJob, SaveError, SaveJob};
use super::rule::{RuleError, merge, shown};
use super::selector::Selector;
use super::user::User;
use super::{Acl, DEFAULT_USER, Effect, Permission, check_name, help, password, unmatched};
use crate::config::Identity;
use crate::core::Time;
use crate::resp::Reply;
use crate::server::listen::strerror;
use crate::server::table::{self, Category, Listing};

const NOT_SAVED: &str =
    "ERR There was an error trying to save the ACLs. Please check the server logs for more information";
const NO_INTEGER: &str = "ERR value is not an integer or out of range";
const MOST_BITS: i64 = 4096;
/// Entries that `ACL LOG` shows unless told otherwise.
const LOG_SHOWN: i64 = 10;
/// Closes every list of errors of a file.
const UNCHANGED: &str =
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

/// The answer to LOAD and SAVE without a file.
const fn no_file(identity: Identity) -> &'static str {
    match identity {
        Identity::Redis70 | Identity::Redis80 => {
            "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL \
             SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order \
             to store users in the Redis configuration."
        }
        Identity::Valkey80 => {
            "ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER \
             command and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store \
             users in the configuration."
        }
    }
}

/// What is to be done about an ACL command.
#[derive(Debug)]
pub enum Outcome {
    /// Answer, and end the connections that the effect hits.
    Reply(Reply, Option<Effect>),
    /// Run the job on another thread, then hand its result to [`Acl::loaded`].
    Load(LoadJob),
    /// Run the job on another thread, then answer with [`Acl::saved`] and write an error's text to the log.
    Save(SaveJob),
}

impl Acl {
    /// Runs a request whose subcommand and number of words have been found right. `caller` is the client's user.
    #[must_use]
    pub fn command(&mut self, args: &[Bytes], caller: &str, now: Time) -> Outcome {
        let name = args.get(1).map(|name| name.to_ascii_lowercase()).unwrap_or_default();
        let rest = args.get(2..).unwrap_or_default();
        let reply = match (name.as_slice(), rest) {
            (b"setuser", [name, rules @ ..]) => return self.set_user(name, rules),
            (b"deluser", names) => return self.delete_users(names),
            (b"load", _) => match self.load_job() {
                Some(job) => return Outcome::Load(job),
                None => Reply::err(no_file(self.ground.identity)),
            },
            (b"save", _) => match self.save_job() {
                Some(job) => return Outcome::Save(job),
                None => Reply::err(no_file(self.ground.identity)),
            },
            (b"getuser", [name, ..]) => self.get_user(name),
            (b"list", _) => Reply::Array(
                self.users.iter().map(|(name, user)| Reply::bulk(self.line(name, user))).collect(),
            ),
            (b"users", _) => Reply::Array(self.users.keys().map(|name| Reply::bulk(name.clone())).collect()),
            (b"whoami", _) => Reply::bulk(caller.to_owned()),
            (b"cat", []) => {
                Reply::Array(Category::all().map(|category| Reply::bulk(category.name())).collect())
            }
            (b"cat", [category]) => self.category(category),
            (b"dryrun", [user, request @ ..]) => self.dry_run(user, request),
            (b"genpass", [] | [_]) => generate(rest.first()),
            (b"log", [] | [_]) => self.log_command(rest.first(), now),
            (b"help", _) => help::reply(),
            _ => Reply::error(format!(
                "ERR unknown subcommand or wrong number of arguments for '{:.128}'. Try ACL HELP.",
                args.get(1).map(|name| shown(name)).unwrap_or_default()
            )),
        };
        Outcome::Reply(reply, None)
    }

    fn set_user(&mut self, name: &[u8], rules: &[Bytes]) -> Outcome {
        match self.try_set_user(name, rules) {
            Ok(effect) => Outcome::Reply(Reply::OK, Some(effect)),
            Err(reply) => Outcome::Reply(reply, None),
        }
    }

    /// All rules or none.
    fn try_set_user(&mut self, name: &[u8], rules: &[Bytes]) -> Result<Effect, Reply> {
        let name =
            check_name(name).ok_or(Reply::err("ERR Usernames can't contain spaces or null characters"))?;
        let rules = merge(rules.iter().map(|rule| &**rule))
            .map_err(|open| Reply::error(format!("ERR {}", unmatched(&open))))?;
        let mut user = self.users.get(name).cloned().unwrap_or_else(|| User::new(self.ground));
        for rule in &rules {
            user.apply(rule, self.ground).map_err(|error| {
                Reply::error(format!("ERR Error in ACL SETUSER modifier '{}': {error}", shown(rule)))
            })?;
        }
        self.users.insert(name.to_owned(), user);
        Ok(Effect::Changed(name.to_owned()))
    }

    fn delete_users(&mut self, names: &[Bytes]) -> Outcome {
        if names.iter().any(|name| name == DEFAULT_USER) {
            return Outcome::Reply(Reply::err("ERR The 'default' user cannot be removed"), None);
        }
        let names = names.iter().filter_map(|name| std::str::from_utf8(name).ok());
        let deleted: Vec<String> =
            names.filter_map(|name| self.users.remove_entry(name)).map(|(name, _)| name).collect();
        let count = i64::try_from(deleted.len()).unwrap_or(i64::MAX);
        Outcome::Reply(Reply::Int(count), Some(Effect::Deleted(deleted)))
    }

    fn get_user(&self, name: &[u8]) -> Reply {
        let Some(user) = std::str::from_utf8(name).ok().and_then(|name| self.users.get(name)) else {
            return Reply::Nil;
        };
        let mut fields = vec![
            (Reply::bulk("flags"), Reply::Set(user.flags().map(Reply::bulk).collect())),
            (Reply::bulk("passwords"), Reply::Array(user.passwords().iter().map(Reply::number).collect())),
        ];
        fields.extend(self.rights(user.root()));
        let selectors = user.selectors().iter().map(|selector| Reply::Map(self.rights(selector)));
        fields.push((Reply::bulk("selectors"), Reply::Array(selectors.collect())));
        Reply::Map(fields)
    }

    fn rights(&self, selector: &Selector) -> Vec<(Reply, Reply)> {
        vec![
            (Reply::bulk("commands"), Reply::bulk(selector.commands(self.ground.identity))),
            (Reply::bulk("keys"), Reply::bulk(selector.keys())),
            (Reply::bulk("channels"), Reply::bulk(selector.channels())),
        ]
    }

    fn category(&self, name: &[u8]) -> Reply {
        let Some(category) = Category::parse(name) else {
            return Reply::error(format!("ERR Unknown category '{}'", shown(name)));
        };
        let commands = table::all()
            .filter(|spec| spec.listing.by(self.ground.identity) && spec.categories.contains(category));
        Reply::Array(commands.map(|spec| Reply::bulk(spec.full_name)).collect())
    }

    fn dry_run(&self, user: &[u8], request: &[Bytes]) -> Reply {
        let Some(user) = std::str::from_utf8(user).ok().and_then(|user| self.users.get(user)) else {
            return Reply::error(format!("ERR User '{}' not found", shown(user)));
        };
        let command = request.first().and_then(|name| table::lookup(name));
        let spec = match (command, request.get(1)) {
            (Some(container), Some(name)) if !container.subcommands.is_empty() => container.subcommand(name),
            (command, _) => command,
        };
        let Some(spec) = spec.filter(|spec| spec.listing != Listing::Nobody) else {
            let name = request.first().map(|name| shown(name)).unwrap_or_default();
            return Reply::error(format!("ERR Command '{name}' not found"));
        };
        if !spec.accepts(request.len()) {
            return Reply::error(spec.arity_text());
        }
        match self.check_user(user, spec, request) {
            Permission::Granted => Reply::OK,
            Permission::Command(spec) => {
                Reply::bulk(format!("This user has no permissions to run the '{}' command", spec.full_name))
            }
            Permission::Channel(channel) => Reply::bulk(
                [b"This user has no permissions to access the '".as_slice(), channel, b"' channel"].concat(),
            ),
        }
    }

    fn log_command(&mut self, argument: Option<&Bytes>, now: Time) -> Reply {
        let count = match argument {
            None => LOG_SHOWN,
            Some(word) if word.eq_ignore_ascii_case(b"reset") => {
                self.log.clear();
                return Reply::OK;
            }
            Some(word) => match integer(word) {
                Some(count) => count,
                None => return Reply::err(NO_INTEGER),
            },
        };
        self.log.reply(usize::try_from(count).unwrap_or(0), now)
    }

    // === the aclfile ===

    /// The job that reads the aclfile, if there is one.
    #[must_use]
    pub fn load_job(&self) -> Option<LoadJob> {
        self.aclfile.clone().map(|path| LoadJob { path })
    }

    fn save_job(&self) -> Option<SaveJob> {
        let path = self.aclfile.clone()?;
        let mut text = Vec::new();
        for (name, user) in &self.users {
            text.extend(self.line(name, user));
            text.push(b'\n');
        }
        Some(SaveJob { path, text })
    }

    /// The reply to ACL SAVE.
    #[must_use]
    pub fn saved(result: &Result<(), SaveError>) -> Reply {
        if result.is_ok() { Reply::OK } else { Reply::err(NOT_SAVED) }
    }

    /// Takes over what a load job read, if it holds no error, and answers ACL LOAD. A failed reload leaves the rules
    /// as they were.
    #[must_use]
    pub fn loaded(&mut self, job: &LoadJob, read: io::Result<Vec<u8>>) -> (Reply, Option<Effect>) {
        match self.install(read, &job.path) {
            Ok(()) => (Reply::OK, Some(Effect::Reloaded)),
            Err(text) => (Reply::error(format!("ERR {text}")), None),
        }
    }

    /// Replaces all users by those of a file, or says what is wrong with it.
    pub(super) fn install(&mut self, read: io::Result<Vec<u8>>, path: &Path) -> Result<(), String> {
        let path = path.display();
        let text =
            read.map_err(|error| format!("Error loading ACLs, opening file '{path}': {}", strerror(&error)))?;
        let mut users = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut problems = String::new();
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let (name, rules) = match split_line(line) {
                Ok(parts) => parts,
                Err(LineError::NoUser) => {
                    problems.push_str(&format!(
                        "{path}:{number} should start with user keyword followed by the username. "
                    ));
                    continue;
                }
                // The odd quote is Sentinel's.
                Err(LineError::Name(name)) => {
                    problems.push_str(&format!(
                        "'{path}:{number}: username '{name}' contains invalid characters. "
                    ));
                    continue;
                }
            };
            if !seen.insert(name) {
                problems.push_str(&format!("WARNING: Duplicate user '{name}' found on line {number}. "));
                continue;
            }
            match self.build(rules) {
                Ok(user) => {
                    users.insert(name.to_owned(), user);
                }
                Err(reasons) => {
                    for reason in reasons {
                        problems.push_str(&format!("{path}:{number}: {reason}. "));
                    }
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems + UNCHANGED);
        }
        users.entry(DEFAULT_USER.to_owned()).or_insert_with(User::unlimited);
        self.users = users;
        Ok(())
    }

    /// The user that rules make, or all reasons why they make none.
    fn build<'a>(&self, rules: impl Iterator<Item = &'a [u8]>) -> Result<User, Vec<String>> {
        let rules = merge(rules).map_err(|open| vec![unmatched(&open).trim_end_matches('.').to_owned()])?;
        let mut user = User::new(self.ground);
        let mut reasons = Vec::new();
        for rule in &rules {
            match user.apply(rule.trim_ascii(), self.ground) {
                Ok(()) => {}
                Err(error @ RuleError::UnknownCommand) => {
                    reasons.push(format!("Error in applying operation '{}': {error}", shown(rule)));
                }
                Err(error) => {
                    reasons.push(error.to_string());
                    break;
                }
            }
        }
        if reasons.is_empty() { Ok(user) } else { Err(reasons) }
    }
}

/// What is wrong with the beginning of a line of the aclfile.
enum LineError {
    NoUser,
    Name(String),
}

/// Name and rules of one line of the aclfile: words parted by single blanks, without quotes.
fn split_line(line: &[u8]) -> Result<(&str, impl Iterator<Item = &[u8]>), LineError> {
    let mut words = line.split(|byte| *byte == b' ');
    if words.next() != Some(b"user") {
        return Err(LineError::NoUser);
    }
    let name = words.next().ok_or(LineError::NoUser)?;
    let name = check_name(name).ok_or_else(|| LineError::Name(shown(name)))?;
    Ok((name, words))
}

fn generate(bits: Option<&Bytes>) -> Reply {
    let bits = match bits {
        None => 256,
        Some(word) => match integer(word) {
            Some(bits) => bits,
            None => return Reply::err(NO_INTEGER),
        },
    };
    match usize::try_from(bits) {
        Ok(count @ 1..) if bits <= MOST_BITS => Reply::bulk(password::generate(count)),
        Ok(_) | Err(_) => Reply::error(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to \
             {MOST_BITS}"
        )),
    }
}

/// An integer as Redis reads one: no sign but `-`, no blank, no leading zero.
fn integer(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?;
    let value: i64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}
