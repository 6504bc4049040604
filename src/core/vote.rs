//! One vote per group and epoch, on the disk before it is given.

use super::action::{Actions, Level, Observation};
use super::ballot::{ABSURD_EPOCH, Telling, telling, votes};
use super::engine::Engine;
use super::group::Group;
use super::ids::{ClientId, SaveNo};
use super::instance::Instance;
use super::quirks::Mistake;
use super::shared::{Cx, Deferred};
use super::time::Time;
use crate::resp::Reply;

/// Sentinel's desynchronisation: by how much the start of an attempt is shifted at most.
pub(crate) const DESYNC_MS: u64 = 1000;

impl Engine {
    /// SENTINEL IS-MASTER-DOWN-BY-ADDR: an opinion, and a vote if `run_id` is not `*`. The answer waits for the disk
    /// if it rests on a vote or an epoch that is not there yet; if it can't get there, no vote is given.
    #[allow(clippy::too_many_arguments)] // the words of the command
    pub(crate) fn asked(
        &mut self,
        client: ClientId,
        host: &str,
        port: u16,
        epoch: u64,
        run_id: &str,
        now: Time,
        out: &mut Actions,
    ) {
        let (mut cx, parts) = self.split(now, out);
        let found = cx.shared.index.with_primary(host, port, parts.groups, &cx.shared.names);
        let Some(group) = found.and_then(|id| parts.groups.get_mut(&id)) else {
            cx.reply(client, answer(false, None));
            return;
        };
        let down = group.primary.is_down() && !cx.shared.tilt.active();
        // At epoch 0 there is no vote to be had: somebody wants to know the last one, and doesn't hold the primary down.
        let doubted = epoch > 0 || run_id == "*";
        if down && doubted {
            group.ask_the_others();
            cx.shared.touched.insert(group.id);
        }
        if let Some(seat) = &group.seat {
            let meant = seat.committed.as_deref() == Some(run_id) && epoch == group.config_epoch;
            cx.reply(client, answer(down && (meant || run_id == "*"), None));
            return;
        }
        if run_id == "*" || epoch >= ABSURD_EPOCH {
            cx.reply(client, answer(down, None));
            return;
        }
        group.vote(epoch, run_id, &mut cx);
        // After a restart only the epoch of the last vote is known.
        let given = (group.ballot.leader.clone().unwrap_or_else(nobody), group.ballot.epoch);
        let reply = answer(down, Some(given));
        if cx.shared.quirks.makes(Mistake::VoteBeforeSave) {
            cx.reply(client, reply);
            return;
        }
        let save = match telling(&cx.shared.saves) {
            Telling::Now => {
                cx.reply(client, reply);
                return;
            }
            Telling::After(save) => save,
            Telling::AfterNewSave => cx.save_vote(),
        };
        cx.after(save, Deferred::Answer { client, saved: reply, failed: answer(down, None) });
    }
}

fn nobody() -> String {
    "*".to_owned()
}

fn answer(down: bool, vote: Option<(String, u64)>) -> Reply {
    let (leader, epoch) = vote.unwrap_or_else(|| (nobody(), 0));
    Reply::Array(vec![
        Reply::Int(i64::from(down)),
        Reply::bulk(leader),
        Reply::Int(i64::try_from(epoch).unwrap_or(i64::MAX)),
    ])
}

impl Group {
    /// Votes if this epoch's vote is still free. The save that the vote waits for, if one was given.
    pub(crate) fn vote(&mut self, epoch: u64, run_id: &str, cx: &mut Cx<'_>) -> Option<SaveNo> {
        let cast = self.ballot.cast(&mut cx.shared.current_epoch, epoch, run_id);
        // One write serves both: it takes the state as it is when it begins, which is after this input.
        let save = (cast.new_epoch || cast.voted).then(|| cx.save_vote());
        if cast.new_epoch {
            cx.own_event(Level::Warning, "+new-epoch", epoch.to_string());
        }
        if cast.voted {
            cx.group_event(Level::Warning, "+vote-for-leader", self, format!("{run_id} {epoch}"));
            cx.observe(Observation::Vote);
            if run_id != cx.shared.my_id {
                self.attempt_at = Some(self.shifted_now(cx));
            }
        }
        save
    }

    /// Since this attempt began, this daemon voted for somebody else's, of a later epoch: one of the replicas may be a primary
    /// by that, and not have been heard since. Four hello periods after the vote that would be known; sooner, when who was voted
    /// for has heard of this attempt's promotion and follows it.
    pub(crate) fn is_outvoted(&self, cx: &mut Cx<'_>) -> bool {
        let Some(failover) = &self.failover else { return false };
        if self.ballot.epoch <= failover.epoch || self.has_given_way(failover.epoch) {
            return false;
        }
        let wait = cx.shared.params.publish_period() * 4;
        self.attempt_at.is_some_and(|at| !cx.due(at + wait, "another's attempt"))
    }

    /// Who was voted for holds a configuration of that epoch by now. It began its attempt, in which it came to the epoch of the
    /// vote, with an older one: votes are asked for against the primary that is being replaced. So it has given the attempt up.
    fn has_given_way(&self, epoch: u64) -> bool {
        let leader = self.ballot.leader.as_ref().and_then(|leader| self.peers.get(leader)?.peer());
        leader.is_some_and(|leader| leader.epoch >= self.ballot.epoch && leader.config_epoch >= epoch)
    }

    /// Now, shifted by Sentinel's bit of chance.
    pub(crate) fn shifted_now(&self, cx: &mut Cx<'_>) -> Time {
        cx.now + std::time::Duration::from_millis(cx.shared.spread.below(DESYNC_MS))
    }

    /// Votes that this daemon has in its own attempt's epoch, its own included.
    pub(crate) fn votes_for_me(&self, epoch: u64, my_id: &str) -> usize {
        let told = self.peers.values().filter_map(Instance::peer).map(|peer| &peer.ballot);
        votes(&self.ballot, told, my_id, epoch)
    }
}
