//! What a group's Lease holds about a failover: the one under way, so that anybody can go on with it, and the last ones.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::Error;
use super::fields::{Fields, Rest, text};
use super::group::Instance;
use crate::core::ids::{ClaimId, RunId};

/// Most candidates that one failover may have recorded.
pub const MOST_TRIED: usize = 64;
/// Most members whose opinions are recorded.
const MOST_MEMBERS: usize = 64;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// The word for it in a Lease.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What a word in a Lease stands for.
            #[must_use]
            pub fn known(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words!(
    /// What a claim is for.
    Kind {
        /// The primary is held down, or an operator's word replaces the opinions.
        Failover = "failover",
        /// Roles are put right; the primary and the epoch stay.
        Repair = "repair",
        /// The Lease was missing: the primary is to be found out.
        Missing = "missing",
    }
);
words!(
    /// How far a claim has come: what is recorded was done before it was recorded.
    Step {
        /// Nothing but the claim.
        Claimed = "claimed",
        /// The candidate is recorded, and may have been promoted.
        Chosen = "chosen",
        /// The new primary is official.
        Committed = "committed",
    }
);
words!(
    /// What keeps the old primary from acknowledging writes.
    Fence {
        /// Its process is known to be gone.
        Dead = "dead",
        /// Its own host refuses connections, and every replica lost it.
        Refused = "refused",
        /// It answered that it takes no more writes.
        Acknowledged = "acknowledged",
        /// Too few replicas are left to it.
        Starved = "starved",
        /// Nothing.
        None = "none",
    }
);
words!(
    /// How a failover ended.
    Outcome {
        /// The candidate is primary.
        Done = "done",
        /// The old primary is still primary.
        Undone = "undone",
    }
);

/// A claim's work, while it is under way or after it was left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failover {
    /// The claim that wrote this.
    pub claim: ClaimId,
    /// What for.
    pub kind: Kind,
    /// The epoch to be committed; for a repair the committed one.
    pub epoch: u64,
    /// Why, for people.
    pub why: String,
    /// The primary that is replaced.
    pub from: Option<Instance>,
    /// Who is to be primary.
    pub candidate: Option<Instance>,
    /// Every candidate recorded so far, by whichever claim: each may have been promoted, or may yet be.
    pub tried: Vec<Instance>,
    /// How far it has come.
    pub step: Step,
    /// The members whose opinions were counted.
    pub opinions: Vec<RunId>,
    /// What keeps the old primary from acknowledging writes.
    pub fence: Fence,
    /// Milliseconds from the claim to each step.
    pub times: BTreeMap<String, u64>,
    /// Keys of a later version.
    pub rest: Rest,
}

/// A failover that ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Past {
    /// Its epoch.
    pub epoch: u64,
    /// Why, for people.
    pub why: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The Pod that was primary, if there was one.
    pub from: String,
    /// The Pod that is.
    pub to: String,
    /// Milliseconds from the claim to each step.
    pub times: BTreeMap<String, u64>,
    /// Keys of a later version.
    pub rest: Rest,
}

fn parse_times(fields: &mut Fields) -> Result<BTreeMap<String, u64>, Error> {
    const MOST_TIMES: usize = 32;
    let Some((place, value)) = fields.maybe("ms") else { return Ok(BTreeMap::new()) };
    let map = Fields::of(&place, value)?.rest();
    if map.len() > MOST_TIMES {
        return Err(Error::new(place, &map.len().to_string(), "are too many"));
    }
    let number = |(key, value): (String, Value)| match value.as_u64() {
        Some(ms) => Ok((key, ms)),
        None => Err(Error::new(format!("{place}: {key}"), &value.to_string(), "is no whole number from 0")),
    };
    map.into_iter().map(number).collect()
}

/// How often it was put off: nobody could do anything.
const RESTED: &str = "rested";

impl Failover {
    pub(crate) fn rested(&self) -> u64 {
        self.rest.get(RESTED).and_then(Value::as_u64).unwrap_or(0)
    }

    pub(super) fn put_off(&mut self) {
        self.rest.insert(RESTED.to_owned(), json!(self.rested().saturating_add(1)));
    }

    pub(super) fn take_up(&mut self) {
        self.rest.remove(RESTED);
    }

    pub(super) fn parse(mut fields: Fields) -> Result<Self, Error> {
        let instance =
            |at: Option<(String, Value)>| at.map(|(place, value)| Instance::parse(&place, value)).transpose();
        let tried = fields.list("tried", MOST_TRIED)?;
        Ok(Self {
            claim: ClaimId::from(fields.text("claim")?),
            kind: fields.word("kind", Kind::known)?,
            epoch: fields.number("epoch")?,
            why: fields.text("why")?,
            from: instance(fields.maybe("from"))?,
            candidate: instance(fields.maybe("candidate"))?,
            tried: tried
                .into_iter()
                .map(|(place, value)| Instance::parse(&place, value))
                .collect::<Result<_, _>>()?,
            step: fields.word("step", Step::known)?,
            opinions: fields.texts("opinions", MOST_MEMBERS)?,
            fence: fields.word("fence", Fence::known)?,
            times: parse_times(&mut fields)?,
            rest: fields.rest(),
        })
    }

    pub(super) fn print(&self) -> Value {
        let mut map = self.rest.clone();
        let mut put = |key: &str, value| map.insert(key.to_owned(), value);
        put("claim", json!(self.claim.as_str()));
        put("kind", json!(self.kind.word()));
        put("epoch", json!(self.epoch));
        put("why", json!(self.why));
        if let Some(from) = &self.from {
            put("from", from.print());
        }
        if let Some(candidate) = &self.candidate {
            put("candidate", candidate.print());
        }
        put("tried", self.tried.iter().map(Instance::print).collect());
        put("step", json!(self.step.word()));
        put("opinions", self.opinions.iter().map(RunId::as_str).collect());
        put("fence", json!(self.fence.word()));
        put("ms", json!(self.times));
        Value::Object(map)
    }
}

impl Past {
    pub(super) fn parse(mut fields: Fields) -> Result<Self, Error> {
        Ok(Self {
            epoch: fields.number("epoch")?,
            why: fields.text("why")?,
            outcome: fields.word("outcome", Outcome::known)?,
            from: fields
                .maybe("from")
                .map(|(place, value)| text(&place, value))
                .transpose()?
                .unwrap_or_default(),
            to: fields.text("to")?,
            times: parse_times(&mut fields)?,
            rest: fields.rest(),
        })
    }

    pub(super) fn print(&self) -> Value {
        let mut map = self.rest.clone();
        let mut put = |key: &str, value| map.insert(key.to_owned(), value);
        put("epoch", json!(self.epoch));
        put("why", json!(self.why));
        put("outcome", json!(self.outcome.word()));
        put("from", json!(self.from));
        put("to", json!(self.to));
        put("ms", json!(self.times));
        Value::Object(map)
    }
}
