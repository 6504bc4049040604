//! The `vedette` lines about the coordination by Kubernetes' Leases: reading them, and what they come to together.

use std::collections::BTreeMap;
use std::time::Duration;

use super::system::System;
use crate::core::claim::name::is_label;
use crate::core::ids::GroupName;
use crate::core::settings::{Fleet, PodSelector, Routes};

/// Gives the fleet's name where no `vedette fleet` does.
pub const FLEET_VARIABLE: &str = "VEDETTE_FLEET";
/// Gives the namespace where no `vedette namespace` does.
pub const NAMESPACE_VARIABLE: &str = "POD_NAMESPACE";
/// Gives the daemon's own Pod where no `vedette member` does.
pub const MEMBER_VARIABLE: &str = "POD_NAME";

/// Longest name of a fleet, so that there is room for a group's or a Pod's in the name of a Lease.
const LONGEST_FLEET: usize = 40;
/// Longest name of an object whose name is no label.
const LONGEST_NAME: usize = 253;
/// Most members of a fleet.
const MOST_MEMBERS: usize = 99;
/// Longest `cold-start-wait-milliseconds`.
const LONGEST_WAIT: u64 = 3_600_000;
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// What `coordination kubernetes` and the lines that belong to it come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordination {
    /// For the core.
    pub fleet: Fleet,
    /// `namespace`; without one it is that of the credentials.
    pub namespace: Option<String>,
    /// Why the configuration file can't hold any state, if so. The Leases hold what matters.
    pub unsaved: Option<String>,
}

/// The lines as read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetLines {
    kubernetes: bool,
    fleet: Option<String>,
    namespace: Option<String>,
    member: Option<String>,
    size: Option<usize>,
    observe: Option<bool>,
    cold_start_wait: Option<Duration>,
    pods: BTreeMap<GroupName, PodSelector>,
    services: BTreeMap<GroupName, Routes>,
}

/// Lines that don't go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The directive to blame.
    pub directive: &'static str,
    /// What is wrong.
    pub message: String,
}

impl FleetLines {
    /// Reads one line. False if it is none of these.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn set(&mut self, name: &str, words: &[&str]) -> Result<bool, String> {
        let wrong = |needed: &str, word: &str| Err(format!("vedette {name} needs {needed}, not '{word}'"));
        match (name, words) {
            ("coordination", [word]) => match word.to_ascii_lowercase().as_str() {
                "peers" => self.kubernetes = false,
                "kubernetes" => self.kubernetes = true,
                _ => return Err(format!("vedette coordination is peers or kubernetes, not '{word}'")),
            },
            ("fleet", [word]) if is_label(word) && word.len() <= LONGEST_FLEET => {
                self.fleet = Some((*word).to_owned());
            }
            ("fleet", [word]) => return wrong(FLEET_NEEDS, word),
            ("namespace", [word]) if is_label(word) => self.namespace = Some((*word).to_owned()),
            ("namespace", [word]) => return wrong("the name of a namespace", word),
            ("member", [word]) if is_name(word) => self.member = Some((*word).to_owned()),
            ("member", [word]) => return wrong("the name of this daemon's Pod", word),
            ("fleet-size", [word]) => match word.parse() {
                Ok(size @ 1..=MOST_MEMBERS) => self.size = Some(size),
                _ => return wrong(&format!("a number from 1 to {MOST_MEMBERS}"), word),
            },
            ("observe", [word]) => match word.to_ascii_lowercase().as_str() {
                "yes" => self.observe = Some(true),
                "no" => self.observe = Some(false),
                _ => return wrong("yes or no", word),
            },
            ("cold-start-wait-milliseconds", [word]) => match word.parse() {
                Ok(millis @ 0..=LONGEST_WAIT) => self.cold_start_wait = Some(Duration::from_millis(millis)),
                _ => return wrong(&format!("0 to {LONGEST_WAIT} milliseconds"), word),
            },
            ("pods", [group, selector]) => self.add_pods(group, selector, None)?,
            ("pods", [group, selector, word]) => match word.parse() {
                Ok(port @ 1..) => self.add_pods(group, selector, Some(port))?,
                _ => return wrong("a port from 1 to 65535", word),
            },
            ("service", [group, primary]) => self.add_service(group, primary, None)?,
            ("service", [group, primary, replicas]) => self.add_service(group, primary, Some(replicas))?,
            ("pods", _) => {
                return Err("vedette pods takes a master name, a selector and perhaps a port".to_owned());
            }
            ("service", _) => {
                let text = "vedette service takes a master name, a Service and perhaps one for the replicas";
                return Err(text.to_owned());
            }
            (
                "coordination"
                | "fleet"
                | "namespace"
                | "member"
                | "fleet-size"
                | "observe"
                | "cold-start-wait-milliseconds",
                _,
            ) => return Err(format!("vedette {name} takes one value")),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_pods(&mut self, group: &str, selector: &str, port: Option<u16>) -> Result<(), String> {
        let labels = selector
            .split(',')
            .map(|term| match term.split_once('=') {
                Some((key, value)) if is_key(key) && is_value(value) => {
                    Ok((key.to_owned(), value.to_owned()))
                }
                _ => Err(format!(
                    "vedette pods needs KEY=VALUE,KEY=VALUE and so on as its selector, not '{term}'"
                )),
            })
            .collect::<Result<BTreeMap<_, _>, _>>()?;
        self.pods.insert(GroupName::from(group), PodSelector { labels, port });
        Ok(())
    }

    fn add_service(&mut self, group: &str, primary: &str, replicas: Option<&str>) -> Result<(), String> {
        let wrong = std::iter::once(primary).chain(replicas).find(|name| !is_label(name));
        if let Some(name) = wrong {
            return Err(format!("vedette service needs the name of a Service, not '{name}'"));
        }
        if replicas == Some(primary) {
            return Err(format!(
                "vedette service can't lead to the primary and to the replicas by the one Service '{primary}'"
            ));
        }
        let routes = Routes { primary: primary.to_owned(), replicas: replicas.map(str::to_owned) };
        self.services.insert(GroupName::from(group), routes);
        Ok(())
    }

    /// Whether the coordination by Leases is asked for.
    pub const fn kubernetes(&self) -> bool {
        self.kubernetes
    }

    /// What all lines come to, with the environment where they are silent. Nothing if the peers vote.
    ///
    /// # Errors
    /// Lines that don't go together, or lack.
    pub fn finish(&self, system: &dyn System) -> Result<Option<Coordination>, Disagreement> {
        let refuse = |directive, message| Err(Disagreement { directive, message });
        if !self.kubernetes {
            return match self.first_set() {
                Some(directive) => {
                    refuse(directive, format!("vedette {directive} needs 'vedette coordination kubernetes'"))
                }
                None => Ok(None),
            };
        }
        let variable = |name| system.variable(name).filter(|value| !value.is_empty());
        let lacks = |directive: &str, variable: &str| Disagreement {
            directive: "coordination",
            message: format!(
                "vedette coordination kubernetes needs 'vedette {directive}', or {variable} in the environment"
            ),
        };
        let bad = |directive, name: &str, value: &str, needed: &str| {
            refuse(directive, format!("{name} in the environment must be {needed}, not '{value}'"))
        };
        let name = match (&self.fleet, variable(FLEET_VARIABLE)) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) if is_label(&name) && name.len() <= LONGEST_FLEET => name,
            (None, Some(name)) => return bad("coordination", FLEET_VARIABLE, &name, FLEET_NEEDS),
            (None, None) => return Err(lacks("fleet", FLEET_VARIABLE)),
        };
        let member = match (&self.member, variable(MEMBER_VARIABLE)) {
            (Some(member), _) => member.clone(),
            (None, Some(member)) if is_name(&member) => member,
            (None, Some(member)) => {
                return bad("coordination", MEMBER_VARIABLE, &member, "the name of a Pod");
            }
            (None, None) => return Err(lacks("member", MEMBER_VARIABLE)),
        };
        let namespace = match (&self.namespace, variable(NAMESPACE_VARIABLE)) {
            (Some(namespace), _) => Some(namespace.clone()),
            (None, Some(namespace)) if is_label(&namespace) => Some(namespace),
            (None, Some(namespace)) => {
                return bad("coordination", NAMESPACE_VARIABLE, &namespace, "the name of a namespace");
            }
            (None, None) => None,
        };
        let Some(size) = self.size else {
            // A number that was learnt could be learnt wrong, and with it what a majority is.
            return refuse(
                "coordination",
                "vedette coordination kubernetes needs 'vedette fleet-size'".to_owned(),
            );
        };
        let fleet = Fleet {
            name,
            member,
            size,
            observe: self.observe.unwrap_or_default(),
            cold_start_wait: self.cold_start_wait.unwrap_or(DEFAULT_WAIT),
            pods: self.pods.clone(),
            services: self.services.clone(),
        };
        Ok(Some(Coordination { fleet, namespace, unsaved: None }))
    }

    fn first_set(&self) -> Option<&'static str> {
        let set = [
            ("fleet", self.fleet.is_some()),
            ("namespace", self.namespace.is_some()),
            ("member", self.member.is_some()),
            ("fleet-size", self.size.is_some()),
            ("observe", self.observe.is_some()),
            ("cold-start-wait-milliseconds", self.cold_start_wait.is_some()),
            ("pods", !self.pods.is_empty()),
            ("service", !self.services.is_empty()),
        ];
        set.into_iter().find(|(_, set)| *set).map(|(directive, _)| directive)
    }
}

const FLEET_NEEDS: &str = "a name of 1 to 40 lower case letters, digits and '-'";

/// Whether Kubernetes takes this as a Pod's name: labels with dots between them.
fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME && name.split('.').all(is_label)
}

/// Whether Kubernetes takes this as the key of a label.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key.rsplit_once('/').unzip();
    prefix.is_none_or(is_name) && is_value(name.unwrap_or(key)) && !name.unwrap_or(key).is_empty()
}

/// Whether Kubernetes takes this as the value of a label.
fn is_value(value: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && edge(value.chars().next())
        && edge(value.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(lines: &mut FleetLines, line: &str) -> Result<bool, String> {
        let words: Vec<&str> = line.split(' ').collect();
        lines.set(words[0], &words[1..])
    }

    #[test]
    fn wrong_lines_are_refused_with_their_value() {
        for (line, value) in [
            ("coordination raft", "'raft'"),
            ("coordination", "one value"),
            ("fleet Upper", "'Upper'"),
            ("fleet a b", "one value"),
            ("namespace a.b", "'a.b'"),
            ("member -a", "'-a'"),
            ("fleet-size 0", "'0'"),
            ("fleet-size three", "'three'"),
            ("fleet-size 100", "'100'"),
            ("observe maybe", "'maybe'"),
            ("cold-start-wait-milliseconds -1", "'-1'"),
            ("pods one", "selector"),
            ("pods one app", "'app'"),
            ("pods one app!=redis", "'app!=redis'"),
            ("pods one app=redis,", "''"),
            ("pods one =x", "'=x'"),
            ("pods one app=redis 0", "'0'"),
            ("pods one app=redis 65536", "'65536'"),
            ("service one Redis", "'Redis'"),
            ("service one redis a.b", "'a.b'"),
            ("service one redis redis", "'redis'"),
            ("service one", "Service"),
        ] {
            let error = set(&mut FleetLines::default(), line).unwrap_err();
            assert!(error.contains(value), "{line}: {error}");
        }
        assert_eq!(set(&mut FleetLines::default(), "admin x"), Ok(false));
    }
}
