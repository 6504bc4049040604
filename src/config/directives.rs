//! The `vedette NAME ...` lines: directives that Sentinel doesn't have.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Identity;
use super::fleet::FleetLines;
use crate::core::ids::GroupName;
use crate::core::input::Secret;

/// Longest `switchover-pause-milliseconds`: clients wait for so long.
const MAX_PAUSE: u64 = 60_000;

/// The directives of our own. They are read from the file and the command line and never written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `admin`: where `/metrics`, `/live`, `/ready` and `/state` are served; off without it.
    pub admin: Option<SocketAddr>,
    /// `log-format`.
    pub log_format: LogFormat,
    /// `identity`, as far as the file or the command line names one.
    pub identity: Option<Identity>,
    /// `auth-pass-file`, `auth-user-file`, `sentinel-pass-file`.
    pub credential_files: Vec<CredentialFile>,
    /// `fast-down-after-milliseconds` by group; zero is off.
    pub fast_down_after: BTreeMap<GroupName, Duration>,
    /// `switchover sentinel`.
    pub plain_switchover: bool,
    /// `switchover-pause-milliseconds` by group.
    pub switchover_pause: BTreeMap<GroupName, Duration>,
    /// `coordination` and the lines that belong to it; what they come to is [`super::Config::coordination`].
    pub fleet: FleetLines,
}

/// Form of the log's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Sentinel's own.
    #[default]
    Sentinel,
    /// One JSON object a line.
    Json,
}

/// A file that holds a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFile {
    /// What it holds, for whom.
    pub target: Secret,
    /// The file: absolute, or relative to the working directory.
    pub path: PathBuf,
}

impl Directives {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn set(&mut self, name: &str, words: &[String]) -> Result<(), String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if self.fleet.set(name, &words)? {
            return Ok(());
        }
        match (name, words.as_slice()) {
            ("admin", [addr]) => {
                self.admin = Some(
                    addr.parse().map_err(|_| format!("vedette admin needs ADDRESS:PORT, not '{addr}'"))?,
                );
            }
            ("log-format", [word]) => {
                self.log_format = match word.to_ascii_lowercase().as_str() {
                    "sentinel" => LogFormat::Sentinel,
                    "json" => LogFormat::Json,
                    _ => return Err(format!("vedette log-format is sentinel or json, not '{word}'")),
                };
            }
            ("identity", [word]) => {
                self.identity = Some(Identity::parse(word).ok_or_else(|| {
                    format!("vedette identity is redis-7.0, redis-8.0 or valkey-8.0, not '{word}'")
                })?);
            }
            ("auth-pass-file", [name, path]) => self.credential(Secret::AuthPass(group(name)), path)?,
            ("auth-user-file", [name, path]) => self.credential(Secret::AuthUser(group(name)), path)?,
            ("sentinel-pass-file", [path]) => self.credential(Secret::SentinelPass, path)?,
            ("fast-down-after-milliseconds", [name, millis]) => {
                let millis = millis.parse().map_err(|_| {
                    format!("vedette fast-down-after-milliseconds needs milliseconds, not '{millis}'")
                })?;
                self.fast_down_after.insert(GroupName::from(*name), Duration::from_millis(millis));
            }
            ("switchover", [word]) => {
                self.plain_switchover = match word.to_ascii_lowercase().as_str() {
                    "safe" => false,
                    "sentinel" => true,
                    _ => return Err(format!("vedette switchover is safe or sentinel, not '{word}'")),
                };
            }
            ("switchover-pause-milliseconds", [group, word]) => {
                let millis =
                    word.parse().ok().filter(|millis| (1..=MAX_PAUSE).contains(millis)).ok_or_else(|| {
                        format!("vedette {name} takes 1 to {MAX_PAUSE} milliseconds, not '{word}'")
                    })?;
                self.switchover_pause.insert(GroupName::from(*group), Duration::from_millis(millis));
            }
            ("admin" | "log-format" | "identity" | "sentinel-pass-file" | "switchover", _) => {
                return Err(format!("vedette {name} takes one value"));
            }
            ("fast-down-after-milliseconds" | "switchover-pause-milliseconds", _) => {
                return Err(format!("vedette {name} takes a master name and milliseconds"));
            }
            ("auth-pass-file" | "auth-user-file", _) => {
                return Err(format!("vedette {name} takes a master name (or *) and a path"));
            }
            _ => return Err(format!("this version knows no directive 'vedette {name}'")),
        }
        Ok(())
    }

    fn credential(&mut self, target: Secret, path: &str) -> Result<(), String> {
        if path.is_empty() {
            return Err("the path of a credential file is empty".to_owned());
        }
        self.credential_files.retain(|file| file.target != target);
        self.credential_files.push(CredentialFile { target, path: PathBuf::from(path) });
        Ok(())
    }
}

fn group(name: &str) -> Option<GroupName> {
    (name != "*").then(|| GroupName::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(directives: &mut Directives, line: &str) -> Result<(), String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        directives.set(&words[0], &words[1..])
    }

    #[test]
    fn lines_are_read() {
        let mut own = Directives::default();
        for line in [
            "admin 127.0.0.1:9355",
            "log-format json",
            "identity valkey-8.0",
            "auth-pass-file * /run/pass",
            "auth-pass-file one /run/old",
            "auth-pass-file one /run/one",
            "sentinel-pass-file /run/peer",
            "coordination peers",
            "fast-down-after-milliseconds one 100",
            "fast-down-after-milliseconds two 0",
            "switchover sentinel",
            "switchover-pause-milliseconds one 250",
        ] {
            set(&mut own, line).unwrap();
        }
        assert_eq!(own.admin, Some("127.0.0.1:9355".parse().unwrap()));
        assert_eq!(own.log_format, LogFormat::Json);
        assert!(own.plain_switchover);
        let pause = [(GroupName::from("one"), Duration::from_millis(250))];
        assert_eq!(own.switchover_pause, BTreeMap::from(pause));
        assert_eq!(own.identity, Some(Identity::Valkey80));
        let fast = [("one", 100), ("two", 0)]
            .map(|(name, millis)| (GroupName::from(name), Duration::from_millis(millis)));
        assert_eq!(own.fast_down_after, BTreeMap::from(fast));
        let targets: Vec<_> =
            own.credential_files.iter().map(|file| (file.target.clone(), file.path.clone())).collect();
        assert_eq!(
            targets,
            [
                (Secret::AuthPass(None), PathBuf::from("/run/pass")),
                (Secret::AuthPass(Some(GroupName::from("one"))), PathBuf::from("/run/one")),
                (Secret::SentinelPass, PathBuf::from("/run/peer")),
            ]
        );
    }

    #[test]
    fn wrong_and_unknown_lines_are_refused() {
        for line in [
            "admin x",
            "admin",
            "log-format xml",
            "identity redis",
            "coordination raft",
            "fast-down-after-milliseconds one",
            "fast-down-after-milliseconds one -1",
            "switchover careful",
            "switchover",
            "switchover-pause-milliseconds 100",
            "switchover-pause-milliseconds one 0",
            "switchover-pause-milliseconds one 60001",
            "nosuch 1",
        ] {
            assert!(set(&mut Directives::default(), line).is_err(), "{line}");
        }
    }
}
