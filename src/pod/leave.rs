//! `vedette leave`: the primary's role goes before its process does.
//!
//! It looks at the data node's role and at the fleet's word again and again, and asks where both say that the role is
//! still here. Whoever else moves the role meanwhile, a fleet that saw the Pod's deletion for instance, is only waited for.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use rustls::ClientConfig;
use tokio::time::{Instant, sleep};

use super::conn::{Conn, Error, Target};
use crate::link::tls::{self, TlsFiles, client_config};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two requests: before that a vedette says that it was asked already.
const AGAIN: Duration = Duration::from_millis(1100);
/// What stands in a switchover's way now, and may not a little later: one is running; no replica is in step.
const PASSING: [&str; 2] = ["INPROG", "NOGOODSLAVE"];
/// How long nobody, or nobody who knows the group, may answer before there is nobody to wait for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of `vedette leave`.
#[derive(Args, Clone, Debug)]
pub struct LeaveArgs {
    /// The group's name.
    pub group: String,
    /// Where the vedettes answer.
    #[arg(long, value_name = "HOST:PORT", default_value = "vedette:26379", value_parser = address)]
    pub vedettes: String,
    /// Where the data node answers.
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:6379", value_parser = address)]
    pub node: String,
    /// User on the data node; it needs INFO.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Password for the data node [default: the environment's REDISCLI_AUTH].
    #[arg(long, value_name = "FILE")]
    pub pass_file: Option<PathBuf>,
    /// User at the vedettes.
    #[arg(long, value_name = "NAME")]
    pub sentinel_user: Option<String>,
    /// Password for the vedettes.
    #[arg(long, value_name = "FILE")]
    pub sentinel_pass_file: Option<PathBuf>,
    /// Speak TLS with both of them, or with one alone.
    #[arg(
        long,
        value_name = "WHOM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "both",
        requires = "cacert"
    )]
    pub tls: Option<TlsWith>,
    /// Certificates of the authorities that theirs must be signed by; no name in them is looked at.
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub cacert: Option<PathBuf>,
    /// Certificate to show them.
    #[arg(long, value_name = "FILE", requires_all = ["tls", "key"])]
    pub cert: Option<PathBuf>,
    /// Its key.
    #[arg(long, value_name = "FILE", requires_all = ["tls", "cert"])]
    pub key: Option<PathBuf>,
    /// Longest wait: a few seconds less than the Pod's terminationGracePeriodSeconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub within: u64,
}

/// With whom `vedette leave` speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlsWith {
    /// The data node and the vedettes.
    Both,
    /// The data node.
    Node,
    /// The vedettes.
    Vedettes,
}

fn address(text: &str) -> Result<String, String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("HOST:PORT is needed".to_owned()),
    }
}

/// How it ended.
#[derive(Debug)]
pub enum Outcome {
    /// The node is a replica.
    Replica,
    /// The node does not answer: it has no role to hand over.
    Silent(io::Error),
    /// No vedette answers.
    Nobody(io::Error),
    /// The vedettes know another primary.
    Other,
    /// The role has left.
    Left,
    /// The node, or the vedettes, refuse to tell.
    Refused(&'static str, String),
    /// A password could not be read.
    Password(PathBuf, io::Error),
    /// The certificates are of no use.
    Certificates(tls::Error),
    /// The time is over and the role is still here. What the vedettes said last.
    Late(String),
}

impl Outcome {
    /// Whether the hook did what it is there for, or there was nothing to do.
    #[must_use]
    pub const fn good(&self) -> bool {
        match self {
            Self::Replica | Self::Silent(_) | Self::Nobody(_) | Self::Other | Self::Left => true,
            Self::Refused(..) | Self::Password(..) | Self::Certificates(_) | Self::Late(_) => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replica => out.write_str("not a primary: nothing to hand over"),
            Self::Silent(error) => {
                write!(out, "the data node does not answer ({error}): nothing to hand over")
            }
            Self::Nobody(error) => write!(out, "no vedette answers ({error}): nobody to hand over to"),
            Self::Other => out.write_str("not the primary that the vedettes know: nothing to hand over"),
            Self::Left => out.write_str("the role has left"),
            Self::Refused(who, text) => write!(out, "{who} said: {text}"),
            Self::Password(path, error) => write!(out, "no password in {}: {error}", path.display()),
            Self::Certificates(error) => error.fmt(out),
            Self::Late(text) => write!(out, "the role is still here; the vedettes said last: {text}"),
        }
    }
}

/// Hands the role over where it is here, and waits until it has left. Not to be called inside a runtime.
///
/// # Errors
/// No runtime could be started.
pub fn leave(args: &LeaveArgs) -> io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match Leaver::new(args) {
            Ok(mut leaver) => leaver.run(Duration::from_secs(args.within)).await,
            Err(outcome) => outcome,
        }
    });
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    Ok(outcome)
}

struct Leaver {
    group: String,
    node: Conn,
    fleet: Conn,
}

/// What the data node says of itself.
struct Own {
    run_id: String,
    primary: bool,
}

impl Leaver {
    fn new(args: &LeaveArgs) -> Result<Self, Outcome> {
        let node_password = match &args.pass_file {
            Some(path) => Some(password(path)?),
            None => std::env::var("REDISCLI_AUTH").ok().filter(|text| !text.is_empty()).map(Bytes::from),
        };
        let fleet_password = args.sentinel_pass_file.as_deref().map(password).transpose()?;
        let tls = args.tls.map(|with| Ok((with, certificates(args)?))).transpose()?;
        let target = |address: &str, user: &Option<String>, password, whom| {
            let tls = tls.as_ref().filter(|(with, _)| [TlsWith::Both, whom].contains(with));
            let tls = tls.map(|(_, config)| config.clone());
            Conn::new(Target { address: address.to_owned(), user: user.clone(), password, tls })
        };
        Ok(Self {
            group: args.group.clone(),
            node: target(&args.node, &args.user, node_password, TlsWith::Node),
            fleet: target(&args.vedettes, &args.sentinel_user, fleet_password, TlsWith::Vedettes),
        })
    }

    async fn run(&mut self, within: Duration) -> Outcome {
        let deadline = Instant::now() + within;
        // Since when the fleet told nothing of use; when it was asked last; what it said to that; whether it ever knew
        // this node as the primary.
        let mut silent_since = None;
        let mut asked_at: Option<Instant> = None;
        let mut said = "nothing".to_owned();
        let mut was_primary = false;
        loop {
            let own = match self.own().await {
                Ok(own) => own,
                Err(Error::Silent(error)) => return Outcome::Silent(error),
                Err(Error::Refused(text)) => return Outcome::Refused("the data node", text),
            };
            if !own.primary && !was_primary {
                return Outcome::Replica;
            }
            let known = self.known().await;
            let now = Instant::now();
            match known {
                Ok(known) => {
                    silent_since = None;
                    let here = known == own.run_id;
                    match (own.primary, here) {
                        (false, false) => return Outcome::Left,
                        // It is being made known.
                        (false, true) => {}
                        (true, true) => {
                            was_primary = true;
                            if asked_at.is_none_or(|at| now - at >= AGAIN) {
                                asked_at = Some(now);
                                said = match self.request().await {
                                    Ok(text) => text,
                                    Err(text) => return Outcome::Refused("the vedettes", text),
                                };
                            }
                        }
                        (true, false) if was_primary || known.is_empty() => {}
                        (true, false) => return Outcome::Other,
                    }
                }
                Err(error) => {
                    if now - *silent_since.get_or_insert(now) >= PATIENCE {
                        return match error {
                            _ if !own.primary => Outcome::Left,
                            Error::Silent(error) => Outcome::Nobody(error),
                            Error::Refused(text) => Outcome::Refused("the vedettes", text),
                        };
                    }
                }
            }
            if now >= deadline {
                return if own.primary { Outcome::Late(said) } else { Outcome::Left };
            }
            sleep(PAUSE).await;
        }
    }

    async fn own(&mut self) -> Result<Own, Error> {
        let reply = self.node.ask(&["INFO"]).await?;
        let text = reply.text().unwrap_or_default();
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(Own {
            run_id: line("run_id").unwrap_or_default().to_owned(),
            primary: line("role") == Some("master"),
        })
    }

    /// The run id of the primary that the fleet knows; empty while it knows none.
    async fn known(&mut self) -> Result<String, Error> {
        let reply = self.fleet.ask(&["SENTINEL", "MASTER", &self.group]).await?;
        Ok(reply.field("runid").unwrap_or_default().to_owned())
    }

    /// Asks for a switchover; what was answered, or why there will be none however often it is asked for.
    async fn request(&mut self) -> Result<String, String> {
        match self.fleet.ask(&["SENTINEL", "FAILOVER", &self.group]).await {
            Ok(reply) => Ok(reply.text().unwrap_or_default().to_owned()),
            Err(Error::Silent(error)) => Ok(error.to_string()),
            Err(Error::Refused(text)) if PASSING.iter().any(|code| text.starts_with(code)) => Ok(text),
            Err(Error::Refused(text)) => Err(text),
        }
    }
}

fn certificates(args: &LeaveArgs) -> Result<Arc<ClientConfig>, Outcome> {
    client_config(&TlsFiles {
        cert_file: args.cert.clone(),
        key_file: args.key.clone(),
        ca_cert_file: args.cacert.clone(),
        ..TlsFiles::default()
    })
    .map_err(Outcome::Certificates)
}

fn password(path: impl AsRef<Path>) -> Result<Bytes, Outcome> {
    let path = path.as_ref();
    let mut text = fs::read(path).map_err(|error| Outcome::Password(path.to_owned(), error))?;
    // Editors and `echo` end the line.
    while text.last().is_some_and(u8::is_ascii_whitespace) {
        text.pop();
    }
    Ok(text.into())
}
