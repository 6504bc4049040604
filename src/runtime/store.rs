//! Saving: one write at a time, each covering all requests made before it begins.

use std::cell::Cell;

use crate::core::ids::SaveNo;

/// Which requests wait and whether a write runs.
#[derive(Debug, Default)]
pub(super) struct Batch {
    wanted: Cell<Option<SaveNo>>,
    writing: Cell<bool>,
}

impl Batch {
    /// Note a request. `true`: the caller must start the writer, none runs.
    pub(super) fn request(&self, save: SaveNo) -> bool {
        self.wanted.set(Some(self.wanted.get().map_or(save, |wanted| wanted.max(save))));
        !self.writing.replace(true)
    }

    /// The writer takes all that waits; with `None` it has ended.
    pub(super) fn take(&self) -> Option<SaveNo> {
        let upto = self.wanted.take();
        if upto.is_none() {
            self.writing.set(false);
        }
        upto
    }

    /// Whether a write runs or waits.
    pub(super) fn busy(&self) -> bool {
        self.writing.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_during_a_write_share_the_next_one() {
        let batch = Batch::default();
        assert!(batch.request(SaveNo(1)));
        assert!(batch.busy());
        assert_eq!(batch.take(), Some(SaveNo(1)));
        assert!(!batch.request(SaveNo(2)), "one writer only");
        assert!(!batch.request(SaveNo(3)));
        assert_eq!(batch.take(), Some(SaveNo(3)));
        assert_eq!(batch.take(), None);
        assert!(!batch.busy());
        assert!(batch.request(SaveNo(4)), "the writer is started anew");
    }
}
