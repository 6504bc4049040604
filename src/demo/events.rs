//! What the daemons publish, with the time at which it arrived here.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::conn::{Conn, words};
use super::fleet::Place;

/// Messages that are kept; older ones are forgotten.
const KEPT: usize = 2000;
/// Wait before a lost subscription is made again.
const AGAIN: Duration = Duration::from_millis(300);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// A message of a daemon.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// When it arrived.
    pub(super) at: Instant,
    /// Name of the daemon.
    pub(super) from: &'static str,
    /// `+sdown` and so on.
    pub(super) name: String,
    /// What is said.
    pub(super) payload: String,
}

/// The messages of all daemons in the order in which they arrived.
#[derive(Debug, Default)]
pub(super) struct Events {
    seen: VecDeque<Seen>,
    /// Number of the first message in `seen`, counted from the start.
    first: usize,
    /// +switch-master heard so far.
    switches: usize,
    /// Daemons with a subscription.
    pub(super) subscribed: usize,
}

impl Events {
    /// The number of the next message.
    pub(super) fn next(&self) -> usize {
        self.first + self.seen.len()
    }

    /// The messages from number `mark` on.
    pub(super) fn since(&self, mark: usize) -> impl Iterator<Item = &Seen> {
        self.seen.iter().skip(mark.saturating_sub(self.first))
    }

    /// How often +switch-master was heard so far.
    pub(super) fn switches(&self) -> usize {
        self.switches
    }

    fn push(&mut self, seen: Seen) {
        self.switches += usize::from(seen.name == "+switch-master");
        if self.seen.len() == KEPT {
            self.seen.pop_front();
            self.first += 1;
        }
        self.seen.push_back(seen);
    }
}

/// Subscribe to everything that a daemon publishes, for ever.
pub(super) async fn listen(daemon: Place, events: Rc<RefCell<Events>>) {
    loop {
        let mut subscribed = false;
        // However it ends, it is begun again.
        let _ = follow(daemon, &events, &mut subscribed).await;
        if subscribed {
            events.borrow_mut().subscribed -= 1;
        }
        sleep(AGAIN).await;
    }
}

async fn follow(daemon: Place, events: &RefCell<Events>, subscribed: &mut bool) -> io::Result<()> {
    let mut conn = Conn::open(daemon.port, CONNECT_LIMIT).await?;
    conn.send(&["PSUBSCRIBE", "*"]).await?;
    timeout(CONNECT_LIMIT, conn.receive()).await.map_err(io::Error::other)??;
    events.borrow_mut().subscribed += 1;
    *subscribed = true;
    loop {
        let message = conn.receive().await?;
        let at = Instant::now();
        if let ["pmessage", _, name, payload] = words(&message)[..] {
            let (name, payload) = (name.to_owned(), payload.to_owned());
            events.borrow_mut().push(Seen { at, from: daemon.name, name, payload });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stays_valid_when_old_messages_are_forgotten() {
        let mut events = Events::default();
        let seen = |number: usize| Seen {
            at: Instant::now(),
            from: "v1",
            name: number.to_string(),
            payload: String::new(),
        };
        (0..KEPT + 10).for_each(|number| events.push(seen(number)));
        assert_eq!(events.next(), KEPT + 10);
        assert_eq!(
            events.since(KEPT + 8).map(|seen| seen.name.clone()).collect::<Vec<_>>(),
            ["2008", "2009"]
        );
        assert_eq!(events.since(0).count(), KEPT);
        assert_eq!(events.since(KEPT + 10).count(), 0);
    }
}
