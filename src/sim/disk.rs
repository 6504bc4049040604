//! A daemon's disk: a write takes the state as it is when it begins, and is lost with the process before it ends.

use std::collections::VecDeque;
use std::time::Duration;

use super::rng::Rng;
use crate::core::Settings;
use crate::core::ids::SaveNo;

/// How many earlier files there are copies of.
const KEPT: usize = 30;

/// What lies on a daemon's disk, and the write under way.
#[derive(Debug)]
pub(crate) struct Disk {
    saved: Settings,
    /// What was there before, the newest last.
    earlier: VecDeque<Settings>,
    writing: Option<(Settings, SaveNo)>,
    asked: Option<SaveNo>,
    /// Bounds of a write in milliseconds.
    bounds: (u64, u64),
    pub(crate) slow: Option<Duration>,
    /// How many reasons there are for writes to fail.
    pub(crate) broken: u32,
    /// The last write was refused: what is known since is known in memory alone.
    refused: bool,
    /// Says that it wrote and doesn't.
    lies: bool,
}

impl Disk {
    pub(crate) const fn new(saved: Settings, bounds: (u64, u64), lies: bool) -> Self {
        let earlier = VecDeque::new();
        Self {
            saved,
            earlier,
            writing: None,
            asked: None,
            bounds,
            slow: None,
            broken: 0,
            refused: false,
            lies,
        }
    }

    /// What a restart would find.
    pub(crate) const fn saved(&self) -> &Settings {
        &self.saved
    }

    /// Whether the last write was refused.
    pub(crate) const fn refused(&self) -> bool {
        self.refused
    }

    /// The state is to be saved.
    pub(crate) fn ask(&mut self, save: SaveNo) {
        self.asked = self.asked.max(Some(save));
    }

    /// A write could begin.
    pub(crate) const fn wants_to_write(&self) -> bool {
        self.asked.is_some() && self.writing.is_none()
    }

    /// A write is under way.
    pub(crate) const fn is_busy(&self) -> bool {
        self.writing.is_some()
    }

    /// A write of `state` begins; how long it takes.
    pub(crate) fn begin(&mut self, state: Settings, rng: &mut Rng) -> Option<Duration> {
        let upto = self.asked.take()?;
        self.writing = Some((state, upto));
        Some(self.slow.unwrap_or_else(|| rng.millis(self.bounds.0, self.bounds.1)))
    }

    /// The write is over: up to which request, and whether it worked.
    pub(crate) fn end(&mut self) -> Option<(SaveNo, bool)> {
        let (state, upto) = self.writing.take()?;
        self.refused = self.broken > 0;
        if self.refused {
            return Some((upto, false));
        }
        if !self.lies {
            self.keep(state);
        }
        Some((upto, true))
    }

    /// The process is gone. A write under way may have come through.
    pub(crate) fn cut_off(&mut self, rng: &mut Rng) {
        self.asked = None;
        self.refused = false;
        if let Some((state, _)) = self.writing.take()
            && rng.chance(500)
            && self.broken == 0
            && !self.lies
        {
            self.keep(state);
        }
    }

    /// The file is another than the last one: an earlier one if `old`, else `first`. False if there is no earlier one.
    pub(crate) fn forget(&mut self, old: bool, first: Settings, rng: &mut Rng) -> bool {
        let earlier =
            if old { self.earlier.get(rng.index(self.earlier.len())).cloned() } else { Some(first) };
        let Some(earlier) = earlier else { return false };
        self.keep(earlier);
        true
    }

    fn keep(&mut self, state: Settings) {
        if self.earlier.len() >= KEPT {
            self.earlier.pop_front();
        }
        self.earlier.push_back(std::mem::replace(&mut self.saved, state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(epoch: u64) -> Settings {
        Settings { current_epoch: epoch, ..Settings::default() }
    }

    #[test]
    fn one_write_answers_all_requests_before_it() {
        let mut rng = Rng::new(1, 1);
        let mut disk = Disk::new(state(0), (1, 1), false);
        disk.ask(SaveNo(1));
        disk.ask(SaveNo(2));
        assert_eq!(disk.begin(state(5), &mut rng), Some(Duration::from_millis(1)));
        disk.ask(SaveNo(3));
        assert!(!disk.wants_to_write());
        assert_eq!(disk.saved().current_epoch, 0);
        assert_eq!(disk.end(), Some((SaveNo(2), true)));
        assert_eq!(disk.saved().current_epoch, 5);
        assert!(disk.wants_to_write());
    }

    #[test]
    fn a_broken_disk_and_a_liar_keep_the_old_state() {
        let mut rng = Rng::new(1, 1);
        let mut disk = Disk::new(state(0), (0, 1), false);
        disk.broken = 1;
        disk.ask(SaveNo(1));
        disk.begin(state(5), &mut rng);
        assert_eq!(disk.end(), Some((SaveNo(1), false)));
        let mut liar = Disk::new(state(0), (0, 1), true);
        liar.ask(SaveNo(1));
        liar.begin(state(5), &mut rng);
        assert_eq!(liar.end(), Some((SaveNo(1), true)));
        assert_eq!((disk.saved().current_epoch, liar.saved().current_epoch), (0, 0));
    }
}
