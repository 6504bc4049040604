//! Many groups in one daemon, with fake data nodes. The genuine redis-sentinel runs first: it shows that the nodes are
//! good enough.

use super::support::fake::{FakeRole, State};
use super::support::sentinel::SentinelSpec;
use super::support::{FakeFleet, Program, Sentinel, poll};

/// A fleet of Sentinels over all groups, settled.
fn watch(fleet: &FakeFleet, program: &Program) -> Vec<Sentinel> {
    let spec = SentinelSpec {
        program: program.clone(),
        lines: fleet.lines(2, &["down-after-milliseconds 5000", "failover-timeout 20000"]),
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

/// Waits until all agree about a group: every Sentinel names one node, that one says that it is a primary, and the others
/// of `nodes` follow it. Which node it is.
fn settled(fleet: &FakeFleet, sentinels: &[Sentinel], group: usize, nodes: &[usize]) -> usize {
    let name = FakeFleet::name(group);
    poll("the Sentinels and the nodes agree", || {
        let named: Vec<_> = sentinels.iter().map(|sentinel| sentinel.address(&name)).collect();
        let roles: Vec<FakeRole> = nodes.iter().map(|node| fleet.role(group, *node)).collect();
        let agreed = nodes.iter().copied().find(|primary| {
            let address = fleet.address(group, *primary);
            let place = Some((address.ip().to_string(), address.port()));
            named.iter().all(|one| *one == place)
                && nodes.iter().zip(&roles).all(|(node, role)| match role {
                    FakeRole::Primary => node == primary,
                    FakeRole::Replica(of) => node != primary && *of == address,
                })
        });
        agreed.ok_or_else(|| format!("{name}: {named:?} {roles:?}"))
    })
}

fn all_primaries_are_lost_at_once(program: &Program, groups: usize) {
    let fleet = FakeFleet::start(groups, 2);
    let sentinels = watch(&fleet, program);
    // Whatever is a primary at this moment, for every group in the same breath.
    let lost: Vec<usize> = (0..groups).map(|group| settled(&fleet, &sentinels, group, &[0, 1, 2])).collect();
    for (group, node) in lost.iter().enumerate() {
        fleet.put(group, *node, State::Down);
    }
    for (group, node) in lost.iter().enumerate() {
        let left: Vec<usize> = (0..3).filter(|other| other != node).collect();
        settled(&fleet, &sentinels, group, &left);
    }
    for (group, node) in lost.iter().enumerate() {
        fleet.put(group, *node, State::Up);
    }
    (0..groups).for_each(|group| {
        settled(&fleet, &sentinels, group, &[0, 1, 2]);
    });
}

#[test]
fn all_groups_are_failed_over_by_redis_sentinel() {
    all_primaries_are_lost_at_once(&Program::genuine(), 10);
}

/// With so many at once the elections of one group are under way while others begin theirs.
#[test]
fn a_hundred_groups_are_failed_over() {
    all_primaries_are_lost_at_once(&Program::subject(), 100);
}

#[test]
fn one_daemon_watches_a_thousand_groups() {
    const GROUPS: usize = 1000;
    let fleet = FakeFleet::start(GROUPS, 1);
    let spec =
        SentinelSpec { lines: fleet.lines(1, &["down-after-milliseconds 10000"]), ..SentinelSpec::default() };
    let mut sentinel = Sentinel::start(&spec);
    let known = |sentinel: &Sentinel| {
        poll("all replicas are known", || {
            let info = sentinel.call(&["INFO", "sentinel"]).text();
            match info.matches("status=ok").count().min(info.matches("slaves=1,").count()) {
                GROUPS => Ok(()),
                fewer => Err(fewer),
            }
        });
    };
    known(&sentinel);
    for group in [0, 499, 999] {
        fleet.put(group, 0, State::Down);
    }
    for group in [0, 499, 999] {
        let new = fleet.address(group, 1);
        poll("the replica is the primary", || match sentinel.address(&FakeFleet::name(group)) {
            Some((ip, port)) if ip == new.ip().to_string() && port == new.port() => Ok(()),
            other => Err(other),
        });
        assert_eq!(fleet.role(group, 1), FakeRole::Primary);
    }
    // Two thousand changes and more, in a few writes.
    let saves = sentinel.log().matches("Sentinel new configuration saved on disk").count();
    assert!((1..200).contains(&saves), "{saves} writes");
    sentinel.terminate();
    sentinel.restart();
    known(&sentinel);
}
