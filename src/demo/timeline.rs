//! A failover phase by phase, made from what the daemons published and what the writer got.

use std::time::Duration;

use tokio::time::Instant;

use super::events::Seen;
use super::fleet::{Map, Place};
use super::text::{Glyphs, Line, Tone, grouped};
use super::writer::Ack;

/// Columns of the bar.
const BAR: usize = 12;

/// One moment of a failover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Event, or what happened.
    what: String,
    /// Who and to whom.
    about: String,
    /// Time since the start, in microseconds; negative before it.
    at: i64,
}

/// The moments in the order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    rows: Vec<Row>,
}

impl Timeline {
    /// The story of a failover away from `old`, begun at `start`.
    pub(super) fn new<'a>(
        start: Instant,
        old: Place,
        map: &Map,
        events: impl Iterator<Item = &'a Seen>,
        acks: &[Ack],
    ) -> Self {
        let mut rows = Vec::new();
        let mut row = |what: &str, about: String, at: Instant| {
            rows.push(Row { what: what.to_owned(), about, at: micros(start, at) });
        };
        let mut told: Vec<&str> = Vec::new();
        let mut switched: Vec<&str> = Vec::new();
        for seen in events {
            let name = seen.name.as_str();
            if name == "+switch-master" && !switched.contains(&seen.from) {
                switched.push(seen.from);
            }
            let last =
                name == "+switch-master" && switched.len() == map.daemons.len() && told.contains(&name);
            if last && !told.contains(&"all") {
                told.push("all");
                row(name, "told by all three".to_owned(), seen.at);
            } else if !told.contains(&name)
                && let Some(about) = about(seen, map)
            {
                told.push(name);
                row(name, about, seen.at);
            }
        }
        if let Some(ack) = acks.iter().filter(|ack| ack.port == old.port).max_by_key(|ack| ack.at) {
            row("last write", format!("acknowledged by {}", old.name), ack.at);
        }
        if let Some(ack) = acks.iter().filter(|ack| ack.port != old.port).min_by_key(|ack| ack.at) {
            row("first write", format!("acknowledged by {}", map.name_at(ack.port)), ack.at);
        }
        rows.sort_by_key(|row| row.at);
        Self { rows }
    }

    /// The table: moment, who, time since the start, time since the row above, and a bar.
    pub(super) fn draw(&self, title: &str, glyphs: &Glyphs) -> Vec<Line> {
        let head = Line::default().to(2).and(Tone::Strong, title).to(52).and(Tone::Dim, "at ms    after");
        let end = self.rows.iter().map(|row| row.at).max().unwrap_or_default();
        let mut lines = vec![head];
        let mut before: Option<i64> = None;
        for row in &self.rows {
            let tone = match row.what.as_str() {
                "+sdown" | "+odown" => Tone::Bad,
                "first write" | "+switch-master" => Tone::Good,
                _ => Tone::Plain,
            };
            let after = before.map_or_else(String::new, |before| format!("+{}", shown(row.at - before)));
            let line = Line::default().to(4).and(tone, &row.what).to(24).and(Tone::Plain, &row.about);
            let line = line.to(47).and(Tone::Strong, format!("{:>10}", shown(row.at)));
            let line = line.and(Tone::Dim, format!("{after:>9}"));
            lines.push(bar(line.to(67), before.unwrap_or(0), row.at, end, glyphs));
            before = Some(row.at);
        }
        lines
    }

    /// Time of the first moment with this name.
    #[cfg(test)]
    fn at(&self, what: &str) -> Option<i64> {
        self.rows.iter().find(|row| row.what == what).map(|row| row.at)
    }
}

/// What a message of a failover says; nothing for messages that are not part of the story.
pub(super) fn about(seen: &Seen, map: &Map) -> Option<String> {
    let words: Vec<&str> = seen.payload.split(' ').collect();
    let name = |port: Option<&&str>| port.and_then(|port| port.parse().ok()).map(|port| map.name_at(port));
    let primary = words.first() == Some(&"master");
    let from = seen.from;
    match seen.name.as_str() {
        "+sdown" if primary => Some(format!("{from} gets no answer")),
        "+odown" => {
            let (have, _) = words.last()?.split_once('/')?;
            Some(format!("{from}: {have} of {} agree", map.daemons.len()))
        }
        "+try-failover" => Some(format!("{from} begins")),
        "+elected-leader" => Some(format!("{from} leads")),
        "+selected-slave" => Some(format!("{from} chose {}", name(words.get(3))?)),
        "+promoted-slave" => Some(format!("{} is a primary", name(words.get(3))?)),
        "+switch-master" => Some(format!("{from} tells clients: {}", name(words.get(4))?)),
        "+failover-end" => Some("replicas follow".to_owned()),
        _ => None,
    }
}

fn micros(start: Instant, at: Instant) -> i64 {
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    if at >= start { micros(at - start) } else { -micros(start - at) }
}

/// Milliseconds with one decimal.
fn shown(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let tenths = (micros.unsigned_abs() + 50) / 100;
    format!("{sign}{}.{}", grouped(tenths / 10), tenths % 10)
}

/// The line with a bar: the time from `from` to `to` on a scale that ends at `end`.
fn bar(line: Line, from: i64, to: i64, end: i64, glyphs: &Glyphs) -> Line {
    let cell = |at: i64| {
        let (at, end) = (at.max(0).unsigned_abs(), end.max(1).unsigned_abs());
        usize::try_from(u128::from(at) * (BAR as u128 - 1) / u128::from(end)).unwrap_or_default().min(BAR - 1)
    };
    let (from, to) = (cell(from), cell(to));
    let rest = BAR - 1 - to;
    line.and(Tone::Dim, glyphs.empty.repeat(from))
        .and(Tone::Wait, glyphs.full.repeat(to + 1 - from.min(to)))
        .and(Tone::Dim, glyphs.empty.repeat(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::text::WIDTH;

    fn map() -> Map {
        let place = |name, port| Place { name, port, admin: None };
        Map {
            nodes: [place("n1", 7001), place("n2", 7002), place("n3", 7003)],
            daemons: [place("v1", 26_001), place("v2", 26_002), place("v3", 26_003)],
        }
    }

    fn story() -> Timeline {
        let start = Instant::now();
        let at = |micros: u64| start + Duration::from_micros(10_000_000 + micros);
        let seen = |micros, from, name: &str, payload: &str| Seen {
            at: at(micros),
            from,
            name: name.to_owned(),
            payload: payload.to_owned(),
        };
        let replica = "slave 127.0.0.1:7002 127.0.0.1 7002 @ demo 127.0.0.1 7001";
        let switch = "demo 127.0.0.1 7001 127.0.0.1 7002";
        let events = [
            seen(900_000, "v1", "+sdown", "slave 127.0.0.1:7003 127.0.0.1 7003 @ demo 127.0.0.1 7001"),
            seen(1_001_000, "v2", "+sdown", "master demo 127.0.0.1 7001"),
            seen(1_001_500, "v3", "+sdown", "master demo 127.0.0.1 7001"),
            seen(1_002_000, "v2", "+odown", "master demo 127.0.0.1 7001 #quorum 2/2"),
            seen(1_002_100, "v2", "+new-epoch", "1"),
            seen(1_002_200, "v2", "+try-failover", "master demo 127.0.0.1 7001"),
            seen(1_004_000, "v2", "+elected-leader", "master demo 127.0.0.1 7001"),
            seen(1_004_100, "v2", "+selected-slave", replica),
            seen(1_020_000, "v2", "+promoted-slave", replica),
            seen(1_100_000, "v1", "+switch-master", switch),
            seen(1_110_000, "v2", "+switch-master", switch),
            seen(1_120_000, "v3", "+switch-master", switch),
        ];
        let ack = |micros: u64, port| Ack { number: micros, port, at: at(micros) };
        let acks = [ack(0, 7001), ack(1_025_000, 7002), ack(1_027_000, 7002)];
        Timeline::new(at(2000), map().nodes[0], &map(), events.iter(), &acks)
    }

    #[test]
    fn every_phase_is_told_once_in_order() {
        let story = story();
        let order: Vec<&str> = story.rows.iter().map(|row| row.what.as_str()).collect();
        let expected = [
            "last write",
            "+sdown",
            "+odown",
            "+try-failover",
            "+elected-leader",
            "+selected-slave",
            "+promoted-slave",
            "first write",
            "+switch-master",
            "+switch-master",
        ];
        assert_eq!(order, expected);
        assert_eq!(story.at("last write"), Some(-2000));
        assert_eq!(story.at("+sdown"), Some(999_000));
        assert_eq!(story.rows.last().map(|row| row.at), Some(1_118_000));
    }

    #[test]
    fn the_table_fits_and_says_who_and_when() {
        let lines: Vec<String> =
            story().draw("kill -9 n1", &Glyphs::ASCII).iter().map(|line| line.render(false)).collect();
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{lines:#?}");
        let expected = [
            "    last write          acknowledged by n1           -2.0          #...........",
            "    +sdown              v2 gets no answer           999.0 +1,001.0 ##########..",
            "    +odown              v2: 2 of 3 agree          1,000.0     +1.0 .........#..",
        ];
        assert_eq!(lines[1..4], expected);
    }
}
