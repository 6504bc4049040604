//! `vedette demo`: a failover on real processes, drawn in the terminal.
//!
//! It starts a primary, two replicas, three daemons and a writer on free loopback ports, kills the primary, tells the
//! failover phase by phase with the writes that were lost, then moves the primary by SENTINEL FAILOVER. All it leaves
//! behind is what it wrote on the terminal: processes are ended by their pid and the temporary folder is removed, also
//! after an error, a panic or Ctrl-C.

mod args;
mod conn;
mod error;
mod events;
mod find;
mod fleet;
mod folder;
mod play;
mod ports;
mod process;
mod scene;
mod screen;
mod stage;
mod text;
mod timeline;
mod watch;
mod writer;

use std::cell::Cell;
use std::error::Error as _;
use std::io::{self, Write};
use std::process::ExitCode;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;

pub use args::DemoArgs;
pub use error::Error;
use find::Programs;
use fleet::Fleet;
use screen::{Look, Screen};
use stage::Stage;
use text::{Line, Tone};

/// Exit status after an error.
const FAILED: u8 = 1;
/// Exit status after a signal, without its number.
const SIGNALLED: u8 = 128;

/// Run the demo and say how it ended: 0, 1 after an error (told on standard error), 128 + n when signal n came before
/// the end of the show. Not to be called inside a runtime.
#[must_use]
pub fn run(args: &DemoArgs) -> ExitCode {
    match show(args) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&error);
            ExitCode::from(FAILED)
        }
    }
}

/// The error with its causes on standard error; a closed standard output is no news to whoever closed it.
fn complain(error: &Error) {
    if matches!(error, Error::Output { source } if source.kind() == io::ErrorKind::BrokenPipe) {
        return;
    }
    let mut text = format!("vedette demo: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    // Where standard error is gone, too, there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn show(args: &DemoArgs) -> Result<u8, Error> {
    let programs = Programs::find(args)?;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Error::Runtime { source })?;
    LocalSet::new().block_on(&runtime, async {
        // Before the first process: from here on a signal ends the demo in order.
        let mut signals = Signals::new().map_err(|source| Error::Runtime { source })?;
        let mut fleet = Fleet::prepare(programs, args.keep)?;
        let shown = Cell::new(false);
        let ended = tokio::select! {
            played = play(&mut fleet, args, &shown) => played.map(|()| 0),
            code = signals.next() => Ok(if shown.get() { 0 } else { code }),
        };
        fleet.stop().await;
        if let Some(folder) = fleet.kept() {
            let line = Line::of(format!("configuration files and logs: {folder}"));
            Screen::new(io::stdout(), Look::detect(true)).line(&line);
        }
        ended
    })
}

/// Both failovers, then the time after them, which sets `shown`. It ends by itself only with `--once`.
async fn play(fleet: &mut Fleet, args: &DemoArgs, shown: &Cell<bool>) -> Result<(), Error> {
    let screen = Screen::new(io::stdout(), Look::detect(args.plain));
    let mut stage = Stage::new(fleet, screen);
    let programs = stage.fleet.programs();
    let head = Line::default().and(Tone::Strong, "vedette demo");
    stage.say(
        &head.and(Tone::Dim, format!(": {} and {}", programs.server.display(), programs.sentinel.display())),
    );
    play::acts(&mut stage).await?;
    shown.set(true);
    if args.once { Ok(()) } else { play::stay(&mut stage).await }
}

/// The signals that end the demo.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Wait for one; the exit status that it asks for.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => SIGNALLED + 2,
            _ = self.terminate.recv() => SIGNALLED + 15,
            _ = self.hangup.recv() => SIGNALLED + 1,
        }
    }
}
