//! A deterministic simulation: several engines, model data nodes, a virtual network and a virtual clock, from one seed.
//!
//! [`Plan::from_seed`] draws a fleet and its faults, [`run`] plays them. After every step the invariants are checked,
//! after the faults the fleet must heal. One seed gives one run, so that a failure can be looked at again: without a
//! trace a run costs milliseconds, and it is repeated with one when it fails.

mod disk;
mod facts;
mod invariants;
mod kube;
mod ledger;
mod net;
mod plan;
mod queue;
mod redis;
mod rng;
#[cfg(test)]
mod scenarios;
mod trace;
mod world;

pub use kube::{FleetOutcome, run_fleet};
pub use plan::Plan;
pub use trace::{Keep, Trace};
pub use world::{Figures, Violation};

use world::World;

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// What broke it, if anything did.
    pub violation: Option<Violation>,
    /// What it did.
    pub figures: Figures,
    /// A number that two runs share only if the same events happened at the same times.
    pub digest: u64,
    /// What was asked to be kept of the trace.
    pub trace: Trace,
}

/// Plays a plan: discovery, faults, healing.
#[must_use]
pub fn run(plan: &Plan, keep: Keep) -> Outcome {
    let mut world = World::new(plan.clone(), Trace::new(keep));
    world.discover();
    world.begin_chaos();
    world.run_until(world.chaos_end());
    world.settle();
    world.account_for_writes();
    if plan.funeral {
        world.bury_the_primaries();
    }
    Outcome {
        violation: world.violation().cloned(),
        figures: world.figures(),
        digest: world.digest(),
        trace: world.into_trace(),
    }
}

/// The shortest plan that still breaks the same rule, found by leaving steps out one at a time.
#[must_use]
pub fn shrink(plan: &Plan, rule: &str) -> Plan {
    let mut plan = plan.clone();
    let mut at = 0;
    while at < plan.len() {
        let smaller = plan.without(at);
        if run(&smaller, Keep::Nothing).violation.is_some_and(|violation| violation.rule == rule) {
            plan = smaller;
        } else {
            at += 1;
        }
    }
    plan
}
