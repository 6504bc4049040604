//! The log of denied requests and failed logins: bounded, newest first, alike entries counted together.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::core::Time;
use crate::resp::Reply;

/// Entries that are alike are one entry for so long.
const GROUPED: Duration = Duration::from_secs(60);
/// Only so many of the newest entries are looked through for an alike one.
const LOOKED_THROUGH: usize = 10;
/// Longest object or user name that is kept, in bytes: both come from clients that may do nothing.
const LONGEST: usize = 1024;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A login.
    Auth,
    /// A command.
    Command,
    /// A channel.
    Channel,
}

impl Reason {
    /// The word that `ACL LOG` shows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Command => "command",
            Self::Channel => "channel",
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    count: u64,
    reason: Reason,
    object: Bytes,
    user: Bytes,
    at: Time,
    client: String,
}

/// The log.
#[derive(Debug)]
pub(super) struct Log {
    entries: VecDeque<Entry>,
    longest: usize,
}

impl Log {
    /// An empty log that keeps so many entries.
    pub(super) const fn new(longest: usize) -> Self {
        Self { entries: VecDeque::new(), longest }
    }

    /// Puts an entry in front. `client` is the client's line of CLIENT LIST.
    pub(super) fn add(&mut self, reason: Reason, object: &[u8], user: &[u8], client: String, now: Time) {
        let (object, user) = (cut(object), cut(user));
        let alike = self.entries.iter().take(LOOKED_THROUGH).position(|entry| {
            entry.reason == reason
                && entry.object == object
                && entry.user == user
                && now.since(entry.at) <= GROUPED
        });
        let count = alike.and_then(|at| self.entries.remove(at)).map_or(0, |entry| entry.count);
        self.entries.push_front(Entry { count: count + 1, reason, object, user, at: now, client });
        self.entries.truncate(self.longest);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The newest `count` entries.
    pub(super) fn reply(&self, count: usize, now: Time) -> Reply {
        Reply::Array(self.entries.iter().take(count).map(|entry| entry.reply(now)).collect())
    }
}

impl Entry {
    fn reply(&self, now: Time) -> Reply {
        let key = |name: &'static str| Reply::bulk(name);
        // Whole milliseconds, as Sentinel's clock.
        let age = Duration::from_millis(now.millis_since(self.at)).as_secs_f64();
        Reply::Map(vec![
            (key("count"), Reply::Int(i64::try_from(self.count).unwrap_or(i64::MAX))),
            (key("reason"), Reply::bulk(self.reason.name())),
            (key("context"), Reply::bulk("toplevel")),
            (key("object"), Reply::Bulk(self.object.clone())),
            (key("username"), Reply::Bulk(self.user.clone())),
            (key("age-seconds"), Reply::Double(age)),
            (key("client-info"), Reply::bulk(self.client.clone())),
        ])
    }
}

fn cut(text: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&text[..text.len().min(LONGEST)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    fn shown(log: &Log, now: Time) -> Vec<(i64, String, String)> {
        let reply = log.reply(usize::MAX, now);
        let entries = reply.elements().unwrap().iter().map(|entry| {
            let Reply::Map(fields) = entry else { panic!("no map") };
            let field =
                |name: &str| fields.iter().find(|(key, _)| key.text() == Some(name)).unwrap().1.clone();
            let Reply::Int(count) = field("count") else { panic!("no count") };
            (
                count,
                field("object").text().unwrap().to_owned(),
                field("client-info").text().unwrap().to_owned(),
            )
        });
        entries.collect()
    }

    #[test]
    fn alike_entries_are_counted_and_moved_to_the_front() {
        let mut log = Log::new(128);
        log.add(Reason::Command, b"ping", b"bob", "id=1".to_owned(), at(0));
        log.add(Reason::Command, b"info", b"bob", "id=1".to_owned(), at(1));
        log.add(Reason::Command, b"ping", b"bob", "id=2".to_owned(), at(60));
        assert_eq!(
            shown(&log, at(60)),
            [(2, "ping".to_owned(), "id=2".to_owned()), (1, "info".to_owned(), "id=1".to_owned())]
        );
        log.add(Reason::Command, b"info", b"bob", "id=3".to_owned(), at(62));
        log.add(Reason::Channel, b"ping", b"bob", "id=3".to_owned(), at(62));
        log.add(Reason::Command, b"ping", b"joe", "id=3".to_owned(), at(62));
        assert_eq!(shown(&log, at(62)).iter().map(|entry| entry.0).collect::<Vec<_>>(), [1, 1, 1, 2, 1]);
    }

    #[test]
    fn the_log_is_bounded() {
        let mut log = Log::new(2);
        for name in ["a", "b", "c"] {
            log.add(Reason::Auth, name.as_bytes(), &[b'u'; 5000], String::new(), at(0));
        }
        assert_eq!(shown(&log, at(0)).iter().map(|entry| entry.1.as_str()).collect::<Vec<_>>(), ["c", "b"]);
        assert_eq!(log.entries[0].user.len(), LONGEST);
        log.clear();
        assert_eq!(log.reply(10, at(0)), Reply::Array(Vec::new()));
        let mut none = Log::new(0);
        none.add(Reason::Auth, b"AUTH", b"u", String::new(), at(0));
        assert!(none.entries.is_empty());
    }

    #[test]
    fn an_entry_has_sentinels_fields() {
        let mut log = Log::new(1);
        log.add(Reason::Channel, b"chan", b"bob", "id=1".to_owned(), at(1));
        let bulk = |text: &'static str| Reply::bulk(text);
        assert_eq!(
            log.reply(1, Time::from_millis(2500)),
            Reply::Array(vec![Reply::Map(vec![
                (bulk("count"), Reply::Int(1)),
                (bulk("reason"), bulk("channel")),
                (bulk("context"), bulk("toplevel")),
                (bulk("object"), bulk("chan")),
                (bulk("username"), bulk("bob")),
                (bulk("age-seconds"), Reply::Double(1.5)),
                (bulk("client-info"), bulk("id=1")),
            ])])
        );
    }
}
