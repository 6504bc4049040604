use super::*;

/// One replica more.
const THIRD: u16 = 6391;

fn failed_over(world: &mut World) {
    world.peers_say(&opinion(true, &id('a'), 1));
    world.kill(PRIMARY);
    world.run(5_000);
}

#[test]
fn a_dead_primary_is_replaced_step_by_step() {
    let mut world = World::new(settings());
    world.fake(REPLICA_B).offset = 200;
    world.run(3_000);
    world.sent.clear();
    failed_over(&mut world);
    assert_eq!(
        world.events_from("+sdown")[..20],
        [
            "+sdown",
            "+odown",
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
            "+failover-state-reconf-slaves",
            "+slave-reconf-sent",
            "+slave-reconf-inprog",
            "+slave-reconf-done",
            "+failover-end",
            "+switch-master",
            "+slave",
            "+slave",
        ],
        "{:#?}",
        world.events
    );
    assert!(world.saw("+switch-master mymaster 127.0.0.1 6379 127.0.0.1 6381"), "the one with more data");
    let transaction: Vec<&String> = world
        .sent
        .iter()
        .filter(|line| line.starts_with("6381: ") && !line.contains("PUBLISH"))
        .take(6)
        .collect();
    assert_eq!(
        transaction,
        [
            "6381: MULTI",
            "6381: SLAVEOF NO ONE",
            "6381: CONFIG REWRITE",
            "6381: CLIENT KILL TYPE normal",
            "6381: CLIENT KILL TYPE pubsub",
            "6381: EXEC",
        ]
    );
    let saved = &world.engine.snapshot().groups[0];
    assert_eq!((saved.primary.port, saved.config_epoch, saved.leader_epoch), (REPLICA_B, 1, 1));
    let mut replicas: Vec<u16> = saved.known_replicas.iter().map(|replica| replica.port).collect();
    replicas.sort_unstable();
    assert_eq!(replicas, [PRIMARY, REPLICA_A]);
}

#[test]
fn no_quorum_no_failover() {
    let mut world = World::new(settings());
    world.kill(PRIMARY);
    world.run(60_000);
    assert!(world.saw("+sdown master") && !world.saw("+odown") && !world.saw("+try-failover"));
}

#[test]
fn no_majority_no_failover_and_the_next_try_waits() {
    let mut world = World::new(settings());
    world.peers_say(&opinion(true, &id('b'), 1));
    world.kill(PRIMARY);
    world.run(19_000);
    assert!(world.saw("+try-failover") && world.saw("-failover-abort-not-elected"));
    assert!(!world.saw("+elected-leader"));
    let tries = |world: &World| world.events.iter().filter(|line| line.starts_with("+try-failover")).count();
    assert_eq!(tries(&world), 1);
    world.run(4_000);
    assert_eq!(tries(&world), 2, "after twice the failover time-out");
}

#[test]
fn votes_of_another_epoch_do_not_count() {
    let mut world = World::new(settings());
    world.peers_say(&opinion(true, &id('a'), 7));
    world.kill(PRIMARY);
    world.run(5_000);
    assert!(world.saw("+try-failover") && !world.saw("+elected-leader"));
}

#[test]
fn nothing_is_asked_or_told_before_it_is_on_the_disk() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.disk = None;
    failed_over(&mut world);
    let asked = |world: &World| world.sent.iter().filter(|line| line.ends_with(&id('a'))).count();
    assert_eq!(asked(&world), 0, "the own vote is not on the disk");
    world.disk = Some(true);
    let upto = world.unsaved.pop().unwrap();
    world.handle(Input::Persisted { upto, ok: true });
    assert!(asked(&world) > 0 && world.saw("+elected-leader"));
}

#[test]
fn a_promotion_is_told_only_when_it_is_saved() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.disk = None;
    failed_over(&mut world);
    let vote = world.unsaved.pop().unwrap();
    world.handle(Input::Persisted { upto: vote, ok: true });
    world.run(1_000);
    assert!(world.saw("-role-change slave"), "the replica was promoted");
    assert!(!world.saw("+promoted-slave"), "but that is not on the disk");
    assert_eq!(world.engine.snapshot().groups[0].config_epoch, 1, "what is being saved holds it");
    let commit = world.unsaved.pop().unwrap();
    // Even a failing disk doesn't undo a promotion that is a fact.
    world.handle(Input::Persisted { upto: commit, ok: false });
    assert!(world.saw("+promoted-slave") && world.saw("+switch-master"), "{:#?}", world.events);
}

#[test]
fn no_replica_fit_no_promotion() {
    let mut world = World::new(settings());
    world.fake(REPLICA_A).priority = 0;
    world.fake(REPLICA_B).priority = 0;
    world.run(11_000);
    failed_over(&mut world);
    assert!(world.saw("-failover-abort-no-good-slave"), "{:#?}", world.events);
    assert!(!world.sent.iter().any(|line| line.contains("SLAVEOF")));
}

#[test]
fn a_failed_save_withholds_the_candidacy() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.disk = Some(false);
    failed_over(&mut world);
    world.run(10_000);
    assert!(world.saw("+try-failover") && world.saw("-failover-abort-not-elected"));
    assert!(!world.saw("+elected-leader"));
}

#[test]
fn a_newer_configuration_is_followed_once_and_older_ones_never() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.fake(REPLICA_A).follows = None;
    world.fake(PRIMARY).follows = Some(REPLICA_A);
    world.fake(REPLICA_B).follows = Some(REPLICA_A);
    world.hear(&format!("127.0.0.1,{PEER_A},{},3,mymaster,127.0.0.1,{REPLICA_A},3", id('b')));
    assert_eq!(
        world.events_from("+new-epoch"),
        ["+new-epoch", "+config-update-from", "+switch-master", "+slave", "+slave"],
        "{:#?}",
        world.events
    );
    world.events.clear();
    let older = format!("127.0.0.1,{PEER_B},{},3,mymaster,127.0.0.1,{PRIMARY},2", id('c'));
    world.hear_at(REPLICA_A, &older);
    assert!(world.events.is_empty(), "{:?}", world.events);
    assert_eq!(world.engine.snapshot().groups[0].primary.port, REPLICA_A);
}

#[test]
fn an_old_primary_that_returns_is_made_a_replica_after_sentinels_wait() {
    let mut world = World::new(settings());
    world.run(3_000);
    failed_over(&mut world);
    world.fake(PRIMARY).up = true;
    world.fake(PRIMARY).follows = None;
    world.run(40_000);
    assert!(world.saw("+convert-to-slave slave 127.0.0.1:6379"), "{:#?}", world.events);
    assert!(world.fake(PRIMARY).follows.is_some());
}

#[test]
fn a_returned_primary_that_another_promotes_at_once_is_left_alone() {
    let mut world = World::new(settings());
    world.run(3_000);
    failed_over(&mut world);
    world.fake(PRIMARY).up = true;
    world.fake(PRIMARY).follows = None;
    let mut waited = 0;
    while !world.saw("+convert-to-slave slave 127.0.0.1:6379") {
        world.run(50);
        waited += 50;
        assert!(waited < 40_000, "{:#?}", world.events);
    }
    // The operator of another Sentinel fails over to it; this one has not heard of that yet.
    world.events.clear();
    world.run(100);
    world.fake(PRIMARY).follows = None;
    world.run(15_000);
    assert!(!world.saw("+convert-to-slave"), "{:#?}", world.events);
    assert!(world.fake(PRIMARY).follows.is_none());
}

#[test]
fn a_replica_of_a_wrong_primary_is_put_right() {
    let mut world = World::new(settings());
    world.run(3_000);
    world.fake(REPLICA_B).follows = Some(9999);
    world.run(40_000);
    assert!(world.saw("+fix-slave-config slave 127.0.0.1:6381"), "{:#?}", world.events);
    assert_eq!(world.fake(REPLICA_B).follows, Some(PRIMARY));
}

/// Found by simulation seed 55694: the switch was one from the primary to itself.
#[test]
fn a_hello_waits_for_the_name_of_the_own_primary() {
    let mut named = settings();
    named.resolve_hostnames = true;
    named.groups[0].primary.host = "db".to_owned();
    let mut world = World::new(named);
    let text = format!("127.0.0.1,{PEER_A},{},3,mymaster,127.0.0.1,{PRIMARY},3", id('b'));
    assert_eq!(world.ask(&["publish", "__sentinel__:hello", &text]), Reply::Int(1));
    assert_eq!(world.engine.snapshot().groups[0].config_epoch, 0, "nothing is known of the own primary yet");
    let ip = Some([127, 0, 0, 1].into());
    world.handle(Input::Resolved { id: crate::core::ids::ResolveId(1), ip });
    assert_eq!(world.engine.snapshot().groups[0].config_epoch, 3);
    assert!(!world.saw("+switch-master"), "{:?}", world.events);
}

/// Clients count the words of `+switch-master`: a name that was never resolved stands for its address.
#[test]
fn a_switch_away_from_a_name_without_an_address_has_all_its_words() {
    let mut named = settings();
    named.resolve_hostnames = true;
    named.groups[0].primary.host = "db".to_owned();
    let mut world = World::new(named);
    world.handle(Input::Resolved { id: crate::core::ids::ResolveId(1), ip: None });
    let text = format!("127.0.0.1,{PEER_A},{},3,mymaster,127.0.0.1,{REPLICA_A},3", id('b'));
    assert_eq!(world.ask(&["publish", "__sentinel__:hello", &text]), Reply::Int(1));
    assert!(world.saw("+switch-master mymaster db 6379 127.0.0.1 6380"), "{:?}", world.events);
}

/// It has promoted a replica, and waits for the save after which it repoints the other one.
fn about_to_commit() -> (World, crate::core::ids::SaveNo) {
    let mut world = World::new(settings());
    world.fake(REPLICA_B).priority = 0;
    world.run(3_000);
    world.peers_say(&opinion(true, &id('a'), 1));
    world.disk = None;
    world.kill(PRIMARY);
    world.run(2_000);
    let vote = world.unsaved.pop().unwrap();
    world.handle(Input::Persisted { upto: vote, ok: true });
    world.until("-role-change slave 127.0.0.1:6380");
    let commit = world.unsaved.pop().unwrap();
    (world, commit)
}

/// Another leader's promotion is not undone on what the replica said before it.
#[test]
fn a_replica_is_heard_before_it_is_repointed() {
    let (mut world, commit) = about_to_commit();
    world.fake(REPLICA_B).follows = None;
    world.run(300);
    assert!(!world.saw("-role-change slave 127.0.0.1:6381"), "{:#?}", world.events);
    world.handle(Input::Persisted { upto: commit, ok: true });
    world.run(1_000);
    assert!(world.saw("+switch-master"), "{:#?}", world.events);
    assert!(!world.saw("+slave-reconf-sent"), "{:#?}", world.events);
    assert_eq!(world.fake(REPLICA_B).follows, None);
}

/// Nor is it at the time-out, on what it said long ago.
#[test]
fn who_is_silent_at_the_time_out_is_not_told_in_passing() {
    let (mut world, commit) = about_to_commit();
    world.order(&["sentinel", "set", "mymaster", "failover-timeout", "100"]);
    world.fake(REPLICA_B).up = false;
    world.run(300);
    world.handle(Input::Persisted { upto: commit, ok: true });
    world.run(400);
    assert!(!world.saw("+failover-end"), "{:#?}", world.events);
    world.run(1_000);
    assert!(world.saw("+switch-master"), "{:#?}", world.events);
    assert!(!world.saw("+slave-reconf-sent"), "{:#?}", world.events);
}

/// Who is not is told, as with Sentinel.
#[test]
fn the_last_ones_are_told_at_the_time_out() {
    let mut settings = settings();
    settings.groups[0].failover_timeout = Duration::from_secs(3);
    settings.groups[0].parallel_syncs = 1;
    let third = HostPort { host: "127.0.0.1".to_owned(), port: THIRD };
    settings.groups[0].known_replicas.push(third);
    let mut world = World::new(settings);
    let fake = Fake { run_id: id('9'), ..world.fakes[&REPLICA_A].clone() };
    world.fakes.insert(THIRD, fake);
    world.run(3_000);
    world.peers_say(&opinion(true, &id('a'), 1));
    // The first that is told doesn't obey, and the next one waits for its turn.
    for port in [REPLICA_B, THIRD] {
        world.fake(port).obeys = false;
    }
    world.kill(PRIMARY);
    world.until("+failover-end-for-timeout");
    let told =
        |world: &World, event: &str| world.events.iter().filter(|line| line.starts_with(event)).count();
    assert_eq!(told(&world, "+slave-reconf-sent slave"), 1, "{:#?}", world.events);
    assert_eq!(told(&world, "+slave-reconf-sent-be slave"), 1, "{:#?}", world.events);
}

/// A cut keeps answers back: they tell what was so when they were asked for.
#[test]
fn an_answer_from_before_a_cut_is_not_heard() {
    let (mut world, commit) = about_to_commit();
    world.fake(REPLICA_B).up = false;
    world.run(300);
    world.handle(Input::Persisted { upto: commit, ok: true });
    world.run(200);
    let promoted_at = world.now;
    world.run(200);
    // Another leader has promoted it. What it said before arrives by now.
    world.answers_late(REPLICA_B, promoted_at);
    assert!(!world.saw("+slave-reconf-sent"), "{:#?}", world.events);
    world.fake(REPLICA_B).follows = None;
    let now = world.now;
    world.answers_late(REPLICA_B, now);
    world.revive(REPLICA_B);
    world.run(1_000);
    assert!(world.saw("+switch-master"), "{:#?}", world.events);
    assert!(!world.saw("+slave-reconf-sent"), "{:#?}", world.events);
    assert_eq!(world.fake(REPLICA_B).follows, None);
}
