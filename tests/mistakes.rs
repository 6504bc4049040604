//! The simulation is worth what it finds: each mistake put into the core on purpose breaks a rule within a few thousand
//! seeds, most within a few hundred, and the rule that one would expect.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeMap;

use vedette::core::Mistake;
use vedette::sim::{Keep, Plan, run};

/// Most seeds that it may take.
const SEEDS: u64 = 6_000;

/// Plays seeds until one of these rules breaks; other rules may break before, and are shown.
#[track_caller]
fn found(mistake: Mistake, rules: &[&str]) {
    let mut others: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 1..=SEEDS {
        // What happens during a write happens more often when writes are slow.
        let plan = Plan::from_seed(seed / 2).with_mistake(mistake);
        let plan = if seed.is_multiple_of(2) { plan.on_slow_disks() } else { plan };
        let Some(violation) = run(&plan, Keep::Nothing).violation else { continue };
        if rules.contains(&violation.rule) {
            println!(
                "{mistake:?}: seed {seed} breaks '{}': {}; before: {others:?}",
                violation.rule, violation.what
            );
            return;
        }
        *others.entry(violation.rule).or_default() += 1;
    }
    panic!("{mistake:?} is not found in {SEEDS} seeds; what broke is {others:?}");
}

#[test]
fn a_vote_told_before_it_is_saved() {
    found(Mistake::VoteBeforeSave, &["saved before it leaves", "one vote per group and epoch"]);
}

#[test]
fn an_election_with_one_vote_too_few() {
    found(Mistake::OneVoteShort, &["elected by a majority", "one leader per group and epoch"]);
}

#[test]
fn opinions_about_an_earlier_primary() {
    found(Mistake::OldOpinions, &["no failover without quorum"]);
}

#[test]
fn a_demotion_on_old_knowledge() {
    found(Mistake::DemoteOnOldKnowledge, &["no demotion in haste on old knowledge"]);
}

#[test]
fn a_promotion_told_before_it_is_saved() {
    found(Mistake::CommitBeforeSave, &["saved before it leaves"]);
}

#[test]
fn acting_while_a_newer_configuration_is_being_saved() {
    found(
        Mistake::ActWhileAdopting,
        &["no reconfiguration on old knowledge", "one primary per group and epoch"],
    );
}

#[test]
fn a_planned_switchover_that_does_not_wait() {
    let rules = ["a planned switchover loses no write", "no acknowledged write is lost without a failover"];
    found(Mistake::PromoteBehind, &rules);
}
