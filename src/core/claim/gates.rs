//! Barriers: what a claimant relies on of each data node, and over which connection it learnt it. What was answered goes
//! with the connection.

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts::{Command, Listed, Role, Standing, Wish};
use super::group::Instance;
use crate::core::ids::{CallNo, PodUid, RunId};
use crate::core::time::Time;

/// Time between two attempts to reach a node.
const AGAIN: Duration = Duration::from_millis(100);
/// Time between two commands to a node that didn't do what it was told.
const PACE: Duration = Duration::from_millis(15);

/// The same for a question alone.
const ASK_PACE: Duration = Duration::from_millis(2);

fn pace(command: &Command) -> Duration {
    if *command == Command::Ask { ASK_PACE } else { PACE }
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Gate {
    /// A barrier is being opened, which is waited for until then in particular where one stood before.
    Opening { call: CallNo, until: Option<Time> },
    /// The barrier stands.
    Open {
        connection: CallNo,
        standing: Standing,
        /// When it answered that.
        heard: Time,
        told: Option<CallNo>,
        /// What it was told last, and when.
        last: Option<(Command, Time)>,
        /// It was told to follow somebody.
        follows: bool,
    },
    /// There was no answer.
    Shut { at: Time, until: Option<Time> },
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Gates(BTreeMap<PodUid, Gate>);

impl Gates {
    /// Opens barriers where there are none, and forgets those of nodes that are no longer listed.
    pub(super) fn open(
        &mut self,
        nodes: &BTreeMap<PodUid, Listed>,
        cut: bool,
        now: Time,
        call: &mut impl FnMut() -> CallNo,
        out: &mut Vec<Wish>,
    ) {
        self.0.retain(|uid, _| nodes.contains_key(uid));
        for uid in nodes.keys() {
            let until = match self.0.get(uid) {
                None => None,
                Some(Gate::Shut { at, until }) if now >= *at + AGAIN => until.filter(|until| now < *until),
                Some(Gate::Shut { .. } | Gate::Opening { .. } | Gate::Open { .. }) => continue,
            };
            let call = call();
            self.0.insert(uid.clone(), Gate::Opening { call, until });
            out.push(Wish::Barrier { node: uid.clone(), call, cut });
        }
    }

    /// An answer, or the lack of one, which ends the barrier: for so long another one is waited for. Whether it was waited for.
    pub(super) fn answered(
        &mut self,
        node: &PodUid,
        call: CallNo,
        answer: Option<Standing>,
        wait: Duration,
        now: Time,
    ) -> bool {
        let Some(gate) = self.0.get_mut(node) else { return false };
        match (&mut *gate, answer) {
            (Gate::Opening { call: opening, .. }, Some(standing)) if *opening == call => {
                *gate = Gate::Open {
                    connection: call,
                    standing,
                    heard: now,
                    told: None,
                    last: None,
                    follows: false,
                };
            }
            (Gate::Opening { call: opening, until }, None) if *opening == call => {
                *gate = Gate::Shut { at: now, until: *until };
            }
            (Gate::Open { standing, heard, told, .. }, Some(new)) if *told == Some(call) => {
                // Another process answers: nothing that the first one said holds, and nothing was cut there.
                if new.run_id == standing.run_id {
                    (*standing, *heard, *told) = (new, now, None);
                } else {
                    *gate = Gate::Shut { at: now, until: Some(now + wait) };
                }
            }
            (Gate::Open { connection, told, .. }, None) if *told == Some(call) || *connection == call => {
                *gate = Gate::Shut { at: now, until: Some(now + wait) };
            }
            (Gate::Opening { .. } | Gate::Open { .. } | Gate::Shut { .. }, _) => return false,
        }
        true
    }

    /// What a node answered behind its barrier. While a command is on its way it is not known.
    pub(super) fn standing(&self, node: &PodUid) -> Option<&Standing> {
        match self.0.get(node)? {
            Gate::Open { standing, told: None, .. } => Some(standing),
            Gate::Open { .. } | Gate::Opening { .. } | Gate::Shut { .. } => None,
        }
    }

    /// All that stand.
    pub(super) fn open_ones(&self) -> impl Iterator<Item = (&PodUid, &Standing)> {
        self.0.keys().filter_map(|uid| Some((uid, self.standing(uid)?)))
    }

    /// Those whose last answer is that old, and which run of each gave it.
    pub(super) fn stale(&self, age: Duration, now: Time) -> Vec<(PodUid, RunId)> {
        let old = |(uid, gate): (&PodUid, &Gate)| match gate {
            Gate::Open { standing, heard, told: None, .. } if now >= *heard + age => {
                Some((uid.clone(), standing.run_id.clone()))
            }
            Gate::Open { .. } | Gate::Opening { .. } | Gate::Shut { .. } => None,
        };
        self.0.iter().filter_map(old).collect()
    }

    /// Whether it stands, but for an answer that is on its way over it.
    pub(super) fn is_told(&self, node: &PodUid) -> bool {
        matches!(self.0.get(node), Some(Gate::Open { told: Some(_), .. }))
    }

    /// Whether it was told to follow somebody, as long as its barrier stands.
    pub(super) fn was_sent(&self, node: &PodUid) -> bool {
        matches!(self.0.get(node), Some(Gate::Open { follows: true, .. }))
    }

    /// Whether an answer is on its way.
    pub(super) fn waits(&self, node: &PodUid) -> bool {
        matches!(self.0.get(node), Some(Gate::Opening { .. } | Gate::Open { told: Some(_), .. }))
    }

    /// Until when a node is waited for that doesn't answer: until `over`, or longer if a barrier stood there.
    pub(super) fn silent_until(&self, node: &PodUid, over: Time) -> Option<Time> {
        match self.0.get(node) {
            Some(Gate::Shut { until, .. }) => Some(until.unwrap_or(over)),
            Some(Gate::Opening { .. } | Gate::Open { .. }) | None => None,
        }
    }

    /// Whether that process stands behind its barrier as a replica: it is none that may rise later.
    pub(super) fn is_replica(&self, instance: &Instance) -> bool {
        self.standing(&instance.uid).is_some_and(|standing| {
            matches!(standing.role, Role::Replica { .. }) && standing.run_id == instance.run_id
        })
    }

    /// Tells a node something, unless it was told just before.
    pub(super) fn tell(
        &mut self,
        node: &PodUid,
        run_id: &RunId,
        command: Command,
        now: Time,
        call: CallNo,
        out: &mut Vec<Wish>,
    ) {
        if let Some(Gate::Open { connection, told: told @ None, last, follows, .. }) = self.0.get_mut(node)
            && last.as_ref().is_none_or(|(known, at)| *known != command || now >= *at + pace(known))
        {
            (*told, *last) = (Some(call), Some((command.clone(), now)));
            *follows |= matches!(command, Command::Follow(_) | Command::Yield(_));
            let (node, run_id, connection) = (node.clone(), run_id.clone(), *connection);
            out.push(Wish::Command { node, connection, call, run_id, command });
        }
    }

    /// When to look again without an answer.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let due = |gate: &Gate| match gate {
            Gate::Shut { at, .. } => Some(*at + AGAIN),
            Gate::Open { told: None, last, .. } => last.as_ref().map(|(known, at)| *at + pace(known)),
            Gate::Open { .. } | Gate::Opening { .. } => None,
        };
        self.0.values().filter_map(due).min()
    }
}
