//! The table: what redis-sentinel, valkey-sentinel and this program need for the same work, each in turn, and whether this
//! program keeps its limits. Ends with status 1 when it doesn't.
//!
//! `cargo bench --bench table`; `-- --rows kill,idle` makes some rows only (a chapter's or a row's name), `-- --rounds N`
//! changes the number of rounds (10), `-- --only vedette` leaves the others out, `-- --list` names the rows, `-- --readme`
//! puts the table into the README.
//!
//! All times are taken by one clock in this process: writers note each acknowledged write, subscribers each event, and
//! other threads ask again and again for roles and addresses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod fleet;
mod groups;
mod load;
mod moves;
mod probe;
mod rows;
mod short;
#[path = "../../tests/support/mod.rs"]
mod support;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use common::document::Document;
use common::{Bench, Kind};

const BENCH: Bench = Bench {
    chapters: rows::CHAPTERS,
    kinds: &Kind::ALL,
    documents: &[Document {
        path: "README.md",
        mark: "<!-- table: cargo bench --bench table -- --readme -->\n",
    }],
    remark: "",
};

fn main() -> ExitCode {
    // The disk is another one's business: a daemon that waits for it does so for as long as the others do.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    common::run(&BENCH, &folder)
}
