//! One command, as far as dispatch, access rules and `COMMAND INFO` need to know it.

use super::{Categories, Flags};
use crate::config::Identity;

/// A command or a subcommand.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// Position among all rows: its bit in sets of commands.
    pub id: u8,
    /// Own name in lower case: `master`.
    pub name: &'static str,
    /// Name with the container's: `sentinel|master`.
    pub full_name: &'static str,
    /// Words that a request must have, the names included; negative: at least so many.
    pub arity: i8,
    /// Words beyond a fixed arity that are taken as well: later versions know them, and COMMAND INFO doesn't show them.
    pub optional: u8,
    /// Flags.
    pub flags: Flags,
    /// Categories of access rules.
    pub categories: Categories,
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// The subcommands of a container.
    pub subcommands: &'static [Self],
    /// Who lists it.
    pub listing: Listing,
    /// Full name of the command under whose right it stands where it is not listed; empty: under nobody's.
    pub stand_in: &'static str,
}

impl CommandSpec {
    /// A row without flags, tips and subcommands that everybody lists.
    pub(super) const fn new(
        full_name: &'static str,
        arity: i8,
        flags: Flags,
        categories: Categories,
    ) -> Self {
        Self {
            id: 0,
            name: after_bar(full_name),
            full_name,
            arity,
            optional: 0,
            flags,
            categories,
            tips: &[],
            subcommands: &[],
            listing: Listing::Everybody,
            stand_in: "",
        }
    }

    pub(super) const fn optional(mut self, words: u8) -> Self {
        self.optional = words;
        self
    }

    pub(super) const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    pub(super) const fn subcommands(mut self, subcommands: &'static [Self]) -> Self {
        self.subcommands = subcommands;
        self
    }

    pub(super) const fn listed_by(mut self, listing: Listing, stand_in: &'static str) -> Self {
        self.listing = listing;
        self.stand_in = stand_in;
        self
    }

    /// The subcommand of a name, in any case. Does not allocate.
    #[must_use]
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Self> {
        self.subcommands.iter().find(|spec| spec.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The subcommands that an identity lists.
    pub fn listed_subcommands(&self, identity: Identity) -> impl Iterator<Item = &'static Self> {
        self.subcommands.iter().filter(move |spec| spec.listing.by(identity))
    }

    /// The command under whose right this one stands in access rules: itself where the identity lists it, else its
    /// stand-in.
    #[must_use]
    pub fn right(&'static self, identity: Identity) -> &'static Self {
        if self.listing.by(identity) {
            self
        } else {
            super::lookup_full(self.stand_in.as_bytes()).unwrap_or(self)
        }
    }

    /// `ERR wrong number of arguments for 'sentinel|master' command`.
    #[must_use]
    pub fn arity_text(&self) -> String {
        format!("ERR wrong number of arguments for '{}' command", self.full_name)
    }

    /// Whether a request of so many words, the names included, is well formed.
    #[must_use]
    pub fn accepts(&self, words: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        let most = wanted + usize::from(self.optional);
        words >= wanted && (self.arity < 0 || words <= most)
    }
}

/// Rows are the same if their ids are.
impl PartialEq for CommandSpec {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for CommandSpec {}

/// Which identities list a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// All.
    Everybody,
    /// Those of a product newer than Redis 7.0.
    Later,
    /// Valkey alone.
    Valkey,
    /// None.
    Nobody,
}

impl Listing {
    /// Whether this identity is among them.
    #[must_use]
    pub const fn by(self, identity: Identity) -> bool {
        match (self, identity) {
            (Self::Everybody, _)
            | (Self::Later, Identity::Redis80 | Identity::Valkey80)
            | (Self::Valkey, Identity::Valkey80) => true,
            (Self::Later, Identity::Redis70)
            | (Self::Valkey, Identity::Redis70 | Identity::Redis80)
            | (Self::Nobody, _) => false,
        }
    }
}

/// The part of a full name after its bar, or all of it.
const fn after_bar(full_name: &'static str) -> &'static str {
    let bytes = full_name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'|' {
            return full_name.split_at(at + 1).1;
        }
        at += 1;
    }
    full_name
}
