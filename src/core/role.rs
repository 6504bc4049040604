//! What a data node says that it is, by INFO or by ROLE, and what follows from it.

use std::time::Duration;

use super::action::Level;
use super::group::{Group, State, Which};
use super::instance::{Instance, Reconf, Role};
use super::link::Tag;
use super::quirks::Mistake;
use super::shared::{Cx, Deferred, words};
use super::time::Time;
use crate::resp::Reply;

/// How often a role is asked for whose change is awaited.
const PACE: Duration = Duration::from_millis(15);
/// The same of a displaced primary that goes on, which is told again as often.
const DISPLACED_PACE: Duration = Duration::from_millis(100);
/// What is long in coming is asked for less and less often: this part of the time that it has been awaited for, up to
/// a second.
const PATIENCE: u32 = 50;
/// No pace is slower than this.
const SLOWEST: Duration = Duration::from_millis(1000);
/// A ROLE without a reply is asked again after so long.
const UNANSWERED: Duration = Duration::from_millis(1000);

/// What was asked within this time is so: longer than redis-sentinel takes to look at it.
const MOMENT: Duration = Duration::from_millis(250);

/// Until when an instance counts as heard. An answer is only as young as its question: one that a cut kept back tells what
/// was so before.
#[derive(Debug)]
pub(crate) struct Freshness {
    until: Option<Time>,
    /// Since then no answer has come within a moment.
    slow_since: Option<Time>,
}

impl Freshness {
    /// Nothing was heard yet.
    pub(crate) const NONE: Self = Self { until: None, slow_since: None };

    fn answered(&mut self, asked_at: Time, now: Time) {
        if now.since(asked_at) <= MOMENT {
            *self = Self { until: Some(asked_at + MOMENT), slow_since: None };
            return;
        }
        // One that was asked after a late answer had come, and is late itself, was not kept back: the way is as long as that.
        let slow_since = *self.slow_since.get_or_insert(now);
        let far = asked_at >= slow_since && now.since(asked_at) <= UNANSWERED;
        self.until = far.then_some(now + MOMENT);
    }

    fn is_fresh(&self, now: Time) -> bool {
        self.until.is_some_and(|until| now <= until)
    }
}

/// A role, and for a replica whom it follows.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    pub(crate) role: Role,
    pub(crate) primary: Option<(&'a str, u16)>,
    pub(crate) link_up: bool,
}

impl<'a> Said<'a> {
    /// The reply to ROLE.
    fn parse(reply: &'a Reply) -> Option<Self> {
        match reply.elements()? {
            [kind, ..] if kind.text() == Some("master") => {
                Some(Self { role: Role::Primary, primary: None, link_up: false })
            }
            [kind, host, Reply::Int(port), state, ..] if kind.text() == Some("slave") => Some(Self {
                role: Role::Replica,
                primary: host.text().zip(u16::try_from(*port).ok()),
                link_up: state.text() == Some("connected"),
            }),
            _ => None,
        }
    }
}

/// `first`, or a part of the time since, up to the slowest.
pub(crate) fn pace(first: Duration, since: Time, now: Time) -> Duration {
    (now.since(since) / PATIENCE).clamp(first, SLOWEST)
}

impl Group {
    /// How often the role of an instance is asked for, if something is to come of it.
    pub(crate) fn watch_pace(&self, instance: &Instance, cx: &Cx<'_>) -> Option<Duration> {
        let data = instance.data()?;
        if let Some(failover) = &self.failover {
            let awaited = failover.state == State::WaitPromotion
                && failover.promoted.as_deref() == Some(instance.name.as_str());
            if awaited || matches!(data.reconf, Reconf::Sent(_) | Reconf::InProgress) {
                return Some(pace(PACE, failover.state_at, cx.now));
            }
        }
        let risen_at = data.displaced.as_ref().and_then(|displaced| displaced.risen_at)?;
        (data.role == Role::Primary).then(|| pace(DISPLACED_PACE, risen_at, cx.now))
    }

    /// When ROLE is due; nothing where it is not asked for.
    pub(crate) fn role_due(&self, instance: &Instance, cx: &Cx<'_>) -> Option<Time> {
        let data = instance.data()?;
        let pace = self.watch_pace(instance, cx)?;
        if cx.shared.quirks.slow() || cx.shared.links.get(instance.link)?.role_refused {
            return None;
        }
        let wait = if data.role_pending { pace.max(UNANSWERED) } else { pace };
        Some(data.role_sent_at.map_or(cx.now, |sent| sent + wait))
    }

    /// Asks ROLE at once, or INFO where ROLE is not allowed.
    pub(crate) fn ask_role(&mut self, which: &Which, cx: &mut Cx<'_>) {
        let Some(link) = self.get(which).map(|instance| instance.link) else { return };
        if cx.shared.quirks.slow() || cx.shared.links.get(link).is_some_and(|link| link.role_refused) {
            self.ask_info(which, cx);
            return;
        }
        if cx.send(link, words([self.renamed("ROLE")]), Tag::Role(cx.now))
            && let Some(data) = self.get_mut(which).and_then(Instance::data_mut)
        {
            data.role_sent_at = Some(cx.now);
            data.role_pending = true;
            cx.wake_at(cx.now + PACE, "role");
        }
    }

    /// The reply to ROLE.
    pub(crate) fn told_role(&mut self, which: &Which, asked_at: Time, reply: &Reply, cx: &mut Cx<'_>) {
        let Some(instance) = self.get_mut(which) else { return };
        let link = instance.link;
        let Some(data) = instance.data_mut() else { return };
        data.role_pending = false;
        if let Some(said) = Said::parse(reply) {
            let changed = self.note_role(which, asked_at, &said, cx);
            self.heed_role(which, said.role, changed, cx);
            return;
        }
        // Sentinel's own list of rights has it, its samples don't. Whatever else it is: INFO tells the same.
        if let Some(link) = cx.shared.links.get_mut(link) {
            link.role_refused = true;
        }
        self.ask_info(which, cx);
    }

    /// Whether it told its role a moment ago; else it is asked. A replica whose turn to be repointed has come may have been
    /// cut off until now, together with another leader that promoted it: then answers from before come first.
    pub(crate) fn is_heard(&mut self, which: &Which, cx: &mut Cx<'_>) -> bool {
        let Some(data) = self.get(which).and_then(Instance::data) else { return false };
        if data.freshness.is_fresh(cx.now) {
            return true;
        }
        let asked_at = data.role_sent_at.max(data.info_sent_at);
        if asked_at.is_none_or(|at| cx.due(at + MOMENT, "its role")) {
            self.ask_role(which, cx);
        }
        false
    }

    /// Whether what it is taken for was told by INFO just now; else it is asked. ROLE won't do: a stray that was made a replica
    /// and then a primary again while it was cut off calls itself a primary before and after, and only its history tells.
    fn is_described(&mut self, which: &Which, cx: &mut Cx<'_>) -> bool {
        let Some(data) = self.get(which).and_then(Instance::data) else { return false };
        if data.info_at == Some(cx.now) && data.freshness.is_fresh(cx.now) {
            return true;
        }
        if data.info_sent_at.is_none_or(|at| cx.now > at + MOMENT) {
            self.ask_info(which, cx);
        }
        false
    }

    /// Takes down what was said. Whether it is another role than before.
    pub(crate) fn note_role(&mut self, which: &Which, asked_at: Time, said: &Said<'_>, cx: &Cx<'_>) -> bool {
        let Some(data) = self.get_mut(which).and_then(Instance::data_mut) else { return false };
        data.freshness.answered(asked_at, cx.now);
        if said.role == Role::Replica {
            if let Some((host, port)) = said.primary
                && (data.primary_host.as_deref() != Some(host) || data.primary_port != port)
            {
                data.primary_host = Some(host.to_owned());
                data.primary_port = port;
                data.primary_changed_at = cx.now;
            }
            data.link_up = said.link_up;
        }
        if said.role == data.role {
            return false;
        }
        data.role = said.role;
        data.role_at = cx.now;
        if said.role == Role::Replica {
            data.primary_changed_at = cx.now;
        }
        true
    }

    /// Does what follows from it.
    pub(crate) fn heed_role(&mut self, which: &Which, role: Role, changed: bool, cx: &mut Cx<'_>) {
        if changed {
            let configured = if *which == Which::Primary { Role::Primary } else { Role::Replica };
            let name = if role == configured { "+role-change" } else { "-role-change" };
            cx.event(Level::Verbose, name, self, which, &format!(" new reported role is {}", role.word()));
        }
        // Under Leases a role is changed by the holder of a claim alone.
        if cx.shared.tilt.active() || self.is_adopting(cx) || self.seat.is_some() {
            return;
        }
        if let Which::Replica(name) = which {
            match role {
                Role::Primary => self.replica_says_primary(name, cx),
                Role::Replica => self.replica_says_replica(name, cx),
            }
        }
    }

    /// "Sane" in Sentinel's words: there is a primary to follow.
    fn primary_is_sane(&self, cx: &Cx<'_>) -> bool {
        let fresh = cx.shared.params.info_period() * 2;
        !self.primary.is_down()
            && self.odown_since.is_none()
            && self.primary.data().is_some_and(|data| {
                data.role == Role::Primary && data.info_at.is_some_and(|at| cx.now.since(at) < fresh)
            })
    }

    /// The chosen replica is a primary: the attempt's configuration is saved, and then told.
    pub(crate) fn commit(&mut self, cx: &mut Cx<'_>) {
        let Some(failover) = &mut self.failover else { return };
        if failover.state != State::WaitPromotion || failover.committing.is_some() {
            return;
        }
        let epoch = failover.epoch;
        let save = cx.save();
        failover.committing = Some(save);
        if cx.shared.quirks.makes(Mistake::CommitBeforeSave) {
            self.committed(epoch, cx);
        } else {
            cx.after(save, Deferred::Commit { group: self.id, epoch });
        }
    }

    fn replica_says_primary(&mut self, name: &str, cx: &mut Cx<'_>) {
        if self.promoted() == Some(name) {
            self.commit(cx);
            return;
        }
        let hasty = cx.shared.quirks.makes(Mistake::DemoteOnOldKnowledge);
        let wait = if hasty { Duration::ZERO } else { cx.shared.params.publish_period() * 4 };
        let Some(replica) = self.replicas.get(name) else { return };
        let long_enough = replica.data().is_some_and(|data| cx.now.since(data.role_at) > wait);
        let there = replica.there_for(wait, cx.now);
        // The primary by another address (a replica behind a NAT may be listed by one that leads back to it).
        if !replica.run_id.is_empty() && replica.run_id == self.primary.run_id {
            return;
        }
        if self.rises_again(name, cx) {
            self.send_home(name, cx);
            return;
        }
        if self.failover.is_none()
            && long_enough
            && self.no_attempt_for(wait, cx)
            && there
            && self.primary_is_sane(cx)
            && (hasty || self.is_described(&Which::Replica(name.to_owned()), cx))
        {
            self.repoint(name, "+convert-to-slave", cx);
        }
    }

    /// Whether a displaced primary goes on as if nothing had happened, and did not become a primary by a later switch,
    /// which this daemon may not have heard of. Only then is there nothing to wait for, and only while the primary that
    /// took its place is well and nobody has tried to replace that one: an epoch beyond its own, though heard of before
    /// the switch was through, may be that of such an attempt (or of another group's: then Sentinel's wait remains). The
    /// other daemons are asked for their consent, for each order anew and not before it is due: what they said earlier says
    /// nothing of what they did since.
    fn rises_again(&mut self, name: &str, cx: &mut Cx<'_>) -> bool {
        let Some(instance) = self.replicas.get_mut(name) else { return false };
        let run_id = instance.run_id.clone();
        let Some(data) = instance.data_mut() else { return false };
        let now = data.history;
        let Some(displaced) = &mut data.displaced else { return false };
        let since = displaced.told_at.unwrap_or(*displaced.risen_at.get_or_insert(cx.now));
        let heir = self.primary.data().filter(|data| !data.reborn).and_then(|data| data.history);
        let (Some(now), Some(heir)) = (now, heir) else { return false };
        let goes_on = displaced.only_goes_on(&run_id, &now, &heir);
        let heard = cx.shared.links.get(self.primary.link).is_some_and(|link| {
            !link.disconnected() && cx.now.since(link.ok_at) <= cx.shared.params.ping_period() * 2
        });
        goes_on
            && self.may_be_told(name, cx)
            && !cx.shared.quirks.slow()
            && heard
            && self.failover.is_none()
            && cx.shared.current_epoch.max(self.ballot.epoch) <= self.config_epoch
            && self.primary_is_sane(cx)
            && self.has_consent(since, cx)
    }

    /// Whether enough time has passed since it was last told.
    fn may_be_told(&self, name: &str, cx: &Cx<'_>) -> bool {
        let Some(replica) = self.replicas.get(name) else { return false };
        let told_at = replica.data().and_then(|data| data.displaced.as_ref()?.told_at);
        self.watch_pace(replica, cx).is_some_and(|pace| told_at.is_none_or(|at| cx.now >= at + pace))
    }

    /// Tells a displaced primary whom to follow, and cuts its clients; again and again, for a node that reads its data
    /// refuses.
    fn send_home(&mut self, name: &str, cx: &mut Cx<'_>) {
        let which = Which::Replica(name.to_owned());
        let target = self.primary.address.clone();
        let displaced = self.get(&which).and_then(Instance::data).and_then(|data| data.displaced.as_ref());
        let told_at = displaced.and_then(|displaced| displaced.told_at);
        if !self.reconfigure(&which, Some(&target), cx) {
            return;
        }
        let Some(data) = self.get_mut(&which).and_then(Instance::data_mut) else { return };
        data.role_at = cx.now;
        data.primary_changed_at = cx.now;
        if let Some(displaced) = &mut data.displaced {
            displaced.told_at = Some(cx.now);
        }
        if told_at.is_none() {
            cx.event(Level::Notice, "+convert-to-slave", self, &which, "");
        }
        self.ask_role(&which, cx);
    }

    fn replica_says_replica(&mut self, name: &str, cx: &mut Cx<'_>) {
        // It has obeyed: what it does from here on is no longer the old primary's doing.
        if let Some(data) = self.replicas.get_mut(name).and_then(Instance::data_mut) {
            data.displaced = None;
        }
        let target = self.current().address.clone();
        let Some(data) = self.replicas.get(name).and_then(Instance::data) else { return };
        let host = data.primary_host.as_deref().unwrap_or_default();
        let follows = |address| cx.shared.names.equals(address, host, data.primary_port);
        let (reconf, link_up, changed_at) = (data.reconf, data.link_up, data.primary_changed_at);
        let (follows_target, follows_primary) = (follows(&target), follows(&self.primary.address));
        match reconf {
            Reconf::Sent(_) if follows_target => self.reconfigured(name, Reconf::InProgress, link_up, cx),
            Reconf::InProgress if link_up => self.reconfigured(name, Reconf::Done, link_up, cx),
            Reconf::Sent(_) | Reconf::InProgress => {}
            Reconf::None | Reconf::Done => {
                let wait = self.options.failover_timeout;
                let quiet = self.replicas.get(name).is_some_and(|replica| replica.quiet_for(wait, cx.now));
                if !follows_primary
                    && self.failover.is_none()
                    && quiet
                    && cx.now.since(changed_at) > wait
                    && self.no_attempt_for(wait, cx)
                    && self.primary_is_sane(cx)
                    && self.is_described(&Which::Replica(name.to_owned()), cx)
                {
                    self.repoint(name, "+fix-slave-config", cx);
                }
            }
        }
    }

    fn reconfigured(&mut self, name: &str, to: Reconf, link_up: bool, cx: &mut Cx<'_>) {
        let which = Which::Replica(name.to_owned());
        if let Some(data) = self.get_mut(&which).and_then(Instance::data_mut) {
            data.reconf = to;
        }
        let event = if to == Reconf::InProgress { "+slave-reconf-inprog" } else { "+slave-reconf-done" };
        cx.event(Level::Notice, event, self, &which, "");
        if to == Reconf::InProgress && link_up {
            self.reconfigured(name, Reconf::Done, link_up, cx);
        }
    }

    /// Makes a stray instance a replica of the configured primary.
    fn repoint(&mut self, name: &str, event: &'static str, cx: &mut Cx<'_>) {
        let which = Which::Replica(name.to_owned());
        let target = self.primary.address.clone();
        if self.reconfigure(&which, Some(&target), cx) {
            // What it says from here on is news: a role that it is given later counts from then.
            if let Some(data) = self.get_mut(&which).and_then(Instance::data_mut) {
                data.role_at = cx.now;
                data.primary_changed_at = cx.now;
            }
            cx.event(Level::Notice, event, self, &which, "");
            // Seen at once that it obeyed, a promotion that follows soon is not taken for the old stray role.
            self.ask_info(&which, cx);
        }
    }

    /// No failover of the group was begun here, nor voted for, within `period`: one that runs elsewhere gives roles
    /// that this daemon doesn't know of yet.
    fn no_attempt_for(&self, period: Duration, cx: &Cx<'_>) -> bool {
        self.attempt_at.is_none_or(|at| cx.now > at + period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_young_as_its_question_unless_the_way_is_long() {
        let mut freshness = Freshness::NONE;
        let at = Time::from_millis;
        freshness.answered(at(0), at(100));
        assert!(freshness.is_fresh(at(250)) && !freshness.is_fresh(at(251)));
        // Kept back, and so is what was asked before the first of them came.
        for asked in [1_000, 1_250, 1_500] {
            freshness.answered(at(asked), at(1_900));
            assert!(!freshness.is_fresh(at(1_900)), "{asked}");
        }
        freshness.answered(at(1_900), at(2_200));
        assert!(freshness.is_fresh(at(2_200)), "300 ms there and back");
        freshness.answered(at(2_000), at(2_300));
        assert!(freshness.is_fresh(at(2_300)));
        freshness.answered(at(2_300), at(4_000));
        assert!(!freshness.is_fresh(at(4_000)), "another cut");
        freshness.answered(at(4_000), at(4_010));
        freshness.answered(at(4_100), at(4_400));
        assert!(!freshness.is_fresh(at(4_400)), "the way is not long any more");
    }
}
