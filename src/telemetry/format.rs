//! One line of the log.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Zoned;
use serde::Serialize;

use crate::config::directives::LogFormat;
use crate::core::action::Level;

/// How many bytes of a text Redis writes.
const MAX_TEXT: usize = 1023;

/// What a line tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record {
    pub(super) message: String,
    pub(super) fields: BTreeMap<&'static str, serde_json::Value>,
}

/// Fields that Sentinel's format doesn't show: the text names them already.
const TOLD: [&str; 4] = ["event", "group", "run_id", "epoch"];

/// The record's text as Sentinel shows it: one line, cut where Redis cuts it.
pub(super) fn text(record: &Record) -> String {
    let mut text = record.message.clone();
    for (name, value) in &record.fields {
        if !TOLD.contains(name) {
            // Writing to a String can't fail.
            let _ = match value.as_str() {
                Some(value) => write!(text, " {name}={value}"),
                None => write!(text, " {name}={value}"),
            };
        }
    }
    one_line(text)
}

fn one_line(mut text: String) -> String {
    if text.contains(['\n', '\r']) {
        text = text.replace(['\n', '\r'], " ");
    }
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// `<pid>:X <DD Mon YYYY HH:MM:SS.mmm> <c> <text>` and a line feed, in local time.
pub(super) fn sentinel(level: Level, text: &str, now: &Zoned) -> String {
    let mark = match level {
        Level::Debug => '.',
        Level::Verbose => '-',
        Level::Notice => '*',
        Level::Warning | Level::Nothing => '#',
    };
    let pid = std::process::id();
    format!("{pid}:X {} {mark} {text}\n", now.strftime("%d %b %Y %H:%M:%S%.3f"))
}

/// `<pid>:signal-handler (<unix seconds>) <text>` and a line feed.
pub(super) fn signal(text: &str) -> String {
    let seconds = jiff::Timestamp::now().as_second();
    format!("{}:signal-handler ({seconds}) {}\n", std::process::id(), one_line(text.to_owned()))
}

/// A line without fields in the form that is configured.
pub(super) fn plain(form: LogFormat, level: Level, text: &str, now: &Zoned) -> String {
    match form {
        LogFormat::Sentinel => sentinel(level, text, now),
        LogFormat::Json => json(level, &Record { message: text.to_owned(), fields: BTreeMap::new() }, now),
    }
}

#[derive(Serialize)]
struct Json<'a> {
    timestamp: String,
    level: &'static str,
    pid: u32,
    message: &'a str,
    #[serde(flatten)]
    fields: &'a BTreeMap<&'static str, serde_json::Value>,
}

/// One JSON object and a line feed.
pub(super) fn json(level: Level, record: &Record, now: &Zoned) -> String {
    let line = Json {
        timestamp: now.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
        level: level.name(),
        pid: std::process::id(),
        message: &record.message,
        fields: &record.fields,
    };
    // Strings, numbers and maps of them with text keys can always be written.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(message: &str) -> Record {
        Record {
            message: message.to_owned(),
            fields: BTreeMap::from([("group", "m".into()), ("epoch", 3.into()), ("tries", 2.into())]),
        }
    }

    fn now() -> Zoned {
        let time: jiff::Timestamp = "2026-11-02T03:04:05.0067Z".parse().unwrap();
        time.to_zoned(jiff::tz::TimeZone::UTC)
    }

    #[test]
    fn lines_have_sentinels_form() {
        let pid = std::process::id();
        for (level, mark) in
            [(Level::Debug, '.'), (Level::Verbose, '-'), (Level::Notice, '*'), (Level::Warning, '#')]
        {
            assert_eq!(
                sentinel(level, "+sdown master m", &now()),
                format!("{pid}:X 02 Nov 2026 03:04:05.006 {mark} +sdown master m\n")
            );
        }
    }

    #[test]
    fn a_text_is_one_line_of_bounded_length() {
        assert_eq!(text(&record("a\r\nb")), "a  b tries=2");
        assert_eq!(text(&record(&"é".repeat(2000))).len(), 1022);
        assert_eq!(text(&record(&"e".repeat(2000))).len(), 1023);
    }

    #[test]
    fn json_names_everything() {
        let line = json(Level::Notice, &record("+x \"y\""), &now());
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["timestamp"], "2026-11-02T03:04:05.006+00:00");
        assert_eq!((&value["level"], &value["message"]), (&"notice".into(), &"+x \"y\"".into()));
        assert_eq!((&value["group"], &value["epoch"], &value["tries"]), (&"m".into(), &3.into(), &2.into()));
        assert_eq!(line.matches('\n').count(), 1);
    }
}
