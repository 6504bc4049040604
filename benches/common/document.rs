//! Documents that show the table.

use std::fs;
use std::path::Path;
use std::thread;

/// A document with a copy of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document {
    /// Its path in the repository.
    pub(crate) path: &'static str,
    /// The line before the table.
    pub(crate) mark: &'static str,
}

/// The line behind each table.
const END: &str = "<!-- end of the table -->\n";

impl Document {
    /// Puts a table in the place of the one that is there.
    pub(crate) fn replace(&self, table: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.path);
        let text = fs::read_to_string(&path).unwrap();
        let lacks = |what: &str| format!("no {what} the table in {}", self.path);
        let (before, rest) = text.split_once(self.mark).unwrap_or_else(|| panic!("{}", lacks("mark before")));
        let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{}", lacks("mark behind")));
        fs::write(&path, format!("{before}{}{table}{END}{after}", self.mark)).unwrap();
    }
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
