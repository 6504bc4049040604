//! What fuzz targets ask of the core's inside.

use super::ballot::ABSURD_EPOCH;
use super::engine::Engine;
use super::hello::{Hello, MAX_DAEMONS, MAX_PEERS, MAX_WAITING};
use super::info::{Facts, MAX_REPLICAS};
use super::link::MAX_PENDING;

/// A hello that can be read is the same when it is written and read again, and no word in it breaks a line.
pub(crate) fn hello_again(text: &str) {
    let Some(hello) = Hello::parse(text) else { return };
    let written = format!(
        "{},{},{},{},{},{},{},{}",
        hello.host,
        hello.port,
        hello.run_id,
        hello.epoch,
        hello.group,
        hello.primary_host,
        hello.primary_port,
        hello.config_epoch
    );
    assert_eq!(Hello::parse(&written), Some(hello));
}

/// An INFO means the same with either line end.
pub(crate) fn facts_again(text: &str) {
    // The first of two CRs belongs to the line.
    if text.contains("\r\r\n") {
        return;
    }
    let plain = text.replace("\r\n", "\n");
    assert_eq!(Facts::parse(text), Facts::parse(&plain));
}

/// The bounds that hold whatever is said; the epoch and the highest one of a configuration.
pub(crate) fn check(engine: &Engine) -> (u64, u64) {
    for group in engine.groups.values() {
        assert!(group.replicas.len() <= MAX_REPLICAS && group.peers.len() <= MAX_PEERS);
        assert!(group.config_epoch <= ABSURD_EPOCH && group.ballot.epoch <= engine.shared.current_epoch);
        for link in group.whiches().iter().filter_map(|which| group.get(which)).map(|instance| instance.link)
        {
            let link = engine.shared.links.get(link);
            assert!(link.is_some_and(|link| link.pending() <= 2 * MAX_PENDING * link.users));
        }
    }
    assert!(engine.shared.peer_links.len() <= MAX_DAEMONS && engine.waiting.len() <= MAX_WAITING);
    assert!(engine.shared.current_epoch <= ABSURD_EPOCH);
    assert!(engine.shared.durable_epoch <= engine.shared.current_epoch);
    assert!(engine.shared.touched.is_empty(), "something is left to do at once");
    let configured = engine.groups.values().map(|group| group.config_epoch).max();
    (engine.shared.current_epoch, configured.unwrap_or(0))
}
