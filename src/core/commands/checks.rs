//! Commands that wait for the shell to look at files: whether a script can be executed is a fact from outside.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::words::Words;
use super::{BUSY, Outcome, finish};
use crate::core::action::{Action, Actions};
use crate::core::engine::Engine;
use crate::core::ids::{CheckId, ClientId};
use crate::core::time::Time;

/// Most commands that wait.
const MAX_PARKED: usize = 64;

/// The executable ones among the paths that were asked about.
pub(super) type Executables = BTreeMap<String, bool>;

#[derive(Debug)]
struct Parked {
    client: ClientId,
    args: Vec<Bytes>,
    paths: Vec<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    parked: BTreeMap<CheckId, Parked>,
    next: u64,
}

impl Engine {
    /// Lets a SENTINEL SET wait until it is known which of `paths` can be executed.
    pub(super) fn park(
        &mut self,
        client: ClientId,
        words: &Words<'_>,
        paths: Vec<String>,
        out: &mut Actions,
    ) -> Outcome {
        let checks = &mut self.checks;
        if checks.parked.len() >= MAX_PARKED {
            return BUSY.into();
        }
        checks.next += 1;
        let id = CheckId(checks.next);
        checks.parked.insert(id, Parked { client, args: words.0.to_vec(), paths: paths.clone() });
        out.push(Action::CheckExecutable { id, paths });
        Outcome::Later
    }

    /// The answer, one for each path; a missing one is a no.
    pub(crate) fn checked(&mut self, id: CheckId, ok: &[bool], now: Time, out: &mut Actions) {
        let Some(Parked { client, args, paths }) = self.checks.parked.remove(&id) else { return };
        let ok = ok.iter().copied().chain(std::iter::repeat(false));
        let executables: Executables = paths.into_iter().zip(ok).collect();
        let outcome = self.set(client, &Words(&args), Some(&executables), now, out);
        finish(client, outcome, out);
    }
}
