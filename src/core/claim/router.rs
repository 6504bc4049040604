//! Step 7: the Service follows the committed primary. Any member may do this, whoever committed: read the Service, *then* the
//! Lease, then patch the Service on the version that was read. A patch that rests on an old Lease fails on the version, since
//! whoever routed a later commit has changed the Service in between.
//!
//! Who commits has read both already: the Service as it was seen before the commit was sent, and the Lease by the answer.

use std::time::Duration;

use super::claimant::{Claimant, View};
use super::facts::{Service, Shown, Wish, Written};
use super::group::{GroupLease, Primary};
use super::rules::Rule;
use crate::core::ids::{CallNo, Version};
use crate::core::time::Time;

/// Time between two attempts.
const AGAIN: Duration = Duration::from_millis(200);

/// Whoever committed is the first to route. Others do it after so long, in case nobody did: all at once would cost the API
/// server two conflicts more for each failover, in the moment in which clients wait.
const HEAD_START: Duration = Duration::from_millis(150);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Phase {
    #[default]
    Idle,
    /// A commit is on its way; this is the Service as it was seen before.
    Committing(Service),
    ReadingService(CallNo),
    ReadingLease(CallNo, Service),
    Patching(CallNo, Service, Basis),
}

/// What a patch rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Basis {
    /// The Service as the watch had shown it, which may have been changed since.
    Seen,
    /// The Service as it was read for this patch.
    Read,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Router {
    /// The Service as it was last seen.
    service: Option<Service>,
    phase: Phase,
    /// It was seen since the read or the patch was asked for that is under way: what the answer says of it may be older.
    seen_meanwhile: bool,
    again_at: Option<Time>,
    /// When it is this member's turn, while somebody else has the head start.
    turn_at: Option<Time>,
}

impl Router {
    pub(super) fn seen(&mut self, service: Service) {
        self.seen_meanwhile = matches!(self.phase, Phase::ReadingService(_) | Phase::Patching(..));
        self.service = Some(service);
    }

    pub(super) fn version(&self) -> Option<&Version> {
        self.service.as_ref().map(|service| &service.version)
    }

    /// Ends the read or the patch that is under way: so the Service was, unless it was seen since. What was seen may be older as
    /// well, where the watch lags; then another read finds out.
    fn answered(&mut self, service: Option<Service>) {
        self.phase = Phase::Idle;
        if !std::mem::take(&mut self.seen_meanwhile) {
            self.service = service;
        }
    }

    pub(super) fn patched(&mut self, call: CallNo, written: &Written, now: Time) {
        let Phase::Patching(patching, service, basis) = &self.phase else { return };
        if *patching != call {
            return;
        }
        match (written, basis) {
            (Written::Landed(version), _) => {
                let service = Service { version: version.clone(), ..service.clone() };
                return self.answered(Some(service));
            }
            // It is read now.
            (Written::Conflict, Basis::Seen) => {}
            (Written::Conflict | Written::Unknown, _) => self.again_at = Some(now + AGAIN),
        }
        self.idle();
    }

    fn idle(&mut self) {
        (self.phase, self.seen_meanwhile) = (Phase::Idle, false);
    }

    /// A commit is sent. What failed before it waits no longer.
    pub(super) fn committing(&mut self) {
        self.again_at = None;
        if let (Phase::Idle, Some(service)) = (&self.phase, &self.service)
            && !service.is_none()
        {
            self.phase = Phase::Committing(service.clone());
        }
    }

    /// It did not land, or that isn't known.
    pub(super) fn not_committed(&mut self) {
        if matches!(self.phase, Phase::Committing(_)) {
            self.phase = Phase::Idle;
        }
    }

    /// Nothing was read: the next attempt waits.
    pub(super) fn failed(&mut self, now: Time) {
        self.again_at = Some(now + AGAIN);
        self.idle();
    }

    /// Whether the wait after an attempt that failed is over, if there is one.
    pub(super) fn may_ask(&mut self, now: Time) -> bool {
        if self.again_at.is_some_and(|at| now < at) {
            return false;
        }
        self.again_at = None;
        true
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.again_at.into_iter().chain(self.turn_at).min()
    }

    /// How the Service must look for that primary, if it must look otherwise. A later epoch is left alone.
    fn wanted(service: &Service, primary: Option<&Primary>) -> Option<Service> {
        let primary = primary?;
        let right = service.pod == primary.instance.pod && service.epoch == primary.epoch;
        let (pod, epoch) = (primary.instance.pod.clone(), primary.epoch);
        (service.epoch <= epoch && !right).then(|| Service { pod, epoch, version: service.version.clone() })
    }
}

impl Claimant {
    /// The write of the Lease has landed that was on its way: if it was a commit, the Service follows at once.
    pub(super) fn turn(&mut self, out: &mut Vec<Wish>) {
        let Phase::Committing(service) = &self.router.phase else { return };
        let primary = self.sight().and_then(|sight| sight.lease.primary.as_ref());
        let wanted = Router::wanted(service, primary);
        self.router.phase = Phase::Idle;
        self.patch(wanted, Basis::Seen, out);
    }

    fn patch(&mut self, wanted: Option<Service>, basis: Basis, out: &mut Vec<Wish>) {
        if let Some(service) = wanted {
            let call = self.call();
            self.router.phase = Phase::Patching(call, service.clone(), basis);
            out.push(Wish::Patch(call, service));
        }
    }

    pub(super) fn route(&mut self, now: Time, out: &mut Vec<Wish>) {
        self.router.turn_at = None;
        if self.router.phase != Phase::Idle || !self.router.may_ask(now) {
            return;
        }
        let Some(service) = &self.router.service else { return };
        let primary = match &self.view {
            View::Unknown => None,
            View::Missing { .. } => self.followed.as_ref(),
            View::Is(sight) => sight.lease.primary.as_ref().or(self.followed.as_ref()),
        };
        if Router::wanted(service, primary).is_some() {
            // What is committed under a claim that still stands is routed first by whoever has that claim.
            let others =
                |lease: &GroupLease| self.hold.is_none() && lease.holder.is_some() && lease.primary.is_some();
            let sight = match &self.view {
                View::Is(sight) if others(&sight.lease) => Some(sight),
                View::Is(_) | View::Unknown | View::Missing { .. } => None,
            };
            if let Some(turn_at) = sight.map(|sight| sight.changed_at + HEAD_START).filter(|at| now < *at) {
                self.router.turn_at = Some(turn_at);
                return;
            }
            let call = self.call();
            self.router.phase = Phase::ReadingService(call);
            out.push(Wish::ReadService(call));
        }
    }

    pub(super) fn service_read(
        &mut self,
        call: CallNo,
        answer: Option<Service>,
        now: Time,
        out: &mut Vec<Wish>,
    ) {
        if self.router.phase != Phase::ReadingService(call) {
            return;
        }
        let Some(service) = answer else { return self.router.failed(now) };
        // There is none any more. The watch shows the next.
        if service.is_none() {
            return self.router.answered(None);
        }
        self.router.answered(Some(service.clone()));
        let call = self.call();
        self.router.phase = Phase::ReadingLease(call, service);
        if self.config.rules.hold(Rule::Route) {
            out.push(Wish::Read(call));
        } else if let View::Is(sight) = &self.view {
            let shown = Some((sight.version.clone(), sight.lease.clone()));
            self.lease_read(call, Some(&shown), now, out);
        }
    }

    pub(super) fn lease_read(
        &mut self,
        call: CallNo,
        answer: Option<&Shown>,
        now: Time,
        out: &mut Vec<Wish>,
    ) {
        let Phase::ReadingLease(reading, service) = &self.router.phase else { return };
        if *reading != call {
            return;
        }
        let wanted = match answer {
            Some(Some((_, lease))) => {
                Router::wanted(service, lease.primary.as_ref().or(self.followed.as_ref()))
            }
            Some(None) => Router::wanted(service, self.followed.as_ref()),
            None => {
                self.router.again_at = Some(now + AGAIN);
                None
            }
        };
        self.router.phase = Phase::Idle;
        self.patch(wanted, Basis::Read, out);
    }
}
