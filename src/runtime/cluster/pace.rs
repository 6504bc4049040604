//! A bound for writes, so that a mass failover doesn't drown the API server; what matters goes before what only tells.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// Writes a second, in the long run.
const RATE: u32 = 200;
/// Writes at once after a rest.
const BURST: u32 = 100;
/// Of those, what is left alone by writes that can wait.
const RESERVE: u32 = 60;
/// Between two looks whether there is room for a write that can wait.
const LOOK: Duration = Duration::from_millis(50);

/// What only tells waits until nothing that matters was written for so long: it comes after a failover, not within.
const CALM: Duration = Duration::from_millis(200);
/// But not longer than this.
const CALM_LIMIT: Duration = Duration::from_millis(500);

/// A token bucket, kept as the time at which it would be full again. Places are given in the order of asking.
pub(super) struct Pace {
    full_at: Cell<Instant>,
    /// When the last place was asked for by what matters.
    urgent_at: Cell<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: Cell::new(now), urgent_at: Cell::new(None) }
    }

    /// Waits for a place; false, and none is taken, where that would be later than `deadline`.
    pub(super) async fn urgent(&self, deadline: Instant) -> bool {
        let now = Instant::now();
        self.urgent_at.set(Some(now));
        match self.take(BURST, now, deadline) {
            Some(at) => {
                tokio::time::sleep_until(at).await;
                true
            }
            None => false,
        }
    }

    /// Waits until nothing that matters was written for a while, but not for long.
    pub(super) async fn calm(&self) {
        let asked = Instant::now();
        while let Some(at) = self.calm_at(asked).filter(|&at| at > Instant::now()) {
            tokio::time::sleep_until(at).await;
        }
    }

    /// Until when somebody waits who asked then, if nothing else comes.
    fn calm_at(&self, asked: Instant) -> Option<Instant> {
        self.urgent_at.get().map(|at| (at + CALM).min(asked + CALM_LIMIT))
    }

    /// Waits until there is room to spare; false, and none is taken, if there is none till `deadline`.
    pub(super) async fn patient(&self, deadline: Instant) -> bool {
        loop {
            let now = Instant::now();
            if self.take(BURST - RESERVE, now, now).is_some() {
                return true;
            }
            if now + LOOK > deadline {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A place at the earliest time at which no more than `depth` places are taken together; none if that is after `latest`.
    fn take(&self, depth: u32, now: Instant, latest: Instant) -> Option<Instant> {
        let period = Duration::from_secs(1) / RATE;
        let full_at = self.full_at.get().max(now) + period;
        let at = full_at.checked_sub(period * depth).map_or(now, |at| at.max(now));
        (at <= latest).then(|| {
            self.full_at.set(full_at);
            at
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u32) -> Duration {
        Duration::from_secs(n.into())
    }

    #[test]
    fn a_burst_is_free_and_then_the_rate_counts() {
        let now = Instant::now();
        let pace = Pace::new(now);
        let places: Vec<_> =
            (0..BURST + RATE).map(|_| pace.take(BURST, now, now + second(9)).unwrap()).collect();
        let (burst, rest) = places.split_at(BURST as usize);
        assert!(burst.iter().all(|&at| at == now));
        assert_eq!(rest[0], now + second(1) / RATE);
        assert_eq!(*rest.last().unwrap(), now + second(1));
        // A rest gives back what a rest is worth, and not more.
        let later = now + second(100);
        let free = std::iter::repeat_with(|| pace.take(BURST, later, later)).take_while(Option::is_some);
        assert_eq!(free.count(), BURST as usize);
    }

    #[test]
    fn what_can_wait_leaves_room_for_what_can_not() {
        let now = Instant::now();
        let pace = Pace::new(now);
        let free =
            |depth| std::iter::repeat_with(|| pace.take(depth, now, now)).take_while(Option::is_some).count();
        assert_eq!(free(BURST - RESERVE), (BURST - RESERVE) as usize);
        assert_eq!(free(BURST), RESERVE as usize);
        assert_eq!(free(BURST - RESERVE), 0);
        let later = now + second(2);
        assert!(pace.take(BURST - RESERVE, later, later).is_some(), "in the end it has its turn");
    }

    #[test]
    fn who_would_wait_too_long_takes_no_place() {
        let now = Instant::now();
        let pace = Pace::new(now);
        let limit = now + second(1);
        let taken =
            std::iter::repeat_with(|| pace.take(BURST, now, limit)).take_while(Option::is_some).count();
        assert_eq!(
            taken,
            (BURST + RATE) as usize,
            "all at once, as in a mass failover: the places of a second"
        );
    }

    #[tokio::test]
    async fn a_place_that_is_free_is_given_at_once_and_none_after_the_deadline() {
        let began = Instant::now();
        let pace = Pace::new(began);
        let generous = began + second(60);
        assert!(pace.urgent(generous).await && pace.patient(generous).await);
        while pace.take(BURST, began, began).is_some() {}
        assert!(!pace.urgent(began).await && !pace.patient(began).await);
    }
    #[test]
    fn what_only_tells_comes_after_what_matters_but_does_not_wait_for_long() {
        let asked = Instant::now();
        let pace = Pace::new(asked);
        assert_eq!(pace.calm_at(asked), None, "nothing was written");
        pace.urgent_at.set(Some(asked));
        assert_eq!(pace.calm_at(asked), Some(asked + CALM));
        pace.urgent_at.set(Some(asked + CALM / 2));
        assert_eq!(pace.calm_at(asked), Some(asked + CALM / 2 + CALM), "and more was written");
        pace.urgent_at.set(Some(asked + CALM_LIMIT));
        assert_eq!(pace.calm_at(asked), Some(asked + CALM_LIMIT));
    }

    #[tokio::test]
    async fn what_matters_is_noticed() {
        let began = Instant::now();
        let pace = Pace::new(began);
        pace.calm().await;
        assert!(pace.urgent(began + second(60)).await);
        pace.calm().await;
        assert!(began.elapsed() >= CALM);
    }
}
