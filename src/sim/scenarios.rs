//! Sequences that once broke a rule, and what must show that the rules are watched at all.

use std::time::Duration;

use super::plan::{File, Step, What, Who};
use super::*;

fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(count)
}

fn step(after: f64, what: What) -> Step {
    Step { after: seconds(after), what }
}

fn kill(who: Who, lasts: f64) -> What {
    What::Kill {
        who,
        lasts: seconds(lasts),
        power: false,
        lose_data: false,
        loading: Duration::ZERO,
        file: File::Kept,
    }
}

fn lose_file(daemon: usize) -> What {
    What::Kill {
        who: Who::Daemon(daemon),
        lasts: seconds(0.1),
        power: false,
        lose_data: false,
        loading: Duration::ZERO,
        file: File::Lost,
    }
}

/// Plays steps on a fleet of three with one group, from several seeds: the moments differ, the sequence doesn't.
#[track_caller]
fn holds(change: impl Fn(&mut Plan)) -> Vec<Figures> {
    let play = |seed| {
        let mut plan = Plan::calm(seed, 3, 1);
        change(&mut plan);
        let outcome = run(&plan, Keep::Tail(200));
        assert_eq!(outcome.violation, None, "seed {seed}\n{}", outcome.trace.text());
        outcome.figures
    };
    (1..=12).map(play).collect()
}

#[test]
fn a_calm_fleet_stays_as_it_is() {
    for figures in holds(|_| {}) {
        assert_eq!((figures.attempts, figures.adopted, figures.tilts), (0, 0, 0));
        assert!(figures.writes > 50, "{figures:?}");
    }
}

#[test]
fn a_killed_primary_is_replaced_once() {
    for figures in holds(|plan| plan.steps.push(step(1.0, kill(Who::PrimaryOf(0), 10.0)))) {
        assert_eq!((figures.promotions, figures.adopted), (1, 2), "{figures:?}");
    }
}

/// With a down-after that the run doesn't live to see.
#[test]
fn a_killed_primary_is_replaced_early_where_that_is_asked_for() {
    let figures = holds(|plan| {
        plan.groups[0].down_after = seconds(30.0);
        plan.groups[0].fast_down_after = seconds(0.1);
        plan.steps.push(step(1.0, kill(Who::PrimaryOf(0), 15.0)));
        plan.chaos = seconds(10.0);
    });
    assert!(figures.iter().all(|figures| figures.promotions == 1), "{figures:?}");
}

/// Cut off or without power it is silent, not refused; and what is cut from the daemons only keeps its replicas.
#[test]
fn silence_is_not_taken_for_a_death() {
    let faults = [
        What::Kill {
            who: Who::Node(0),
            lasts: seconds(5.0),
            power: true,
            lose_data: false,
            loading: Duration::ZERO,
            file: File::Kept,
        },
        What::Partition { side: vec![Who::Node(0)], one_way: false, lasts: seconds(5.0) },
        What::Partition { side: (0..3).map(Who::Daemon).collect(), one_way: false, lasts: seconds(5.0) },
        What::Reset { who: Who::Node(0) },
    ];
    for fault in faults {
        for figures in holds(|plan| {
            plan.groups[0].down_after = seconds(30.0);
            plan.groups[0].fast_down_after = seconds(0.1);
            plan.steps.push(step(1.0, fault.clone()));
        }) {
            assert_eq!((figures.attempts, figures.promotions), (0, 0), "{fault:?}: {figures:?}");
        }
    }
}

#[test]
fn a_word_of_the_operator_moves_a_healthy_primary() {
    let word = What::Failover { daemon: 1, group: 0 };
    for figures in holds(|plan| plan.steps.push(step(1.0, word.clone()))) {
        assert_eq!((figures.attempts, figures.promotions, figures.adopted), (1, 1, 2), "{figures:?}");
        assert_eq!(
            (figures.handovers, figures.corrected),
            (1, 0),
            "the old primary is a replica: {figures:?}"
        );
    }
}

/// Found by seed 11: opinions about the first primary were counted for the second one.
#[test]
fn opinions_end_with_the_primary_that_they_are_about() {
    let figures = holds(|plan| {
        plan.groups[0].down_after = Duration::from_millis(300);
        plan.steps.push(step(1.0, kill(Who::PrimaryOf(0), 20.0)));
        plan.steps.push(step(3.0, kill(Who::PrimaryOf(0), 20.0)));
    });
    assert!(figures.iter().all(|figures| figures.promotions >= 2), "{figures:?}");
}

/// Found by seed 1419: a leader that still repoints replicas hears that its old primary is the primary again, with a
/// newer epoch. It took the epoch and went on announcing its own replica under it.
#[test]
fn a_newer_configuration_with_the_old_primary_ends_an_attempt_past_its_promotion() {
    let figures = holds(|plan| {
        plan.groups[0].nodes.truncate(3);
        plan.groups[0].priorities = vec![100, 0, 100];
        plan.groups[0].failover_timeout = Duration::from_secs(12);
        plan.plain_switchover = true;
        // Replicas can't reach the promoted one, so the attempt stays where it repoints them.
        for (from, to) in [(0, 1), (0, 2), (1, 2)] {
            let (from, to, lasts) = (Who::Node(from), Who::Node(to), seconds(20.0));
            plan.steps.push(step(0.9, What::Cut { from, to, one_way: false, lasts }));
        }
        plan.steps.push(step(1.0, What::Failover { daemon: 0, group: 0 }));
        plan.steps.push(step(2.0, kill(Who::PrimaryOf(0), 10.0)));
    });
    assert!(figures.iter().all(|figures| figures.promotions >= 2), "{figures:?}");
}

/// Found by seed 10360: a daemon had turned a stray primary back and not asked it since. Ten milliseconds after it voted
/// for a peer that promoted that very node, it turned it back again; the node then followed a dead primary, and the
/// other replica had been cut off for too long to be chosen.
#[test]
fn a_node_that_a_peer_just_promoted_is_not_turned_back() {
    let figures = holds(|plan| {
        plan.groups[0].nodes.truncate(3);
        plan.groups[0].priorities = vec![100, 100, 50];
        plan.groups[0].quorum = 1;
        plan.groups[0].down_after = Duration::from_millis(600);
        plan.steps.push(step(0.5, What::Stray { node: 2 }));
        plan.steps.push(step(18.0, kill(Who::PrimaryOf(0), 100.0)));
        plan.chaos = Duration::from_secs(45);
    });
    assert!(figures.iter().all(|figures| figures.promotions == 1), "{figures:?}");
    assert!(figures.iter().any(|figures| figures.corrected > 1), "{figures:?}");
}

/// Found by seed 190: after a restart the primary listed a replica before the resolver had told the address of the name
/// that the file had for it, and the replica was there twice from then on.
#[test]
fn a_replica_known_by_name_is_not_there_twice_after_a_restart() {
    holds(|plan| {
        plan.names = Some(true);
        plan.steps.push(step(1.0, kill(Who::PrimaryOf(0), 1.5)));
        plan.steps.push(step(25.0, kill(Who::Daemon(0), 1.0)));
        plan.steps.push(step(26.0, kill(Who::Daemon(1), 1.0)));
    });
}

/// A leader was told SENTINEL RESET while it repointed replicas: it went back to the old primary, under the epoch of the
/// new one.
#[test]
fn a_reset_keeps_the_promotion_that_it_interrupts() {
    for after in [0.05, 0.1, 0.2, 0.3, 0.5, 1.0] {
        holds(|plan| {
            plan.disk = (20, 200);
            plan.steps.push(step(1.0, What::Failover { daemon: 1, group: 0 }));
            plan.steps.push(step(1.0 + after, What::Forget { daemon: 1, group: 0 }));
        });
    }
}

/// A daemon that lost its file heard what it had said before, and took itself for a peer from then on.
#[test]
fn a_lost_file_leaves_no_ghost() {
    let figures = holds(|plan| {
        plan.steps.push(step(0.5, What::Late { permille: 300, by: seconds(2.0), lasts: seconds(9.0) }));
        for (daemon, after) in [(0, 2.0), (0, 6.0)] {
            plan.steps.push(step(after, lose_file(daemon)));
        }
    });
    assert!(figures.iter().all(|figures| figures.forgotten == 2), "{figures:?}");
}

/// Daemons that forgot everything find it again, whatever happens meanwhile.
#[test]
fn what_was_forgotten_is_found_again() {
    let figures = holds(|plan| {
        plan.steps.push(step(0.5, What::Remove { daemon: 0, group: 0, lasts: seconds(5.0) }));
        plan.steps.push(step(1.0, kill(Who::PrimaryOf(0), 10.0)));
        plan.steps.push(step(5.0, What::Forget { daemon: 1, group: 0 }));
        plan.steps.push(step(8.0, lose_file(2)));
    });
    assert!(figures.iter().all(|figures| figures.promotions >= 1), "{figures:?}");
}

/// Clocks that go wrong by a third between them, and daemons as slow as redis-sentinel.
#[test]
fn slow_peers_and_wrong_clocks_replace_a_primary_too() {
    for slow in [vec![0], vec![0, 1], vec![0, 1, 2]] {
        let figures = holds(|plan| {
            plan.slow.clone_from(&slow);
            plan.rates = vec![860, 1000, 1140];
            plan.steps.push(step(1.0, kill(Who::PrimaryOf(0), 10.0)));
        });
        assert!(figures.iter().all(|figures| figures.promotions == 1), "{figures:?}");
    }
}

/// Found by their number: every question about a primary that was down was answered by a question.
#[test]
fn questions_are_few_while_no_quorum_is_reached() {
    holds(|plan| {
        plan.groups[0].quorum = 3;
        plan.steps.push(step(
            0.5,
            What::Partition { side: vec![Who::Daemon(2)], one_way: false, lasts: seconds(25.0) },
        ));
        plan.steps.push(step(1.0, kill(Who::PrimaryOf(0), 20.0)));
    });
}

/// The harness sees what it is there for: with disks that only say that they wrote, a rule breaks.
#[test]
fn a_disk_that_lies_is_found_out() {
    let mut plan = Plan::calm(1, 3, 1);
    plan.disks_lie = true;
    plan.steps.push(step(1.0, kill(Who::PrimaryOf(0), 10.0)));
    let violation = run(&plan, Keep::Nothing).violation.map(|violation| violation.rule);
    assert_eq!(violation, Some("saved before it leaves"));
}

/// Daemons that can't agree break the rule of the healing, and the report is short.
#[test]
fn a_plan_is_shrunk_to_what_breaks_it() {
    let mut plan = Plan::calm(1, 3, 1);
    plan.disks_lie = true;
    plan.steps.push(step(0.5, What::Flush { daemon: 0 }));
    plan.steps.push(step(1.0, kill(Who::PrimaryOf(0), 10.0)));
    plan.steps.push(step(2.0, What::Reset { who: Who::Daemon(1) }));
    assert_eq!(shrink(&plan, "saved before it leaves").len(), 1);
}
