//! Coordination by Leases, on Kubernetes: carries what the watches show to each group's claim, and the claim's wishes to the
//! API server and the data nodes. Monitoring is the same as where the peers vote; what follows from it is the claim's.

mod annotate;
mod calls;
mod check;
mod crew;
mod departure;
mod discover;
mod edits;
mod gate;
mod gather;
mod membership;
mod objects;
mod overhear;
mod report;
mod roles;
mod scope;
mod seat;
mod sentinels;
mod standing;
#[cfg(test)]
mod tests;
mod ward;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use self::calls::{Asker, Calls, LIMIT};
use self::discover::{Problems, Stale};
use self::membership::Membership;
use self::objects::{News, Objects};
pub(crate) use self::seat::Seat;
use self::ward::{Desk, Ward};
use super::action::{Action, Actions, Level};
use super::claim::{Fact, Presence, Room, name};
use super::cluster::{Answered, Kind, Seen};
use super::engine::Engine;
use super::group::GroupId;
use super::ids::{CallNo, ConnId, GroupName, RunId};
use super::settings;
use super::time::Time;
use super::timers::Key;
use crate::resp::Reply;

/// Longest that the process's end waits for what is handed over.
const FAREWELL: Duration = Duration::from_millis(1800);

/// See the module.
#[derive(Debug)]
pub(crate) struct Fleet {
    config: settings::Fleet,
    /// This member.
    me: RunId,
    /// A number that no other run of this process had.
    life: u64,
    objects: Objects,
    /// The other members' Leases, by name.
    members: BTreeMap<String, Presence>,
    membership: Membership,
    wards: BTreeMap<GroupId, Ward>,
    by_lease: BTreeMap<String, GroupId>,
    /// Labelled Services, each with its group.
    by_service: BTreeMap<String, GroupName>,
    calls: Calls,
    /// Groups whose claims wait for room, in the order in which they get it.
    queue: BTreeSet<(Room, u64, GroupId)>,
    /// Claims' connections to data nodes, each with its barrier.
    conns: BTreeMap<ConnId, (GroupId, CallNo)>,
    stale: Stale,
    problems: Problems,
    /// The process is asked to end; it does at the latest then.
    ends_at: Option<Time>,
    ended: bool,
}

impl Fleet {
    pub(crate) fn new(config: settings::Fleet, me: RunId, life: u64) -> Self {
        let membership = Membership::new(name::member_lease(&config.name, &config.member), me.clone());
        Self {
            config,
            me,
            life,
            objects: Objects::default(),
            members: BTreeMap::new(),
            membership,
            wards: BTreeMap::new(),
            by_lease: BTreeMap::new(),
            by_service: BTreeMap::new(),
            calls: Calls::default(),
            queue: BTreeSet::new(),
            conns: BTreeMap::new(),
            stale: Stale { all: true, ..Stale::default() },
            problems: Problems::default(),
            ends_at: None,
            ended: false,
        }
    }

    /// A group came or went.
    pub(crate) const fn groups_changed(&mut self) {
        self.stale.groups = true;
    }

    /// Nothing waits for the next look at the whole.
    pub(crate) fn is_settled(&self) -> bool {
        self.stale.is_empty()
    }

    /// A group is watched no more.
    fn forget(&mut self, id: GroupId, out: &mut Actions) {
        let Some(ward) = self.wards.remove(&id) else { return };
        if let Some(room) = ward.claimant.queues() {
            self.queue.remove(&(room, ward.turn, id));
        }
        self.by_lease.remove(&ward.lease);
        for gate in ward.gates.values() {
            self.conns.remove(&gate.conn);
            out.push(Action::Close { conn: gate.conn });
        }
    }
}

impl Engine {
    /// Lets something happen to one group's claim, and looks at it again.
    fn with_ward(
        &mut self,
        id: GroupId,
        now: Time,
        out: &mut Actions,
        then: impl FnOnce(&mut Ward, &mut Desk<'_, '_>),
    ) {
        let Some(mut fleet) = self.fleet.take() else { return };
        let whole = &mut *fleet;
        let (mut cx, parts) = self.split(now, out);
        if let (Some(ward), Some(group)) = (whole.wards.get_mut(&id), parts.groups.get_mut(&id)) {
            let mut desk = Desk {
                cx: &mut cx,
                group,
                owners: parts.owners,
                config: &whole.config,
                me: &whole.me,
                life: whole.life,
                objects: &whole.objects,
                members: &whole.members,
                membership: &mut whole.membership,
                calls: &mut whole.calls,
                conns: &mut whole.conns,
            };
            let before = ward.claimant.queues();
            then(ward, &mut desk);
            let place = |room| (room, ward.turn, id);
            if let Some(room) = before {
                whole.queue.remove(&place(room));
            }
            whole.queue.extend(ward.claimant.queues().map(place));
            let wake = ward.next_deadline(now).map(|at| (at, "claim"));
            self.timers.set(Key::Claim(id), wake);
        }
        self.fleet = Some(fleet);
    }

    /// One look at a group's claim, after one at the group.
    pub(crate) fn look_at_claim(&mut self, id: GroupId, now: Time, out: &mut Actions) {
        if self.fleet.is_some() {
            self.with_ward(id, now, out, Ward::look);
        }
    }

    /// A watch showed something.
    pub(crate) fn seen(&mut self, seen: Seen, now: Time, out: &mut Actions) {
        let Some(fleet) = &mut self.fleet else { return };
        match fleet.objects.take(seen) {
            News::Nothing => {}
            News::Watch(kind, open) => {
                let (level, what) = if open { (Level::Notice, "open") } else { (Level::Warning, "broken") };
                let text = format!("The watch of {} is {what}", objects::plural(kind));
                out.push(Action::Log { level, group: None, text });
            }
            News::All(Kind::Lease) => {
                let names: Vec<String> = fleet.objects.leases.keys().cloned().collect();
                let known: Vec<String> = fleet.by_lease.keys().chain(fleet.members.keys()).cloned().collect();
                for name in names.into_iter().chain(known) {
                    self.lease_shown(&name, now, out);
                }
                self.crew_may_have_changed(now, out);
            }
            News::One(Kind::Lease, name) => {
                let members = fleet.is_members(&name);
                self.lease_shown(&name, now, out);
                if members {
                    self.crew_may_have_changed(now, out);
                }
            }
            News::All(Kind::Pod) => {
                fleet.stale.all = true;
                self.announce_self(now);
            }
            News::One(Kind::Pod, name) => {
                fleet.stale.pods.insert(name);
                self.announce_self(now);
            }
            News::All(Kind::Service) => fleet.stale.all = true,
            News::One(Kind::Service, name) => {
                fleet.stale.services.insert(name);
            }
            News::All(Kind::Node) | News::One(Kind::Node, _) => {
                self.shared.touched.extend(self.groups.keys());
            }
        }
    }

    fn lease_shown(&mut self, name: &str, now: Time, out: &mut Actions) {
        let Some(fleet) = &mut self.fleet else { return };
        if let Some(&id) = fleet.by_lease.get(name) {
            self.with_ward(id, now, out, |ward, desk| {
                let lease = desk.objects.leases.get(&ward.lease);
                ward.shown(lease, desk);
            });
            self.shared.touched.insert(id);
        } else if fleet.is_members(name) {
            let lease = fleet.objects.leases.get(name).cloned();
            fleet.member_shown(name, lease.as_ref(), now, out);
        }
    }

    /// Groups hear of other members, and of what those hold of their primaries.
    fn crew_may_have_changed(&mut self, now: Time, out: &mut Actions) {
        let Some(fleet) = self.fleet.take() else { return };
        fleet.man(self, now, out);
        let others = || fleet.members.values().map(Presence::lease);
        let heard = others().map(|lease| lease.epoch).chain([fleet.membership.earlier()]).max().unwrap_or(0);
        let promised = |group: &GroupName| {
            let others = others().filter_map(|lease| lease.promised.get(group).copied());
            others.chain([fleet.membership.promised(group)]).max().unwrap_or(0)
        };
        let is_without = |id| {
            let claimant = fleet.wards.get(&id).map(|ward| &ward.claimant);
            claimant.is_some_and(|claimant| claimant.sight().is_none() || claimant.is_founding())
        };
        let concerned: Vec<(GroupId, u64)> = self
            .groups
            .values()
            .filter(|group| group.primary.is_down() || group.config_epoch == 0 || is_without(group.id))
            .map(|group| (group.id, promised(&group.name)))
            .collect();
        self.fleet = Some(fleet);
        for (id, promised) in concerned {
            if heard > 0 {
                self.with_ward(id, now, out, |ward, desk| ward.tell(Fact::Heard(heard), desk));
            }
            if promised > 0 {
                self.with_ward(id, now, out, |ward, desk| ward.tell(Fact::Promised(promised), desk));
            }
            self.shared.touched.insert(id);
        }
    }

    /// Where this member is reached: as it is configured, else at its own Pod's address.
    fn announce_self(&mut self, now: Time) {
        let Some(fleet) = &mut self.fleet else { return };
        let shared = &self.shared;
        let port = if shared.announce_port == 0 { shared.node.port } else { shared.announce_port };
        let configured = shared.announce_ip.as_ref().and_then(|ip| ip.parse().ok());
        let pod = fleet.objects.pods.get(&fleet.config.member);
        if let Some(ip) = configured.or_else(|| pod.and_then(|pod| pod.ips.first().copied())) {
            fleet.membership.announce(scope::literal(ip, port).shown_with_port(false), now);
        }
    }

    /// The API server answered.
    pub(crate) fn answered_by_api(&mut self, answered: Answered, now: Time, out: &mut Actions) {
        self.take_answer(answered, now, out);
        let Some(fleet) = &self.fleet else { return };
        // Who waits for room gets what there is, and stays in the queue until it has begun.
        let waiting = fleet.queue.iter().enumerate();
        let next = waiting.take_while(|(ahead, (needed, ..))| *ahead < fleet.calls.places(*needed));
        self.shared.touched.extend(next.map(|(_, (.., id))| *id));
    }

    fn take_answer(&mut self, answered: Answered, now: Time, out: &mut Actions) {
        let Some(fleet) = &mut self.fleet else { return };
        match fleet.calls.answered(answered.call) {
            None | Some(Asker::Nobody) => {}
            Some(Asker::Client(client)) => {
                out.push(Action::Reply { client, reply: annotate::reply(answered.answer) });
            }
            Some(Asker::Member) => {
                fleet.membership.answered(answered.answer, now);
                self.tell_promised(now, out);
            }
            Some(Asker::Claim(id, call, sort)) => {
                self.with_ward(id, now, out, |ward, desk| ward.answered(call, sort, answered.answer, desk));
                self.shared.touched.insert(id);
            }
        }
    }

    /// Claims wait for what they promised to be in the own Lease.
    fn tell_promised(&mut self, now: Time, out: &mut Actions) {
        let Some(fleet) = &self.fleet else { return };
        let kept: Vec<(GroupId, u64)> = fleet
            .wards
            .iter()
            .filter_map(|(id, ward)| Some((*id, ward.claimant.unrecorded()?)))
            .filter(|(id, epoch)| {
                let group = self.groups.get(id);
                group.is_some_and(|group| fleet.membership.is_recorded(&group.name, *epoch))
            })
            .collect();
        for (id, epoch) in kept {
            self.with_ward(id, now, out, |ward, desk| ward.tell(Fact::Recorded(epoch), desk));
            self.shared.touched.insert(id);
        }
    }

    /// Writes the own Lease when that is due, and ends what is asked to end.
    pub(crate) fn keep_membership(&mut self, now: Time, out: &mut Actions) {
        let Some(fleet) = &mut self.fleet else { return };
        if let Some(request) = fleet.membership.step(now) {
            fleet.calls.call(Asker::Member, request, LIMIT, out);
        }
        if let Some(at) = fleet.ends_at.filter(|_| !fleet.ended) {
            let over = fleet.membership.has_left() && fleet.wards.values().all(|ward| ward.ended);
            if over || now >= at {
                fleet.ended = true;
                out.push(Action::Ended);
            }
        }
        let end = fleet.ends_at.filter(|_| !fleet.ended);
        let next = [fleet.membership.next_deadline(), end].into_iter().flatten().min();
        self.timers.set(Key::Member, next.map(|at| (at, "own Lease")));
    }

    /// The process is asked to end.
    pub(crate) fn terminate(&mut self, now: Time, out: &mut Actions) {
        let Some(fleet) = &mut self.fleet else {
            out.push(Action::Ended);
            return;
        };
        if fleet.ends_at.is_some() {
            return;
        }
        fleet.ends_at = Some(now + FAREWELL);
        fleet.membership.leave(now);
        let ids: Vec<GroupId> = fleet.wards.keys().copied().collect();
        for id in ids {
            self.with_ward(id, now, out, |ward, desk| ward.tell(Fact::Terminate, desk));
        }
    }

    // === Claims' connections ===

    /// A reply came over a connection that is no link's.
    pub(crate) fn claim_answered(&mut self, conn: ConnId, reply: &Reply, now: Time, out: &mut Actions) {
        let Some(&(id, barrier)) = self.fleet.as_ref().and_then(|fleet| fleet.conns.get(&conn)) else {
            return;
        };
        self.with_ward(id, now, out, |ward, desk| ward.gate_replied(barrier, reply, desk));
        self.shared.touched.insert(id);
    }

    /// A connection that is no link's ended.
    pub(crate) fn claim_lost(&mut self, conn: ConnId, now: Time, out: &mut Actions) {
        let Some(&(id, barrier)) = self.fleet.as_ref().and_then(|fleet| fleet.conns.get(&conn)) else {
            return;
        };
        self.with_ward(id, now, out, |ward, desk| ward.shut_gate(barrier, false, desk));
        self.shared.touched.insert(id);
    }
}
