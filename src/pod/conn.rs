//! One connection, one question at a time, every wait bounded.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::ClientConfig;
use thiserror::Error;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::link::dialogue::{Dialogue, words};
use crate::resp::Reply;

/// Time for one connection with its login, and for one answer.
const LIMIT: Duration = Duration::from_secs(2);

/// Why a question has no answer.
#[derive(Debug, Error)]
pub(super) enum Error {
    /// There was none.
    #[error("{0}")]
    Silent(#[from] io::Error),
    /// It was an error.
    #[error("{0}")]
    Refused(String),
}

/// Whom to ask, and as whom.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// `HOST:PORT`; a name may have several addresses, of either family.
    pub(super) address: String,
    /// None is the default user.
    pub(super) user: Option<String>,
    /// None is no login at all.
    pub(super) password: Option<Bytes>,
    /// None is no TLS.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// A connection to a target that is made when it is needed, and anew after an error.
pub(super) struct Conn {
    target: Target,
    open: Option<Dialogue>,
}

impl Conn {
    pub(super) const fn new(target: Target) -> Self {
        Self { target, open: None }
    }

    /// Asks, and waits for the answer. An error that is answered is an [`Error::Refused`].
    pub(super) async fn ask(&mut self, args: &[&str]) -> Result<Reply, Error> {
        let words = words(args);
        if let Some(open) = self.open.take() {
            match self.ask_over(open, &words).await {
                // A switchover ends with the old primary's connections being cut, and a vedette may be replaced.
                Err(Error::Silent(error)) if error.kind() != io::ErrorKind::TimedOut => {}
                answer => return answer,
            }
        }
        let open = within(open(&self.target)).await?;
        self.ask_over(open, &words).await
    }

    /// Asks and keeps the connection, but after an error: a late answer would be taken for that of the next question.
    async fn ask_over(&mut self, mut open: Dialogue, words: &[Bytes]) -> Result<Reply, Error> {
        let answer = within(ask(&mut open, words)).await;
        if matches!(answer, Ok(_) | Err(Error::Refused(_))) {
            self.open = Some(open);
        }
        answer
    }
}

async fn open(target: &Target) -> Result<Dialogue, Error> {
    let address = target.address.replace(['[', ']'], "");
    let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
    let port = port.parse().map_err(io::Error::other)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in lookup_host((host, port)).await? {
        match Dialogue::open(address, target.tls.clone()).await {
            Ok(mut open) => {
                if let Some(password) = &target.password {
                    let user = target.user.clone().map(Bytes::from);
                    let login = [Some(Bytes::from("AUTH")), user, Some(password.clone())];
                    ask(&mut open, &login.into_iter().flatten().collect::<Vec<_>>()).await?;
                }
                return Ok(open);
            }
            // It answers, but not with a certificate of that authority, or not with TLS at all.
            Err(error)
                if [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof].contains(&error.kind()) =>
            {
                return Err(Error::Refused(format!("no TLS with it: {error}")));
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

async fn ask(open: &mut Dialogue, words: &[Bytes]) -> Result<Reply, Error> {
    open.send(words).await?;
    let reply = open.receive().await?;
    if let Reply::Error(text) = reply { Err(Error::Refused(text.into_owned())) } else { Ok(reply) }
}

async fn within<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(LIMIT, work).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}
