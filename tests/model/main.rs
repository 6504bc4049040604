//! The vote, model-checked: whatever happens to a few daemons, in whatever order, within some bounds.
//!
//! What may be voted for, what counts as elected and when a vote may be told are the daemon's own functions; the model
//! adds a network that loses, repeats, delays and reorders, disks that are slow or fail, and crashes. A SENTINEL
//! FAILOVER, which by Sentinel's rules needs no vote, is left out.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod daemon;
mod network;
mod symmetry;
mod vote;

use stateright::{Checker, HasDiscoveries, Model};
use vote::{Bug, Vote};

const ONE_LEADER: &str = "one leader an epoch";

const THREE: Vote =
    Vote { daemons: 3, quorum: 2, last_epoch: 1, crashes: 1, failures: 1, slow_disk: true, bug: Bug::None };

/// Looks at all that can happen; `states` is how many states that are at least, lest a mistake in the model makes the
/// check easy.
fn check(model: Vote, states: usize) {
    let checker = model.checker().threads(2).symmetry().spawn_dfs().join();
    checker.assert_properties();
    println!("{model:?}: {} states", checker.unique_state_count());
    assert!(checker.unique_state_count() >= states, "only {} states", checker.unique_state_count());
}

/// A model with a mistake has a run that ends with two leaders at one epoch. Such a run is what it takes to show that
/// a run without is worth something.
fn finds_two_leaders(model: Vote) {
    let wanted = HasDiscoveries::AllOf([ONE_LEADER].into());
    let checker = model.checker().threads(2).finish_when(wanted).spawn_bfs().join();
    println!("{}", checker.assert_any_discovery(ONE_LEADER));
    // The same without the mistake is well.
    let checker = Vote { bug: Bug::None, ..model }.checker().threads(2).symmetry().spawn_dfs().join();
    checker.assert_no_discovery(ONE_LEADER);
}

#[test]
fn one_epoch_of_three_daemons_with_any_quorum() {
    for quorum in 1..=3 {
        check(Vote { quorum, crashes: 2, ..THREE }, 5_000);
    }
}

#[test]
fn two_epochs_with_a_crash() {
    check(Vote { last_epoch: 2, failures: 0, slow_disk: false, ..THREE }, 200_000);
}

#[test]
fn two_epochs_with_a_failed_write() {
    check(Vote { last_epoch: 2, crashes: 0, slow_disk: false, ..THREE }, 200_000);
}

#[test]
fn four_and_five_daemons() {
    check(Vote { daemons: 4, failures: 0, ..THREE }, 10_000);
    check(Vote { daemons: 5, failures: 0, crashes: 0, ..THREE }, 20_000);
}

/// Part of `make soak`. The variables make it larger still, up to hours on a large machine.
#[test]
#[ignore = "millions of states"]
fn as_large_as_wanted() {
    let wanted = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let epochs = wanted("VEDETTE_MODEL_EPOCHS", 2);
    check(
        Vote {
            daemons: wanted("VEDETTE_MODEL_DAEMONS", 3),
            last_epoch: u64::try_from(epochs).unwrap(),
            crashes: wanted("VEDETTE_MODEL_CRASHES", 1),
            failures: wanted("VEDETTE_MODEL_FAILURES", 1),
            ..THREE
        },
        200_000,
    );
}

#[test]
fn a_vote_told_before_it_is_saved_is_found() {
    finds_two_leaders(Vote { bug: Bug::VoteToldBeforeSaved, ..THREE });
}

#[test]
fn votes_sought_before_the_own_one_is_saved_are_found() {
    finds_two_leaders(Vote { bug: Bug::VotesSoughtBeforeSaved, ..THREE });
}

#[test]
fn a_quorum_that_is_no_majority_is_found() {
    finds_two_leaders(Vote { quorum: 1, bug: Bug::QuorumIsEnough, ..THREE });
    finds_two_leaders(Vote {
        daemons: 4,
        quorum: 2,
        failures: 0,
        crashes: 0,
        bug: Bug::QuorumIsEnough,
        ..THREE
    });
}

#[test]
fn a_vote_that_is_given_twice_is_found() {
    finds_two_leaders(Vote { bug: Bug::LastComeServed, ..THREE });
}
