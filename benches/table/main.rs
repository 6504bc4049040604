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

mod cleanup;
mod events;
mod faults;
mod fleet;
mod groups;
mod load;
mod moves;
mod probe;
mod readme;
mod rows;
mod sheet;
mod short;
#[path = "../../tests/support/mod.rs"]
mod support;
mod watch;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use fleet::Kind;
use rows::{CHAPTERS, Chapter, Plan};
use sheet::{Row, Sheet, Verdict};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let wanted: Option<Vec<&str>> = value("--rows").map(|names| names.split(',').collect());
    let is_wanted = |chapter: &Chapter, row: &Row| {
        wanted.as_ref().is_none_or(|names| names.contains(&chapter.id) || names.contains(&row.id))
    };
    let only = value("--only").map(String::as_str);
    let plan =
        Plan { rounds: value("--rounds").map_or(10, |text| text.parse().expect("a number of rounds")) };
    if arguments.iter().any(|argument| argument == "--list") {
        for chapter in CHAPTERS {
            chapter.rows.iter().for_each(|row| println!("{:<8} {:<16} {}", chapter.id, row.id, row.title));
        }
        return ExitCode::SUCCESS;
    }
    let kinds: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| only.is_none_or(|only| only == kind.name())).collect();
    let machine = readme::machine();
    let guard = cleanup::Guard::new();
    let (mut sheet, begin) = (Sheet::default(), Instant::now());
    let rows: Vec<&Row> = CHAPTERS
        .iter()
        .flat_map(|chapter| chapter.rows.iter().filter(|row| is_wanted(chapter, row)))
        .collect();
    for chapter in CHAPTERS.iter().filter(|chapter| chapter.rows.iter().any(|row| is_wanted(chapter, row))) {
        let comparable = chapter.rows.iter().any(|row| row.comparable);
        for kind in kinds.iter().filter(|kind| comparable || **kind == Kind::Vedette) {
            let start = Instant::now();
            // What one daemon can't do must not keep the others from being measured; the cell stays empty.
            let outcome = catch_unwind(AssertUnwindSafe(|| (chapter.measure)(*kind, &plan, &mut sheet)));
            let end = if outcome.is_ok() { "done" } else { "FAILED" };
            if outcome.is_err() {
                chapter.rows.iter().for_each(|row| sheet.break_off(row.id, *kind));
            }
            eprintln!(
                "{:<8} {:<16} {end} after {:.0} s",
                chapter.id,
                kind.name(),
                start.elapsed().as_secs_f64()
            );
        }
        eprintln!("{}", sheet.table(&chapter.rows.iter().collect::<Vec<_>>()));
    }
    drop(guard);
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    let table = format!("{}\n{machine}; {minutes:.0} minutes.\n", sheet.table(&rows));
    println!("{table}");
    if arguments.iter().any(|argument| argument == "--readme") {
        readme::replace(&table);
    }
    let missed: Vec<&&Row> = rows.iter().filter(|row| sheet.verdict(row) == Verdict::Missed).collect();
    if kinds.contains(&Kind::Vedette) && !missed.is_empty() {
        missed.iter().for_each(|row| eprintln!("MISSED: {}", row.title));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
