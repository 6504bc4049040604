//! A planned switchover under a claim: the primary holds writes back, the candidate takes in what is on its way, the primary
//! becomes its replica, and only then is it promoted. Whoever fails at whatever moment, no second primary is left behind: a
//! claim that is left here goes on as any other, and finds either a primary that still is one, or a replica to promote.

use std::time::Duration;

use super::choose;
use super::claimant::Claimant;
use super::facts::{Command, Role, Wish};
use super::group::Instance;
use super::hold::{After, Stage};
use super::running::Step;
use crate::core::time::Time;

/// How long the two may take to be ready before anything is touched.
const READY_LIMIT: Duration = Duration::from_secs(2);
/// How long the candidate may take for the rest of the stream once the old primary is its replica.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// Where a switchover is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Planned {
    /// Longest that writes are held back.
    pause: Duration,
    /// When the primary was told to hold writes back.
    held_at: Option<Time>,
    /// When it was told to follow the candidate.
    yielded_at: Option<Time>,
}

impl Planned {
    pub(super) const fn new(pause: Duration) -> Self {
        Self { pause, held_at: None, yielded_at: None }
    }

    /// The last moment at which the primary may be told to follow: its answer must come while writes are held back.
    pub(super) fn last_moment(&self) -> Option<Time> {
        self.held_at.map(|at| at + self.pause * 3 / 4)
    }
}

impl Claimant {
    /// Both are asked whether it can work; nothing is touched.
    pub(super) fn look_for_heir(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Some(hold) = &self.hold else { return };
        let from = hold.failover().and_then(|failover| failover.from.clone());
        let leads = |from: &Instance| {
            let standing = hold.gates.standing(&from.uid)?;
            (standing.role == Role::Primary && standing.run_id == from.run_id).then_some(standing)
        };
        let leader = from.as_ref().and_then(leads);
        let heir = leader.and_then(|leader| choose::heir(&hold.gates, &self.nodes, from.as_ref(), leader));
        if let Some(chosen) = heir {
            let lease = hold.recorded(now, |failover| {
                failover.step = Step::Chosen;
                failover.tried.push(chosen.clone());
                failover.candidate = Some(chosen);
            });
            return self.put(lease, After::Go(Stage::HandOver), now, out);
        }
        if leader.is_none() || now >= hold.claimed_at + READY_LIMIT {
            return self.give_back(now, out);
        }
        self.ask(Duration::ZERO, now, out);
    }

    /// The steps between the record of the candidate and its promotion.
    pub(super) fn hand_over(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Some(hold) = &self.hold else { return };
        let Some(planned) = hold.planned.clone() else { return self.enter(Stage::Look) };
        let recorded =
            hold.failover().and_then(|failover| Some((failover.from.clone()?, failover.candidate.clone()?)));
        let Some((from, candidate)) = recorded else { return self.give_back(now, out) };
        if planned.yielded_at.is_none() && planned.last_moment().is_some_and(|at| now >= at) {
            return self.give_back(now, out);
        }
        let lost = |instance: &Instance| {
            hold.gates.standing(&instance.uid).is_none() && !hold.gates.waits(&instance.uid)
        };
        if lost(&from) || lost(&candidate) {
            return self.give_back(now, out);
        }
        let (Some(leader), Some(heir)) =
            (hold.gates.standing(&from.uid), hold.gates.standing(&candidate.uid))
        else {
            return;
        };
        let address = self.nodes.get(&candidate.uid).map(|node| node.address.clone());
        let (Some(address), true) =
            (address, leader.run_id == from.run_id && heir.run_id == candidate.run_id)
        else {
            return self.give_back(now, out);
        };
        let attached = heir.linked && matches!(heir.role, Role::Replica { .. });
        match (&leader.role, planned.held_at, planned.yielded_at) {
            (Role::Primary, None, _) => {
                self.change(|planned| planned.held_at = Some(now));
                self.tell(&from.uid, &from.run_id, Command::Hold(planned.pause), now, out);
            }
            (Role::Primary, Some(_), None) if attached && heir.offset >= leader.offset => {
                self.change(|planned| planned.yielded_at = Some(now));
                self.tell(&from.uid, &from.run_id, Command::Yield(address), now, out);
            }
            (Role::Primary, Some(_), None) if attached => {
                self.tell(&candidate.uid, &candidate.run_id, Command::Ask, now, out);
            }
            (Role::Replica { of }, _, Some(_)) if *of == address && heir.offset >= leader.offset => {
                if let Some(hold) = &mut self.hold {
                    hold.sent_away = Some(from);
                    hold.planned = None;
                }
                self.enter(Stage::Promote);
                self.promote(now, out);
            }
            (Role::Replica { of }, _, Some(at)) if *of == address && now < at + DRAIN_LIMIT => {
                self.tell(&candidate.uid, &candidate.run_id, Command::Ask, now, out);
            }
            // It did not obey, or somebody else moves it.
            (Role::Primary | Role::Replica { .. }, ..) => self.give_back(now, out),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Planned)) {
        if let Some(planned) = self.hold.as_mut().and_then(|hold| hold.planned.as_mut()) {
            change(planned);
        }
    }

    /// It can't be planned any further. What is found from here on decides: a primary that still is one goes on, and without
    /// one the candidate is promoted.
    fn give_back(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Some(hold) = &mut self.hold else { return };
        let held = hold.planned.take().is_some_and(|planned| planned.held_at.is_some());
        hold.forced = false;
        hold.stage = Stage::Look;
        let from = hold.failover().and_then(|failover| failover.from.clone());
        if let (Some(from), true) = (from, held) {
            self.tell(&from.uid, &from.run_id, Command::Resume, now, out);
        }
        self.look(now, out);
    }

    /// Once it is official: clients of the old primary are sent away, and it takes writes again for whoever comes after.
    pub(super) fn send_away(&mut self, now: Time, out: &mut Vec<Wish>) {
        let Some(hold) = &mut self.hold else { return };
        let Some(old) = hold.sent_away.take() else { return };
        if hold.gates.standing(&old.uid).is_some_and(|standing| standing.run_id == old.run_id) {
            self.tell(&old.uid, &old.run_id, Command::SendAway, now, out);
        }
    }
}
