//! The directives of redis.conf and valkey.conf that a Sentinel accepts: name, older name, what it takes, default.
//!
//! A value that differs from the default is written when the file is rewritten; an older name becomes the newer one.
//! Where Redis and Valkey differ in the name, both are here and neither is turned into the other, so that the file
//! stays good for either.

use super::value::Kind;

const LONG_MAX: i128 = i64::MAX as i128;
const ULONG_MAX: i128 = u64::MAX as i128;
const INT: Kind = Kind::Int(0, i32::MAX as i128);
const LONG: Kind = Kind::Int(0, LONG_MAX);
const PORT: Kind = Kind::Int(0, 65535);
const MEM: Kind = Kind::Memory(0, LONG_MAX);

/// One directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name, in lower case.
    pub name: &'static str,
    /// The name that it had before; empty if none.
    pub alias: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its default, as words of a line.
    pub default: &'static str,
}

const fn spec(name: &'static str, kind: Kind, default: &'static str) -> Spec {
    Spec { name, alias: "", kind, default }
}

const fn renamed(name: &'static str, alias: &'static str, kind: Kind, default: &'static str) -> Spec {
    Spec { name, alias, kind, default }
}

/// Directives of earlier versions that are read and dropped.
pub const DROPPED: [&str; 3] =
    ["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

/// The directive that a word names (any case).
#[must_use]
pub fn find(word: &str) -> Option<&'static Spec> {
    TABLE.iter().find(|spec| {
        spec.name.eq_ignore_ascii_case(word)
            || (!spec.alias.is_empty() && spec.alias.eq_ignore_ascii_case(word))
    })
}

/// All directives that hold one value each.
#[rustfmt::skip]
pub const TABLE: &[Spec] = &[
    // Listeners and clients
    spec("bind", Kind::Words, "* -::*"),
    spec("bind-source-addr", Kind::OptionalText, ""),
    spec("port", PORT, "6379"),
    spec("protected-mode", Kind::Bool, "yes"),
    spec("tcp-backlog", INT, "511"),
    spec("tcp-keepalive", INT, "300"),
    spec("timeout", INT, "0"),
    spec("maxclients", Kind::Int(1, u32::MAX as i128), "10000"),
    spec("unixsocket", Kind::OptionalText, ""),
    spec("unixsocketperm", Kind::Octal(0, 0o777), "0"),
    spec("unixsocketgroup", Kind::OptionalText, ""),
    spec("socket-mark-id", Kind::Int(0, u32::MAX as i128), "0"),
    spec("client-query-buffer-limit", Kind::Memory(1 << 20, LONG_MAX), "1gb"),
    spec("proto-max-bulk-len", Kind::Memory(1 << 20, LONG_MAX), "512mb"),
    spec("maxmemory-clients", Kind::MemoryOrPercent(-100, LONG_MAX), "0"),
    spec("max-new-connections-per-cycle", Kind::Int(1, 1000), "10"),
    spec("max-new-tls-connections-per-cycle", Kind::Int(1, 1000), "1"),
    spec("client-default-resp", Kind::Int(2, 3), "2"),
    spec("req-res-logfile", Kind::OptionalText, ""),
    spec("mptcp", Kind::Bool, "no"),
    spec("repl-mptcp", Kind::Bool, "no"),
    spec("extended-redis-compatibility", Kind::Bool, "no"),
    spec("availability-zone", Kind::Text, ""),
    spec("rdma-bind", Kind::Words, ""),
    spec("rdma-port", PORT, "0"),
    spec("rdma-rx-size", Kind::Int(65536, 16777216), "1048576"),
    spec("rdma-completion-vector", Kind::Int(-1, 1024), "-1"),
    // TLS
    spec("tls-port", PORT, "0"),
    spec("tls-cert-file", Kind::OptionalText, ""),
    spec("tls-key-file", Kind::OptionalText, ""),
    spec("tls-key-file-pass", Kind::OptionalText, ""),
    spec("tls-client-cert-file", Kind::OptionalText, ""),
    spec("tls-client-key-file", Kind::OptionalText, ""),
    spec("tls-client-key-file-pass", Kind::OptionalText, ""),
    spec("tls-dh-params-file", Kind::OptionalText, ""),
    spec("tls-ca-cert-file", Kind::OptionalText, ""),
    spec("tls-ca-cert-dir", Kind::OptionalText, ""),
    spec("tls-protocols", Kind::OptionalText, ""),
    spec("tls-ciphers", Kind::OptionalText, ""),
    spec("tls-ciphersuites", Kind::OptionalText, ""),
    spec("tls-auth-clients", Kind::Choice(&["no", "yes", "optional"]), "yes"),
    spec("tls-auth-clients-user", Kind::Words, "off"),
    spec("tls-replication", Kind::Bool, "no"),
    spec("tls-cluster", Kind::Bool, "no"),
    spec("tls-prefer-server-ciphers", Kind::Bool, "no"),
    spec("tls-session-caching", Kind::Bool, "yes"),
    spec("tls-session-cache-size", INT, "20480"),
    spec("tls-session-cache-timeout", INT, "300"),
    spec("tls-auto-reload-interval", INT, "0"),
    // Rights
    spec("requirepass", Kind::OptionalText, ""),
    spec("aclfile", Kind::Text, ""),
    spec("acllog-max-len", LONG, "128"),
    spec("acl-pubsub-default", Kind::Choice(&["allchannels", "resetchannels"]), "resetchannels"),
    spec("enable-protected-configs", Kind::Choice(&["no", "yes", "local"]), "no"),
    spec("enable-debug-command", Kind::Choice(&["no", "yes", "local"]), "no"),
    spec("enable-module-command", Kind::Choice(&["no", "yes", "local"]), "no"),
    spec("enable-debug-assert", Kind::Bool, "no"),
    spec("debug-assert-enabled", Kind::Bool, "no"),
    spec("debug-context", Kind::Text, ""),
    // Process and log
    spec("daemonize", Kind::Bool, "no"),
    spec("supervised", Kind::Choice(&["upstart", "systemd", "auto", "no"]), "no"),
    spec("pidfile", Kind::OptionalText, ""),
    spec("dir", Kind::Text, ""),
    spec("loglevel", Kind::Choice(&["debug", "verbose", "notice", "warning", "nothing"]), "notice"),
    spec("logfile", Kind::Text, ""),
    spec("log-format", Kind::Choice(&["legacy", "logfmt"]), "legacy"),
    spec("log-timestamp-format", Kind::Choice(&["legacy", "iso8601", "milliseconds"]), "legacy"),
    spec("hide-user-data-from-log", Kind::Bool, "yes"),
    spec("syslog-enabled", Kind::Bool, "no"),
    spec("syslog-ident", Kind::Text, "redis"),
    spec("syslog-facility", Kind::Choice(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]), "local0"),
    spec("always-show-logo", Kind::Bool, "no"),
    spec("set-proc-title", Kind::Bool, "yes"),
    spec("proc-title-template", Kind::Text, "{title} {listen-addr} {server-mode}"),
    spec("locale-collate", Kind::Text, ""),
    spec("crash-log-enabled", Kind::Bool, "yes"),
    spec("crash-memcheck-enabled", Kind::Bool, "yes"),
    spec("use-exit-on-panic", Kind::Bool, "no"),
    spec("watchdog-period", INT, "0"),
    spec("oom-score-adj", Kind::Choice(&["no", "yes", "relative", "absolute"]), "no"),
    spec("oom-score-adj-values", Kind::Words, "0 200 800"),
    spec("disable-thp", Kind::Bool, "yes"),
    spec("server-cpulist", Kind::OptionalText, ""),
    spec("bio-cpulist", Kind::OptionalText, ""),
    spec("aof-rewrite-cpulist", Kind::OptionalText, ""),
    spec("bgsave-cpulist", Kind::OptionalText, ""),
    spec("server_cpulist", Kind::OptionalText, ""),
    spec("bio_cpulist", Kind::OptionalText, ""),
    spec("aof_rewrite_cpulist", Kind::OptionalText, ""),
    spec("bgsave_cpulist", Kind::OptionalText, ""),
    spec("shutdown-timeout", INT, "10"),
    spec("shutdown-on-sigint", Kind::Words, "default"),
    spec("shutdown-on-sigterm", Kind::Words, "default"),
    spec("ignore-warnings", Kind::Text, ""),
    spec("io-threads", Kind::Int(1, 256), "1"),
    spec("io-threads-do-reads", Kind::Bool, "no"),
    spec("io-threads-always-active", Kind::Bool, "no"),
    spec("events-per-io-thread", INT, "2"),
    spec("prefetch-batch-max-size", Kind::Int(0, 128), "16"),
    spec("min-io-threads-avoid-copy-reply", INT, "7"),
    spec("min-string-size-avoid-copy-reply", INT, "16384"),
    spec("min-string-size-avoid-copy-reply-threaded", INT, "65536"),
    spec("hz", INT, "10"),
    spec("dynamic-hz", Kind::Bool, "yes"),
    spec("databases", Kind::Int(1, i32::MAX as i128), "16"),
    spec("lookahead", Kind::Int(1, i32::MAX as i128), "16"),
    spec("jemalloc-bg-thread", Kind::Bool, "yes"),
    // Data: no effect here
    spec("activerehashing", Kind::Bool, "yes"),
    spec("active-expire-effort", Kind::Int(1, 10), "1"),
    spec("activedefrag", Kind::Bool, "no"),
    spec("active-defrag-cycle-min", Kind::Int(1, 99), "1"),
    spec("active-defrag-cycle-max", Kind::Int(1, 99), "25"),
    spec("active-defrag-cycle-us", Kind::Int(0, 100000), "500"),
    spec("active-defrag-ignore-bytes", Kind::Memory(1, LONG_MAX), "100mb"),
    spec("active-defrag-max-scan-fields", Kind::Int(1, LONG_MAX), "1000"),
    spec("active-defrag-threshold-lower", Kind::Int(0, 1000), "10"),
    spec("active-defrag-threshold-upper", Kind::Int(0, 1000), "100"),
    spec("lazyfree-lazy-eviction", Kind::Bool, "no"),
    spec("lazyfree-lazy-expire", Kind::Bool, "no"),
    spec("lazyfree-lazy-server-del", Kind::Bool, "no"),
    spec("lazyfree-lazy-user-del", Kind::Bool, "no"),
    spec("lazyfree-lazy-user-flush", Kind::Bool, "no"),
    spec("lazyexpire-nested-arbitrary-keys", Kind::Bool, "yes"),
    spec("lfu-log-factor", INT, "10"),
    spec("lfu-decay-time", INT, "1"),
    spec("maxmemory", Kind::Memory(0, ULONG_MAX), "0"),
    spec("maxmemory-policy", Kind::Choice(&["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "volatile-lrm", "allkeys-lru", "allkeys-lfu", "allkeys-random", "allkeys-lrm", "noeviction"]), "noeviction"),
    spec("maxmemory-samples", Kind::Int(1, 64), "5"),
    spec("maxmemory-eviction-tenacity", Kind::Int(0, 100), "10"),
    renamed("hash-max-listpack-entries", "hash-max-ziplist-entries", LONG, "512"),
    renamed("hash-max-listpack-value", "hash-max-ziplist-value", MEM, "64"),
    renamed("zset-max-listpack-entries", "zset-max-ziplist-entries", LONG, "128"),
    renamed("zset-max-listpack-value", "zset-max-ziplist-value", MEM, "64"),
    renamed("list-max-listpack-size", "list-max-ziplist-size", Kind::Int(i32::MIN as i128, i32::MAX as i128), "-2"),
    spec("list-compress-depth", INT, "0"),
    spec("set-max-intset-entries", LONG, "512"),
    spec("set-max-listpack-entries", LONG, "128"),
    spec("set-max-listpack-value", LONG, "64"),
    spec("hll-sparse-max-bytes", MEM, "3000"),
    spec("stream-node-max-bytes", MEM, "4kb"),
    spec("stream-node-max-entries", LONG, "100"),
    spec("stream-idmp-duration", LONG, "100"),
    spec("stream-idmp-maxsize", LONG, "100"),
    spec("tracking-table-max-keys", LONG, "1000000"),
    spec("hash-seed", Kind::Text, ""),
    spec("import-mode", Kind::Bool, "no"),
    spec("key-memory-histograms", Kind::Bool, "no"),
    spec("vset-force-single-threaded-execution", Kind::Bool, "no"),
    spec("notify-keyspace-events", Kind::Text, ""),
    spec("latency-tracking", Kind::Bool, "yes"),
    spec("latency-tracking-info-percentiles", Kind::Words, "50 99 99.9"),
    spec("latency-monitor-threshold", LONG, "0"),
    spec("slowlog-log-slower-than", Kind::Int(-1, LONG_MAX), "10000"),
    spec("slowlog-max-len", LONG, "128"),
    spec("commandlog-execution-slower-than", Kind::Int(-1, LONG_MAX), "10000"),
    spec("commandlog-request-larger-than", Kind::Int(-1, LONG_MAX), "1048576"),
    spec("commandlog-reply-larger-than", Kind::Int(-1, LONG_MAX), "1048576"),
    spec("commandlog-slow-execution-max-len", LONG, "128"),
    spec("commandlog-large-request-max-len", LONG, "128"),
    spec("commandlog-large-reply-max-len", LONG, "128"),
    renamed("busy-reply-threshold", "lua-time-limit", LONG, "5000"),
    spec("lua-enable-deprecated-api", Kind::Bool, "no"),
    spec("lua-enable-insecure-api", Kind::Bool, "no"),
    spec("propagation-error-behavior", Kind::Choice(&["ignore", "panic", "panic-on-replicas"]), "ignore"),
    spec("sanitize-dump-payload", Kind::Choice(&["no", "yes", "clients"]), "no"),
    // Files of data: no effect here
    spec("appendonly", Kind::Bool, "no"),
    spec("appendfilename", Kind::Text, "appendonly.aof"),
    spec("appenddirname", Kind::Text, "appendonlydir"),
    spec("appendfsync", Kind::Choice(&["everysec", "always", "no"]), "everysec"),
    spec("no-appendfsync-on-rewrite", Kind::Bool, "no"),
    spec("auto-aof-rewrite-percentage", INT, "100"),
    spec("auto-aof-rewrite-min-size", MEM, "64mb"),
    spec("aof-load-truncated", Kind::Bool, "yes"),
    spec("aof-load-corrupt-tail-max-size", MEM, "0"),
    spec("aof-use-rdb-preamble", Kind::Bool, "yes"),
    spec("aof-timestamp-enabled", Kind::Bool, "no"),
    spec("aof-disable-auto-gc", Kind::Bool, "no"),
    spec("aof-rewrite-incremental-fsync", Kind::Bool, "yes"),
    spec("dbfilename", Kind::Text, "dump.rdb"),
    spec("rdbchecksum", Kind::Bool, "yes"),
    spec("rdbcompression", Kind::Bool, "yes"),
    spec("rdb-del-sync-files", Kind::Bool, "no"),
    spec("rdb-save-incremental-fsync", Kind::Bool, "yes"),
    spec("rdb-key-save-delay", Kind::Int(i32::MIN as i128, i32::MAX as i128), "0"),
    spec("rdb-version-check", Kind::Choice(&["strict", "relaxed"]), "strict"),
    spec("key-load-delay", Kind::Int(i32::MIN as i128, i32::MAX as i128), "0"),
    spec("loading-process-events-interval-bytes", Kind::Int(1024, i32::MAX as i128), "2097152"),
    spec("stop-writes-on-bgsave-error", Kind::Bool, "yes"),
    // Replication and cluster: no effect here
    spec("replicaof", Kind::Words, ""),
    spec("slaveof", Kind::Words, ""),
    spec("masterauth", Kind::OptionalText, ""),
    spec("masteruser", Kind::OptionalText, ""),
    spec("primaryauth", Kind::OptionalText, ""),
    spec("primaryuser", Kind::OptionalText, ""),
    renamed("min-replicas-to-write", "min-slaves-to-write", INT, "0"),
    renamed("min-replicas-max-lag", "min-slaves-max-lag", INT, "10"),
    spec("repl-backlog-size", Kind::Memory(1, LONG_MAX), "1mb"),
    spec("repl-backlog-ttl", LONG, "3600"),
    spec("repl-timeout", Kind::Int(1, i32::MAX as i128), "60"),
    renamed("repl-ping-replica-period", "repl-ping-slave-period", Kind::Int(1, i32::MAX as i128), "10"),
    spec("repl-disable-tcp-nodelay", Kind::Bool, "no"),
    spec("repl-diskless-load", Kind::Choice(&["disabled", "on-empty-db", "swapdb", "flush-before-load", "always"]), "disabled"),
    spec("repl-diskless-sync", Kind::Bool, "yes"),
    spec("repl-diskless-sync-delay", INT, "5"),
    spec("repl-diskless-sync-max-replicas", INT, "0"),
    spec("repl-rdb-channel", Kind::Bool, "no"),
    spec("replica-full-sync-buffer-limit", MEM, "0"),
    spec("dual-channel-replication-enabled", Kind::Bool, "no"),
    renamed("replica-announce-ip", "slave-announce-ip", Kind::OptionalText, ""),
    renamed("replica-announce-port", "slave-announce-port", PORT, "0"),
    spec("replica-announced", Kind::Bool, "yes"),
    renamed("replica-priority", "slave-priority", INT, "100"),
    renamed("replica-read-only", "slave-read-only", Kind::Bool, "yes"),
    renamed("replica-serve-stale-data", "slave-serve-stale-data", Kind::Bool, "yes"),
    renamed("replica-ignore-maxmemory", "slave-ignore-maxmemory", Kind::Bool, "yes"),
    spec("replica-ignore-disk-write-errors", Kind::Bool, "no"),
    renamed("replica-lazy-flush", "slave-lazy-flush", Kind::Bool, "no"),
    spec("cluster-enabled", Kind::Bool, "no"),
    spec("cluster-config-file", Kind::Text, "nodes.conf"),
    spec("cluster-node-timeout", LONG, "15000"),
    spec("cluster-port", PORT, "0"),
    spec("cluster-announce-ip", Kind::OptionalText, ""),
    spec("cluster-announce-hostname", Kind::OptionalText, ""),
    spec("cluster-announce-human-nodename", Kind::OptionalText, ""),
    spec("cluster-announce-port", PORT, "0"),
    spec("cluster-announce-tls-port", PORT, "0"),
    spec("cluster-announce-bus-port", PORT, "0"),
    spec("cluster-announce-client-ipv4", Kind::OptionalText, ""),
    spec("cluster-announce-client-ipv6", Kind::OptionalText, ""),
    spec("cluster-announce-client-port", PORT, "0"),
    spec("cluster-announce-client-tls-port", PORT, "0"),
    renamed("cluster-replica-no-failover", "cluster-slave-no-failover", Kind::Bool, "no"),
    renamed("cluster-replica-validity-factor", "cluster-slave-validity-factor", INT, "10"),
    spec("cluster-migration-barrier", INT, "1"),
    spec("cluster-allow-replica-migration", Kind::Bool, "yes"),
    spec("cluster-require-full-coverage", Kind::Bool, "yes"),
    spec("cluster-allow-reads-when-down", Kind::Bool, "no"),
    spec("cluster-allow-pubsubshard-when-down", Kind::Bool, "yes"),
    spec("cluster-link-sendbuf-limit", Kind::Memory(0, ULONG_MAX), "0"),
    spec("cluster-preferred-endpoint-type", Kind::Choice(&["ip", "hostname", "unknown-endpoint"]), "ip"),
    spec("cluster-compatibility-sample-ratio", Kind::Int(0, 100), "0"),
    spec("cluster-slot-stats-enabled", Kind::Words, "no"),
    spec("cluster-ping-interval", LONG, "0"),
    spec("cluster-blacklist-ttl", LONG, "60"),
    spec("cluster-databases", Kind::Int(1, i32::MAX as i128), "1"),
    spec("cluster-manual-failover-timeout", LONG, "5000"),
    spec("cluster-message-gossip-perc", LONG, "10"),
    spec("cluster-config-save-behavior", Kind::Text, "sync"),
    spec("cluster-slot-migration-log-max-len", LONG, "1000"),
    spec("cluster-slot-migration-handoff-max-lag-bytes", MEM, "1mb"),
    spec("cluster-slot-migration-write-pause-timeout", LONG, "10000"),
    spec("cluster-slot-migration-max-archived-tasks", LONG, "32"),
    spec("slot-migration-max-failover-repl-bytes", Kind::Int(-1, LONG_MAX), "0"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::grammar;

    #[test]
    fn every_name_is_there_once() {
        let mut names = BTreeSet::new();
        for spec in TABLE {
            assert!(names.insert(spec.name), "{}", spec.name);
            assert!(spec.alias.is_empty() || names.insert(spec.alias), "{}", spec.alias);
        }
        assert!(DROPPED.iter().all(|name| names.insert(name)));
    }

    #[test]
    fn every_default_is_a_value() {
        for spec in TABLE {
            let words: Vec<String> = if spec.kind == Kind::Words {
                let words = grammar::split_words(spec.default.as_bytes()).unwrap();
                words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
            } else {
                vec![spec.default.to_owned()]
            };
            spec.kind.read(&words).unwrap_or_else(|error| panic!("{}: {error}", spec.name));
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_by_their_older_name() {
        assert_eq!(find("PORT").map(|spec| spec.name), Some("port"));
        assert_eq!(find("slave-priority").map(|spec| spec.name), Some("replica-priority"));
        assert_eq!(find("nosuch"), None);
    }
}
