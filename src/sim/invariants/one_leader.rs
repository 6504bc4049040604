//! At most one daemon is elected, and at most one promotes, per group and epoch; who promotes was elected and promotes
//! one replica. A failover on an operator's word asks nobody and is held only to the last part.
//!
//! Source: Redis's Sentinel documentation, "Configuration epochs": an epoch is a version number unique to one failover.

use super::Invariant;
use crate::sim::facts::{Fact, Seen};

#[derive(Debug)]
pub(super) struct OneLeader;

impl Invariant for OneLeader {
    fn name(&self) -> &'static str {
        "one leader per group and epoch"
    }

    fn see(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let d = seen.daemon;
        match seen.fact {
            Fact::Event { event, .. } if event.name == "+elected-leader" => {
                let group = event.group.as_ref().map_or("", |group| group.as_str());
                let Some(mine) = seen.ledger.current(d, group) else {
                    return Err(format!("d{d} is elected in {group} without an attempt"));
                };
                let others = seen.ledger.at(group, mine.epoch).iter();
                let rival =
                    others.filter(|other| other.daemon != d).find(|other| other.elected && !other.forced);
                match rival {
                    Some(rival) if !mine.forced && !seen.ledger.is_loose(group, mine.epoch) => Err(format!(
                        "d{d} and d{} are both elected in epoch {} of {group}",
                        rival.daemon, mine.epoch
                    )),
                    Some(_) | None => Ok(()),
                }
            }
            Fact::Slaveof { group, node, target: None, .. } => {
                let Some(mine) = seen.ledger.current(d, group) else {
                    return Err(format!("d{d} promotes {node} of {group} without an attempt"));
                };
                if !mine.elected {
                    return Err(format!("d{d} promotes {node} of {group} without being elected"));
                }
                // A planned switchover that is undone gives the old primary its role back.
                let back = mine.handover.as_ref().is_some_and(|(old, _)| old == node);
                if mine.promoted.as_ref() != Some(node) && !back {
                    return Err(format!(
                        "d{d} promotes {node} after {:?} in epoch {}",
                        mine.promoted, mine.epoch
                    ));
                }
                Ok(())
            }
            Fact::Slaveof { .. }
            | Fact::Event { .. }
            | Fact::Started { .. }
            | Fact::Saved
            | Fact::HelloSent(_)
            | Fact::HelloHeard(_)
            | Fact::Asked { .. }
            | Fact::Forgot { .. }
            | Fact::Opinion { .. }
            | Fact::Voted { .. }
            | Fact::Forced { .. }
            | Fact::Pointed { .. }
            | Fact::Told { .. } => Ok(()),
        }
    }
}
