//! Figures while they are counted.

use std::cell::Cell;

use super::table;

/// Figures that only grow, and the sums that limits are judged by.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) connections: Cell<u64>,
    pub(super) rejected: Cell<u64>,
    pub(super) commands: Cell<u64>,
    pub(super) by_command: [Cell<u64>; table::COUNT],
    pub(super) errors: Cell<u64>,
    pub(super) input: Cell<u64>,
    pub(super) output: Cell<u64>,
    pub(super) reads: Cell<u64>,
    pub(super) writes: Cell<u64>,
    pub(super) output_limit: Cell<u64>,
    pub(super) query_limit: Cell<u64>,
    pub(super) delivered: Cell<u64>,
    pub(super) denied_auth: Cell<u64>,
    pub(super) denied_commands: Cell<u64>,
    pub(super) denied_channels: Cell<u64>,
    /// Bytes that wait to be sent, over all clients.
    pub(super) output_buffered: Cell<usize>,
    /// Bytes of requests that are not complete or not yet executed, over all clients.
    pub(super) input_buffered: Cell<usize>,
    /// Figures of the last second.
    pub(super) per_second: Cell<PerSecond>,
}

/// Figures of one second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PerSecond {
    pub(super) commands: u64,
    pub(super) input: u64,
    pub(super) output: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            connections: Cell::default(),
            rejected: Cell::default(),
            commands: Cell::default(),
            by_command: [const { Cell::new(0) }; table::COUNT],
            errors: Cell::default(),
            input: Cell::default(),
            output: Cell::default(),
            reads: Cell::default(),
            writes: Cell::default(),
            output_limit: Cell::default(),
            query_limit: Cell::default(),
            delivered: Cell::default(),
            denied_auth: Cell::default(),
            denied_commands: Cell::default(),
            denied_channels: Cell::default(),
            output_buffered: Cell::default(),
            input_buffered: Cell::default(),
            per_second: Cell::default(),
        }
    }
}

/// Counts one more.
pub(super) fn bump(counter: &Cell<u64>) {
    add(counter, 1);
}

/// Counts `more` more.
pub(super) fn add(counter: &Cell<u64>, more: usize) {
    counter.set(counter.get().saturating_add(more as u64));
}

/// Takes a sum from what one client had to what it has.
pub(super) fn shift(sum: &Cell<usize>, had: usize, has: usize) {
    sum.set((sum.get() + has).saturating_sub(had));
}
