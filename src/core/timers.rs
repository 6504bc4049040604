//! The table of deadlines: one per key, each with its reason, the earliest first.

use std::collections::BTreeMap;

use super::group::GroupId;
use super::time::Time;

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// Leaving TILT, and the beat by which a stop of the whole process is noticed.
    Tilt,
    /// A save that failed is tried again.
    Save,
    /// What has come in must be handed over before somebody is called down.
    Heard,
    /// Script queue.
    Scripts,
    /// All that a group waits for.
    Group(GroupId),
    /// The own Lease, and the end of the process.
    Member,
    /// All that a group's claim waits for.
    Claim(GroupId),
}

/// Deadlines by key.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeMap<(Time, Key), &'static str>,
    by_key: BTreeMap<Key, Time>,
}

impl Timers {
    /// Sets, moves or clears the deadline of `key`.
    pub(crate) fn set(&mut self, key: Key, deadline: Option<(Time, &'static str)>) {
        let old = match deadline {
            Some((at, why)) => {
                self.by_time.insert((at, key), why);
                self.by_key.insert(key, at)
            }
            None => self.by_key.remove(&key),
        };
        if let Some(at) = old
            && deadline.is_none_or(|(new, _)| new != at)
        {
            self.by_time.remove(&(at, key));
        }
    }

    /// The deadline of `key`.
    pub(crate) fn at(&self, key: Key) -> Option<Time> {
        self.by_key.get(&key).copied()
    }

    /// The earliest deadline and its reason.
    pub(crate) fn first(&self) -> Option<(Time, Key, &'static str)> {
        self.by_time.first_key_value().map(|((at, key), why)| (*at, *key, *why))
    }

    /// Takes one key whose deadline is over.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Key> {
        let (at, key, _) = self.first()?;
        if at > now {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_first_and_moves() {
        let mut timers = Timers::default();
        let at = Time::from_millis;
        timers.set(Key::Scripts, Some((at(5), "scripts")));
        timers.set(Key::Tilt, Some((at(3), "tilt")));
        assert_eq!(timers.first(), Some((at(3), Key::Tilt, "tilt")));
        timers.set(Key::Tilt, Some((at(9), "tilt")));
        timers.set(Key::Scripts, Some((at(5), "again")));
        assert_eq!(timers.first(), Some((at(5), Key::Scripts, "again")));
        assert_eq!(timers.pop_due(at(4)), None);
        assert_eq!(timers.pop_due(at(5)), Some(Key::Scripts));
        timers.set(Key::Tilt, None);
        assert_eq!(timers.first(), None);
    }
}
