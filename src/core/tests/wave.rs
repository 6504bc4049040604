use super::*;

const OTHER_PRIMARY: u16 = 6389;
const OTHER_REPLICA: u16 = 6390;

/// Two groups; nobody of the peers votes.
fn two_groups() -> World {
    let mut settings = settings();
    let mut other = settings.groups[0].clone();
    other.name = "other".into();
    other.primary.port = OTHER_PRIMARY;
    other.known_replicas.truncate(1);
    other.known_replicas[0].port = OTHER_REPLICA;
    settings.groups.push(other);
    let mut world = World::new(settings);
    for (port, model) in [(OTHER_PRIMARY, PRIMARY), (OTHER_REPLICA, REPLICA_A)] {
        let fake = Fake { run_id: id('e'), ..world.fakes[&model].clone() };
        world.fakes.insert(port, Fake { follows: fake.follows.map(|_| OTHER_PRIMARY), ..fake });
    }
    world.run(5000);
    world.peers_say(&opinion(true, "*", 0));
    world.events.clear();
    world
}

/// The epochs at which votes were sought for the group of a primary.
fn stood(world: &World, primary: u16) -> Vec<u64> {
    let about = format!("{PEER_A}: SENTINEL is-master-down-by-addr 127.0.0.1 {primary} ");
    let words = world.sent.iter().filter_map(|line| line.strip_prefix(&about)?.split_once(' '));
    let mut epochs: Vec<u64> =
        words.filter(|(_, who)| *who == id('a')).map(|(epoch, _)| epoch.parse().unwrap()).collect();
    epochs.dedup();
    epochs
}

fn count(world: &World, event: &str) -> usize {
    world.events.iter().filter(|line| line.starts_with(event)).count()
}

#[test]
fn groups_that_are_lost_together_share_an_epoch() {
    let mut world = two_groups();
    world.kill(PRIMARY);
    world.kill(OTHER_PRIMARY);
    world.run(2500);
    assert_eq!(count(&world, "+try-failover"), 2);
    assert_eq!((stood(&world, PRIMARY), stood(&world, OTHER_PRIMARY)), (vec![1], vec![1]));
    assert_eq!(count(&world, "+new-epoch"), 1, "{:?}", world.events);
}

#[test]
fn a_group_that_is_lost_later_has_an_epoch_of_its_own() {
    let mut world = two_groups();
    world.kill(PRIMARY);
    world.run(5000);
    world.kill(OTHER_PRIMARY);
    world.run(2500);
    assert_eq!(stood(&world, OTHER_PRIMARY), [2]);
}

#[test]
fn an_attempt_goes_on_in_an_epoch_that_another_group_brought_about() {
    let mut world = two_groups();
    world.kill(PRIMARY);
    world.run(2500);
    assert_eq!(stood(&world, PRIMARY), [1]);
    let port = OTHER_PRIMARY.to_string();
    world.ask(&["sentinel", "is-master-down-by-addr", "127.0.0.1", &port, "7", &id('b')]);
    world.run(500);
    assert_eq!(stood(&world, PRIMARY), [1, 7]);
    world.peers_say(&opinion(true, &id('a'), 7));
    world.run(1500);
    assert!(world.saw("+elected-leader"), "{:?}", world.events);
    assert_eq!(count(&world, "+try-failover"), 1);
}

#[test]
fn split_votes_are_sought_again() {
    let mut world = World::new(settings());
    world.run(3000);
    for (port, letter) in [(PEER_A, 'b'), (PEER_B, 'c')] {
        world.fake(port).opinion = opinion(true, &id(letter), 1);
    }
    world.kill(PRIMARY);
    world.run(3000);
    assert_eq!(stood(&world, PRIMARY), [1, 2]);
    world.peers_say(&opinion(true, &id('a'), 2));
    world.run(1500);
    assert!(world.saw("+elected-leader"), "{:?}", world.events);
    assert_eq!(count(&world, "+try-failover"), 1);
}

#[test]
fn an_election_that_somebody_else_can_win_is_left_to_him() {
    let mut world = World::new(settings());
    world.run(3000);
    world.peers_say(&opinion(true, &id('b'), 1));
    world.kill(PRIMARY);
    world.run(9000);
    assert_eq!(stood(&world, PRIMARY), [1]);
    world.kill(PEER_B);
    world.fake(PEER_A).opinion = opinion(true, &id('b'), 1);
    world.run(4000);
    assert!(world.saw("-failover-abort-not-elected"));
    assert_eq!(stood(&world, PRIMARY), [1]);
}

#[test]
fn a_quorum_that_nobody_can_reach_is_not_stood_for_again_and_again() {
    let mut world = World::new(settings());
    world.run(3000);
    world.peers_say(&opinion(true, "*", 0));
    world.kill(PRIMARY);
    world.until("+try-failover");
    // From here on a save takes some time: else what stands again at once would do so for ever.
    world.disk = None;
    world.order(&["sentinel", "set", "mymaster", "quorum", "4"]);
    world.kill(PEER_A);
    world.kill(PEER_B);
    for _ in 0..50 {
        world.run(100);
        if let Some(save) = world.unsaved.pop() {
            world.unsaved.clear();
            world.handle(Input::Persisted { upto: save, ok: true });
        }
    }
    assert_eq!(count(&world, "+sdown sentinel"), 2, "{:?}", world.events);
    assert_eq!(count(&world, "+new-epoch"), 1, "{:?}", world.events);
}
