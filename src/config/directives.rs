//! The `vedette NAME ...` lines: directives that Sentinel doesn't have.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Identity;
use crate::core::ids::GroupName;

/// The directives of our own. They are read from the file and the command line and never written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `admin`: where `/metrics`, `/live`, `/ready` and `/state` are served; off without it.
    pub admin: Option<SocketAddr>,
    /// `log-format`.
    pub log_format: LogFormat,
    /// `identity`, as far as the file or the command line names one.
    pub identity: Option<Identity>,
    /// `auth-pass-file`, `auth-user-file`, `sentinel-pass-file`.
    pub credential_files: Vec<CredentialFile>,
}

/// Form of the log's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Sentinel's own.
    #[default]
    Sentinel,
    /// One JSON object a line.
    Json,
}

/// A file that holds a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFile {
    /// What it holds, for whom.
    pub target: CredentialTarget,
    /// The file: absolute, or relative to the working directory.
    pub path: PathBuf,
}

/// What a credential is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialTarget {
    /// Password for a group's data nodes; for all groups without one of their own if there is no name.
    AuthPass(Option<GroupName>),
    /// User for a group's data nodes, likewise.
    AuthUser(Option<GroupName>),
    /// Password towards peers.
    SentinelPass,
}
