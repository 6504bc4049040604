//! The model: some daemons that vote, a network and disks that do what they like, and what must hold all the same.

use std::collections::BTreeSet;

use stateright::{Model, Property};
use vedette::core::ballot;

use crate::daemon::Daemon;
use crate::network::{Id, Network};

/// A mistake that is put in on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Bug {
    #[default]
    None,
    /// The answer to a question leaves before the vote in it is on the disk.
    VoteToldBeforeSaved,
    /// Votes are asked for, and counted, before the own one is on the disk.
    VotesSoughtBeforeSaved,
    /// Votes enough for the quorum are enough, be they a majority or not.
    QuorumIsEnough,
    /// Whoever asks last gets the vote.
    LastComeServed,
}

/// See the module. The bounds keep the number of states finite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vote {
    pub(crate) daemons: usize,
    pub(crate) quorum: u32,
    /// No attempt begins at a later one.
    pub(crate) last_epoch: u64,
    /// How often a daemon may die, all together.
    pub(crate) crashes: usize,
    /// How often a write may fail, all together.
    pub(crate) failures: usize,
    /// A write may begin long after it was asked for; otherwise it begins at once unless another one is under way.
    pub(crate) slow_disk: bool,
    pub(crate) bug: Bug,
}

/// The daemons, what they said, and what went wrong so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) daemons: Vec<Daemon>,
    pub(crate) network: Network,
    pub(crate) crashes: usize,
    pub(crate) failures: usize,
    /// Who was ever elected, at which epoch.
    pub(crate) leaders: BTreeSet<(u64, Id)>,
}

/// What may happen next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// An attempt begins.
    Start(Id),
    /// `to` gets the question of `from`.
    Ask {
        from: Id,
        to: Id,
        epoch: u64,
    },
    /// The answers that it takes have come.
    Lead(Id),
    Hello {
        to: Id,
        epoch: u64,
    },
    BeginWrite(Id),
    EndWrite {
        of: Id,
        ok: bool,
    },
    Crash {
        of: Id,
        landed: bool,
    },
}

impl Vote {
    fn needed(&self) -> usize {
        match self.bug {
            Bug::QuorumIsEnough => usize::try_from(self.quorum).unwrap(),
            Bug::None | Bug::VoteToldBeforeSaved | Bug::VotesSoughtBeforeSaved | Bug::LastComeServed => {
                ballot::needed(self.daemons - 1, self.quorum)
            }
        }
    }
}

impl Model for Vote {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            daemons: vec![Daemon::default(); self.daemons],
            network: Network::default(),
            crashes: 0,
            failures: 0,
            leaders: BTreeSet::new(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (id, daemon) in state.daemons.iter().enumerate() {
            if daemon.current_epoch < self.last_epoch {
                actions.push(Action::Start(id));
            }
            if daemon.elected(id, self.needed(), &state.network).is_some() {
                actions.push(Action::Lead(id));
            }
            for &(from, epoch) in state.network.sought.iter().filter(|(from, _)| *from != id) {
                actions.push(Action::Ask { from, to: id, epoch });
            }
            for &epoch in state.network.hellos.iter().filter(|epoch| **epoch > daemon.current_epoch) {
                actions.push(Action::Hello { to: id, epoch });
            }
            if daemon.writing.is_some() {
                actions.push(Action::EndWrite { of: id, ok: true });
                if state.failures < self.failures {
                    actions.push(Action::EndWrite { of: id, ok: false });
                }
            } else if self.slow_disk && daemon.newest_save.is_some() {
                actions.push(Action::BeginWrite(id));
            }
            if state.crashes < self.crashes {
                actions.push(Action::Crash { of: id, landed: false });
                if daemon.writing.is_some() {
                    actions.push(Action::Crash { of: id, landed: true });
                }
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let State { daemons, network, .. } = &mut state;
        match action {
            Action::Start(id) => daemons[id].start(id, self.bug, network),
            Action::Ask { from, to, epoch } => daemons[to].asked(to, from, epoch, self.bug, network),
            Action::Lead(id) => {
                let epoch = daemons[id].elected(id, self.needed(), network)?;
                daemons[id].attempt = None;
                state.leaders.insert((epoch, id));
            }
            Action::Hello { to, epoch } => daemons[to].heard(epoch),
            Action::BeginWrite(id) => daemons[id].begin_write(),
            Action::EndWrite { of, ok } => {
                daemons[of].end_write(of, ok, network);
                state.failures += usize::from(!ok);
            }
            Action::Crash { of, landed } => {
                daemons[of].crash(landed);
                state.crashes += 1;
            }
        }
        if !self.slow_disk {
            state.daemons.iter_mut().for_each(Daemon::begin_write);
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one leader an epoch", |model: &Self, state: &State| {
                (1..=model.last_epoch)
                    .all(|epoch| state.leaders.iter().filter(|(at, _)| *at == epoch).count() <= 1)
            }),
            Property::always("one vote an epoch", |model: &Self, state: &State| {
                let voters = 0..model.daemons;
                voters.into_iter().all(|voter| {
                    (1..=model.last_epoch).all(|epoch| state.network.told(voter, epoch).len() <= 1)
                })
            }),
            Property::always("nothing on a disk goes back", |_: &Self, state: &State| {
                state.daemons.iter().all(|daemon| daemon.disk == daemon.highest)
            }),
            Property::always("what is told is on the disk", |_: &Self, state: &State| {
                let disk = |id: Id| state.daemons[id].disk;
                let votes = state.network.votes.iter();
                let mut sought = state.network.sought.iter();
                let saved = state.daemons.iter().map(|daemon| daemon.disk.epoch).max();
                votes.into_iter().all(|(from, vote)| disk(*from).leader_epoch >= vote.epoch)
                    && sought.all(|(from, epoch)| disk(*from).leader_epoch >= *epoch)
                    && state.network.hellos.iter().all(|epoch| Some(*epoch) <= saved)
            }),
            // Else the rest would say little.
            Property::sometimes("elected", |_: &Self, state: &State| !state.leaders.is_empty()),
            Property::sometimes(
                "elected at the last epoch, after everything that may go wrong",
                |model: &Self, state: &State| {
                    state.crashes == model.crashes
                        && state.failures == model.failures
                        && state.leaders.iter().any(|(epoch, _)| *epoch == model.last_epoch)
                },
            ),
            Property::sometimes("a leader at every epoch", |model: &Self, state: &State| {
                (1..=model.last_epoch).all(|epoch| state.leaders.iter().any(|(at, _)| *at == epoch))
            }),
        ]
    }
}
