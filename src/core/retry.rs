//! When a lost connection is tried again: at once, then ever more slowly.

use std::time::Duration;

use super::time::Time;

/// The first wait; each further one is twice as long.
const FIRST: Duration = Duration::from_millis(20);
/// A connection that stood for so long was a good one: its end is news, and the waits begin anew.
const STEADY: Duration = Duration::from_millis(1000);
/// Doublings after which a wait doesn't grow, far above any bound that is given.
const DOUBLINGS: u32 = 16;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retry {
    /// The last attempt.
    pub(crate) tried_at: Option<Time>,
    /// Attempts since a connection last stood for a while.
    pub(crate) tries: u32,
    /// The other side answered with an error that ended the last connection.
    refused: bool,
}

impl Retry {
    /// When the next attempt may be made. Waits grow up to `longest`; after an error reply each is `after_error`.
    pub(crate) fn due(&self, longest: Duration, after_error: Duration) -> Option<Time> {
        let tried_at = self.tried_at?;
        let wait = match (self.refused, self.tries.checked_sub(1)) {
            (true, _) => after_error,
            (false, None) => Duration::ZERO,
            (false, Some(before)) => (FIRST * (1 << before.min(DOUBLINGS))).min(longest),
        };
        Some(tried_at + wait)
    }

    /// An attempt begins.
    pub(crate) const fn tried(&mut self, now: Time) {
        self.tried_at = Some(now);
        self.tries = self.tries.saturating_add(1);
    }

    /// A connection that was begun at `opened_at` has ended by itself, or could not be made.
    pub(crate) fn ended(&mut self, opened_at: Time, stood: bool, now: Time) {
        if stood && now.since(opened_at) >= STEADY {
            self.tries = 0;
            self.refused = false;
        }
    }

    /// The connection was given up for an error reply.
    pub(crate) const fn refused(&mut self) {
        self.refused = true;
    }

    /// The next attempt may be made at once: what led to the waits has changed.
    pub(crate) const fn begin_anew(&mut self) {
        *self = Self { tried_at: None, tries: 0, refused: false };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(100);
    const AFTER_ERROR: Duration = Duration::from_millis(1000);

    fn waits(retry: &Retry, now: Time) -> u64 {
        retry.due(LONGEST, AFTER_ERROR).map_or(0, |at| at.millis_since(now))
    }

    #[test]
    fn at_once_then_more_slowly_up_to_a_bound() {
        let mut retry = Retry::default();
        assert_eq!(retry.due(LONGEST, AFTER_ERROR), None);
        let now = Time::from_millis(5000);
        let mut seen = Vec::new();
        for _ in 0..6 {
            retry.tried(now);
            retry.ended(now, false, now);
            seen.push(waits(&retry, now));
        }
        assert_eq!(seen, [20, 40, 80, 100, 100, 100]);
        for _ in 0..100 {
            retry.tried(now);
        }
        assert_eq!(waits(&retry, now), 100, "no overflow");
    }

    #[test]
    fn the_end_of_a_good_connection_is_answered_at_once() {
        let mut retry = Retry::default();
        let (opened, ended) = (Time::from_millis(5000), Time::from_millis(6000));
        retry.tried(opened);
        retry.tried(opened);
        retry.ended(opened, true, ended);
        assert_eq!(retry.due(LONGEST, AFTER_ERROR), Some(opened));
        retry.tried(ended);
        retry.ended(ended, true, ended + Duration::from_millis(999));
        assert_eq!(waits(&retry, ended), 20, "it stood too short a while");
    }

    #[test]
    fn an_error_reply_costs_the_whole_wait_from_the_first_time() {
        let mut retry = Retry::default();
        let now = Time::from_millis(5000);
        retry.tried(now);
        retry.refused();
        assert_eq!(waits(&retry, now), 1000);
        retry.begin_anew();
        assert_eq!(retry.due(LONGEST, AFTER_ERROR), None);
    }
}
