//! The client of the data model, and the operator's hand on the daemons.

use std::time::Duration;

use super::{Event, World};

/// How often the client writes and asks.
const CLIENT_EVERY: Duration = Duration::from_millis(300);

impl World {
    /// The client asks some daemon for a primary and writes there; now and then it reads the epoch too.
    pub(super) fn client(&mut self) {
        self.queue.push(self.now + CLIENT_EVERY, Event::Client);
        let daemon = self.rng.index(self.plan.daemons);
        let name = self.plan.groups[self.rng.index(self.plan.groups.len())].name.clone();
        if self.rng.chance(200) {
            self.command(daemon, &["SENTINEL", "MASTER", &name]);
        }
        self.command(daemon, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &name]);
    }

    /// The answer to the client's question: it writes there.
    pub(super) fn write_at(&mut self, address: &str) {
        if let Some(node) = self.node_at(address)
            && self.write_to(node)
        {
            self.figures.writes += 1;
        }
    }
}
