//! Replication histories: which data a node holds, as far as its INFO tells.

use super::group::{Group, Which};
use super::instance::{Instance, Role};
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
