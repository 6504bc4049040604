//! The rows of the command table.

use super::{Categories, Category, CommandSpec, Flags, Listing};

/// Number of rows, subcommands included.
pub(super) const COUNT: usize = 16 + 13 + 17 + 7 + 25;

// Where each block of rows begins: ids are positions.
const ACL_AT: u8 = 16;
const CLIENT_AT: u8 = ACL_AT + 13;
const COMMAND_AT: u8 = CLIENT_AT + 17;
const SENTINEL_AT: u8 = COMMAND_AT + 7;

const ADMIN: Flags = Flags::ADMIN;
const PUBSUB: Flags = Flags::PUBSUB;
const FAST: Flags = Flags::FAST;
/// Works at any time of a server's life.
const READY: Flags = Flags::LOADING.and(Flags::STALE);
const UNSCRIPTED: Flags = READY.and(Flags::NOSCRIPT);
const UNAUTHENTICATED: Flags = UNSCRIPTED.and(FAST).and(Flags::NO_AUTH).and(Flags::ALLOW_BUSY);

const SLOW: Categories = Categories::of(&[Category::SLOW]);
const SLOW_ADMIN: Categories = Categories::of(&[Category::ADMIN, Category::SLOW, Category::DANGEROUS]);
const FAST_ADMIN: Categories = Categories::of(&[Category::ADMIN, Category::FAST, Category::DANGEROUS]);
const SLOW_DANGEROUS: Categories = Categories::of(&[Category::SLOW, Category::DANGEROUS]);
const SLOW_CONNECTION: Categories = Categories::of(&[Category::SLOW, Category::CONNECTION]);
const FAST_CONNECTION: Categories = Categories::of(&[Category::FAST, Category::CONNECTION]);
const ADMIN_CONNECTION: Categories =
    Categories::of(&[Category::ADMIN, Category::SLOW, Category::DANGEROUS, Category::CONNECTION]);
const SLOW_PUBSUB: Categories = Categories::of(&[Category::PUBSUB, Category::SLOW]);
const FAST_PUBSUB: Categories = Categories::of(&[Category::PUBSUB, Category::FAST]);

const VARYING: &[&str] = &["nondeterministic_output"];
const VARYING_ORDER: &[&str] = &["nondeterministic_output_order"];

const fn row(full_name: &'static str, arity: i8, flags: Flags, categories: Categories) -> CommandSpec {
    CommandSpec::new(full_name, arity, flags, categories)
}

const fn acl(full_name: &'static str, arity: i8) -> CommandSpec {
    row(full_name, arity, ADMIN.and(UNSCRIPTED), SLOW_ADMIN)
}

const fn acl_open(full_name: &'static str, arity: i8) -> CommandSpec {
    row(full_name, arity, UNSCRIPTED, SLOW)
}

const fn client(full_name: &'static str, arity: i8) -> CommandSpec {
    row(full_name, arity, UNSCRIPTED, SLOW_CONNECTION)
}

const fn client_admin(full_name: &'static str, arity: i8) -> CommandSpec {
    row(full_name, arity, ADMIN.and(UNSCRIPTED), ADMIN_CONNECTION)
}

const fn command(full_name: &'static str, arity: i8) -> CommandSpec {
    row(full_name, arity, READY, SLOW_CONNECTION)
}

const fn sentinel(full_name: &'static str, arity: i8) -> CommandSpec {
    row(full_name, arity, ADMIN, SLOW_ADMIN)
}

/// Gives rows their ids, counting from `first`.
const fn numbered<const N: usize>(mut rows: [CommandSpec; N], first: u8) -> [CommandSpec; N] {
    let mut at = 0;
    let mut id = first;
    while at < N {
        rows[at].id = id;
        at += 1;
        id += 1;
    }
    rows
}

pub(super) static TOP: [CommandSpec; 16] = numbered(
    [
        row("acl", -2, Flags::NONE, SLOW).subcommands(&ACL),
        row("auth", -2, UNAUTHENTICATED, FAST_CONNECTION),
        row("client", -2, Flags::NONE, SLOW).subcommands(&CLIENT),
        row("command", -1, READY, SLOW_CONNECTION).tips(VARYING_ORDER).subcommands(&COMMAND),
        row("hello", -1, UNAUTHENTICATED, FAST_CONNECTION),
        row("info", -1, READY, SLOW_DANGEROUS).tips(&[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ]),
        row("ping", -1, FAST, FAST_CONNECTION)
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
        row("psubscribe", -2, PUBSUB.and(UNSCRIPTED), SLOW_PUBSUB),
        row("publish", 3, PUBSUB.and(READY).and(FAST), FAST_PUBSUB),
        row("punsubscribe", -1, PUBSUB.and(UNSCRIPTED), SLOW_PUBSUB),
        row("role", 1, UNSCRIPTED.and(FAST), FAST_ADMIN),
        sentinel("sentinel", -2).subcommands(&SENTINEL),
        row("shutdown", -1, ADMIN.and(UNSCRIPTED).and(Flags::NO_MULTI).and(Flags::ALLOW_BUSY), SLOW_ADMIN),
        row("subscribe", -2, PUBSUB.and(UNSCRIPTED), SLOW_PUBSUB),
        row("unsubscribe", -1, PUBSUB.and(UNSCRIPTED), SLOW_PUBSUB),
        // Redis 6 had it; clients still send it and need no right for it.
        row("quit", -1, UNAUTHENTICATED, FAST_CONNECTION).listed_by(Listing::Nobody, ""),
    ],
    0,
);

static ACL: [CommandSpec; 13] = numbered(
    [
        acl_open("acl|cat", -2),
        acl("acl|deluser", -3),
        acl("acl|dryrun", -4),
        acl_open("acl|genpass", -2),
        acl("acl|getuser", 3),
        row("acl|help", 2, READY, SLOW),
        acl("acl|list", 2),
        acl("acl|load", 2),
        acl("acl|log", -2),
        acl("acl|save", 2),
        acl("acl|setuser", -3),
        acl("acl|users", 2),
        acl_open("acl|whoami", 2),
    ],
    ACL_AT,
);

static CLIENT: [CommandSpec; 17] = numbered(
    [
        client("client|caching", 3),
        client("client|getname", 2),
        client("client|getredir", 2),
        row("client|help", 2, READY, SLOW_CONNECTION),
        client("client|id", 2),
        client("client|info", 2).tips(VARYING),
        client_admin("client|kill", -3),
        client_admin("client|list", -2).tips(VARYING),
        client_admin("client|no-evict", 3),
        client_admin("client|pause", -3),
        client("client|reply", 3),
        client("client|setinfo", 4).listed_by(Listing::Later, "client|setname"),
        client("client|setname", 3),
        client("client|tracking", -3),
        client("client|trackinginfo", 2),
        client_admin("client|unblock", -3),
        client_admin("client|unpause", 2),
    ],
    CLIENT_AT,
);

static COMMAND: [CommandSpec; 7] = numbered(
    [
        command("command|count", 2),
        command("command|docs", -2).tips(VARYING_ORDER),
        command("command|getkeys", -4),
        command("command|getkeysandflags", -4),
        command("command|help", 2),
        command("command|info", -2).tips(VARYING_ORDER),
        command("command|list", -2).tips(VARYING_ORDER),
    ],
    COMMAND_AT,
);

static SENTINEL: [CommandSpec; 25] = numbered(
    [
        sentinel("sentinel|ckquorum", 3),
        sentinel("sentinel|config", -3),
        sentinel("sentinel|debug", -2),
        // Valkey 9 takes COORDINATED behind the name.
        sentinel("sentinel|failover", 3).optional(1),
        sentinel("sentinel|flushconfig", 2),
        sentinel("sentinel|get-master-addr-by-name", 3),
        sentinel("sentinel|get-primary-addr-by-name", 3)
            .listed_by(Listing::Valkey, "sentinel|get-master-addr-by-name"),
        row("sentinel|help", 2, READY, SLOW),
        sentinel("sentinel|info-cache", -3),
        sentinel("sentinel|is-master-down-by-addr", 6),
        sentinel("sentinel|is-primary-down-by-addr", 6)
            .listed_by(Listing::Valkey, "sentinel|is-master-down-by-addr"),
        sentinel("sentinel|master", 3),
        sentinel("sentinel|masters", 2),
        sentinel("sentinel|monitor", 6),
        sentinel("sentinel|myid", 2),
        sentinel("sentinel|pending-scripts", 2),
        sentinel("sentinel|primaries", 2).listed_by(Listing::Valkey, "sentinel|masters"),
        sentinel("sentinel|primary", 3).listed_by(Listing::Valkey, "sentinel|master"),
        sentinel("sentinel|remove", 3),
        sentinel("sentinel|replicas", 3),
        sentinel("sentinel|reset", 3),
        sentinel("sentinel|sentinels", 3),
        sentinel("sentinel|set", -5),
        sentinel("sentinel|simulate-failure", -3),
        sentinel("sentinel|slaves", 3),
    ],
    SENTINEL_AT,
);
