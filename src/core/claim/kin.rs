//! Which nodes are known as the group's own: what they hold may be replaced by what the primary holds. What anybody else
//! holds is touched at an operator's word alone.

use std::collections::BTreeMap;

use super::choose::may_hold_data;
use super::facts::{Listed, Role, Standing};
use super::gates::Gates;
use super::group::{GroupLease, MOST_REPLICAS, Primary, Replicas};
use crate::core::ids::PodUid;

/// What becomes of a node that doesn't follow the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lot {
    /// It is told to follow.
    Follows,
    /// Nothing for now.
    Waits,
    /// It holds the group's data, and the primary nothing: it isn't told to follow.
    Spared,
    /// It holds data of another history, and nobody knows it.
    Foreign,
}

/// Whether a Pod is one of those that the Lease names.
pub(crate) fn is_recorded(lease: &GroupLease, uid: &PodUid, pod: &str) -> bool {
    let primary = lease.primary.as_ref();
    lease.replicas.allowed.contains(uid)
        || lease.replicas.names.contains(pod)
        || primary.is_some_and(|primary| primary.instance.uid == *uid || primary.instance.pod == pod)
}

fn histories(standing: &Standing) -> impl Iterator<Item = &String> {
    [&standing.replication_id, &standing.earlier_id].into_iter().filter(|id| !id.is_empty())
}

/// Whether what two nodes hold has a common past.
pub(super) fn are_kin(one: &Standing, other: &Standing) -> bool {
    histories(one).any(|id| histories(other).any(|there| id == there))
}

/// What is to become of a node. A data node forgets its history when it restarts from an append-only file: so one that is
/// recorded follows whatever its history.
pub(super) fn lot(
    lease: &GroupLease,
    (uid, pod): (&PodUid, &str),
    standing: &Standing,
    leader: &Standing,
) -> Lot {
    if !may_hold_data(standing) {
        return Lot::Follows;
    }
    let recorded = |primary: &Primary| histories(standing).any(|id| *id == primary.replication_id);
    let ours = is_recorded(lease, uid, pod)
        || are_kin(standing, leader)
        || lease.primary.as_ref().is_some_and(recorded);
    if ours {
        // What holds data is never told to take over nothing.
        return match (leader.empty, standing.busy) {
            (false, _) => Lot::Follows,
            (true, true) => Lot::Waits,
            (true, false) => Lot::Spared,
        };
    }
    if standing.busy { Lot::Waits } else { Lot::Foreign }
}

/// The Pods that may follow a new primary. One that begins with nothing replaces nothing that was not seen to be empty.
/// Where nothing was recorded the choice is made `among_all` that were heard; who comes after it was not compared.
pub(super) fn known_to(
    leader: (&PodUid, &Standing),
    among_all: bool,
    lease: &GroupLease,
    gates: &Gates,
    nodes: &BTreeMap<PodUid, Listed>,
) -> Replicas {
    let (leader, standing) = leader;
    let may = |uid: &PodUid, node: &Listed| {
        let heard = gates
            .standing(uid)
            .is_some_and(|there| among_all || lot(lease, (uid, &node.pod), there, standing) == Lot::Follows);
        heard || !standing.empty && is_recorded(lease, uid, &node.pod)
    };
    let listed: Vec<(&PodUid, &Listed)> = nodes.iter().filter(|(uid, node)| may(uid, node)).collect();
    let mut replicas = lease.replicas.clone();
    replicas.allowed =
        listed.iter().filter(|(uid, _)| *uid != leader).map(|(uid, _)| (*uid).clone()).collect();
    if standing.empty {
        replicas.names.clear();
    }
    // A primary that is deleted with its Pod comes back under its name.
    let primary = lease.primary.as_ref().filter(|_| !standing.empty).map(|primary| &primary.instance.pod);
    for pod in listed.iter().map(|(_, node)| &node.pod).chain(primary) {
        add_name(&mut replicas, pod, nodes);
    }
    replicas
}

/// Those whose data keep one without from being promoted, and who can't be promoted themselves: nobody knows them.
pub(super) fn strangers(lease: &GroupLease, gates: &Gates, nodes: &BTreeMap<PodUid, Listed>) -> Vec<PodUid> {
    let known = |uid: &PodUid| nodes.get(uid).is_none_or(|node| is_recorded(lease, uid, &node.pod));
    let holds = gates.open_ones().filter(|(_, standing)| !standing.empty && !standing.busy);
    holds.filter(|(uid, _)| !known(uid)).map(|(uid, _)| uid.clone()).collect()
}

/// Who follows the primary holds the group's data from then on, and so will whoever was told to: its link may take longer than the
/// claim, and nobody looks after it then.
pub(super) fn take_followers(
    lease: &mut GroupLease,
    leader: &PodUid,
    gates: &Gates,
    nodes: &BTreeMap<PodUid, Listed>,
) {
    let Some(address) = nodes.get(leader).map(|node| node.address.as_str()) else { return };
    for (uid, standing) in gates.open_ones() {
        let follows = matches!(&standing.role, Role::Replica { of } if of == address);
        let ours = follows && (standing.linked || gates.was_sent(uid));
        let Some(node) = nodes.get(uid).filter(|_| ours) else { continue };
        if lease.replicas.allowed.len() < MOST_REPLICAS {
            lease.replicas.allowed.insert(uid.clone());
        }
        add_name(&mut lease.replicas, &node.pod, nodes);
    }
}

/// Of too many names those of Pods that are there no more are forgotten.
fn add_name(replicas: &mut Replicas, pod: &str, nodes: &BTreeMap<PodUid, Listed>) {
    if replicas.names.len() >= MOST_REPLICAS {
        replicas.names.retain(|name| nodes.values().any(|node| node.pod == *name));
    }
    if replicas.names.len() < MOST_REPLICAS {
        replicas.names.insert(pod.to_owned());
    }
}
