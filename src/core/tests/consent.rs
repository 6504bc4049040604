//! The consent of the other daemons to a demotion in haste.

use super::roles::{failed_over, greet, orders};
use super::*;

/// The others may have had an election, and the old primary is heard sooner than they are.
#[test]
fn nobody_is_demoted_without_the_consent_of_a_majority() {
    let mut world = failed_over();
    greet(&mut world);
    for port in [PEER_A, PEER_B] {
        world.kill(port);
    }
    world.revive(PRIMARY);
    world.run(800);
    assert_eq!(orders(&world, PRIMARY), 0, "nobody answers");
    for port in [PEER_A, PEER_B] {
        world.revive(port);
    }
    let refusals: [fn(&mut Fake); 3] =
        [|fake| fake.holds.0 = PRIMARY, |fake| fake.holds.1 = 2, |fake| fake.flags = "s_down,master"];
    for refuse in refusals {
        for port in [PEER_A, PEER_B] {
            let fake = world.fake(port);
            (fake.holds, fake.flags) = ((REPLICA_A, 1), "master");
            refuse(fake);
        }
        world.run(800);
        assert_eq!(orders(&world, PRIMARY), 0, "{:#?}", world.sent);
    }
    world.fake(PEER_B).flags = "master";
    world.run(500);
    assert_eq!(orders(&world, PRIMARY), 1, "one of two is enough");
}

/// A voter hears of what it voted for later than others do.
#[test]
fn who_voted_in_a_later_epoch_does_not_consent() {
    let mut world = failed_over();
    greet(&mut world);
    world.peers_say(&opinion(false, &id('b'), 2));
    world.revive(PRIMARY);
    world.run(2_000);
    assert_eq!(orders(&world, PRIMARY), 0);
    let asked = format!("{PEER_A}: SENTINEL is-master-down-by-addr 127.0.0.1 {REPLICA_A} 0 {}", id('a'));
    assert!(world.sent.contains(&asked), "{:#?}", world.sent);
    world.fake(PEER_B).opinion = opinion(false, &id('b'), 1);
    world.run(500);
    assert_eq!(orders(&world, PRIMARY), 1, "one of two is enough");
}

/// An operator's failover asks for no votes.
#[test]
fn one_who_replaces_the_primary_prevails_over_a_majority_that_knows_nothing_of_it() {
    let mut world = failed_over();
    greet(&mut world);
    world.fake(PEER_A).flags = "master,failover_in_progress";
    world.revive(PRIMARY);
    world.run(1_000);
    assert_eq!(orders(&world, PRIMARY), 0);
    world.fake(PEER_A).flags = "master";
    world.fake(PEER_A).holds = (PRIMARY, 2);
    world.run(1_000);
    assert_eq!(orders(&world, PRIMARY), 0);
    world.fake(PEER_A).holds = (REPLICA_A, 1);
    world.run(500);
    assert_eq!(orders(&world, PRIMARY), 1);
}

#[test]
fn whoever_was_there_of_late_is_waited_for() {
    let mut world = failed_over();
    world.run(2_000);
    greet(&mut world);
    world.kill(PEER_A);
    world.run(50_000);
    assert!(world.saw(&format!("+sdown sentinel {}", id('b'))), "{:#?}", world.events);
    world.revive(PRIMARY);
    world.run(7_000);
    assert_eq!(orders(&world, PRIMARY), 0, "it may have promoted it while it was away");
    world.revive(PEER_A);
    world.run(1_500);
    assert_eq!(orders(&world, PRIMARY), 1);

    let mut world = failed_over();
    greet(&mut world);
    world.kill(PEER_A);
    world.run(63_000);
    world.revive(PRIMARY);
    world.run(2_000);
    assert_eq!(orders(&world, PRIMARY), 1, "it is gone for good");
}

/// The old primary is there again, and reads its data: so it is told again and again.
fn comes_back_loading(world: &mut World) {
    let fake = world.fake(PRIMARY);
    (fake.loading, fake.run_id, fake.history) = (true, id('d'), ('d', '0'));
    world.revive(PRIMARY);
}

#[test]
fn consent_does_not_outlive_its_moment() {
    // One consent of two was sought at the order before, and is not used up.
    for freeze_after in [530, 630] {
        let mut world = failed_over();
        greet(&mut world);
        comes_back_loading(&mut world);
        world.run(freeze_after);
        let before = orders(&world, PRIMARY);
        assert!(before > 1, "{:#?}", world.sent);
        world.kill(PRIMARY);
        world.peers_hold(PRIMARY, 2);
        world.run(600);
        assert!(!world.saw("+sdown slave 127.0.0.1:6379"));
        world.revive(PRIMARY);
        world.run(2_000);
        assert_eq!(orders(&world, PRIMARY), before);
    }
}

/// What the others said while the next order was not due yet says nothing of what they did since.
#[test]
fn consent_is_not_asked_for_ahead_of_time() {
    let mut world = failed_over();
    greet(&mut world);
    comes_back_loading(&mut world);
    world.run(500);
    let before = orders(&world, PRIMARY);
    assert!(before > 1, "{:#?}", world.sent);
    while orders(&world, PRIMARY) == before {
        world.run(1);
    }
    world.run(20);
    world.fake(PEER_A).flags = "master,failover_in_progress";
    world.run(1_000);
    assert_eq!(orders(&world, PRIMARY), before + 1);
}

/// It is told a newer configuration, and knows one of two peers.
fn told_by_a_peer(known: usize) -> World {
    let mut settings = settings();
    settings.groups[0].known_sentinels.truncate(known);
    let mut world = World::new(settings);
    world.run(3_000);
    world.fake(REPLICA_A).follows = None;
    world.fake(REPLICA_A).history = ('e', '1');
    world.peers_hold(REPLICA_A, 1);
    world.hear(&format!("127.0.0.1,{PEER_A},{},1,mymaster,127.0.0.1,{REPLICA_A},1", id('b')));
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6380"), "{:#?}", world.events);
    world
}

#[test]
fn who_has_just_begun_to_watch_waits_for_its_peers_to_make_themselves_known() {
    let mut world = told_by_a_peer(0);
    world.run(900);
    assert_eq!(orders(&world, PRIMARY), 0, "another may have promoted it since");
    world.run(500);
    assert_eq!(orders(&world, PRIMARY), 1);

    let mut world = told_by_a_peer(2);
    world.run(500);
    assert_eq!(orders(&world, PRIMARY), 1, "the file tells of them");
}

#[test]
fn who_is_about_to_follow_another_does_not_consent() {
    let mut world = World::new(settings());
    world.run(3_000);
    let flags = |world: &mut World| {
        world.ask(&["sentinel", "master", "mymaster"]).field("flags").map(str::to_owned).unwrap()
    };
    assert_eq!(flags(&mut world), "master");
    world.disk = None;
    world.hear(&format!("127.0.0.1,{PEER_A},{},1,mymaster,127.0.0.1,{REPLICA_A},1", id('b')));
    assert_eq!(flags(&mut world), "master,failover_in_progress");
    let save = world.unsaved.pop().unwrap();
    world.handle(Input::Persisted { upto: save, ok: true });
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6380"), "{:#?}", world.events);
    assert_eq!(flags(&mut world), "master");
}
