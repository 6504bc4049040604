//! The engine: takes facts, lets the groups' rules run, hands out wishes and the next deadline.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::action::{Action, Actions, Level, Observation};
use super::address::{Address, Names};
use super::commands::Checks;
use super::fleet::Fleet;
use super::group::{Group, GroupId, Which};
use super::ids::{ResolveId, RunId, SaveNo};
use super::index::Index;
use super::input::{Input, Secret};
use super::link::{LinkId, Links};
use super::params::Params;
use super::quirks::Quirks;
use super::saves::Saves;
use super::scripts::Scripts;
use super::settings::{Node, Settings};
use super::shared::{Cx, Deferred, Shared};
use super::spread::Spread;
use super::tilt::{BEAT, Tilt};
use super::time::Time;
use super::timers::{Key, Timers};
use super::wave::Wave;

/// A delay of the loop below which nothing is thought of it.
const LATE: Duration = Duration::from_millis(50);
/// After a delay, how long replies may take to come out of the sockets before anything is called down.
const GRACE: Duration = Duration::from_millis(100);
/// A save that failed is tried again after so long, for the state must reach the disk some day.
const SAVE_RETRY: Duration = Duration::from_secs(10);
/// Rounds over touched groups per input; each round has a cause, so the limit only guards against a mistake here.
const MAX_ROUNDS: usize = 10_000;

/// The deterministic heart of the daemon. See [`crate::core`].
#[derive(Debug)]
pub struct Engine {
    pub(crate) shared: Shared,
    pub(crate) groups: BTreeMap<GroupId, Group>,
    /// Who is found by which link. A peer's link may belong to several groups.
    pub(crate) owners: BTreeMap<LinkId, Owner>,
    pub(crate) timers: Timers,
    pub(crate) next_group: u64,
    /// Hellos and commands that wait for the resolver.
    pub(crate) waiting: VecDeque<Waiting>,
    /// Commands that wait for a look at files.
    pub(crate) checks: Checks,
    /// The coordination by Leases, where that is configured.
    pub(crate) fleet: Option<Box<Fleet>>,
    new_id: bool,
}

/// Who uses a link.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    Node(GroupId, Which),
    Peer(String),
}

/// What goes on when a host name is resolved.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    Hello { text: String, host: String },
    Monitor { client: super::ids::ClientId, args: Vec<bytes::Bytes>, host: String },
}

impl Engine {
    /// An engine for the configured groups. `seed` is the source of its id, should it have none, and of small delays.
    #[must_use]
    pub fn new(settings: Settings, node: Node, seed: u64, log_level: Level, now: Time) -> Self {
        let mut spread = Spread::new(seed);
        let new_id = settings.my_id.is_none();
        let my_id = settings.my_id.as_ref().map_or_else(|| spread.run_id(), |id| id.as_str().to_owned());
        let config = node.fleet.clone();
        let epochs = settings.groups.iter().map(|group| group.config_epoch);
        let epoch = epochs.fold(settings.current_epoch, u64::max);
        let shared = Shared {
            my_id,
            node,
            current_epoch: epoch,
            durable_epoch: epoch,
            allow_scripts_reconfig: settings.allow_scripts_reconfig,
            announce_hostnames: settings.announce_hostnames,
            announce_ip: settings.announce_ip,
            announce_port: settings.announce_port,
            sentinel_user: settings.sentinel_user,
            sentinel_pass: settings.sentinel_pass,
            secrets: BTreeMap::new(),
            log_level,
            params: Params::default(),
            names: Names::new(settings.resolve_hostnames),
            links: Links::default(),
            peer_links: BTreeMap::new(),
            scripts: Scripts::default(),
            tilt: Tilt::default(),
            spread,
            saves: Saves::default(),
            quirks: Quirks::default(),
            crash_after_election: false,
            crash_after_promotion: false,
            judge_after: Time::ZERO,
            heard: Time::ZERO,
            unheard: BTreeSet::new(),
            touched: BTreeSet::new(),
            index: Index::default(),
            wave: Wave::new(epoch),
        };
        let mut engine = Self {
            shared,
            groups: BTreeMap::new(),
            owners: BTreeMap::new(),
            timers: Timers::default(),
            next_group: 0,
            waiting: VecDeque::new(),
            checks: Checks::default(),
            fleet: None,
            new_id,
        };
        if let Some(config) = config {
            let life = engine.shared.spread.next();
            engine.fleet = Some(Box::new(Fleet::new(config, engine.my_id(), life)));
        }
        for group in settings.groups {
            engine.adopt_settings(group, now);
        }
        engine
    }

    /// The same engine with what the simulation asks of it.
    #[cfg(feature = "sim")]
    #[must_use]
    pub fn with_quirks(mut self, quirks: Quirks) -> Self {
        self.shared.quirks = quirks;
        self
    }

    /// Begins: logs the id, announces the groups, saves a new id. To be called once, when the listeners stand.
    pub fn start(&mut self, now: Time, out: &mut Actions) {
        let id = self.shared.my_id.clone();
        // Making many groups takes its time, too.
        self.shared.links.restart_clocks(now);
        let (mut cx, groups) = self.split(now, out);
        if std::mem::take(&mut *groups.new_id) {
            cx.save();
        }
        cx.log(Level::Notice, None, format!("Sentinel ID is {id}"));
        for group in groups.groups.values() {
            // A primary that only a Lease names is announced when it is known.
            if group.seat.is_none() {
                group.announce_monitor(&mut cx);
            }
            cx.shared.touched.insert(group.id);
        }
        self.settle(now, out);
    }

    /// This daemon's id.
    #[must_use]
    pub fn my_id(&self) -> RunId {
        RunId::from(self.shared.my_id.as_str())
    }

    /// When the engine wants [`Input::Timer`], and why.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Time, &'static str)> {
        self.timers.first().map(|(at, _, why)| (at, why))
    }

    /// Takes one fact at time `now`, which must never be earlier than at the last call.
    pub fn handle(&mut self, input: Input, now: Time, out: &mut Actions) {
        self.notice_delay(now, out);
        match input {
            Input::Timer { heard } => {
                self.shared.heard = heard;
                self.shared.touched.append(&mut self.shared.unheard);
            }
            Input::Waiting { conn } => self.shared.links.wait(conn),
            Input::Begun { conn } => self.begun(conn, now),
            Input::Connected { conn, local } => self.connected(conn, local),
            Input::Disconnected { conn, error, refused } => {
                self.disconnected(conn, &error, refused, now, out);
            }
            Input::Frame { conn, reply } => self.frame(conn, reply, now, out),
            Input::Command { client, args } => self.command(client, args, now, out),
            Input::Persisted { upto, ok } => self.persisted(upto, ok, now, out),
            Input::Resolved { id, ip } => self.resolved(id, ip, now, out),
            Input::Secret { secret, value } => self.take_secret(secret, value, now, out),
            Input::Executable { id, ok } => self.checked(id, &ok, now, out),
            Input::ScriptStarted { job, pid } => {
                let (mut cx, _) = self.split(now, out);
                super::scripts::started(job, pid, &mut cx);
            }
            Input::Seen(seen) => self.seen(seen, now, out),
            Input::Answered(answered) => self.answered_by_api(answered, now, out),
            Input::Terminate => self.terminate(now, out),
            Input::ScriptEnded { job, exit } => {
                let (mut cx, _) = self.split(now, out);
                super::scripts::ended(job, exit, &mut cx);
            }
        }
        self.settle(now, out);
    }

    /// Splits the engine into the context that rules run in, and the rest.
    pub(crate) fn split<'a>(&'a mut self, now: Time, out: &'a mut Actions) -> (Cx<'a>, Parts<'a>) {
        let cx = Cx { shared: &mut self.shared, now, out, wake: None };
        let parts = Parts {
            groups: &mut self.groups,
            owners: &mut self.owners,
            waiting: &mut self.waiting,
            new_id: &mut self.new_id,
        };
        (cx, parts)
    }

    /// The group of that name.
    pub(crate) fn find(&self, name: &str) -> Option<GroupId> {
        self.shared.index.named(name)
    }

    /// TILT when the loop was held up for long, a short grace when for less (Sentinel's TILT).
    fn notice_delay(&mut self, now: Time, out: &mut Actions) {
        let Some((due, _)) = self.next_deadline() else { return };
        let late = now.since(due);
        if late < LATE {
            return;
        }
        out.push(Action::Observe(Observation::Late(late)));
        self.shared.judge_after = now + GRACE;
        if late > self.shared.params.tilt_trigger() {
            self.shared.tilt.enter(now);
            let (mut cx, _) = self.split(now, out);
            cx.own_event(Level::Warning, "+tilt", "#tilt mode entered".to_owned());
        }
    }

    /// Lets every timer that is over and every touched group run, until nothing is left to do at `now`.
    pub(crate) fn settle(&mut self, now: Time, out: &mut Actions) {
        if self.is_settled(now) {
            return;
        }
        while let Some(key) = self.timers.pop_due(now) {
            match key {
                Key::Group(id) => {
                    self.shared.touched.insert(id);
                }
                Key::Claim(id) => {
                    self.shared.touched.insert(id);
                }
                Key::Tilt | Key::Scripts | Key::Heard | Key::Member => {}
                Key::Save => {
                    let (mut cx, _) = self.split(now, out);
                    cx.save();
                }
            }
        }
        self.beat(now, out);
        self.discover(now, out);
        for _ in 0..MAX_ROUNDS {
            if self.shared.wave.see(self.shared.current_epoch, now) {
                let candidates = self.groups.values().filter(|group| group.failover.is_some());
                self.shared.touched.extend(candidates.map(|group| group.id));
            }
            let Some(id) = self.shared.touched.pop_first() else { break };
            let (mut cx, parts) = self.split(now, out);
            let Some(group) = parts.groups.get_mut(&id) else { continue };
            let pause = if cx.shared.quirks.slow() { group.next_tick() } else { group.pause_end() };
            if let Some(end) = pause.filter(|end| *end > now) {
                self.timers.set(Key::Group(id), Some((end, "crowd")));
                continue;
            }
            group.stepped_at = Some(now);
            group.step(&mut cx, parts.owners);
            let wake = cx.wake;
            self.timers.set(Key::Group(id), wake);
            self.look_at_claim(id, now, out);
        }
        debug_assert!(self.shared.touched.is_empty(), "groups touch each other without end");
        self.keep_membership(now, out);
        let (mut cx, _) = self.split(now, out);
        super::scripts::run(&mut cx);
        let wake = cx.wake;
        self.timers.set(Key::Scripts, wake);
        let unheard = !self.shared.unheard.is_empty();
        self.timers.set(Key::Heard, unheard.then_some((now, "hear")));
    }

    /// Nothing is due and nothing was touched, as after most queries.
    fn is_settled(&self, now: Time) -> bool {
        self.shared.touched.is_empty()
            && self.shared.wave.is_of(self.shared.current_epoch)
            && self.timers.first().is_some_and(|(at, ..)| at > now)
            && self.shared.scripts.len() == 0
            && self.timers.at(Key::Scripts).is_none()
            && self.fleet.as_ref().is_none_or(|fleet| fleet.is_settled())
    }

    fn beat(&mut self, now: Time, out: &mut Actions) {
        let period = self.shared.params.tilt_period();
        if self.shared.tilt.leave_if_over(period, now) {
            let (mut cx, _) = self.split(now, out);
            cx.own_event(Level::Warning, "-tilt", "#tilt mode exited".to_owned());
            self.shared.touched.extend(self.groups.keys());
        }
        let end = self.shared.tilt.since().map(|since| since + period);
        let next = if self.groups.is_empty() {
            end
        } else {
            // One that is to come soon enough stays, so that it isn't moved with every input.
            let beat =
                self.timers.at(Key::Tilt).filter(|at| *at > now).map_or(now + BEAT, |at| at.min(now + BEAT));
            Some(end.map_or(beat, |end| end.min(beat)))
        };
        self.timers.set(Key::Tilt, next.map(|at| (at, "beat")));
    }

    fn persisted(&mut self, upto: SaveNo, ok: bool, now: Time, out: &mut Actions) {
        let (done, epoch) = self.shared.saves.answered(upto, ok);
        if let Some(epoch) = epoch {
            self.shared.durable_epoch = self.shared.durable_epoch.max(epoch);
        }
        if ok {
            self.timers.set(Key::Save, None);
        } else {
            self.timers.set(Key::Save, Some((now + SAVE_RETRY, "save again")));
        }
        for what in done {
            let (mut cx, parts) = self.split(now, out);
            match what {
                Deferred::Answer { client, saved, failed } => {
                    cx.reply(client, if ok { saved } else { failed });
                }
                Deferred::OwnVote { group, epoch } => {
                    if let Some(group) = parts.groups.get_mut(&group) {
                        group.own_vote_saved(epoch, ok, &mut cx);
                    }
                }
                Deferred::Commit { group, epoch } => {
                    if let Some(group) = parts.groups.get_mut(&group) {
                        group.committed(epoch, &mut cx);
                    }
                }
                Deferred::Adopt { group } => {
                    if let Some(group) = parts.groups.get_mut(&group) {
                        group.adopted(&mut cx, parts.owners);
                    }
                }
            }
        }
    }

    /// A changed credential: the links that it is for come back with it.
    fn take_secret(&mut self, secret: Secret, value: Option<String>, now: Time, out: &mut Actions) {
        let old = match value.clone() {
            Some(value) => self.shared.secrets.insert(secret.clone(), value),
            None => self.shared.secrets.remove(&secret),
        };
        if old == value {
            return;
        }
        let (mut cx, parts) = self.split(now, out);
        match secret {
            Secret::AuthUser(about) | Secret::AuthPass(about) => {
                for group in parts.groups.values() {
                    if about.as_ref().is_none_or(|name| *name == group.name) {
                        group.drop_data_links(&mut cx);
                    }
                }
            }
            Secret::SentinelPass => self.drop_peer_links(now, out),
        }
    }

    /// Closes the links to all peers, so that they come back with other credentials.
    pub(crate) fn drop_peer_links(&mut self, now: Time, out: &mut Actions) {
        let (mut cx, parts) = self.split(now, out);
        let links: Vec<LinkId> = cx.shared.peer_links.values().copied().collect();
        for link in links {
            cx.drop_link(link);
        }
        cx.shared.touched.extend(parts.groups.keys());
    }

    fn resolved(&mut self, id: ResolveId, ip: Option<std::net::IpAddr>, now: Time, out: &mut Actions) {
        let Some(host) = self.shared.names.answered(id, ip, now) else { return };
        let (mut cx, parts) = self.split(now, out);
        for group in parts.groups.values_mut() {
            let (mut named, mut settled) = (false, false);
            let others = group.replicas.values_mut().chain(group.peers.values_mut());
            for instance in std::iter::once(&mut group.primary).chain(others) {
                if instance.address.host != host {
                    continue;
                }
                named = true;
                if let (None, Some(ip)) = (instance.address.ip, ip) {
                    instance.address.ip = Some(ip);
                    settled = true;
                    if let Some(link) = cx.shared.links.get_mut(instance.link) {
                        link.retry_at_once();
                    }
                }
            }
            if settled {
                group.merge_replicas(&mut cx, parts.owners);
            }
            if named {
                cx.shared.touched.insert(group.id);
            }
        }
        let (ready, rest) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| match waiting {
                Waiting::Hello { host: name, .. } | Waiting::Monitor { host: name, .. } => *name == host,
            });
        self.waiting = rest;
        let ready: VecDeque<Waiting> = ready;
        for waiting in ready {
            match waiting {
                Waiting::Hello { text, .. } => self.hello(&text, now, out),
                Waiting::Monitor { client, args, .. } => self.command(client, args, now, out),
            }
        }
    }
}

/// The engine without what the context holds.
pub(crate) struct Parts<'a> {
    pub(crate) groups: &'a mut BTreeMap<GroupId, Group>,
    pub(crate) owners: &'a mut BTreeMap<LinkId, Owner>,
    pub(crate) waiting: &'a mut VecDeque<Waiting>,
    new_id: &'a mut bool,
}

/// An address whose host may still have to be resolved.
pub(crate) fn address(host: &str, port: u16, names: &Names) -> Address {
    Address { host: host.to_owned(), ip: names.known(host), port }
}
