//! A client that writes all the time, and an account of what was acknowledged.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::conn::{Conn, shown, words};
use super::error::Error;
use super::events::Events;
use super::fleet::{GROUP, Map, Place};
use crate::resp::Reply;

/// Between two writes.
const PACE: Duration = Duration::from_millis(2);
/// Between two looks for the primary.
const LOOK: Duration = Duration::from_millis(5);
/// For every answer: longer than any that a healthy process on this machine needs.
const LIMIT: Duration = Duration::from_millis(500);
/// Keys in use. At the writer's pace they last for more than three minutes, longer than a window is open.
const KEYS: u64 = 100_000;
/// Keys read back at a time.
const BATCH: usize = 250;

/// An acknowledged write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ack {
    /// The number written.
    pub(super) number: u64,
    /// Port of the node that acknowledged.
    pub(super) port: u16,
    /// When the acknowledgement arrived.
    pub(super) at: Instant,
}

/// What was acknowledged.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Since the start.
    pub(super) total: u64,
    /// Port of the node that took the last write; nothing while writes fail.
    pub(super) at: Option<u16>,
    /// The last one.
    last: Option<Ack>,
    /// Writes since the window was opened, and the last one before it.
    window: Option<Vec<Ack>>,
}

impl Ledger {
    /// Begin to keep what is acknowledged, the last write before included: silence is counted from there.
    pub(super) fn open(&mut self) {
        self.window = Some(self.last.into_iter().collect());
    }

    /// What was acknowledged since [`Ledger::open`].
    pub(super) fn window(&self) -> &[Ack] {
        self.window.as_deref().unwrap_or_default()
    }

    /// Take what was acknowledged since [`Ledger::open`] and keep nothing more.
    pub(super) fn close(&mut self) -> Vec<Ack> {
        self.window.take().unwrap_or_default()
    }

    fn acknowledged(&mut self, number: u64, port: u16) {
        self.total += 1;
        self.at = Some(port);
        let ack = Ack { number, port, at: Instant::now() };
        self.last = Some(ack);
        if let Some(window) = &mut self.window {
            window.push(ack);
        }
    }
}

/// Write for ever: ask the daemons where the primary is, write there until it fails or until +switch-master is heard,
/// ask again. So do the client libraries.
pub(super) async fn write(map: Map, ledger: Rc<RefCell<Ledger>>, events: Rc<RefCell<Events>>) {
    let mut number = 0;
    loop {
        let switches = events.borrow().switches();
        if let Some(port) = find(&map.daemons).await {
            let stale = || events.borrow().switches() != switches;
            // However it ends, the primary is looked for again.
            let _ = write_at(port, &mut number, &ledger, stale).await;
        }
        ledger.borrow_mut().at = None;
        sleep(LOOK).await;
    }
}

/// The primary's port, from the first daemon that answers.
async fn find(daemons: &[Place]) -> Option<u16> {
    for daemon in daemons {
        let question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", GROUP];
        if let Ok(reply) = super::conn::ask(daemon.port, LIMIT, &question).await {
            return words(&reply).get(1).and_then(|port| port.parse().ok());
        }
    }
    None
}

/// Write to one node until that fails, or until `stale` says that another may be the primary.
async fn write_at(
    port: u16,
    number: &mut u64,
    ledger: &RefCell<Ledger>,
    stale: impl Fn() -> bool,
) -> io::Result<()> {
    let mut conn = Conn::open(port, LIMIT).await?;
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stale() {
        pace.tick().await;
        *number += 1;
        let reply = conn.ask(&["SET", &key(*number), &number.to_string()]).await?;
        if reply != Reply::OK {
            return Err(io::Error::other(shown(&reply)));
        }
        ledger.borrow_mut().acknowledged(*number, port);
    }
    Ok(())
}

fn key(number: u64) -> String {
    format!("demo:{}", number % KEYS)
}

/// The acknowledged writes that `node` does not have.
pub(super) async fn lost(node: Place, acks: &[Ack]) -> Result<Vec<Ack>, Error> {
    let mut missing = Vec::new();
    let failed = |source| Error::Connection { name: node.name.to_owned(), source };
    let mut conn = Conn::open(node.port, LIMIT).await.map_err(failed)?;
    for batch in acks.chunks(BATCH) {
        let keys: Vec<String> = batch.iter().map(|ack| key(ack.number)).collect();
        let question: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
        let reply = conn.ask(&question).await.map_err(failed)?;
        let values = reply.elements().filter(|values| values.len() == batch.len()).ok_or_else(|| {
            Error::Reply { name: node.name.to_owned(), command: "MGET".to_owned(), reply: shown(&reply) }
        })?;
        let pairs = batch.iter().zip(values);
        missing.extend(
            pairs.filter(|(ack, value)| value.text() != Some(&ack.number.to_string())).map(|(ack, _)| *ack),
        );
    }
    Ok(missing)
}

/// The longest time between two acknowledgements, in the order of time, whoever gave them.
pub(super) fn longest_gap(acks: &[Ack]) -> Duration {
    let times: BTreeSet<Instant> = acks.iter().map(|ack| ack.at).collect();
    let next = times.iter().skip(1);
    times.iter().zip(next).map(|(one, other)| *other - *one).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_open_window_keeps_writes() {
        let mut ledger = Ledger::default();
        ledger.acknowledged(1, 7001);
        assert!(ledger.window().is_empty());
        ledger.open();
        ledger.acknowledged(2, 7001);
        ledger.acknowledged(3, 7002);
        assert_eq!(ledger.window().len(), 3);
        let numbers: Vec<(u64, u16)> = ledger.close().iter().map(|ack| (ack.number, ack.port)).collect();
        assert_eq!(numbers, [(1, 7001), (2, 7001), (3, 7002)]);
        assert_eq!((ledger.total, ledger.at, ledger.window().len()), (3, Some(7002), 0));
    }

    #[test]
    fn the_gap_is_the_longest_silence() {
        let start = Instant::now();
        let ack = |millis| Ack { number: millis, port: 7001, at: start + Duration::from_millis(millis) };
        assert_eq!(longest_gap(&[ack(0), ack(2), ack(1002), ack(1004)]), Duration::from_secs(1));
        assert_eq!(longest_gap(&[ack(7)]), Duration::ZERO);
        assert_eq!(longest_gap(&[]), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_write_that_the_node_lacks_is_lost() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = Place { name: "n1", port: listener.local_addr().unwrap().port(), admin: None };
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1000];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(b"*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n9\r\n").await.unwrap();
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        let ack = |number| Ack { number, port: 7001, at: Instant::now() };
        let missing = lost(node, &[ack(1), ack(2), ack(3)]).await.unwrap();
        assert_eq!(missing.iter().map(|ack| ack.number).collect::<Vec<_>>(), [2, 3]);
        assert!(server.await.unwrap().contains("demo:1\r\n"));
    }
}
