//! Fleets on Kubernetes against a model of the API server: seeded runs, each with faults of all kinds.
//!
//! `VEDETTE_SIM_SEED=N` plays one seed, `VEDETTE_SIM_RUNS=N` so many, `VEDETTE_SIM_FROM=N` from that seed on. What fails prints its
//! trace and the command that repeats it; `VEDETTE_SIM_TRACE=FILE` beside it writes the whole trace there. `VEDETTE_SIM_LIST=1`
//! plays on and lists all that fail.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use vedette::sim::run_fleet;

/// Seeds that every `make test` plays.
const RUNS: u64 = 10_000;
/// Lines of the trace that a failure shows.
const TAIL: usize = 400;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// A failure, after the last lines of what led to it.
fn with_trace(trace: &[String], shown: usize, line: String) -> String {
    if let Ok(path) = std::env::var("VEDETTE_SIM_TRACE") {
        std::fs::write(path, trace.join("\n")).unwrap();
    }
    let mut lines = trace[trace.len().saturating_sub(shown)..].to_vec();
    lines.push(line);
    lines.join("\n")
}

#[test]
fn the_laws_hold_in_every_run_and_the_fleet_heals() {
    let (first, runs) = match number("VEDETTE_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (number("VEDETTE_SIM_FROM").unwrap_or(1), number("VEDETTE_SIM_RUNS").unwrap_or(RUNS)),
    };
    let list = number("VEDETTE_SIM_LIST").is_some();
    let (next, switches) = (AtomicU64::new(first), AtomicUsize::new(0));
    let reports = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + runs || !list && !reports.lock().unwrap().is_empty() {
                break;
            }
            match catch_unwind(AssertUnwindSafe(|| run_fleet(seed))) {
                Ok(outcome) => {
                    switches.fetch_add(outcome.switches, Ordering::Relaxed);
                    if let Some((law, what)) = outcome.violation {
                        let line = format!("seed {seed} breaks '{law}': {what}");
                        let shown = if list { 0 } else { TAIL };
                        reports.lock().unwrap().push(with_trace(&outcome.trace, shown, line));
                    }
                }
                Err(_) => reports.lock().unwrap().push(format!("seed {seed} panics")),
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let (reports, switches) = (reports.into_inner().unwrap(), switches.into_inner());
    println!("{runs} runs, {switches} switches told");
    let repeat = "cargo test --profile sim --features sim --test fleet_simulation -- --nocapture";
    assert!(reports.is_empty(), "{}\nRepeat it: VEDETTE_SIM_SEED=N {repeat}", reports.join("\n"));
    // A change that keeps faults from happening would let every law hold.
    if runs >= RUNS {
        assert!(switches as u64 > runs * 3, "{switches}");
    }
}
