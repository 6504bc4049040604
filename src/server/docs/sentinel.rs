//! SENTINEL. The later names of a command are documented as the command.

use super::argument::{block, integer, one_of, pattern, text, word};
use super::entry::Entry;

const fn entry(
    name: &'static str,
    since: &'static str,
    complexity: &'static str,
    summary: &'static str,
) -> Entry {
    Entry::new("sentinel", name, since, complexity, summary)
}

pub(super) static ENTRIES: &[Entry] = &[
    entry("sentinel", "2.8.4", "As the subcommand", "What is monitored, and how"),
    entry("sentinel|ckquorum", "2.8.4", "", "Tell whether enough Sentinels are there to agree on a failover")
        .arguments(&[text("master-name")]),
    entry("sentinel|config", "6.2.0", "O(1)", "Show or change settings of all groups").arguments(&[one_of(
        "set_or_get",
        &[
            block("set_param_value", &[text("parameter"), text("value")]).token("SET").multiple(),
            text("parameter").token("GET").multiple(),
        ],
    )]),
    entry(
        "sentinel|debug",
        "7.0.0",
        "O(N), N parameters",
        "Show or change the periods that Sentinel works by",
    )
    .arguments(&[block("parameter_value", &[text("parameter"), text("value")]).multiple()]),
    entry("sentinel|failover", "2.8.4", "", "Promote a replica without asking the other Sentinels")
        .arguments(&[text("master-name")]),
    entry("sentinel|flushconfig", "2.8.4", "O(1)", "Write the configuration file"),
    entry("sentinel|get-master-addr-by-name", "2.8.4", "O(1)", "Tell where the group's primary is")
        .arguments(&[text("master-name")]),
    entry("sentinel|get-primary-addr-by-name", "8.0.0", "O(1)", "Tell where the group's primary is")
        .arguments(&[text("primary-name")]),
    entry("sentinel|help", "6.2.0", "O(1)", "Show the subcommands of SENTINEL"),
    entry(
        "sentinel|info-cache",
        "3.2.0",
        "O(N), N instances",
        "Show the last INFO of the instances of groups",
    )
    .arguments(&[text("nodename").multiple()]),
    entry(
        "sentinel|is-master-down-by-addr",
        "2.8.4",
        "O(1)",
        "Tell another Sentinel whether a primary looks down from here, and vote",
    )
    .arguments(&[text("ip"), integer("port"), integer("current-epoch"), text("runid")]),
    entry(
        "sentinel|is-primary-down-by-addr",
        "8.0.0",
        "O(1)",
        "Tell another Sentinel whether a primary looks down from here, and vote",
    )
    .arguments(&[text("ip"), integer("port"), integer("current-epoch"), text("runid")]),
    entry("sentinel|master", "2.8.4", "O(1)", "Show the state of a group's primary")
        .arguments(&[text("master-name")]),
    entry("sentinel|masters", "2.8.4", "O(N), N groups", "Show the state of all groups' primaries"),
    entry("sentinel|monitor", "2.8.4", "O(1)", "Monitor a group from this moment on").arguments(&[
        text("name"),
        text("ip"),
        integer("port"),
        integer("quorum"),
    ]),
    entry("sentinel|myid", "6.2.0", "O(1)", "Tell this Sentinel's id"),
    entry("sentinel|pending-scripts", "2.8.4", "", "Show the scripts that run or wait"),
    entry("sentinel|primaries", "8.0.0", "O(N), N groups", "Show the state of all groups' primaries"),
    entry("sentinel|primary", "8.0.0", "O(1)", "Show the state of a group's primary")
        .arguments(&[text("primary-name")]),
    entry("sentinel|remove", "2.8.4", "O(1)", "Monitor a group no more").arguments(&[text("master-name")]),
    entry("sentinel|replicas", "5.0.0", "O(N), N replicas", "Show the state of a group's replicas")
        .arguments(&[text("master-name")]),
    entry(
        "sentinel|reset",
        "2.8.4",
        "O(N), N groups",
        "Forget all replicas and Sentinels of the groups that match",
    )
    .arguments(&[pattern("pattern")]),
    entry("sentinel|sentinels", "2.8.4", "O(N), N Sentinels", "Show the other Sentinels of a group")
        .arguments(&[text("master-name")]),
    entry("sentinel|set", "2.8.4", "O(1)", "Change settings of a group").arguments(&[
        text("master-name"),
        block("option_value", &[text("option"), text("value")]).multiple(),
    ]),
    entry("sentinel|simulate-failure", "3.2.0", "", "Crash at a chosen moment of the next failover")
        .arguments(&[one_of(
            "mode",
            &[
                word("crash-after-election", "CRASH-AFTER-ELECTION"),
                word("crash-after-promotion", "CRASH-AFTER-PROMOTION"),
                word("help", "HELP"),
            ],
        )
        .optional()
        .multiple()]),
    entry("sentinel|slaves", "2.8.0", "O(N), N replicas", "Show the state of a group's replicas")
        .replaced("5.0.0", "`SENTINEL REPLICAS`")
        .arguments(&[text("master-name")]),
];
