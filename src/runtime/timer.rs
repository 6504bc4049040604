//! The one timer: sleeps until the core's next deadline.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::clock::Clock;
use crate::core::Time;

/// Longest sleep without a look at the boot clock, which tokio's timers, unlike it, don't follow through a suspension.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// State of the timer, shared by the driver, which arms it, and its task.
#[derive(Debug, Default)]
pub(super) struct Timer {
    /// What the task sleeps for.
    armed: Cell<Option<Time>>,
    changed: Notify,
}

impl Timer {
    /// Tell the deadline. Cheap when it did not get earlier: a sleep that ends too soon just begins again.
    pub(super) fn arm(&self, deadline: Option<Time>) {
        let Some(deadline) = deadline else { return };
        if self.armed.get().is_none_or(|armed| deadline < armed) {
            self.armed.set(Some(deadline));
            self.changed.notify_one();
        }
    }

    /// Sleep until `deadline` gives a time that has come. Cancel safe.
    pub(super) async fn due(&self, clock: Clock, deadline: impl Fn() -> Option<Time>) {
        loop {
            let now = clock.now();
            let next = deadline();
            if next.is_some_and(|next| next <= now) {
                self.armed.set(None);
                return;
            }
            self.armed.set(next);
            let sleep = next.map_or(LONGEST_SLEEP, |next| next.since(now).min(LONGEST_SLEEP));
            tokio::select! {
                () = sleep_until(Instant::now() + sleep) => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arming_wakes_the_task_only_for_an_earlier_deadline() {
        let timer = Timer::default();
        timer.arm(None);
        assert_eq!(timer.armed.get(), None);
        timer.arm(Some(Time::from_millis(50)));
        timer.arm(Some(Time::from_millis(70)));
        assert_eq!(timer.armed.get(), Some(Time::from_millis(50)));
        timer.arm(Some(Time::from_millis(30)));
        assert_eq!(timer.armed.get(), Some(Time::from_millis(30)));
    }

    #[tokio::test]
    async fn an_earlier_deadline_cuts_the_sleep_short() {
        let timer = std::rc::Rc::new(Timer::default());
        let deadline = std::rc::Rc::new(Cell::new(None));
        let local = tokio::task::LocalSet::new();
        let (waiting, wanted) = (timer.clone(), deadline.clone());
        let due = local.spawn_local(async move { waiting.due(Clock, || wanted.get()).await });
        local
            .run_until(async {
                tokio::task::yield_now().await;
                assert!(!due.is_finished(), "nothing is due without a deadline");
                deadline.set(Some(Clock.now()));
                timer.arm(deadline.get());
                due.await.unwrap();
            })
            .await;
    }
}
