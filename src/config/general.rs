//! The directives that Sentinel shares with the data nodes, as far as they have an effect here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::directives::LogFormat;
use super::table::{self, Spec};
use super::value::Value;
use super::{grammar, value};
use crate::core::action::Level;
use crate::telemetry::{LogConfig, Syslog};

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

/// The values of all directives of [`table::TABLE`] that hold one value each, and the limits of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    single: BTreeMap<&'static str, Value>,
    limits: [OutputLimit; 3],
}

/// Classes of `client-output-buffer-limit`, in the order in which they are written, with their defaults.
pub const OUTPUT_CLASSES: [(&str, OutputLimit); 3] = [
    ("normal", OutputLimit { hard: 0, soft: 0, soft_seconds: 0 }),
    ("replica", OutputLimit { hard: 256 << 20, soft: 64 << 20, soft_seconds: 60 }),
    ("pubsub", OutputLimit { hard: 32 << 20, soft: 8 << 20, soft_seconds: 60 }),
];

impl Default for Values {
    /// What a Sentinel starts from: the defaults, with its own port and without the protected mode.
    fn default() -> Self {
        let mut single = BTreeMap::new();
        for spec in table::TABLE {
            if let Some(value) = default_value(spec) {
                single.insert(spec.name, value);
            }
        }
        single.insert("port", Value::Number(26379));
        single.insert("protected-mode", Value::Bool(false));
        Self { single, limits: OUTPUT_CLASSES.map(|(_, limit)| limit) }
    }
}

/// The default of a directive as a value. Every default of the table is one; a test holds that.
fn default_value(spec: &Spec) -> Option<Value> {
    let words = match spec.kind {
        value::Kind::Words => grammar::split_words(spec.default.as_bytes())
            .ok()?
            .into_iter()
            .map(|word| String::from_utf8(word).ok())
            .collect::<Option<Vec<_>>>()?,
        value::Kind::Bool
        | value::Kind::Int(..)
        | value::Kind::Memory(..)
        | value::Kind::MemoryOrPercent(..)
        | value::Kind::Octal(..)
        | value::Kind::Text
        | value::Kind::OptionalText
        | value::Kind::Choice(_) => vec![spec.default.to_owned()],
    };
    spec.kind.read(&words).ok()
}

impl Values {
    /// Sets a directive.
    ///
    /// # Errors
    /// Sentinel's text that says what is wrong with the words.
    pub fn set(&mut self, spec: &'static Spec, words: &[String]) -> Result<(), String> {
        // One quoted argument may hold all the words: `--shutdown-on-sigint "nosave force"`.
        let split = match (spec.kind, words) {
            (value::Kind::Words, [all]) if all.contains(' ') => {
                grammar::split_words(all.as_bytes()).ok().and_then(|parts| {
                    parts.into_iter().map(|part| String::from_utf8(part).ok()).collect::<Option<Vec<_>>>()
                })
            }
            (value::Kind::Words, [empty]) if empty.is_empty() => Some(Vec::new()),
            _ => None,
        };
        let value = spec.kind.read(split.as_deref().unwrap_or(words))?;
        self.single.insert(spec.name, value);
        Ok(())
    }

    /// Sets the limits of output: class, hard limit, soft limit, seconds, as often as wanted.
    ///
    /// # Errors
    /// Sentinel's text that says what is wrong with the words.
    pub fn set_output_limits(&mut self, words: &[String]) -> Result<(), &'static str> {
        const WRONG: &str = "Wrong number of arguments in buffer limit configuration.";
        let split: Vec<String>;
        let words = match words {
            [all] => {
                split = all.split_whitespace().map(str::to_owned).collect();
                split.as_slice()
            }
            _ => words,
        };
        if words.is_empty() || !words.len().is_multiple_of(4) {
            return Err(WRONG);
        }
        let mut limits = self.limits;
        for quad in words.chunks_exact(4) {
            let class = match quad[0].to_ascii_lowercase().as_str() {
                "normal" => 0,
                "replica" | "slave" => 1,
                "pubsub" => 2,
                _ => return Err("Invalid client class specified in buffer limit configuration."),
            };
            let bytes = |word: &str| value::memory(word).and_then(|bytes| u64::try_from(bytes).ok());
            let (Some(hard), Some(soft), Ok(soft_seconds)) =
                (bytes(&quad[1]), bytes(&quad[2]), quad[3].parse())
            else {
                return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
            };
            limits[class] = OutputLimit { hard, soft, soft_seconds };
        }
        self.limits = limits;
        Ok(())
    }

    /// The value of a directive.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.single.get(name)
    }

    /// Whether a directive has another value than a data node's default.
    #[must_use]
    pub fn differs(&self, spec: &Spec) -> bool {
        self.single.get(spec.name) != default_value(spec).as_ref()
    }

    /// The limits of output, in the order of [`OUTPUT_CLASSES`].
    #[must_use]
    pub const fn output_limits(&self) -> &[OutputLimit; 3] {
        &self.limits
    }

    fn yes(&self, name: &str) -> bool {
        self.single.get(name) == Some(&Value::Bool(true))
    }

    fn number<T: TryFrom<i128> + Default>(&self, name: &str) -> T {
        match self.single.get(name) {
            Some(Value::Number(number)) => T::try_from(*number).unwrap_or_default(),
            Some(Value::Bool(_) | Value::Text(_) | Value::Words(_)) | None => T::default(),
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.single.get(name) {
            Some(Value::Text(text)) => text.clone().filter(|text| !text.is_empty()),
            Some(Value::Bool(_) | Value::Number(_) | Value::Words(_)) | None => None,
        }
    }

    fn words(&self, name: &str) -> Vec<String> {
        match self.single.get(name) {
            Some(Value::Words(words)) => words.clone(),
            Some(Value::Bool(_) | Value::Number(_) | Value::Text(_)) | None => Vec::new(),
        }
    }
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
            output_limit_normal: values.limits[0],
            output_limit_pubsub: values.limits[2],
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
        self.values.single.insert("loglevel", Value::Text(Some(level.name().to_owned())));
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
