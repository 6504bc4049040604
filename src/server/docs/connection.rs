//! Connections: logging in, naming, listing, ending.

use super::argument::{block, integer, one_of, text, word};
use super::entry::Entry;

const fn entry(
    name: &'static str,
    since: &'static str,
    complexity: &'static str,
    summary: &'static str,
) -> Entry {
    Entry::new("connection", name, since, complexity, summary)
}

const CLIENTS: &str = "O(N), N connected clients";

pub(super) static ENTRIES: &[Entry] = &[
    entry("auth", "1.0.0", "O(N), N passwords of the user", "Log in")
        .history(&[("6.0.0", "Takes a user's name, too.")])
        .arguments(&[text("username").since("6.0.0").optional(), text("password")]),
    entry("client", "2.4.0", "As the subcommand", "Connections of clients"),
    entry("client|caching", "6.0.0", "O(1)", "Choose whether keys of the next request are tracked")
        .arguments(&[one_of("mode", &[word("yes", "YES"), word("no", "NO")])]),
    entry("client|getname", "2.6.9", "O(1)", "Tell the name of this connection"),
    entry("client|getredir", "6.0.0", "O(1)", "Tell which client gets this connection's tracking messages"),
    entry("client|help", "5.0.0", "O(1)", "Show the subcommands of CLIENT"),
    entry("client|id", "5.0.0", "O(1)", "Tell the number of this connection"),
    entry("client|info", "6.2.0", "O(1)", "Describe this connection"),
    entry("client|kill", "2.4.0", CLIENTS, "End connections")
        .history(&[
            ("2.8.12", "Knows filters, `ID` and `TYPE` among them."),
            ("3.2.0", "Knows `TYPE master`."),
            ("5.0.0", "Knows `TYPE replica`."),
            ("6.2.0", "Knows `LADDR`."),
        ])
        .arguments(&[one_of(
            "filter",
            &[
                text("ip:port").deprecated_since("2.8.12"),
                one_of(
                    "new-format",
                    &[
                        integer("client-id").token("ID").since("2.8.12").optional(),
                        one_of(
                            "normal_master_slave_pubsub",
                            &[
                                word("normal", "NORMAL"),
                                word("master", "MASTER").since("3.2.0"),
                                word("slave", "SLAVE"),
                                word("replica", "REPLICA").since("5.0.0"),
                                word("pubsub", "PUBSUB"),
                            ],
                        )
                        .token("TYPE")
                        .since("2.8.12")
                        .optional(),
                        text("username").token("USER").optional(),
                        text("ip:port").token("ADDR").optional(),
                        text("ip:port").token("LADDR").since("6.2.0").optional(),
                        text("yes/no").token("SKIPME").optional(),
                    ],
                )
                .multiple(),
            ],
        )]),
    entry("client|list", "2.4.0", CLIENTS, "Describe all connections, or those of a filter")
        .history(&[
            ("2.8.12", "Shows `id`."),
            ("5.0.0", "Knows `TYPE`."),
            ("6.0.0", "Shows `user`."),
            ("6.2.0", "Knows `ID`; shows `argv-mem`, `tot-mem`, `laddr` and `redir`."),
            ("7.0.0", "Shows `resp`, `multi-mem`, `rbs` and `rbp`."),
            ("7.0.3", "Shows `ssub`."),
        ])
        .arguments(&[
            one_of(
                "normal_master_replica_pubsub",
                &[
                    word("normal", "NORMAL"),
                    word("master", "MASTER"),
                    word("replica", "REPLICA"),
                    word("pubsub", "PUBSUB"),
                ],
            )
            .token("TYPE")
            .since("5.0.0")
            .optional(),
            block("id", &[integer("client-id").multiple()]).token("ID").since("6.2.0").optional(),
        ]),
    entry("client|no-evict", "7.0.0", "O(1)", "Choose whether this connection may be ended to free memory")
        .arguments(&[one_of("enabled", &[word("on", "ON"), word("off", "OFF")])]),
    entry("client|pause", "2.9.50", "O(1)", "Let requests wait for a time")
        .history(&[("6.2.0", "Knows modes.")])
        .arguments(&[
            integer("timeout"),
            one_of("mode", &[word("write", "WRITE"), word("all", "ALL")]).since("6.2.0").optional(),
        ]),
    entry("client|reply", "3.2.0", "O(1)", "Choose whether requests are answered")
        .arguments(&[one_of("on_off_skip", &[word("on", "ON"), word("off", "OFF"), word("skip", "SKIP")])]),
    entry("client|setinfo", "7.2.0", "O(1)", "Tell which client library uses this connection")
        .arguments(&[one_of("attr", &[text("libname").token("LIB-NAME"), text("libver").token("LIB-VER")])]),
    entry("client|setname", "2.6.9", "O(1)", "Give this connection a name")
        .arguments(&[text("connection-name")]),
    entry("client|tracking", "6.0.0", "O(1)", "Choose whether keys that this connection reads are tracked")
        .arguments(&[
            one_of("status", &[word("on", "ON"), word("off", "OFF")]),
            integer("client-id").token("REDIRECT").optional(),
            text("prefix").token("PREFIX").optional().multiple().multiple_token(),
            word("bcast", "BCAST").optional(),
            word("optin", "OPTIN").optional(),
            word("optout", "OPTOUT").optional(),
            word("noloop", "NOLOOP").optional(),
        ]),
    entry("client|trackinginfo", "6.2.0", "O(1)", "Tell how keys of this connection are tracked"),
    entry("client|unblock", "5.0.0", "O(log N), N connected clients", "End another connection's wait")
        .arguments(&[
            integer("client-id"),
            one_of("timeout_error", &[word("timeout", "TIMEOUT"), word("error", "ERROR")]).optional(),
        ]),
    entry("client|unpause", "6.2.0", "O(N), N waiting clients", "Let requests run again"),
    entry("hello", "6.0.0", "O(1)", "Agree on the protocol; log in and name the connection, if asked to")
        .history(&[("6.2.0", "Without a version it only describes the connection.")])
        .arguments(&[block(
            "arguments",
            &[
                integer("protover"),
                block("username_password", &[text("username"), text("password")]).token("AUTH").optional(),
                text("clientname").token("SETNAME").optional(),
            ],
        )
        .optional()]),
    entry("ping", "1.0.0", "O(1)", "Answer").arguments(&[text("message").optional()]),
];
