//! For tests and tuning: SENTINEL DEBUG and SIMULATE-FAILURE. Nothing of it is saved.

use super::words::Words;
use crate::core::action::{Actions, Level};
use crate::core::engine::Engine;
use crate::core::time::Time;
use crate::resp::Reply;

impl Engine {
    /// All periods, or some of them changed, from left to right until the first mistake.
    pub(super) fn debug(&mut self, words: &Words<'_>) -> Reply {
        if words.len() == 2 {
            let rows = self.shared.params.rows();
            return Reply::Map(rows.map(|(name, ms)| (Reply::bulk(name), Reply::number(ms))).collect());
        }
        // Deadlines that rest on the old periods are thought over.
        self.shared.touched.extend(self.groups.keys());
        for index in (2..words.len()).step_by(2) {
            let name = words.shown(index);
            let period = self.shared.params.named(&name).filter(|_| index + 1 < words.len());
            let Some(period) = period else {
                let text = "ERR Unknown option or number of arguments for SENTINEL DEBUG";
                return Reply::error(format!("{text} '{name}'"));
            };
            let value = words.integer(index + 1).and_then(|value| u64::try_from(value).ok());
            let Some(value) = value.filter(|value| *value > 0) else {
                let value = words.shown(index + 1);
                return Reply::error(format!("ERR Invalid argument '{value}' for SENTINEL DEBUG '{name}'"));
            };
            *period = value;
        }
        Reply::OK
    }

    /// Each call begins with no flag set.
    pub(super) fn simulate_failure(&mut self, words: &Words<'_>, now: Time, out: &mut Actions) -> Reply {
        let (mut cx, _) = self.split(now, out);
        cx.shared.crash_after_election = false;
        cx.shared.crash_after_promotion = false;
        for index in 2..words.len() {
            match words.lower(index).as_slice() {
                b"crash-after-election" => {
                    cx.shared.crash_after_election = true;
                    let when = "being successfully elected as failover leader";
                    cx.log(
                        Level::Warning,
                        None,
                        format!("Failure simulation: this Sentinel will crash after {when}"),
                    );
                }
                b"crash-after-promotion" => {
                    cx.shared.crash_after_promotion = true;
                    let when = "promoting the selected replica to master";
                    cx.log(
                        Level::Warning,
                        None,
                        format!("Failure simulation: this Sentinel will crash after {when}"),
                    );
                }
                b"help" => {
                    let flags = ["crash-after-election", "crash-after-promotion"];
                    return Reply::Array(flags.into_iter().map(Reply::bulk).collect());
                }
                _ => return Reply::err("ERR Unknown failure simulation specified"),
            }
        }
        Reply::OK
    }
}
