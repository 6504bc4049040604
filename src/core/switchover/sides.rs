//! The two sides of a planned switchover: how they are asked, and what they answered.

use std::time::Duration;

use super::{Ask, Report, Side, Step, Switchover};
use crate::core::group::{Group, Which};
use crate::core::ids::ConnId;
use crate::core::link::Tag;
use crate::core::shared::{Cx, words};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Primary,
    Candidate,
}

impl Group {
    pub(super) fn switchover(&self) -> Option<&Switchover> {
        self.failover.as_ref().and_then(|failover| failover.switchover.as_ref())
    }

    pub(super) fn switchover_mut(&mut self) -> Option<&mut Switchover> {
        self.failover.as_mut().and_then(|failover| failover.switchover.as_mut())
    }

    pub(super) fn side(&mut self, who: Who) -> Option<&mut Side> {
        let switchover = self.switchover_mut()?;
        Some(match who {
            Who::Primary => &mut switchover.primary,
            Who::Candidate => &mut switchover.candidate,
        })
    }

    pub(super) fn which(&self, who: Who) -> Option<Which> {
        match who {
            Who::Primary => Some(Which::Primary),
            Who::Candidate => self.promoted().map(|name| Which::Replica(name.to_owned())),
        }
    }

    pub(super) fn go(&mut self, step: Step, cx: &Cx<'_>) {
        if let Some(switchover) = self.switchover_mut() {
            switchover.enter(step, cx.now);
        }
    }

    /// The connection that stands.
    pub(super) fn standing(&self, who: Who, cx: &Cx<'_>) -> Option<ConnId> {
        let link = cx.shared.links.get(self.get(&self.which(who)?)?.link)?;
        link.command.as_ref().filter(|conn| conn.local.is_some()).map(|conn| conn.id)
    }

    /// Sends a request to one of the two.
    pub(super) fn tell(&self, who: Who, request: &[&str], ask: Ask, cx: &mut Cx<'_>) -> bool {
        let (Some(failover), Some(instance)) =
            (&self.failover, self.which(who).and_then(|which| self.get(&which)))
        else {
            return false;
        };
        let Some((first, rest)) = request.split_first() else { return false };
        let request = words(std::iter::once(self.renamed(first)).chain(rest.iter().copied()));
        cx.send(instance.link, request, Tag::Switchover { group: self.id, epoch: failover.epoch, ask })
    }

    /// Asks one of the two how far it is; earlier answers are void.
    pub(super) fn ask_how_far(&mut self, who: Who, cx: &mut Cx<'_>) {
        let conn = self.standing(who, cx);
        let Some(number) = self.switchover_mut().map(Switchover::number) else { return };
        let Some(side) = self.side(who) else { return };
        *side = Side { conn, number, ..Side::default() };
        if conn.is_some() {
            let ask = match who {
                Who::Primary => Ask::Primary(number),
                Who::Candidate => Ask::Candidate(number),
            };
            self.tell(who, &["INFO", "replication"], ask, cx);
        }
    }

    /// Gives the primary an order.
    pub(super) fn order(&mut self, request: &[&str], cx: &mut Cx<'_>) {
        let Some(switchover) = self.switchover_mut() else { return };
        let number = switchover.number();
        switchover.order = number;
        switchover.ordered = None;
        self.tell(Who::Primary, request, Ask::Order(number), cx);
    }

    /// Whether a question that is asked at a pace is due; then it is asked now.
    pub(super) fn asks_again(&mut self, pace: Duration, why: &'static str, cx: &mut Cx<'_>) -> bool {
        let Some(switchover) = self.switchover_mut().filter(|it| cx.due(it.again_at + pace, why)) else {
            return false;
        };
        switchover.again_at = cx.now;
        cx.wake_at(cx.now + pace, why);
        true
    }

    /// The answer of one of the two; it is asked again if it was never asked in this step, or over a connection that is
    /// no more.
    pub(super) fn report(&mut self, who: Who, cx: &mut Cx<'_>) -> Option<Report> {
        let standing = self.standing(who, cx);
        let side = self.side(who)?;
        if side.report.is_some() {
            return side.report.clone();
        }
        if standing.is_some() && side.conn != standing {
            self.ask_how_far(who, cx);
        }
        None
    }

    /// The connection of the last request to the primary is gone, and with it perhaps the request.
    pub(super) fn lost_primary(&mut self, cx: &Cx<'_>) -> bool {
        let standing = self.standing(Who::Primary, cx);
        self.side(Who::Primary).is_none_or(|side| side.conn.is_none() || side.conn != standing)
    }
}
