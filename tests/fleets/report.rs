//! What a test counted, for people.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Mutex;

/// Prints a table, and adds it to the file that `VEDETTE_SOAK_REPORT` names.
pub(crate) fn table(title: &str, head: &[&str], rows: &[Vec<String>]) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    let text = format!("\n### {title}\n\n{}{}{body}", line(&head), line(&rule));
    let _one = ONE_AT_A_TIME.lock().unwrap();
    eprintln!("{text}");
    if let Some(path) = env::var_os("VEDETTE_SOAK_REPORT") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}
