//! One daemon as far as votes go: the real rules, with a disk that takes its time and may fail.

use vedette::core::ballot::{self, Ballot, Telling};
use vedette::core::ids::SaveNo;
use vedette::core::saves::Saves;

use crate::network::{Id, Network, name};
use crate::vote::Bug;

/// What outlives a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Disk {
    pub(crate) epoch: u64,
    pub(crate) leader_epoch: u64,
}

/// What waits for the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Waiting {
    /// An answer with this vote.
    Answer { vote: Ballot },
    /// The own vote at that epoch.
    OwnVote { epoch: u64 },
}

/// An attempt to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Attempt {
    pub(crate) epoch: u64,
    pub(crate) own_vote_saved: bool,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Daemon {
    pub(crate) current_epoch: u64,
    pub(crate) ballot: Ballot,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) saves: Saves<Waiting>,
    /// The newest request for a save.
    pub(crate) newest_save: Option<SaveNo>,
    /// The write that is under way: the requests that it covers and what it writes.
    pub(crate) writing: Option<(SaveNo, Disk)>,
    pub(crate) disk: Disk,
    /// The highest that was ever on the disk.
    pub(crate) highest: Disk,
}

impl Daemon {
    /// Begins an attempt; one that is under way has ended by its time-out.
    pub(crate) fn start(&mut self, me: Id, bug: Bug, network: &mut Network) {
        let epoch = ballot::next(self.current_epoch);
        self.current_epoch = epoch;
        self.attempt = Some(Attempt { epoch, own_vote_saved: false });
        self.ballot.cast(&mut self.current_epoch, epoch, name(me));
        let save = self.ask_for_save();
        if bug == Bug::VotesSoughtBeforeSaved {
            self.own_vote_saved(me, epoch, network);
        } else {
            self.saves.after(save, Waiting::OwnVote { epoch });
        }
    }

    /// A peer seeks this daemon's vote.
    pub(crate) fn asked(&mut self, me: Id, from: Id, epoch: u64, bug: Bug, network: &mut Network) {
        if bug == Bug::LastComeServed && self.ballot.epoch == epoch {
            self.ballot.epoch -= 1;
        }
        let cast = self.ballot.cast(&mut self.current_epoch, epoch, name(from));
        if cast.new_epoch || cast.voted {
            self.ask_for_save();
        }
        let vote = self.ballot.clone();
        let save = match ballot::telling(&self.saves) {
            Telling::Now => return network.answer(me, vote),
            Telling::After(_) | Telling::AfterNewSave if bug == Bug::VoteToldBeforeSaved => {
                return network.answer(me, vote);
            }
            Telling::After(save) => save,
            Telling::AfterNewSave => self.ask_for_save(),
        };
        let answer = Waiting::Answer { vote };
        // Asked twice, the same answer waits once: a second one would change nothing but the number of states.
        if !self.saves.waiting().any(|waiting| *waiting == answer) {
            self.saves.after(save, answer);
        }
    }

    /// A hello with an epoch.
    pub(crate) fn heard(&mut self, epoch: u64) {
        if ballot::raise(&mut self.current_epoch, epoch) {
            let save = self.saves.ask(self.current_epoch);
            self.newest_save = Some(save);
        }
    }

    /// The epoch at which this daemon leads if it hears of every vote that it may hear of.
    pub(crate) fn elected(&self, me: Id, needed: usize, network: &Network) -> Option<u64> {
        let Attempt { epoch, .. } = self.attempt.filter(|attempt| attempt.own_vote_saved)?;
        let told = network.votes.iter().filter(|(voter, _)| *voter != me).map(|(_, vote)| vote);
        (ballot::votes(&self.ballot, told, name(me), epoch) >= needed).then_some(epoch)
    }

    /// The disk, if it is idle and there is something to save, gets to work on the state as it is now.
    pub(crate) fn begin_write(&mut self) {
        if self.writing.is_some() {
            return;
        }
        if let Some(save) = self.newest_save.take() {
            let disk = Disk { epoch: self.current_epoch, leader_epoch: self.ballot.epoch };
            self.writing = Some((save, disk));
        }
    }

    /// The write that is under way ends.
    pub(crate) fn end_write(&mut self, me: Id, ok: bool, network: &mut Network) {
        let Some((upto, disk)) = self.writing.take() else { return };
        if ok {
            self.put_on_disk(disk);
        }
        let (done, epoch) = self.saves.answered(upto, ok);
        if let Some(epoch) = epoch {
            network.hello(epoch);
        }
        for what in done {
            match what {
                Waiting::Answer { vote } if ok => network.answer(me, vote),
                Waiting::OwnVote { epoch } if ok => self.own_vote_saved(me, epoch, network),
                Waiting::Answer { .. } | Waiting::OwnVote { .. } => {}
            }
        }
        // Nothing is left to wait for: numbers start again, so that states that differ in them alone are one.
        if ok && self.newest_save.is_none() {
            self.saves = Saves::default();
        }
    }

    /// The process dies, and starts again from what it saved. A write that was under way may have `landed`.
    pub(crate) fn crash(&mut self, landed: bool) {
        if let Some((_, disk)) = self.writing
            && landed
        {
            self.put_on_disk(disk);
        }
        *self = Self {
            current_epoch: self.disk.epoch,
            ballot: Ballot::restored(self.disk.leader_epoch),
            disk: self.disk,
            highest: self.highest,
            ..Self::default()
        };
    }

    fn put_on_disk(&mut self, disk: Disk) {
        self.disk = disk;
        self.highest.epoch = self.highest.epoch.max(disk.epoch);
        self.highest.leader_epoch = self.highest.leader_epoch.max(disk.leader_epoch);
    }

    fn own_vote_saved(&mut self, me: Id, epoch: u64, network: &mut Network) {
        if let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.epoch == epoch) {
            attempt.own_vote_saved = true;
            network.seek(me, epoch);
        }
    }

    fn ask_for_save(&mut self) -> SaveNo {
        let save = self.saves.ask_for_vote(self.current_epoch);
        self.newest_save = Some(save);
        save
    }
}
