//! The answer to `ACL HELP`.

use crate::resp::Reply;

const LINES: [&str; 29] = [
    "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CAT [<category>]",
    "    Name the commands of a category; without one, name the categories that",
    "    rules may speak of.",
    "DELUSER <username> [<username> ...]",
    "    Take users away and end their connections.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Tell whether a user might run a command, without running it.",
    "GETUSER <username>",
    "    Show the flags, passwords and rights of a user.",
    "GENPASS [<bits>]",
    "    Make up a password of 256 random bits, or of as many as asked for. It is",
    "    printed in hexadecimal digits.",
    "LIST",
    "    Show all users, each by the rules that make it.",
    "LOAD",
    "    Replace all users by those of the ACL file.",
    "LOG [<count> | RESET]",
    "    Show what was denied of late, or forget it.",
    "SAVE",
    "    Write all users to the ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Apply rules to a user, who is made if there is none.",
    "USERS",
    "    Name all users.",
    "WHOAMI",
    "    Name the user of this connection.",
    "HELP",
    "    Show this text.",
];

/// The lines, as simple strings.
pub(super) fn reply() -> Reply {
    Reply::Array(LINES.iter().map(|line| Reply::Simple((*line).into())).collect())
}
