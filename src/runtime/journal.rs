//! The log as the driver sees it, and the level that the file must name.

use std::cell::Cell;
use std::rc::Rc;

use super::ports::Journal;
use crate::core::action::{Event, Level};
use crate::core::ids::GroupName;
use crate::telemetry::Telemetry;

/// The process's log.
pub(super) struct ProcessJournal {
    log: Telemetry,
    level: Rc<Cell<Level>>,
}

impl ProcessJournal {
    pub(super) const fn new(log: Telemetry, level: Rc<Cell<Level>>) -> Self {
        Self { log, level }
    }
}

impl Journal for ProcessJournal {
    fn event(&self, event: &Event) {
        self.log.event(event);
    }

    fn line(&self, level: Level, group: Option<&GroupName>, text: &str) {
        self.log.line(level, group, text);
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
