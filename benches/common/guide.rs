//! How a client finds the primary.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Events;
use super::writer::{CONNECT, connect};
use crate::support::Value;
use crate::support::group::NAME;

/// Where a client is led.
pub(crate) trait Guide: Send {
    /// A number that changes whenever another primary was told without a question, and which one it was.
    fn told(&self) -> (u64, Option<SocketAddr>) {
        (0, None)
    }

    /// Who may be the primary; one after the other is tried.
    fn ask(&self) -> Box<dyn Iterator<Item = SocketAddr> + '_>;
}

/// A client of Sentinel's protocol that asks the daemons, and only when a connection fails or answers READONLY.
#[derive(Clone, Debug)]
pub(crate) struct Asks {
    daemons: Vec<SocketAddr>,
}

impl Asks {
    /// Knows these daemons.
    pub(crate) fn new(daemons: &[SocketAddr]) -> Self {
        Self { daemons: daemons.to_vec() }
    }
}

impl Guide for Asks {
    fn ask(&self) -> Box<dyn Iterator<Item = SocketAddr> + '_> {
        Box::new(self.daemons.iter().filter_map(|daemon| primary(*daemon)))
    }
}

/// One that listens for +switch-master, too.
pub(crate) struct Listens {
    asks: Asks,
    events: Arc<Events>,
}

impl Listens {
    /// Knows these daemons, and what they publish.
    pub(crate) fn new(daemons: &[SocketAddr], events: &Arc<Events>) -> Self {
        Self { asks: Asks::new(daemons), events: Arc::clone(events) }
    }
}

impl Guide for Listens {
    fn told(&self) -> (u64, Option<SocketAddr>) {
        self.events.switched()
    }

    fn ask(&self) -> Box<dyn Iterator<Item = SocketAddr> + '_> {
        self.asks.ask()
    }
}

/// The primary that this daemon names.
fn primary(daemon: SocketAddr) -> Option<SocketAddr> {
    let mut client = connect(daemon, CONNECT)?;
    let reply = client.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).ok()?;
    let Value::Array(items) = reply else { return None };
    Some(SocketAddr::new(items[0].text().parse().ok()?, items[1].text().parse().ok()?))
}
