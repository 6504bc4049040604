//! What SENTINEL RESET and a lost file may make a daemon forget, and what not.

use super::*;

/// A fleet whose second replica can't be repointed, so that the attempt stays where it repoints replicas.
fn promoting() -> World {
    let mut world = World::new(settings());
    world.fake(REPLICA_B).priority = 0;
    world.fake(REPLICA_B).linked = false;
    world.run(3_000);
    world.peers_say(&opinion(true, &id('a'), 1));
    world
}

#[test]
fn a_reset_keeps_a_promotion_that_was_told() {
    let mut world = promoting();
    world.kill(PRIMARY);
    world.run(2_000);
    assert!(world.saw("+promoted-slave") && !world.saw("+switch-master"), "{:#?}", world.events);
    assert_eq!(world.ask(&["sentinel", "reset", "*"]), Reply::Int(1));
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6380"), "{:#?}", world.events);
    assert!(world.saw("+reset-master master mymaster 127.0.0.1 6380"), "{:#?}", world.events);
    let saved = &world.engine.snapshot().groups[0];
    assert_eq!((saved.primary.port, saved.config_epoch), (REPLICA_A, 1), "one primary for the epoch");
}

#[test]
fn a_reset_keeps_a_promotion_that_is_being_saved() {
    let mut world = promoting();
    world.disk = None;
    world.kill(PRIMARY);
    world.run(2_000);
    let vote = world.unsaved.pop().unwrap();
    world.handle(Input::Persisted { upto: vote, ok: true });
    world.run(1_000);
    assert!(world.saw("-role-change slave") && !world.saw("+promoted-slave"), "{:#?}", world.events);
    let commit = world.unsaved.pop().unwrap();
    world.ask(&["sentinel", "reset", "*"]);
    let held = |world: &World| {
        let saved = &world.engine.snapshot().groups[0];
        (saved.primary.port, saved.config_epoch)
    };
    assert_eq!(held(&world), (REPLICA_A, 1), "the file may hold it already");
    assert!(!world.saw("+switch-master"), "it is not told before");
    world.handle(Input::Persisted { upto: commit, ok: true });
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6380"), "{:#?}", world.events);
    assert_eq!(held(&world), (REPLICA_A, 1));
}

#[test]
fn a_reset_keeps_a_newer_configuration_that_is_being_saved() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.disk = None;
    world.hear(&format!("127.0.0.1,{PEER_A},{},3,mymaster,127.0.0.1,{REPLICA_A},3", id('b')));
    let save = world.unsaved.pop().unwrap();
    world.ask(&["sentinel", "reset", "*"]);
    world.handle(Input::Persisted { upto: save, ok: true });
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6380"), "{:#?}", world.events);
}

#[test]
fn a_replica_that_another_leader_promotes_meanwhile_is_not_repointed() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.peers_say(&opinion(true, &id('a'), 1));
    world.fake(REPLICA_B).follows = None;
    world.run(11_000);
    world.fake(REPLICA_B).follows = Some(PRIMARY);
    world.run(11_000);
    // It says that it is a primary for the first time while the attempt goes on.
    world.kill(PRIMARY);
    world.fake(REPLICA_B).follows = None;
    world.run(5_000);
    assert!(world.saw("+promoted-slave slave 127.0.0.1:6380"), "{:#?}", world.events);
    assert!(world.saw("+switch-master"), "nor is it waited for: {:#?}", world.events);
    assert!(!world.saw("+slave-reconf-sent"), "{:#?}", world.events);
    assert!(world.fake(REPLICA_B).follows.is_none());
    world.run(40_000);
    assert!(world.saw("+convert-to-slave slave 127.0.0.1:6381"), "after the wait: {:#?}", world.events);
}

#[test]
fn what_it_said_before_it_lost_its_id_makes_no_peer_of_itself() {
    let mut world = World::new(settings());
    world.run(3_000);
    let peers = |world: &World| world.engine.snapshot().groups[0].known_sentinels.len();
    assert_eq!(peers(&world), 2);
    let port = 26379;
    world.hear(&format!("127.0.0.1,{port},{},0,mymaster,127.0.0.1,{PRIMARY},0", id('e')));
    assert_eq!(peers(&world), 2, "its own address");
    world.hear(&format!("127.0.0.1,{},{},0,mymaster,127.0.0.1,{PRIMARY},0", port + 7, id('e')));
    assert_eq!(peers(&world), 3, "another's");
}
