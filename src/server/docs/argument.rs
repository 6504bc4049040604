//! One argument of a command, as COMMAND DOCS describes it.

use crate::resp::Reply;

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Pattern,
    /// The word alone.
    Token,
    /// One of several.
    OneOf,
    /// Several together.
    Block,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Pattern => "pattern",
            Self::Token => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Argument {
    name: &'static str,
    kind: Kind,
    token: &'static str,
    since: &'static str,
    deprecated_since: &'static str,
    optional: bool,
    multiple: bool,
    multiple_token: bool,
    parts: &'static [Self],
}

impl Argument {
    pub(super) const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            token: "",
            since: "",
            deprecated_since: "",
            optional: false,
            multiple: false,
            multiple_token: false,
            parts: &[],
        }
    }

    /// The word that stands before the argument.
    pub(super) const fn token(mut self, token: &'static str) -> Self {
        self.token = token;
        self
    }

    pub(super) const fn since(mut self, version: &'static str) -> Self {
        self.since = version;
        self
    }

    pub(super) const fn deprecated_since(mut self, version: &'static str) -> Self {
        self.deprecated_since = version;
        self
    }

    pub(super) const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// May be repeated.
    pub(super) const fn multiple(mut self) -> Self {
        self.multiple = true;
        self
    }

    /// The word before it is repeated, too.
    pub(super) const fn multiple_token(mut self) -> Self {
        self.multiple_token = true;
        self
    }

    pub(super) fn reply(&self) -> Reply {
        let mut fields = vec![
            (Reply::bulk("name"), Reply::bulk(self.name)),
            (Reply::bulk("type"), Reply::bulk(self.kind.name())),
        ];
        for (key, value) in
            [("token", self.token), ("since", self.since), ("deprecated_since", self.deprecated_since)]
        {
            if !value.is_empty() {
                fields.push((Reply::bulk(key), Reply::bulk(value)));
            }
        }
        let flags: Vec<Reply> = [
            ("optional", self.optional),
            ("multiple", self.multiple),
            ("multiple_token", self.multiple_token),
        ]
        .into_iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| Reply::Simple(name.into()))
        .collect();
        if !flags.is_empty() {
            fields.push((Reply::bulk("flags"), Reply::Set(flags)));
        }
        if !self.parts.is_empty() {
            let parts = self.parts.iter().map(Self::reply).collect();
            fields.push((Reply::bulk("arguments"), Reply::Array(parts)));
        }
        Reply::Map(fields)
    }
}

pub(super) const fn text(name: &'static str) -> Argument {
    Argument::new(name, Kind::Text)
}

pub(super) const fn integer(name: &'static str) -> Argument {
    Argument::new(name, Kind::Integer)
}

pub(super) const fn pattern(name: &'static str) -> Argument {
    Argument::new(name, Kind::Pattern)
}

/// A word that stands alone.
pub(super) const fn word(name: &'static str, token: &'static str) -> Argument {
    Argument::new(name, Kind::Token).token(token)
}

pub(super) const fn one_of(name: &'static str, parts: &'static [Argument]) -> Argument {
    let mut argument = Argument::new(name, Kind::OneOf);
    argument.parts = parts;
    argument
}

pub(super) const fn block(name: &'static str, parts: &'static [Argument]) -> Argument {
    let mut argument = Argument::new(name, Kind::Block);
    argument.parts = parts;
    argument
}
