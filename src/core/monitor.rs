//! Links and the periodic commands on them, and S_DOWN.
//!
//! Everything here is level-triggered: a look at an instance does what is due and notes when the next thing will be.
//! A look too many changes nothing.

use std::time::Duration;

use bytes::Bytes;

use super::action::{Action, Level, LinkRole};
use super::address::Lookup;
use super::group::{Group, Which};
use super::input::Secret;
use super::instance::{Instance, Kind, Role};
use super::link::{Channel, LinkId, MAX_PENDING, Tag};
use super::retry::Retry;
use super::shared::{Cx, half, words};
use super::time::Time;

/// INFO of a replica while it matters (Sentinel's fixed number).
const FAST_INFO: Duration = Duration::from_millis(1000);
/// INFO of replicas while it is to be seen whether a primary that came back has lost its data.
const REBOOT_INFO: Duration = Duration::from_millis(100);
/// No instance is sent PING more often than this, however short its down-after.
const MIN_PING: Duration = Duration::from_millis(10);
/// A reconnection that is made in haste waits at least this long between attempts.
const HASTE: Duration = Duration::from_millis(20);
/// A displaced primary that doesn't even accept a connection is tried anew after so long.
const NO_CONNECTION: Duration = Duration::from_millis(500);
/// How long a displaced primary is awaited in that way.
const AWAITED: Duration = Duration::from_secs(50);
/// A hello may be so late to go with a PING: one packet there and one back for both. What is asked in turns is asked in
/// ticks that are no longer than this. (Sentinel's tick is as long.)
const TOGETHER: Duration = Duration::from_millis(100);
/// Ticks in a period.
const TICKS: u32 = 10;
/// A hello that was refused is tried again after so long.
const PUBLISH_RETRY: Duration = Duration::from_millis(500);

impl Group {
    /// Does what is due for one instance.
    pub(crate) fn tend(&mut self, which: &Which, cx: &mut Cx<'_>) {
        self.reconnect(which, cx);
        self.drop_stale_link(which, cx);
        self.send_periodic(which, cx);
        if !cx.shared.tilt.active() {
            self.judge(which, cx);
        }
    }

    fn reconnect(&mut self, which: &Which, cx: &mut Cx<'_>) {
        let Some(instance) = self.get(which) else { return };
        let id = instance.link;
        let Some(link) = cx.shared.links.get(id) else { return };
        if instance.address.port == 0 || !link.disconnected() || self.is_absent(which) {
            return;
        }
        // A node that takes no connection is not asked for two at a time.
        let second = link.stands() || link.command_retry.tries <= 1;
        let (longest, after_error) = (self.longest_wait(which, cx), cx.shared.params.ping_period());
        let due = |missing: bool, retry: Retry, cx: &mut Cx<'_>| {
            missing && retry.due(longest, after_error).is_none_or(|at| cx.due(at, "reconnect"))
        };
        let (command, pubsub) = (link.command_retry, link.pubsub_retry);
        let (no_command, no_pubsub) = (link.command.is_none(), link.data_node && link.pubsub.is_none());
        let command_missing = due(no_command, command, cx);
        let pubsub_missing = due(no_pubsub && second, pubsub, cx);
        if !command_missing && !pubsub_missing {
            return;
        }
        if command_missing || instance.address.ip.is_none() {
            let host = instance.address.host.clone();
            if let Lookup::Ip(ip) = cx.lookup(&host)
                && let Some(instance) = self.get_mut(which)
            {
                instance.address.ip = Some(ip);
            }
        }
        if command_missing {
            self.connect(which, id, Channel::Command, cx);
            // Who answers at the address now may be another process than before.
            self.ask_info(which, cx);
        }
        if pubsub_missing {
            self.connect(which, id, Channel::PubSub, cx);
        }
    }

    /// The longest wait between two attempts to connect.
    fn longest_wait(&self, which: &Which, cx: &Cx<'_>) -> Duration {
        let Some(instance) = self.get(which) else { return cx.shared.params.ping_period() };
        let usual = self.ping_period(instance, cx);
        let usual = self.retry_pace(which, cx).map_or(usual, |pace| pace.min(usual));
        let Some(data) = instance.data() else { return usual };
        if let Some(displaced) = &data.displaced {
            return usual.min(super::role::pace(REBOOT_INFO, displaced.at, cx.now));
        }
        if instance.kind == Kind::Primary {
            return usual.min(self.reboot_pace().unwrap_or(usual));
        }
        usual
    }

    /// What a primary's reboot is noticed and judged in, where that is asked for.
    fn reboot_pace(&self) -> Option<Duration> {
        let after = self.options.reboot_down_after;
        (!after.is_zero()).then(|| (after / 4).max(HASTE))
    }

    /// How often PING is sent: the quicker an instance is to count as down, the more often, and never less often than
    /// Sentinel does. Where nothing more is to be found out, as often as Sentinel does.
    fn ping_period(&self, instance: &Instance, cx: &Cx<'_>) -> Duration {
        let down_after = self.options.down_after;
        let slowest = down_after.min(cx.shared.params.ping_period());
        if instance.is_down() { slowest } else { (down_after / 10).max(MIN_PING).min(slowest) }
    }

    fn connect(&self, which: &Which, id: LinkId, channel: Channel, cx: &mut Cx<'_>) {
        let Some(instance) = self.get(which) else { return };
        let (Some(ip), port) = (instance.address.ip, instance.address.port) else { return };
        let role = match (instance.kind, channel) {
            (Kind::Peer, _) => LinkRole::Peer,
            (Kind::Primary | Kind::Replica, Channel::Command) => LinkRole::DataCommand,
            (Kind::Primary | Kind::Replica, Channel::PubSub) => LinkRole::DataPubSub,
        };
        if let Some(link) = cx.shared.links.get_mut(id) {
            link.retry(channel).tried(cx.now);
        }
        let Some(conn) = cx.shared.links.open(id, channel, cx.now) else { return };
        cx.out.push(Action::Connect { conn, ip, port, role });
        let mut first = Vec::new();
        if let Some(auth) = self.auth(instance.kind, cx) {
            first.push((auth, Tag::Ignore));
        }
        let suffix = if channel == Channel::Command { "cmd" } else { "pubsub" };
        let name = format!("sentinel-{}-{suffix}", cx.shared.my_id.chars().take(8).collect::<String>());
        first.push((words([self.renamed("CLIENT"), "SETNAME", &name]), Tag::Ignore));
        match channel {
            Channel::Command => {
                for (args, tag) in first {
                    cx.send(id, args, tag);
                }
                self.ping(id, cx);
            }
            Channel::PubSub => {
                first.push((words([self.renamed("SUBSCRIBE"), super::hello::CHANNEL]), Tag::Subscribe));
                if let Some(link) = cx.shared.links.get_mut(id) {
                    link.pubsub_heard_at = cx.now;
                    if let Some(pubsub) = &mut link.pubsub {
                        pubsub.pending.extend(first.iter().map(|(_, tag)| tag.clone()));
                    }
                }
                cx.out.extend(first.into_iter().map(|(args, _)| Action::Send { conn, args }));
            }
        }
    }

    /// AUTH for a data node or a peer, if there is a password.
    pub(crate) fn auth(&self, kind: Kind, cx: &Cx<'_>) -> Option<Vec<Bytes>> {
        let secrets = &cx.shared.secrets;
        let name = || Some(self.name.clone());
        let (user, pass) = match kind {
            Kind::Primary | Kind::Replica => {
                let own_user = secrets.get(&Secret::AuthUser(name())).or(self.options.auth_user.as_ref());
                let own_pass = secrets.get(&Secret::AuthPass(name())).or(self.options.auth_pass.as_ref());
                let pass = own_pass.or_else(|| secrets.get(&Secret::AuthPass(None)))?;
                (own_user.or_else(|| secrets.get(&Secret::AuthUser(None))), pass)
            }
            Kind::Peer => match secrets.get(&Secret::SentinelPass).or(cx.shared.sentinel_pass.as_ref()) {
                Some(pass) => (cx.shared.sentinel_user.as_ref(), pass),
                None => (None, cx.shared.node.requirepass.as_ref()?),
            },
        };
        let auth = self.renamed("AUTH");
        Some(match user {
            Some(user) => words([auth, user, pass]),
            None => words([auth, pass]),
        })
    }

    pub(crate) fn ping(&self, id: LinkId, cx: &mut Cx<'_>) {
        if cx.send(id, words([self.renamed("PING")]), Tag::Ping)
            && let Some(link) = cx.shared.links.get_mut(id)
        {
            link.ping_sent_at = Some(cx.now);
            link.owed_since.get_or_insert(cx.now);
        }
    }

    /// Closes connections that are there but silent, so that a fresh one gets its chance before the instance counts
    /// as down.
    fn drop_stale_link(&mut self, which: &Which, cx: &mut Cx<'_>) {
        let Some(instance) = self.get(which) else { return };
        let Some(link) = cx.shared.links.get(instance.link) else { return };
        let (min_age, patience) =
            (cx.shared.params.min_link_reconnect_period(), half(self.options.down_after));
        let awaited = instance
            .data()
            .and_then(|data| data.displaced.as_ref())
            .is_some_and(|displaced| cx.now < displaced.at + AWAITED);
        let command = link.command.as_ref().filter(|conn| conn.waits_since.is_none()).and_then(|conn| {
            if awaited && conn.local.is_none() {
                return Some((conn.id, conn.opened_at + NO_CONNECTION));
            }
            let owed = link.owed_since? + patience;
            Some((conn.id, (conn.opened_at + min_age).max(owed).max(link.pong_at + patience)))
        });
        let quiet = cx.shared.params.publish_period() * 3;
        let pubsub = link
            .pubsub
            .as_ref()
            .map(|conn| (conn.id, (conn.opened_at + min_age).max(link.pubsub_heard_at + quiet)));
        for (conn, at) in [command, pubsub].into_iter().flatten() {
            if cx.due(at, "silent link") {
                cx.shared.links.forget_conn(conn);
                cx.out.push(Action::Close { conn });
                self.reconnect(which, cx);
            }
        }
    }

    fn send_periodic(&mut self, which: &Which, cx: &mut Cx<'_>) {
        let Some(instance) = self.get(which) else { return };
        let id = instance.link;
        let Some(link) = cx.shared.links.get(id) else { return };
        if link.command.is_none() || link.waits() || link.pending() >= MAX_PENDING * link.users {
            return;
        }
        let rebooted = instance.data().is_some_and(|data| data.rebooted_at.is_some());
        let usual = self.ping_period(instance, cx);
        let ping_period = self.reboot_pace().filter(|_| rebooted).map_or(usual, |pace| pace.min(usual));
        let ping_due = link
            .ping_sent_at
            .map_or(cx.now, |sent| (sent + half(ping_period)).max(turn_after(link.pong_at, ping_period)));
        if let Some(info_due) = self.info_due(instance, cx)
            && cx.due(info_due, "info")
        {
            self.ask_info(which, cx);
        }
        let pinged = cx.due(ping_due, "ping");
        if pinged {
            self.ping(id, cx);
            cx.wake_at(cx.now + half(ping_period), "ping");
        }
        if let Some(instance) = self.get(which)
            && let Some(role_due) = self.role_due(instance, cx)
            && cx.due(role_due, "role")
        {
            self.ask_role(which, cx);
        }
        // Members of a fleet know each other by their Leases.
        let Some(instance) = self.get(which).filter(|_| self.seat.is_none()) else { return };
        let turn = turn_after(instance.published_at, cx.shared.params.publish_period());
        let at = match instance.hello_wanted_at {
            Some(wanted) => wanted.min(turn),
            None if pinged && turn <= cx.now + half(ping_period) => cx.now,
            None if !pinged && (turn..=turn + TOGETHER).contains(&ping_due) => ping_due,
            None => turn,
        };
        if cx.due(at, "hello") {
            self.publish_hello(which, cx);
            cx.wake_at(cx.now + cx.shared.params.publish_period(), "hello");
        }
    }

    /// When INFO is due; nothing for peers.
    fn info_due(&self, instance: &Instance, cx: &Cx<'_>) -> Option<Time> {
        let data = instance.data()?;
        let mut period = cx.shared.params.info_period();
        if instance.kind == Kind::Replica {
            let suspected = self.seat.is_some() && self.primary.is_down();
            if self.odown_since.is_some() || self.failover.is_some() || data.link_down_ms != 0 || suspected {
                period = period.min(FAST_INFO);
            }
            period = self.evidence_pace(instance, cx).map_or(period, |pace| pace.min(period));
            if self.primary.data().is_some_and(|data| data.rebooted_at.is_some()) {
                period = period.min(REBOOT_INFO);
            }
            let role_refused = cx.shared.links.get(instance.link).is_some_and(|link| link.role_refused);
            if role_refused && let Some(pace) = self.watch_pace(instance, cx) {
                period = period.min(pace);
            }
        }
        // An unanswered request is not repeated faster than Sentinel would ask at its calmest in a failover.
        let unanswered =
            data.info_sent_at.filter(|_| data.info_pending > 0).map(|sent| sent + period.max(FAST_INFO));
        Some(unanswered.or(data.info_at.map(|at| turn_after(at, period))).unwrap_or(cx.now))
    }

    /// Asks INFO at once.
    pub(crate) fn ask_info(&mut self, which: &Which, cx: &mut Cx<'_>) {
        let args = words([self.renamed("INFO")]);
        let Some(instance) = self.get(which).filter(|instance| instance.kind != Kind::Peer) else { return };
        let link = instance.link;
        if cx.send(link, args, Tag::Info(cx.now))
            && let Some(data) = self.get_mut(which).and_then(Instance::data_mut)
        {
            data.info_sent_at = Some(cx.now);
            data.info_pending += 1;
            cx.wake_at(cx.now + FAST_INFO, "info");
        }
    }

    /// The reply to a hello.
    pub(crate) fn published(&mut self, which: &Which, ok: bool, cx: &Cx<'_>) {
        let period = cx.shared.params.publish_period();
        if let Some(instance) = self.get_mut(which) {
            instance.published_at = if ok { cx.now } else { cx.now + PUBLISH_RETRY.min(period) - period };
        }
    }

    /// Subjectively down or not.
    fn judge(&mut self, which: &Which, cx: &mut Cx<'_>) {
        let down_after = self.options.down_after;
        let reboot_after = self.options.reboot_down_after;
        let Some(instance) = self.get(which) else { return };
        let Some(link) = cx.shared.links.get(instance.link) else { return };
        if self.seat.is_some() && instance.address.port == 0 {
            return;
        }
        let mut deadlines = Vec::with_capacity(3);
        // What is down stays so while it is sought anew.
        let held = if instance.is_down() { Duration::ZERO } else { link.held(cx.now) };
        deadlines.extend(link.silent_since().map(|since| since + down_after + held));
        if let Some(data) = instance.data()
            && instance.kind == Kind::Primary
        {
            if data.role == Role::Replica {
                deadlines.push(data.role_at + down_after + cx.shared.params.info_period() * 2);
            }
            if !reboot_after.is_zero() {
                deadlines.extend(data.rebooted_at.map(|at| at + reboot_after));
            }
        }
        let first = deadlines.into_iter().min();
        let fast = *which == Which::Primary && (self.fast.down() || self.is_condemned());
        let down = first.is_some_and(|at| cx.due(at, "down-after")) || fast;
        if down && !instance.is_down() {
            if !fast && first.is_some_and(|at| at > cx.shared.heard) {
                cx.shared.unheard.insert(self.id);
                return;
            }
            if !cx.due(cx.shared.judge_after, "held up") {
                return;
            }
            if let Some(instance) = self.get_mut(which) {
                instance.down_since = Some(cx.now);
                instance.last_down_at = Some(cx.now);
            }
            cx.event(Level::Warning, "+sdown", self, which, "");
            if *which == Which::Primary {
                self.primary_went_down(cx);
            }
        } else if !down && instance.is_down() {
            if let Some(instance) = self.get_mut(which) {
                instance.down_since = None;
                instance.last_up_at = Some(cx.now);
                if let Some(data) = instance.data_mut() {
                    data.script_kill_sent = false;
                }
            }
            cx.event(Level::Warning, "-sdown", self, which, "");
        }
    }

    /// A connection of an instance ended.
    pub(crate) fn lost(&mut self, which: &Which, channel: Channel, error: &str, cx: &mut Cx<'_>) {
        if channel == Channel::Command
            && let Some(data) = self.get_mut(which).and_then(Instance::data_mut)
        {
            data.info_pending = 0;
            data.role_pending = false;
        }
        let name = match channel {
            Channel::Command => "-cmd-link-reconnection",
            Channel::PubSub => "-pubsub-link-reconnection",
        };
        cx.event(Level::Debug, name, self, which, &format!(" #{error}"));
    }

    /// The reply to a PING.
    pub(crate) fn ponged(&mut self, which: &Which, text: &str, cx: &mut Cx<'_>) {
        let Some(instance) = self.get(which) else { return };
        let link = instance.link;
        let (down, killed) = (instance.is_down(), instance.data().is_some_and(|data| data.script_kill_sent));
        let pong = text.starts_with("PONG");
        let acceptable = pong || text.starts_with("LOADING") || text.starts_with("MASTERDOWN");
        if let Some(state) = cx.shared.links.get_mut(link) {
            state.pong_at = cx.now;
            if acceptable {
                state.ok(cx.now);
            }
        }
        if down {
            cx.shared.touched.insert(self.id);
        }
        if pong && *which == Which::Primary {
            self.reboot_answered(cx);
        }
        let busy = text.starts_with("BUSY");
        let observes = self.seat.as_ref().is_some_and(|seat| seat.observes);
        if busy && down && !killed && !observes && !matches!(which, Which::Peer(_)) {
            cx.send(link, words([self.renamed("SCRIPT"), "KILL"]), Tag::Ignore);
            if let Some(data) = self.get_mut(which).and_then(Instance::data_mut) {
                data.script_kill_sent = true;
            }
        }
    }
}

/// When it is asked again what is asked once in a period: up to a tick before the period is over, so that many
/// connections share the moments at which the process has something to do. Each keeps its tick, for the time that an
/// answer takes is rounded away.
pub(super) fn turn_after(last: Time, period: Duration) -> Time {
    (last + period).floored((period / TICKS).min(TOGETHER))
}
