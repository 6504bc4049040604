//! Several engines, model data nodes, a virtual network and clock: some thousand runs, each from one seed.
//!
//! `VEDETTE_SIM_SEED=N` plays one seed, `VEDETTE_SIM_RUNS=N` so many, `VEDETTE_SIM_FROM=N` from that seed on: a long run
//! tells now and then up to which seed all is well, and is taken up again there. What fails prints the command that
//! repeats it; `VEDETTE_SIM_TRACE=FILE` beside it writes the whole trace there. `VEDETTE_SIM_LIST=1` plays on and lists all
//! seeds that fail.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use vedette::sim::{Figures, Keep, Outcome, Plan, run, shrink};

/// Seeds that every `make test` plays.
const RUNS: u64 = 10_000;
/// How often a long run tells how far it is.
const TELL_EVERY: u64 = 10_000;
/// Lines of the trace that a failure shows.
const TAIL: usize = 200;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// The first seed and how many.
fn seeds() -> (u64, u64) {
    if let Some(seed) = number("VEDETTE_SIM_SEED") {
        return (seed, 1);
    }
    (number("VEDETTE_SIM_FROM").unwrap_or(1), number("VEDETTE_SIM_RUNS").unwrap_or(RUNS))
}

/// Plays a seed; a panic inside is a failure with a seed as any other.
fn play(seed: u64) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| run(&Plan::from_seed(seed), Keep::Nothing)))
        .map_err(|_| report(seed, "a panic", None))
        .and_then(|outcome| match &outcome.violation {
            None => Ok(outcome),
            Some(violation) if number("VEDETTE_SIM_LIST").is_some() => {
                Err(format!("seed {seed} breaks '{}': {}", violation.rule, violation.what))
            }
            Some(violation) => Err(report(seed, violation.rule, Some(&violation.what))),
        })
}

/// What a failing seed is told by.
fn report(seed: u64, rule: &str, what: Option<&str>) -> String {
    let mut text = format!("seed {seed} breaks '{rule}'");
    let mut plan = Plan::from_seed(seed);
    if let Some(what) = what {
        let _ = write!(text, ": {what}");
        plan = shrink(&plan, rule);
        let whole = std::env::var("VEDETTE_SIM_TRACE").ok();
        let outcome = run(&plan, if whole.is_some() { Keep::All } else { Keep::Tail(TAIL) });
        if let Some(path) = whole {
            std::fs::write(&path, outcome.trace.text()).unwrap();
            return format!("{text}\n{plan:#?}\nThe trace is in {path}\n");
        }
        let _ = write!(
            text,
            "\n\nThe last lines, with only the steps that it needs ({} of {}):\n{}\n{plan:#?}\n",
            plan.len(),
            Plan::from_seed(seed).len(),
            outcome.trace.text(),
        );
    }
    let _ = write!(
        text,
        "\n\nRepeat it: VEDETTE_SIM_SEED={seed} cargo test --profile sim --features sim --test simulation -- --nocapture\n"
    );
    text
}

/// What all runs together did.
#[derive(Debug, Default)]
struct Sum {
    runs: u64,
    events: u64,
    attempts: usize,
    promotions: usize,
    handovers: usize,
    not_elected: usize,
    votes: usize,
    adopted: usize,
    corrected: usize,
    restarts: usize,
    tilts: usize,
    writes: u64,
    lost: u64,
    slowest_ms: u64,
    contested: u64,
    forgotten: usize,
    rescued: usize,
}

impl Sum {
    fn add(&mut self, figures: &Figures) {
        self.join(&Self {
            runs: 1,
            events: figures.events,
            attempts: figures.attempts,
            promotions: figures.promotions,
            handovers: figures.handovers,
            not_elected: figures.not_elected,
            votes: figures.votes,
            adopted: figures.adopted,
            corrected: figures.corrected,
            restarts: figures.restarts,
            tilts: figures.tilts,
            writes: u64::from(figures.writes),
            lost: figures.lost,
            slowest_ms: figures.settled_after,
            contested: u64::from(figures.contested),
            forgotten: figures.forgotten,
            rescued: figures.rescued,
        });
    }

    fn join(&mut self, other: &Self) {
        self.runs += other.runs;
        self.events += other.events;
        self.attempts += other.attempts;
        self.promotions += other.promotions;
        self.handovers += other.handovers;
        self.not_elected += other.not_elected;
        self.votes += other.votes;
        self.adopted += other.adopted;
        self.corrected += other.corrected;
        self.restarts += other.restarts;
        self.tilts += other.tilts;
        self.writes += other.writes;
        self.lost += other.lost;
        self.slowest_ms = self.slowest_ms.max(other.slowest_ms);
        self.contested += other.contested;
        self.forgotten += other.forgotten;
        self.rescued += other.rescued;
    }

    /// The runs must have been worth it: a change that keeps faults from happening would let every rule hold.
    fn assert_rich(&self) {
        let runs = usize::try_from(self.runs).unwrap();
        assert!(self.promotions > runs, "{self:?}");
        assert!(self.adopted > 2 * runs, "{self:?}");
        assert!(self.votes > runs, "{self:?}");
        assert!(self.restarts > runs, "{self:?}");
        assert!(self.corrected > runs / 2, "{self:?}");
        assert!(self.handovers > runs / 10, "{self:?}");
        assert!(self.not_elected > runs / 50, "{self:?}");
        assert!(self.tilts > runs / 50, "{self:?}");
        assert!(self.contested < self.runs / 20, "{self:?}");
    }
}

#[test]
fn the_rules_hold_in_every_run_and_the_fleet_heals() {
    let (first, runs) = seeds();
    let next = AtomicU64::new(first);
    let reports = Mutex::new(Vec::new());
    let failed = AtomicBool::new(false);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut sum = Sum::default();
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + runs {
                break;
            }
            // The seeds before it are done but for the few that the other threads are at.
            if seed > first && (seed - first).is_multiple_of(TELL_EVERY) {
                let (played, broken) = (seed - first - threads as u64, reports.lock().unwrap().len());
                println!("{played} seeds from {first} on: the rules held in all but {broken}");
            }
            match play(seed) {
                Ok(outcome) => sum.add(&outcome.figures),
                Err(report) => {
                    if number("VEDETTE_SIM_LIST").is_some() {
                        println!("{report}");
                    }
                    reports.lock().unwrap().push(report);
                    failed.store(number("VEDETTE_SIM_LIST").is_none(), Ordering::Relaxed);
                }
            }
        }
        sum
    };
    let results: Vec<Sum> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut all = Sum::default();
    results.iter().for_each(|sum| all.join(sum));
    let reports = reports.into_inner().unwrap();
    println!("{all:?}");
    assert!(reports.is_empty(), "{}", reports.join("\n"));
    if runs >= RUNS {
        all.assert_rich();
    }
}

#[test]
fn one_seed_gives_one_trace() {
    let (first, _) = seeds();
    let mut lines = 0;
    for seed in first..first + 10 {
        let plan = Plan::from_seed(seed);
        let once = run(&plan, Keep::All);
        let again = run(&plan, Keep::All);
        assert!(once.trace.text() == again.trace.text(), "seed {seed}");
        lines += once.trace.text().lines().count();
        assert_eq!(once.digest, run(&plan, Keep::Nothing).digest, "seed {seed}: the trace changes the run");
    }
    // One that is over soon shows little.
    assert!(lines > 1_000, "the traces from seed {first} on show next to nothing");
}
