use super::*;

#[test]
fn a_healthy_group_stays_quiet() {
    let mut world = World::new(settings());
    world.run(60_000);
    assert_eq!(world.events, ["+monitor master mymaster 127.0.0.1 6379 quorum 2"]);
}

#[test]
fn down_exactly_when_down_after_is_over() {
    let mut world = World::new(settings());
    world.run(5_000);
    world.fake(PRIMARY).up = false;
    let frozen_at = world.now;
    // The last PING before it froze was answered; the next one goes out within a PING period.
    world.run(999);
    assert!(!world.saw("+sdown"), "{:?}", world.events);
    let after = world.until("+sdown").millis_since(frozen_at);
    assert!((1000..=2001).contains(&after), "{after} ms");
    assert_eq!(world.events.last().unwrap(), "+sdown master mymaster 127.0.0.1 6379");
}

#[test]
fn back_up_with_the_first_acceptable_reply() {
    let mut world = World::new(settings());
    world.kill(PRIMARY);
    world.run(3_000);
    assert!(world.saw("+sdown master mymaster"));
    world.fake(PRIMARY).up = true;
    world.run(1_100);
    assert!(world.saw("-sdown master mymaster"), "{:#?} {:#?}", world.events, world.sent);
}

#[test]
fn errors_are_no_acceptable_replies_but_loading_is() {
    let mut world = World::new(settings());
    world.fake(PRIMARY).pong = "MISCONF Errors writing to the AOF file";
    world.fake(REPLICA_A).pong = "LOADING Redis is loading the dataset in memory";
    world.run(3_000);
    assert!(world.saw("+sdown master mymaster"));
    assert!(!world.saw("+sdown slave"));
}

#[test]
fn a_stop_of_the_process_is_tilt_and_calls_nobody_down() {
    let mut world = World::new(settings());
    world.run(5_000);
    world.now = world.now + Duration::from_millis(10_000);
    world.handle(Input::Timer { heard: world.now });
    assert_eq!(world.events.last().unwrap(), "+tilt #tilt mode entered");
    assert!(!world.saw("+sdown"));
    world.run(29_900);
    assert!(!world.saw("-tilt"));
    world.run(200);
    assert_eq!(world.events.last().unwrap(), "-tilt #tilt mode exited");
    assert!(!world.saw("+sdown"));
}

#[test]
fn a_short_delay_gives_waiting_replies_their_chance() {
    let mut world = World::new(settings());
    world.run(5_000);
    // The loop was held up for longer than down-after, but not for a TILT.
    for fake in world.fakes.values_mut() {
        fake.up = false;
    }
    world.run(900);
    for fake in world.fakes.values_mut() {
        fake.up = true;
    }
    world.now = world.now + Duration::from_millis(1_800);
    world.handle(Input::Timer { heard: world.now });
    assert!(!world.saw("+sdown") && !world.saw("+tilt"), "{:?}", world.events);
}

/// The primary froze and its connections broke: new ones have to wait before they are begun.
fn waiting() -> World {
    let mut world = World::new(settings());
    world.run(5_000);
    let primary = world.fake(PRIMARY);
    (primary.waits, primary.up) = (true, false);
    world.reset(PRIMARY);
    world
}

#[test]
fn what_waits_to_be_begun_is_not_silent_yet() {
    let mut world = waiting();
    world.run(3_000);
    assert!(!world.saw("+sdown"), "{:?}", world.events);
    // Too many requests would be waiting with it.
    let command = world.command(PRIMARY);
    assert_eq!(
        world.engine.shared.links.find(command).map(|(id, _)| world
            .engine
            .shared
            .links
            .get(id)
            .unwrap()
            .pending()),
        Some(3)
    );
    world.handle(Input::Begun { conn: command });
    let begun_at = world.now;
    world.run(950);
    assert!(!world.saw("+sdown"), "{:?}", world.events);
    let after = world.until("+sdown master").millis_since(begun_at);
    assert!((950..=1100).contains(&after), "{after} ms");
    // It stays down while it is sought again.
    world.cut(command);
    world.run(5_000);
    assert!(!world.saw("-sdown"), "{:?}", world.events);
}

#[test]
fn a_wait_counts_from_the_wish_however_late_it_is_told() {
    let mut world = World::new(settings());
    world.run(5_000);
    let primary = world.fake(PRIMARY);
    (primary.up, primary.refuses) = (false, false);
    world.reset(PRIMARY);
    world.now = world.now + Duration::from_millis(900);
    let conn = world.command(PRIMARY);
    world.handle(Input::Waiting { conn });
    world.handle(Input::Begun { conn });
    world.run(950);
    assert!(!world.saw("+sdown"), "{:?}", world.events);
    world.run(150);
    assert!(world.saw("+sdown master"), "{:?}", world.events);
}

#[test]
fn the_clocks_run_from_the_start_on() {
    let made_at = Time::from_millis(1_000_000);
    let mut engine = Engine::new(settings(), Node::default(), 1, Level::Notice, made_at);
    let now = made_at + Duration::from_millis(5_000);
    let mut out = Vec::new();
    engine.start(now, &mut out);
    engine.handle(Input::Timer { heard: now }, now, &mut out);
    let events =
        |out: &[Action]| out.iter().filter(|a| matches!(a, Action::Event(e) if e.name == "+sdown")).count();
    assert_eq!(events(&out), 0);
    for millis in (0..1_200).step_by(10) {
        let at = now + Duration::from_millis(millis);
        engine.handle(Input::Timer { heard: at }, at, &mut out);
    }
    assert_eq!(events(&out), 5, "nobody answers here");
}

#[test]
fn what_is_never_begun_is_down_in_the_end() {
    let mut world = waiting();
    let from = world.now;
    let after = world.until("+sdown master").millis_since(from);
    assert!((10_900..=11_100).contains(&after), "{after} ms");
}

#[test]
fn waits_count_until_an_answer_and_no_longer() {
    let mut world = waiting();
    for attempt in 0..3 {
        world.run(2_000);
        let conn = world.command(PRIMARY);
        world.handle(Input::Begun { conn });
        world.run(200);
        assert!(!world.saw("+sdown"), "{:?}", world.events);
        if attempt == 2 {
            world.fake(PRIMARY).waits = false;
            world.revive(PRIMARY);
        }
        world.cut(conn);
    }
    world.run(2_000);
    world.fake(PRIMARY).up = false;
    let frozen_at = world.now;
    let after = world.until("+sdown master").millis_since(frozen_at);
    assert!((1000..=1101).contains(&after), "{after} ms");
}

#[test]
fn nobody_is_down_while_his_answer_may_lie_in_a_socket() {
    let mut world = World::new(settings());
    world.run(5_000);
    world.fake(PRIMARY).up = false;
    // The time is over in which it should have answered, and something else comes in first.
    let before = world.now;
    let mut other = || {
        world.now = world.now + Duration::from_millis(40);
        world.handle(Input::Resolved { id: super::super::ids::ResolveId(99), ip: None });
        world.now.millis_since(before)
    };
    while other() < 1_400 {}
    assert!(!world.saw("+sdown") && !world.saw("+tilt"), "{:?}", world.events);
    // What came in until then has been handed over; it can't be among it.
    world.handle(Input::Timer { heard: before + Duration::from_millis(900) });
    assert!(!world.saw("+sdown"), "{:?}", world.events);
    assert!(world.engine.next_deadline().is_some_and(|(at, _)| at <= world.now), "it is still to be told");
    world.handle(Input::Timer { heard: world.now });
    assert!(world.saw("+sdown master"), "{:?}", world.events);
}

#[test]
fn a_primary_that_calls_itself_a_replica_is_down_in_the_end() {
    let mut world = World::new(settings());
    world.run(1_000);
    world.fake(PRIMARY).follows = Some(1);
    world.run(11_000);
    assert!(world.saw("-role-change master mymaster 127.0.0.1 6379 new reported role is slave"));
    assert!(!world.saw("+sdown"));
    world.run(21_100);
    assert!(world.saw("+sdown master mymaster"), "{:?}", world.events);
}

#[test]
fn replicas_and_peers_are_found() {
    let mut bare = settings();
    bare.groups[0].known_replicas.clear();
    bare.groups[0].known_sentinels.clear();
    let mut world = World::new(bare);
    let hello = format!("127.0.0.1,{PEER_A},{},0,mymaster,127.0.0.1,{PRIMARY},0", id('b'));
    world.hear(&hello);
    assert_eq!(
        world.events.last().unwrap(),
        &format!("+sentinel sentinel {} 127.0.0.1 {PEER_A} @ mymaster 127.0.0.1 {PRIMARY}", id('b'))
    );
    let saved = world.engine.snapshot();
    assert_eq!(saved.groups[0].known_sentinels.len(), 1);
}

#[test]
fn a_refused_subscription_shows_as_disconnected() {
    let mut world = World::new(settings());
    let subscription = world.subscription(PRIMARY);
    // The answers to SETNAME and SUBSCRIBE were given; a stray reply ends the connection, too.
    world.handle(Input::Frame { conn: subscription, reply: Reply::err("NOPERM") });
    assert!(!world.conns.contains_key(&subscription));
}

fn hellos_to(world: &World, port: u16) -> usize {
    let start = format!("{port}: PUBLISH __sentinel__:hello");
    world.sent.iter().filter(|line| line.starts_with(&start)).count()
}

#[test]
fn a_hello_goes_out_as_soon_as_its_answers_can_be_heard() {
    let world = World::new(settings());
    for port in [PRIMARY, REPLICA_A, REPLICA_B] {
        assert_eq!(hellos_to(&world, port), 1);
        let lines: Vec<_> = world.sent.iter().filter(|line| line.starts_with(&port.to_string())).collect();
        let at = |word: &str| lines.iter().position(|line| line.contains(word)).unwrap();
        assert!(at("SUBSCRIBE") < at("PUBLISH"), "{lines:?}");
    }
}

#[test]
fn strangers_are_answered_at_once_and_many_together() {
    let mut bare = settings();
    bare.groups[0].known_sentinels.clear();
    let mut world = World::new(bare);
    world.run(1_000);
    let before = hellos_to(&world, PRIMARY);
    let stranger = |n: u16| {
        format!(
            "127.0.0.1,{},{},0,mymaster,127.0.0.1,{PRIMARY},0",
            30_000 + n,
            id('b')[..30].to_owned() + &n.to_string()
        )
    };
    world.hear(&stranger(0));
    assert_eq!(hellos_to(&world, PRIMARY), before + 1, "at once");
    for n in 1..50 {
        world.hear(&stranger(n));
    }
    assert_eq!(hellos_to(&world, PRIMARY), before + 1, "one for all that come together");
    world.run(100);
    assert_eq!(hellos_to(&world, PRIMARY), before + 2);
    // Those that are known get no answer but the periodic one.
    for n in 0..50 {
        world.hear(&stranger(n));
    }
    world.run(500);
    assert_eq!(hellos_to(&world, PRIMARY), before + 2);
}

#[test]
fn who_is_asked_in_turns_is_asked_in_common_ticks() {
    let mut calm = settings();
    calm.groups[0].down_after = Duration::from_secs(30);
    let mut world = World::new(calm);
    // Connections of moments of their own.
    for (port, after) in [(REPLICA_A, 1_237), (REPLICA_B, 1_451), (PEER_A, 333)] {
        world.run(after);
        world.reset(port);
    }
    world.run(2_000);
    world.now = Time::from_millis(world.now.as_micros() / 100_000 * 100 + 50);
    let asked = |world: &World| {
        let infos = world.engine.groups.values().flat_map(|group| group.replicas.values());
        let infos: Vec<_> = infos.map(|replica| replica.data().unwrap().info_sent_at).collect();
        (world.pings.clone(), world.sent.len(), infos)
    };
    let before = world.pings.clone();
    for _ in 0..9_000 {
        let (at, earlier) = (world.now, asked(&world));
        world.run(1);
        assert!(
            asked(&world) == earlier || world.now.as_micros().is_multiple_of(100_000),
            "something was asked at {at:?}"
        );
    }
    for (port, pings) in &before {
        assert_eq!(world.pings[port] - pings, 9, "PINGs to {port} in 9 s");
    }
}

#[test]
fn a_shorter_period_has_shorter_ticks() {
    let (turn, at) = (crate::core::monitor::turn_after, Time::from_micros);
    let millis = Duration::from_millis;
    assert_eq!(turn(at(5_000_300), millis(1_000)), at(6_000_000));
    assert_eq!(turn(at(5_000_300), millis(10_000)), at(15_000_000));
    assert_eq!(turn(at(5_013_300), millis(100)), at(5_110_000));
    assert_eq!(turn(at(5_013_300), millis(10)), at(5_023_000));
    assert_eq!(turn(at(5_013_300), Duration::ZERO), at(5_013_300));
}

#[test]
fn a_group_is_looked_at_for_news_not_for_what_only_puts_a_turn_off() {
    let mut world = World::new(settings());
    world.run(5_050);
    let looked = |world: &World| world.engine.groups.values().next().unwrap().stepped_at;
    let hello = |epoch: u64| format!("127.0.0.1,{PEER_A},{},{epoch},mymaster,127.0.0.1,{PRIMARY},0", id('b'));
    world.hear(&hello(1));
    assert_eq!(looked(&world), Some(world.now));
    world.run(3);
    world.hear(&hello(1));
    assert!(looked(&world) < Some(world.now));
    world.hear(&hello(2));
    assert_eq!(looked(&world), Some(world.now));
}
