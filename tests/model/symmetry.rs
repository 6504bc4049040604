//! Daemons differ in nothing but their names: of all states that are the same but for them one is looked at.

use stateright::Representative;
use vedette::core::ballot::Ballot;

use crate::daemon::{Daemon, Waiting};
use crate::network::{Id, Network, name};
use crate::vote::State;

impl Representative for State {
    /// The daemons in the order of what they are but for names. Some states that are the same are not seen to be: that
    /// costs time alone.
    fn representative(&self) -> Self {
        let mut order: Vec<Id> = (0..self.daemons.len()).collect();
        order.sort_by_key(|id| {
            let daemon = &self.daemons[*id];
            let own = daemon.ballot.leader.as_deref().map(|leader| leader == name(*id));
            let sought = self.network.sought.iter().filter(|(from, _)| from == id).map(|(_, epoch)| *epoch);
            let led = self.leaders.iter().filter(|(_, leader)| leader == id).map(|(epoch, _)| *epoch);
            (
                (daemon.current_epoch, daemon.ballot.epoch, own, daemon.attempt, daemon.disk),
                (daemon.newest_save, daemon.writing, daemon.saves.waiting().count()),
                (sought.collect::<Vec<_>>(), led.collect::<Vec<_>>()),
            )
        });
        let mut place = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            place[*old] = new;
        }
        let daemon = |old: &Id| renamed_daemon(&self.daemons[*old], &place);
        Self {
            daemons: order.iter().map(daemon).collect(),
            network: Network {
                sought: self.network.sought.iter().map(|(from, epoch)| (place[*from], *epoch)).collect(),
                votes: self
                    .network
                    .votes
                    .iter()
                    .map(|(from, vote)| (place[*from], renamed(vote, &place)))
                    .collect(),
                hellos: self.network.hellos.clone(),
            },
            leaders: self.leaders.iter().map(|(epoch, id)| (*epoch, place[*id])).collect(),
            ..*self
        }
    }
}

fn renamed_daemon(daemon: &Daemon, place: &[Id]) -> Daemon {
    let mut daemon = Daemon { ballot: renamed(&daemon.ballot, place), ..daemon.clone() };
    for waiting in daemon.saves.waiting_mut() {
        match waiting {
            Waiting::Answer { vote } => *vote = renamed(vote, place),
            Waiting::OwnVote { .. } => {}
        }
    }
    daemon
}

fn renamed(vote: &Ballot, place: &[Id]) -> Ballot {
    let new = |old: &str| (0..place.len()).find(|id| name(*id) == old).map(|id| name(place[id]).to_owned());
    Ballot { leader: vote.leader.as_deref().and_then(new), epoch: vote.epoch }
}
