//! Whether the roles of the data nodes, and the primary's history, are as the commit says. If not, a claim to repair them is
//! asked for.

use std::time::Duration;

use super::standing;
use super::ward::{Desk, Ward};
use crate::core::action::Level;
use crate::core::claim::{Fact, is_recorded, start_after};
use crate::core::group::Which;
use crate::core::history::repl_id;
use crate::core::ids::PodUid;
use crate::core::instance::{Instance, Role};
use crate::core::link::Link;
use crate::core::time::Time;

/// The first pause after a repair; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Doublings after which a pause doesn't grow.
const DOUBLINGS: u32 = 6;
/// Roles that were right for so long have been repaired.
const WELL: Duration = Duration::from_secs(10);
/// How long a node that holds data of another history is left alone before it is looked at again.
const LEFT_ALONE: Duration = Duration::from_secs(600);

/// What was seen of wrong roles.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    /// Since when.
    since: Option<Time>,
    /// The claim was told.
    told: bool,
    /// When the claim is told, if nothing changes.
    due_at: Option<Time>,
    /// Repairs that were asked for in a row, and until when no other is.
    repairs: u32,
    pause_until: Option<Time>,
}

impl Wrong {
    pub(super) const fn next_deadline(&self) -> Option<Time> {
        self.due_at
    }
}

impl Ward {
    /// Asks for a repair when it is due.
    pub(super) fn mind_roles(&mut self, desk: &mut Desk<'_, '_>) {
        let now = desk.cx.now;
        let wrong = self.roles_are_wrong(desk);
        self.wrong.due_at = None;
        let Some(reason) = wrong else {
            self.wrong.since = None;
            if self.wrong.pause_until.is_some_and(|until| now > until + WELL) {
                self.wrong.repairs = 0;
                self.spared.clear();
            }
            if std::mem::take(&mut self.wrong.told) {
                self.tell(Fact::Wrong(false), desk);
            }
            return;
        };
        let since = *self.wrong.since.get_or_insert(now);
        let Some(primary) = self.claimant.committed() else { return };
        let count = self.count(primary, desk);
        let turn = since + start_after(desk.me, &count.alive, &desk.group.name, primary.epoch);
        let due = self.wrong.pause_until.map_or(turn, |until| turn.max(until));
        if now < due {
            self.wrong.due_at = Some(due);
            return;
        }
        let pause = FIRST_PAUSE * (1 << self.wrong.repairs.min(DOUBLINGS));
        self.wrong.repairs = self.wrong.repairs.saturating_add(1);
        self.wrong.pause_until = Some(now + pause);
        self.wrong.due_at = self.wrong.pause_until;
        self.wrong.told = true;
        let text = format!("A repair is due: {reason}");
        desk.cx.log(Level::Notice, Some(desk.group), text);
        self.tell(Fact::Wrong(true), desk);
    }

    /// A claim found a node that holds data of another history, and that nobody knows as one of the group's. Said once.
    pub(super) fn leave_alone(&mut self, node: PodUid, desk: &mut Desk<'_, '_>) {
        let Some(place) = self.pods.get(&node) else { return };
        let text = format!(
            "{} is matched by the group's selector, but holds data of another history: it is left alone. Take it out of the \
             selector; or, if nobody needs them, remove its data",
            place.pod
        );
        self.foreign.retain(|uid, _| self.pods.contains_key(uid));
        if self.foreign.insert(node, desk.cx.now + LEFT_ALONE).is_none() {
            self.warn("DataDiverged", &text, desk);
        }
    }

    /// A claim found a node that holds the group's data beside a primary that holds nothing. Said once, as long as it lasts. To promote
    /// it unasked would bring back what somebody has just removed.
    pub(super) fn spare(&mut self, node: PodUid, desk: &mut Desk<'_, '_>) {
        let (Some(place), Some(primary)) = (self.pods.get(&node), self.claimant.committed()) else { return };
        let (pod, primary) = (&place.pod, &primary.instance.pod);
        let text = format!(
            "{primary} is primary and holds nothing, but {pod} holds data: it does not follow before {primary} holds any. To \
             have these data, end {primary}'s process; to have none, remove them from {pod}"
        );
        self.spared.retain(|uid| self.pods.contains_key(uid));
        if self.spared.insert(node) {
            self.warn("PrimaryEmpty", &text, desk);
        }
    }

    /// Only what was heard since the Lease changed speaks of the roles that it says.
    fn roles_are_wrong(&self, desk: &Desk<'_, '_>) -> Option<String> {
        let group = &*desk.group;
        let (Some(primary), Some(sight)) = (self.claimant.committed(), self.claimant.sight()) else {
            return None;
        };
        // While somebody works on it nothing is wrong with what is not done yet.
        if sight.lease.holder.is_some() || self.claimant.claimed().is_some() || group.is_condemned() {
            return None;
        }
        let fresh = |instance: &Instance| {
            let heard = instance.data().and_then(|data| data.info_at).is_some_and(|at| at > sight.changed_at);
            let stands = desk.cx.shared.links.get(instance.link).is_some_and(Link::stands);
            heard && stands && !instance.is_down()
        };
        let leader = group.primary.data().filter(|_| fresh(&group.primary))?;
        if group.primary.run_id != primary.instance.run_id.as_str() {
            return None;
        }
        if leader.role == Role::Replica {
            return Some("the primary is a replica".to_owned());
        }
        // By what is recorded a failover knows whose data are those of the group.
        let recorded = sight.lease.primary.as_ref().and_then(|primary| repl_id(&primary.replication_id));
        if leader.history.is_some_and(|now| recorded != Some(now.id)) {
            return Some("the primary is at another history than is recorded".to_owned());
        }
        self.pods.iter().find_map(|(uid, place)| {
            // A Lease that was made anew since may know it as one of the group's.
            let foreign = || self.foreign.get(uid).is_some_and(|until| desk.cx.now < *until);
            if !is_recorded(&sight.lease, uid, &place.pod) && foreign() {
                return None;
            }
            let which @ Which::Replica(_) = self.which(uid, group)? else { return None };
            let data = group.get(&which).filter(|replica| fresh(replica))?.data()?;
            match data.role {
                Role::Primary => Some(format!("{} is a primary", place.pod)),
                Role::Replica => {
                    let host = data.primary_host.as_deref().unwrap_or_default();
                    let right = standing::is_at(host, data.primary_port, &group.primary.address);
                    let of = || standing::address(host, data.primary_port);
                    (!right).then(|| format!("{} follows {}", place.pod, of()))
                }
            }
        })
    }
}
