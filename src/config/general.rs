//! The directives that Sentinel shares with the data nodes, as far as they have an effect here.

use std::path::PathBuf;

use crate::core::action::Level;

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

/// Limits of what may wait to be sent to one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes at which the client is closed at once; 0 is none.
    pub hard: u64,
    /// Bytes at which it is closed after `soft_seconds`; 0 is none.
    pub soft: u64,
    /// Seconds.
    pub soft_seconds: u64,
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
