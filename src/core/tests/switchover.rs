//! The planned switchover, step by step.

use super::*;

fn ready() -> World {
    let mut world = World::new(settings());
    world.fake(REPLICA_B).priority = 50;
    world.run(11_000);
    world.sent.clear();
    world.events.clear();
    world
}

fn start(world: &mut World) -> Reply {
    world.ask(&["sentinel", "failover", "mymaster"])
}

/// What was sent to a port, without hellos and what keeps links up.
fn sent_to(world: &World, port: u16) -> Vec<String> {
    let prefix = format!("{port}: ");
    let lines = world.sent.iter().filter_map(|line| line.strip_prefix(&prefix));
    lines
        .filter(|line| {
            !line.starts_with("PUBLISH") && !line.contains("SETNAME") && !line.starts_with("SUBSCRIBE")
        })
        .map(str::to_owned)
        .collect()
}

fn place(world: &World, line: &str) -> usize {
    world
        .sent
        .iter()
        .position(|sent| sent == line)
        .unwrap_or_else(|| panic!("no {line} in {:#?}", world.sent))
}

#[test]
fn the_old_primary_is_demoted_before_the_new_one_is_promoted() {
    let mut world = ready();
    assert_eq!(start(&mut world), Reply::OK);
    world.run(200);
    assert_eq!(
        world.events_from("+new-epoch")[..10],
        [
            "+new-epoch",
            "+try-failover",
            "+vote-for-leader",
            "+elected-leader",
            "+failover-state-select-slave",
            "+selected-slave",
            "+failover-state-send-slaveof-noone",
            "+failover-state-wait-promotion",
            "-role-change",
            "+promoted-slave",
        ],
        "{:#?}",
        world.events
    );
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6381"));
    assert_eq!(
        sent_to(&world, PRIMARY)[..6],
        [
            "CLIENT PAUSE 500 WRITE",
            "SLAVEOF 127.0.0.1 6381",
            "CONFIG REWRITE",
            "CLIENT KILL TYPE normal",
            "CLIENT KILL TYPE pubsub",
            "CLIENT UNPAUSE",
        ]
    );
    assert!(
        place(&world, "6379: SLAVEOF 127.0.0.1 6381") < place(&world, "6381: SLAVEOF NO ONE"),
        "{:#?}",
        world.sent
    );
    assert!(!world.fake(PRIMARY).paused);
}

#[test]
fn nothing_is_published_to_a_primary_that_holds_writes_back() {
    let mut world = ready();
    world.fake(PRIMARY).burst = 100;
    start(&mut world);
    world.run(300);
    assert!(world.fake(PRIMARY).paused);
    world.run(7_000);
    let pause = place(&world, "6379: CLIENT PAUSE 500 WRITE");
    let end = place(&world, "6379: CLIENT UNPAUSE");
    assert!(
        !world.sent[pause..end].iter().any(|line| line.starts_with("6379: PUBLISH")),
        "{:#?}",
        world.sent
    );
    assert!(world.sent[end..].iter().any(|line| line.starts_with("6379: PUBLISH")), "{:#?}", world.sent);
}

#[test]
fn what_does_not_come_to_the_same_in_time_is_undone() {
    let mut world = ready();
    world.fake(PRIMARY).burst = 100;
    assert_eq!(start(&mut world), Reply::OK);
    world.run(10_000);
    assert!(
        world.saw("-failover-abort-master-timeout master mymaster 127.0.0.1 6379"),
        "{:#?}",
        world.events
    );
    assert_eq!(sent_to(&world, PRIMARY), ["CLIENT PAUSE 500 WRITE", "CLIENT UNPAUSE"]);
    assert!(!world.sent.iter().any(|line| line.contains("SLAVEOF")));
    assert!(!world.fake(PRIMARY).paused && world.fake(PRIMARY).follows.is_none());
}

#[test]
fn a_candidate_far_behind_is_waited_for_before_writes_are_held_back() {
    let mut world = ready();
    world.fake(PRIMARY).offset = 100 << 20;
    start(&mut world);
    world.run(1_000);
    assert_eq!(sent_to(&world, PRIMARY), [""; 0], "{:?}", world.sent);
    world.fake(REPLICA_B).offset = 100 << 20;
    world.run(100);
    assert!(world.saw("+promoted-slave slave 127.0.0.1:6381"), "{:#?}", world.events);
}

#[test]
fn a_stream_that_does_not_flow_yet_is_waited_for_before_writes_are_held_back() {
    let mut world = ready();
    world.fake(PRIMARY).offset = 200;
    start(&mut world);
    world.run(1_000);
    assert_eq!(sent_to(&world, PRIMARY), [""; 0], "{:?}", world.sent);
    world.fake(REPLICA_B).offset = 200;
    world.run(100);
    assert!(world.saw("+promoted-slave slave 127.0.0.1:6381"), "{:#?}", world.events);
}

#[test]
fn a_candidate_that_stays_behind_ends_the_attempt() {
    let mut world = ready();
    world.fake(PRIMARY).offset = 100 << 20;
    start(&mut world);
    world.run(6_000);
    assert!(world.saw("-failover-abort-slave-timeout"), "{:#?}", world.events);
    assert_eq!(sent_to(&world, PRIMARY), [""; 0]);
}

#[test]
fn a_second_word_within_a_second_is_told_that_one_is_in_progress() {
    let mut world = ready();
    assert_eq!(start(&mut world), Reply::OK);
    world.run(300);
    assert!(world.saw("+switch-master"));
    let progress = Reply::err("INPROG Failover already in progress");
    assert_eq!(start(&mut world), progress);
    world.run(900);
    assert_ne!(start(&mut world), progress);
}

#[test]
fn without_the_right_to_pause_it_goes_as_sentinel_s_and_says_so_once() {
    let mut world = ready();
    let refusal = "NOPERM this user has no permissions to run the 'client|pause' command";
    world.fake(PRIMARY).pause = Reply::err(refusal);
    assert_eq!(start(&mut world), Reply::OK);
    world.run(2_000);
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6381"), "{:#?}", world.events);
    assert_eq!(sent_to(&world, PRIMARY)[0], "CLIENT PAUSE 500 WRITE");
    assert!(!sent_to(&world, PRIMARY).iter().any(|line| line == "SLAVEOF 127.0.0.1 6381"));
    let named = |world: &World| world.logs.iter().filter(|line| line.contains("+client|pause")).count();
    assert_eq!(named(&world), 1, "{:#?}", world.logs);
    // The old primary obeys, and the next primary refuses, too.
    world.fake(PRIMARY).follows = Some(REPLICA_B);
    world.fake(REPLICA_A).follows = Some(REPLICA_B);
    world.fake(REPLICA_B).pause = Reply::err(refusal);
    world.run(21_000);
    assert_eq!(start(&mut world), Reply::OK);
    world.run(2_000);
    assert_eq!(named(&world), 1, "{:#?}", world.logs);
}

#[test]
fn coordinated_never_goes_on_without_the_right() {
    let mut world = ready();
    world.fake(PRIMARY).pause = Reply::err("NOPERM no");
    assert_eq!(world.ask(&["sentinel", "failover", "mymaster", "coordinated"]), Reply::OK);
    world.run(2_000);
    assert!(world.saw("-failover-abort-master-refused"), "{:#?}", world.events);
    assert!(!world.sent.iter().any(|line| line.contains("SLAVEOF")));
}

#[test]
fn a_primary_that_cannot_pause_writes_is_left_alone() {
    let mut world = ready();
    world.fake(PRIMARY).pause = Reply::err("ERR syntax error");
    assert_eq!(start(&mut world), Reply::OK);
    world.run(2_000);
    assert!(world.saw("-failover-abort-master-refused"), "{:#?}", world.events);
    assert!(!world.sent.iter().any(|line| line.contains("SLAVEOF")));
}

#[test]
fn what_is_known_beforehand_is_an_error() {
    let mut world = ready();
    let unknown = world.ask(&["sentinel", "failover", "mymaster", "now"]);
    assert_eq!(unknown, Reply::err("ERR Unknown failover option specified"));
    world.kill(PRIMARY);
    world.run(2_000);
    let coordinated = world.ask(&["sentinel", "failover", "mymaster", "COORDINATED"]);
    assert_eq!(coordinated, Reply::err("NOGOODPRIMARY Primary is not reachable"));
    // Without the word it is Sentinel's forced failover.
    assert_eq!(start(&mut world), Reply::OK);
    world.run(2_000);
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6381"), "{:#?}", world.events);
}

#[test]
fn the_primary_gets_its_role_back_when_the_candidate_refuses_its_own() {
    let mut world = ready();
    world.fake(REPLICA_B).obeys = false;
    start(&mut world);
    world.run(1_000);
    assert!(world.saw("-failover-abort-slave-timeout"), "{:#?}", world.events);
    assert!(!world.saw("+promoted-slave"));
    assert_eq!(world.fake(PRIMARY).follows, None);
    assert!(!world.fake(PRIMARY).paused);
    let back = place(&world, "6379: SLAVEOF NO ONE");
    assert!(place(&world, "6381: SLAVEOF NO ONE") < back);
}

/// The old primary obeyed. The candidate takes the promotion and dies before it says so.
fn between_the_two() -> World {
    let mut world = ready();
    world.fake(REPLICA_B).dies_of = Some("SLAVEOF");
    start(&mut world);
    world.run(500);
    assert!(world.saw("+failover-state-wait-promotion"), "{:#?}", world.events);
    assert_eq!(world.fake(PRIMARY).follows, Some(REPLICA_B));
    world
}

#[test]
fn the_primary_gets_its_role_back_when_the_candidate_dies() {
    let mut world = between_the_two();
    world.run(3_000);
    assert!(world.saw("-failover-abort-slave-timeout"), "{:#?}", world.events);
    assert_eq!(world.fake(PRIMARY).follows, None);
}

/// The candidate obeys, and is cut off before it says so. Two primaries would be worse than a late switch.
#[test]
fn the_old_primary_tells_that_the_candidate_obeyed() {
    for (linked, commits) in [(true, true), (false, false)] {
        let mut world = ready();
        world.fake(REPLICA_B).freezes_after = Some("SLAVEOF");
        start(&mut world);
        world.run(50);
        assert!(world.saw("+failover-state-wait-promotion"), "{:#?}", world.events);
        let history = world.fake(REPLICA_B).history;
        assert_eq!((history.0, world.fake(REPLICA_B).follows), ('e', None));
        let old = world.fake(PRIMARY);
        (old.linked, old.history) = (linked, history);
        world.run(3_000);
        assert_eq!(world.saw("+promoted-slave slave 127.0.0.1:6381"), commits, "{:#?}", world.events);
        assert_eq!(world.saw("-failover-abort-slave-timeout"), !commits, "{:#?}", world.events);
        assert_eq!(world.fake(PRIMARY).follows, commits.then_some(REPLICA_B));
    }
}

#[test]
fn a_primary_that_somebody_else_moved_on_meanwhile_is_left_to_him() {
    let mut world = between_the_two();
    world.fake(PRIMARY).follows = Some(REPLICA_A);
    world.run(3_000);
    assert!(world.saw("-failover-abort-master-timeout"), "{:#?}", world.events);
    assert_eq!(world.fake(PRIMARY).follows, Some(REPLICA_A));
    assert!(!world.sent.iter().any(|line| line == "6379: SLAVEOF NO ONE"), "{:#?}", world.sent);
}

#[test]
fn a_candidate_that_is_a_primary_after_all_goes_on_to_the_commit() {
    let mut world = between_the_two();
    // Nor does the old primary answer when it is to be one again.
    world.kill(PRIMARY);
    world.run(2_000);
    assert!(!world.saw("-failover-abort-slave-timeout"), "{:#?}", world.events);
    let fake = world.fake(REPLICA_B);
    (fake.follows, fake.dies_of) = (None, None);
    world.revive(REPLICA_B);
    world.run(1_000);
    assert!(world.saw("+promoted-slave slave 127.0.0.1:6381"), "{:#?}", world.events);
    world.revive(PRIMARY);
    world.run(5_000);
    assert!(!world.sent.iter().any(|line| line == "6379: SLAVEOF NO ONE"), "{:#?}", world.sent);
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6381"), "{:#?}", world.events);
}

/// The candidate's process ends by the order to be a primary, and is not held down yet.
fn candidate_dies_when_told() -> World {
    let mut settings = settings();
    settings.groups[0].down_after = Duration::from_millis(5_000);
    let mut world = World::new(settings);
    world.fake(REPLICA_B).priority = 50;
    world.run(11_000);
    world.fake(REPLICA_B).dies_of = Some("SLAVEOF");
    start(&mut world);
    world.run(100);
    world
}

#[test]
fn a_promotion_is_told_again_over_a_new_connection() {
    let mut world = candidate_dies_when_told();
    assert!(!world.saw("+promoted-slave"));
    let fake = world.fake(REPLICA_B);
    (fake.up, fake.dies_of) = (true, None);
    world.run(3_000);
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6381"), "{:#?}", world.events);
    assert_eq!(world.fake(PRIMARY).follows, Some(REPLICA_B));
}

#[test]
fn a_primary_that_dies_while_it_holds_writes_back_is_failed_over() {
    let mut world = ready();
    world.fake(PRIMARY).dies_of = Some("SLAVEOF");
    world.peers_say(&opinion(true, &id('a'), 2));
    start(&mut world);
    world.run(60_000);
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 638"), "{:#?}", world.events);
}

#[test]
fn sentinel_s_way_is_a_word_of_the_configuration() {
    let mut world = World::on(Node { port: 26379, plain_switchover: true, ..Node::default() }, settings());
    world.run(11_000);
    world.sent.clear();
    start(&mut world);
    world.run(2_000);
    assert!(world.saw("+switch-master"), "{:#?}", world.events);
    assert!(!world.sent.iter().any(|line| line.contains("PAUSE")));
}

#[test]
fn the_pause_is_configured_and_never_makes_the_primary_look_down() {
    for (down_after, wish, used) in [(30_000, 250, 250), (30_000, 5_000, 5_000), (1_000, 5_000, 500)] {
        let mut settings = settings();
        settings.groups[0].down_after = Duration::from_millis(down_after);
        let pause = BTreeMap::from([("mymaster".into(), Duration::from_millis(wish))]);
        let mut world = World::on(Node { port: 26379, switchover_pause: pause, ..Node::default() }, settings);
        world.run(11_000);
        start(&mut world);
        world.run(500);
        place(&world, &format!("6379: CLIENT PAUSE {used} WRITE"));
    }
}

/// A daemon that was held up right after the old primary obeyed: that one may have been started anew meanwhile.
#[test]
fn the_old_primary_s_word_does_not_outlive_its_moment() {
    let mut world = ready();
    world.fake(PRIMARY).freezes_after = Some("SLAVEOF");
    start(&mut world);
    let conn = world.command(PRIMARY);
    assert!(!world.fake(PRIMARY).up);
    world.now = world.now + Duration::from_secs(8);
    let reply = Reply::bulk(world.fake(PRIMARY).info());
    world.handle(Input::Frame { conn, reply });
    assert!(world.saw("+tilt"), "{:#?}", world.events);
    let fake = world.fake(PRIMARY);
    (fake.freezes_after, fake.follows) = (None, None);
    world.revive(PRIMARY);
    world.reset(PRIMARY);
    world.run(31_000);
    assert!(world.saw("-tilt"), "{:#?}", world.events);
    let promoted = world.sent.iter().any(|line| line == "6381: SLAVEOF NO ONE");
    assert!(!promoted, "{:#?}", world.sent);
    assert!(world.saw("-failover-abort-master-timeout"), "{:#?}", world.events);
}

#[test]
fn a_candidate_that_comes_back_without_its_data_is_not_promoted() {
    let mut world = candidate_dies_when_told();
    assert_eq!(world.fake(PRIMARY).follows, Some(REPLICA_B));
    let fake = world.fake(REPLICA_B);
    (fake.up, fake.dies_of, fake.follows, fake.offset) = (true, None, Some(PRIMARY), 0);
    world.run(3_000);
    assert!(world.saw("-failover-abort-slave-timeout"), "{:#?}", world.events);
    assert_eq!(sent_to(&world, REPLICA_B).iter().filter(|line| *line == "SLAVEOF NO ONE").count(), 1);
    assert_eq!(world.fake(PRIMARY).follows, None);
}
