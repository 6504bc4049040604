//! Hello messages: how daemons find each other and learn of a newer configuration.

use std::time::Duration;

use bytes::Bytes;

use super::action::{Actions, Level};
use super::address::{Address, Lookup};
use super::ballot::{ABSURD_EPOCH, raise};
use super::engine::{Engine, Waiting};
use super::group::{Adoption, Group, GroupId, Which};
use super::instance::Instance;
use super::link::Tag;
use super::registry::Owners;
use super::shared::{Cx, Deferred, words};
use super::time::Time;
use crate::resp::Reply;

/// The channel on data nodes, and the only one that daemons accept a PUBLISH for.
pub(crate) const CHANNEL: &str = "__sentinel__:hello";
/// Most hellos and commands that wait for the resolver at a time.
pub(crate) const MAX_WAITING: usize = 64;
/// Most peers of one group that are learnt of by hellos, which anybody who may PUBLISH on a data node can make up.
/// None makes room for another: a daemon that can't be reached counts for the majority all the same.
pub(crate) const MAX_PEERS: usize = 256;
/// Most daemons that are learnt of by hellos for all groups together; each costs a connection.
pub(crate) const MAX_DAEMONS: usize = 4096;

/// Strangers that are heard of within this time are answered by one hello.
const GREETING: Duration = Duration::from_millis(100);

/// The eight fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) run_id: &'a str,
    pub(crate) epoch: u64,
    pub(crate) group: &'a str,
    pub(crate) primary_host: &'a str,
    pub(crate) primary_port: u16,
    pub(crate) config_epoch: u64,
}

impl<'a> Hello<'a> {
    /// Anything but eight well-formed fields is nothing.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let fields: Vec<&str> = text.split(',').collect();
        let [host, port, run_id, current_epoch, group, primary_host, primary_port, config_epoch] = fields[..]
        else {
            return None;
        };
        let epoch = |text: &str| text.parse().ok().filter(|epoch| *epoch < ABSURD_EPOCH);
        Some(Self {
            host,
            port: port.parse().ok()?,
            run_id: Some(run_id).filter(|id| is_run_id(id))?,
            epoch: epoch(current_epoch)?,
            group,
            primary_host,
            primary_port: primary_port.parse().ok()?,
            config_epoch: epoch(config_epoch)?,
        })
    }
}

/// The payload of a message on a subscription to [`CHANNEL`].
pub(crate) fn message(reply: &Reply) -> Option<&str> {
    match reply.elements()? {
        [kind, channel, payload] if kind.text() == Some("message") && channel.text() == Some(CHANNEL) => {
            payload.text()
        }
        _ => None,
    }
}

impl Group {
    /// Sends this daemon's hello for the group to one instance.
    pub(crate) fn publish_hello(&mut self, which: &Which, cx: &mut Cx<'_>) {
        // It would be held back, and the PING behind it.
        if self.holds_writes(which, cx.now) || self.seat.is_some() {
            return;
        }
        let Some(instance) = self.get(which) else { return };
        let link = instance.link;
        let host = match (&cx.shared.announce_ip, cx.local_ip(link)) {
            (Some(ip), _) => ip.clone(),
            (None, Some(ip)) => ip.to_string(),
            (None, None) => return,
        };
        let port = if cx.shared.announce_port == 0 { cx.shared.node.port } else { cx.shared.announce_port };
        let primary = &self.current().address;
        let shown = primary.shown(cx.shared.announce_hostnames);
        // A name without an answer yet: there is nothing to say that others could follow.
        if shown.is_empty() {
            return;
        }
        let hello = format!(
            "{host},{port},{},{},{},{},{},{}",
            cx.shared.my_id, cx.shared.durable_epoch, self.name, shown, primary.port, self.config_epoch
        );
        let mut args = words([self.renamed("PUBLISH"), CHANNEL]);
        args.push(Bytes::from(hello));
        if cx.send(link, args, Tag::Publish(self.id))
            && let Some(instance) = self.get_mut(which)
        {
            instance.published_at = cx.now;
            instance.hello_wanted_at = None;
        }
    }

    /// The subscription at a data node stands: a hello goes there as soon as it can, for whoever answers it is heard.
    pub(crate) fn subscribed(&mut self, which: &Which, cx: &mut Cx<'_>) {
        self.hasten_hello(which, cx.now, cx);
    }

    /// A stranger was heard of, who may have come too late for this daemon's last hello: it hears another one soon.
    fn greet(&mut self, cx: &mut Cx<'_>) {
        let soonest = self.greeted_at.map_or(cx.now, |at| at + GREETING);
        if self.greeted_at.is_some_and(|at| at > cx.now) {
            return;
        }
        let at = soonest.max(cx.now);
        self.greeted_at = Some(at);
        self.hasten_hello(&Which::Primary, at, cx);
    }

    fn hasten_hello(&mut self, which: &Which, at: Time, cx: &mut Cx<'_>) {
        if let Some(instance) = self.get_mut(which) {
            instance.hello_wanted_at = Some(instance.hello_wanted_at.map_or(at, |other| other.min(at)));
        }
        cx.shared.touched.insert(self.id);
    }

    /// Tells everybody at once.
    pub(crate) fn publish_everywhere(&mut self, cx: &mut Cx<'_>) {
        for which in self.whiches() {
            self.publish_hello(&which, cx);
        }
    }
}

impl Engine {
    /// Takes a hello that came by a subscription or by PUBLISH.
    pub(crate) fn hello(&mut self, text: &str, now: Time, out: &mut Actions) {
        let Some(hello) = Hello::parse(text) else { return };
        // Also when published here directly: a daemon is no peer of its own.
        if hello.run_id == self.shared.my_id || self.fleet.is_some() {
            return;
        }
        let Some(id) = self.find(hello.group) else { return };
        let (mut cx, parts) = self.split(now, out);
        let Some(group) = parts.groups.get(&id) else { return };
        if group.blind_until.is_some_and(|until| now < until) {
            return;
        }
        let mut unresolved = None;
        let mut resolve = |host: &str, cx: &mut Cx<'_>| match cx.lookup(host) {
            Lookup::Ip(ip) => Some(ip),
            Lookup::Asking => {
                unresolved = Some(host.to_owned());
                None
            }
            Lookup::Failed | Lookup::Disabled => None,
        };
        let sender = resolve(hello.host, &mut cx);
        let primary = resolve(hello.primary_host, &mut cx);
        // Without the address of its own primary this daemon can't tell whether the hello names another one.
        if group.primary.address.ip.is_none() {
            resolve(&group.primary.address.host, &mut cx);
        }
        if let Some(host) = unresolved {
            if parts.waiting.len() < MAX_WAITING {
                parts.waiting.push_back(Waiting::Hello { text: text.to_owned(), host });
            }
            return;
        }
        let known = Address { host: hello.host.to_owned(), ip: sender, port: hello.port };
        if sender.is_some() || cx.shared.names.enabled {
            self.meet(id, &hello, known, now, out);
        }
        let primary = Address { host: hello.primary_host.to_owned(), ip: primary, port: hello.primary_port };
        let (mut cx, parts) = self.split(now, out);
        // Nothing is learnt from somebody for whom there is no room.
        if !parts.groups.get(&id).is_some_and(|group| group.peers.contains(hello.run_id)) {
            return;
        }
        if raise(&mut cx.shared.current_epoch, hello.epoch) {
            cx.save();
            cx.own_event(Level::Warning, "+new-epoch", hello.epoch.to_string());
        }
        let Some(group) = parts.groups.get_mut(&id) else { return };
        if let Some(peer) = group.peers.get_mut(hello.run_id).and_then(Instance::peer_mut) {
            peer.hello_at = now;
            let epochs = (hello.epoch, hello.config_epoch);
            // Most hellos say what the last one said, and nothing waits for them.
            if (peer.epoch, peer.config_epoch) != epochs {
                (peer.epoch, peer.config_epoch) = epochs;
                cx.shared.touched.insert(id);
            }
            group.consider(&hello, primary, &mut cx);
        }
    }

    /// Learns of a peer, or of a peer's new address or identity.
    fn meet(&mut self, id: GroupId, hello: &Hello<'_>, at: Address, now: Time, out: &mut Actions) {
        let (mut cx, parts) = self.split(now, out);
        let Some(group) = parts.groups.get_mut(&id) else { return };
        let run_id = hello.run_id;
        if group.peers.get(run_id).is_some_and(|peer| peer.address.same(&at)) {
            return;
        }
        // Heard late: what this daemon said before it lost its file and with it its id.
        if !group.peers.contains(run_id) && cx.is_own_address(&at) {
            return;
        }
        let which = Which::Peer(run_id.to_owned());
        if group.peers.contains(run_id) {
            let rest = format!(" ip {} port {} for {run_id}", hello.host, hello.port);
            cx.event(Level::Notice, "+sentinel-address-switch", group, &Which::Primary, &rest);
            if let Some(peer) = group.peers.get_mut(run_id) {
                peer.address = at.clone();
                let link = peer.link;
                cx.drop_link(link);
                if let Some(link) = cx.shared.links.get_mut(link) {
                    link.retry_at_once();
                    link.restart_clock(now);
                }
            }
            let mut others = 0;
            for other in parts.groups.values_mut().filter(|other| other.id != id) {
                if let Some(peer) = other.peers.get_mut(run_id) {
                    peer.address = at.clone();
                    others += 1;
                }
            }
            if others > 0
                && let Some(group) = parts.groups.get(&id)
            {
                let rest = format!(" {others} additional matching instances");
                cx.event(Level::Notice, "+sentinel-address-update", group, &which, &rest);
            }
        } else {
            let replaced =
                group.peers.values().find(|peer| peer.address.same(&at)).map(|peer| peer.name.clone());
            if let Some(old) = replaced {
                // The process at that address has a new identity: its old one is dead everywhere.
                cx.event(Level::Notice, "+sentinel-invalid-addr", group, &Which::Peer(old.clone()), "");
                for other in parts.groups.values_mut() {
                    if other.remove_peer(&old, &mut cx, parts.owners) {
                        cx.shared.touched.insert(other.id);
                    }
                }
            }
            if let Some(group) = parts.groups.get_mut(&id) {
                let linked = cx.shared.peer_links.contains_key(run_id);
                if group.peers.len() >= MAX_PEERS || (!linked && cx.shared.peer_links.len() >= MAX_DAEMONS) {
                    return;
                }
                group.add_peer(run_id, at, &mut cx, parts.owners);
                group.greet(&mut cx);
                cx.event(Level::Notice, "+sentinel", group, &which, "");
                if group.peers.len() == MAX_PEERS {
                    let text = format!(
                        "{MAX_PEERS} other Sentinels are known for {}: no more are taken in until SENTINEL RESET",
                        group.name
                    );
                    cx.log(Level::Warning, Some(group), text);
                }
            }
        }
        cx.shared.touched.insert(id);
        cx.save();
    }
}

impl Group {
    /// A peer's configuration, which is followed if it is newer. An address that can't be
    /// resolved, or that nobody can have, changes nothing, not even the epoch, so that the next hello can still bring
    /// a better one.
    fn consider(&mut self, hello: &Hello<'_>, primary: Address, cx: &mut Cx<'_>) {
        let committing = self.failover.as_ref().filter(|failover| failover.committing.is_some());
        let newest = self.adoption.as_ref().map_or(self.config_epoch, |adoption| adoption.epoch);
        let newest = committing.map_or(newest, |failover| failover.epoch.max(newest));
        if hello.config_epoch <= newest || !reachable(&primary) {
            return;
        }
        raise(&mut cx.shared.current_epoch, hello.config_epoch);
        let save = cx.save();
        self.adoption = Some(Adoption {
            from: hello.run_id.to_owned(),
            address: primary,
            epoch: hello.config_epoch,
            save,
        });
        cx.after(save, Deferred::Adopt { group: self.id });
    }

    /// The newer configuration is on the disk, or can't be put there: it is followed.
    pub(crate) fn adopted(&mut self, cx: &mut Cx<'_>, owners: &mut Owners) {
        // A still newer one may have taken its place; that one has a save of its own.
        if self.adoption.as_ref().is_none_or(|adoption| cx.shared.saves.is_waiting(adoption.save)) {
            return;
        }
        let Some(adoption) = self.adoption.take() else { return };
        if adoption.epoch <= self.config_epoch {
            return;
        }
        self.config_epoch = adoption.epoch;
        if adoption.address.same(&self.primary.address) {
            // An attempt of an older epoch is overtaken, however far it is: its replica is not the primary.
            if self.failover.as_ref().is_some_and(|failover| failover.epoch <= adoption.epoch) {
                self.supersede(cx);
                self.turn_at = self.odown_since.map(|_| cx.now);
            }
            cx.shared.touched.insert(self.id);
            return;
        }
        let from = Which::Peer(adoption.from);
        if self.get(&from).is_some() {
            cx.event(Level::Warning, "+config-update-from", self, &from, "");
        }
        let old = self.primary.address.clone();
        self.announce_switch(&adoption.address, cx);
        self.switch(adoption.address.clone(), cx, owners);
        self.queue_reconfig_script("observer", &old, &adoption.address, cx);
    }

    /// `+switch-master`: the event that clients live by.
    pub(crate) fn announce_switch(&self, to: &Address, cx: &mut Cx<'_>) {
        // An address that was never resolved is told by its name: clients count the words.
        let [old, new] =
            [&self.primary.address, to].map(|address| address.saved(cx.shared.announce_hostnames));
        let payload = format!("{} {} {} {} {}", self.name, old.host, old.port, new.host, new.port);
        cx.group_event(Level::Warning, "+switch-master", self, payload);
    }
}

/// Whether a text can be a daemon's id: short, and a word of its own in events and in the file.
pub(crate) fn is_run_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a data node can be at that address.
fn reachable(at: &Address) -> bool {
    at.port != 0 && at.ip.is_some_and(|ip| !ip.is_unspecified() && !ip.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_fields_or_nothing() {
        let text = "10.0.0.1,26379,abc,7,mymaster,::1,6379,6";
        let hello = Hello::parse(text).unwrap();
        assert_eq!((hello.host, hello.port, hello.run_id, hello.epoch), ("10.0.0.1", 26379, "abc", 7));
        assert_eq!(
            (hello.group, hello.primary_host, hello.primary_port, hello.config_epoch),
            ("mymaster", "::1", 6379, 6)
        );
        for bad in [
            "",
            "a,1,b,2,c,d,3",
            "a,1,b,2,c,d,3,4,5",
            "a,x,b,2,c,d,3,4",
            "a,1,b,-2,c,d,3,4",
            "a,99999,b,2,c,d,3,4",
            "a,1,b b,2,c,d,3,4",
            "a,1,b\nb,2,c,d,3,4",
            "a,1,\u{e9},2,c,d,3,4",
        ] {
            assert_eq!(Hello::parse(bad), None, "{bad}");
        }
    }
}
