//! What comes of a call, in the few kinds that are acted upon.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use ::kube::core::Status;
use hyper_util::client::legacy::Error as ConnectionError;

/// Longest text of the API server that is kept, in bytes.
const MESSAGE_LIMIT: usize = 300;
/// Longest wait that the API server may ask for.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(60);
/// How deep the causes of an error are looked through.
const CAUSES_LIMIT: usize = 16;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Nothing leads to an API server.
    #[error(
        "no way to the Kubernetes API: this is no Pod with a ServiceAccount's token, and KUBECONFIG names no file"
    )]
    Nowhere,
    /// A file of the credentials can't be read.
    #[error("can't read {path}: {error}")]
    Read {
        /// Its path.
        path: String,
        /// The system's word.
        error: std::io::Error,
    },
    /// A certificate of the API server's authority is no PEM.
    #[error("no certificates in {path}")]
    Authority {
        /// Its path.
        path: String,
    },
    /// The address of the API server can't be understood.
    #[error("not an address of an API server: {0}")]
    Address(String),
    /// The kubeconfig doesn't say what is needed.
    #[error("kubeconfig {path}: {error}")]
    Kubeconfig {
        /// Its path.
        path: String,
        /// What is wrong.
        error: Box<::kube::config::KubeconfigError>,
    },
    /// The TLS library takes neither certificates nor keys of that form.
    #[error("the credentials can't be used: {0}")]
    Credentials(#[from] Box<::kube::Error>),
}

/// What was asked of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Read one.
    Get,
    /// Read all.
    List,
    /// Be told of changes.
    Watch,
    /// Write a new one.
    Create,
    /// Replace one.
    Update,
    /// Change fields of one.
    Patch,
    /// Remove one.
    Delete,
}

impl Verb {
    /// The word that a Role has for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// A request as it is named in errors, logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub verb: Verb,
    /// The resource as a Role names it, such as `leases`.
    pub resource: String,
    /// The object's name; empty for a list or a watch.
    pub name: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.word(), self.resource)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, " {}", self.name) }
    }
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The object is no longer what it was when it was read (409).
    Conflict,
    /// An object of that name is there already (409).
    Exists,
    /// There is no such object (404).
    NotFound,
    /// The version asked for is forgotten; only a new list helps (410).
    Gone,
    /// The API server has too much to do (429).
    Throttled,
    /// Not known or not allowed (401, 403).
    Refused,
    /// The request itself is wrong (other 4xx, or never sent because of its form).
    Invalid,
    /// The API server, or its store, failed (5xx).
    Failing,
    /// There was no connection, or there were no credentials: nothing was sent.
    Unsent,
    /// It was sent, and no answer came in time, or the connection was lost.
    Unanswered,
    /// What came is no answer.
    Unreadable,
}

impl Failure {
    /// Whether a write that failed so may have been carried out all the same.
    pub const fn may_have_happened(self) -> bool {
        match self {
            Self::Failing | Self::Unanswered | Self::Unreadable => true,
            Self::Conflict
            | Self::Exists
            | Self::NotFound
            | Self::Gone
            | Self::Throttled
            | Self::Refused
            | Self::Invalid
            | Self::Unsent => false,
        }
    }

    const fn of(code: u16, reason_exists: bool) -> Self {
        match code {
            409 if reason_exists => Self::Exists,
            409 => Self::Conflict,
            404 => Self::NotFound,
            410 => Self::Gone,
            429 => Self::Throttled,
            401 | 403 => Self::Refused,
            400..=499 => Self::Invalid,
            500..=599 => Self::Failing,
            _ => Self::Unreadable,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Conflict => "changed since it was read",
            Self::Exists => "exists already",
            Self::NotFound => "not found",
            Self::Gone => "version is gone",
            Self::Throttled => "throttled",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Failing => "the API server failed",
            Self::Unsent => "not sent",
            Self::Unanswered => "no answer",
            Self::Unreadable => "unreadable answer",
        }
    }
}

/// A call that came to nothing, or of which one can't know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What was asked.
    pub call: Call,
    /// What came of it.
    pub failure: Failure,
    /// The status of the answer, where there was one.
    pub code: Option<u16>,
    /// How long the API server wants to be left alone, 60 s at most.
    pub retry_after: Option<Duration>,
    /// Its words, or the connection's, cut to 300 bytes.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.failure.words())?;
        if let Some(code) = self.code {
            write!(f, " ({code})")?;
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

impl StdError for Error {}

impl Error {
    /// No answer within `limit`.
    pub(super) fn late(call: Call, limit: Duration) -> Self {
        let message = format!("none within {} ms", limit.as_millis());
        Self { call, failure: Failure::Unanswered, code: None, retry_after: None, message }
    }

    /// A request that is not even sent.
    pub(super) fn invalid(call: Call, why: &str) -> Self {
        Self { call, failure: Failure::Invalid, code: None, retry_after: None, message: why.to_owned() }
    }

    /// An answer of the API server that says no.
    pub(super) fn status(call: Call, status: &Status) -> Self {
        let asked = status.details.as_ref().map_or(0, |details| u64::from(details.retry_after_seconds));
        Self {
            call,
            failure: Failure::of(status.code, status.reason == "AlreadyExists"),
            code: Some(status.code),
            retry_after: (asked > 0).then(|| Duration::from_secs(asked).min(RETRY_AFTER_LIMIT)),
            message: cut(&status.message),
        }
    }

    /// Whatever the client says.
    pub(super) fn from_client(call: Call, error: ::kube::Error) -> Self {
        use ::kube::Error as Told;
        if let Told::Api(status) = &error {
            return Self::status(call, status);
        }
        let failure = if matches!(error, Told::SerdeError(_) | Told::FromUtf8(_)) {
            Failure::Unreadable
        } else if matches!(error, Told::BuildRequest(_) | Told::HttpError(_)) {
            Failure::Invalid
        } else if matches!(error, Told::Auth(_)) || never_connected(&error) {
            Failure::Unsent
        } else {
            Failure::Unanswered
        };
        Self { call, failure, code: None, retry_after: None, message: cut(&chain(&error)) }
    }
}

/// Whether the connection failed before a byte of the request was sent.
fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    causes(error)
        .any(|cause| cause.downcast_ref::<ConnectionError>().is_some_and(ConnectionError::is_connect))
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(CAUSES_LIMIT)
}

/// The words of an error and its causes, each once: many repeat their cause.
fn chain(error: &(dyn StdError + 'static)) -> String {
    causes(error).map(ToString::to_string).fold(String::new(), |told, next| {
        if told.contains(&next) {
            told
        } else if told.is_empty() {
            next
        } else {
            format!("{told}: {next}")
        }
    })
}

fn cut(text: &str) -> String {
    let end = (0..=text.len().min(MESSAGE_LIMIT)).rev().find(|&end| text.is_char_boundary(end));
    text[..end.unwrap_or_default()].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call { verb: Verb::Update, resource: "leases".to_owned(), name: "fleet-group-a".to_owned() }
    }

    fn answered(code: u16, reason: &str) -> Error {
        let status = Status::failure("words of the server", reason).with_code(code);
        Error::from_client(call(), ::kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn each_status_has_its_kind() {
        let kinds = [
            (409, "Conflict", Failure::Conflict),
            (409, "AlreadyExists", Failure::Exists),
            (404, "NotFound", Failure::NotFound),
            (410, "Expired", Failure::Gone),
            (429, "TooManyRequests", Failure::Throttled),
            (401, "Unauthorized", Failure::Refused),
            (403, "Forbidden", Failure::Refused),
            (422, "Invalid", Failure::Invalid),
            (500, "InternalError", Failure::Failing),
            (504, "Timeout", Failure::Failing),
        ];
        for (code, reason, failure) in kinds {
            assert_eq!(answered(code, reason).failure, failure, "{code} {reason}");
        }
    }

    #[test]
    fn it_names_verb_object_and_code() {
        let told = answered(403, "Forbidden").to_string();
        assert_eq!(told, "update leases fleet-group-a: refused (403): words of the server");
    }

    #[test]
    fn only_a_definite_no_rules_a_write_out() {
        assert!(answered(500, "InternalError").failure.may_have_happened());
        assert!(Error::late(call(), Duration::from_secs(1)).failure.may_have_happened());
        assert!(!answered(409, "Conflict").failure.may_have_happened());
        assert!(!answered(429, "TooManyRequests").failure.may_have_happened());
    }

    #[test]
    fn long_words_are_cut_at_a_character() {
        let status = Status::failure(&"é".repeat(400), "").with_code(500);
        assert_eq!(Error::status(call(), &status).message, "é".repeat(150));
    }
}
