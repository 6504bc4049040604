//! Others' edits of the Service. Each is put right, but who edits again and again is not answered as fast: some controller
//! fights for it, and people are told which.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

use super::objects::Objects;
use super::scope::{EPOCH, epoch_of};
use super::ward::{Desk, Ward};
use super::wishes::as_read;
use crate::core::action::Observation;
use crate::core::claim::Fact;
use crate::core::cluster::{POD_KEY, Service};
use crate::core::time::Time;

/// So many edits within this time are put right at once, those after them one a minute.
const AT_ONCE: usize = 3;
const WITHIN: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(60);
/// The watch of Services may show what a commit brought about so long before that of Leases shows the commit.
const LAG: Duration = Duration::from_secs(10);

/// Edits that were put right, as far as they count.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    at: VecDeque<Time>,
    /// One is put right then.
    due_at: Option<Time>,
    /// The commit that the Service was last seen to follow.
    right_for: Option<u64>,
    /// It carries an epoch that nobody committed, as far as is known; said then, unless it is said already.
    ahead_at: Option<Time>,
    ahead_told: bool,
}

/// Which commit a Service follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    /// The present one, of that epoch.
    Committed(u64),
    /// An earlier one, or it says none.
    Earlier,
    /// It says the present one's epoch and leads elsewhere, or there is no commit.
    Nobody,
    /// It carries a later epoch.
    Unknown,
}

impl Edits {
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.due_at.into_iter().chain(self.ahead_at).min()
    }

    /// When the next one is put right.
    fn turn(&mut self, now: Time) -> Time {
        while self.at.front().is_some_and(|at| now >= *at + WITHIN) {
            self.at.pop_front();
        }
        match self.at.back() {
            Some(last) if self.at.len() >= AT_ONCE => (*last + PAUSE).max(now),
            Some(_) | None => now,
        }
    }
}

impl Ward {
    /// The watch showed the Service that follows the primary.
    pub(crate) fn service_shown(&mut self, desk: &mut Desk<'_, '_>) {
        let Some(service) = self.leading_service(desk.objects) else { return };
        let now = desk.cx.now;
        self.note_followed(desk);
        if self.follows(service) != Follows::Unknown {
            (self.edits.ahead_at, self.edits.ahead_told) = (None, false);
        } else if !self.edits.ahead_told && !desk.config.observe {
            // An observer leaves it to those who act.
            self.edits.ahead_at.get_or_insert(now + LAG);
        }
        let knows = !self.claimant.is_leaderless() || self.claimant.routes_by_sentinels();
        if knows && self.is_edited(service) {
            let turn = self.edits.turn(now);
            if now < turn {
                self.edits.due_at = Some(turn);
                return;
            }
            self.edits.at.push_back(now);
            let shown: String = service.manager.chars().filter(|c| !c.is_control()).take(80).collect();
            let note = format!("{shown} changed whom Service {} leads to: put right", service.name);
            desk.cx.observe(Observation::ServiceRepaired);
            self.warn("ServiceRepaired", &note, desk);
        }
        self.edits.due_at = None;
        self.tell(Fact::ServiceSeen(as_read(service)), desk);
    }

    /// The Service or a commit was shown, in either order.
    pub(super) fn note_followed(&mut self, desk: &Desk<'_, '_>) {
        if let Some(service) = self.leading_service(desk.objects)
            && let Follows::Committed(epoch) = self.follows(service)
        {
            self.edits.right_for = Some(epoch);
        }
    }

    /// What was put off is put right when its turn comes.
    pub(super) fn mind_edits(&mut self, desk: &mut Desk<'_, '_>) {
        if self.edits.due_at.is_some_and(|at| at <= desk.cx.now) {
            self.service_shown(desk);
        }
        if self.edits.ahead_at.is_some_and(|at| at <= desk.cx.now) {
            self.edits.ahead_at = None;
            self.tell_of_strange_epoch(desk);
        }
    }

    fn tell_of_strange_epoch(&mut self, desk: &mut Desk<'_, '_>) {
        let Some(service) = self.leading_service(desk.objects) else { return };
        if self.follows(service) != Follows::Unknown {
            return;
        }
        self.edits.ahead_told = true;
        let note = format!(
            "Service {} carries {EPOCH} {}, which was never committed: left alone until a failover goes beyond it. \
             Take the annotation away to have it follow the primary",
            service.name,
            epoch_of(service)
        );
        self.warn("ServiceEpochUnknown", &note, desk);
    }

    /// The Service that follows the primary, as it was last shown.
    pub(super) fn leading_service<'a>(&self, objects: &'a Objects) -> Option<&'a Service> {
        objects.services.get(&self.scope.routes.as_ref()?.primary)
    }

    fn follows(&self, service: &Service) -> Follows {
        let Some(primary) = self.claimant.committed() else { return Follows::Nobody };
        let there = service.selector.get(POD_KEY) == Some(&primary.instance.pod);
        match epoch_of(service).cmp(&primary.epoch) {
            Ordering::Less => Follows::Earlier,
            Ordering::Equal if there => Follows::Committed(primary.epoch),
            Ordering::Equal => Follows::Nobody,
            Ordering::Greater => Follows::Unknown,
        }
    }

    /// It says that it follows the present commit, and leads elsewhere; or it did follow it, and was changed since.
    fn is_edited(&self, service: &Service) -> bool {
        self.claimant.committed().is_some_and(|primary| match self.follows(service) {
            Follows::Nobody => true,
            Follows::Earlier => self.edits.right_for == Some(primary.epoch),
            Follows::Committed(_) | Follows::Unknown => false,
        })
    }
}
