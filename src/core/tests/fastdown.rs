//! `fast-down-after-milliseconds`: what counts as evidence, and what breaks it.

use super::*;

/// Milliseconds for which the evidence must hold; down-after is ten times as long.
const AFTER: u64 = 100;

fn world() -> World {
    world_with(settings())
}

fn world_with(settings: Settings) -> World {
    let name = settings.groups[0].name.clone();
    let fast_down_after = [(name, Duration::from_millis(AFTER))].into();
    let mut world = World::on(Node { port: 26379, fast_down_after, ..Node::default() }, settings);
    world.run(5_000);
    world
}

/// The primary's process ends, and its replicas lose it.
fn die(world: &mut World) {
    lose(world, &[REPLICA_A, REPLICA_B]);
    world.kill(PRIMARY);
}

fn lose(world: &mut World, replicas: &[u16]) {
    for port in replicas {
        world.fake(*port).linked = false;
    }
}

fn asked_if_down(world: &mut World) -> Reply {
    let reply = world.ask(&["SENTINEL", "is-master-down-by-addr", "127.0.0.1", "6379", "0", "*"]);
    reply.elements().unwrap()[0].clone()
}

#[test]
fn refused_and_lost_by_all_is_down_when_that_has_held() {
    let mut world = world();
    die(&mut world);
    world.run(AFTER - 1);
    assert!(!world.saw("+sdown"), "{:?}", world.events);
    assert_eq!(asked_if_down(&mut world), Reply::Int(0));
    world.run(60);
    assert_eq!(world.events.last().unwrap(), "+sdown master mymaster 127.0.0.1 6379");
    assert_eq!(asked_if_down(&mut world), Reply::Int(1));
    assert!(world.engine.view(world.now).groups[0].fast_down);
}

#[test]
fn it_is_off_unless_it_is_asked_for() {
    let mut world = World::new(settings());
    world.run(5_000);
    die(&mut world);
    world.run(900);
    assert!(!world.saw("+sdown"));
}

#[test]
fn a_quorum_is_needed_all_the_same() {
    let mut world = world();
    die(&mut world);
    world.run(800);
    assert!(world.saw("+sdown master") && !world.saw("+odown"), "{:?}", world.events);
    world.peers_say(&opinion(true, "*", 0));
    world.run(1_000);
    assert!(world.saw("+odown master mymaster 127.0.0.1 6379 #quorum"), "{:?}", world.events);
}

#[test]
fn one_linked_replica_speaks_against_it() {
    let mut world = world();
    lose(&mut world, &[REPLICA_A]);
    world.kill(PRIMARY);
    world.run(900);
    assert!(!world.saw("+sdown"));
}

#[test]
fn without_a_replica_there_is_no_evidence() {
    let mut alone = settings();
    alone.groups[0].known_replicas.clear();
    let mut world = world_with(alone);
    world.kill(PRIMARY);
    world.run(900);
    assert!(!world.saw("+sdown"));
    // Nor is there with replicas that have gone, too.
    let mut world = self::world();
    for port in [REPLICA_A, REPLICA_B, PRIMARY] {
        world.kill(port);
    }
    world.run(900);
    assert!(!world.saw("+sdown"));
}

#[test]
fn silence_is_no_evidence() {
    let mut world = world();
    world.fake(PRIMARY).refuses = false;
    die(&mut world);
    world.run(900);
    assert!(!world.saw("+sdown"));
    // Refused once is not refused for long.
    let mut world = self::world();
    die(&mut world);
    world.fake(PRIMARY).refuses = false;
    world.run(900);
    assert!(!world.saw("+sdown"));
}

#[test]
fn a_replica_that_is_there_and_silent_keeps_it_open() {
    let mut world = world();
    world.fake(REPLICA_B).up = false;
    die(&mut world);
    world.run(900);
    assert!(!world.saw("+sdown"));
}

#[test]
fn a_replica_that_has_gone_is_not_asked() {
    let mut world = world();
    world.kill(REPLICA_B);
    die(&mut world);
    world.run(AFTER + 60);
    assert!(world.saw("+sdown master"), "{:?}", world.events);
}

#[test]
fn a_replica_of_somebody_else_says_nothing_of_this_primary() {
    let mut world = world();
    world.fake(REPLICA_B).follows = Some(7777);
    die(&mut world);
    world.run(900);
    assert!(!world.saw("+sdown"));
}

#[test]
fn an_accepted_connection_takes_it_back() {
    let mut world = world();
    die(&mut world);
    world.run(AFTER + 60);
    assert!(world.saw("+sdown master"));
    world.fake(PRIMARY).up = true;
    world.run(60);
    assert!(world.saw("-sdown master"), "{:?}", world.events);
    assert_eq!(asked_if_down(&mut world), Reply::Int(0));
}

#[test]
fn a_connection_in_between_begins_the_time_anew() {
    let mut world = world();
    die(&mut world);
    world.run(AFTER - 10);
    world.fake(PRIMARY).up = true;
    world.run(30);
    world.kill(PRIMARY);
    world.run(AFTER - 1);
    assert!(!world.saw("+sdown"), "{:?}", world.events);
    world.run(60);
    assert!(world.saw("+sdown"));
}

#[test]
fn a_replica_that_is_linked_again_takes_it_back() {
    let mut world = world();
    die(&mut world);
    world.run(AFTER + 60);
    assert!(world.saw("+sdown master"));
    world.fake(REPLICA_A).linked = true;
    world.run(60);
    assert!(world.saw("-sdown master"), "{:?}", world.events);
}

#[test]
fn after_down_after_nothing_is_tried_more_often_than_without_it() {
    let tries = |world: &mut World| {
        let before = world.conns.keys().next_back().copied().unwrap().0;
        world.run(10_000);
        world.conns.keys().next_back().unwrap().0 - before
    };
    let mut slow = World::new(settings());
    slow.run(5_000);
    let mut fast = world();
    for world in [&mut slow, &mut fast] {
        die(world);
        world.run(1_500);
    }
    assert_eq!(tries(&mut fast), tries(&mut slow));
}
