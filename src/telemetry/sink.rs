//! The thread that writes the log.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread;
use std::time::Duration;

use jiff::Zoned;

use super::syslog::SystemLog;
use super::{LogConfig, format};
use crate::core::action::Level;

/// How many lines may wait for the disk. Those that come while so many wait are counted and dropped.
const MAX_WAITING: usize = 8192;
/// How much is written at once.
const MAX_BATCH: usize = 256 * 1024;
/// How long a flush may take.
const FLUSH_TIME: Duration = Duration::from_secs(1);

enum Message {
    Line { level: Level, line: String, text: String },
    Flush(SyncSender<()>),
}

/// Takes lines; clones lead to the same thread. The thread ends with the last of them.
#[derive(Clone, Debug)]
pub(super) struct Sink {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    /// Whether the system log wants the texts.
    syslog: bool,
}

impl Sink {
    pub(super) fn start(config: LogConfig) -> io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel(MAX_WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let syslog = config.syslog.is_some();
        let counter = Arc::clone(&dropped);
        thread::Builder::new().name("log".to_owned()).spawn(move || run(&config, &receiver, &counter))?;
        Ok(Self { sender, dropped, syslog })
    }

    /// Has a line written, sooner or later; `text` is what the system log gets.
    pub(super) fn send(&self, level: Level, line: String, text: &str) {
        let text = if self.syslog { text.to_owned() } else { String::new() };
        match self.sender.try_send(Message::Line { level, line, text }) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn flush(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        // A full queue means a disk that hangs: not worth waiting for.
        if self.sender.try_send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(FLUSH_TIME);
        }
    }
}

fn run(config: &LogConfig, receiver: &Receiver<Message>, dropped: &AtomicU64) {
    let mut system_log = config.syslog.as_ref().map(SystemLog::new);
    while let Ok(first) = receiver.recv() {
        let mut batch = String::new();
        let mut flushed = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Line { level, line, text } => {
                    batch.push_str(&line);
                    if let Some(system_log) = &mut system_log {
                        system_log.send(level, &text);
                    }
                }
                Message::Flush(done) => flushed.push(done),
            }
            next = if batch.len() < MAX_BATCH { receiver.try_recv().ok() } else { None };
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let text =
                format!("{lost} lines of the log were dropped because they could not be written in time");
            batch.push_str(&format::plain(config.format, Level::Warning, &text, &Zoned::now()));
        }
        // There is nobody to tell that the log can't be written.
        let _ = match &config.file {
            _ if batch.is_empty() => Ok(()),
            Some(file) => append(file, batch.as_bytes()),
            None => io::stdout().lock().write_all(batch.as_bytes()).and_then(|()| io::stdout().flush()),
        };
        for done in flushed {
            let _ = done.send(());
        }
    }
}

/// Opens the file by its name each time: it may have been renamed since.
fn append(file: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(file)?.write_all(bytes)
}
