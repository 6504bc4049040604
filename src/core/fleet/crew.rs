//! The other members: who they are, where they answer, and who of them lives, by their Leases.

use std::collections::{BTreeMap, BTreeSet};

use super::Fleet;
use super::scope::parse_address;
use crate::core::action::{Actions, Level};
use crate::core::address::Address;
use crate::core::claim::{MemberLease, Presence};
use crate::core::cluster::Lease;
use crate::core::engine::Engine;
use crate::core::group::Which;
use crate::core::time::Time;

/// Most members whose Leases are looked at; a fleet has three or five.
const MOST_MEMBERS: usize = 64;

impl Fleet {
    /// Whether a Lease of that name is a member's.
    pub(super) fn is_members(&self, name: &str) -> bool {
        name.strip_prefix(&self.config.name).is_some_and(|rest| rest.starts_with("-member-"))
    }

    /// The watch showed a member's Lease, or that there is none.
    pub(super) fn member_shown(&mut self, name: &str, lease: Option<&Lease>, now: Time, out: &mut Actions) {
        if name == self.membership.name() {
            return;
        }
        let Some(lease) = lease else {
            self.members.remove(name);
            return;
        };
        let parsed = match MemberLease::parse(&lease.plain) {
            Ok(parsed) => parsed,
            Err(error) => {
                let text = format!("Lease {name} can't be read: {error}");
                self.problems.say(name, "", text, out);
                self.members.remove(name);
                return;
            }
        };
        self.problems.mended(name, "");
        let room = self.members.len() < MOST_MEMBERS;
        match self.members.get_mut(name) {
            Some(member) => member.see(lease.version.clone(), parsed, now),
            None if room => {
                self.members.insert(name.to_owned(), Presence::new(lease.version.clone(), parsed, now));
            }
            None => {}
        }
    }

    /// Ids and addresses of the other members. Two at one address would be one process that answers twice.
    fn crew(&self) -> BTreeMap<String, Address> {
        let mut addresses = BTreeSet::new();
        let mut crew = BTreeMap::new();
        for lease in self.members.values().map(Presence::lease) {
            let Some(id) = lease.holder.as_ref().filter(|id| **id != self.me) else { continue };
            let Some(address) = parse_address(&lease.announce) else { continue };
            if addresses.insert(lease.announce.clone()) {
                crew.insert(id.as_str().to_owned(), address);
            }
        }
        crew
    }

    /// Every group knows the same other members.
    pub(super) fn man(&self, engine: &mut Engine, now: Time, out: &mut Actions) {
        let crew = self.crew();
        let (mut cx, parts) = engine.split(now, out);
        for group in parts.groups.values_mut() {
            let gone: Vec<String> =
                group.peers.names().filter(|run_id| !crew.contains_key(*run_id)).cloned().collect();
            for run_id in gone {
                group.remove_peer(&run_id, &mut cx, parts.owners);
                cx.shared.touched.insert(group.id);
            }
            for (run_id, address) in &crew {
                let known = group.peers.get_mut(run_id);
                if known.as_ref().is_some_and(|peer| peer.address == *address) {
                    continue;
                }
                match known {
                    Some(peer) => {
                        peer.address = address.clone();
                        cx.drop_link(peer.link);
                    }
                    None => {
                        group.add_peer(run_id, address.clone(), &mut cx, parts.owners);
                        cx.event(Level::Notice, "+sentinel", group, &Which::Peer(run_id.clone()), "");
                    }
                }
                cx.shared.touched.insert(group.id);
            }
        }
    }
}
