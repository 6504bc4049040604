//! The daemon itself: users, commands, state.

use super::argument::{integer, one_of, pattern, text, word};
use super::entry::Entry;

const fn entry(
    name: &'static str,
    since: &'static str,
    complexity: &'static str,
    summary: &'static str,
) -> Entry {
    Entry::new("server", name, since, complexity, summary)
}

const USERS: &str = "O(N), N users";

pub(super) static ENTRIES: &[Entry] = &[
    entry("acl", "6.0.0", "As the subcommand", "Users and what they may do"),
    entry("acl|cat", "6.0.0", "O(1)", "Name the categories of commands, or the commands of one")
        .arguments(&[text("categoryname").optional()]),
    entry("acl|deluser", "6.0.0", "O(N), N users given", "Take users away and end their connections")
        .arguments(&[text("username").multiple()]),
    entry("acl|dryrun", "7.0.0", "O(1)", "Tell whether a user might run a command, without running it")
        .arguments(&[text("username"), text("command"), text("arg").optional().multiple()]),
    entry("acl|genpass", "6.0.0", "O(1)", "Make up a random password")
        .arguments(&[integer("bits").optional()]),
    entry(
        "acl|getuser",
        "6.0.0",
        "O(N), N rules of the user",
        "Show the flags, passwords and rights of a user",
    )
    .history(&[
        ("6.2.0", "Shows channel patterns."),
        ("7.0.0", "Shows selectors; patterns are shown as rules."),
    ])
    .arguments(&[text("username")]),
    entry("acl|help", "6.0.0", "O(1)", "Show the subcommands of ACL"),
    entry("acl|list", "6.0.0", USERS, "Show all users, each by the rules that make it"),
    entry("acl|load", "6.0.0", USERS, "Replace all users by those of the ACL file"),
    entry("acl|log", "6.0.0", "O(N), N entries shown", "Show or forget what was denied of late")
        .arguments(&[one_of("operation", &[integer("count"), word("reset", "RESET")]).optional()]),
    entry("acl|save", "6.0.0", USERS, "Write all users to the ACL file"),
    entry(
        "acl|setuser",
        "6.0.0",
        "O(N), N rules given",
        "Apply rules to a user, who is made if there is none",
    )
    .history(&[("6.2.0", "Knows channel patterns."), ("7.0.0", "Knows selectors and rights to keys.")])
    .arguments(&[text("username"), text("rule").optional().multiple()]),
    entry("acl|users", "6.0.0", USERS, "Name all users"),
    entry("acl|whoami", "6.0.0", "O(1)", "Name the user of this connection"),
    entry("command", "2.8.13", "O(N), N commands", "Describe all commands"),
    entry("command|count", "2.8.13", "O(1)", "Count the commands"),
    entry("command|docs", "7.0.0", "O(N), N names given", "Document some commands, or all")
        .arguments(&[text("command-name").optional().multiple()]),
    entry("command|getkeys", "2.8.13", "O(N), N words given", "Pick the keys out of a request"),
    entry(
        "command|getkeysandflags",
        "7.0.0",
        "O(N), N words given",
        "Pick the keys out of a request and tell how they are used",
    ),
    entry("command|help", "5.0.0", "O(1)", "Show the subcommands of COMMAND"),
    entry("command|info", "2.8.13", "O(N), N names given", "Describe some commands, or all")
        .history(&[("7.0.0", "Without a name it describes all commands.")])
        .arguments(&[text("command-name").optional().multiple()]),
    entry("command|list", "7.0.0", "O(N), N commands", "Name the commands, all or those of a filter")
        .arguments(&[one_of(
            "filterby",
            &[
                text("module-name").token("MODULE"),
                text("category").token("ACLCAT"),
                pattern("pattern").token("PATTERN"),
            ],
        )
        .token("FILTERBY")
        .optional()]),
    entry("info", "1.0.0", "O(1)", "Show state and figures of the daemon")
        .history(&[("7.0.0", "Takes several sections.")])
        .arguments(&[text("section").optional().multiple()]),
    entry("role", "2.8.12", "O(1)", "Tell that this is a Sentinel, and what it monitors"),
    entry("shutdown", "1.0.0", "O(1)", "End the daemon")
        .history(&[("7.0.0", "Knows `NOW`, `FORCE` and `ABORT`.")])
        .arguments(&[
            one_of("nosave_save", &[word("nosave", "NOSAVE"), word("save", "SAVE")]).optional(),
            word("now", "NOW").since("7.0.0").optional(),
            word("force", "FORCE").since("7.0.0").optional(),
            word("abort", "ABORT").since("7.0.0").optional(),
        ]),
];
