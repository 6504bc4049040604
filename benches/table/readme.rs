//! The README's copy of the table.

use std::fs;
use std::path::Path;
use std::thread;

/// What stands before and after the table in the README.
const MARKS: (&str, &str) =
    ("<!-- table: cargo bench --bench table -- --readme -->\n", "<!-- end of the table -->\n");

/// Puts a table into the README in place of the one that is there.
pub(crate) fn replace(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(MARKS.0).expect("the mark before the table in README.md");
    let (_, after) = rest.split_once(MARKS.1).expect("the mark after the table in README.md");
    fs::write(&path, format!("{before}{}{table}{}{after}", MARKS.0, MARKS.1)).unwrap();
}

/// The machine, and how busy it is at this moment.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|pair| pair.1));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores of {}, load average {load} before the start",
        model.unwrap_or("an unknown processor")
    )
}
