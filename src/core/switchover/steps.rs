//! The steps of a planned switchover, each taken as soon as its condition holds.

use std::time::Duration;

use super::sides::Who;
use super::{Ask, Report, Side, Step, Wanted, is_no_right};
use crate::core::action::{FailoverResult, Level};
use crate::core::group::{Group, State, Which};
use crate::core::instance::{Instance, Role};
use crate::core::quirks::Mistake;
use crate::core::shared::Cx;
use crate::core::time::Time;

/// How long the two may take to answer well before anything is touched.
const COMPARE_LIMIT: Duration = Duration::from_secs(5);
/// How far the candidate may be behind when writes are held back.
const CLOSE: u64 = 1 << 20;
/// A question that had no good answer is asked again after so long.
const AGAIN: Duration = Duration::from_millis(20);
/// The candidate is asked how far it is as fast as it answers for so long, then at this pace.
const KEEN: Duration = Duration::from_millis(20);
const MOST_KEEN: u32 = 500;
const PACE: Duration = Duration::from_millis(5);
/// An old primary that is to be one again is told so again after so long.
const RESTORE_AGAIN: Duration = Duration::from_millis(100);
/// The candidate may take so long to say that it obeyed before the old primary is asked, and so long lie between two such questions.
const WITNESS: Duration = Duration::from_millis(200);
/// How long the candidate may take for the rest of the stream once the old primary is its replica.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);
/// How long what one of the two said counts; only a daemon that was held up lets more time pass.
const RELIABLE: Duration = DRAIN_LIMIT;

impl Group {
    /// The next step, if its condition holds; called in state send_slaveof_noone.
    pub(crate) fn switchover_step(&mut self, cx: &mut Cx<'_>) -> bool {
        match self.switchover().map(|switchover| switchover.step) {
            None => false,
            Some(Step::Compare) => self.compare(cx),
            Some(Step::Pause) => self.pause(cx),
            Some(Step::CatchUp) => self.catch_up(cx),
            Some(Step::Demote) => self.demote(cx),
            Some(Step::Promote) => self.promote(cx),
            Some(Step::Restore) => self.restore(cx),
        }
    }

    /// Another daemon is ahead: this one voted for it.
    fn is_overtaken(&self) -> bool {
        self.failover.as_ref().is_some_and(|failover| self.ballot.epoch > failover.epoch)
    }

    fn compare(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(since) = self.switchover().map(|switchover| switchover.step_at) else { return false };
        let (primary, candidate) = (self.report(Who::Primary, cx), self.report(Who::Candidate, cx));
        let works = primary.as_ref().map(|report| report.role == Role::Primary);
        if let (Some(primary), Some(candidate)) = (&primary, &candidate) {
            let near = primary.stream.saturating_sub(candidate.applied) <= CLOSE;
            // After a full copy the stream itself begins up to a second later, though both call the link up.
            let seen = self.switchover_mut().map(|switchover| *switchover.seen.get_or_insert(primary.stream));
            let flows = seen.is_some_and(|seen| candidate.applied >= seen);
            let ready = near && flows && attached(candidate, primary);
            if works == Some(true) && ready && !self.is_overtaken() {
                self.hold_writes(cx);
                return true;
            }
        }
        let late = cx.due(since + COMPARE_LIMIT.min(self.options.failover_timeout), "both ready");
        if late || self.gone(Who::Primary) || self.gone(Who::Candidate) {
            if works == Some(true) {
                self.give_up("-failover-abort-slave-timeout", FailoverResult::ReplicaTimeout, cx);
            } else {
                self.give_up("-failover-abort-master-timeout", FailoverResult::PrimaryTimeout, cx);
            }
            return false;
        }
        if primary.is_some() && candidate.is_some() && self.asks_again(AGAIN, "ask again", cx) {
            self.ask_how_far(Who::Primary, cx);
            self.ask_how_far(Who::Candidate, cx);
        }
        false
    }

    fn hold_writes(&mut self, cx: &mut Cx<'_>) {
        let pause = self.write_pause(cx);
        self.go(Step::Pause, cx);
        if let Some(switchover) = self.switchover_mut() {
            switchover.paused_at = cx.now;
        }
        // From here on nothing is published there: it would wait, and all that comes behind it.
        self.writes_held_until = Some(cx.now + pause);
        self.order(&["CLIENT", "PAUSE", &pause.as_millis().to_string(), "WRITE"], cx);
        self.ask_how_far(Who::Primary, cx);
    }

    /// The last moment at which the primary may be told to follow: its answer must come while writes are held back.
    fn last_moment(&self, cx: &Cx<'_>) -> Time {
        let paused_at = self.switchover().map_or(cx.now, |switchover| switchover.paused_at);
        paused_at + self.write_pause(cx).mul_f64(0.75)
    }

    fn pause(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(switchover) = self.switchover() else { return false };
        if let Some(Err(text)) = &switchover.ordered {
            let text = text.clone();
            return self.pause_refused(&text, cx);
        }
        let (agreed, wanted) = (switchover.ordered.is_some(), self.last_moment(cx));
        if cx.due(wanted, "writes held back") || self.lost_primary(cx) {
            self.undo(cx);
            return false;
        }
        let Some(report) = self.report(Who::Primary, cx).filter(|_| agreed) else { return false };
        if report.role != Role::Primary {
            self.undo(cx);
            return false;
        }
        self.note_right("client|pause", &crate::resp::Reply::OK, cx);
        self.go(Step::CatchUp, cx);
        if let Some(switchover) = self.switchover_mut() {
            switchover.target = report.stream;
            switchover.primary.report = Some(report);
        }
        true
    }

    /// The primary does not hold writes back.
    fn pause_refused(&mut self, text: &str, cx: &mut Cx<'_>) -> bool {
        self.writes_held_until = None;
        let shown: String = text.chars().take(200).collect();
        if is_no_right(text) {
            self.note_right("client|pause", &crate::resp::Reply::error(text), cx);
            if self.switchover().is_some_and(|switchover| switchover.wanted == Wanted::Plain) {
                let text = "Going on as Sentinel does: writes to the old master may be lost";
                cx.log(Level::Warning, Some(self), text.to_owned());
                if let Some(failover) = &mut self.failover {
                    failover.switchover = None;
                }
                return true;
            }
        }
        cx.log(Level::Warning, Some(self), format!("The master refuses to hold writes back: {shown}"));
        self.give_up("-failover-abort-master-refused", FailoverResult::PrimaryRefused, cx);
        false
    }

    fn catch_up(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(switchover) = self.switchover() else { return false };
        let (target, primary) = (switchover.target, switchover.primary.report.clone());
        let lost = self.standing(Who::Primary, cx).is_none();
        if cx.due(self.last_moment(cx), "candidate in step") || lost || self.is_overtaken() {
            self.undo(cx);
            return false;
        }
        let (Some(candidate), Some(primary)) = (self.report(Who::Candidate, cx), primary) else {
            return false;
        };
        if candidate.role == Role::Primary {
            self.undo(cx);
            return false;
        }
        let hasty = cx.shared.quirks.makes(Mistake::PromoteBehind);
        if (hasty || candidate.applied >= target) && attached(&candidate, &primary) {
            let Some(address) =
                self.which(Who::Candidate).and_then(|which| self.get(&which)).map(|i| i.address.clone())
            else {
                return false;
            };
            let side = self.side(Who::Candidate).map(std::mem::take).unwrap_or_default();
            self.go(Step::Demote, cx);
            // CONFIG REWRITE waits for the disk, and clients wait for this: it follows when the answer is here.
            let host = address.shown(cx.shared.announce_hostnames);
            self.order(&["SLAVEOF", &host, &address.port.to_string()], cx);
            self.ask_how_far(Who::Primary, cx);
            if let Some(switchover) = self.switchover_mut() {
                switchover.candidate = side;
            }
            return true;
        }
        self.ask_on(cx);
        false
    }

    /// Asks the candidate again: at once at first, then at a pace.
    fn ask_on(&mut self, cx: &mut Cx<'_>) {
        let Some(switchover) = self.switchover() else { return };
        let keen = cx.now < switchover.step_at + KEEN && switchover.asked < MOST_KEEN;
        let next = switchover.again_at + PACE;
        if keen || cx.due(next, "ask the candidate") {
            if let Some(switchover) = self.switchover_mut() {
                switchover.again_at = cx.now;
                switchover.asked += 1;
            }
            self.ask_how_far(Who::Candidate, cx);
            cx.wake_at(cx.now + PACE, "ask the candidate");
        }
    }

    /// What one of the two said, as far as a promotion may rest on it. A connection that broke since may have been the end
    /// of its process, and what comes back may be a primary that had not saved whom it follows, or a candidate without
    /// the data; so may be one that was last heard long ago. Only a primary that stays away is taken at its last word.
    fn last_word(&mut self, who: Who, cx: &mut Cx<'_>) -> Option<Report> {
        let standing = self.standing(who, cx);
        let side = self.side(who)?;
        let old = side.reported_at.is_some_and(|at| cx.now.since(at) > RELIABLE);
        let away = who == Who::Primary && standing.is_none();
        if old || side.conn != standing && !away {
            *side = Side::default();
        }
        self.report(who, cx)
    }

    fn demote(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(switchover) = self.switchover() else { return false };
        let (since, refusal) = (switchover.step_at, switchover.ordered.clone().and_then(Result::err));
        let Some(primary) = self.last_word(Who::Primary, cx) else {
            // Whether it obeyed is not known, and can't be undone either. If it did, it says that it is a replica, and
            // the fleet replaces it as any primary that says so.
            if cx.due(since + self.options.failover_timeout, "the primary's word") {
                self.undo(cx);
            }
            return false;
        };
        if primary.role == Role::Primary {
            if let Some(text) = refusal {
                let shown: String = text.chars().take(200).collect();
                cx.log(Level::Warning, Some(self), format!("The master refuses to follow: {shown}"));
                self.release_writes(cx);
                self.give_up("-failover-abort-master-refused", FailoverResult::PrimaryRefused, cx);
            } else {
                self.undo(cx);
            }
            return false;
        }
        if !self.follows_candidate(&primary, cx) || self.is_overtaken() {
            // Somebody else moves it.
            self.undo(cx);
            return false;
        }
        // What it had sent meanwhile: a PING to its replicas, or writes after a pause that was over too soon.
        let candidate = self.last_word(Who::Candidate, cx);
        let hasty = cx.shared.quirks.makes(Mistake::PromoteBehind);
        let drained =
            |report: &Report| hasty || report.role == Role::Primary || report.applied >= primary.stream;
        if !candidate.as_ref().is_some_and(drained) {
            if self.gone(Who::Candidate) || cx.due(since + DRAIN_LIMIT, "the rest of the stream") {
                self.take_back(cx);
                return true;
            }
            if candidate.is_some() {
                self.ask_on(cx);
            }
            return false;
        }
        if let Some(switchover) = self.switchover_mut() {
            switchover.target = primary.stream;
            switchover.history = primary.history;
        }
        self.tell(Who::Primary, &["CONFIG", "REWRITE"], Ask::Order(0), cx);
        self.go(Step::Promote, cx);
        true
    }

    /// Whether it says that it is the candidate's replica, and so nobody else's.
    fn follows_candidate(&self, report: &Report, cx: &Cx<'_>) -> bool {
        let candidate = self.which(Who::Candidate).and_then(|which| self.get(&which));
        candidate
            .zip(report.follows.as_ref())
            .is_some_and(|(candidate, (host, port))| cx.shared.names.equals(&candidate.address, host, *port))
    }

    /// The candidate is promoted, on the connection on which it said that it holds everything.
    fn promote(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(which) = self.which(Who::Candidate) else { return false };
        if self.is_overtaken() {
            self.undo(cx);
            return false;
        }
        if !self.reconfigure(&which, None, cx) {
            self.take_back(cx);
            return true;
        }
        cx.event(Level::Notice, "+failover-state-wait-promotion", self, &which, "");
        self.enter(State::WaitPromotion, cx);
        self.ask_what_became_of_it(&which, cx);
        true
    }

    /// Right behind the command, on its connection.
    fn ask_what_became_of_it(&mut self, which: &Which, cx: &mut Cx<'_>) {
        self.ask_info(which, cx);
        self.ask_how_far(Who::Candidate, cx);
        if let Some(switchover) = self.switchover_mut() {
            switchover.told_on = switchover.candidate.conn;
        }
    }

    /// Looks after a promotion that was told: over a new connection it is told again, if the candidate still holds
    /// everything. One that says on the connection of the command that it is no primary, that has lost data, or that is
    /// down, gives the old primary its role back. One that is down may have obeyed; nobody was told, and when it is back it
    /// is made a replica again like any stray one.
    pub(crate) fn watch_promotion(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(which) = self.which(Who::Candidate).filter(|_| self.switchover().is_some()) else {
            return false;
        };
        let since = self.failover.as_ref().map_or(cx.now, |failover| failover.state_at);
        let late = cx.due(since + self.options.failover_timeout, "failover-timeout");
        let report = self.last_word(Who::Candidate, cx).filter(|report| report.role == Role::Replica);
        let Some(switchover) = self.switchover() else { return false };
        let told = switchover.candidate.conn == switchover.told_on;
        let refused = report.as_ref().is_some_and(|report| told || report.applied < switchover.target);
        if report.is_none() && self.is_witnessed(cx) {
            self.commit(cx);
            return false;
        }
        if refused || late || self.gone(Who::Candidate) {
            self.take_back(cx);
            return true;
        }
        if report.is_some() && self.reconfigure(&which, None, cx) {
            self.ask_what_became_of_it(&which, cx);
        }
        false
    }

    /// The candidate is silent, perhaps cut off from here alone. The old primary tells whether it obeyed: their link stands, under
    /// the replication id that a promotion brings about.
    fn is_witnessed(&mut self, cx: &mut Cx<'_>) -> bool {
        let word = self.side(Who::Primary).and_then(|side| side.report.take());
        let Some(switchover) = self.switchover() else { return false };
        let risen =
            |old: &Report| old.role == Role::Replica && old.link_up && old.history != switchover.history;
        if word.is_some_and(|old| risen(&old) && self.follows_candidate(&old, cx)) {
            return true;
        }
        if self.asks_again(WITNESS, "the old primary's word", cx) {
            self.ask_how_far(Who::Primary, cx);
        }
        false
    }

    fn gone(&self, who: Who) -> bool {
        self.which(who).and_then(|which| self.get(&which)).is_none_or(Instance::is_down)
    }

    /// The candidate is no primary: the old one becomes one again.
    fn take_back(&mut self, cx: &mut Cx<'_>) {
        // Out of the state in which the candidate's word is the commit.
        self.enter(State::SendNoOne, cx);
        self.go(Step::Restore, cx);
    }

    fn restore(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(since) = self.switchover().map(|switchover| switchover.step_at) else { return false };
        if self.is_overtaken() || cx.due(since + self.options.failover_timeout, "failover-timeout") {
            self.undo(cx);
            return false;
        }
        if self.is_promoted(cx) {
            return true;
        }
        let Some(report) = self.report(Who::Primary, cx) else { return false };
        let Some(target) = self.switchover().map(|switchover| switchover.target) else { return false };
        if report.role == Role::Primary {
            self.release_writes(cx);
            self.give_up("-failover-abort-slave-timeout", FailoverResult::ReplicaTimeout, cx);
            return false;
        }
        // Another process by now, without the data; or somebody else moves it.
        if report.stream < target || !self.follows_candidate(&report, cx) {
            self.undo(cx);
            return false;
        }
        let Some(switchover) = self.switchover_mut() else { return false };
        let first = switchover.asked == 0;
        if first || cx.due(switchover.again_at + RESTORE_AGAIN, "restore again") {
            switchover.asked += 1;
            switchover.again_at = cx.now;
            for request in [&["MULTI"][..], &["SLAVEOF", "NO", "ONE"], &["CONFIG", "REWRITE"], &["EXEC"]] {
                self.tell(Who::Primary, request, Ask::Order(0), cx);
            }
            self.ask_how_far(Who::Primary, cx);
            cx.wake_at(cx.now + RESTORE_AGAIN, "restore again");
        }
        false
    }

    /// The candidate is a primary after all, and the old one was not yet told to be one again: on to the commit. Two of
    /// them would be worse than a late one.
    fn is_promoted(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some(which) = self.which(Who::Candidate).filter(|_| !self.gone(Who::Candidate)) else {
            return false;
        };
        let says = self.get(&which).and_then(Instance::data).map(|data| data.role);
        let untold = self.switchover().is_some_and(|switchover| switchover.asked == 0);
        if !untold || says != Some(Role::Primary) {
            return false;
        }
        self.go(Step::Promote, cx);
        self.enter(State::WaitPromotion, cx);
        self.ask_role(&which, cx);
        self.ask_how_far(Who::Candidate, cx);
        true
    }

    /// Writes go on at the primary; nothing was moved, or nothing more can be done about it.
    fn undo(&mut self, cx: &mut Cx<'_>) {
        self.release_writes(cx);
        self.give_up("-failover-abort-master-timeout", FailoverResult::PrimaryTimeout, cx);
    }

    fn give_up(&mut self, event: &'static str, result: FailoverResult, cx: &mut Cx<'_>) {
        cx.event(Level::Warning, event, self, &Which::Primary, "");
        self.abort(result, cx);
    }
}

/// A replica of that very primary, with the same history.
fn attached(candidate: &Report, primary: &Report) -> bool {
    candidate.role == Role::Replica && candidate.link_up && candidate.history == primary.history
}
