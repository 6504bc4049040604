//! Step 0: what this member holds of the primary, what the others do, and whether that is enough to claim.

use std::time::Duration;

use super::ward::{Desk, Ward};
use crate::core::action::{Level, Observation, Phase};
use crate::core::claim::{
    Count, Fact, Fence, Gathered, Needed, Opinion, Opinions, Primary, Rest, start_after,
};
use crate::core::cluster::Kind;
use crate::core::group::{Group, Which};
use crate::core::ids::RunId;
use crate::core::instance::Instance;
use crate::core::time::Time;

/// An answer over RESP is void after so long.
const FRESH: Duration = Duration::from_secs(5);
/// Longest that a replica which still hears the primary is heeded.
const VETO: Duration = Duration::from_secs(5);

/// Evidence that the committed process is over, whoever answers at its address.
const RESTARTED: &str = "restarted";
const ENDED: &str = "ended";
/// The committed primary's Pod is not there. That is no proof that its process is gone.
const GONE: &str = "gone";

impl Ward {
    /// What is known of the committed process beside its silence.
    pub(super) fn condemn(&self, desk: &mut Desk<'_, '_>) {
        let reason = self.claimant.committed().and_then(|primary| self.evidence(primary, desk));
        let Some(seat) = &mut desk.group.seat else { return };
        if seat.condemned != reason {
            seat.condemned = reason;
            desk.cx.shared.touched.insert(desk.group.id);
        }
    }

    fn evidence(&self, primary: &Primary, desk: &Desk<'_, '_>) -> Option<&'static str> {
        let instance = &primary.instance;
        if !self.pods.contains_key(&instance.uid) {
            // Without any Pod nobody could take its place.
            let known = desk.objects.is_listed(Kind::Pod) && !self.pods.is_empty();
            return known.then_some(GONE);
        }
        let group = &*desk.group;
        if self.which(&instance.uid, group) != Some(Which::Primary) {
            return None;
        }
        let heard = group.primary.run_id.as_str();
        // Sentinels name no run of a server.
        if instance.run_id.as_str().is_empty() {
            return None;
        }
        if !heard.is_empty() && heard != instance.run_id.as_str() {
            return Some(RESTARTED);
        }
        let silent = desk.cx.shared.links.get(group.primary.link).is_none_or(|link| !link.stands());
        (silent && self.has_ended(primary, desk)).then_some(ENDED)
    }

    /// The kubelet reports that the data node's container has ended, and no other run of it.
    fn has_ended(&self, primary: &Primary, desk: &Desk<'_, '_>) -> bool {
        let Some(pod) = desk.objects.pods.get(&primary.instance.pod) else { return false };
        if pod.uid != primary.instance.uid {
            return false;
        }
        let port = desk.group.primary.address.port;
        let declares = pod.containers.iter().find(|container| container.ports.contains(&port));
        let only = pod.containers.first().filter(|_| pod.containers.len() == 1);
        declares.or(only).is_some_and(|container| {
            !container.running && container.ended.as_ref().is_some_and(|id| *id == container.id)
        })
    }

    /// What keeps the primary from acknowledging writes without anything being done for it.
    fn fence(&self, primary: &Primary, desk: &Desk<'_, '_>) -> Fence {
        let pod = desk.objects.pods.get(&primary.instance.pod);
        let node = pod.and_then(|pod| desk.objects.nodes.get(&pod.node));
        match desk.group.seat.as_ref().and_then(|seat| seat.condemned) {
            Some(RESTARTED | ENDED) => Fence::Dead,
            _ if node.is_some_and(|node| node.out_of_service) => Fence::Dead,
            _ if desk.group.fast.down() => Fence::Refused,
            _ => Fence::None,
        }
    }

    fn needed(desk: &Desk<'_, '_>) -> Needed {
        let quorum = usize::try_from(desk.group.options.quorum).unwrap_or(usize::MAX);
        Needed { quorum, fleet: desk.config.size }
    }

    /// Says what this member holds, counts what the others do, and tells the claim when it is enough.
    pub(super) fn gather(&mut self, desk: &mut Desk<'_, '_>) {
        let now = desk.cx.now;
        let own = desk.group.primary.is_down() && !desk.cx.shared.tilt.active();
        let held = own && self.claimant.committed().is_some() && !self.vetoed(desk);
        let held = self.claimant.committed().filter(|_| held).cloned();
        self.say(held.as_ref(), desk);
        let Some(primary) = held else { return self.gathered_is(None, desk) };
        let count = self.count(&primary, desk);
        let enough = count.suffices(desk.me, Self::needed(desk));
        self.objectively(enough.then_some(&count), now, desk);
        if !enough {
            return self.gathered_is(None, desk);
        }
        let fence = self.fence(&primary, desk);
        let start_after = start_after(desk.me, &count.alive, &desk.group.name, primary.epoch);
        let gathered = Gathered { about: primary, opinions: count.down, fence, start_after };
        let same = |known: &Gathered| {
            known.about == gathered.about
                && known.opinions == gathered.opinions
                && known.fence == gathered.fence
        };
        if !self.gathered.as_ref().is_some_and(same) {
            self.gathered_is(Some(gathered), desk);
        }
    }

    fn gathered_is(&mut self, gathered: Option<Gathered>, desk: &mut Desk<'_, '_>) {
        if gathered.is_none() {
            self.objectively(None, desk.cx.now, desk);
        }
        if self.gathered != gathered {
            self.gathered.clone_from(&gathered);
            self.tell(Fact::Gathered(gathered), desk);
        }
    }

    /// Who holds the primary down, and who lives.
    pub(super) fn count(&self, primary: &Primary, desk: &Desk<'_, '_>) -> Count {
        count(desk.group, primary, desk.me, desk.members.values(), desk.cx.now)
    }

    /// The opinion in the own Lease.
    fn say(&self, held: Option<&Primary>, desk: &mut Desk<'_, '_>) {
        let condemned = desk.group.seat.as_ref().and_then(|seat| seat.condemned);
        let silent = if desk.group.fast.down() { "refused" } else { "silent" };
        let opinion = held.map(|primary| Opinion {
            address: primary.instance.address.clone(),
            run_id: primary.instance.run_id.clone(),
            epoch: primary.epoch,
            evidence: condemned.unwrap_or(silent).to_owned(),
            rest: Rest::new(),
        });
        if !desk.membership.hold(&desk.group.name, opinion, desk.cx.now) {
            let text = "So many primaries are down that no more fit into the own Lease: members are told when they ask";
            desk.cx.log(Level::Debug, Some(desk.group), text.to_owned());
        }
    }

    /// `+odown`, `-odown`.
    fn objectively(&self, count: Option<&Count>, now: Time, desk: &mut Desk<'_, '_>) {
        let (group, cx) = (&mut *desk.group, &mut *desk.cx);
        match (count, group.odown_since) {
            (Some(count), None) => {
                group.odown_since = Some(now);
                let rest = format!(" #quorum {}/{}", count.down.len(), group.options.quorum);
                cx.event(Level::Warning, "+odown", group, &Which::Primary, &rest);
                if let Some(since) = group.primary.down_since {
                    cx.observe(Observation::Phase { phase: Phase::Agree, took: now.since(since) });
                }
            }
            (None, Some(_)) => {
                group.odown_since = None;
                cx.event(Level::Warning, "-odown", group, &Which::Primary, "");
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// A replica whose link to the primary is up, and that has heard from it since it owes us an answer: the fault is likely
    /// ours. For a while only, for it may also be the replica's that doesn't notice.
    fn vetoed(&mut self, desk: &mut Desk<'_, '_>) -> bool {
        let group = &*desk.group;
        let condemned = group.is_condemned() || group.fast.down();
        let since = group.primary.down_since.filter(|_| !condemned);
        let owed = desk.cx.shared.links.get(group.primary.link).and_then(|link| link.silent_since());
        let (Some(since), Some(owed)) = (since, owed) else {
            self.veto_until = None;
            return false;
        };
        let until = since + VETO.min(group.options.down_after);
        let hears = |replica: &Instance| {
            let Some(data) = replica.data().filter(|data| data.link_up && !replica.is_down()) else {
                return false;
            };
            let host = data.primary_host.as_deref().unwrap_or_default();
            let follows = desk.cx.shared.names.equals(&group.primary.address, host, data.primary_port);
            follows && data.heard_primary_at.is_some_and(|at| at > owed)
        };
        let vetoed = desk.cx.now < until && group.replicas.values().any(hears);
        self.veto_until = vetoed.then_some(until);
        vetoed
    }
}

/// Who holds the primary down, and who lives, as one member knows it.
pub(super) fn count<'a>(
    group: &Group,
    primary: &Primary,
    me: &RunId,
    members: impl IntoIterator<Item = &'a crate::core::claim::Presence>,
    now: Time,
) -> Count {
    let mut opinions = Opinions::default();
    for instance in group.peers.values() {
        let told = instance.peer().and_then(|peer| Some((peer, peer.answered_at?)));
        let Some((peer, at)) = told else { continue };
        let down = peer.says_down.then(|| (primary.instance.run_id.clone(), primary.epoch));
        opinions.answered(RunId::from(instance.name.as_str()), down, at);
    }
    let own = group.primary.is_down();
    opinions.count(me, own, (&group.name, primary), members, FRESH, now)
}
