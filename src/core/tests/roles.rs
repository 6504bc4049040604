use super::*;

/// Fails over to the first replica; the old primary is gone.
pub(super) fn failed_over() -> World {
    let mut world = World::new(settings());
    world.run(3_000);
    world.peers_say(&opinion(true, &id('a'), 1));
    world.kill(PRIMARY);
    world.run(2_000);
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6380"), "{:#?}", world.events);
    world.peers_say(&opinion(false, "*", 0));
    world.sent.clear();
    world.events.clear();
    world
}

/// The peers learn of the switch, and say so.
pub(super) fn greet(world: &mut World) {
    world.peers_hold(REPLICA_A, 1);
    for (port, letter) in [(PEER_A, 'b'), (PEER_B, 'c')] {
        let hello = format!("127.0.0.1,{port},{},1,mymaster,127.0.0.1,{REPLICA_A},1", id(letter));
        world.hear_at(REPLICA_B, &hello);
    }
}

pub(super) fn orders(world: &World, port: u16) -> usize {
    let start = format!("{port}: SLAVEOF");
    world.sent.iter().filter(|line| line.starts_with(&start)).count()
}

#[test]
fn ping_is_sent_each_tenth_of_down_after_and_at_least_each_second() {
    for (down_after, expected) in [(1_000, 90..=101), (5_000, 18..=21), (30_000, 9..=11)] {
        let mut settings = settings();
        settings.groups[0].down_after = Duration::from_millis(down_after);
        let mut world = World::new(settings);
        world.run(5_000);
        world.pings.clear();
        world.run(10_000);
        for port in [PRIMARY, REPLICA_A, PEER_A] {
            assert!(expected.contains(&world.pings[&port]), "{down_after}: {port} got {:?}", world.pings);
        }
    }
}

#[test]
fn a_hello_goes_with_a_ping() {
    let mut settings = settings();
    settings.groups[0].down_after = Duration::from_millis(30_000);
    let mut world = World::new(settings);
    world.run(5_300);
    for port in [PRIMARY, REPLICA_A, PEER_A] {
        // From here on the two have their times apart.
        world.reset(port);
        world.run(3_300);
        let publish = format!("{port}: PUBLISH");
        let (mut together, mut alone) = (0, 0);
        for _ in 0..20_000 {
            world.sent.clear();
            world.pings.clear();
            world.run(1);
            let hellos = world.sent.iter().filter(|line| line.starts_with(&publish)).count();
            if world.pings.contains_key(&port) {
                together += hellos;
            } else {
                alone += hellos;
            }
        }
        assert_eq!(alone, 0, "{port}: {together} with a PING");
        assert!((9..=11).contains(&together), "{port}: {together}");
    }
}

#[test]
fn a_lost_link_is_tried_at_once_and_then_more_and_more_slowly() {
    let mut settings = settings();
    settings.groups[0].down_after = Duration::from_millis(30_000);
    let mut world = World::new(settings);
    world.run(3_000);
    world.connects.clear();
    world.kill(REPLICA_A);
    assert!(world.connects[&REPLICA_A] >= 1, "at once");
    world.run(1_000);
    let first = world.connects[&REPLICA_A];
    assert!((5..=8).contains(&first), "{first}");
    world.run(10_000);
    let later = world.connects[&REPLICA_A] - first;
    assert!((9..=12).contains(&later), "each second: {later}");
}

#[test]
fn a_link_that_is_cut_again_and_again_is_not_tried_without_end() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.connects.clear();
    for _ in 0..500 {
        let conn = world.conns.iter().find(|(_, (port, subscribed))| *port == REPLICA_A && !subscribed);
        if let Some(conn) = conn.map(|(conn, _)| *conn) {
            world.cut(conn);
        }
        world.run(2);
    }
    assert!((5..=20).contains(&world.connects[&REPLICA_A]), "{:?}", world.connects);
}

#[test]
fn a_refused_subscription_is_tried_each_second() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.connects.clear();
    world.fake(REPLICA_A).subscription_refused = true;
    let conn = world.subscription(REPLICA_A);
    world.cut(conn);
    world.run(4_900);
    let attempts = world.connects[&REPLICA_A];
    assert!((4..=7).contains(&attempts), "{attempts}");
}

#[test]
fn the_old_primary_is_demoted_at_its_first_sign_of_life() {
    let mut world = failed_over();
    world.run(5_000);
    greet(&mut world);
    world.revive(PRIMARY);
    world.run(200);
    assert!(world.saw("+convert-to-slave slave 127.0.0.1:6379 127.0.0.1 6379 @ mymaster 127.0.0.1 6380"));
    let transaction: Vec<&String> = world
        .sent
        .iter()
        .skip_while(|line| *line != "6379: MULTI")
        .filter(|line| line.starts_with("6379: "))
        .take(6)
        .collect();
    assert_eq!(
        transaction,
        [
            "6379: MULTI",
            "6379: SLAVEOF 127.0.0.1 6380",
            "6379: CONFIG REWRITE",
            "6379: CLIENT KILL TYPE normal",
            "6379: CLIENT KILL TYPE pubsub",
            "6379: EXEC",
        ]
    );
    world.run(20_000);
    assert_eq!(orders(&world, PRIMARY), 1);
}

#[test]
fn a_demotion_is_repeated_until_the_role_shows_it() {
    let mut world = failed_over();
    world.fake(PRIMARY).loading = true;
    world.fake(PRIMARY).run_id = id('d');
    world.fake(PRIMARY).history = ('d', '0');
    greet(&mut world);
    world.revive(PRIMARY);
    world.run(3_000);
    assert!(orders(&world, PRIMARY) > 10, "{}", orders(&world, PRIMARY));
    world.fake(PRIMARY).loading = false;
    world.run(200);
    assert_eq!(world.fake(PRIMARY).follows, Some(REPLICA_A));
    let before = orders(&world, PRIMARY);
    world.run(20_000);
    assert_eq!(orders(&world, PRIMARY), before);
    let told = world.events.iter().filter(|line| line.starts_with("+convert-to-slave")).count();
    assert_eq!(told, 1, "told once");
}

#[test]
fn what_obeyed_once_is_then_given_the_time_that_sentinel_gives() {
    let mut world = failed_over();
    greet(&mut world);
    world.revive(PRIMARY);
    world.run(500);
    assert_eq!(orders(&world, PRIMARY), 1);
    world.fake(PRIMARY).follows = None;
    world.run(7_000);
    assert_eq!(orders(&world, PRIMARY), 1);
    world.run(30_000);
    assert_eq!(orders(&world, PRIMARY), 2);
}

/// The file names the first replica as the primary; the old one calls itself one, too.
fn switched_before_the_start() -> World {
    let mut settings = settings();
    settings.groups[0].primary.port = REPLICA_A;
    settings.groups[0].known_replicas[0].port = PRIMARY;
    settings.groups[0].config_epoch = 1;
    let mut world = World::new(settings);
    world.fake(REPLICA_A).follows = None;
    world
}

#[test]
fn a_switch_known_from_the_file_alone_demotes_nobody_early() {
    let mut world = switched_before_the_start();
    world.run(7_000);
    assert_eq!(orders(&world, PRIMARY), 0);
    world.run(30_000);
    assert_eq!(orders(&world, PRIMARY), 1, "after Sentinel's wait");
}

/// It calls itself a primary before and after: others made it a replica, and promoted it, between two looks at it. Found by
/// simulation seed 922447.
#[test]
fn sentinel_s_wait_begins_anew_when_a_stray_primary_writes_another_history() {
    let mut world = switched_before_the_start();
    world.run(7_000);
    world.fake(PRIMARY).history = ('d', '1');
    world.run(8_000);
    assert_eq!(orders(&world, PRIMARY), 0);
    world.run(20_000);
    assert_eq!(orders(&world, PRIMARY), 1);
}

/// What a cut kept back is from before what others have done since. Found by simulation seed 998752.
#[test]
fn a_stray_is_not_put_right_on_what_it_said_before_a_cut() {
    for stray in [None, Some(9999)] {
        let mut settings = settings();
        settings.groups[0].failover_timeout = Duration::from_secs(5);
        let mut world = World::new(settings);
        world.fake(REPLICA_B).follows = stray;
        world.run(19_900);
        // INFO comes each ten seconds.
        world.fake(REPLICA_B).up = false;
        world.run(400);
        world.answers_late(REPLICA_B, world.now);
        assert_eq!(orders(&world, REPLICA_B), 0, "{stray:?}: {:#?}", world.events);
        // It is asked once more, and says the same.
        world.revive(REPLICA_B);
        world.answers_late(REPLICA_B, world.now);
        assert_eq!(orders(&world, REPLICA_B), 1, "{stray:?}: {:#?}", world.events);
    }
}

/// What it has been told meanwhile, by others, this daemon may not have heard either.
#[test]
fn sentinel_s_wait_begins_anew_when_a_stray_primary_was_away() {
    let mut world = switched_before_the_start();
    world.run(3_000);
    world.kill(PRIMARY);
    world.run(20_000);
    assert!(world.saw("+sdown slave 127.0.0.1:6379"));
    world.revive(PRIMARY);
    world.run(7_900);
    assert!(world.saw("-sdown slave 127.0.0.1:6379"));
    assert_eq!(orders(&world, PRIMARY), 0);
    world.run(20_000);
    assert_eq!(orders(&world, PRIMARY), 1);
}

#[test]
fn a_primary_by_a_later_switch_is_not_demoted_early() {
    let mut world = failed_over();
    // Others made it a primary again, out of what it had from the present one.
    let heir = world.fake(REPLICA_A).history.0;
    world.fake(PRIMARY).run_id = id('d');
    world.fake(PRIMARY).history = ('d', heir);
    greet(&mut world);
    world.revive(PRIMARY);
    world.run(7_000);
    assert_eq!(orders(&world, PRIMARY), 0);
}

#[test]
fn an_attempt_that_was_only_heard_of_is_waited_for() {
    let mut world = failed_over();
    greet(&mut world);
    world.hear_at(REPLICA_B, &format!("127.0.0.1,{PEER_A},{},2,mymaster,127.0.0.1,{REPLICA_A},1", id('b')));
    world.revive(PRIMARY);
    world.run(7_000);
    assert_eq!(orders(&world, PRIMARY), 0);
}

#[test]
fn no_old_primary_is_demoted_while_the_new_one_is_in_doubt() {
    let mut world = failed_over();
    world.fake(REPLICA_A).up = false;
    world.run(2_000);
    greet(&mut world);
    world.revive(PRIMARY);
    world.run(7_000);
    assert_eq!(orders(&world, PRIMARY), 0);
}

#[test]
fn where_role_is_not_allowed_info_is_asked_as_often() {
    let mut world = World::new(settings());
    for port in [PRIMARY, REPLICA_A, REPLICA_B] {
        world.fake(port).role_allowed = false;
    }
    world.run(3_000);
    world.peers_say(&opinion(true, &id('a'), 1));
    world.kill(PRIMARY);
    // The peers' opinions come within a PING of +sdown, the rest within a few of the paces of INFO.
    world.run(1_300);
    assert!(world.saw("+switch-master"), "{:#?}", world.events);
}

#[test]
fn a_primary_that_says_it_is_a_stranger_s_replica_is_never_made_a_primary() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.fake(PRIMARY).follows = Some(7777);
    world.peers_say(&opinion(true, &id('a'), 1));
    world.run(120_000);
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6380"), "{:#?}", world.events);
    assert!(!world.sent.iter().any(|line| line == "6379: SLAVEOF NO ONE"));
}

/// With a primary's process replaced by one that has this history, 200 ms of patience.
fn reborn(history: (char, char), offset: u64, run: u64) -> World {
    let mut settings = settings();
    settings.groups[0].reboot_down_after = Duration::from_millis(200);
    let mut world = World::new(settings);
    world.run(3_000);
    world.kill(PRIMARY);
    world.fake(PRIMARY).run_id = id('d');
    world.fake(PRIMARY).history = history;
    world.fake(PRIMARY).offset = offset;
    world.run(100);
    world.revive(PRIMARY);
    world.run(run);
    assert!(world.saw("+reboot master"));
    world
}

#[test]
fn a_primary_that_came_back_without_its_data_is_down() {
    assert!(reborn(('d', '0'), 5, 350).saw("+sdown master"));
}

#[test]
fn a_primary_that_came_back_with_its_data_is_well() {
    assert!(!reborn(('d', '1'), 5, 5_000).saw("+sdown master"), "its history goes on");
    assert!(!reborn(('d', '0'), 100, 5_000).saw("+sdown master"), "it holds no less");
}

/// What is known of the replicas is from before their last writes.
#[test]
fn what_the_replicas_hold_is_asked_afresh() {
    let mut settings = settings();
    settings.groups[0].reboot_down_after = Duration::from_millis(200);
    let mut world = World::new(settings);
    for port in [PRIMARY, REPLICA_A, REPLICA_B] {
        world.fake(port).offset = 0;
    }
    world.run(3_000);
    for port in [REPLICA_A, REPLICA_B] {
        world.fake(port).offset = 100;
    }
    world.kill(PRIMARY);
    world.fake(PRIMARY).run_id = id('d');
    world.fake(PRIMARY).history = ('d', '0');
    world.revive(PRIMARY);
    world.run(350);
    assert!(world.saw("+sdown master"), "{:#?}", world.events);
}

#[test]
fn a_replica_that_was_emptied_is_not_chosen_before_one_with_data() {
    let mut world = reborn(('d', '0'), 5, 250);
    world.fake(REPLICA_A).history = ('d', '0');
    world.fake(REPLICA_A).offset = 500;
    world.fake(REPLICA_A).priority = 1;
    world.peers_say(&opinion(true, &id('a'), 1));
    world.run(2_000);
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6381"), "{:#?}", world.events);
}

#[test]
fn what_is_down_is_not_tried_more_often_than_sentinel_does() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.kill(REPLICA_A);
    world.run(2_000);
    assert!(world.saw("+sdown slave 127.0.0.1:6380"));
    world.connects.clear();
    world.run(10_000);
    assert!((9..=11).contains(&world.connects[&REPLICA_A]), "{:?}", world.connects);
}

#[test]
fn after_a_reset_nothing_is_learnt_for_a_moment() {
    let mut world = World::new(settings());
    world.run(3_000);
    let hello = format!("127.0.0.1,{PEER_A},{},0,mymaster,127.0.0.1,{PRIMARY},0", id('b'));
    assert_eq!(world.ask(&["SENTINEL", "RESET", "mymaster"]), Reply::Int(1));
    let peers = |world: &World| world.engine.snapshot().groups[0].known_sentinels.len();
    world.run(90);
    world.hear(&hello);
    assert_eq!(peers(&world), 0);
    world.run(20);
    world.hear(&hello);
    assert_eq!(peers(&world), 1);
}
