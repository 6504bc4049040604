//! The command line: redis-sentinel's own grammar, and under the name `vedette` a few tools.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::{Identity, Sources, grammar};
use crate::demo::DemoArgs;
use crate::pod::{BootArgs, LeaveArgs};

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Run the daemon.
    Daemon(Sources),
    /// Write a text and end.
    Print {
        /// The text, line end included.
        text: String,
        /// Whether it goes to standard error, with exit status 1.
        error: bool,
    },
    /// Run a tool.
    Tool(Tool),
}

/// A failover daemon for Redis and Valkey that speaks Sentinel's protocol
///
/// It takes redis-sentinel's place: same file, same arguments, same port. Started under another name
/// (redis-sentinel, valkey-sentinel, or redis-server with --sentinel) it is only the daemon.
#[derive(Debug, Parser)]
#[command(name = "vedette", disable_version_flag = true, disable_help_subcommand = true)]
#[command(args_conflicts_with_subcommands = true, subcommand_precedence_over_arg = true)]
#[command(
    override_usage = "vedette FILE [--DIRECTIVE VALUE...]... [-]\n       vedette demo|boot|leave|man|completions [OPTIONS]\n       \
                            vedette -v|--version\n       vedette -h|--help"
)]
#[command(after_help = "Any directive of the file can be given as an option: --port 26380, or\n\
                        --sentinel monitor mymaster 127.0.0.1 6379 2. It wins over the file and is\n\
                        written into it with the next change. --vedette NAME VALUE sets a directive\n\
                        of vedette's own, which is never written. With - as the last argument more\n\
                        configuration is read from standard input.")]
pub struct Cli {
    /// The configuration file. It holds the daemon's state, too, and must be writable.
    file: Option<PathBuf>,
    /// Directives, as --NAME VALUE...
    #[arg(value_name = "DIRECTIVES", allow_hyphen_values = true, trailing_var_arg = true)]
    options: Vec<OsString>,
    /// Print the version in redis-server's form.
    #[arg(short, long)]
    version: bool,
    #[command(subcommand)]
    tool: Option<Tool>,
}

/// The tools.
#[derive(Clone, Debug, Subcommand)]
pub enum Tool {
    /// Show a failover on real processes.
    Demo(DemoArgs),
    /// Prepare a data node's Pod, so that Redis starts without a role and waits for the fleet to give it one
    ///
    /// As an init container: puts this program and boot.conf into a folder that the data node's container mounts, too.
    /// That container then runs "vedette boot exec redis-server ..." from there, or its redis.conf ends with "include
    /// /vedette/boot.conf". Either way Redis starts as a replica of a closed port, also when only its container restarts:
    /// it takes no write, and overwrites nobody, before it has its role.
    Boot(BootArgs),
    /// Hand the primary's role over before this data node ends
    ///
    /// For the preStop hook of a data node's container. Where the node is the primary that the vedettes know, they are
    /// asked for a planned switchover (SENTINEL FAILOVER), and the role's leaving is waited for. Exit status 0 when the
    /// role has left, was never here, or nobody answers; 1 when it is still here in the end, or when a password or name
    /// is wrong.
    Leave(LeaveArgs),
    /// Print the manual page (roff) on standard output.
    Man,
    /// Print completions for a shell on standard output.
    Completions {
        /// Which shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

impl Tool {
    const NAMES: [&str; 5] = ["demo", "boot", "leave", "man", "completions"];
}

/// Reads a command line, the program's name first. `identity` is the environment's VEDETTE_IDENTITY.
#[must_use]
pub fn parse(args: &[OsString], identity: Option<&OsStr>) -> Invocation {
    let name = args
        .first()
        .and_then(|path| Path::new(path).file_name())
        .map_or_else(|| "vedette".to_owned(), |name| name.to_string_lossy().into_owned());
    let rest = args.get(1..).unwrap_or_default();
    let identity = match identity.map(|word| (word, Identity::parse(&word.to_string_lossy()))) {
        Some((_, Some(identity))) => identity,
        Some((word, None)) => {
            let word = word.to_string_lossy();
            return refuse(&format!("VEDETTE_IDENTITY is redis-7.0, redis-8.0 or valkey-8.0, not '{word}'"));
        }
        None if name.contains("valkey-") => Identity::Valkey80,
        None => Identity::default(),
    };
    let first = rest.first().map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
    match first.as_str() {
        "-v" | "--version" => return Invocation::Print { text: version(identity), error: false },
        "-h" | "--help" => {
            let text = Cli::command().render_long_help().to_string();
            // Sentinel takes a wish for help for a mistake.
            return Invocation::Print { text, error: name.contains("redis-") || name.contains("valkey-") };
        }
        "--test-memory" | "--check-system" => {
            return refuse(&format!("{first} is a tool of redis-server, not of a Sentinel"));
        }
        tool if name == "vedette" && Tool::NAMES.contains(&tool) => {
            return match Cli::try_parse_from(args) {
                Ok(Cli { tool: Some(tool), .. }) => Invocation::Tool(tool),
                Ok(_) => refuse("a tool is needed"),
                Err(error) => {
                    Invocation::Print { text: error.render().to_string(), error: error.use_stderr() }
                }
            };
        }
        _ => {}
    }
    if name.contains("-server") && !rest.iter().any(|arg| arg == "--sentinel") {
        return refuse(&format!(
            "started as {name} without --sentinel, but this is no data node: it is a Sentinel"
        ));
    }
    Invocation::Daemon(sources(rest, identity))
}

/// The daemon's arguments.
fn sources(args: &[OsString], identity: Identity) -> Sources {
    let mut sources = Sources { identity, ..Sources::default() };
    let mut args = args;
    if let [first, rest @ ..] = args {
        if first == "-" {
            sources.stdin = true;
            args = rest;
        } else if !first.as_bytes().starts_with(b"-") {
            sources.file = Some(PathBuf::from(first));
            args = rest;
        }
    }
    if let [rest @ .., last] = args
        && last == "-"
    {
        sources.stdin = true;
        args = rest;
    }
    sources.options = option_lines(args);
    sources
}

/// Options as configuration lines: `--name` begins one, what follows are its values. The first argument after a name
/// is a value whatever it looks like.
fn option_lines(args: &[OsString]) -> Vec<u8> {
    let mut lines: Vec<u8> = Vec::new();
    let mut value_due = false;
    for (index, arg) in args.iter().enumerate() {
        let arg = arg.as_bytes();
        let name = arg.strip_prefix(b"--").filter(|_| !value_due);
        let Some(name) = name else {
            lines.push(b' ');
            lines.extend_from_slice(grammar::quote(arg).as_bytes());
            value_due = false;
            continue;
        };
        if index > 0 {
            lines.push(b'\n');
        }
        lines.extend_from_slice(name);
        // A name and its values may come as one argument.
        value_due = grammar::split_words(name).is_ok_and(|words| words.len() == 1);
        let alone = args.get(index + 1).is_none_or(|next| next.as_bytes().starts_with(b"--"));
        if value_due && alone {
            if name.eq_ignore_ascii_case(b"save") {
                lines.extend_from_slice(b" \"\"");
                value_due = false;
            } else if name.eq_ignore_ascii_case(b"sentinel") {
                value_due = false;
            }
        }
    }
    lines
}

/// The version in the form of redis-server's, which test suites read.
fn version(identity: Identity) -> String {
    let (product, version, own) = (identity.product(), identity.version(), env!("CARGO_PKG_VERSION"));
    format!(
        "{product} server v={version} sha=00000000:0 malloc=libc bits={} build=vedette-{own}\n",
        usize::BITS
    )
}

fn refuse(text: &str) -> Invocation {
    Invocation::Print { text: format!("{text}\n"), error: true }
}

/// The manual page.
///
/// # Errors
/// Writing failed.
pub fn manual(out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let mut command = Cli::command();
    command.build();
    let page = |command: &clap::Command| {
        let source = concat!("vedette ", env!("CARGO_PKG_VERSION"));
        clap_mangen::Man::new(command.clone()).source(source).manual("User Commands")
    };
    let whole = page(&command);
    whole.render_title(out)?;
    whole.render_name_section(out)?;
    whole.render_synopsis_section(out)?;
    whole.render_description_section(out)?;
    whole.render_options_section(out)?;
    // The tools have no pages of their own.
    for tool in command.get_subcommands() {
        section(&page, tool, &format!("vedette {}", tool.get_name()), out)?;
        for inner in tool.get_subcommands() {
            section(&page, inner, &format!("vedette {} {}", tool.get_name(), inner.get_name()), out)?;
        }
    }
    let mut after = Vec::new();
    whole.render_extra_section(&mut after)?;
    writeln!(out, ".SH DIRECTIVES")?;
    without_heading(&after, out)
}

/// Writes the section of a tool.
fn section(
    page: &dyn Fn(&clap::Command) -> clap_mangen::Man,
    tool: &clap::Command,
    name: &str,
    out: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    let about = tool.get_about().map(ToString::to_string).unwrap_or_default();
    writeln!(out, ".SH \"{}\"\n{}.", name.to_uppercase(), about.trim_end_matches('.'))?;
    if let Some(long) = tool.get_long_about().map(ToString::to_string) {
        for paragraph in long.split("\n\n").skip(1) {
            writeln!(out, ".PP\n{paragraph}")?;
        }
    }
    let mut options = Vec::new();
    page(tool).render_options_section(&mut options)?;
    without_heading(&options, out)
}

/// Writes a section of a page but what comes up to its heading.
fn without_heading(section: &[u8], out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let text = String::from_utf8_lossy(section);
    let body = text.split_once(".SH ").and_then(|(_, rest)| rest.split_once('\n'));
    out.write_all(body.map_or(&*text, |(_, body)| body).as_bytes())
}

/// Completions for a shell.
pub fn completions(shell: clap_complete::Shell, out: &mut dyn std::io::Write) {
    clap_complete::generate(shell, &mut Cli::command(), "vedette", out);
}

#[cfg(test)]
mod tests;
