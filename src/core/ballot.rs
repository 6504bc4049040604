//! The rules of the vote, and nothing else: pure functions, so that the model checker calls the very same ones.

use super::ids::SaveNo;
use super::saves::Saves;

/// Epochs from here on are refused: nobody counts so far, and the last one would end all elections. It is also the last
/// one that the file can hold.
pub const ABSURD_EPOCH: u64 = u64::MAX / 2;

/// The last vote that a daemon gave in one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// For whom: an id. It is lost at a restart.
    pub leader: Option<String>,
    /// At which epoch; 0 if never. It is kept.
    pub epoch: u64,
}

/// What became of a question for a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// The question brought a higher epoch than was known: to be saved.
    pub new_epoch: bool,
    /// The vote was given: to be saved.
    pub voted: bool,
}

/// When an answer that shows a vote or an epoch may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// All of it is on the disk.
    Now,
    /// After that save, if it succeeds.
    After(SaveNo),
    /// It did not reach the disk and nobody is at it: a save is to be asked for first.
    AfterNewSave,
}

impl Ballot {
    /// What is known after a restart of a vote at `epoch`.
    #[must_use]
    pub const fn restored(epoch: u64) -> Self {
        Self { leader: None, epoch }
    }

    /// Somebody seeks this daemon's vote for `candidate` at `epoch`: it is given if it is still free. One vote an epoch,
    /// first come, first served, and none in an epoch that is over.
    pub fn cast(&mut self, current_epoch: &mut u64, epoch: u64, candidate: &str) -> Cast {
        let new_epoch = raise(current_epoch, epoch);
        let voted = self.epoch < epoch && *current_epoch <= epoch;
        if voted {
            *self = Self { leader: Some(candidate.to_owned()), epoch };
        }
        Cast { new_epoch, voted }
    }

    /// Whether this is a vote for that candidate at that epoch.
    #[must_use]
    pub fn is_for(&self, candidate: &str, epoch: u64) -> bool {
        self.epoch == epoch && self.leader.as_deref() == Some(candidate)
    }
}

/// The epoch of an attempt that begins now. There is none behind the absurd one: attempts at it again have no vote left,
/// not even the own one, and so come to nothing.
#[must_use]
pub fn next(current_epoch: u64) -> u64 {
    current_epoch.saturating_add(1).min(ABSURD_EPOCH)
}

/// Takes a higher epoch over; whether it was higher.
pub fn raise(current_epoch: &mut u64, heard: u64) -> bool {
    let higher = heard > *current_epoch;
    *current_epoch = (*current_epoch).max(heard);
    higher
}

/// Votes for a candidate: its own, and those that it was told of.
pub fn votes<'a>(own: &Ballot, told: impl Iterator<Item = &'a Ballot>, candidate: &str, epoch: u64) -> usize {
    usize::from(own.is_for(candidate, epoch)) + told.filter(|ballot| ballot.is_for(candidate, epoch)).count()
}

/// More than half of all known daemons: of `peers` and this one, dead ones too.
#[must_use]
pub const fn majority(peers: usize) -> usize {
    peers.div_ceil(2) + 1
}

/// Votes that it takes to lead: a majority, and never fewer than the quorum.
#[must_use]
pub fn needed(peers: usize, quorum: u32) -> usize {
    majority(peers).max(usize::try_from(quorum).unwrap_or(usize::MAX))
}

/// When an answer that shows the own vote may leave.
#[must_use]
pub fn telling<W>(saves: &Saves<W>) -> Telling {
    match saves.vote {
        Some(save) => Telling::After(save),
        None if saves.vote_failed => Telling::AfterNewSave,
        None => Telling::Now,
    }
}
