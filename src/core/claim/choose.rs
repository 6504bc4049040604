//! Step 3: who is to be primary, of those that answered behind a barrier.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Listed, Role, Standing};
use super::gates::Gates;
use super::group::{GroupLease, Instance, Primary};
use super::kin::{are_kin, is_recorded};
use crate::core::ids::{PodUid, RunId};
use crate::core::select::{self, Candidate};

/// What came of looking for a primary where no Lease says who it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// That one.
    One(Instance),
    /// Two primaries with data of their own.
    Diverged,
    /// Nobody who could be.
    Nobody,
}

/// That run of that node.
pub(super) fn instance(
    uid: &PodUid,
    standing: &Standing,
    nodes: &BTreeMap<PodUid, Listed>,
) -> Option<Instance> {
    let Listed { pod, address, .. } = nodes.get(uid)?;
    let (pod, address) = (pod.clone(), address.clone());
    Some(Instance { pod, uid: uid.clone(), address, run_id: standing.run_id.clone() })
}

/// Whether this node's data are of the recorded history, which is unknown if it is empty.
fn of_history(standing: &Standing, primary: Option<&Primary>) -> bool {
    let Some(Primary { replication_id: recorded, .. }) = primary else { return true };
    recorded.is_empty() || standing.replication_id == *recorded || standing.earlier_id == *recorded
}

fn anybody_holds_data(gates: &Gates) -> bool {
    gates.open_ones().any(|(_, standing)| !standing.empty)
}

/// Sentinel's choice of those; `unfit` says who is none. Whether one without data may be chosen is a part of that.
fn best<'g>(
    all: impl Iterator<Item = (&'g PodUid, &'g Standing)>,
    nodes: &BTreeMap<PodUid, Listed>,
    unfit: impl Fn(&PodUid, &Standing) -> bool,
) -> Option<Instance> {
    let all: Vec<(&PodUid, &Standing)> = all.collect();
    let candidate = |(uid, standing): &(&PodUid, &Standing)| Candidate {
        name: uid.to_string(),
        run_id: standing.run_id.to_string(),
        stray: standing.role == Role::Primary,
        followed: false,
        emptied: false,
        priority: standing.priority,
        offset: standing.offset,
        unfit: unfit(uid, standing),
    };
    let candidates: Vec<Candidate> = all.iter().map(candidate).collect();
    let best = select::best(&candidates)?;
    let (uid, standing) = all.into_iter().find(|(uid, _)| uid.as_str() == best.name)?;
    instance(uid, standing, nodes)
}

/// By Sentinel's rules, from the answers behind barriers; never the one that is replaced unless it yielded already, none of
/// the unwilling, never one that loads, is in a full sync or is of another history, and one without data only if nobody
/// has any.
pub(super) fn successor(
    gates: &Gates,
    nodes: &BTreeMap<PodUid, Listed>,
    lease: &GroupLease,
    from: Option<&Instance>,
    unwilling: &BTreeSet<RunId>,
) -> Option<Instance> {
    let data = anybody_holds_data(gates);
    best(gates.open_ones(), nodes, |uid, standing| {
        standing.busy
            || (data && standing.empty)
            || !of_history(standing, lease.primary.as_ref())
            || unwilling.contains(&standing.run_id)
            || !nodes.contains_key(uid)
            || standing.role == Role::Primary && from.is_some_and(|from| from.is(uid, &standing.run_id))
    })
}

/// Whether anybody that answered is of the recorded history, and holds data if anybody does.
pub(super) fn has_heirs(gates: &Gates, lease: &GroupLease) -> bool {
    let data = anybody_holds_data(gates);
    gates
        .open_ones()
        .any(|(_, standing)| of_history(standing, lease.primary.as_ref()) && (!standing.empty || !data))
}

/// Where there are no heirs: data nodes forget their history when they restart, and who followed a primary that restarted took
/// over its new one. The recorded primary's Pod, by its name if it was made anew, unless it is
/// behind another of the same history; else the best of the others. Nobody without data, unless `all` were heard and nobody
/// has any.
pub(super) fn restarted(
    gates: &Gates,
    nodes: &BTreeMap<PodUid, Listed>,
    lease: &GroupLease,
    all: bool,
) -> Option<Instance> {
    let recorded = &lease.primary.as_ref()?.instance;
    let data = anybody_holds_data(gates);
    let behind = |standing: &Standing| {
        gates.open_ones().any(|(_, other)| {
            other.replication_id == standing.replication_id && other.offset > standing.offset
        })
    };
    // Whoever is not known as one of the group's may hold anything.
    let known = |uid: &PodUid| nodes.get(uid).is_some_and(|node| is_recorded(lease, uid, &node.pod));
    let fit = gates
        .open_ones()
        .filter(|(uid, standing)| !standing.busy && (if standing.empty { all && !data } else { known(uid) }));
    let (uid, standing) = fit.min_by_key(|(uid, standing)| {
        let number = by_number(uid, nodes);
        let same = *uid == &recorded.uid || number.is_some_and(|(_, pod)| pod == recorded.pod);
        let followed = standing.role == Role::Primary;
        (!same || behind(standing), !followed, Reverse(standing.offset), number)
    })?;
    instance(uid, standing, nodes)
}

/// How far the candidate of a planned switchover may be behind before writes are held back, in bytes.
const CLOSE: u64 = 1 << 20;

/// Who is to be primary after one that works: a replica of that very history, linked and close behind.
pub(super) fn heir(
    gates: &Gates,
    nodes: &BTreeMap<PodUid, Listed>,
    from: Option<&Instance>,
    leader: &Standing,
) -> Option<Instance> {
    let stays = |uid: &PodUid| nodes.get(uid).is_some_and(|node| !node.leaving);
    best(gates.open_ones(), nodes, |uid, standing| {
        standing.role == Role::Primary
            || standing.busy
            || !standing.linked
            || standing.replication_id != leader.replication_id
            || leader.offset.saturating_sub(standing.offset) > CLOSE
            || !stays(uid)
            || from.is_some_and(|from| from.is(uid, &standing.run_id))
    })
}

/// Whether it holds data as far as anybody can know: one that loads may not show yet what it will hold.
pub(super) const fn may_hold_data(standing: &Standing) -> bool {
    !standing.empty || standing.busy
}

fn most_data<'g>(
    all: &[(&'g PodUid, &'g Standing)],
    data: bool,
    nodes: &BTreeMap<PodUid, Listed>,
    remembered: Option<&Primary>,
) -> Option<(&'g PodUid, &'g Standing)> {
    let fit = all
        .iter()
        .filter(|(_, standing)| !standing.busy && standing.priority != 0 && (!data || !standing.empty));
    let best = fit.min_by_key(|(uid, standing)| {
        let known = of_history(standing, remembered);
        (standing.empty, !known, Reverse(standing.offset), by_number(uid, nodes))
    });
    best.copied()
}

/// Pods in an order that all members come to alike: by their number, where they have one.
fn by_number<'n>(uid: &PodUid, nodes: &'n BTreeMap<PodUid, Listed>) -> Option<(usize, &'n str)> {
    nodes.get(uid).map(|node| (node.pod.len(), node.pod.as_str()))
}

/// Without a Lease: the only primary, unless others hold data that it knows nothing of; of several the one that was
/// committed last as far as is remembered, or the one whose history goes on from all others'; without any the one with
/// most data.
pub(super) fn primary(
    gates: &Gates,
    nodes: &BTreeMap<PodUid, Listed>,
    remembered: Option<&Primary>,
) -> Found {
    let all: Vec<(&PodUid, &Standing)> = gates.open_ones().collect();
    let data = all.iter().any(|(_, standing)| may_hold_data(standing));
    let leads =
        |(_, standing): &&(&PodUid, &Standing)| standing.role == Role::Primary && (!data || !standing.empty);
    let primaries: Vec<(&PodUid, &Standing)> = all.iter().filter(leads).copied().collect();
    let found = match primaries.as_slice() {
        [] => most_data(&all, data, nodes, remembered),
        [only] => {
            let others = || all.iter().filter(|(uid, there)| *uid != only.0 && may_hold_data(there));
            let address = nodes.get(only.0).map(|node| node.address.as_str());
            let recorded = remembered.filter(|primary| !primary.replication_id.is_empty());
            let led = recorded.is_some() && of_history(only.1, recorded)
                || all.iter().any(
                    |(_, there)| matches!(&there.role, Role::Replica { of } if Some(of.as_str()) == address),
                )
                || others().all(|(_, there)| are_kin(only.1, there));
            // One that merely came up as a primary may hold anything.
            if led {
                Some(*only)
            } else if others().any(|(_, there)| there.busy) {
                None
            } else if recorded.is_some() && others().any(|(_, there)| of_history(there, recorded)) {
                most_data(&all, data, nodes, remembered)
            } else {
                return Found::Diverged;
            }
        }
        several => {
            let committed = several.iter().find(|(uid, standing)| {
                remembered.is_some_and(|primary| primary.instance.is(uid, &standing.run_id))
            });
            let contains_all = several.iter().find(|(uid, standing)| {
                several
                    .iter()
                    .all(|(other, there)| other == uid || standing.earlier_id == there.replication_id)
            });
            // Where nobody holds anything nothing can be lost: the first Pod.
            let first = || several.iter().filter(|_| !data).min_by_key(|(uid, _)| by_number(uid, nodes));
            match committed.or(contains_all).or_else(first) {
                Some(one) => Some(*one),
                None => return Found::Diverged,
            }
        }
    };
    found.and_then(|(uid, standing)| instance(uid, standing, nodes)).map_or(Found::Nobody, Found::One)
}
