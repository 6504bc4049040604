//! Events in order of time, and at one time in the order in which they were scheduled.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::core::Time;

/// The event queue of a simulated world. Events lie still in slots; what is put in order is small.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    /// Time, order of scheduling, slot.
    order: BinaryHeap<Reverse<(Time, u64, usize)>>,
    slots: Vec<Option<E>>,
    free: Vec<usize>,
    scheduled: u64,
}

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self { order: BinaryHeap::new(), slots: Vec::new(), free: Vec::new(), scheduled: 0 }
    }

    pub(crate) fn push(&mut self, at: Time, event: E) {
        self.scheduled += 1;
        let slot = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(place) => *place = Some(event),
            None => self.slots.push(Some(event)),
        }
        self.order.push(Reverse((at, self.scheduled, slot)));
    }

    /// The first event, if it is not after `end`.
    pub(crate) fn pop_until(&mut self, end: Time) -> Option<(Time, E)> {
        let Reverse((at, _, slot)) = *self.order.peek()?;
        if at > end {
            return None;
        }
        self.order.pop();
        self.free.push(slot);
        self.slots.get_mut(slot)?.take().map(|event| (at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;
    use crate::core::Time;

    #[test]
    fn time_comes_first_then_the_order_of_scheduling() {
        let mut queue = Queue::new();
        for (at, event) in [(5, "c"), (1, "a"), (5, "d"), (6, "late"), (2, "b")] {
            queue.push(Time::from_millis(at), event);
        }
        let order: Vec<_> =
            std::iter::from_fn(|| queue.pop_until(Time::from_millis(5))).map(|(_, event)| event).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
