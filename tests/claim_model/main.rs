//! The claim, model-checked: whatever comes in between while two members with views that lag fail a group over, repair it,
//! route it, and die.
//!
//! The claimants are the daemon's own. The model adds an API server whose answers get lost, commands that data nodes carry out
//! late, nodes that restart without their data, members that die, time that passes while a member stands still, and hands
//! that delete the Lease or edit the Service. Each rule that was found to be needed is left out once, to see that something
//! breaks then.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod fleet;
mod world;

use fleet::{Budget, Fleet};
use stateright::{Checker, HasDiscoveries, Model};
use vedette::core::claim::{Rule, Rules};
use world::{LAWS, Law};

fn name(law: Law) -> &'static str {
    LAWS.iter().find(|(which, _)| *which == law).unwrap().1
}

fn fleet(budget: Budget) -> Fleet {
    Fleet { members: 2, nodes: 2, service: false, budget, rules: Rules::default() }
}

/// Looks at all that can happen; `states` is how many states that are at least, lest a mistake in the model makes the
/// check easy.
fn check(model: Fleet, states: usize) {
    let checker = model.checker().threads(2).spawn_dfs().join();
    println!("{:?}: {} states", model.budget, checker.unique_state_count());
    for (_, name) in LAWS {
        checker.assert_no_discovery(name);
    }
    assert!(checker.unique_state_count() >= states, "only {} states", checker.unique_state_count());
}

/// Without a rule a law is broken; with it, the same is well.
fn is_needed(rule: Rule, law: Law, model: Fleet) {
    let without = Fleet { rules: Rules::without(rule), ..model };
    let wanted = HasDiscoveries::AllOf([name(law)].into());
    let checker = without.checker().threads(2).finish_when(wanted).spawn_bfs().join();
    println!(
        "{rule:?}: {} states, {}",
        checker.unique_state_count(),
        checker.assert_any_discovery(name(law))
    );
    check(model, 100);
}

#[test]
fn one_alarm_each() {
    check(fleet(Budget { alarms: 2, ..Budget::default() }), 300);
}

#[test]
fn an_alarm_and_a_lost_answer() {
    check(fleet(Budget { alarms: 1, losses: 1, jumps: 1, ..Budget::default() }), 20_000);
}

#[test]
fn repairs_are_made_under_a_claim() {
    let budget = Budget { alarms: 1, repairs: 1, ..Budget::default() };
    is_needed(Rule::Repair, Law::NotDemoted, fleet(budget));
}

#[test]
fn nodes_are_relied_on_behind_a_barrier() {
    let budget = Budget { alarms: 1, losses: 1, jumps: 1, ..Budget::default() };
    is_needed(Rule::Barrier, Law::UndoneStays, fleet(budget));
}

#[test]
fn only_the_recorded_run_is_promoted() {
    let budget = Budget { alarms: 1, restarts: 1, jumps: 1, ..Budget::default() };
    is_needed(Rule::RunId, Law::CommittedHasData, fleet(budget));
}

#[test]
fn undone_is_only_what_can_no_longer_happen() {
    let budget = Budget { alarms: 1, losses: 2, jumps: 1, ..Budget::default() };
    is_needed(Rule::Tried, Law::UndoneStays, fleet(budget));
}

#[test]
fn the_service_is_patched_after_a_direct_read() {
    let budget = Budget { alarms: 1, edits: 1, ..Budget::default() };
    is_needed(Rule::Route, Law::ServiceForward, Fleet { service: true, ..fleet(budget) });
}

#[test]
fn the_service_follows_two_commits_in_their_order() {
    check(Fleet { service: true, ..fleet(Budget { alarms: 2, ..Budget::default() }) }, 100_000);
}

#[test]
fn a_missing_lease_is_no_new_beginning() {
    let budget = Budget { alarms: 1, deletions: 1, jumps: 1, ..Budget::default() };
    is_needed(Rule::Missing, Law::OneCommit, fleet(budget));
}

#[test]
fn a_claim_ends_for_its_holder_first() {
    let budget = Budget { alarms: 1, repairs: 1, jumps: 1, ..Budget::default() };
    is_needed(Rule::TwoThirds, Law::NotDemoted, fleet(budget));
}

#[test]
fn a_claim_runs_from_its_start() {
    let budget = Budget { alarms: 1, repairs: 1, jumps: 1, delays: 1, ..Budget::default() };
    is_needed(Rule::FromTheStart, Law::NotDemoted, fleet(budget));
}

#[test]
fn a_claimant_that_dies_is_followed_by_another() {
    check(fleet(Budget { alarms: 1, crashes: 1, jumps: 1, ..Budget::default() }), 5_000);
}

#[test]
fn two_alarms_and_a_repair() {
    check(fleet(Budget { alarms: 2, repairs: 1, ..Budget::default() }), 1_000);
}

#[test]
fn three_nodes_and_a_lost_answer() {
    let budget = Budget { alarms: 1, losses: 1, jumps: 1, ..Budget::default() };
    check(Fleet { nodes: 3, ..fleet(budget) }, 20_000);
}

/// Part of `make soak`.
#[test]
#[ignore = "half a million states and more"]
fn in_larger_numbers() {
    check(fleet(Budget { alarms: 1, repairs: 1, losses: 1, jumps: 1, ..Budget::default() }), 400_000);
    let budget = Budget { alarms: 1, losses: 1, jumps: 2, ..Budget::default() };
    check(fleet(budget), 20_000);
}
