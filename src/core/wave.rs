//! Attempts that begin together share an epoch.
//!
//! Votes are counted for each group, but the epoch is one for all of them, and nobody votes in an epoch that is over. If
//! each of a hundred groups that are lost at once took an epoch of its own, the daemons that lead them would
//! end each other's elections. A group in which this epoch has not been used may as well be led in it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::Level;
use super::ballot;
use super::group::Group;
use super::shared::Cx;
use super::time::Time;

/// How long an epoch is new: longer than detection is spread over, and a small part of the time between two attempts.
const NEW: Duration = Duration::from_millis(2000);

/// The current epoch and since when it is that.
#[derive(Debug)]
pub(crate) struct Wave {
    epoch: u64,
    since: Option<Time>,
}

impl Wave {
    /// The epoch of the start is an old one.
    pub(crate) const fn new(epoch: u64) -> Self {
        Self { epoch, since: None }
    }

    /// Whether the current epoch, which is told, is new at `now`.
    pub(crate) fn is_new(&self, epoch: u64, now: Time) -> bool {
        !self.is_of(epoch) || self.since.is_some_and(|since| now < since + NEW)
    }

    /// Takes note of the current epoch; whether it is another one.
    pub(crate) const fn see(&mut self, epoch: u64, now: Time) -> bool {
        let other = !self.is_of(epoch);
        if other {
            *self = Self { epoch, since: Some(now) };
        }
        other
    }

    /// Whether note was taken of that epoch last.
    pub(crate) const fn is_of(&self, epoch: u64) -> bool {
        self.epoch == epoch
    }
}

impl Group {
    /// The epoch of an attempt that begins now. Who acts on an operator's word asks nobody, and so shares with nobody.
    pub(crate) fn attempt_epoch(&self, forced: bool, cx: &mut Cx<'_>) -> u64 {
        let epoch = cx.shared.current_epoch;
        if !forced && self.may_be_led_in(epoch, cx) {
            return epoch;
        }
        let epoch = ballot::next(epoch);
        cx.shared.current_epoch = epoch;
        cx.own_event(Level::Warning, "+new-epoch", epoch.to_string());
        epoch
    }

    /// Nobody can be elected in the epoch of this attempt any more: because the votes are split, or because other groups
    /// brought a later one about, in which alone votes are given. The candidates stand again, one after the other as at the
    /// beginning. The time for the election goes on.
    pub(crate) fn stand_again(&mut self, cx: &mut Cx<'_>) {
        let current = cx.shared.current_epoch;
        let Some(failover) = self.failover.as_ref() else { return };
        if cx.shared.quirks.slow() {
            return;
        }
        if !failover.own_vote_saved || failover.forced || self.ballot.epoch != failover.epoch {
            return;
        }
        let overtaken = failover.epoch < current && self.may_be_led_in(current, cx);
        if !overtaken && !self.split(failover.epoch, cx) {
            return;
        }
        let Some(again_at) = failover.again_at else {
            let again_at = cx.now + Duration::from_millis(self.turn_delay_ms(cx));
            if let Some(failover) = &mut self.failover {
                failover.again_at = Some(again_at);
            }
            self.stand_again(cx);
            return;
        };
        if !cx.due(again_at, "stand again") {
            return;
        }
        let epoch = self.attempt_epoch(false, cx);
        if let Some(failover) = &mut self.failover {
            failover.epoch = epoch;
            failover.own_vote_saved = false;
            failover.again_at = None;
        }
        self.vote_for_oneself(epoch, cx);
    }

    /// Whether all that can be asked have voted at that epoch, and no candidate can have enough votes, those included
    /// that can't be asked. A quorum of more than there are is no matter of the epoch: another one would end the same way, and
    /// at once.
    fn split(&self, epoch: u64, cx: &Cx<'_>) -> bool {
        let needed = ballot::needed(self.peers.len(), self.options.quorum);
        if needed > self.peers.len() + 1 {
            return false;
        }
        let (mut votes, mut unknown) = (BTreeMap::from([(cx.shared.my_id.as_str(), 1)]), 0);
        for peer in self.peers.values() {
            let ballot = peer.peer().map(|peer| &peer.ballot).filter(|ballot| ballot.epoch == epoch);
            match ballot.and_then(|ballot| ballot.leader.as_deref()) {
                Some(leader) => *votes.entry(leader).or_default() += 1,
                None if peer.is_down() => unknown += 1,
                None => return false,
            }
        }
        votes.values().all(|votes| votes + unknown < needed)
    }

    /// Whether this group may have a leader in the current epoch, which other groups brought about.
    fn may_be_led_in(&self, epoch: u64, cx: &Cx<'_>) -> bool {
        cx.shared.index.len() > 1
            && !cx.shared.quirks.slow()
            && cx.shared.wave.is_new(epoch, cx.now)
            && self.ballot.epoch < epoch
            && self.config_epoch < epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_new_for_a_while() {
        let at = Time::from_millis;
        let mut wave = Wave::new(4);
        assert!(!wave.is_new(4, at(10)), "of the start");
        wave.see(5, at(1000));
        wave.see(5, at(2000));
        assert!(wave.is_new(5, at(2999)));
        assert!(!wave.is_new(5, at(3000)));
        assert!(wave.is_new(6, at(3000)));
    }
}
