//! Named scenarios.

use std::time::Duration;

use super::run::{SIZE, run_fleet, world};
use super::world::World;
use crate::core::claim::{Outcome, Step};

impl World {
    pub(super) fn fail(&self, what: &str) -> ! {
        for line in &self.log {
            println!("{line}");
        }
        panic!("{what}: {:?}", self.laws.broken);
    }

    pub(super) fn hold(&self) {
        if self.laws.broken.is_some() {
            self.fail("a law is broken");
        }
    }

    pub(super) fn wait_for(&mut self, what: &str, seconds: u64, holds: impl Fn(&Self) -> bool) {
        let came = self.run_to(Duration::from_secs(seconds), holds);
        self.hold();
        if !came {
            self.fail(what);
        }
    }

    /// Everybody knows the first primary.
    pub(super) fn settle(&mut self) {
        self.wait_for("the fleet starts", 30, |world| world.agree_on(0));
    }

    pub(super) fn switches(&self, at: usize) -> usize {
        self.daemons[at].events.iter().filter(|event| event.starts_with("+switch-master")).count()
    }
}

#[test]
fn a_fleet_finds_its_primary_and_does_nothing_more() {
    let mut world = world(1, &[("vedette.dev/quorum", "2")]);
    world.settle();
    assert!(world.laws.commands.is_empty(), "{:?}", world.laws.commands);
    for at in 0..SIZE {
        assert_eq!(world.switches(at), 0);
    }
    let before = world.api.writes;
    world.run_for(Duration::from_secs(20));
    world.hold();
    let writes = world.api.writes - before;
    assert!((28..=33).contains(&writes), "{writes} writes in 20 s at rest");
}

#[test]
fn a_primary_whose_container_dies_is_replaced_once() {
    let mut world = world(2, QUICK);
    world.settle();
    world.kill_container(0);
    world.wait_for("a successor", 10, |world| world.agree_on(1) || world.agree_on(2));
    for at in 0..SIZE {
        assert_eq!(world.switches(at), 1, "{:?}", world.daemons[at].events);
    }
    let lease = world.lease().unwrap();
    assert_eq!(lease.history.len(), 2, "the start and the failover");
    // It comes back as a primary, and is made a replica.
    let new = if world.agree_on(1) { 1 } else { 2 };
    world.start_container(0, false);
    world.wait_for("the old primary follows", 30, |world| world.agree_on(new));
    for at in 0..SIZE {
        assert_eq!(world.switches(at), 1);
    }
}

#[test]
fn evidence_of_refused_connections_makes_it_faster() {
    let mut world =
        world(3, &[("vedette.dev/quorum", "2"), ("vedette.dev/fast-down-after-milliseconds", "100")]);
    world.settle();
    world.kill_container(0);
    let since = world.now;
    world.wait_for("a successor", 10, |world| world.agree_on(1) || world.agree_on(2));
    assert!(world.now.since(since) < Duration::from_millis(1000), "{:?}", world.now.since(since));
}

#[test]
fn a_pod_that_is_made_anew_is_replaced_and_comes_back_as_a_replica() {
    let mut world = world(4, QUICK);
    world.settle();
    world.recreate_pod(0, false);
    world.wait_for("a successor", 20, |world| world.agree_on(1) || world.agree_on(2));
    let known: Vec<_> = world.told(0).into_iter().collect();
    assert_ne!(known[0].0, world.pods[0].ip);
}

#[test]
fn a_primary_that_restarts_empty_does_not_overwrite_anybody() {
    let mut world = world(5, QUICK);
    world.settle();
    world.kill_container(0);
    world.start_container(0, true);
    world.wait_for("a successor with data", 20, |world| world.agree_on(1) || world.agree_on(2));
    assert!(world.pods.iter().all(|pod| pod.redis.as_ref().is_some_and(|redis| redis.data().len() == 3)));
}

pub(super) const QUICK: &[(&str, &str)] =
    &[("vedette.dev/quorum", "2"), ("vedette.dev/down-after-milliseconds", "1000")];

/// The daemon that holds the claim.
pub(super) fn claimant(world: &World) -> Option<usize> {
    let holder = world.lease()?.holder?;
    let id = holder.as_str().split('.').next()?.to_owned();
    world
        .daemons
        .iter()
        .position(|daemon| daemon.engine.as_ref().is_some_and(|engine| engine.my_id().as_str() == id))
}

/// The primary's container was killed, and its failover has come to that step; who is at it.
fn failover_at(seed: u64, step: Step) -> (World, usize) {
    let mut world = world(seed, QUICK);
    world.settle();
    world.kill_container(0);
    world.wait_for("that step", 10, |world| {
        world.lease().is_some_and(|lease| lease.failover.is_some_and(|failover| failover.step == step))
    });
    let actor = claimant(&world).unwrap();
    (world, actor)
}

#[test]
fn a_claimant_that_is_killed_after_any_step_is_gone_on_for() {
    for step in [Step::Claimed, Step::Chosen, Step::Committed] {
        let (mut world, actor) = failover_at(6, step);
        world.kill_daemon(actor);
        world.wait_for("a successor", 30, |world| world.agree_on(1) || world.agree_on(2));
        world.start_daemon(actor, SIZE);
        world.wait_for("the restarted one agrees", 30, |world| world.agree_on(1) || world.agree_on(2));
        assert!(world.switches(actor) <= 1, "none at its start");
    }
}

#[test]
fn a_claimant_that_sleeps_longer_than_its_claim_does_no_harm() {
    for step in [Step::Claimed, Step::Chosen, Step::Committed] {
        let (mut world, actor) = failover_at(7, step);
        world.daemons[actor].frozen_until = Some(world.now + Duration::from_secs(8));
        world.run_for(Duration::from_secs(9));
        world.hold();
        world.start_container(0, false);
        world.wait_for("all follow", 60, |world| world.agree_on(1) || world.agree_on(2));
    }
}

#[test]
fn without_the_api_server_no_role_changes() {
    let mut world = world(8, QUICK);
    world.settle();
    world.set_away(true);
    world.run_for(Duration::from_secs(5));
    world.kill_container(0);
    world.run_for(Duration::from_secs(25));
    world.hold();
    assert!(world.laws.commands.is_empty(), "{:?}", world.laws.commands);
    let answer = world.command(0, &["SENTINEL", "CKQUORUM", "g"]).unwrap();
    assert!(answer.text().unwrap().starts_with("NOQUORUM"), "{answer:?}");
    let address = world.command(0, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "g"]).unwrap();
    assert_eq!(address.elements().unwrap()[0].text(), Some(world.pods[0].ip.as_str()));
    world.set_away(false);
    world.wait_for("a successor", 30, |world| world.agree_on(1) || world.agree_on(2));
}

#[test]
fn a_lease_that_is_deleted_is_made_anew_above_all_epochs() {
    let mut world = world(9, QUICK);
    world.settle();
    let before = world.lease().unwrap().epoch();
    let seen = world.api.delete_lease("v-group-g");
    world.show(&seen);
    world.wait_for("the same primary", 30, |world| world.agree_on(0));
    assert!(world.lease().unwrap().epoch() > before + 999);
    assert!(world.laws.commands.is_empty(), "{:?}", world.laws.commands);
}

#[test]
fn another_ones_edit_of_the_service_is_put_right() {
    let mut world = world(10, QUICK);
    world.settle();
    let mut service = world.api.services["redis"].clone();
    service.selector.insert("statefulset.kubernetes.io/pod-name".to_owned(), "redis-2".to_owned());
    let seen = world.api.put_service(service);
    world.show(&seen);
    world.wait_for("the Service is put right", 5, |world| world.agree_on(0));
    assert!(
        world.api.events.iter().any(|event| event.contains("kubectl changed whom")),
        "{:?}",
        world.api.events
    );
}

#[test]
fn all_pods_anew_with_their_data_at_other_addresses() {
    let mut world = world(11, QUICK);
    world.settle();
    for at in 0..3 {
        world.recreate_pod(at, false);
    }
    world.wait_for("a primary", 60, |world| (0..3).any(|at| world.agree_on(at)));
    assert!(world.pods.iter().all(|pod| pod.redis.as_ref().is_some_and(|redis| redis.data().len() == 3)));
}

#[test]
fn an_api_server_in_a_bad_mood_delays_but_breaks_nothing() {
    for seed in 20..30 {
        let mut world = world(seed, QUICK);
        world.moods.refused = 150;
        world.moods.failed = 150;
        world.moods.watch_lag = Duration::from_millis(300);
        world.wait_for("the fleet starts", 120, |world| world.agree_on(0));
        world.kill_container(0);
        world.wait_for("a successor", 120, |world| world.agree_on(1) || world.agree_on(2));
    }
}

#[test]
fn a_member_that_ends_hands_over_and_gives_its_lease_back() {
    let mut world = world(12, QUICK);
    world.settle();
    world.kill_container(0);
    world.wait_for("a claim", 10, |world| world.lease().is_some_and(|lease| lease.holder.is_some()));
    let actor = claimant(&world).unwrap();
    let life = (actor, world.daemons[actor].life);
    world.daemon_takes(life, crate::core::Input::Terminate);
    let since = world.now;
    world.wait_for("its end", 3, |world| world.daemons[actor].ended);
    assert!(world.now.since(since) < Duration::from_secs(2));
    let lease = world.api.lease(&format!("v-member-vedette-{actor}")).unwrap();
    assert_eq!(lease.plain.holder, "");
    world.kill_daemon(actor);
    world.wait_for("a successor", 10, |world| world.agree_on(1) || world.agree_on(2));
}

#[test]
fn a_planned_switchover_loses_nothing_and_holds_writes_back_briefly() {
    let mut world = world(13, QUICK);
    world.settle();
    // Until all have seen that the first claim was given back.
    world.run_for(Duration::from_millis(100));
    let reply = world.command(1, &["SENTINEL", "FAILOVER", "g"]).unwrap();
    assert_eq!(reply.text(), Some("OK"), "{reply:?}");
    // Somebody writes all the time.
    let (mut id, mut refused, mut longest, mut taken) = (100, 0, 0, Vec::new());
    for _ in 0..500 {
        world.run_for(Duration::from_millis(1));
        let primary = (0..3).find(|at| Some(&world.pods[*at].name) == world.selected().as_ref()).unwrap();
        if world.write(primary, id) {
            taken.push(id);
            refused = 0;
        } else {
            refused += 1;
        }
        longest = longest.max(refused);
        id += 1;
    }
    world.wait_for("a successor", 10, |world| world.agree_on(1) || world.agree_on(2));
    world.run_for(Duration::from_secs(2));
    assert!((1..60).contains(&longest), "{longest} ms without writes");
    for pod in &world.pods {
        let held = pod.redis.as_ref().unwrap().data();
        assert!(taken.iter().all(|id| held.contains(id)), "{} lost writes", pod.name);
    }
    let lease = world.lease().unwrap();
    assert_eq!(lease.history.last().unwrap().why, "switchover");
}

#[test]
fn a_primary_whose_pod_is_asked_to_end_hands_its_role_over() {
    let mut world = world(14, QUICK);
    world.settle();
    world.mark_deleting(0);
    world.wait_for("a successor", 5, |world| world.agree_on(1) || world.agree_on(2));
}

#[test]
fn a_primary_that_can_not_hand_over_is_asked_less_and_less_often() {
    let mut world = world(14, QUICK);
    world.settle();
    world.pods[0].redis.as_mut().unwrap().refuses = Some("CLIENT PAUSE");
    world.mark_deleting(0);
    world.run_for(Duration::from_secs(58));
    let undone = world.lease().unwrap().history.iter().filter(|past| past.outcome == Outcome::Undone).count();
    assert!((3..=6).contains(&undone), "{undone}");
    assert!(world.agree_on(0));
    // It leaves as soon as it can.
    world.pods[0].redis.as_mut().unwrap().refuses = None;
    world.wait_for("a successor", 65, |world| world.agree_on(1) || world.agree_on(2));
}

#[test]
fn a_switchover_whose_claimant_dies_leaves_one_primary() {
    for delay in (0..45).step_by(5) {
        let mut world = world(15, QUICK);
        world.settle();
        world.command(1, &["SENTINEL", "FAILOVER", "g"]).unwrap();
        world.run_for(Duration::from_millis(delay));
        if world.lease().is_some_and(|lease| lease.holder.is_some()) {
            world.kill_daemon(1);
        }
        world.wait_for("one primary", 30, |world| (0..3).any(|at| world.agree_on(at)));
    }
}

#[test]
fn a_primary_that_freezes_and_wakes_is_demoted() {
    let mut world = world(16, QUICK);
    world.settle();
    world.pods[0].frozen = true;
    world.wait_for("a successor", 20, |world| {
        (1..3).any(|at| {
            (0..SIZE).all(|daemon| world.told(daemon).is_some_and(|(ip, _)| ip == world.pods[at].ip))
        })
    });
    world.run_for(Duration::from_secs(3));
    world.thaw(0);
    world.wait_for("it follows", 30, |world| world.agree_on(1) || world.agree_on(2));
}

#[test]
fn who_edits_the_service_again_and_again_is_answered_more_slowly() {
    let mut world = world(17, QUICK);
    world.settle();
    let mut last = Duration::ZERO;
    for _ in 0..4 {
        let mut service = world.api.services["redis"].clone();
        service.selector.insert("statefulset.kubernetes.io/pod-name".to_owned(), "redis-2".to_owned());
        let seen = world.api.put_service(service);
        world.show(&seen);
        let since = world.now;
        world.wait_for("the Service is put right", 70, |world| world.agree_on(0));
        last = world.now.since(since);
    }
    assert!(last > Duration::from_secs(30), "{last:?}");
    // A commit is routed all the same.
    world.kill_container(0);
    world.wait_for("a successor", 10, |world| world.agree_on(1) || world.agree_on(2));
    world.run_for(Duration::from_millis(100));
    let reasons = ["FailoverStarted", "ReplicaChosen", "PrimaryChanged", "FailoverEnded"];
    for reason in reasons {
        assert!(
            world.api.events.iter().any(|event| event.starts_with(reason)),
            "{reason}: {:?}",
            world.api.events
        );
    }
}

#[test]
fn edits_that_take_the_epoch_away_count_as_well() {
    let mut world = world(19, QUICK);
    world.settle();
    let mut last = Duration::ZERO;
    for _ in 0..4 {
        let mut service = world.api.services["redis"].clone();
        service.selector.remove("statefulset.kubernetes.io/pod-name");
        service.annotations.remove("vedette.dev/epoch");
        world.laws.forgive_an_edit();
        let seen = world.api.put_service(service);
        world.show(&seen);
        let since = world.now;
        world.wait_for("the Service is put right", 70, |world| world.agree_on(0));
        last = world.now.since(since);
    }
    assert!(last > Duration::from_secs(30), "{last:?}");
    assert!(world.api.events.iter().any(|event| event.contains("kubectl changed whom")));
    world.kill_container(0);
    world.wait_for("a successor", 10, |world| world.agree_on(1) || world.agree_on(2));
}

#[test]
fn a_service_that_carries_a_strange_epoch_follows_the_next_failover() {
    let mut world = world(20, QUICK);
    world.settle();
    let mut service = world.api.services["redis"].clone();
    service.annotations.insert("vedette.dev/epoch".to_owned(), "1040".to_owned());
    let seen = world.api.put_service(service);
    world.show(&seen);
    world.run_for(Duration::from_secs(30));
    let told = world.api.events.iter().filter(|event| event.starts_with("ServiceEpochUnknown")).count();
    assert!((1..=SIZE).contains(&told), "{:?}", world.api.events);
    world.kill_container(0);
    world.wait_for("a successor", 10, |world| world.agree_on(1) || world.agree_on(2));
    assert_eq!(world.lease().unwrap().epoch(), 1041);
}

#[test]
fn what_is_set_is_kept_in_the_annotations() {
    let mut world = world(18, QUICK);
    world.settle();
    // All have seen where the Service leads: what is set rests on the version that is known.
    world.run_for(Duration::from_millis(50));
    assert_eq!(world.command(0, &["SENTINEL", "SET", "g", "quorum", "3"]), None, "not before it is there");
    world.wait_for("it is kept", 5, |world| {
        world.api.services["redis"].annotations.get("vedette.dev/quorum").is_some_and(|text| text == "3")
    });
    world.run_for(Duration::from_millis(50));
    assert_eq!(world.daemons[0].replies.pop().unwrap().text(), Some("OK"));
    for at in 0..SIZE {
        let engine = world.daemons[at].engine.as_ref().unwrap();
        assert_eq!(engine.view(world.now).groups[0].quorum, 3);
    }
    for words in [&["SENTINEL", "SET", "g", "auth-pass", "x"][..], &["SENTINEL", "REMOVE", "g"]] {
        let reply = world.command(0, words).unwrap();
        assert!(reply.text().unwrap().contains("Service"), "{reply:?}");
    }
}

#[test]
fn one_seed_gives_one_run() {
    assert_eq!(run_fleet(42).digest, run_fleet(42).digest);
}

/// `VEDETTE_SIM_FROM=N` and `VEDETTE_SIM_RUNS=N` play others.
#[test]
fn drawn_faults_break_no_law() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let from = number("VEDETTE_SIM_FROM").unwrap_or(1);
    for seed in from..from + number("VEDETTE_SIM_RUNS").unwrap_or(20) {
        let outcome = run_fleet(seed);
        if let Some(violation) = outcome.violation {
            for line in &outcome.trace {
                println!("{line}");
            }
            panic!("seed {seed}: {violation:?}");
        }
    }
}

#[test]
fn pods_that_come_one_by_one_keep_their_data() {
    for announced in [false, true] {
        let mut world = world(7, QUICK);
        world.settle();
        for at in 0..3 {
            world.delete_pod(at);
        }
        let seen = world.api.delete_lease("v-group-g");
        world.show(&seen);
        world.run_for(Duration::from_secs(6));
        world.recreate_pod(0, true);
        for at in 1..3 {
            if announced {
                world.announce_pod(at);
            }
        }
        world.run_for(Duration::from_secs(8));
        for at in 1..3 {
            if announced {
                world.place_pod(at, false);
            } else {
                world.recreate_pod(at, false);
            }
        }
        world.run_for(Duration::from_secs(10));
        world.write(0, 77);
        world.wait_for("a primary with data", 100, |world| (1..3).any(|at| world.agree_on(at)));
        let held = |at: usize| world.pods[at].redis.as_ref().map_or(0, |redis| redis.data().len());
        assert_eq!([held(0), held(1), held(2)], [3, 3, 3]);
    }
}

#[test]
fn another_database_under_the_same_labels_keeps_its_data() {
    let mut world = world(8, QUICK);
    world.settle();
    let before = world.lease().unwrap().epoch();
    let stranger = world.add_pod(None);
    for id in 1000..1005 {
        assert!(world.write(stranger, id));
    }
    let untouched = |world: &World| {
        let redis = world.pods[stranger].redis.as_ref().unwrap();
        redis.is_primary() && redis.data() == [1000, 1001, 1002, 1003, 1004]
    };
    let told = |world: &World| world.api.events.iter().any(|event| event.starts_with("DataDiverged"));
    world.wait_for("it is told of", 60, told);
    world.kill_container(0);
    world.run_for(Duration::from_secs(30));
    world.start_container(0, false);
    world.wait_for("the old primary follows", 60, |world| {
        let leads = |at: &usize| world.pods[*at].redis.as_ref().is_some_and(|redis| redis.is_primary());
        let rests = world.lease().is_some_and(|lease| lease.epoch() > before && lease.failover.is_none());
        rests && (0..3).filter(leads).count() == 1
    });
    world.run_for(Duration::from_secs(30));
    world.hold();
    assert!(untouched(&world));
}
