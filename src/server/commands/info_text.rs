//! The sections of INFO but Sentinel's own. What a daemon without data never counts is shown as 0: dashboards expect
//! the fields.

use std::fmt::{Display, Write as _};
use std::fs;

use super::super::client::Mode;
use super::super::config::VALKEYS_REDIS;
use super::super::inner::Inner;
use crate::config::Identity;
use crate::config::general::Supervised;

/// Fields of one section.
struct Fields(String);

impl Fields {
    fn new(title: &str) -> Self {
        Self(format!("# {title}\r\n"))
    }

    fn add(&mut self, name: &str, value: impl Display) {
        // Writing to a String can't fail.
        let _ = write!(self.0, "{name}:{value}\r\n");
    }

    fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.add(name, 0));
    }
}

pub(super) fn server(server: &Inner) -> String {
    let (config, general) = (&server.config, &server.config.general);
    let mut fields = Fields::new("Server");
    match config.identity {
        Identity::Redis70 | Identity::Redis80 => fields.add("redis_version", config.identity.version()),
        Identity::Valkey80 => {
            fields.add("redis_version", VALKEYS_REDIS);
            fields.add("server_name", config.identity.server_name());
            fields.add("valkey_version", config.identity.version());
        }
    }
    fields.add("redis_git_sha1", "00000000");
    fields.add("redis_git_dirty", 0);
    fields.add("redis_build_id", format_args!("{:x}", build_id(env!("CARGO_PKG_VERSION"))));
    let own_name = config.identity == Identity::Valkey80 && !general.extended_redis_compatibility;
    fields.add(if own_name { "server_mode" } else { "redis_mode" }, "sentinel");
    let system = rustix::system::uname();
    fields.add(
        "os",
        format_args!(
            "{} {} {}",
            system.sysname().to_string_lossy(),
            system.release().to_string_lossy(),
            system.machine().to_string_lossy()
        ),
    );
    fields.add("arch_bits", usize::BITS);
    fields.add("monotonic_clock", "POSIX clock_gettime");
    fields.add("multiplexing_api", "epoll");
    if config.identity != Identity::Valkey80 {
        fields.add("atomicvar_api", "c11-builtin");
    }
    fields.add("gcc_version", "0.0.0");
    fields.add("process_id", std::process::id());
    fields.add("process_supervised", supervised(general.supervised));
    fields.add("run_id", &config.run_id);
    fields.add("tcp_port", if general.port == 0 { general.tls.port } else { general.port });
    let now = jiff::Timestamp::now();
    fields.add("server_time_usec", now.as_microsecond());
    let uptime = server.started_at.elapsed().as_secs();
    fields.add("uptime_in_seconds", uptime);
    fields.add("uptime_in_days", uptime / 86400);
    fields.add("hz", 10);
    fields.add("configured_hz", 10);
    fields.add("lru_clock", now.as_second() & 0xff_ffff);
    fields.add("executable", server.executable.display());
    fields.add("config_file", config.config_file.display());
    fields.add("io_threads_active", 0);
    match config.identity {
        Identity::Redis70 => {}
        Identity::Valkey80 => {
            fields.add("availability_zone", "");
            listeners(server, &mut fields);
        }
        Identity::Redis80 => listeners(server, &mut fields),
    }
    fields.0
}

fn listeners(server: &Inner, fields: &mut Fields) {
    let general = &server.config.general;
    let bind: String = general.bind.iter().map(|addr| format!(",bind={addr}")).collect();
    let mut all = Vec::new();
    if general.port != 0 {
        all.push(format!("name=tcp{bind},port={}", general.port));
    }
    if let Some(path) = general.unixsocket.as_deref().filter(|path| !path.is_empty()) {
        all.push(format!("name=unix,bind={path}"));
    }
    if general.tls.port != 0 {
        all.push(format!("name=tls{bind},port={}", general.tls.port));
    }
    for (number, listener) in all.iter().enumerate() {
        fields.add(&format!("listener{number}"), listener);
    }
}

fn supervised(configured: Supervised) -> &'static str {
    let has = |name| std::env::var_os(name).is_some();
    match configured {
        Supervised::No => "no",
        Supervised::Systemd => "systemd",
        Supervised::Upstart => "upstart",
        Supervised::Auto if has("UPSTART_JOB") => "upstart",
        Supervised::Auto if has("NOTIFY_SOCKET") => "systemd",
        Supervised::Auto => "no",
    }
}

/// A number that is the same for the same version (FNV-1a).
fn build_id(version: &str) -> u64 {
    version
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn clients(server: &Inner) -> String {
    let clients = server.clients.borrow();
    let count =
        |which: &dyn Fn(&super::Client) -> bool| clients.values().filter(|client| which(client)).count();
    let most = |what: &dyn Fn(&super::Client) -> usize| {
        clients.values().map(|client| what(client)).max().unwrap_or(0)
    };
    let mut fields = Fields::new("Clients");
    fields.add("connected_clients", clients.len());
    fields.add("cluster_connections", 0);
    fields.add("maxclients", server.max_clients);
    fields.add("client_recent_max_input_buffer", most(&|client| client.queued_room.get()));
    fields.add("client_recent_max_output_buffer", most(&|client| client.output_room()));
    fields.add("blocked_clients", count(&|client| client.mode.get() == Mode::Paused));
    fields.add("tracking_clients", count(&|client| client.tracking.borrow().is_some()));
    if server.config.identity != Identity::Redis70 {
        fields.add("pubsub_clients", count(&|client| client.subscription_count() > 0));
        fields.add("watching_clients", 0);
    }
    fields.add("clients_in_timeout_table", 0);
    if server.config.identity != Identity::Redis70 {
        fields.zeros(&["total_watched_keys", "total_blocking_keys", "total_blocking_keys_on_nokey"]);
    }
    fields.0
}

pub(super) fn stats(server: &Inner) -> String {
    let counters = &server.counters;
    let second = counters.per_second.get();
    let later = server.config.identity != Identity::Redis70;
    #[expect(clippy::cast_precision_loss, reason = "two decimals of a rate are shown")]
    let kib = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    let pubsub = server.pubsub.borrow();
    let mut fields = Fields::new("Stats");
    fields.add("total_connections_received", counters.connections.get());
    fields.add("total_commands_processed", counters.commands.get());
    fields.add("instantaneous_ops_per_sec", second.commands);
    fields.add("total_net_input_bytes", counters.input.get());
    fields.add("total_net_output_bytes", counters.output.get());
    fields.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    fields.add("instantaneous_input_kbps", kib(second.input));
    fields.add("instantaneous_output_kbps", kib(second.output));
    fields.add("instantaneous_input_repl_kbps", "0.00");
    fields.add("instantaneous_output_repl_kbps", "0.00");
    fields.add("rejected_connections", counters.rejected.get());
    fields.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    if server.config.identity == Identity::Redis80 {
        fields.zeros(&["expired_subkeys"]);
    }
    fields.zeros(&["expired_keys"]);
    fields.add("expired_stale_perc", "0.00");
    fields.zeros(&[
        "expired_time_cap_reached_count",
        "expire_cycle_cpu_milliseconds",
        "evicted_keys",
        "evicted_clients",
    ]);
    if later {
        fields.zeros(&["evicted_scripts"]);
    }
    fields.zeros(&[
        "total_eviction_exceeded_time",
        "current_eviction_exceeded_time",
        "keyspace_hits",
        "keyspace_misses",
    ]);
    fields.add("pubsub_channels", pubsub.channel_count());
    fields.add("pubsub_patterns", pubsub.pattern_count());
    fields.zeros(&[
        "pubsubshard_channels",
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
        "tracking_total_keys",
        "tracking_total_items",
    ]);
    let prefixes = |client: &super::Client| {
        client.tracking.borrow().as_ref().map_or(0, |tracking| tracking.prefixes.len())
    };
    fields.add(
        "tracking_total_prefixes",
        server.clients.borrow().values().map(|client| prefixes(client)).sum::<usize>(),
    );
    fields.add("unexpected_error_replies", 0);
    fields.add("total_error_replies", counters.errors.get());
    fields.add("dump_payload_sanitizations", 0);
    fields.add("total_reads_processed", counters.reads.get());
    fields.add("total_writes_processed", counters.writes.get());
    fields.zeros(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    if server.config.identity == Identity::Valkey80 {
        fields.zeros(&[
            "io_threaded_freed_objects",
            "io_threaded_poll_processed",
            "io_threaded_total_prefetch_batches",
            "io_threaded_total_prefetch_entries",
        ]);
    }
    if later {
        fields.add("client_query_buffer_limit_disconnections", counters.query_limit.get());
        fields.add("client_output_buffer_limit_disconnections", counters.output_limit.get());
    }
    fields.zeros(&["reply_buffer_shrinks", "reply_buffer_expands"]);
    if later {
        fields.zeros(&["eventloop_cycles", "eventloop_duration_sum", "eventloop_duration_cmd_sum"]);
        fields.zeros(&["instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_duration_usec"]);
        fields.add("acl_access_denied_auth", counters.denied_auth.get());
        fields.add("acl_access_denied_cmd", counters.denied_commands.get());
        fields.add("acl_access_denied_key", 0);
        fields.add("acl_access_denied_channel", counters.denied_channels.get());
    }
    fields.0
}

pub(super) fn cpu() -> String {
    let process = CpuTimes::read("/proc/self/stat");
    let thread = CpuTimes::read("/proc/thread-self/stat");
    let mut fields = Fields::new("CPU");
    for (name, seconds) in [
        ("used_cpu_sys", process.system),
        ("used_cpu_user", process.user),
        ("used_cpu_sys_children", process.children_system),
        ("used_cpu_user_children", process.children_user),
        ("used_cpu_sys_main_thread", thread.system),
        ("used_cpu_user_main_thread", thread.user),
    ] {
        fields.add(name, format_args!("{seconds:.6}"));
    }
    fields.0
}

/// Seconds of CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct CpuTimes {
    user: f64,
    system: f64,
    children_user: f64,
    children_system: f64,
}

impl CpuTimes {
    fn read(path: &str) -> Self {
        Self::parse(&fs::read_to_string(path).unwrap_or_default(), rustix::param::clock_ticks_per_second())
    }

    /// Fields 14 to 17 of proc(5)'s `stat`. The second one is a name in parentheses that may hold anything.
    fn parse(stat: &str, ticks: u64) -> Self {
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        #[expect(clippy::cast_precision_loss, reason = "shown with six decimals")]
        let mut times = rest
            .split_ascii_whitespace()
            .skip(11)
            .map(|field| field.parse::<u64>().map_or(0.0, |value| value as f64 / ticks.max(1) as f64));
        let mut next = || times.next().unwrap_or(0.0);
        Self { user: next(), system: next(), children_user: next(), children_system: next() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_times_are_found_behind_any_name() {
        let stat = "42 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 300 50 20 0 1 0 9 9";
        let times = CpuTimes::parse(stat, 100);
        assert_eq!(times, CpuTimes { user: 1.5, system: 0.25, children_user: 3.0, children_system: 0.5 });
        assert_eq!(CpuTimes::parse("", 100), CpuTimes::default());
    }
}
