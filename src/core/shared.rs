//! What all groups share, and the context in which a group's rules run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use super::action::{Action, Actions, Event, Level, Observation};
use super::address::{Address, Lookup, Names};
use super::group::{Group, GroupId, Which};
use super::ids::{ClientId, SaveNo};
use super::index::Index;
use super::input::Secret;
use super::link::{LinkId, Links, Tag};
use super::params::Params;
use super::quirks::Quirks;
use super::saves::Saves;
use super::scripts::Scripts;
use super::settings::Node;
use super::spread::Spread;
use super::tilt::Tilt;
use super::time::Time;
use super::wave::Wave;
use crate::resp::Reply;

/// What waits for a save.
#[derive(Debug)]
pub(crate) enum Deferred {
    /// A client's answer: one for success, one for failure.
    Answer { client: ClientId, saved: Reply, failed: Reply },
    /// The own vote at that epoch: votes may be asked for.
    OwnVote { group: GroupId, epoch: u64 },
    /// The promotion at that epoch: it may be announced.
    Commit { group: GroupId, epoch: u64 },
    /// A configuration heard from a peer: it may be followed.
    Adopt { group: GroupId },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) my_id: String,
    pub(crate) node: Node,
    pub(crate) current_epoch: u64,
    /// The highest epoch known to be on the disk: hellos carry no later one.
    pub(crate) durable_epoch: u64,
    pub(crate) allow_scripts_reconfig: bool,
    pub(crate) announce_hostnames: bool,
    pub(crate) announce_ip: Option<String>,
    pub(crate) announce_port: u16,
    pub(crate) sentinel_user: Option<String>,
    pub(crate) sentinel_pass: Option<String>,
    /// Credentials from files of their own.
    pub(crate) secrets: BTreeMap<Secret, String>,
    pub(crate) log_level: Level,
    pub(crate) params: Params,
    pub(crate) names: Names,
    pub(crate) links: Links,
    /// Links to peers by their id: groups share them.
    pub(crate) peer_links: BTreeMap<String, LinkId>,
    pub(crate) scripts: Scripts,
    pub(crate) tilt: Tilt,
    pub(crate) spread: Spread,
    pub(crate) saves: Saves<Deferred>,
    pub(crate) quirks: Quirks,
    pub(crate) crash_after_election: bool,
    pub(crate) crash_after_promotion: bool,
    /// The process was just held up: replies that wait in its sockets are read before anything is called down.
    pub(crate) judge_after: Time,
    /// What had reached the process by then has been handed over.
    pub(crate) heard: Time,
    /// Groups in which somebody may be down once more has been handed over.
    pub(crate) unheard: BTreeSet<GroupId>,
    /// Groups to look at again before the input is done with.
    pub(crate) touched: BTreeSet<GroupId>,
    /// The groups by their names and, as far as peers have asked, their primaries' addresses.
    pub(crate) index: Index,
    /// Since when the current epoch is the current one.
    pub(crate) wave: Wave,
}

/// The context of one input.
pub(crate) struct Cx<'a> {
    pub(crate) shared: &'a mut Shared,
    pub(crate) now: Time,
    pub(crate) out: &'a mut Actions,
    /// The earliest time at which the group that is being looked at wants to be looked at again.
    pub(crate) wake: Option<(Time, &'static str)>,
}

impl Cx<'_> {
    /// True when `at` is over; otherwise the group is looked at again then.
    pub(crate) fn due(&mut self, at: Time, why: &'static str) -> bool {
        if at <= self.now {
            return true;
        }
        self.wake_at(at, why);
        false
    }

    /// The group is looked at again at `at`, if that is still to come.
    pub(crate) fn wake_at(&mut self, at: Time, why: &'static str) {
        if at > self.now && self.wake.is_none_or(|(first, _)| at < first) {
            self.wake = Some((at, why));
        }
    }

    /// Asks for a save of the whole state.
    pub(crate) fn save(&mut self) -> SaveNo {
        let save = self.shared.saves.ask(self.shared.current_epoch);
        self.out.push(Action::Persist { save });
        save
    }

    /// Asks for a save that holds a vote or an epoch: answers that show either wait for it.
    pub(crate) fn save_vote(&mut self) -> SaveNo {
        let save = self.shared.saves.ask_for_vote(self.shared.current_epoch);
        self.out.push(Action::Persist { save });
        save
    }

    pub(crate) fn after(&mut self, save: SaveNo, what: Deferred) {
        self.shared.saves.after(save, what);
    }

    pub(crate) fn reply(&mut self, client: ClientId, reply: Reply) {
        self.out.push(Action::Reply { client, reply });
    }

    /// A log line that is no event.
    pub(crate) fn log(&mut self, level: Level, group: Option<&Group>, text: String) {
        self.out.push(Action::Log { level, group: group.map(|group| group.name.clone()), text });
    }

    pub(crate) fn observe(&mut self, figure: Observation) {
        self.out.push(Action::Observe(figure));
    }

    /// An event about an instance: its description, then `rest`. A warning runs the notification script.
    pub(crate) fn event(
        &mut self,
        level: Level,
        name: &'static str,
        group: &Group,
        which: &Which,
        rest: &str,
    ) {
        let payload = format!("{}{rest}", self.describe(group, which));
        let run_id = group.get(which).map(|instance| instance.run_id.clone()).filter(|id| !id.is_empty());
        self.emit(level, name, payload, Some(group), run_id);
    }

    /// An event whose payload names no instance but belongs to a group.
    pub(crate) fn group_event(&mut self, level: Level, name: &'static str, group: &Group, payload: String) {
        self.emit(level, name, payload, Some(group), None);
    }

    /// An event about the daemon itself.
    pub(crate) fn own_event(&mut self, level: Level, name: &'static str, payload: String) {
        self.emit(level, name, payload, None, None);
    }

    fn emit(
        &mut self,
        level: Level,
        name: &'static str,
        payload: String,
        group: Option<&Group>,
        run_id: Option<String>,
    ) {
        if level == Level::Warning
            && let Some(group) = group
            && let Some(script) = &group.options.notification_script
        {
            self.shared.scripts.queue(vec![script.clone(), name.to_owned(), payload.clone()], self.now);
        }
        self.out.push(Action::Event(Event {
            level,
            name,
            payload,
            group: group.map(|group| group.name.clone()),
            run_id,
            epoch: self.shared.current_epoch,
        }));
    }

    /// `type name ip port`, for replicas and peers followed by the primary.
    pub(crate) fn describe(&self, group: &Group, which: &Which) -> String {
        let hostnames = self.shared.announce_hostnames;
        let Some(instance) = group.get(which) else { return String::new() };
        let mut text = format!(
            "{} {} {} {}",
            instance.kind.word(),
            instance.name,
            instance.address.shown(hostnames),
            instance.address.port
        );
        if *which != Which::Primary {
            let primary = &group.primary.address;
            text.push_str(&format!(" @ {} {} {}", group.name, primary.shown(hostnames), primary.port));
        }
        text
    }

    /// Looks a host up without waiting.
    pub(crate) fn lookup(&mut self, host: &str) -> Lookup {
        self.shared.names.lookup(host, self.now, self.out)
    }

    /// Sends a request on a link's command connection; nothing happens without one.
    pub(crate) fn send(&mut self, link: LinkId, args: Vec<Bytes>, tag: Tag) -> bool {
        let Some(conn) = self.shared.links.get_mut(link).and_then(|link| link.command.as_mut()) else {
            return false;
        };
        conn.pending.push_back(tag);
        self.out.push(Action::Send { conn: conn.id, args });
        true
    }

    /// Gives a link up, closing its connections when nobody else uses it.
    pub(crate) fn release(&mut self, link: LinkId) {
        for conn in self.shared.links.release(link) {
            self.out.push(Action::Close { conn });
        }
        if self.shared.links.get(link).is_none() {
            self.shared.peer_links.retain(|_, other| *other != link);
        }
    }

    /// Closes both connections of a link, which stays.
    pub(crate) fn drop_link(&mut self, link: LinkId) {
        let Some(state) = self.shared.links.get_mut(link) else { return };
        state.retry_at_once();
        state.role_refused = false;
        let conns: Vec<_> =
            [&state.command, &state.pubsub].into_iter().flatten().map(|conn| conn.id).collect();
        for conn in conns {
            self.shared.links.forget_conn(conn);
            self.out.push(Action::Close { conn });
        }
    }

    /// Whether this daemon itself is reached by that address.
    pub(crate) fn is_own_address(&self, at: &Address) -> bool {
        let shared = &self.shared;
        let port = if shared.announce_port == 0 { shared.node.port } else { shared.announce_port };
        at.port == port
            && match &shared.announce_ip {
                Some(ip) => *ip == at.host,
                None => at.ip.is_some_and(|ip| shared.links.are_from(ip)),
            }
    }

    /// The local address of the command connection to an instance: what peers can reach this daemon by.
    pub(crate) fn local_ip(&self, link: LinkId) -> Option<IpAddr> {
        self.shared.links.get(link).and_then(|link| link.command.as_ref()).and_then(|conn| conn.local)
    }
}

/// A request from words.
pub(crate) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<Bytes> {
    words.into_iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

/// Half of a period.
pub(crate) fn half(period: Duration) -> Duration {
    period / 2
}
