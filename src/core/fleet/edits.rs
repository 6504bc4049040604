//! Others' edits of the Service. Each is put right, but who edits again and again is not answered as fast: some controller
//! fights for it, and people are told which.

use std::collections::VecDeque;
use std::time::Duration;

use super::scope::{POD_KEY, epoch_of};
use super::ward::{Desk, Ward};
use super::wishes::as_read;
use crate::core::action::{Level, Observation};
use crate::core::claim::Fact;
use crate::core::cluster::Service;
use crate::core::time::Time;

/// So many edits within this time are put right at once, those after them one a minute.
const AT_ONCE: usize = 3;
const WITHIN: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(60);

/// Edits that were put right, as far as they count.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    at: VecDeque<Time>,
    /// One is put right then.
    due_at: Option<Time>,
}

impl Edits {
    pub(super) const fn next_deadline(&self) -> Option<Time> {
        self.due_at
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
        let name = self.scope.routes.as_ref().map(|routes| &routes.primary);
        let Some(service) = name.and_then(|name| desk.objects.services.get(name)) else { return };
        let now = desk.cx.now;
        if self.is_edited(service) {
            let turn = self.edits.turn(now);
            if now < turn {
                self.edits.due_at = Some(turn);
                return;
            }
            self.edits.at.push_back(now);
            let shown: String = service.manager.chars().filter(|c| !c.is_control()).take(80).collect();
            let note = format!("{shown} changed whom Service {} leads to: put right", service.name);
            desk.cx.log(Level::Warning, Some(desk.group), note.clone());
            desk.cx.observe(Observation::ServiceRepaired);
            self.write(true, "ServiceRepaired", &note, desk);
        }
        self.edits.due_at = None;
        self.tell(Fact::ServiceSeen(as_read(service)), desk);
    }

    /// What was put off is put right when its turn comes.
    pub(super) fn mind_edits(&mut self, desk: &mut Desk<'_, '_>) {
        if self.edits.due_at.is_some_and(|at| at <= desk.cx.now) {
            self.service_shown(desk);
        }
    }

    /// It says that it follows the present commit, and leads elsewhere.
    fn is_edited(&self, service: &Service) -> bool {
        self.claimant.committed().is_some_and(|primary| {
            let leads_to = service.selector.get(POD_KEY);
            epoch_of(service) == primary.epoch && leads_to != Some(&primary.instance.pod)
        })
    }
}
