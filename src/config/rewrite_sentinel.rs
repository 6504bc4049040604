//! The `sentinel` lines of a rewritten file, in Sentinel's order.

use super::grammar::quote;
use super::rewrite::{Draft, word};
use crate::core::Settings;
use crate::core::settings::{
    DEFAULT_DOWN_AFTER, DEFAULT_FAILOVER_TIMEOUT, DEFAULT_PARALLEL_SYNCS, GroupSettings,
};

/// All directives that are written from here. Slots of those that have nothing to write are blanked, so that a removed
/// group leaves nothing behind.
const KEYS: [&str; 25] = [
    "myid",
    "deny-scripts-reconfig",
    "resolve-hostnames",
    "announce-hostnames",
    "monitor",
    "down-after-milliseconds",
    "failover-timeout",
    "parallel-syncs",
    "notification-script",
    "client-reconfig-script",
    "auth-pass",
    "auth-user",
    "master-reboot-down-after-period",
    "config-epoch",
    "leader-epoch",
    "known-slave",
    "known-replica",
    "known-sentinel",
    "rename-command",
    "current-epoch",
    "announce-ip",
    "announce-port",
    "sentinel-user",
    "sentinel-pass",
    "",
];

/// The key of a `sentinel` line's slot.
pub(super) fn key(directive: &str) -> String {
    match directive {
        // Valkey's name for it. Valkey reads Redis's as well, so the line is written under that one.
        "primary-reboot-down-after-period" => "sentinel master-reboot-down-after-period".to_owned(),
        _ => format!("sentinel {directive}"),
    }
}

/// Writes all `sentinel` lines.
pub(super) fn lines(draft: &mut Draft, settings: &Settings) {
    if let Some(id) = &settings.my_id {
        emit(draft, "myid", &word(id.as_str()));
    }
    let flags = [
        ("deny-scripts-reconfig", !settings.allow_scripts_reconfig, true),
        ("resolve-hostnames", settings.resolve_hostnames, false),
        ("announce-hostnames", settings.announce_hostnames, false),
    ];
    for (directive, value, default) in flags {
        let text = format!("sentinel {directive} {}", if value { "yes" } else { "no" });
        draft.emit(&key(directive), text, value != default);
    }
    for group in &settings.groups {
        group_lines(draft, group);
    }
    emit(draft, "current-epoch", &settings.current_epoch.to_string());
    if let Some(ip) = &settings.announce_ip {
        emit(draft, "announce-ip", &quote(ip.as_bytes()));
    }
    if settings.announce_port != 0 {
        emit(draft, "announce-port", &settings.announce_port.to_string());
    }
    if let Some(user) = &settings.sentinel_user {
        emit(draft, "sentinel-user", &word(user));
    }
    if let Some(pass) = &settings.sentinel_pass {
        emit(draft, "sentinel-pass", &word(pass));
    }
    for directive in KEYS {
        draft.processed(&key(directive));
    }
}

fn group_lines(draft: &mut Draft, group: &GroupSettings) {
    let name = word(group.name.as_str());
    let mut about = |directive: &str, values: &str| emit(draft, directive, &format!("{name} {values}"));
    about("monitor", &format!("{} {} {}", word(&group.primary.host), group.primary.port, group.quorum));
    if group.down_after != DEFAULT_DOWN_AFTER {
        about("down-after-milliseconds", &group.down_after.as_millis().to_string());
    }
    if group.failover_timeout != DEFAULT_FAILOVER_TIMEOUT {
        about("failover-timeout", &group.failover_timeout.as_millis().to_string());
    }
    if group.parallel_syncs != DEFAULT_PARALLEL_SYNCS {
        about("parallel-syncs", &group.parallel_syncs.to_string());
    }
    let texts = [
        ("notification-script", &group.notification_script),
        ("client-reconfig-script", &group.client_reconfig_script),
        ("auth-pass", &group.auth_pass),
        ("auth-user", &group.auth_user),
    ];
    for (directive, text) in texts {
        if let Some(text) = text {
            about(directive, &word(text));
        }
    }
    if !group.reboot_down_after.is_zero() {
        about("master-reboot-down-after-period", &group.reboot_down_after.as_millis().to_string());
    }
    about("config-epoch", &group.config_epoch.to_string());
    about("leader-epoch", &group.leader_epoch.to_string());
    for replica in &group.known_replicas {
        let line = format!("sentinel known-replica {name} {} {}", word(&replica.host), replica.port);
        draft.emit_in(&["sentinel known-slave", "sentinel known-replica"], line);
    }
    for known in &group.known_sentinels {
        let values =
            format!("{name} {} {} {}", word(&known.addr.host), known.addr.port, word(known.run_id.as_str()));
        emit(draft, "known-sentinel", &values);
    }
    for (old, new) in &group.renamed_commands {
        emit(draft, "rename-command", &format!("{name} {} {}", word(old), word(new)));
    }
}

fn emit(draft: &mut Draft, directive: &str, values: &str) {
    draft.emit(&key(directive), format!("sentinel {directive} {values}"), true);
}
