use super::*;

const CLIENT: ClientId = ClientId(7);

fn ask(world: &mut World, epoch: u64, candidate: &str) -> Option<Reply> {
    let mut out = Vec::new();
    world.replies.clear();
    world.engine.asked(CLIENT, "127.0.0.1", PRIMARY, epoch, candidate, world.now, &mut out);
    world.carry_out(out);
    world.replies.pop().map(|(_, reply)| reply)
}

#[test]
fn one_vote_an_epoch_first_come_first_served() {
    let mut world = World::new(settings());
    let (x, y) = (id('x'), id('y'));
    assert_eq!(ask(&mut world, 20, &x), Some(opinion(false, &x, 20)));
    assert_eq!(ask(&mut world, 20, &y), Some(opinion(false, &x, 20)));
    assert_eq!(ask(&mut world, 19, &y), Some(opinion(false, &x, 20)));
    assert_eq!(ask(&mut world, 21, &y), Some(opinion(false, &y, 21)));
    assert_eq!(
        world.events_from("+new-epoch"),
        ["+new-epoch", "+vote-for-leader", "+new-epoch", "+vote-for-leader"]
    );
}

/// It has promoted a replica in epoch 1, and voted for b in epoch 2 meanwhile.
fn promoted_and_voted() -> World {
    let mut settings = settings();
    settings.groups[0].failover_timeout = Duration::from_secs(60);
    let mut world = World::new(settings);
    world.run(3_000);
    world.fake(REPLICA_A).obeys = false;
    world.peers_say(&opinion(true, &id('a'), 1));
    world.kill(PRIMARY);
    world.until("+failover-state-wait-promotion");
    assert_eq!(ask(&mut world, 2, &id('b')), Some(opinion(true, &id('b'), 2)));
    world.fake(REPLICA_A).follows = None;
    world.until("+promoted-slave");
    world
}

fn tells_the_other_replica(world: &World) -> bool {
    world.sent.contains(&format!("{REPLICA_B}: SLAVEOF 127.0.0.1 {REPLICA_A}"))
}

#[test]
fn who_voted_for_a_later_attempt_leaves_the_replicas_to_it_for_a_while() {
    let mut world = promoted_and_voted();
    world.run(7_500);
    assert!(!tells_the_other_replica(&world), "{:#?}", world.sent);
    world.run(2_000);
    assert!(tells_the_other_replica(&world), "{:#?}", world.events);
}

#[test]
fn but_not_for_longer_than_that_attempt_lasts() {
    // What b says of itself: its epoch, and whom it takes for the primary since which.
    for (epoch, primary, config, over) in
        [(2, PRIMARY, 0, false), (1, REPLICA_A, 1, false), (2, REPLICA_A, 1, true)]
    {
        let mut world = promoted_and_voted();
        let who = format!("127.0.0.1,{PEER_B},{},{epoch}", id('b'));
        world.hear_at(REPLICA_B, &format!("{who},mymaster,127.0.0.1,{primary},{config}"));
        world.run(1_000);
        assert_eq!(tells_the_other_replica(&world), over, "{epoch} {config}: {:#?}", world.events);
    }
}

#[test]
fn a_vote_outlives_a_restart() {
    let mut world = World::new(settings());
    ask(&mut world, 20, &id('x'));
    let saved = world.engine.snapshot();
    assert_eq!((saved.current_epoch, saved.groups[0].leader_epoch), (20, 20));
    let mut world = World::new(saved);
    assert_eq!(ask(&mut world, 20, &id('y')), Some(opinion(false, "*", 20)), "whom it was for is forgotten");
    assert_eq!(ask(&mut world, 21, &id('y')), Some(opinion(false, &id('y'), 21)));
}

#[test]
fn a_vote_waits_for_the_disk_and_falls_with_it() {
    let mut world = World::new(settings());
    world.disk = None;
    assert_eq!(ask(&mut world, 5, &id('x')), None);
    let save = world.unsaved.pop().unwrap();
    world.handle(Input::Persisted { upto: save, ok: true });
    assert_eq!(world.replies, [(CLIENT, opinion(false, &id('x'), 5))]);
    world.disk = Some(false);
    assert_eq!(ask(&mut world, 6, &id('x')), Some(opinion(false, "*", 0)));
    assert_eq!(ask(&mut world, 6, &id('x')), Some(opinion(false, "*", 0)), "not on the second call either");
    world.disk = Some(true);
    assert_eq!(ask(&mut world, 6, &id('x')), Some(opinion(false, &id('x'), 6)));
}

#[test]
fn questions_that_seek_no_vote_change_nothing() {
    let mut world = World::new(settings());
    let before = world.engine.snapshot();
    assert_eq!(ask(&mut world, 99, "*"), Some(opinion(false, "*", 0)));
    assert_eq!(ask(&mut world, u64::MAX, &id('x')), Some(opinion(false, "*", 0)), "an absurd epoch");
    assert_eq!(world.engine.snapshot(), before);
}

#[test]
fn at_epoch_0_the_last_vote_is_told_and_none_is_given() {
    let mut world = World::new(settings());
    assert_eq!(ask(&mut world, 0, &id('y')), Some(opinion(false, "*", 0)));
    ask(&mut world, 20, &id('x'));
    let before = world.engine.snapshot();
    assert_eq!(ask(&mut world, 0, &id('y')), Some(opinion(false, &id('x'), 20)));
    assert_eq!(world.engine.snapshot(), before);
}

#[test]
fn there_is_a_last_epoch() {
    let last = u64::MAX / 2;
    let mut world = World::new(settings());
    assert_eq!(ask(&mut world, last - 1, &id('x')), Some(opinion(false, &id('x'), i64::MAX - 1)));
    world.peers_say(&opinion(true, "*", 0));
    world.kill(PRIMARY);
    world.run(60_000);
    assert!(world.saw("+try-failover"), "{:?}", world.events);
    world.run(600_000);
    assert!(!world.saw("+elected-leader"), "{:?}", world.events);
    let saved = world.engine.snapshot();
    assert_eq!((saved.current_epoch, saved.groups[0].leader_epoch), (last, last), "what a file can hold");
}

#[test]
fn a_question_is_not_repeated_while_its_answer_is_awaited() {
    let mut world = World::new(settings());
    world.run(3_000);
    let port = PRIMARY.to_string();
    let words = ["sentinel", "is-master-down-by-addr", "127.0.0.1", &port, "0", "*"];
    // Its answer doesn't come.
    world.fake(PEER_B).opinion = Reply::OK;
    world.kill(PRIMARY);
    world.run(1_100);
    assert!(world.saw("+sdown"));
    let questions = |world: &World| {
        let to_b = format!("{PEER_B}: SENTINEL is-master-down-by-addr");
        world.sent.iter().filter(|line| line.starts_with(&to_b)).count()
    };
    let before = questions(&world);
    for _ in 0..30 {
        assert_eq!(world.ask(&words), opinion(true, "*", 0));
        world.run(30);
    }
    assert!((1..=2).contains(&(questions(&world) - before)), "{:#?}", world.sent);
    // It answers by now, and is asked as soon as there is news.
    world.fake(PEER_B).opinion = opinion(false, "*", 0);
    world.run(1_000);
    let before = questions(&world);
    for _ in 0..5 {
        assert_eq!(world.ask(&words), opinion(true, "*", 0));
        world.run(30);
    }
    assert!(questions(&world) - before >= 4, "{:#?}", world.sent);
}

#[test]
fn who_knows_of_nobody_to_promote_lets_the_others_go_first() {
    let turn = |priority| {
        let mut world = World::new(settings());
        for port in [REPLICA_A, REPLICA_B] {
            world.fake(port).priority = priority;
        }
        world.run(12_000);
        world.peers_say(&opinion(true, "*", 0));
        world.kill(PRIMARY);
        let agreed = world.until("+odown");
        let first = world.until("+try-failover");
        world.events.clear();
        let second = world.until("+try-failover");
        (first.millis_since(agreed), second.millis_since(first))
    };
    let step = super::super::quorum::RANK_STEP_MS;
    let ((usual, usually_again), (last, again)) = (turn(100), turn(0));
    assert!(last >= usual + 2 * step - 15, "{usual} ms, then {last} ms");
    let twice_the_timeout = 20_000;
    assert!((twice_the_timeout..twice_the_timeout + 1_200).contains(&usually_again), "{usually_again} ms");
    assert!(again >= twice_the_timeout + 3_000, "{again} ms");
}
