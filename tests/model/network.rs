//! What was ever said. It stays, and anybody may get any of it at any time, again, or never: so messages are lost,
//! repeated, late and out of order without a rule for each.

use std::collections::BTreeSet;

use vedette::core::ballot::Ballot;

/// A daemon, counted from 0.
pub(crate) type Id = usize;

/// A daemon's id as the others see it.
pub(crate) fn name(id: Id) -> &'static str {
    ["a", "b", "c", "d", "e"][id]
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Network {
    /// Who seeks votes at which epoch: goes to everybody.
    pub(crate) sought: BTreeSet<(Id, u64)>,
    /// Whose answer shows which vote. Whoever is named in it may hear of it, be it he who asked or not.
    pub(crate) votes: BTreeSet<(Id, Ballot)>,
    /// Epochs in hellos.
    pub(crate) hellos: BTreeSet<u64>,
}

impl Network {
    pub(crate) fn seek(&mut self, from: Id, epoch: u64) {
        self.sought.insert((from, epoch));
    }

    /// An answer that names nobody is heard by nobody.
    pub(crate) fn answer(&mut self, from: Id, vote: Ballot) {
        if vote.leader.is_some() {
            self.votes.insert((from, vote));
        }
    }

    pub(crate) fn hello(&mut self, epoch: u64) {
        self.hellos.insert(epoch);
    }

    /// All votes that a daemon let others know of at an epoch, its own for itself included.
    pub(crate) fn told(&self, voter: Id, epoch: u64) -> BTreeSet<&str> {
        let told = self.votes.iter().filter(|(from, vote)| *from == voter && vote.epoch == epoch);
        let own = self.sought.contains(&(voter, epoch)).then(|| name(voter));
        told.filter_map(|(_, vote)| vote.leader.as_deref()).chain(own).collect()
    }
}
