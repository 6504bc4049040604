//! What has to be looked at every second: idle clients, slow readers, figures of the last second.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::client::{Client, Ending, Mode};
use super::counters::PerSecond;
use super::inner::Inner;
use crate::core::action::Level;

/// How often.
const PERIOD: Duration = Duration::from_secs(1);

/// Starts the task.
pub(super) fn spawn(server: &Rc<Inner>) {
    let shared = Rc::clone(server);
    let task = tokio::task::spawn_local(async move {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = PerSecond::default();
        loop {
            ticks.tick().await;
            before = sample(&shared, before);
            sweep(&shared, Instant::now());
        }
    });
    server.tasks.borrow_mut().push(task.abort_handle());
}

/// Takes the figures of the last second from the totals; returns the totals.
fn sample(server: &Inner, before: PerSecond) -> PerSecond {
    let counters = &server.counters;
    let total = PerSecond {
        commands: counters.commands.get(),
        input: counters.input.get(),
        output: counters.output.get(),
    };
    counters.per_second.set(PerSecond {
        commands: total.commands - before.commands,
        input: total.input - before.input,
        output: total.output - before.output,
    });
    total
}

fn sweep(server: &Inner, now: Instant) {
    let timeout = u64::from(server.config.general.timeout);
    for client in server.clients.borrow().values() {
        if client.over_soft_since.get().is_some() {
            server.check_limits(client, client.buffered());
        }
        if timeout > 0 && is_idle(client, now, timeout) {
            server.log(Level::Verbose, "Closing idle client");
            client.end(Ending::Now);
        }
    }
}

/// Subscribers listen without a word, and who waits for us is not idle.
fn is_idle(client: &Client, now: Instant, timeout: u64) -> bool {
    client.subscription_count() == 0
        && client.mode.get() == Mode::Ready
        && now.duration_since(client.active_at.get()).as_secs() > timeout
}
