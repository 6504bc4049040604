//! One group under Leases: its Pods, its claim, and what the claim waits for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::calls::Calls;
use super::departure;
use super::edits::Edits;
use super::gate::Gate;
use super::membership::Membership;
use super::objects::Objects;
use super::report::Progress;
use super::roles::Wrong;
use super::scope::{Scope, parse_address};
use super::sentinels::Sentinels;
use crate::core::action::Level;
use crate::core::address::Address;
use crate::core::claim::{
    Claimant, Config, Fact, Gathered, GroupLease, Listed, Presence, Rules, Shown, name,
};
use crate::core::cluster::{Kind, Lease};
use crate::core::group::{Group, Which};
use crate::core::ids::{CallNo, ConnId, GroupName, PodUid, RunId};
use crate::core::instance::Instance;
use crate::core::registry::Owners;
use crate::core::settings;
use crate::core::shared::Cx;
use crate::core::spread;
use crate::core::time::Time;

/// How long a node that isn't held down is waited for before a choice is made without it.
const BARRIER_WAIT: Duration = Duration::from_millis(500);
/// How long after an undone failover the same primary is left alone.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// A deadline that is over and that nothing came of is not looked at again sooner.
const LATE: Duration = Duration::from_millis(50);
/// Who waits for room is told when there is some; this is for nothing but a mistake there.
const QUEUED: Duration = Duration::from_secs(1);
/// Most facts that one fact may bring about; each has a cause, so this only guards against a mistake here.
const MOST_FACTS: usize = 10_000;

/// A Pod of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its name.
    pub(crate) pod: String,
    /// Where its data node answers.
    pub(crate) address: Address,
    /// The same as it is compared, `host:port`: looked at after every input, and dear to write.
    pub(crate) shown: String,
}

impl Place {
    pub(crate) fn new(pod: String, address: Address) -> Self {
        let shown = address.shown_with_port(false);
        Self { pod, address, shown }
    }
}

/// What is shared by all groups while one is looked at.
pub(crate) struct Desk<'d, 'c> {
    pub(crate) cx: &'d mut Cx<'c>,
    pub(crate) group: &'d mut Group,
    pub(crate) owners: &'d mut Owners,
    pub(crate) config: &'d settings::Fleet,
    pub(crate) me: &'d RunId,
    pub(crate) life: u64,
    pub(crate) objects: &'d Objects,
    pub(crate) members: &'d BTreeMap<String, Presence>,
    pub(crate) membership: &'d mut Membership,
    pub(crate) calls: &'d mut Calls,
    pub(crate) conns: &'d mut BTreeMap<ConnId, (crate::core::group::GroupId, CallNo)>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Ward {
    pub(crate) claimant: Claimant,
    /// Its place among claims that wait for the same room: each member has another order, lest all try the same ones first.
    pub(super) turn: u64,
    /// The name of the group's Lease.
    pub(crate) lease: String,
    pub(crate) scope: Scope,
    /// The Pods that belong to the group now.
    pub(crate) pods: BTreeMap<PodUid, Place>,
    /// Those that have no address yet.
    pub(super) coming: BTreeMap<PodUid, String>,
    /// All, as the claim was told.
    listed: BTreeMap<PodUid, Listed>,
    pub(super) gathered: Option<Gathered>,
    pub(super) wrong: Wrong,
    pub(super) gates: BTreeMap<CallNo, Gate>,
    /// Answers that are kept back for a while, lest a failing API server be asked as fast as it fails.
    pub(super) delayed: Vec<(Time, Fact)>,
    /// Calls that failed in a row, and when the last one did.
    pub(super) failures: u32,
    pub(super) failed_at: Time,
    /// Why the Lease can't be read, as it was last logged.
    pub(super) unreadable: Option<String>,
    /// With which words a data node last refused what a claim needs.
    pub(super) refused: Option<String>,
    pub(super) ended: bool,
    /// When a switchover away from a primary that leaves is asked for, next.
    pub(super) leave_at: Option<Time>,
    /// How far the own claim was when it was last told of.
    pub(super) progress: Option<Progress>,
    pub(super) edits: Edits,
    /// It was said that nobody can tell who is to be primary.
    pub(super) diverged: bool,
    /// Pods with data of another history, and until when each is left alone.
    pub(super) foreign: BTreeMap<PodUid, Time>,
    /// Pods with data beside a primary without, of which was told.
    pub(super) spared: BTreeSet<PodUid>,
    /// The veto of a replica is heeded until then.
    pub(super) veto_until: Option<Time>,
    /// What is heard of Sentinels beside this fleet, while it only observes.
    pub(super) sentinels: Sentinels,
    /// What was last said of Sentinels: that they name a primary that isn't followed, or that they are there.
    pub(super) strange: Option<String>,
}

impl Ward {
    pub(crate) fn new(group: &Group, config: &settings::Fleet, member: &RunId, life: u64) -> Self {
        let name: GroupName = group.name.clone();
        let claimant = Claimant::new(Config {
            member: member.clone(),
            life,
            group: name.clone(),
            barrier_wait: BARRIER_WAIT,
            cold_start_wait: config.cold_start_wait,
            again_after: AGAIN_AFTER,
            parallel_syncs: usize::try_from(group.options.parallel_syncs).unwrap_or(usize::MAX).max(1),
            observe: config.observe,
            rules: Rules::default(),
        });
        Self {
            claimant,
            turn: spread::hash(&[member.as_str(), name.as_str()], 0),
            lease: name::group_lease(&config.name, name.as_str()),
            scope: Scope::default(),
            pods: BTreeMap::new(),
            coming: BTreeMap::new(),
            listed: BTreeMap::new(),
            gathered: None,
            wrong: Wrong::default(),
            gates: BTreeMap::new(),
            delayed: Vec::new(),
            failures: 0,
            failed_at: Time::ZERO,
            unreadable: None,
            refused: None,
            ended: false,
            leave_at: None,
            progress: None,
            edits: Edits::default(),
            diverged: false,
            foreign: BTreeMap::new(),
            spared: BTreeSet::new(),
            veto_until: None,
            sentinels: Sentinels::default(),
            strange: None,
        }
    }

    /// Tells the claim something, and carries out what it wishes for.
    pub(crate) fn tell(&mut self, fact: Fact, desk: &mut Desk<'_, '_>) {
        let mut facts = VecDeque::from([fact]);
        for _ in 0..MOST_FACTS {
            let Some(fact) = facts.pop_front() else { return };
            let mut wishes = Vec::new();
            self.claimant.set_room(desk.calls.room());
            self.claimant.handle(fact, desk.cx.now, &mut wishes);
            for wish in wishes {
                facts.extend(self.carry_out(wish, desk));
            }
        }
    }

    /// The watch showed the group's Lease, or that there is none.
    pub(crate) fn shown(&mut self, lease: Option<&Lease>, desk: &mut Desk<'_, '_>) {
        let before = self.claimant.seen().cloned();
        let Ok(shown) = self.read(lease, desk) else { return };
        let rests = shown.as_ref().is_some_and(|(_, lease)| lease.holder.is_none());
        let news = shown.as_ref().map(|(version, _)| version) != before.as_ref();
        self.tell(Fact::Seen(shown), desk);
        if rests && news {
            // Roles may have changed: what was heard before is old.
            desk.group.ask_info(&Which::Primary, desk.cx);
            desk.group.ask_replicas_info(desk.cx);
        }
    }

    /// What a Lease says. One that can't be read is never written either.
    pub(super) fn read(&mut self, lease: Option<&Lease>, desk: &mut Desk<'_, '_>) -> Result<Shown, ()> {
        let Some(lease) = lease else {
            self.unreadable = None;
            return Ok(None);
        };
        let problem = match GroupLease::parse(&lease.plain) {
            Ok(parsed) if parsed.group == desk.group.name => {
                self.unreadable = None;
                return Ok(Some((lease.version.clone(), parsed)));
            }
            Ok(parsed) => format!("vedette.dev/group: '{}' is another group", parsed.group),
            Err(error) => error.to_string(),
        };
        if self.unreadable.as_ref() != Some(&problem) {
            let text = format!("Lease {} can't be read and is left alone: {problem}", lease.name);
            desk.cx.log(Level::Warning, Some(desk.group), text);
            self.unreadable = Some(problem);
        }
        Err(())
    }

    /// One look at the whole: whatever is due.
    pub(crate) fn look(&mut self, desk: &mut Desk<'_, '_>) {
        let now = desk.cx.now;
        self.mind_sentinels(desk);
        self.seat(desk);
        self.enlist(desk);
        self.condemn(desk);
        self.close_gates(desk);
        let (due, rest) = std::mem::take(&mut self.delayed).into_iter().partition(|(at, _)| *at <= now);
        self.delayed = rest;
        let due: Vec<(Time, Fact)> = due;
        for (_, fact) in due {
            self.tell(fact, desk);
        }
        self.list(desk);
        self.gather(desk);
        if !desk.config.observe {
            self.mind_roles(desk);
            self.mind_departure(desk);
        }
        self.mind_edits(desk);
        if self.claimant.next_deadline().is_some_and(|at| at <= now) {
            self.tell(Fact::Tick, desk);
        }
        self.report(desk);
        // A commit may just have been made, or seen.
        self.seat(desk);
        self.enlist(desk);
    }

    /// When to look again without news.
    pub(crate) fn next_deadline(&self, now: Time) -> Option<Time> {
        let gates = self.gates.values().filter_map(Gate::until);
        let delayed = self.delayed.iter().map(|(at, _)| *at);
        let claim = self.claimant.next_deadline();
        let all = gates
            .chain(delayed)
            .chain(claim)
            .chain(self.wrong.next_deadline())
            .chain(self.leave_at)
            .chain(self.edits.next_deadline())
            .chain(self.veto_until)
            .chain(self.sentinels.next_deadline());
        let late = if self.claimant.queues().is_some() { QUEUED } else { LATE };
        all.map(|at| if at > now { at } else { now + late }).min()
    }

    /// The group's primary is the committed one, where its Pod is now. The first that is heard of is no switch.
    fn seat(&mut self, desk: &mut Desk<'_, '_>) {
        let Some(primary) = self.claimant.committed() else { return };
        let (epoch, run_id) = (primary.epoch, primary.instance.run_id.as_str());
        let place = self.pods.get(&primary.instance.uid);
        let group = &mut *desk.group;
        let known = group.config_epoch;
        let Some(seat) = &mut group.seat else { return };
        let news = known != epoch || seat.committed.as_deref() != Some(run_id);
        let absent = place.is_none() && desk.objects.is_listed(Kind::Pod);
        let address = match place {
            Some(place) => place.address.clone(),
            None if !news => group.primary.address.clone(),
            None => match parse_address(&primary.instance.address) {
                Some(address) => address,
                None => return,
            },
        };
        if !news && seat.absent == absent && group.primary.address.same(&address) {
            return;
        }
        seat.committed = Some(run_id.to_owned());
        // It restarted in its place. The silence of the process before is nothing against this one.
        let unmet = !group.primary.run_id.is_empty() && group.primary.run_id != run_id;
        let was_absent = std::mem::replace(&mut seat.absent, absent);
        let gone = absent && !was_absent;
        group.config_epoch = epoch;
        let cx = &mut *desk.cx;
        if epoch > cx.shared.current_epoch {
            cx.shared.current_epoch = epoch;
            cx.own_event(Level::Warning, "+new-epoch", epoch.to_string());
        }
        desk.membership.committed(epoch);
        if group.primary.address.port == 0 {
            group.install(address, cx, desk.owners);
        } else if !group.primary.address.same(&address) {
            let old = group.primary.address.clone();
            group.announce_switch(&address, cx);
            group.switch(address.clone(), cx, desk.owners);
            group.queue_reconfig_script("observer", &old, &address, cx);
        } else if news {
            if unmet {
                group.meet_primary(cx);
            } else {
                group.void_opinions();
            }
            cx.save();
        }
        if gone {
            cx.drop_link(group.primary.link);
        }
        cx.shared.touched.insert(group.id);
    }

    /// The group's other instances are the other Pods, and no others.
    fn enlist(&mut self, desk: &mut Desk<'_, '_>) {
        let group = &mut *desk.group;
        if group.blind_until.is_some_and(|until| desk.cx.now < until) {
            return;
        }
        let wanted = |replica: &Instance| {
            let at = &replica.address;
            !at.same(&group.primary.address) && self.pods.values().any(|place| place.address.same(at))
        };
        let superfluous: Vec<String> = group
            .replicas
            .values()
            .filter(|replica| !wanted(replica))
            .map(|replica| replica.name.clone())
            .collect();
        for key in superfluous {
            let which = Which::Replica(key.clone());
            let text = format!("{} is no Pod of the group: forgotten", desk.cx.describe(group, &which));
            desk.cx.log(Level::Notice, Some(group), text);
            group.forget_replica(&key, desk.cx, desk.owners);
        }
        for place in self.pods.values() {
            if let Some(key) = group.add_replica(&place.address, desk.cx, desk.owners) {
                desk.cx.event(Level::Notice, "+slave", group, &Which::Replica(key), "");
                desk.cx.shared.touched.insert(group.id);
            }
        }
    }

    /// Which instance a Pod is.
    pub(super) fn which(&self, uid: &PodUid, group: &Group) -> Option<Which> {
        let place = self.pods.get(uid)?;
        if group.primary.address.same(&place.address) {
            // A Pod at the address that the absent primary had is not that primary.
            let committed = self.claimant.committed().is_some_and(|primary| primary.instance.uid == *uid);
            return committed.then_some(Which::Primary);
        }
        group.replicas.contains(&place.shown).then(|| Which::Replica(place.shown.clone()))
    }

    /// Tells the claim which Pods there are.
    fn list(&mut self, desk: &mut Desk<'_, '_>) {
        let listed = |uid: &PodUid, place: &Place| {
            let instance = self.which(uid, desk.group).and_then(|which| desk.group.get(&which));
            let down = instance.is_some_and(|instance| instance.is_down());
            let leaving = departure::is_leaving(&place.pod, desk.objects);
            Listed { pod: place.pod.clone(), address: place.shown.clone(), down, leaving }
        };
        let mut listed: BTreeMap<PodUid, Listed> =
            self.pods.iter().map(|(uid, place)| (uid.clone(), listed(uid, place))).collect();
        if !listed.is_empty() {
            let nowhere = |pod: &String| Listed {
                pod: pod.clone(),
                address: String::new(),
                down: true,
                leaving: false,
            };
            listed.extend(self.coming.iter().map(|(uid, pod)| (uid.clone(), nowhere(pod))));
        }
        if listed != self.listed {
            self.listed = listed.clone();
            self.tell(Fact::Nodes(listed), desk);
        }
    }
}
