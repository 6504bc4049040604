//! The command COMMAND: the table and its documentation, as clients ask for them.

mod argument;
mod connection;
mod entry;
mod help;
mod pubsub;
mod sentinel;
mod server;

use bytes::Bytes;

use self::entry::Entry;
use super::table::{Category, CommandSpec, Listing, Table};
use crate::core::glob;
use crate::resp::Reply;

const SYNTAX: &str = "ERR syntax error";

/// Answers a COMMAND request whose subcommand and number of words have been found right.
#[must_use]
pub fn command(table: &Table, args: &[Bytes]) -> Reply {
    let Some((name, rest)) = args.get(1..).and_then(<[Bytes]>::split_first) else { return all(table) };
    match name.to_ascii_lowercase().as_slice() {
        b"count" => Reply::Int(i64::try_from(table.listed().count()).unwrap_or(i64::MAX)),
        b"info" if rest.is_empty() => all(table),
        b"info" => Reply::Array(rest.iter().map(|name| named(table, name)).collect()),
        b"docs" => docs(table, rest),
        b"list" => list(table, rest),
        b"getkeys" | b"getkeysandflags" => keys(table, rest),
        b"help" => help::reply(),
        _ => Reply::err(SYNTAX),
    }
}

// === the table ===

fn all(table: &Table) -> Reply {
    Reply::Array(table.listed().map(|spec| info(table, spec)).collect())
}

fn named(table: &Table, name: &[u8]) -> Reply {
    listed(table, name).map_or(Reply::Nil, |spec| info(table, spec))
}

/// The command of a full name that the identity lists.
fn listed(table: &Table, name: &[u8]) -> Option<&'static CommandSpec> {
    table.lookup_full(name).filter(|spec| spec.listing.by(table.identity()))
}

/// What COMMAND INFO says of one command. No command here has keys.
fn info(table: &Table, spec: &'static CommandSpec) -> Reply {
    let subcommands: Vec<Reply> =
        spec.listed_subcommands(table.identity()).map(|sub| info(table, sub)).collect();
    Reply::Array(vec![
        Reply::bulk(spec.full_name),
        Reply::Int(i64::from(spec.arity)),
        Reply::Set(spec.flags.names().map(|name| Reply::Simple(name.into())).collect()),
        Reply::Int(0),
        Reply::Int(0),
        Reply::Int(0),
        Reply::Set(
            spec.categories
                .iter()
                .map(|category| Reply::Simple(format!("@{}", category.name()).into()))
                .collect(),
        ),
        Reply::Set(spec.tips.iter().map(|tip| Reply::bulk(*tip)).collect()),
        Reply::Set(Vec::new()),
        // An empty list is a set in RESP3, any other an array.
        if subcommands.is_empty() { Reply::Set(Vec::new()) } else { Reply::Array(subcommands) },
    ])
}

fn list(table: &Table, filter: &[Bytes]) -> Reply {
    let is = |word: &Bytes, name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    match filter {
        [] => names(table, |_| true),
        [by, kind, value] if is(by, "filterby") => {
            if is(kind, "module") {
                names(table, |_| false)
            } else if is(kind, "aclcat") {
                let category = Category::parse(value);
                names(table, |spec| category.is_some_and(|category| spec.categories.contains(category)))
            } else if is(kind, "pattern") {
                names(table, |spec| glob::matches(value, spec.full_name.as_bytes(), true))
            } else {
                Reply::err(SYNTAX)
            }
        }
        _ => Reply::err(SYNTAX),
    }
}

fn names(table: &Table, wanted: impl Fn(&CommandSpec) -> bool) -> Reply {
    Reply::Array(
        table.listed_flat().filter(|spec| wanted(spec)).map(|spec| Reply::bulk(spec.full_name)).collect(),
    )
}

fn keys(table: &Table, request: &[Bytes]) -> Reply {
    match table.resolve(request) {
        Ok(spec) if spec.listing != Listing::Nobody => Reply::err("ERR The command has no key arguments"),
        Ok(_) | Err(_) => Reply::err("ERR Invalid command specified"),
    }
}

// === documentation ===

/// Unknown names are left out.
fn docs(table: &Table, names: &[Bytes]) -> Reply {
    let document = |spec: &'static CommandSpec| {
        entry_of(spec).map(|entry| (Reply::bulk(spec.full_name), entry_reply(table, spec, entry)))
    };
    Reply::Map(if names.is_empty() {
        table.listed().filter_map(document).collect()
    } else {
        names.iter().filter_map(|name| listed(table, name)).filter_map(document).collect()
    })
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    [server::ENTRIES, connection::ENTRIES, pubsub::ENTRIES, sentinel::ENTRIES].into_iter().flatten()
}

fn entry_of(spec: &CommandSpec) -> Option<&'static Entry> {
    entries().find(|entry| entry.full_name == spec.full_name)
}

fn entry_reply(table: &Table, spec: &'static CommandSpec, entry: &Entry) -> Reply {
    let mut fields = entry.fields();
    let subcommands: Vec<_> = spec
        .listed_subcommands(table.identity())
        .filter_map(|sub| {
            entry_of(sub).map(|entry| (Reply::bulk(sub.full_name), entry_reply(table, sub, entry)))
        })
        .collect();
    if !subcommands.is_empty() {
        fields.push((Reply::bulk("subcommands"), Reply::Map(subcommands)));
    }
    Reply::Map(fields)
}

#[cfg(test)]
mod tests;
