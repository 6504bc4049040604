//! Publish and subscribe.

use super::argument::{block, pattern, text};
use super::entry::Entry;

const fn entry(
    name: &'static str,
    since: &'static str,
    complexity: &'static str,
    summary: &'static str,
) -> Entry {
    Entry::new("pubsub", name, since, complexity, summary)
}

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "psubscribe",
        "2.0.0",
        "O(N), N patterns given",
        "Receive what is published on channels that match patterns",
    )
    .arguments(&[block("pattern", &[pattern("pattern")]).multiple()]),
    entry("publish", "2.0.0", "O(1)", "Hand a hello message of another Sentinel to this one")
        .arguments(&[text("channel"), text("message")]),
    entry("punsubscribe", "2.0.0", "O(N), N patterns given", "End subscriptions to patterns, or all of them")
        .arguments(&[pattern("pattern").optional().multiple()]),
    entry("subscribe", "2.0.0", "O(N), N channels given", "Receive what is published on channels")
        .arguments(&[text("channel").multiple()]),
    entry("unsubscribe", "2.0.0", "O(N), N channels given", "End subscriptions to channels, or all of them")
        .arguments(&[text("channel").optional().multiple()]),
];
