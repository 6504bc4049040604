//! The answer to `COMMAND HELP`.

use crate::resp::Reply;

const LINES: [&str; 21] = [
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Describe all commands.",
    "COUNT",
    "    Count the commands.",
    "LIST",
    "    Name the commands.",
    "INFO [<command-name> ...]",
    "    Describe some commands, or all: arity, flags, categories, hints and",
    "    subcommands.",
    "    An unknown name is answered by a null.",
    "DOCS [<command-name> ...]",
    "    Document some commands, or all: purpose, history and arguments.",
    "    An unknown name is left out.",
    "    Subcommands are named with their container, as in sentinel|masters.",
    "GETKEYS <full-command>",
    "    Pick the keys out of a request.",
    "GETKEYSANDFLAGS <full-command>",
    "    Pick the keys out of a request, and tell how they are used.",
    "HELP",
    "    Show this text.",
];

/// The lines, as simple strings.
pub(super) fn reply() -> Reply {
    Reply::Array(LINES.iter().map(|line| Reply::Simple((*line).into())).collect())
}
