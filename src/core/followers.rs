//! After the promotion: the other replicas are told to follow the new primary, `parallel-syncs` at a time.

use std::time::Duration;

use super::action::{Level, Phase};
use super::address::Address;
use super::group::{Group, State, Which};
use super::instance::{Instance, Reconf, Role};
use super::shared::Cx;

/// At the time-out of an attempt the replicas that weren't told yet are asked for their role for so long.
const LAST_HEARING: Duration = Duration::from_secs(1);

impl Group {
    /// Whether the step is over: all follow, or there is no more time.
    pub(super) fn reconf_replicas(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some((promoted, state_at)) = self.chosen() else { return false };
        let target = self.current().address.clone();
        let end = state_at + self.options.failover_timeout;
        let timed_out = cx.due(end, "failover-timeout");
        let promoted_down = self.get(&promoted).is_some_and(Instance::is_down);
        self.repoint_some(&promoted, &target, cx);
        let waiting = self.replicas.values().any(|replica| {
            let done = replica.data().is_some_and(|data| data.reconf == Reconf::Done);
            promoted != Which::Replica(replica.name.clone())
                && !done
                && !replica.is_down()
                && !just_promoted(replica, cx)
        });
        if !timed_out && (waiting || promoted_down) {
            return false;
        }
        let rest = if timed_out { self.untold(&promoted, cx) } else { Vec::new() };
        let heard: Vec<Which> = rest.iter().filter(|which| self.is_heard(which, cx)).cloned().collect();
        if heard.len() < rest.len() && !cx.due(end + LAST_HEARING, "the rest's roles") {
            return false;
        }
        if timed_out && waiting {
            if let Some(failover) = &mut self.failover {
                failover.timed_out = true;
            }
            cx.event(Level::Warning, "+failover-end-for-timeout", self, &Which::Primary, "");
        }
        cx.event(Level::Warning, "+failover-end", self, &Which::Primary, "");
        self.end_phase(Phase::Reconfigure, cx);
        self.enter(State::UpdateConfig, cx);
        for which in heard {
            if self.reconfigure(&which, Some(&target), cx) {
                cx.event(Level::Notice, "+slave-reconf-sent-be", self, &which, "");
            }
        }
        true
    }

    /// Repoints replicas, `parallel-syncs` at a time.
    fn repoint_some(&mut self, promoted: &Which, target: &Address, cx: &mut Cx<'_>) {
        let limit = usize::try_from(self.options.parallel_syncs).unwrap_or(usize::MAX).max(1);
        let patience = cx.shared.params.reconf_timeout();
        let names: Vec<String> = self.replicas.names().cloned().collect();
        let mut busy = 0;
        for name in names {
            let which = Which::Replica(name);
            match self.get(&which).and_then(Instance::data).map(|data| data.reconf) {
                Some(Reconf::Sent(at)) if cx.due(at + patience, "slave-reconf-timeout") => {
                    cx.event(Level::Notice, "-slave-reconf-sent-timeout", self, &which, "");
                    self.set_reconf(&which, Reconf::Done);
                }
                Some(Reconf::Sent(_) | Reconf::InProgress) => busy += 1,
                Some(Reconf::None | Reconf::Done) | None => {}
            }
        }
        for which in self.untold(promoted, cx) {
            if busy >= limit {
                break;
            }
            if self.is_heard(&which, cx) && self.reconfigure(&which, Some(target), cx) {
                self.set_reconf(&which, Reconf::Sent(cx.now));
                cx.event(Level::Notice, "+slave-reconf-sent", self, &which, "");
                self.ask_role(&which, cx);
                cx.wake_at(cx.now + patience, "slave-reconf-timeout");
                busy += 1;
            }
        }
    }

    /// Replicas that are to be told whom to follow. Who is down is not: perhaps another leader promotes it meanwhile. It is seen to
    /// when it is back.
    fn untold(&self, promoted: &Which, cx: &mut Cx<'_>) -> Vec<Which> {
        if self.is_outvoted(cx) {
            return Vec::new();
        }
        let untold = |replica: &&Instance| {
            let none = replica.data().is_some_and(|data| data.reconf == Reconf::None);
            none && !replica.is_down() && !just_promoted(replica, cx)
        };
        let names = self.replicas.values().filter(untold).map(|replica| Which::Replica(replica.name.clone()));
        names.filter(|which| which != promoted).collect()
    }

    fn set_reconf(&mut self, which: &Which, reconf: Reconf) {
        if let Some(data) = self.get_mut(which).and_then(Instance::data_mut) {
            data.reconf = reconf;
        }
    }
}

/// Somebody made it a primary while this daemon's attempt was under way: perhaps the next leader, whose configuration is
/// on its way here. It is not made a replica in passing; a stray one is seen to after Sentinel's wait.
fn just_promoted(replica: &Instance, cx: &Cx<'_>) -> bool {
    let wait = cx.shared.params.publish_period() * 4;
    replica.data().is_some_and(|data| data.role == Role::Primary && cx.now.since(data.role_at) <= wait)
}
