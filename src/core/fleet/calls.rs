//! Calls of the API server that have no answer yet.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::action::{Action, Actions};
use crate::core::claim::Room;
use crate::core::cluster::{Call, Event};
use crate::core::group::GroupId;
use crate::core::ids::{CallNo, ClientId};

/// Longest that any call may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);

/// Most Events on their way: in a mass failover people get fewer, and claims go first.
const MOST_EVENTS: usize = 20;

/// Claims' calls on their way with which no claim begins that can wait, and with which none begins at all. Each claim makes one
/// after the other, about five; at the pace at which writes are made, the last of so many goes out well before its claim is over.
const CROWD: usize = 32;
const FULL: usize = 64;

/// What a claim asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    ReadLease,
    WriteLease,
    ReadService,
    PatchService,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The own Lease.
    Member,
    /// A group's claim, under its own number for the call.
    Claim(GroupId, CallNo, Sort),
    /// A client's SENTINEL SET.
    Client(ClientId),
    /// Nobody.
    Nobody,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    last: u64,
    waiting: BTreeMap<CallNo, Asker>,
    /// Of those, claims'.
    claims: usize,
}

impl Calls {
    /// Makes a call.
    pub(crate) fn call(&mut self, asker: Asker, request: Call, limit: Duration, out: &mut Actions) {
        self.last += 1;
        let call = CallNo(self.last);
        self.claims += usize::from(matches!(asker, Asker::Claim(..)));
        self.waiting.insert(call, asker);
        out.push(Action::Api { call, request, limit });
    }

    /// An answer came: whose it is.
    pub(crate) fn answered(&mut self, call: CallNo) -> Option<Asker> {
        let asker = self.waiting.remove(&call);
        self.claims -= usize::from(matches!(asker, Some(Asker::Claim(..))));
        asker
    }

    /// How many calls of claims that need so much room may be made yet.
    pub(crate) const fn places(&self, needed: Room) -> usize {
        let most = match needed {
            Room::Any => CROWD,
            Room::None | Room::Urgent => FULL,
        };
        most.saturating_sub(self.claims)
    }

    /// Which claims may begin.
    pub(crate) fn room(&self) -> Room {
        let has_places = |room: &Room| self.places(*room) > 0;
        [Room::Any, Room::Urgent].into_iter().find(has_places).unwrap_or(Room::None)
    }

    /// Writes an Event, unless many are on their way.
    pub(crate) fn write_event(&mut self, event: Event, out: &mut Actions) {
        let waiting = self.waiting.values().filter(|asker| **asker == Asker::Nobody).count();
        if waiting < MOST_EVENTS {
            self.call(Asker::Nobody, Call::Event(event), LIMIT, out);
        }
    }
}
