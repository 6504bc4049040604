//! One run of a bench that makes a table.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use super::cleanup::Guard;
use super::document::{self, Document};
use super::sheet::Verdict;
use super::{Chapter, Kind, Measure, Plan, Row, Sheet};

/// What a bench is made of.
pub(crate) struct Bench {
    /// In the order of the table.
    pub(crate) chapters: &'static [Chapter],
    /// The columns.
    pub(crate) kinds: &'static [Kind],
    /// Where the table goes with `--readme`.
    pub(crate) documents: &'static [Document],
    /// What is said below the table.
    pub(crate) remark: &'static str,
}

/// Makes the rows that the command line asks for, each daemon in turn. Temporary files are in `folder`. Ends with status 1
/// when a limit is missed.
pub(crate) fn run(bench: &Bench, folder: &Path) -> ExitCode {
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
        for chapter in bench.chapters {
            chapter.rows.iter().for_each(|row| println!("{:<8} {:<16} {}", chapter.id, row.id, row.title));
        }
        return ExitCode::SUCCESS;
    }
    let kinds: Vec<Kind> =
        bench.kinds.iter().copied().filter(|kind| only.is_none_or(|only| only == kind.name())).collect();
    let machine = document::machine();
    let guard = Guard::new(folder);
    let (mut sheet, begin) = (Sheet::new(bench.kinds), Instant::now());
    let rows: Vec<&Row> = bench
        .chapters
        .iter()
        .flat_map(|chapter| chapter.rows.iter().filter(|row| is_wanted(chapter, row)))
        .collect();
    let chapters =
        bench.chapters.iter().filter(|chapter| chapter.rows.iter().any(|row| is_wanted(chapter, row)));
    for chapter in chapters {
        let comparable = chapter.rows.iter().any(|row| row.comparable);
        let kinds = kinds.iter().filter(|kind| comparable || **kind == Kind::Vedette);
        let turns = match &chapter.measure {
            Measure::Rounds(_) => 1,
            Measure::Turns(samples, _) => plan.rounds.div_ceil(*samples),
        };
        for kind in (0..turns).flat_map(|_| kinds.clone()) {
            let start = Instant::now();
            // What one daemon can't do must not keep the others from being measured; the cell stays empty.
            let outcome = catch_unwind(AssertUnwindSafe(|| match &chapter.measure {
                Measure::Rounds(measure) => measure(*kind, &plan, &mut sheet),
                Measure::Turns(_, measure) => measure(*kind, &mut sheet),
            }));
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
    let table = format!("{}\n{machine}; {minutes:.0} minutes.{}\n", sheet.table(&rows), bench.remark);
    println!("{table}");
    if arguments.iter().any(|argument| argument == "--readme") {
        bench.documents.iter().for_each(|document| document.replace(&table));
    }
    let missed: Vec<&&Row> = rows.iter().filter(|row| sheet.verdict(row) == Verdict::Missed).collect();
    if kinds.contains(&Kind::Vedette) && !missed.is_empty() {
        missed.iter().for_each(|row| eprintln!("MISSED: {}", row.title));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
