//! The attempts of failover of the whole fleet, as their events and commands show them.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Fact;
use super::invariants::vote;
use super::plan::DaemonId;

/// One daemon's attempt to fail a group over.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) daemon: DaemonId,
    pub(crate) epoch: u64,
    /// SENTINEL FAILOVER: no vote is asked for.
    pub(crate) forced: bool,
    pub(crate) elected: bool,
    /// Whom SLAVEOF NO ONE was sent to.
    pub(crate) promoted: Option<String>,
    /// Who was told to follow whom before that: the primary and the candidate of a planned switchover.
    pub(crate) handover: Option<(String, String)>,
}

impl Attempt {
    /// A planned switchover: it may lose nothing.
    pub(crate) const fn is_planned(&self) -> bool {
        self.handover.is_some()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    attempts: BTreeMap<(String, u64), Vec<Attempt>>,
    /// The epoch of the attempt that a daemon is at.
    current: BTreeMap<(DaemonId, String), u64>,
    forced: BTreeMap<(DaemonId, String), bool>,
    /// Votes given away, and whether the daemon was made to forget it.
    votes: BTreeMap<(String, u64, DaemonId), (String, bool)>,
    /// Epochs in which a vote was given twice after the first was forgotten, or that a minority decided of which some
    /// had been made to forget their peers.
    loose: BTreeSet<(String, u64)>,
    forgetful: BTreeSet<DaemonId>,
    /// Up to which epoch a daemon's votes in a group are forgotten, though some may be told late.
    forgotten: BTreeMap<(DaemonId, String), u64>,
    fleet: usize,
}

impl Ledger {
    /// Takes a fact in, before any invariant sees it.
    pub(crate) fn note(&mut self, daemon: DaemonId, fact: &Fact) {
        self.note_vote(daemon, fact);
        match fact {
            Fact::Forgot { group, epoch } => {
                self.forgetful.insert(daemon);
                if let Some(group) = group {
                    let upto = self.forgotten.entry((daemon, group.clone())).or_default();
                    *upto = (*upto).max(*epoch);
                }
                for ((of, _, who), (_, forgotten)) in &mut self.votes {
                    *forgotten |= *who == daemon && group.as_ref().is_none_or(|name| name == of);
                }
                self.current
                    .retain(|(who, of), _| *who != daemon || group.as_ref().is_some_and(|name| name != of));
            }
            Fact::Started { fleet } => {
                self.fleet = *fleet;
                self.current.retain(|(who, _), _| *who != daemon);
                self.forced.retain(|(who, _), _| *who != daemon);
            }
            Fact::Forced { group } => {
                self.forced.insert((daemon, group.clone()), true);
            }
            Fact::Event { event, known } => {
                let Some(group) = &event.group else { return };
                let key = (daemon, group.as_str().to_owned());
                match event.name {
                    "+try-failover" => {
                        let forced = self.forced.remove(&key).unwrap_or(false);
                        self.current.insert(key.clone(), event.epoch);
                        self.attempts.entry((key.1, event.epoch)).or_default().push(Attempt {
                            daemon,
                            epoch: event.epoch,
                            forced,
                            elected: false,
                            promoted: None,
                            handover: None,
                        });
                    }
                    "+elected-leader" => {
                        let peers = known.as_ref().map_or(0, |known| known.known_sentinels.len());
                        if peers + 1 < self.fleet && self.is_forgetful(daemon) {
                            self.loose.insert((key.1.clone(), event.epoch));
                        }
                        if let Some(attempt) = self.current_mut(daemon, &key.1) {
                            attempt.elected = true;
                        }
                    }
                    "-failover-abort-not-elected"
                    | "-failover-abort-no-good-slave"
                    | "-failover-abort-slave-timeout"
                    | "-failover-abort-master-timeout"
                    | "-failover-abort-master-refused"
                    | "+switch-master"
                    | "-monitor" => {
                        self.current.remove(&key);
                    }
                    "+reset-master" => {
                        // Peers are forgotten, too.
                        self.forgetful.insert(daemon);
                        self.current.remove(&key);
                    }
                    _ => {}
                }
            }
            Fact::Asked { group, candidate: Some(_), epoch, .. } => {
                let Some(mine) = self.current(daemon, group).filter(|mine| mine.epoch < *epoch) else {
                    return;
                };
                // It stands again, in an epoch that other groups brought about.
                let again = Attempt { epoch: *epoch, ..mine.clone() };
                self.current.insert((daemon, group.clone()), *epoch);
                self.attempts.entry((group.clone(), *epoch)).or_default().push(again);
            }
            Fact::Slaveof { group, node, target: None, .. } => {
                // A primary that gets its role back is promoted to nothing.
                if let Some(attempt) = self.current_mut(daemon, group)
                    && attempt.handover.as_ref().is_none_or(|(old, _)| old != node)
                {
                    attempt.promoted.get_or_insert_with(|| node.clone());
                }
            }
            Fact::Slaveof { group, node, target: Some(target), .. } => {
                if let Some(attempt) = self.current_mut(daemon, group)
                    && attempt.forced
                    && attempt.promoted.is_none()
                {
                    attempt.handover.get_or_insert_with(|| (node.clone(), target.clone()));
                }
            }
            Fact::Saved
            | Fact::HelloSent(_)
            | Fact::HelloHeard(_)
            | Fact::Asked { .. }
            | Fact::Opinion { .. }
            | Fact::Voted { .. }
            | Fact::Pointed { .. }
            | Fact::Told { .. } => {}
        }
    }

    /// The attempt that a daemon is at.
    pub(crate) fn current(&self, daemon: DaemonId, group: &str) -> Option<&Attempt> {
        let epoch = self.current.get(&(daemon, group.to_owned()))?;
        self.at(group, *epoch).iter().rev().find(|attempt| attempt.daemon == daemon)
    }

    /// All attempts at an epoch.
    pub(crate) fn at(&self, group: &str, epoch: u64) -> &[Attempt] {
        self.attempts.get(&(group.to_owned(), epoch)).map_or(&[], Vec::as_slice)
    }

    /// Two promotions were made in the same epoch, one of them on an operator's word, for a forced failover asks nobody;
    /// or by a daemon that was made to forget. Sentinel's protocol lets both happen.
    pub(crate) fn contested(&self, group: &str, epoch: u64) -> bool {
        let promoted = self.at(group, epoch).iter().filter(|attempt| attempt.promoted.is_some());
        promoted.clone().count() > 1
            && (self.is_loose(group, epoch) || promoted.clone().any(|attempt| attempt.forced))
    }

    /// Whether daemons that were made to forget decided in that epoch.
    pub(crate) fn is_loose(&self, group: &str, epoch: u64) -> bool {
        self.loose.contains(&(group.to_owned(), epoch))
    }

    /// Whether a daemon was ever made to forget something.
    pub(crate) fn is_forgetful(&self, daemon: DaemonId) -> bool {
        self.forgetful.contains(&daemon)
    }

    /// Whether a daemon was made to forget what it voted at that epoch.
    pub(crate) fn has_forgotten(&self, daemon: DaemonId, group: &str, epoch: u64) -> bool {
        self.forgotten.get(&(daemon, group.to_owned())).is_some_and(|upto| epoch <= *upto)
    }

    fn note_vote(&mut self, daemon: DaemonId, fact: &Fact) {
        let Some((group, leader, epoch)) = vote(fact) else { return };
        let key = (group.to_owned(), epoch, daemon);
        let late = self.has_forgotten(daemon, group, epoch);
        let first = self.votes.entry(key).or_insert_with(|| (leader.to_owned(), late));
        if first.1 && first.0 != leader {
            self.loose.insert((group.to_owned(), epoch));
            *first = (leader.to_owned(), late);
        }
    }

    /// Whether any epoch of the group is contested.
    pub(crate) fn ever_contested(&self, group: &str) -> bool {
        self.attempts.keys().any(|(name, epoch)| name == group && self.contested(name, *epoch))
    }

    /// How many attempts there were, and how many of them got as far as a promotion.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let all = self.attempts.values().flatten();
        (all.clone().count(), all.filter(|attempt| attempt.promoted.is_some()).count())
    }

    fn current_mut(&mut self, daemon: DaemonId, group: &str) -> Option<&mut Attempt> {
        let epoch = self.current.get(&(daemon, group.to_owned()))?;
        let attempts = self.attempts.get_mut(&(group.to_owned(), *epoch))?;
        attempts.iter_mut().rev().find(|attempt| attempt.daemon == daemon)
    }
}
