//! What happened, as lines of text. Written only when somebody will read it: a run is repeated for its trace.

use std::collections::VecDeque;
use std::fmt::Write as _;

use crate::core::Time;

/// How much of the trace is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing; for speed.
    Nothing,
    /// The newest lines, so many.
    Tail(usize),
    /// All.
    All,
}

/// The trace of one run.
#[derive(Debug)]
pub struct Trace {
    keep: Keep,
    now: Time,
    lines: VecDeque<String>,
}

impl Trace {
    /// An empty trace.
    #[must_use]
    pub const fn new(keep: Keep) -> Self {
        Self { keep, now: Time::ZERO, lines: VecDeque::new() }
    }

    /// The lines kept, each ended by a line feed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    pub(crate) const fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    /// Adds a line; `what` is only asked when the line is kept.
    pub(crate) fn line(&mut self, what: impl FnOnce() -> String) {
        let limit = match self.keep {
            Keep::Nothing => return,
            Keep::Tail(limit) => limit,
            Keep::All => usize::MAX,
        };
        if self.lines.len() >= limit {
            self.lines.pop_front();
        }
        let micros = self.now.as_micros();
        let mut line = String::new();
        let _ = write!(line, "{:>4}.{:06} ", micros / 1_000_000, micros % 1_000_000);
        line.push_str(&what());
        self.lines.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::{Keep, Trace};
    use crate::core::Time;

    #[test]
    fn a_tail_keeps_the_newest_lines_and_nothing_asks_for_none() {
        let mut trace = Trace::new(Keep::Tail(2));
        for n in 0..4 {
            trace.set_now(Time::from_millis(n));
            trace.line(|| format!("line {n}"));
        }
        assert_eq!(trace.text(), "   0.002000 line 2\n   0.003000 line 3\n");
        let mut trace = Trace::new(Keep::Nothing);
        trace.line(|| unreachable!());
        assert_eq!(trace.text(), "");
    }
}
