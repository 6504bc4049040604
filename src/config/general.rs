//! The directives that Sentinel shares with the data nodes, as far as they have an effect here.

use std::path::{Path, PathBuf};

use super::directives::LogFormat;
use super::values::Values;
use crate::core::action::Level;
use crate::telemetry::{LogConfig, Syslog};

pub use super::values::OutputLimit;

/// Typed general directives. Those without an effect are checked, kept for the rewrite and not shown here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct General {
    /// `port`; 0 is no plain TCP listener.
    pub port: u16,
    /// `tls-*`.
    pub tls: Tls,
    /// `bind`: addresses; a leading `-` makes one optional, `*` is every IPv4 address.
    pub bind: Vec<String>,
    /// `bind-source-addr`: source address of outgoing links.
    pub bind_source_addr: Option<String>,
    /// `unixsocket`.
    pub unixsocket: Option<String>,
    /// `unixsocketperm`: mode bits; 0 leaves the mode to the umask.
    pub unixsocketperm: u32,
    /// `timeout`: seconds after which an idle client is closed; 0 is never.
    pub timeout: u32,
    /// `tcp-keepalive`: seconds; 0 is off.
    pub tcp_keepalive: u32,
    /// `tcp-backlog`.
    pub tcp_backlog: u32,
    /// `maxclients`.
    pub maxclients: u32,
    /// `protected-mode`.
    pub protected_mode: bool,
    /// `requirepass`: password of the user `default`.
    pub requirepass: Option<String>,
    /// `user` lines: the words after `user`, the name first.
    pub users: Vec<UserLine>,
    /// `aclfile`.
    pub aclfile: Option<String>,
    /// `acllog-max-len`.
    pub acllog_max_len: u32,
    /// `acl-pubsub-default` is `allchannels`.
    pub acl_pubsub_default_all: bool,
    /// `client-output-buffer-limit normal`.
    pub output_limit_normal: OutputLimit,
    /// `client-output-buffer-limit pubsub`.
    pub output_limit_pubsub: OutputLimit,
    /// `client-query-buffer-limit`, bytes.
    pub query_buffer_limit: u64,
    /// `proto-max-bulk-len`, bytes.
    pub proto_max_bulk_len: u64,
    /// `rename-command`: old and new name of this daemon's own commands; the empty new name removes one.
    pub renamed_commands: Vec<(String, String)>,
    /// `extended-redis-compatibility`.
    pub extended_redis_compatibility: bool,
    /// `loglevel`.
    pub loglevel: Level,
    /// `logfile`, absolute; standard output without one.
    pub logfile: Option<PathBuf>,
    /// `syslog-enabled`.
    pub syslog_enabled: bool,
    /// `syslog-ident`.
    pub syslog_ident: String,
    /// `syslog-facility`: number of the facility.
    pub syslog_facility: u8,
    /// `dir`, absolute: where the process works.
    pub dir: PathBuf,
    /// `daemonize`.
    pub daemonize: bool,
    /// `pidfile`.
    pub pidfile: Option<String>,
    /// `supervised`.
    pub supervised: Supervised,
    /// Every directive with its value, those without an effect included, for the rewrite.
    pub values: Values,
}

impl General {
    /// The typed directives of a set of values. Relative paths of the log are taken from `dir`.
    #[must_use]
    pub fn new(
        values: Values,
        dir: &Path,
        users: Vec<UserLine>,
        renamed_commands: Vec<(String, String)>,
    ) -> Self {
        let path = |name: &str| values.text(name).map(PathBuf::from);
        Self {
            port: values.number("port"),
            tls: Tls {
                port: values.number("tls-port"),
                replication: values.yes("tls-replication"),
                cert_file: path("tls-cert-file"),
                key_file: path("tls-key-file"),
                key_file_pass: values.text("tls-key-file-pass"),
                client_cert_file: path("tls-client-cert-file"),
                client_key_file: path("tls-client-key-file"),
                client_key_file_pass: values.text("tls-client-key-file-pass"),
                ca_cert_file: path("tls-ca-cert-file"),
                ca_cert_dir: path("tls-ca-cert-dir"),
                auth_clients: match values.text("tls-auth-clients").as_deref() {
                    Some("no") => AuthClients::No,
                    Some("optional") => AuthClients::Optional,
                    _ => AuthClients::Yes,
                },
                protocols: values.text("tls-protocols").unwrap_or_default(),
                ciphers: values.text("tls-ciphers"),
                ciphersuites: values.text("tls-ciphersuites"),
            },
            bind: values.words("bind"),
            bind_source_addr: values.text("bind-source-addr"),
            unixsocket: values.text("unixsocket"),
            unixsocketperm: values.number("unixsocketperm"),
            timeout: values.number("timeout"),
            tcp_keepalive: values.number("tcp-keepalive"),
            tcp_backlog: values.number("tcp-backlog"),
            maxclients: values.number("maxclients"),
            protected_mode: values.yes("protected-mode"),
            requirepass: values.text("requirepass"),
            users,
            aclfile: values.text("aclfile"),
            acllog_max_len: u32::try_from(values.number::<u64>("acllog-max-len")).unwrap_or(u32::MAX),
            acl_pubsub_default_all: values.text("acl-pubsub-default").as_deref() == Some("allchannels"),
            output_limit_normal: values.output_limits()[0],
            output_limit_pubsub: values.output_limits()[2],
            query_buffer_limit: values.number("client-query-buffer-limit"),
            proto_max_bulk_len: values.number("proto-max-bulk-len"),
            renamed_commands,
            extended_redis_compatibility: values.yes("extended-redis-compatibility"),
            loglevel: values.text("loglevel").and_then(|word| Level::parse(&word)).unwrap_or(Level::Notice),
            logfile: path("logfile").map(|file| dir.join(file)),
            syslog_enabled: values.yes("syslog-enabled"),
            syslog_ident: values.text("syslog-ident").unwrap_or_default(),
            syslog_facility: facility(&values.text("syslog-facility").unwrap_or_default()),
            dir: dir.to_owned(),
            daemonize: values.yes("daemonize"),
            pidfile: values.text("pidfile"),
            supervised: match values.text("supervised").as_deref() {
                Some("systemd") => Supervised::Systemd,
                Some("upstart") => Supervised::Upstart,
                Some("auto") => Supervised::Auto,
                _ => Supervised::No,
            },
            values,
        }
    }

    /// Changes the level that is written into the file; SENTINEL CONFIG SET does so.
    pub fn set_loglevel(&mut self, level: Level) {
        self.loglevel = level;
        self.values.set_loglevel(level);
    }

    /// Where the log goes.
    #[must_use]
    pub fn log_config(&self, format: LogFormat) -> LogConfig {
        LogConfig {
            level: self.loglevel,
            file: self.logfile.clone(),
            format,
            syslog: self
                .syslog_enabled
                .then(|| Syslog { ident: self.syslog_ident.clone(), facility: self.syslog_facility }),
        }
    }
}

/// Number of a facility of the system log.
fn facility(name: &str) -> u8 {
    const USER: u8 = 1;
    const LOCAL0: u8 = 16;
    match name.strip_prefix("local").and_then(|number| number.parse::<u8>().ok()) {
        Some(number) if number < 8 => LOCAL0 + number,
        _ if name == "user" => USER,
        _ => LOCAL0,
    }
}

/// A `user` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// Name and rules.
    pub words: Vec<String>,
    /// Number of the line.
    pub line: usize,
    /// The line as read. May hold a password: for the refusal only.
    pub text: String,
}

/// Who watches over the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Supervised {
    /// Nobody.
    #[default]
    No,
    /// systemd, told by its notify socket.
    Systemd,
    /// upstart.
    Upstart,
    /// Whoever the environment names.
    Auto,
}

/// The `tls-*` directives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `tls-port`; 0 is no TLS listener.
    pub port: u16,
    /// `tls-replication`: all outgoing links use TLS.
    pub replication: bool,
    /// `tls-cert-file`.
    pub cert_file: Option<PathBuf>,
    /// `tls-key-file`.
    pub key_file: Option<PathBuf>,
    /// `tls-key-file-pass`.
    pub key_file_pass: Option<String>,
    /// `tls-client-cert-file`.
    pub client_cert_file: Option<PathBuf>,
    /// `tls-client-key-file`.
    pub client_key_file: Option<PathBuf>,
    /// `tls-client-key-file-pass`.
    pub client_key_file_pass: Option<String>,
    /// `tls-ca-cert-file`.
    pub ca_cert_file: Option<PathBuf>,
    /// `tls-ca-cert-dir`.
    pub ca_cert_dir: Option<PathBuf>,
    /// `tls-auth-clients`.
    pub auth_clients: AuthClients,
    /// `tls-protocols`: names, or empty for the default.
    pub protocols: String,
    /// `tls-ciphers`.
    pub ciphers: Option<String>,
    /// `tls-ciphersuites`.
    pub ciphersuites: Option<String>,
}

/// Whether clients of the TLS listener must show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthClients {
    /// No certificate is asked for.
    No,
    /// A valid one is needed.
    #[default]
    Yes,
    /// None is needed, but one that is shown must be valid.
    Optional,
}
