use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::*;

fn config(file: &Path, format: LogFormat) -> LogConfig {
    LogConfig { level: Level::Notice, file: Some(file.to_owned()), format, syslog: None }
}

fn event(level: Level) -> Event {
    Event {
        level,
        name: "+sdown",
        payload: "master m 127.0.0.1 1".to_owned(),
        group: Some(GroupName::from("m")),
        run_id: Some("abc".to_owned()),
        epoch: 4,
    }
}

/// The lines of a file without pid, time and mark.
fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .map(|line| line.splitn(7, ' ').skip(6).collect())
        .collect()
}

#[test]
fn lines_are_written_from_the_level_on_that_is_set_now() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let (telemetry, subscriber) = Telemetry::build(config(&file, LogFormat::Sentinel)).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        for level in [Level::Warning, Level::Debug, Level::Nothing, Level::Notice] {
            telemetry.set_level(level);
            assert_eq!(telemetry.level(), level);
            for line in [Level::Debug, Level::Verbose, Level::Notice, Level::Warning] {
                telemetry.line(line, None, &format!("{} at {}", line.name(), level.name()));
            }
            telemetry.event(&event(Level::Warning));
        }
        tracing::warn!(tries = 3, "something of our own");
    });
    telemetry.flush();
    assert_eq!(
        lines(&file),
        [
            "warning at warning",
            "+sdown master m 127.0.0.1 1",
            "debug at debug",
            "verbose at debug",
            "notice at debug",
            "warning at debug",
            "+sdown master m 127.0.0.1 1",
            "notice at notice",
            "warning at notice",
            "+sdown master m 127.0.0.1 1",
            "something of our own tries=3",
        ]
    );
}

#[test]
fn a_file_that_was_renamed_away_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let (telemetry, subscriber) = Telemetry::build(config(&file, LogFormat::Sentinel)).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        telemetry.line(Level::Notice, None, "one");
        telemetry.flush();
        fs::rename(&file, folder.path().join("log.1")).unwrap();
        telemetry.line(Level::Notice, None, "two\nlines");
        telemetry.signal("Received SIGTERM scheduling shutdown...");
        telemetry.flush();
    });
    assert_eq!(lines(&folder.path().join("log.1")), ["one"]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("two lines\n"), "{text}");
    let signal = text.lines().last().unwrap();
    assert!(signal.starts_with(&format!("{}:signal-handler (", std::process::id())), "{signal}");
    assert!(signal.ends_with(") Received SIGTERM scheduling shutdown..."), "{signal}");
}

#[test]
fn json_lines_name_group_run_id_and_epoch_from_events_and_spans() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let (telemetry, subscriber) = Telemetry::build(config(&file, LogFormat::Json)).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        telemetry.event(&event(Level::Notice));
        let span = tracing::info_span!("failover", group = "m", epoch = 5);
        span.in_scope(|| tracing::info!(epoch = 6, "inside"));
        telemetry.signal("Received SIGTERM scheduling shutdown...");
    });
    telemetry.flush();
    let values: Vec<serde_json::Value> =
        fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values[0]["message"], "+sdown master m 127.0.0.1 1");
    assert_eq!(values[0]["event"], "+sdown");
    assert_eq!(
        (&values[0]["group"], &values[0]["run_id"], &values[0]["epoch"]),
        (&"m".into(), &"abc".into(), &4.into())
    );
    assert_eq!((&values[1]["group"], &values[1]["epoch"]), (&"m".into(), &6.into()));
    assert_eq!(
        (&values[2]["message"], &values[2]["level"]),
        (&"Received SIGTERM scheduling shutdown...".into(), &"warning".into())
    );
}

#[test]
fn a_log_that_hangs_holds_nobody_up_and_the_gap_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipe");
    // A pipe without a reader: opening it for writing waits.
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &file,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let (telemetry, subscriber) = Telemetry::build(config(&file, LogFormat::Sentinel)).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        for number in 0..20_000 {
            telemetry.line(Level::Notice, None, &format!("line {number}"));
        }
    });
    // One reader for all openings: the writer's ends come and go.
    let keep = OpenOptions::new().read(true).write(true).open(&file).unwrap();
    let mut reader = BufReader::new(File::open(&file).unwrap());
    let mut told = false;
    for _ in 0..20_001 {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.contains("lines of the log were dropped") {
            told = true;
            break;
        }
    }
    assert!(told);
    drop(keep);
}
