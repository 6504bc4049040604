//! The program `vedette`: start-up only.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use vedette::cli::{self, Invocation, Tool};
use vedette::config::system::RealSystem;
use vedette::config::{Loaded, Sources, load};
use vedette::core::action::Level;
use vedette::process::{EXIT_REFUSED, ProcessHost, Supervisor, background};
use vedette::telemetry::Telemetry;
use vedette::{demo, pod, runtime};

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    match cli::parse(&args, env::var_os("VEDETTE_IDENTITY").as_deref()) {
        Invocation::Daemon(sources) => daemon(&sources).unwrap_or_else(|error| {
            complain(&format!("vedette: {error:#}\n"));
            ExitCode::from(EXIT_REFUSED)
        }),
        Invocation::Print { text, error: true } => {
            complain(&text);
            ExitCode::from(EXIT_REFUSED)
        }
        Invocation::Print { text, error: false } => print(text.as_bytes()),
        Invocation::Tool(tool) => run_tool(&tool),
    }
}

/// Reads the configuration, goes to the background where wanted, and runs.
fn daemon(sources: &Sources) -> anyhow::Result<ExitCode> {
    let started_in = env::current_dir()?;
    let second_half = background::is_background();
    if second_half {
        background::detach()?;
    }
    let Loaded { config, notes, stdin } = match load(sources, &RealSystem) {
        Ok(loaded) => loaded,
        Err(refusal) => {
            let log = Telemetry::init(refusal.log.clone())?;
            for (level, note) in &refusal.notes {
                log.line(*level, None, note);
            }
            if let Some(line) = refusal.log_line() {
                log.line(Level::Warning, None, line);
            }
            log.flush();
            complain(&refusal.block());
            return Ok(ExitCode::from(EXIT_REFUSED));
        }
    };
    let supervisor = Supervisor::find(config.general.supervised);
    let wants_background = config.general.daemonize && supervisor == Supervisor::None;
    if wants_background && !second_half {
        background::start(&started_in, &stdin)?;
        return Ok(ExitCode::SUCCESS);
    }
    let log = Telemetry::init(config.general.log_config(config.own.log_format))?;
    for (level, note) in &notes {
        log.line(*level, None, note);
    }
    let host = ProcessHost::new(&config, supervisor, wants_background, log.clone());
    host.starting();
    let code = runtime::run(config, &log, &host);
    log.flush();
    Ok(ExitCode::from(code))
}

fn run_tool(tool: &Tool) -> ExitCode {
    let mut text = Vec::new();
    match tool {
        Tool::Demo(args) => return demo::run(args),
        Tool::Boot(args) => match pod::boot(args) {
            Ok(said) => text = said.into_bytes(),
            Err(error) => return fail("boot", &error.into()),
        },
        Tool::Leave(args) => match pod::leave(args) {
            Ok(outcome) if outcome.good() => text = format!("{outcome}\n").into_bytes(),
            Ok(outcome) => return fail("leave", &anyhow::anyhow!("{outcome}")),
            Err(error) => return fail("leave", &error.into()),
        },
        // A Vec takes everything.
        Tool::Man => drop(cli::manual(&mut text)),
        Tool::Completions { shell } => cli::completions(*shell, &mut text),
    }
    print(&text)
}

fn fail(tool: &str, error: &anyhow::Error) -> ExitCode {
    complain(&format!("vedette {tool}: {error:#}\n"));
    ExitCode::from(EXIT_REFUSED)
}

fn print(text: &[u8]) -> ExitCode {
    match io::stdout().lock().write_all(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_REFUSED),
    }
}

fn complain(text: &str) {
    // There is nobody else to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
