//! The primary's role leaves before its process does: when an operator says so, when its Pod is asked to end, or when its node
//! is being emptied.

use std::time::Duration;

use super::objects::Objects;
use super::ward::{Desk, Ward};
use crate::core::action::{Actions, Level};
use crate::core::claim::{Fact, Outcome, Past, start_after};
use crate::core::engine::Engine;
use crate::core::group::{Group, GroupId, Which};
use crate::core::instance::{Instance, Role};
use crate::core::switchover::{NOBODY_FIT, Wanted};
use crate::core::time::Time;

/// A switchover that came to nothing is asked for again after so long, while the reason lasts: each holds writes back. After
/// each further one the pause is twice as long, whichever member asked.
const AGAIN: Duration = Duration::from_secs(2);
/// Doublings after which the pause doesn't grow.
const DOUBLINGS: usize = 5;

/// Whether a Pod is asked to end, or its node takes no more Pods.
pub(super) fn is_leaving(pod: &str, objects: &Objects) -> bool {
    let Some(pod) = objects.pods.get(pod) else { return false };
    pod.deleting || objects.nodes.get(&pod.node).is_some_and(|node| node.cordoned)
}

impl Ward {
    /// Asks for a switchover away from a primary that leaves.
    pub(super) fn mind_departure(&mut self, desk: &mut Desk<'_, '_>) {
        let now = desk.cx.now;
        let leaves = self.leaving_primary(desk);
        let Some(primary) = leaves else {
            self.leave_at = None;
            return;
        };
        let due = match self.leave_at {
            Some(at) => at,
            None => {
                let count = self.count(primary, desk);
                now + start_after(desk.me, &count.alive, &desk.group.name, primary.epoch)
            }
        };
        let due = due.max(self.not_again_before(&primary.instance.pod));
        if now < due {
            self.leave_at = Some(due);
            return;
        }
        self.leave_at = Some(now + AGAIN);
        let pause = desk.group.write_pause(desk.cx);
        desk.cx.log(
            Level::Notice,
            Some(desk.group),
            "The primary's Pod is about to go: switching over".to_owned(),
        );
        self.tell(Fact::Switchover(pause), desk);
    }

    /// When those that came to nothing, as the Lease records them, are long enough ago.
    fn not_again_before(&self, pod: &str) -> Time {
        let Some(sight) = self.claimant.sight() else { return Time::ZERO };
        let undone = |past: &&Past| past.outcome == Outcome::Undone && past.from == pod;
        match sight.lease.history.iter().rev().take_while(undone).count() {
            0 => Time::ZERO,
            n => sight.changed_at + AGAIN * (1 << (n - 1).min(DOUBLINGS)),
        }
    }

    fn leaving_primary(&self, desk: &Desk<'_, '_>) -> Option<&crate::core::claim::Primary> {
        let (primary, sight) = (self.claimant.committed()?, self.claimant.sight()?);
        let rests = sight.lease.holder.is_none() && self.claimant.claimed().is_none();
        let there =
            self.pods.contains_key(&primary.instance.uid) && is_leaving(&primary.instance.pod, desk.objects);
        if !(rests && there && works(desk.group)) {
            return None;
        }
        // Where everybody leaves nobody is better.
        let heir = |uid: &crate::core::ids::PodUid| {
            let place = self.pods.get(uid)?;
            let replica = self.which(uid, desk.group).filter(|which| *which != Which::Primary)?;
            let replica = desk.group.get(&replica)?;
            let linked = replica.data().is_some_and(|data| data.role == Role::Replica && data.link_up);
            (linked && !replica.is_down() && !is_leaving(&place.pod, desk.objects)).then_some(())
        };
        self.pods.keys().any(|uid| heir(uid).is_some()).then_some(primary)
    }
}

/// It answers, and as a primary.
fn works(group: &Group) -> bool {
    !group.primary.is_down()
        && group.primary.data().is_some_and(|data| data.role == Role::Primary && data.info_at.is_some())
}

impl Engine {
    /// The Service whose label a group comes from, if it comes from one.
    pub(crate) fn service_of(&self, id: GroupId) -> Option<&str> {
        self.groups.get(&id)?.seat.as_ref()?.service.as_deref()
    }

    /// SENTINEL FAILOVER under Leases: a planned switchover where the primary works, else a failover that asks for nobody's
    /// opinion. The error is the reply's text.
    pub(crate) fn failover_by_claim(
        &mut self,
        id: GroupId,
        wanted: Wanted,
        now: Time,
        out: &mut Actions,
    ) -> Result<(), &'static str> {
        let Some(fleet) = &self.fleet else { return Ok(()) };
        if fleet.config.observe {
            return Err("ERR This Sentinel only observes");
        }
        if !fleet.membership.is_fresh(now) {
            return Err("ERR The API server can't be reached");
        }
        let (Some(group), Some(ward)) = (self.groups.get(&id), fleet.wards.get(&id)) else { return Ok(()) };
        let (Some(_), Some(sight)) = (ward.claimant.committed(), ward.claimant.sight()) else {
            return Err(NOBODY_FIT);
        };
        let running = sight.lease.holder.is_some() || ward.claimant.claimed().is_some();
        let planned = group.may_be_ordered(wanted, works(group), running, &self.shared, now)?;
        let usable =
            |replica: &Instance| !replica.is_down() && replica.data().is_some_and(|data| data.priority != 0);
        if !group.replicas.values().any(usable) {
            return Err(NOBODY_FIT);
        }
        self.with_ward(id, now, out, |ward, desk| {
            desk.group.ordered(desk.cx);
            let pause = desk.group.write_pause(desk.cx);
            ward.tell(if planned { Fact::Switchover(pause) } else { Fact::Word }, desk);
        });
        self.shared.touched.insert(id);
        Ok(())
    }
}
