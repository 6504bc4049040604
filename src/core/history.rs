//! Replication histories: which data a node holds, as far as its INFO tells.

use super::group::{Group, Which};
use super::instance::{Displaced, Instance, Role};
use super::shared::Cx;
use super::time::Time;

/// A replication id, Redis's `master_replid`.
pub(crate) type ReplId = [u8; 20];

/// What INFO says of a node's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) id: ReplId,
    /// The history that this one goes on from.
    pub(crate) previous: Option<ReplId>,
    /// How far it is.
    pub(crate) offset: u64,
    /// Keys in all databases.
    pub(crate) keys: u64,
    /// The process reads its data back when it starts: it has an append-only file, or has loaded a snapshot.
    pub(crate) persistent: bool,
}

impl History {
    /// Whether this primary goes on from what a replica holds.
    fn continues(&self, replica: &Self) -> bool {
        self.id == replica.id || self.previous == Some(replica.id)
    }

    /// Whether a primary that is another process than before lost what this replica holds. An append-only file doesn't
    /// keep the history, but as many keys.
    fn lacks(&self, replica: &Self) -> bool {
        let read_back = self.persistent && self.keys >= replica.keys;
        !self.continues(replica) && self.offset < replica.offset && !read_back
    }
}

impl Displaced {
    /// Whether its address is, by what it holds, still the primary that it was when `heir` took its place, or one that was
    /// started anew and has followed nobody since. A replica that is made a primary begins a history of its own and
    /// names the one that it goes on from, which tells before and after without a clock:
    /// - the heir goes on from the very history that is still written here: it rose later;
    /// - a history that goes on from none: this process never followed anybody, so nobody made it a primary;
    /// - another process than before that goes on from what it had itself written: it read its own data back.
    pub(crate) fn only_goes_on(&self, run_id: &str, now: &History, heir: &History) -> bool {
        let still_written = heir.previous == Some(now.id);
        let of_nobody = now.id != heir.id && now.previous.is_none();
        let another_process = !self.run_id.is_empty() && self.run_id != run_id;
        let own_data = another_process && now.previous.is_some() && now.previous == self.history;
        still_written || of_nobody || own_data
    }
}

/// Forty hexadecimal digits that are not all zero, which stands for none.
pub(crate) fn repl_id(text: &str) -> Option<ReplId> {
    let mut id = ReplId::default();
    if text.len() != 2 * id.len() {
        return None;
    }
    for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit =
            |at: usize| char::from(digits[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(id).filter(|id| *id != ReplId::default())
}

impl Group {
    /// The primary's process is another one than before, and holds less than a replica that could take its place.
    pub(crate) fn primary_lost_data(&self) -> bool {
        let Some(data) = self.primary.data().filter(|data| data.reborn && data.role == Role::Primary) else {
            return false;
        };
        let Some(history) = data.history else { return false };
        let promotable = |replica: &&Instance| {
            !replica.is_down()
                && replica.data().is_some_and(|data| data.role == Role::Replica && data.priority != 0)
        };
        let mut held =
            self.replicas.values().filter(promotable).filter_map(|replica| replica.data()?.history);
        held.any(|held| history.lacks(&held))
    }

    /// Some replica that can be asked has not told about itself since.
    pub(crate) fn info_is_awaited(&self, since: Time, cx: &Cx<'_>) -> bool {
        self.replicas.values().any(|replica| {
            let connected = cx.shared.links.get(replica.link).is_some_and(|link| link.command.is_some());
            connected && !replica.is_down() && replica.data().is_some_and(|data| data.info_at < Some(since))
        })
    }

    /// The primary answers PONG: its reboot is over, unless it has lost its data.
    pub(crate) fn reboot_answered(&mut self, cx: &mut Cx<'_>) {
        let Some((rebooted_at, asked)) =
            self.primary.data().and_then(|data| Some((data.rebooted_at?, data.info_pending > 0)))
        else {
            return;
        };
        // What the replicas hold is known by what they say now, not by what they said ten seconds ago.
        let early = cx.now < rebooted_at + self.options.reboot_down_after / 2;
        if early && self.info_is_awaited(rebooted_at, cx) {
            return;
        }
        if !self.primary_lost_data() {
            if let Some(data) = self.primary.data_mut() {
                data.rebooted_at = None;
            }
        } else if !asked {
            // Whether its data are back shows there.
            self.ask_info(&Which::Primary, cx);
        }
    }

    /// A replica that can't help: it reads its data just now, or took over a primary's that had lost them.
    pub(crate) fn is_emptied(&self, replica: &Instance, primary_lost_data: bool) -> bool {
        let Some(data) = replica.data() else { return false };
        let id =
            |instance: &Instance| instance.data().and_then(|data| data.history).map(|history| history.id);
        data.loading || (primary_lost_data && id(replica).is_some() && id(replica) == id(&self.primary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(id: u8, offset: u64, keys: u64) -> History {
        History { id: [id; 20], previous: None, offset, keys, persistent: false }
    }

    #[test]
    fn ids_are_forty_digits() {
        assert_eq!(repl_id(&"0a".repeat(20)), Some([10; 20]));
        assert_eq!(repl_id(&"0A".repeat(20)), Some([10; 20]));
        for none in ["0".repeat(40), "1".repeat(39), "1".repeat(41), "x".repeat(40), "\u{e9}".repeat(20)] {
            assert_eq!(repl_id(&none), None, "{none}");
        }
    }

    #[test]
    fn less_of_another_history_is_a_loss() {
        let replica = history(1, 100, 5);
        assert!(history(2, 0, 0).lacks(&replica));
        assert!(!history(2, 100, 0).lacks(&replica), "not less");
        assert!(!history(1, 0, 0).lacks(&replica), "the same history");
        assert!(
            !History { previous: Some([1; 20]), ..history(2, 50, 0) }.lacks(&replica),
            "it goes on from it"
        );
    }

    #[test]
    fn only_what_nobody_made_a_primary_since_goes_on() {
        let displaced = Displaced {
            at: Time::from_millis(1),
            run_id: "a".to_owned(),
            history: Some([1; 20]),
            risen_at: None,
            told_at: None,
        };
        let from = |id: u8, previous: u8| History { previous: Some([previous; 20]), ..history(id, 0, 0) };
        let heir = from(2, 1);
        assert!(displaced.only_goes_on("a", &history(1, 9, 9), &heir), "woken");
        assert!(displaced.only_goes_on("a", &from(1, 8), &heir), "woken; it had risen before");
        assert!(displaced.only_goes_on("b", &history(3, 0, 0), &heir), "started anew without data");
        assert!(displaced.only_goes_on("b", &from(3, 1), &heir), "started anew with its data");
        assert!(
            !displaced.only_goes_on("a", &from(3, 1), &heir),
            "the same process followed what had its data"
        );
        assert!(!displaced.only_goes_on("b", &from(3, 2), &heir), "it followed the heir");
        assert!(!displaced.only_goes_on("b", &from(3, 8), &heir), "it followed a stranger");
        assert!(!displaced.only_goes_on("a", &history(2, 0, 0), &heir), "it follows the heir");
        let later = History { previous: None, ..heir };
        assert!(!displaced.only_goes_on("a", &from(1, 8), &later), "who rose first is not known");
        let met_late = Displaced { history: None, ..displaced };
        assert!(!met_late.only_goes_on("b", &from(3, 1), &heir), "what it wrote is not known");
    }

    #[test]
    fn data_read_back_from_a_file_are_no_loss() {
        let replica = history(1, 100, 5);
        let back = History { persistent: true, ..history(2, 0, 5) };
        assert!(!back.lacks(&replica));
        assert!(History { keys: 4, ..back }.lacks(&replica));
        assert!(
            History { persistent: false, ..back }.lacks(&replica),
            "nothing was read: somebody wrote again"
        );
    }
}
