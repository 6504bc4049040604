//! Nothing that promises a vote, an epoch or a primary leaves a daemon before it is on its disk.
//!
//! In a planned switchover the primary follows the replica that is about to be promoted: nothing is promised by that, for
//! whoever finds it so replaces it.
//!
//! A vote that can't be saved is not given. A promotion or a newer configuration is a fact that others hold too: it is
//! followed also by a daemon whose disk refuses it.
//!
//! Source: Redis's Sentinel documentation, "Sentinel persistent state": the state is written before it is
//! acted upon, so that a Sentinel may stop at any time; Raft, figure 2: "updated on stable storage before responding".

use std::collections::BTreeSet;

use super::Invariant;
use crate::sim::facts::{Fact, Seen, address, canonical, group};
use crate::sim::plan::DaemonId;

/// For each daemon and group, the primaries that were on its disk at some time. Clients may be sent to an earlier one while
/// a later one is being taken over: that it never goes back is a rule of its own.
#[derive(Debug, Default)]
pub(super) struct SavedFirst {
    ever: BTreeSet<(DaemonId, String, String)>,
    /// Those that a process followed although the disk refused them: the same holds for them while it lives.
    in_memory: BTreeSet<(DaemonId, String, String)>,
    /// Groups that were removed, and perhaps set up again, since the last write: all that is known of them is the operator's
    /// word.
    by_hand: BTreeSet<(DaemonId, String)>,
}

impl Invariant for SavedFirst {
    fn name(&self) -> &'static str {
        "saved before it leaves"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        let news = matches!(seen.fact, Fact::Started { .. } | Fact::Saved);
        for group in seen.saved.groups.iter().filter(|_| news) {
            self.ever.insert((d, group.name.as_str().to_owned(), address(group)));
        }
        if news {
            self.by_hand.retain(|(who, group)| *who != d || seen.is_overtaken(group));
        }
        if let Fact::Started { .. } = seen.fact {
            self.in_memory.retain(|(who, ..)| *who != d);
        }
        if let Fact::Forgot { group: Some(group), .. } = seen.fact {
            self.by_hand.insert((d, group.clone()));
        }
        let by_hand = |name: &str| self.by_hand.contains(&(d, name.to_owned()));
        let saved = |name: &str| group(seen.saved, name);
        let not_below = |what: &str, name: &str, told: u64, held: u64| {
            if told <= held {
                return Ok(());
            }
            Err(format!("d{d} lets out {what} {told} of {name}, on its disk is {held}"))
        };
        match seen.fact {
            // Told late, and forgotten since.
            Fact::Voted { group, epoch, .. } if seen.ledger.has_forgotten(d, group, *epoch) => Ok(()),
            Fact::Voted { group, epoch, .. } => {
                not_below("a vote of epoch", group, *epoch, saved(group).map_or(0, |g| g.leader_epoch))
            }
            Fact::Asked { group, epoch, candidate, .. } => {
                not_below("a request of epoch", group, *epoch, seen.saved.current_epoch)?;
                let Some(attempt) = candidate.as_ref().and_then(|_| seen.ledger.current(d, group)) else {
                    return Ok(());
                };
                let voted = saved(group).map_or(0, |g| g.leader_epoch);
                not_below("a request that rests on its own vote of epoch", group, attempt.epoch, voted)
            }
            Fact::HelloSent(hello) => {
                not_below("a hello of epoch", &hello.group, hello.current_epoch, seen.saved.current_epoch)?;
                let Some(saved) = saved(&hello.group).filter(|_| !seen.refused) else { return Ok(()) };
                not_below("a configuration of epoch", &hello.group, hello.config_epoch, saved.config_epoch)?;
                // The first configuration is the operator's word.
                let told = hello.config_epoch > 0 && hello.config_epoch == saved.config_epoch;
                if told && hello.address != address(saved) {
                    return Err(format!(
                        "d{d} says that {} is the primary of {}, on its disk is {}",
                        hello.address,
                        hello.group,
                        address(saved)
                    ));
                }
                Ok(())
            }
            Fact::Slaveof { group, target: None, .. } => {
                let epoch = seen.ledger.current(d, group).map_or(0, |attempt| attempt.epoch);
                not_below("a promotion in epoch", group, epoch, seen.saved.current_epoch)
            }
            Fact::Slaveof { group, node, target: Some(target), .. } => {
                let held = saved(group).map(address);
                let handover = seen.ledger.current(d, group).and_then(|attempt| attempt.handover.as_ref());
                let given = handover
                    .is_some_and(|(old, new)| held.as_ref() == Some(old) && old == node && new == target);
                if given || held.as_ref() == Some(target) || seen.refused {
                    return Ok(());
                }
                Err(format!(
                    "d{d} makes {node} follow {target} in {group}, on its disk the primary is {held:?}"
                ))
            }
            Fact::Pointed { group, .. } if by_hand(group) => Ok(()),
            Fact::Pointed { group, address: told } => {
                let held = saved(group).map(address);
                let known = (d, group.clone(), told.clone());
                let followed = self.ever.contains(&known) || self.in_memory.contains(&known);
                // What an operator has only now told to watch rests on his word.
                if held.is_none() || followed || seen.refused {
                    return Ok(());
                }
                Err(format!("d{d} sends clients of {group} to {told}, on its disk the primary is {held:?}"))
            }
            Fact::Event { event, .. } if event.name == "+switch-master" => {
                let words: Vec<&str> = event.payload.split(' ').collect();
                let [name, _, _, ip, port] = words[..] else { return Err(event.payload.clone()) };
                let told = format!("{}:{port}", canonical(ip));
                let held = saved(name).map(address);
                if seen.refused {
                    self.in_memory.insert((d, name.to_owned(), told));
                    return Ok(());
                }
                if held == Some(told) {
                    return Ok(());
                }
                Err(format!(
                    "d{d} publishes +switch-master {}, on its disk the primary is {held:?}",
                    event.payload
                ))
            }
            Fact::Event { .. }
            | Fact::Started { .. }
            | Fact::Saved
            | Fact::HelloHeard(_)
            | Fact::Forgot { .. }
            | Fact::Opinion { .. }
            | Fact::Forced { .. }
            | Fact::Told { .. } => Ok(()),
        }
    }
}
