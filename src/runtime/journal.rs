//! The log as the driver sees it, and the level that the file must name.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tracing::{Span, field, info_span};

use super::ports::Journal;
use crate::core::action::{Event, Level};
use crate::core::ids::GroupName;
use crate::telemetry::Telemetry;

/// The process's log.
pub(super) struct ProcessJournal {
    log: Telemetry,
    level: Rc<Cell<Level>>,
    /// What is known of each group's primary: the lines about a group are written inside its span.
    spans: RefCell<BTreeMap<GroupName, Span>>,
}

impl ProcessJournal {
    pub(super) const fn new(log: Telemetry, level: Rc<Cell<Level>>) -> Self {
        Self { log, level, spans: RefCell::new(BTreeMap::new()) }
    }

    /// Takes from an event what the lines after it are to name.
    fn remember(&self, event: &Event) {
        let Some(group) = &event.group else { return };
        let mut spans = self.spans.borrow_mut();
        if matches!(event.name, "-monitor" | "+switch-master" | "+reset-master") {
            // What was known is known of another primary.
            spans.remove(group);
            return;
        }
        let span = spans.entry(group.clone()).or_insert_with(|| {
            info_span!("group", group = group.as_str(), run_id = field::Empty, epoch = field::Empty)
        });
        span.record("epoch", event.epoch);
        if let Some(run_id) = event.run_id.as_deref().filter(|_| event.payload.starts_with("master ")) {
            span.record("run_id", run_id);
        }
    }
}

impl Journal for ProcessJournal {
    fn event(&self, event: &Event) {
        self.log.event(event);
        self.remember(event);
    }

    fn line(&self, level: Level, group: Option<&GroupName>, text: &str) {
        let span = group.and_then(|group| self.spans.borrow().get(group).cloned());
        span.unwrap_or_else(Span::none).in_scope(|| self.log.line(level, group, text));
    }

    fn signal(&self, text: &str) {
        self.log.signal(text);
    }

    fn set_level(&self, level: Level) {
        self.level.set(level);
        self.log.set_level(level);
    }

    fn flush(&self) {
        self.log.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::directives::LogFormat;
    use crate::telemetry::LogConfig;

    fn event(name: &'static str, payload: &str, run_id: &str, epoch: u64) -> Event {
        let group = Some(GroupName::from("m"));
        Event {
            level: Level::Warning,
            name,
            payload: payload.to_owned(),
            group,
            run_id: Some(run_id.to_owned()),
            epoch,
        }
    }

    #[test]
    fn lines_about_a_group_name_its_primary_and_epoch() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        let format = LogFormat::Json;
        let config = LogConfig { file: Some(file.clone()), format, ..LogConfig::default() };
        let (log, subscriber) = Telemetry::build(config).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let journal = ProcessJournal::new(log, Rc::new(Cell::new(Level::Notice)));
            let line = |group| journal.line(Level::Notice, group, "a line");
            let group = GroupName::from("m");
            journal.event(&event("+try-failover", "master m 127.0.0.1 1", "p", 4));
            journal.event(&event("+selected-slave", "slave 127.0.0.1:2 127.0.0.1 2 @ m 127.0.0.1 1", "r", 5));
            line(Some(&group));
            line(None);
            journal.event(&event("+switch-master", "m 127.0.0.1 1 127.0.0.1 2", "p", 5));
            line(Some(&group));
            journal.flush();
        });
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let named = |at: usize| (&lines[at]["group"], &lines[at]["run_id"], &lines[at]["epoch"]);
        let none = serde_json::Value::Null;
        assert_eq!(named(2), (&"m".into(), &"p".into(), &5.into()));
        assert_eq!(named(3), (&none, &none, &none));
        assert_eq!(named(5), (&"m".into(), &none, &none));
    }
}
