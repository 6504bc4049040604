//! Addresses of instances: the host as given, what it resolved to, and the port.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::action::Action;
use super::ids::ResolveId;
use super::settings::HostPort;
use super::time::Time;

/// How long an answer of the resolver is taken without asking again in the background.
const FRESH: Duration = Duration::from_secs(1);
/// Most names remembered; the one not asked for longest goes first.
const NAMES: usize = 4096;

/// Where an instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or literal address, as it was given.
    pub(crate) host: String,
    /// What the host resolved to; nothing while it is unknown.
    pub(crate) ip: Option<IpAddr>,
    /// 0 is never connected.
    pub(crate) port: u16,
}

impl Address {
    /// The address to show: the host with `announce-hostnames`, else the IP, empty while unknown.
    pub(crate) fn shown(&self, hostnames: bool) -> String {
        if hostnames { self.host.clone() } else { self.ip.map(|ip| ip.to_string()).unwrap_or_default() }
    }

    /// `host:port`, `[v6]:port`: the name of a replica.
    pub(crate) fn shown_with_port(&self, hostnames: bool) -> String {
        let host = self.shown(hostnames);
        if host.contains(':') { format!("[{host}]:{}", self.port) } else { format!("{host}:{}", self.port) }
    }

    /// The form of the configuration file. A name that never resolved is kept rather than written as nothing.
    pub(crate) fn saved(&self, hostnames: bool) -> HostPort {
        let shown = self.shown(hostnames);
        HostPort { host: if shown.is_empty() { self.host.clone() } else { shown }, port: self.port }
    }

    /// Same instance: same port and same IP or same host.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.port == other.port
            && (self.ip.is_some() && self.ip == other.ip || self.host.eq_ignore_ascii_case(&other.host))
    }
}

#[derive(Debug, Default)]
struct Entry {
    ip: Option<IpAddr>,
    answered_at: Option<Time>,
    wanted_at: Option<Time>,
    asking: Option<ResolveId>,
}

/// What the resolver has told so far. The core never waits for it: it asks, goes on, and is told later.
#[derive(Debug, Default)]
pub(crate) struct Names {
    entries: BTreeMap<String, Entry>,
    next: u64,
    /// `resolve-hostnames`.
    pub(crate) enabled: bool,
}

/// What is known of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// A literal address, or a name with an answer.
    Ip(IpAddr),
    /// A name that the resolver doesn't know.
    Failed,
    /// A name that is being asked for.
    Asking,
    /// A name, and names are not resolved.
    Disabled,
}

impl Names {
    /// Nothing known yet; names are asked for only if `enabled`.
    pub(crate) fn new(enabled: bool) -> Self {
        Self { enabled, ..Self::default() }
    }

    /// Looks `host` up, asking the resolver when nothing fresh is known. A stale address is given while asking.
    pub(crate) fn lookup(&mut self, host: &str, now: Time, out: &mut Vec<Action>) -> Lookup {
        if let Ok(ip) = host.parse() {
            return Lookup::Ip(ip);
        }
        if !self.enabled || host.is_empty() {
            return Lookup::Disabled;
        }
        if !self.entries.contains_key(host) && self.entries.len() >= NAMES {
            let oldest =
                self.entries.iter().min_by_key(|(_, entry)| entry.wanted_at).map(|(name, _)| name.clone());
            if let Some(name) = oldest {
                self.entries.remove(&name);
            }
        }
        let entry = self.entries.entry(host.to_owned()).or_default();
        entry.wanted_at = Some(now);
        let fresh = entry.answered_at.is_some_and(|at| now < at + FRESH);
        if !fresh && entry.asking.is_none() {
            self.next += 1;
            entry.asking = Some(ResolveId(self.next));
            out.push(Action::Resolve { id: ResolveId(self.next), host: host.to_owned() });
        }
        match (entry.ip, entry.asking) {
            (Some(ip), _) => Lookup::Ip(ip),
            (None, None) => Lookup::Failed,
            (None, Some(_)) => Lookup::Asking,
        }
    }

    /// What is known without asking.
    pub(crate) fn known(&self, host: &str) -> Option<IpAddr> {
        host.parse()
            .ok()
            .or_else(|| if self.enabled { self.entries.get(host).and_then(|entry| entry.ip) } else { None })
    }

    /// Records an answer; the host it was about.
    pub(crate) fn answered(&mut self, id: ResolveId, ip: Option<IpAddr>, now: Time) -> Option<String> {
        let (host, entry) = self.entries.iter_mut().find(|(_, entry)| entry.asking == Some(id))?;
        entry.asking = None;
        entry.answered_at = Some(now);
        // A resolver that fails for a moment must not take away an address that worked.
        entry.ip = ip.or(entry.ip);
        Some(host.clone())
    }

    /// Whether `address` is what a data node or peer calls `host`:`port`. A name without an answer is compared as text.
    pub(crate) fn equals(&self, address: &Address, host: &str, port: u16) -> bool {
        address.port == port
            && (address.host.eq_ignore_ascii_case(host)
                || self.known(host).is_some_and(|ip| address.ip == Some(ip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), ip: host.parse().ok(), port }
    }

    #[test]
    fn ipv6_is_bracketed_with_a_port_only() {
        let v6 = address("::1", 6379);
        assert_eq!(v6.shown(false), "::1");
        assert_eq!(v6.shown_with_port(false), "[::1]:6379");
    }

    #[test]
    fn names_are_refused_unless_enabled() {
        let (mut names, mut out) = (Names::default(), Vec::new());
        assert_eq!(names.lookup("db", Time::ZERO, &mut out), Lookup::Disabled);
        assert!(out.is_empty());
        names.enabled = true;
        assert_eq!(names.lookup("db", Time::ZERO, &mut out), Lookup::Asking);
        assert_eq!(names.lookup("db", Time::ZERO, &mut out), Lookup::Asking);
        assert_eq!(out.len(), 1, "asked once");
    }

    #[test]
    fn a_failing_resolver_does_not_take_an_address_away() {
        let (mut names, mut out) = (Names { enabled: true, ..Names::default() }, Vec::new());
        names.lookup("db", Time::ZERO, &mut out);
        let ip: IpAddr = [10, 0, 0, 1].into();
        assert_eq!(names.answered(ResolveId(1), Some(ip), Time::ZERO), Some("db".to_owned()));
        let later = Time::from_millis(5000);
        assert_eq!(names.lookup("db", later, &mut out), Lookup::Ip(ip));
        names.answered(ResolveId(2), None, later);
        assert_eq!(names.known("db"), Some(ip));
        assert!(names.equals(&address("10.0.0.1", 1), "db", 1));
        assert!(!names.equals(&address("10.0.0.1", 1), "db", 2));
    }
}
