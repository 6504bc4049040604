//! INFO.

use vedette::config::Identity;

use crate::support::Running;

/// Names of a section's fields in Redis 7.0's Sentinel.
const REDIS_7_0: [(&str, &str); 4] = [
    (
        "Server",
        "redis_version redis_git_sha1 redis_git_dirty redis_build_id redis_mode os arch_bits monotonic_clock \
         multiplexing_api atomicvar_api gcc_version process_id process_supervised run_id tcp_port server_time_usec \
         uptime_in_seconds uptime_in_days hz configured_hz lru_clock executable config_file io_threads_active",
    ),
    (
        "Clients",
        "connected_clients cluster_connections maxclients client_recent_max_input_buffer \
         client_recent_max_output_buffer blocked_clients tracking_clients clients_in_timeout_table",
    ),
    (
        "Stats",
        "total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes \
         total_net_output_bytes total_net_repl_input_bytes total_net_repl_output_bytes instantaneous_input_kbps \
         instantaneous_output_kbps instantaneous_input_repl_kbps instantaneous_output_repl_kbps rejected_connections \
         sync_full sync_partial_ok sync_partial_err expired_keys expired_stale_perc expired_time_cap_reached_count \
         expire_cycle_cpu_milliseconds evicted_keys evicted_clients total_eviction_exceeded_time \
         current_eviction_exceeded_time keyspace_hits keyspace_misses pubsub_channels pubsub_patterns \
         pubsubshard_channels latest_fork_usec total_forks migrate_cached_sockets slave_expires_tracked_keys \
         active_defrag_hits active_defrag_misses active_defrag_key_hits active_defrag_key_misses \
         total_active_defrag_time current_active_defrag_time tracking_total_keys tracking_total_items \
         tracking_total_prefixes unexpected_error_replies total_error_replies dump_payload_sanitizations \
         total_reads_processed total_writes_processed io_threaded_reads_processed io_threaded_writes_processed \
         reply_buffer_shrinks reply_buffer_expands",
    ),
    (
        "CPU",
        "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children used_cpu_sys_main_thread \
         used_cpu_user_main_thread",
    ),
];

fn info(server: &Running, words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    server.client().command(&words).bulk()
}

fn names(section: &str) -> String {
    let lines = section.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

fn titles(text: &str) -> Vec<&str> {
    text.split("\r\n").filter_map(|line| line.strip_prefix("# ")).collect()
}

#[test]
fn sections_come_in_order_and_only_known_ones() {
    let server = Running::start();
    let all = ["Server", "Clients", "Stats", "CPU", "Sentinel"];
    for words in ["INFO", "INFO default", "INFO all", "INFO EVERYTHING", "INFO sentinel nosuch all"] {
        let text = info(&server, words);
        assert_eq!(titles(&text), all, "{words}");
        assert!(text.ends_with("sentinel_tilt:0\r\n") && text.contains("\r\n\r\n# Clients\r\n"));
        for absent in ["used_memory", "rdb_last_bgsave", "master_repl_offset", "cluster_enabled"] {
            assert!(!text.contains(absent));
        }
    }
    assert_eq!(titles(&info(&server, "INFO sentinel CPU server")), ["Server", "CPU", "Sentinel"]);
    assert_eq!(info(&server, "INFO sentinel"), "# Sentinel\r\nsentinel_masters:1\r\nsentinel_tilt:0\r\n");
    assert_eq!(info(&server, "INFO replication keyspace"), "");
}

#[test]
fn fields_are_those_of_redis_7_0() {
    let server = Running::start();
    for (section, fields) in REDIS_7_0 {
        assert_eq!(names(&info(&server, &format!("INFO {section}"))), fields, "{section}");
    }
}

#[test]
fn later_products_show_all_that_and_more() {
    for (identity, version, more) in [
        (
            Identity::Redis80,
            format!("redis_version:{}\r\n", Identity::Redis80.version()),
            "listener0:name=tcp,bind=127.0.0.1,port=",
        ),
        (Identity::Valkey80, "redis_version:7.2.4\r\n".into(), "server_name:valkey\r\nvalkey_version:8.0."),
    ] {
        let server = Running::identified(identity, |_| {});
        let text = info(&server, "INFO");
        assert!(text.contains(&version) && text.contains(more), "{text}");
        let valkey = identity == Identity::Valkey80;
        assert_eq!(text.contains("redis_mode:sentinel\r\n"), !valkey);
        assert_eq!(text.contains("server_mode:sentinel\r\n"), valkey);
        let shown = names(&text);
        let shown: Vec<&str> = shown.split(' ').collect();
        for name in REDIS_7_0.iter().flat_map(|(_, fields)| fields.split(' ')) {
            // Valkey has another name for the one and does without the other.
            let gone = valkey && ["redis_mode", "atomicvar_api"].contains(&name);
            assert_eq!(shown.contains(&name), !gone, "{name} of {identity:?}");
        }
    }
}

#[test]
fn figures_are_real() {
    let server = Running::start();
    let mut client = server.client();
    client
        .says("PING", "+PONG\n")
        .says("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \n");
    client.says("SUBSCRIBE a", "*3\n$9\nsubscribe\n$1\na\n:1\n");
    let text = info(&server, "INFO");
    for line in [
        "connected_clients:2",
        "maxclients:10000",
        "total_connections_received:2",
        "total_commands_processed:3",
        "total_error_replies:1",
        "pubsub_channels:1",
        "pubsub_patterns:0",
        "rejected_connections:0",
        "config_file:/etc/s.conf",
        &format!("run_id:{}", "ab".repeat(20)),
        &format!("tcp_port:{}", server.port),
        &format!("process_id:{}", std::process::id()),
    ] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} in {text}");
    }
    let stats = server.stats();
    assert_eq!((stats.connections_received, stats.error_replies, stats.commands["info"]), (2, 1, 1));
    assert!(stats.input_bytes > 50 && stats.output_bytes > 1000);
}
