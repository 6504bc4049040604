//! Moments, and the time between them.

use std::thread;
use std::time::{Duration, Instant};

use super::Ack;

/// Milliseconds from one moment to a later one.
pub(crate) fn ms(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

/// Moments of faults that are spread evenly over the periods of a daemon's timers.
pub(crate) fn spread(round: usize) {
    thread::sleep(Duration::from_millis(round as u64 * 370 % 1000));
}

/// The longest time between two acknowledged writes from then on, in milliseconds.
pub(crate) fn longest_gap(acks: &[Ack], begin: Instant) -> f64 {
    let gaps = acks.windows(2).filter(|pair| pair[1].at >= begin).map(|pair| ms(pair[0].at, pair[1].at));
    gaps.fold(0.0, f64::max)
}
