//! What can go wrong in the demo, in words for its user.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No program for the data nodes.
    #[error(
        "neither redis-server nor valkey-server is on the PATH\n\
         \x20 Debian, Ubuntu:  apt install redis-server   (or valkey-server)\n\
         \x20 Fedora, RHEL:    dnf install valkey\n\
         \x20 Alpine:          apk add redis              (or valkey)\n\
         \x20 macOS:           brew install redis         (or valkey)\n\
         or name one with --server-program PATH"
    )]
    NoServer,
    /// A program that was named can't be run.
    #[error("'{}' is no executable file", path.display())]
    NotExecutable {
        /// As given.
        path: PathBuf,
    },
    /// The path of the running program is unknown.
    #[error("can't find the vedette program itself")]
    OwnPath {
        /// The system's reason.
        source: io::Error,
    },
    /// Something about the temporary folder.
    #[error("can't {action} '{}'", path.display())]
    Folder {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No loopback ports.
    #[error("can't get free ports on 127.0.0.1")]
    Ports {
        /// The system's reason.
        source: io::Error,
    },
    /// A process could not be started.
    #[error("can't start '{}'", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A process ended by itself.
    #[error("{name} ended ({status}) while waiting for {stage}\n{log}")]
    Ended {
        /// Which one.
        name: String,
        /// The system's words.
        status: String,
        /// What was waited for.
        stage: String,
        /// Last lines of its log.
        log: String,
    },
    /// A bounded wait was over.
    #[error("waited {} s in vain for {what}{detail}", limit.as_secs())]
    TooLong {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// What was seen instead, with a line break in front; may be empty.
        detail: String,
    },
    /// A connection failed.
    #[error("can't talk to {name}")]
    Connection {
        /// To whom.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// A reply that is no answer to the question.
    #[error("{name} answered {command} with: {reply}")]
    Reply {
        /// Who.
        name: String,
        /// The command.
        command: String,
        /// What it said.
        reply: String,
    },
    /// Standard output is gone.
    #[error("can't write to standard output")]
    Output {
        /// The system's reason.
        source: io::Error,
    },
    /// The runtime could not be made.
    #[error("can't start the runtime")]
    Runtime {
        /// The system's reason.
        source: io::Error,
    },
}
