//! `vedette boot`: a data node starts as a replica of nobody, whatever it was before.
//!
//! What decides the role of a node that starts lies in its own command, not in the init container: a container that
//! restarts alone runs its command again, and no init container.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Subcommand};
use thiserror::Error;

/// Where this program lies while it runs.
const SELF: &str = "/proc/self/exe";
/// What a node that has no role yet follows: a port that nothing listens on, on the node's own loopback.
const NOBODY: [&str; 3] = ["replicaof", "127.0.0.1", "1"];
/// The file for an `include` of redis.conf.
const INCLUDE: &str = "boot.conf";

/// Arguments of `vedette boot`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BootArgs {
    /// The shared folder.
    #[arg(long, value_name = "FOLDER", default_value = "/vedette")]
    pub into: PathBuf,
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<BootCommand>,
}

/// What `vedette boot` does in the data node's own container.
#[derive(Clone, Debug, Subcommand)]
pub enum BootCommand {
    /// Become that redis-server, as a replica of a closed port
    ///
    /// Its arguments stay as they are; the role is added behind them and wins over the configuration file.
    Exec {
        /// The server and its arguments. An entry point that starts them may stand before.
        #[arg(value_name = "SERVER", required = true, allow_hyphen_values = true, trailing_var_arg = true)]
        server: Vec<OsString>,
    },
}

/// Why a Pod could not be prepared, or its server not be started.
#[derive(Debug, Error)]
pub enum Error {
    /// The shared folder is not there.
    #[error("there is no folder {0}: mount an emptyDir there, or name another one by --into")]
    Folder(PathBuf),
    /// A file could not be put there.
    #[error("{0} could not be written")]
    Write(PathBuf, #[source] io::Error),
    /// A Sentinel has no role.
    #[error("a Sentinel has no role: boot exec is for data nodes")]
    Sentinel,
    /// The role can't be handed to it.
    #[error(
        "'{0}' is no redis-server, so it can't be told its role by arguments: let its redis.conf end with an include \
         of {INCLUDE} instead"
    )]
    Server(String),
    /// The server could not be started.
    #[error("'{0}' could not be started")]
    Exec(String, #[source] io::Error),
}

/// Prepares the shared folder, and returns what to say about it, or becomes the server and does not return.
///
/// # Errors
/// What was to be written or started could not be.
pub fn boot(args: &BootArgs) -> Result<String, Error> {
    match &args.command {
        None => prepare(&args.into, Path::new(SELF)),
        Some(BootCommand::Exec { server }) => {
            let command = without_role(server)?;
            let mut words = command.iter();
            let program = words.next().map_or(OsStr::new(""), OsString::as_os_str);
            let error = Command::new(program).args(words).exec();
            Err(Error::Exec(program.to_string_lossy().into_owned(), error))
        }
    }
}

fn prepare(folder: &Path, program: &Path) -> Result<String, Error> {
    if !folder.is_dir() {
        return Err(Error::Folder(folder.to_owned()));
    }
    put(&folder.join("vedette"), 0o755, |path| fs::copy(program, path).map(drop))?;
    let include = format!("# Without a role until the fleet gives one.\n{}\n", NOBODY.join(" "));
    put(&folder.join(INCLUDE), 0o644, |path| fs::write(path, &include))?;
    let linked = if cfg!(target_feature = "crt-static") {
        ""
    } else {
        " (not a static build: it runs only in images with its C library)"
    };
    Ok(format!("vedette and {INCLUDE} are in {}{linked}\n", folder.display()))
}

/// Puts a file into its place as a whole: what is there may be running, and an init container may run twice.
fn put(path: &Path, mode: u32, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Error> {
    let new = path.with_extension("new");
    let whole = || {
        write(&new)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
        fs::rename(&new, path)
    };
    whole().map_err(|error| Error::Write(path.to_owned(), error))
}

/// The server's command with a role that it can't act in.
fn without_role(command: &[OsString]) -> Result<Vec<OsString>, Error> {
    let first = command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    // The images' own entry points run what follows them.
    let Some(server) = command.iter().take(2).position(|word| is_server(word)) else {
        return Err(Error::Server(first));
    };
    let (start, arguments) = command.split_at(server + 1);
    if arguments.iter().any(|word| word == "--sentinel") {
        return Err(Error::Sentinel);
    }
    let mut role = NOBODY.map(OsString::from);
    role[0] = format!("--{}", NOBODY[0]).into();
    let (before, last) = match arguments {
        [word] if is_question(word) => return Ok(command.to_vec()),
        // "More configuration on standard input" is the last word wherever it is not the first one.
        [before @ .., last] if last == "-" && !before.is_empty() => (before, Some(last)),
        all => (all, None),
    };
    Ok([start, before, &role].concat().into_iter().chain(last.cloned()).collect())
}

fn is_server(word: &OsStr) -> bool {
    Path::new(word).file_name().is_some_and(|name| name.to_string_lossy().ends_with("-server"))
}

/// An only argument that makes the server say something and end.
fn is_question(word: &OsStr) -> bool {
    ["-v", "--version", "-h", "--help", "--check-system"].iter().any(|question| word == *question)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(command: &str) -> String {
        let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
        match without_role(&words) {
            Ok(words) => words.join(OsStr::new(" ")).into_string().unwrap(),
            Err(error) => format!("refused: {error}"),
        }
    }

    #[test]
    fn the_role_comes_last_and_nothing_else_changes() {
        for (command, expected) in [
            ("redis-server", "redis-server --replicaof 127.0.0.1 1"),
            (
                "/usr/bin/valkey-server /etc/v.conf --port 7 --replicaof other 6379",
                "/usr/bin/valkey-server /etc/v.conf --port 7 --replicaof other 6379 --replicaof 127.0.0.1 1",
            ),
            ("redis-server r.conf --port 7 -", "redis-server r.conf --port 7 --replicaof 127.0.0.1 1 -"),
            ("redis-server -", "redis-server - --replicaof 127.0.0.1 1"),
            (
                "docker-entrypoint.sh redis-server r.conf",
                "docker-entrypoint.sh redis-server r.conf --replicaof 127.0.0.1 1",
            ),
            ("redis-server --version", "redis-server --version"),
        ] {
            assert_eq!(told(command), expected);
        }
    }

    #[test]
    fn what_would_not_heed_it_is_refused() {
        for command in
            ["sh -c redis-server", "redis-sentinel s.conf", "/entrypoint.sh", "sh -c exec redis-server"]
        {
            assert!(told(command).starts_with("refused: '"), "{command}: {}", told(command));
        }
        assert!(told("redis-server s.conf --sentinel").starts_with("refused: a Sentinel"));
        assert!(matches!(without_role(&[]), Err(Error::Server(_))));
    }

    #[test]
    fn the_folder_is_filled_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        fs::write(&program, "one").unwrap();
        let into = folder.path().join("shared");
        assert!(matches!(prepare(&into, &program), Err(Error::Folder(_))));
        fs::create_dir(&into).unwrap();
        prepare(&into, &program).unwrap();
        fs::write(&program, "two").unwrap();
        let said = prepare(&into, &program).unwrap();
        assert!(said.contains("boot.conf are in"), "{said}");
        assert_eq!(fs::read_to_string(into.join("vedette")).unwrap(), "two");
        assert_eq!(fs::metadata(into.join("vedette")).unwrap().permissions().mode() & 0o777, 0o755);
        let include = fs::read_to_string(into.join("boot.conf")).unwrap();
        assert!(include.ends_with("\nreplicaof 127.0.0.1 1\n"), "{include}");
        assert_eq!(fs::read_dir(&into).unwrap().count(), 2, "nothing half written is left");
    }
}
