//! A claimant from the first opinion to the end, and what may come in between.

use super::tests_world::{World, instance, left_at_b, standing};
use super::*;
use crate::core::ids::{CallNo, ClaimId, PodUid, Version};
use crate::core::time::Time;

#[test]
fn a_primary_that_is_down_is_replaced_step_by_step() {
    let mut world = World::new();
    world.down.push("a");
    let mut member = world.member("m");
    assert_eq!(world.take_log(), ["switched a 7"]);
    let gathered = world.gathered();
    world.tell(&mut member, gathered);
    let steps = [
        "put claimed 7",
        "put chosen 7",
        "b Promote",
        "put committed 8",
        "switched b 8",
        "c Follow(\"b:6379\")",
        "service b 8",
        "put rest 8",
    ];
    let mut log = world.take_log();
    let mut wanted: Vec<String> = steps.map(str::to_owned).into();
    // The Service is patched while the nodes are told.
    log[5..].sort();
    wanted[5..].sort();
    assert_eq!(log, wanted);
    assert!(member.claimed().is_none());
    let lease = world.lease();
    assert_eq!((lease.holder.clone(), lease.failover.clone(), lease.transitions), (None, None, 1));
    assert_eq!(lease.history[0].outcome, Outcome::Done);
    assert_eq!((lease.history[0].from.as_str(), lease.history[0].to.as_str()), ("a", "b"));
    // The opinions were about the old one: nothing comes of them any more.
    world.tell(&mut member, Fact::Tick);
    assert!(world.take_log().is_empty());
}

#[test]
fn of_two_that_claim_one_stands_down() {
    let mut world = World::new();
    world.down.push("a");
    let (mut first, mut second) = (world.member("m"), world.member("n"));
    let gathered = world.gathered();
    world.tell_for(&mut first, gathered.clone(), 1);
    assert!(first.claimed().is_some());
    world.take_log();
    // Its view is old: it tries, fails on the version, reads, and sees another's claim.
    world.tell(&mut second, gathered);
    assert!(second.claimed().is_none());
    assert!(world.take_log().is_empty());
}

#[test]
fn a_claim_whose_answer_is_lost_is_found_by_reading() {
    for lands in [true, false] {
        let mut world = World::new();
        world.down.push("a");
        world.puts = vec![(lands, false)];
        let mut member = world.member("m");
        let gathered = world.gathered();
        world.tell(&mut member, gathered);
        // One that did not land may land yet: this attempt is given up, and another begins on what was read.
        assert_eq!(world.lease().epoch(), 8);
        assert_eq!(world.lease().transitions, 1);
        let id = world.take_log();
        assert_eq!(id.iter().filter(|line| line.starts_with("put claimed")).count(), 1);
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_made_once() {
    for lands in [true, false] {
        let mut world = World::new();
        world.down.push("a");
        world.puts = vec![(true, true), (true, true), (lands, false)];
        let mut member = world.member("m");
        let gathered = world.gathered();
        world.tell(&mut member, gathered);
        let log = world.take_log();
        assert_eq!(log.iter().filter(|line| *line == "put committed 8").count(), 1, "{log:?}");
        assert_eq!(world.lease().epoch(), 8);
    }
}

/// Killed after any number of wishes, another goes on when the claim's time is over, at the next epoch, and not before.
#[test]
fn a_claim_that_is_left_goes_on_after_its_time() {
    for steps in 1..20 {
        let mut world = World::new();
        world.down.push("a");
        let (mut first, mut second) = (world.member("m"), world.member("n"));
        let gathered = world.gathered();
        world.tell_for(&mut first, gathered, steps);
        let left = world.lease().clone();
        let shown = world.shown();
        world.tell(&mut second, Fact::Seen(shown));
        let late = world.take_log().len();
        assert!(late >= 1);
        world.now = Time::from_millis(4999);
        world.tell(&mut second, Fact::Tick);
        let early = world.take_log();
        assert!(early.iter().all(|line| line.starts_with("service")), "{early:?}");
        world.now = Time::from_millis(5000);
        world.tell(&mut second, Fact::Tick);
        let lease = world.lease();
        assert_eq!(lease.holder, None, "after {steps}");
        assert_eq!(lease.primary.as_ref().unwrap().instance.pod, "b");
        let committed = left.epoch() == 8;
        assert_eq!(lease.epoch(), if committed { 8 } else { 9 }, "after {steps}");
        assert_eq!(world.service.pod, "b");
        assert_eq!(world.nodes["c"].role, Role::Replica { of: "b:6379".to_owned() });
    }
}

#[test]
fn nothing_is_done_after_two_thirds_of_the_time() {
    let mut world = World::new();
    world.down.push("a");
    let mut member = world.member("m");
    let gathered = world.gathered();
    world.tell_for(&mut member, gathered, 1);
    world.take_log();
    let mut wishes = Vec::new();
    let until = acts_until(Time::ZERO, CLAIM_SECONDS);
    member.handle(Fact::Tick, until, &mut wishes);
    assert_eq!(wishes, [Wish::Release]);
    assert!(member.claimed().is_none());
}

#[test]
fn long_work_renews_its_claim() {
    let mut world = World::new();
    world.down.push("a");
    let mut member = world.member("m");
    // Nobody can be promoted: the claim is undone only if that is sure, so there is a wait to see.
    world.nodes.get_mut("b").unwrap().role = Role::Replica { of: "a:6379".to_owned() };
    let gathered = world.gathered();
    world.tell_for(&mut member, gathered, 1);
    let before = world.version;
    world.now = Time::from_millis(1700);
    let deadline = member.next_deadline().unwrap();
    assert!(deadline <= world.now);
    world.tell(&mut member, Fact::Put(CallNo(1), Written::Landed(Version::from(before.to_string()))));
    assert!(world.version > before);
}

#[test]
fn a_false_alarm_of_a_dead_claimant_is_undone() {
    let mut world = World::new();
    let (mut first, mut second) = (world.member("m"), world.member("n"));
    let gathered = world.gathered();
    world.tell_for(&mut first, gathered, 1);
    world.take_log();
    let shown = world.shown();
    world.tell(&mut second, Fact::Seen(shown));
    world.now = Time::from_millis(5000);
    world.tell(&mut second, Fact::Tick);
    assert_eq!(world.take_log(), ["put claimed 7", "put rest 7"]);
    assert_eq!(world.lease().history[0].outcome, Outcome::Undone);
}

#[test]
fn an_operators_word_stands_for_the_opinions_and_does_not_wait_for_long() {
    for (wait, begins) in [(0, true), (9_999, true), (10_000, false)] {
        let mut world = World::new();
        left_with_b(&mut world);
        world.lease.as_mut().unwrap().failover = None;
        let mut member = world.member("m");
        // Another's claim stands; it is over when the watch says so.
        world.tell(&mut member, Fact::Word);
        assert!(member.claimed().is_none());
        world.now = Time::from_millis(wait);
        world.lease.as_mut().unwrap().holder = None;
        world.version += 1;
        let shown = world.shown();
        world.tell(&mut member, Fact::Seen(shown));
        assert_eq!(world.lease().epoch(), if begins { 8 } else { 7 }, "after {wait} ms");
        if begins {
            assert_eq!(world.lease().history[0].why, "operator");
        }
    }
}

#[test]
fn a_fence_that_is_free_is_recorded_with_the_candidate() {
    let mut world = World::new();
    world.down.push("a");
    let mut member = world.member("m");
    let gathered = world.gathered();
    world.tell_for(&mut member, gathered, 5);
    let failover = world.lease().failover.clone().unwrap();
    assert_eq!((failover.step, failover.fence), (Step::Chosen, Fence::Refused));
}

#[test]
fn where_nobody_can_be_promoted_it_is_not_tried_without_end() {
    let mut world = World::new();
    world.down.push("a");
    for node in ["b", "c"] {
        world.nodes.get_mut(node).unwrap().priority = 0;
    }
    let mut member = world.member("m");
    let gathered = world.gathered();
    world.tell(&mut member, gathered);
    assert_eq!(world.lease().history.len(), 1);
    world.now = Time::from_millis(3999);
    world.tell(&mut member, Fact::Tick);
    assert_eq!(world.lease().history.len(), 1);
    assert_eq!(member.next_deadline(), Some(Time::from_millis(4000)));
    world.now = Time::from_millis(4000);
    world.tell(&mut member, Fact::Tick);
    assert_eq!(world.lease().history.len(), 2);
}

/// The lease as a dead claimant left it, when it had recorded b.
fn left_with_b(world: &mut World) {
    let lease = world.lease.as_mut().unwrap();
    lease.holder = Some(ClaimId::from("x"));
    lease.failover = Some(left_at_b("x"));
}

#[test]
fn it_is_not_undone_while_a_candidate_may_yet_rise() {
    let mut world = World::new();
    left_with_b(&mut world);
    world.down.push("b");
    let mut member = world.member("m");
    world.now = Time::from_millis(5000);
    world.tell(&mut member, Fact::Tick);
    // b was not heard: a may be well, but a failover it is.
    assert_eq!(world.lease().primary.as_ref().unwrap().instance.pod, "c");
    assert_eq!(world.lease().epoch(), 9);
}

#[test]
fn a_candidate_that_came_back_as_another_process_is_no_candidate() {
    let mut world = World::new();
    left_with_b(&mut world);
    world.down.push("a");
    world.nodes.insert(PodUid::from("b"), Standing { empty: true, ..standing("b2", None, 0) });
    let mut member = world.member("m");
    world.now = Time::from_millis(5000);
    world.tell(&mut member, Fact::Tick);
    assert_eq!(world.lease().primary.as_ref().unwrap().instance, instance("c"));
    assert_eq!(world.nodes["b"].role, Role::Replica { of: "c:6379".to_owned() });
}

#[test]
fn a_repair_puts_roles_right_and_keeps_the_epoch() {
    let mut world = World::new();
    world.nodes.get_mut("c").unwrap().role = Role::Primary;
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Wrong(true));
    assert_eq!(world.nodes["c"].role, Role::Replica { of: "a:6379".to_owned() });
    assert_eq!((world.lease().epoch(), world.lease().transitions), (7, 1));
    assert!(world.lease().history.is_empty());
}

#[test]
fn who_is_told_to_follow_is_recorded_before_its_link_is_up() {
    let mut world = World::new();
    for (linked, empty) in [(true, false), (false, true)] {
        let d = Standing { linked, empty, replication_id: "its own".to_owned(), ..standing("d1", None, 0) };
        world.nodes.insert(PodUid::from("d"), d);
        let mut member = world.member("m");
        world.tell(&mut member, Fact::Wrong(true));
        let replicas = &world.lease().replicas;
        assert_eq!(
            (replicas.allowed.contains(&PodUid::from("d")), replicas.names.contains("d")),
            (empty, empty)
        );
    }
}

#[test]
fn a_repair_records_the_history_that_the_primary_has_begun() {
    let mut world = World::new();
    world.nodes.get_mut("a").unwrap().replication_id = "begun".to_owned();
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Wrong(true));
    assert_eq!(world.lease().primary.as_ref().unwrap().replication_id, "begun");
    assert_eq!(world.lease().epoch(), 7);
}

#[test]
fn a_repair_follows_no_primary_that_restarted_and_none_that_is_empty() {
    for (run_id, empty) in [("a2", false), ("a1", true)] {
        let mut world = World::new();
        world.nodes.insert(PodUid::from("a"), Standing { empty, ..standing(run_id, None, 0) });
        world.nodes.get_mut("c").unwrap().role = Role::Replica { of: "b:6379".to_owned() };
        let mut member = world.member("m");
        world.take_log();
        world.tell(&mut member, Fact::Wrong(true));
        let told = if empty { &["c is spared"][..] } else { &[] };
        assert_eq!(world.take_log(), [&["put claimed 7"], told, &["put rest 7"]].concat());
    }
}

#[test]
fn who_ends_hands_over() {
    let mut world = World::new();
    world.down.push("a");
    let (mut first, mut second) = (world.member("m"), world.member("n"));
    let gathered = world.gathered();
    let mut wishes = Vec::new();
    first.handle(gathered, world.now, &mut wishes);
    first.handle(Fact::Terminate, world.now, &mut wishes);
    assert_eq!(wishes.len(), 1, "the claim's answer is waited for: {wishes:?}");
    world.take_log();
    let answer = world.carry_out(wishes.remove(0)).unwrap();
    world.tell(&mut first, answer);
    assert_eq!(world.take_log(), ["put claimed 7", "put claimed 7", "ended"]);
    assert_eq!(world.lease().holder, None);
    let shown = world.shown();
    world.tell(&mut second, Fact::Seen(shown));
    assert_eq!(world.lease().epoch(), 9, "at once");
}

#[test]
fn two_primaries_with_data_of_their_own_are_not_touched() {
    let mut world = World::new();
    world.lease = None;
    let other = Standing { replication_id: "other".to_owned(), ..standing("b1", None, 5) };
    world.nodes.insert(PodUid::from("b"), other);
    let mut member = world.member("m");
    world.now = Time::from_millis(5000);
    world.tell(&mut member, Fact::Tick);
    let log = world.take_log();
    assert_eq!(log, ["put claimed 0", "diverged", "put claimed 0"]);
}

/// The primary's process restarted with its data, and c followed it before anybody claimed; so did b, if asked for.
fn restarted_and_followed(world: &mut World, b_too: bool) {
    let anew = |run_id: &str, of: Option<&str>, offset| Standing {
        replication_id: "anew".to_owned(),
        ..standing(run_id, of, offset)
    };
    world.nodes.insert(PodUid::from("a"), anew("a2", None, 3));
    world.nodes.insert(PodUid::from("c"), anew("c1", Some("a:6379"), 3));
    if b_too {
        world.nodes.insert(PodUid::from("b"), anew("b1", Some("a:6379"), 2));
    }
}

#[test]
fn a_primary_that_restarted_is_one_again_only_if_all_have_followed_it() {
    for (b_too, pod, run_id) in [(true, "a", "a2"), (false, "b", "b1")] {
        let mut world = World::new();
        restarted_and_followed(&mut world, b_too);
        let mut member = world.member("m");
        let gathered = world.gathered();
        world.tell(&mut member, gathered);
        let primary = world.lease().primary.clone().unwrap();
        assert_eq!((primary.instance.pod.as_str(), primary.instance.run_id.as_str()), (pod, run_id));
        assert_eq!(primary.epoch, 8);
        assert_eq!(world.lease().holder, None);
    }
}

#[test]
fn those_that_are_missing_are_waited_for_where_nobody_is_of_the_recorded_history() {
    let mut world = World::new();
    restarted_and_followed(&mut world, true);
    world.down.push("b");
    let mut member = world.member("m");
    let gathered = world.gathered();
    world.tell(&mut member, gathered);
    assert!(world.lease().holder.is_some());
    assert_eq!(world.lease().epoch(), 7);
    for millis in (0..=31_000).step_by(500) {
        world.now = Time::from_millis(millis);
        world.tell(&mut member, Fact::Tick);
        if millis < 30_000 {
            assert_eq!(world.lease().epoch(), 7, "{millis}");
        }
    }
    assert_eq!(
        (world.lease().epoch(), world.lease().primary.as_ref().unwrap().instance.pod.as_str()),
        (8, "a")
    );
}

/// Nodes that have never held any data, and nobody who knows of an earlier group.
fn nothing_yet() -> World {
    let mut world = World::new();
    world.lease = None;
    for node in ["a", "b", "c"] {
        let history = format!("{node}s own");
        let fresh =
            Standing { replication_id: history, empty: true, ..standing(&format!("{node}1"), None, 0) };
        world.nodes.insert(PodUid::from(node), fresh);
    }
    (world.service.pod, world.service.epoch) = (String::new(), 0);
    world
}

#[test]
fn of_primaries_without_any_data_the_first_pod_is_taken() {
    let mut world = nothing_yet();
    let mut member = world.member("m");
    world.now = Time::from_millis(5000);
    world.tell(&mut member, Fact::Tick);
    assert_eq!(world.lease().primary.as_ref().unwrap().instance, instance("a"));
    for node in ["b", "c"] {
        assert_eq!(world.nodes[node].role, Role::Replica { of: "a:6379".to_owned() });
    }
}

#[test]
fn an_epoch_that_was_promised_is_kept_above_but_tells_of_no_data() {
    for (fact, epoch) in [(Fact::Promised(1000), 2000), (Fact::Heard(1000), 0)] {
        let mut world = nothing_yet();
        let mut member = world.member("m");
        world.tell(&mut member, fact);
        world.now = Time::from_millis(5000);
        world.tell(&mut member, Fact::Tick);
        assert_eq!(world.lease().epoch(), epoch, "data may only come where a commit was heard of");
    }
}

#[test]
fn a_later_epoch_on_the_service_is_left_alone() {
    let mut world = World::new();
    world.service = Service { version: Version::from("s"), pod: "b".to_owned(), epoch: 9 };
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Tick);
    assert_eq!(world.take_log(), ["switched a 7"]);
}
