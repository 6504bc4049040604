//! What waits for the disk.

use std::collections::VecDeque;

use super::ids::SaveNo;

/// Numbers of the saves, and what waits for them: `W`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Saves<W> {
    next: u64,
    /// Epoch at the time of each request that is under way.
    under_way: VecDeque<(SaveNo, u64)>,
    deferred: VecDeque<(SaveNo, W)>,
    /// The newest request that holds a vote or an epoch, until it is answered.
    pub(crate) vote: Option<SaveNo>,
    /// The last vote or epoch did not reach the disk, and nothing has since.
    pub(crate) vote_failed: bool,
}

impl<W> Default for Saves<W> {
    fn default() -> Self {
        Self {
            next: 0,
            under_way: VecDeque::new(),
            deferred: VecDeque::new(),
            vote: None,
            vote_failed: false,
        }
    }
}

impl<W> Saves<W> {
    /// Numbers a request for a save of the whole state, whose epoch is `current_epoch` now.
    pub fn ask(&mut self, current_epoch: u64) -> SaveNo {
        self.next += 1;
        let save = SaveNo(self.next);
        self.under_way.push_back((save, current_epoch));
        save
    }

    /// Likewise for a save that holds a vote or an epoch: answers that show either wait for it.
    pub fn ask_for_vote(&mut self, current_epoch: u64) -> SaveNo {
        let save = self.ask(current_epoch);
        self.vote = Some(save);
        save
    }

    /// Keeps something until that request is answered.
    pub fn after(&mut self, save: SaveNo, what: W) {
        self.deferred.push_back((save, what));
    }

    /// Whether that request is still unanswered.
    #[must_use]
    pub fn is_waiting(&self, save: SaveNo) -> bool {
        self.under_way.iter().any(|(waiting, _)| *waiting == save)
    }

    /// Takes what waited for the saves up to `upto`; the highest epoch that they were asked at.
    pub fn answered(&mut self, upto: SaveNo, ok: bool) -> (Vec<W>, Option<u64>) {
        let mut epoch = None;
        while let Some(&(save, at)) = self.under_way.front()
            && save <= upto
        {
            epoch = Some(at);
            self.under_way.pop_front();
        }
        if self.vote.is_some_and(|vote| vote <= upto) {
            self.vote = None;
            self.vote_failed = !ok;
        }
        self.vote_failed &= !ok;
        let mut done = Vec::new();
        let mut rest = VecDeque::new();
        for (save, what) in self.deferred.drain(..) {
            if save <= upto { done.push(what) } else { rest.push_back((save, what)) }
        }
        self.deferred = rest;
        (done, epoch.filter(|_| ok))
    }
}

/// What the model checker needs to know beside.
#[cfg(feature = "sim")]
impl<W> Saves<W> {
    /// All that is kept, in the order in which it came.
    pub fn waiting(&self) -> impl Iterator<Item = &W> {
        self.deferred.iter().map(|(_, what)| what)
    }

    /// Likewise, to be renamed.
    pub fn waiting_mut(&mut self) -> impl Iterator<Item = &mut W> {
        self.deferred.iter_mut().map(|(_, what)| what)
    }
}
