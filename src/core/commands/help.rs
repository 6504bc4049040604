//! SENTINEL HELP.

use crate::resp::Reply;

/// A subcommand's words, then lines about it.
const HELP: &[(&str, &[&str])] = &[
    (
        "CKQUORUM <master-name>",
        &[
            "Tell whether enough Sentinels can be reached right now: for the quorum",
            "that declares the master down, and for the majority that has to",
            "authorize a failover.",
        ],
    ),
    ("CONFIG SET <param> <value> [<param> <value> ...]", &["Change settings of this Sentinel itself."]),
    ("CONFIG GET <param> [<param> ...]", &["Show settings of this Sentinel itself, by name or pattern."]),
    (
        "DEBUG [<param> <value> ...]",
        &[
            "Without arguments, list the periods in milliseconds that can be tuned;",
            "with arguments, change them until the next start.",
        ],
    ),
    ("GET-MASTER-ADDR-BY-NAME <master-name>", &["Tell the address and port of the present master."]),
    (
        "FAILOVER <master-name> [COORDINATED]",
        &[
            "Promote a replica now without a vote of the other Sentinels; a master that",
            "works hands over without losing a write (COORDINATED: or not at all).",
        ],
    ),
    (
        "FLUSHCONFIG",
        &[
            "Write the configuration file anew, with all that this Sentinel has learnt",
            "about masters, replicas and Sentinels.",
        ],
    ),
    (
        "INFO-CACHE <master-name> [<master-name> ...]",
        &["Show the latest INFO of the master and its replicas."],
    ),
    (
        "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
        &[
            "Asked by other Sentinels: whether the master at that address looks down",
            "from here, and for whom this Sentinel votes.",
        ],
    ),
    ("MASTER <master-name>", &["Show all that is known about one master."]),
    ("MASTERS", &["Show all that is known about every master."]),
    ("MONITOR <name> <ip> <port> <quorum>", &["Watch one more master from now on."]),
    ("MYID", &["Tell the id of this Sentinel."]),
    ("PENDING-SCRIPTS", &["List the scripts that run or wait."]),
    ("REMOVE <master-name>", &["Watch a master no longer and forget it."]),
    ("REPLICAS <master-name>", &["Show all that is known about the replicas of a master."]),
    ("RESET <pattern>", &["Forget replicas, Sentinels and failovers of the masters that match."]),
    ("SENTINELS <master-name>", &["Show all that is known about the other Sentinels of a master."]),
    ("SET <master-name> <option> <value> [<option> <value> ...]", &["Change settings of a master."]),
    (
        "SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]",
        &["End the process at a chosen point of the next failover, for tests."],
    ),
    ("HELP", &["Show these lines."]),
];

/// The header, then each subcommand with its lines below, indented.
pub(super) fn reply() -> Reply {
    let header = "SENTINEL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:".to_owned();
    let lines = HELP.iter().flat_map(|(usage, lines)| {
        std::iter::once((*usage).to_owned()).chain(lines.iter().map(|line| format!("    {line}")))
    });
    Reply::Array(std::iter::once(header).chain(lines).map(|line| Reply::Simple(line.into())).collect())
}
