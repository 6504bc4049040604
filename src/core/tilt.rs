//! TILT: after the process was held up, or could not run in time, judgement is suspended for a while.
//!
//! Sentinel compares the wall clock between two ticks. The clock here is the boot clock, and what is compared is the
//! moment of an input with the earliest deadline: a stop or a starved loop shows, a stepped wall clock does no harm.

use std::time::Duration;

use super::time::Time;

/// The loop is woken at least so often while groups are watched, so that a stop shows with this precision.
pub(crate) const BEAT: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tilt {
    since: Option<Time>,
}

impl Tilt {
    /// Since when, while it holds.
    pub(crate) const fn since(&self) -> Option<Time> {
        self.since
    }

    pub(crate) const fn active(&self) -> bool {
        self.since.is_some()
    }

    pub(crate) const fn enter(&mut self, now: Time) {
        self.since = Some(now);
    }

    /// Leaves when `period` is over; whether it did.
    pub(crate) fn leave_if_over(&mut self, period: Duration, now: Time) -> bool {
        let over = self.since.is_some_and(|since| now >= since + period);
        if over {
            self.since = None;
        }
        over
    }
}
