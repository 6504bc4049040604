//! The commands that exist in Sentinel's mode: names, arity, flags, categories, and how a request finds its command.
//!
//! All rows are known at compile time (`table/rows.rs`). A [`Table`] is what one daemon makes of them: which names lead where
//! after `rename-command`, and which commands its identity lists. Commands that an identity does not list are served all
//! the same; in access rules they stand under the right of a listed one, so that a rule list never names a command
//! that the product shown does not know.

mod category;
mod flags;
mod rows;
mod spec;

use bytes::Bytes;

pub use category::{Categories, Category};
pub use flags::Flags;
pub use spec::{CommandSpec, Listing};

use crate::config::Identity;

/// Number of rows, subcommands included.
pub const COUNT: usize = rows::COUNT;

/// A top-level command by its own name, in any case. Knows QUIT, which no identity lists.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<&'static CommandSpec> {
    rows::TOP.iter().find(|spec| spec.name.as_bytes().eq_ignore_ascii_case(name))
}

/// A command by its full name (`ping`, `sentinel|master`), in any case.
#[must_use]
pub fn lookup_full(name: &[u8]) -> Option<&'static CommandSpec> {
    match name.iter().position(|byte| *byte == b'|') {
        None => lookup(name),
        Some(bar) => lookup(&name[..bar])?.subcommand(&name[bar + 1..]),
    }
}

/// All rows, each container before its subcommands.
pub fn all() -> impl Iterator<Item = &'static CommandSpec> {
    rows::TOP.iter().flat_map(|spec| std::iter::once(spec).chain(spec.subcommands))
}

/// Why a request has no command to run.
#[derive(Clone, Copy, Debug)]
pub enum LookupError {
    /// No command has that name.
    UnknownCommand,
    /// The container has no such subcommand.
    UnknownSubcommand,
    /// The command exists and wants another number of words.
    Arity(&'static CommandSpec),
}

/// The names under which one daemon serves the commands, and what it lists.
#[derive(Clone, Debug)]
pub struct Table {
    identity: Identity,
    names: Vec<(Box<str>, &'static CommandSpec)>,
}

impl Table {
    /// The table of an identity, without renamed commands.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { identity, names: rows::TOP.iter().map(|spec| (spec.name.into(), spec)).collect() }
    }

    /// Applies one `rename-command OLD NEW`; an empty `new` takes the command away. Replies and access rules go on
    /// using the old name.
    ///
    /// # Errors
    /// Sentinel's own text, when `old` is no command here or `new` is one already.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), &'static str> {
        let Some(at) = self.names.iter().position(|(name, _)| name.eq_ignore_ascii_case(old)) else {
            return Err("No such command in rename-command");
        };
        let (_, spec) = self.names.remove(at);
        if new.is_empty() {
            return Ok(());
        }
        if self.names.iter().any(|(name, _)| name.eq_ignore_ascii_case(new)) {
            return Err("Target command name already exists");
        }
        self.names.push((new.into(), spec));
        Ok(())
    }

    /// What the daemon calls itself.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// A top-level command by the name it is served under, in any case. Does not allocate.
    #[must_use]
    pub fn lookup(&self, name: &[u8]) -> Option<&'static CommandSpec> {
        self.names
            .iter()
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
            .map(|(_, spec)| *spec)
    }

    /// A command by its full name (`ping`, `sentinel|master`), in any case.
    #[must_use]
    pub fn lookup_full(&self, name: &[u8]) -> Option<&'static CommandSpec> {
        match name.iter().position(|byte| *byte == b'|') {
            None => self.lookup(name),
            Some(bar) => self.lookup(&name[..bar])?.subcommand(&name[bar + 1..]),
        }
    }

    /// The command of a request, the subcommand where it is one, without regard to the number of words.
    ///
    /// # Errors
    /// [`LookupError::UnknownCommand`] or [`LookupError::UnknownSubcommand`].
    pub fn resolve(&self, args: &[Bytes]) -> Result<&'static CommandSpec, LookupError> {
        let spec = args.first().and_then(|name| self.lookup(name)).ok_or(LookupError::UnknownCommand)?;
        match args.get(1) {
            Some(word) if !spec.subcommands.is_empty() => {
                spec.subcommand(word).ok_or(LookupError::UnknownSubcommand)
            }
            Some(_) | None => Ok(spec),
        }
    }

    /// The command of a request, checked for its number of words.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub fn find(&self, args: &[Bytes]) -> Result<&'static CommandSpec, LookupError> {
        let spec = self.resolve(args)?;
        if spec.accepts(args.len()) { Ok(spec) } else { Err(LookupError::Arity(spec)) }
    }

    /// The top-level commands that are served and listed, in the order of the rows.
    pub fn listed(&self) -> impl Iterator<Item = &'static CommandSpec> {
        rows::TOP.iter().filter(|spec| spec.listing.by(self.identity) && self.serves(spec))
    }

    /// As [`Table::listed`], each container followed by its listed subcommands.
    pub fn listed_flat(&self) -> impl Iterator<Item = &'static CommandSpec> {
        self.listed().flat_map(|spec| std::iter::once(spec).chain(spec.listed_subcommands(self.identity)))
    }

    fn serves(&self, spec: &CommandSpec) -> bool {
        self.names.iter().any(|(_, served)| served.id == spec.id)
    }
}

#[cfg(test)]
mod tests;
