//! Many groups in one daemon, with fake data nodes. The genuine redis-sentinel runs first: it shows that the nodes are
//! good enough.

use super::support::fake::{FakeRole, State};
use super::support::sentinel::SentinelSpec;
use super::support::{FakeFleet, Program, Sentinel, poll};

const GROUPS: usize = 10;

/// A fleet of Sentinels over all groups, settled.
fn watch(fleet: &FakeFleet, program: &Program) -> Vec<Sentinel> {
    let spec = SentinelSpec {
        program: program.clone(),
        lines: fleet.lines(2, &["down-after-milliseconds 1000", "failover-timeout 10000"]),
        ..SentinelSpec::default()
    };
    let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(&spec)).collect();
    for sentinel in &sentinels {
        for group in 0..fleet.len() {
            poll("the Sentinel knows the group", || {
                let master = sentinel.master(&FakeFleet::name(group));
                let good = master["flags"] == "master"
                    && master["num-slaves"] == "2"
                    && master["num-other-sentinels"] == "2";
                if good { Ok(()) } else { Err(master) }
            });
        }
    }
    sentinels
}

fn all_primaries_are_lost_at_once(program: &Program) {
    let fleet = FakeFleet::start(GROUPS, 2);
    let sentinels = watch(&fleet, program);
    for group in 0..GROUPS {
        fleet.put(group, 0, State::Down);
    }
    let follows = |group, node, primary| {
        let expected = FakeRole::Replica(fleet.address(group, primary));
        poll("it is a replica of the new primary", || match fleet.role(group, node) {
            role if role == expected => Ok(()),
            role => Err(role),
        });
    };
    let mut promoted = Vec::new();
    for group in 0..GROUPS {
        let name = FakeFleet::name(group);
        let new = poll("the Sentinels agree on a replica", || {
            let mut addresses: Vec<_> = sentinels.iter().map(|sentinel| sentinel.address(&name)).collect();
            addresses.dedup();
            let place = |node| {
                let address = fleet.address(group, node);
                Some((address.ip().to_string(), address.port()))
            };
            match addresses.as_slice() {
                [one] => (1..3).find(|node| place(*node) == *one).ok_or_else(|| addresses.clone()),
                _ => Err(addresses.clone()),
            }
        });
        assert_eq!(fleet.role(group, new), FakeRole::Primary);
        follows(group, 3 - new, new);
        promoted.push(new);
    }
    for group in 0..GROUPS {
        fleet.put(group, 0, State::Up);
    }
    promoted.iter().enumerate().for_each(|(group, new)| follows(group, 0, *new));
}

#[test]
fn all_groups_are_failed_over_by_redis_sentinel() {
    all_primaries_are_lost_at_once(&Program::genuine());
}

#[test]
fn all_groups_are_failed_over() {
    all_primaries_are_lost_at_once(&Program::subject());
}
