//! What a claimant does, told to operators: events with Sentinel's names, Events of Kubernetes, figures.

use super::ward::{Desk, Ward};
use crate::core::action::{FailoverReason, FailoverResult, Level, Observation, Phase};
use crate::core::claim::{Failover, GroupLease, Kind, Outcome, Step};
use crate::core::cluster::{Event, Regarding};
use crate::core::group::Which;
use crate::core::ids::{ClaimId, PodUid};
use crate::core::time::Time;

/// How far the own claim was when it was last told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    claim: ClaimId,
    kind: Kind,
    /// An operator's word, or a Pod that leaves.
    asked: bool,
    step: Step,
    candidate: Option<PodUid>,
    phase_at: Time,
}

impl Ward {
    /// Tells of what has changed since the last look.
    pub(super) fn report(&mut self, desk: &mut Desk<'_, '_>) {
        // Nearly always: no claim of one's own, and none that was told of.
        if self.progress.is_none() && self.claimant.claimed().is_none() {
            return;
        }
        let lease = self.claimant.sight().map(|sight| sight.lease.clone());
        let own = self.claimant.claimed().cloned();
        let held = lease.as_ref().zip(own).filter(|(lease, own)| lease.holder.as_ref() == Some(own));
        let running = held.and_then(|(lease, own)| Some((own, lease.failover.clone()?)));
        match (self.progress.take(), running) {
            (None, None) => {}
            (Some(before), Some((claim, failover))) if before.claim == claim => {
                self.progress = Some(self.went_on(before, &failover, desk));
            }
            (before, running) => {
                if let (Some(before), Some(lease)) = (before, &lease) {
                    self.ended(&before, lease, desk);
                }
                if let Some((claim, failover)) = running {
                    self.progress = Some(self.began(claim, &failover, desk));
                }
            }
        }
    }

    fn began(&self, claim: ClaimId, failover: &Failover, desk: &mut Desk<'_, '_>) -> Progress {
        let resumed = failover.step != Step::Claimed || !failover.tried.is_empty();
        let asked = failover.why == "operator" || failover.why == "switchover";
        desk.cx.observe(Observation::Claim { kind: failover.kind, resumed });
        let from = failover.from.as_ref().map(|from| from.pod.as_str()).unwrap_or_default();
        let (reason, note) = match failover.kind {
            _ if resumed => (
                "FailoverResumed",
                format!("goes on with what another member left at step {}", failover.step.word()),
            ),
            Kind::Failover if failover.why == "switchover" => {
                ("SwitchoverStarted", format!("{from} is to hand its role over"))
            }
            Kind::Failover if asked => {
                ("FailoverStarted", format!("{from} is to be replaced at an operator's word"))
            }
            Kind::Failover => {
                let members = failover.opinions.len();
                ("FailoverStarted", format!("{from} is down in the view of {members} members"))
            }
            Kind::Repair => ("RepairStarted", "Roles differ from what was committed".to_owned()),
            Kind::Missing => {
                ("LeaseMade", "There was no Lease of the group: its primary is sought".to_owned())
            }
        };
        // What was put off is looked at again and again, and told of once.
        if failover.rested() == 0 {
            self.write(failover.kind == Kind::Failover && !asked, reason, &note, desk);
        }
        let (group, cx) = (&*desk.group, &mut *desk.cx);
        if failover.kind == Kind::Failover {
            cx.event(Level::Warning, "+try-failover", group, &Which::Primary, "");
            cx.event(Level::Warning, "+elected-leader", group, &Which::Primary, "");
        }
        Progress {
            claim,
            kind: failover.kind,
            asked,
            step: failover.step,
            candidate: failover.candidate.as_ref().map(|candidate| candidate.uid.clone()),
            phase_at: cx.now,
        }
    }

    fn went_on(&self, before: Progress, failover: &Failover, desk: &mut Desk<'_, '_>) -> Progress {
        let candidate = failover.candidate.as_ref();
        let uid = candidate.map(|candidate| candidate.uid.clone());
        if before.step == failover.step && before.candidate == uid {
            return before;
        }
        let pod = candidate.map(|candidate| candidate.pod.as_str()).unwrap_or_default();
        let which = uid.as_ref().and_then(|uid| self.which(uid, desk.group));
        let took = desk.cx.now.since(before.phase_at);
        match failover.step {
            Step::Claimed => {}
            Step::Chosen => {
                if let Some(which) = &which {
                    desk.cx.event(Level::Warning, "+selected-slave", desk.group, which, "");
                }
                desk.cx.observe(Observation::Phase { phase: Phase::Select, took });
                let note = format!("{pod} is to be primary; fence: {}", failover.fence.word());
                self.write(false, "ReplicaChosen", &note, desk);
            }
            Step::Committed => {
                if let Some(which) = &which {
                    desk.cx.event(Level::Warning, "+promoted-slave", desk.group, which, "");
                }
                desk.cx.observe(Observation::Phase { phase: Phase::Promote, took });
                let note = format!("{pod} is primary since epoch {}", failover.epoch);
                self.write(false, "PrimaryChanged", &note, desk);
            }
        }
        Progress { step: failover.step, candidate: uid, phase_at: desk.cx.now, ..before }
    }

    fn ended(&self, before: &Progress, lease: &GroupLease, desk: &mut Desk<'_, '_>) {
        let took = desk.cx.now.since(before.phase_at);
        let reason = if before.asked { FailoverReason::Manual } else { FailoverReason::Down };
        if lease.holder.is_none() && lease.failover.as_ref().is_some_and(|left| left.rested() > 1) {
            return;
        }
        if lease.holder.is_some() || lease.failover.is_some() {
            let text = "The claim was left before its end; whoever claims next goes on";
            desk.cx.log(Level::Notice, Some(desk.group), text.to_owned());
            if before.kind == Kind::Failover {
                desk.cx.observe(Observation::Failover { reason, result: FailoverResult::Superseded });
            }
            return;
        }
        let undone = lease.history.last().is_some_and(|past| past.outcome == Outcome::Undone);
        match before.kind {
            Kind::Repair => self.write(false, "RepairEnded", "The repair has ended", desk),
            Kind::Missing | Kind::Failover if undone => {
                desk.cx.event(
                    Level::Warning,
                    "-failover-abort-no-good-slave",
                    desk.group,
                    &Which::Primary,
                    "",
                );
                desk.cx.observe(Observation::Failover { reason, result: FailoverResult::NoGoodReplica });
                self.write(true, "FailoverUndone", "Nobody could be promoted, or nobody had to be", desk);
            }
            Kind::Missing => self.write(false, "PrimaryFound", "The group's primary is recorded", desk),
            Kind::Failover => {
                desk.cx.event(Level::Warning, "+failover-end", desk.group, &Which::Primary, "");
                desk.cx.observe(Observation::Phase { phase: Phase::Reconfigure, took });
                desk.cx.observe(Observation::Failover { reason, result: FailoverResult::Switched });
                self.write(false, "FailoverEnded", "All that can be reached follow the new primary", desk);
            }
        }
    }

    /// Tells an operator of what he may have to act on: in the log, and as an Event of Kubernetes.
    pub(super) fn warn(&self, reason: &'static str, text: &str, desk: &mut Desk<'_, '_>) {
        desk.cx.log(Level::Warning, Some(desk.group), text.to_owned());
        self.write(true, reason, text, desk);
    }

    /// Writes an Event of Kubernetes about the group.
    pub(super) fn write(&self, warning: bool, reason: &'static str, note: &str, desk: &mut Desk<'_, '_>) {
        let regarding = match &self.scope.routes {
            Some(routes) => Regarding::Service(routes.primary.clone()),
            None => Regarding::Lease(self.lease.clone()),
        };
        let note = format!("{}: {note}", desk.group.name);
        desk.calls.write_event(Event { regarding, warning, reason, note }, desk.cx.out);
    }
}
