//! The `sentinel` lines: from words to [`Settings`].
//!
//! They are applied after everything else is read, in three passes, so that a line about a group may stand before the
//! line that makes the group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::grammar::leading_number;
use super::system::System;
use crate::core::ids::{GroupName, RunId};
use crate::core::settings::{GroupSettings, HostPort, KnownSentinel, Settings};

/// A `sentinel` line that waits for its pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Number of the line.
    pub line: usize,
    /// The line as read.
    pub text: String,
    /// Its words behind `sentinel`; at least one.
    pub words: Vec<String>,
}

/// A line that can't be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which one, as an index of the queue.
    pub index: usize,
    /// Why.
    pub message: String,
    /// A line for the log, if there is more to say.
    pub note: Option<String>,
}

/// Directives of the first pass.
const FIRST: [&str; 9] = [
    "announce-ip",
    "announce-port",
    "deny-scripts-reconfig",
    "sentinel-user",
    "sentinel-pass",
    "current-epoch",
    "myid",
    "resolve-hostnames",
    "announce-hostnames",
];

/// Applies all queued lines.
///
/// # Errors
/// The first line, in the order of application, that can't be applied.
pub fn apply(queue: &[Queued], system: &dyn System) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    let mut seen = Seen::default();
    for pass in 0..3 {
        for (index, queued) in queue.iter().enumerate() {
            let Some(directive) = queued.words.first().map(|word| word.to_ascii_lowercase()) else {
                continue;
            };
            let due = match directive.as_str() {
                name if FIRST.contains(&name) => 0,
                "monitor" => 1,
                _ => 2,
            };
            if due == pass {
                let words: Vec<&str> = queued.words[1..].iter().map(String::as_str).collect();
                apply_one(&mut settings, &mut seen, &directive, &words, system).map_err(|problem| {
                    Failure { index, message: problem.message.to_owned(), note: problem.note }
                })?;
            }
        }
    }
    Ok(settings)
}

struct Problem {
    message: &'static str,
    note: Option<String>,
}

impl From<&'static str> for Problem {
    fn from(message: &'static str) -> Self {
        Self { message, note: None }
    }
}

const UNRECOGNIZED: &str = "Unrecognized sentinel configuration statement.";
const NOT_POSITIVE: &str = "negative or zero time parameter.";

/// What a file may hold only once, to be found again without going through all of it: files may list very many.
#[derive(Debug, Default)]
struct Seen {
    /// Where each group is.
    groups: BTreeMap<String, usize>,
    /// Group, host in lower case, port.
    replicas: BTreeSet<(usize, String, u16)>,
    /// Group, run id.
    peers: BTreeSet<(usize, String)>,
}

fn apply_one(
    settings: &mut Settings,
    seen: &mut Seen,
    directive: &str,
    words: &[&str],
    system: &dyn System,
) -> Result<(), Problem> {
    match (directive, words) {
        ("announce-ip", [ip]) => settings.announce_ip = filled(ip).or(settings.announce_ip.take()),
        ("announce-port", [port]) => {
            // Sentinel doesn't check the range; a port that is none is none.
            settings.announce_port = u16::try_from(leading_number(port)).unwrap_or(0);
        }
        ("deny-scripts-reconfig", [word]) => {
            settings.allow_scripts_reconfig =
                !yes_or_no(word).ok_or("Please specify yes or no for the deny-scripts-reconfig options.")?;
        }
        ("sentinel-user", [user]) => settings.sentinel_user = filled(user).or(settings.sentinel_user.take()),
        ("sentinel-pass", [pass]) => settings.sentinel_pass = filled(pass).or(settings.sentinel_pass.take()),
        ("current-epoch", [epoch]) => settings.current_epoch = settings.current_epoch.max(number(epoch)),
        ("myid", [id]) => {
            if id.len() != 40 {
                return Err("Malformed Sentinel id in myid option.".into());
            }
            settings.my_id = Some(RunId::from(*id));
        }
        ("resolve-hostnames", [word]) => {
            settings.resolve_hostnames =
                yes_or_no(word).ok_or("Please specify yes or no for the resolve-hostnames option.")?;
        }
        ("announce-hostnames", [word]) => {
            settings.announce_hostnames =
                yes_or_no(word).ok_or("Please specify yes or no for the announce-hostnames option.")?;
        }
        ("monitor", [name, host, port, quorum]) => monitor(settings, seen, name, host, port, quorum)?,
        _ => {
            let Some((name, words)) = words.split_first().filter(|_| takes(directive, words.len())) else {
                return Err(UNRECOGNIZED.into());
            };
            let resolve = settings.resolve_hostnames;
            let at = seen.groups.get(*name).copied();
            let Some((at, group)) = at.and_then(|at| Some((at, settings.groups.get_mut(at)?))) else {
                return Err("No such master with specified name.".into());
            };
            match directive {
                "known-replica" | "known-slave" | "known-sentinel" => {
                    know((at, group), seen, resolve, directive, words)?;
                }
                _ => apply_to_group(group, directive, words, system)?,
            }
            // A group's epoch was the daemon's epoch once.
            settings.current_epoch = settings.current_epoch.max(group.config_epoch);
        }
    }
    Ok(())
}

/// Whether a directive about a group exists and takes that many words, the group's name included.
fn takes(directive: &str, words: usize) -> bool {
    match directive {
        "down-after-milliseconds"
        | "failover-timeout"
        | "parallel-syncs"
        | "notification-script"
        | "client-reconfig-script"
        | "auth-pass"
        | "auth-user"
        | "master-reboot-down-after-period"
        | "primary-reboot-down-after-period"
        | "config-epoch"
        | "leader-epoch" => words == 2,
        "known-replica" | "known-slave" | "rename-command" => words == 3,
        "known-sentinel" => words == 3 || words == 4,
        _ => false,
    }
}

fn monitor(
    settings: &mut Settings,
    seen: &mut Seen,
    name: &str,
    host: &str,
    port: &str,
    quorum: &str,
) -> Result<(), Problem> {
    let quorum =
        u32::try_from(leading_number(quorum)).unwrap_or(if quorum.starts_with('-') { 0 } else { u32::MAX });
    if quorum == 0 {
        return Err("Quorum must be 1 or greater.".into());
    }
    let primary = address(settings.resolve_hostnames, host, port)?;
    if seen.groups.contains_key(name) {
        return Err("Duplicate master name.".into());
    }
    seen.groups.insert(name.to_owned(), settings.groups.len());
    settings.groups.push(GroupSettings::new(GroupName::from(name), primary, quorum));
    Ok(())
}

/// A `known-replica` or `known-sentinel` line of the group that is the one `at`.
fn know(
    (at, group): (usize, &mut GroupSettings),
    seen: &mut Seen,
    resolve: bool,
    directive: &str,
    words: &[&str],
) -> Result<(), Problem> {
    match (directive, words) {
        ("known-sentinel", [host, port, id]) => {
            let addr = address(resolve, host, port)?;
            if !seen.peers.insert((at, (*id).to_owned())) {
                return Err("Duplicate runid for sentinel.".into());
            }
            group.known_sentinels.push(KnownSentinel { addr, run_id: RunId::from(*id) });
        }
        ("known-replica" | "known-slave", [host, port]) => {
            let addr = address(resolve, host, port)?;
            if !seen.replicas.insert((at, addr.host.to_ascii_lowercase(), addr.port)) {
                return Err("Duplicate hostname and port for replica.".into());
            }
            group.known_replicas.push(addr);
        }
        // A peer without an id says nothing: it is found again by its hello.
        _ => {}
    }
    Ok(())
}

fn apply_to_group(
    group: &mut GroupSettings,
    directive: &str,
    words: &[&str],
    system: &dyn System,
) -> Result<(), Problem> {
    match (directive, words) {
        ("down-after-milliseconds", [ms]) => group.down_after = positive(ms).ok_or(NOT_POSITIVE)?,
        ("failover-timeout", [ms]) => group.failover_timeout = positive(ms).ok_or(NOT_POSITIVE)?,
        ("parallel-syncs", [count]) => {
            let count = leading_number(count);
            group.parallel_syncs = u32::try_from(count).unwrap_or(if count < 0 { 0 } else { u32::MAX });
        }
        ("notification-script", [path]) => {
            if !system.executable(path) {
                return Err("Notification script seems non existing or non executable.".into());
            }
            group.notification_script = Some((*path).to_owned());
        }
        ("client-reconfig-script", [path]) => {
            if !system.executable(path) {
                return Err("Client reconfiguration script seems non existing or non executable.".into());
            }
            group.client_reconfig_script = Some((*path).to_owned());
        }
        ("auth-pass", [pass]) => group.auth_pass = filled(pass),
        ("auth-user", [user]) => group.auth_user = filled(user),
        ("master-reboot-down-after-period" | "primary-reboot-down-after-period", [ms]) => {
            let ms = u64::try_from(leading_number(ms)).map_err(|_| "negative time parameter.")?;
            group.reboot_down_after = Duration::from_millis(ms);
        }
        ("config-epoch", [epoch]) => group.config_epoch = number(epoch),
        ("leader-epoch", [epoch]) => group.leader_epoch = number(epoch),
        ("rename-command", [old, new]) => {
            if group.renamed_commands.iter().any(|(known, _)| known.eq_ignore_ascii_case(old)) {
                return Err("Same command renamed multiple times with rename-command.".into());
            }
            group.renamed_commands.push(((*old).to_owned(), (*new).to_owned()));
        }
        _ => return Err(UNRECOGNIZED.into()),
    }
    Ok(())
}

/// An address as Sentinel accepts it from the file. A literal one gets its usual form; a name is kept, and looked up
/// by whoever connects.
fn address(resolve: bool, host: &str, port: &str) -> Result<HostPort, Problem> {
    let port = u16::try_from(leading_number(port)).map_err(|_| "Invalid port number.")?;
    let host = match host.parse::<IpAddr>() {
        Ok(ip) => ip.to_string(),
        Err(_) if resolve => host.to_owned(),
        Err(_) => {
            return Err(Problem {
                message: "Can't resolve instance hostname.",
                note: Some(format!("Failed to resolve hostname '{host}'")),
            });
        }
    };
    Ok(HostPort { host, port })
}

fn filled(word: &str) -> Option<String> {
    (!word.is_empty()).then(|| word.to_owned())
}

fn yes_or_no(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// An epoch: 0 if it is none, so that a negative one can't poison elections.
fn number(word: &str) -> u64 {
    u64::try_from(leading_number(word)).unwrap_or(0)
}

fn positive(word: &str) -> Option<Duration> {
    u64::try_from(leading_number(word)).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}
