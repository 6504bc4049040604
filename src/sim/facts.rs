//! What the invariants are told: everything that leaves a daemon, reaches it or is written by it. Host names are told
//! as the addresses behind them.

use std::time::Duration;

use bytes::Bytes;

use super::ledger::Ledger;
use super::plan::DaemonId;
use crate::core::action::Event;
use crate::core::settings::GroupSettings;
use crate::core::{Settings, Time};

/// One fact, and what stood when it happened.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    /// By that daemon's own clock.
    pub(crate) at: Time,
    pub(crate) daemon: DaemonId,
    /// What a restart of that daemon would find at this moment.
    pub(crate) saved: &'a Settings,
    /// Groups that it was told to forget while the write was under way: the file shows them once more. The daemon knows
    /// nothing of that, and may have been told to watch them again meanwhile.
    pub(crate) overtaken: &'a [String],
    /// Its disk refused the last write: a fact can't be saved, and is told all the same.
    pub(crate) refused: bool,
    pub(crate) ledger: &'a Ledger,
    pub(crate) fact: &'a Fact,
}

impl Seen<'_> {
    /// The groups of the file as far as the daemon knows of them.
    pub(crate) fn known_groups(&self) -> impl Iterator<Item = &GroupSettings> {
        self.saved.groups.iter().filter(|group| !self.is_overtaken(group.name.as_str()))
    }

    /// Whether what the file shows of a group is forgotten.
    pub(crate) fn is_overtaken(&self, group: &str) -> bool {
        self.overtaken.iter().any(|name| name == group)
    }

    /// Whether what is known of a daemon and a group is void after [`Fact::Forgot`].
    pub(crate) fn forgets(&self, forgotten: &Option<String>, daemon: DaemonId, group: &str) -> bool {
        daemon == self.daemon && forgotten.as_deref().is_none_or(|name| name == group)
    }
}

/// See the module. Addresses are `ip:port`.
#[derive(Debug)]
pub(crate) enum Fact {
    /// The daemon's process starts from what is saved.
    Started { fleet: usize },
    /// The daemon will start from another file than its last, or was told to forget a group.
    /// `epoch` is the highest it knew: votes up to there may still be told late.
    Forgot { group: Option<String>, epoch: u64 },
    /// A write of the daemon's file reached the disk.
    Saved,
    /// SLAVEOF was sent to a data node, of this `replica-priority` if it tells it, as replicas do: `NO ONE` when there is no
    /// target.
    /// When the node has been a primary until then, for how long by the daemon's clock.
    Slaveof {
        group: String,
        node: String,
        priority: Option<u32>,
        target: Option<String>,
        primary_for: Option<Duration>,
    },
    /// A hello was published, to a data node or a peer.
    HelloSent(Hello),
    /// A hello reached the daemon.
    HelloHeard(Hello),
    /// A peer was asked, for its vote when there is a candidate.
    Asked { peer: DaemonId, group: String, epoch: u64, candidate: Option<String> },
    /// A peer's answer to that reached the daemon.
    Opinion { group: String, address: String, peer: DaemonId, down: bool },
    /// The daemon answered a peer's request for its vote.
    Voted { group: String, leader: Option<String>, epoch: u64 },
    /// An event was emitted; with the daemon's own view of the group.
    Event { event: Event, known: Option<Box<GroupSettings>> },
    /// SENTINEL FAILOVER was accepted.
    Forced { group: String },
    /// A client was told where the primary is.
    Pointed { group: String, address: String },
    /// A client was told the group's epoch.
    Told { group: String, config_epoch: u64 },
}

/// A hello message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) run_id: String,
    pub(crate) current_epoch: u64,
    pub(crate) group: String,
    pub(crate) address: String,
    pub(crate) config_epoch: u64,
}

impl Hello {
    /// Reads a hello's payload.
    pub(crate) fn parse(payload: &Bytes) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        let parts: Vec<&str> = text.split(',').collect();
        let [_, _, run_id, current, group, ip, port, config] = parts[..] else { return None };
        Some(Self {
            run_id: run_id.to_owned(),
            current_epoch: current.parse().ok()?,
            group: group.to_owned(),
            address: format!("{}:{port}", canonical(ip)),
            config_epoch: config.parse().ok()?,
        })
    }
}

/// The group of that name among settings.
pub(crate) fn group<'a>(settings: &'a Settings, name: &str) -> Option<&'a GroupSettings> {
    settings.groups.iter().find(|group| group.name.as_str() == name)
}

/// A group's primary as `ip:port`.
pub(crate) fn address(group: &GroupSettings) -> String {
    format!("{}:{}", canonical(&group.primary.host), group.primary.port)
}

/// The name of the machine at an IPv4 address.
pub(crate) fn host_name(ip: &str) -> String {
    format!("h{}.test", ip.replace('.', "-"))
}

/// The address behind a machine's name; anything else is an address already.
pub(crate) fn canonical(host: &str) -> String {
    match host.strip_prefix('h').and_then(|rest| rest.strip_suffix(".test")) {
        Some(name) => name.replace('-', "."),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_has_eight_fields() {
        let hello = Hello::parse(&Bytes::from_static(b"10.0.0.1,26379,abc,7,m,10.0.1.1,6379,5")).unwrap();
        assert_eq!((hello.current_epoch, hello.config_epoch), (7, 5));
        assert_eq!((hello.group.as_str(), hello.address.as_str()), ("m", "10.0.1.1:6379"));
        assert!(Hello::parse(&Bytes::from_static(b"10.0.0.1,26379,abc,7,m,10.0.1.1,6379")).is_none());
    }

    #[test]
    fn a_name_leads_to_its_address() {
        assert_eq!(canonical(&host_name("10.0.1.2")), "10.0.1.2");
        assert_eq!(canonical("10.0.1.2"), "10.0.1.2");
    }
}
