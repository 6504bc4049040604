//! Waiting for a condition. No test sleeps for a fixed time and hopes.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// After this long a condition is taken as never coming true. Generous, for a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

const STEP: Duration = Duration::from_millis(40);

/// Asks until `attempt` answers `Ok`; panics with its last `Err` after [`LIMIT`].
#[track_caller]
pub(crate) fn poll<T, E: Debug>(what: &str, mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(seen) if start.elapsed() > LIMIT => panic!("never came true: {what}; last seen: {seen:?}"),
            Err(_) => thread::sleep(STEP),
        }
    }
}

/// Asks until `condition` holds; panics after [`LIMIT`].
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    poll(what, || if condition() { Ok(()) } else { Err("false") });
}

/// Asks again and again for `period`; panics as soon as `condition` does not hold. For what must not happen.
#[track_caller]
pub(crate) fn holds_for(period: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < period {
        assert!(condition(), "did not hold for {period:?}: {what}");
        thread::sleep(STEP);
    }
}

/// How often a repeatable scenario runs: once, or `VEDETTE_TEST_ROUNDS` times (`make soak`).
pub(crate) fn rounds() -> usize {
    std::env::var("VEDETTE_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}
