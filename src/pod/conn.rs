//! One connection, one question at a time, every wait bounded.

use std::io;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_util::codec::Decoder as _;

use crate::resp::{Reply, ReplyDecoder, encode_request};

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
}

/// A connection to a target that is made when it is needed, and anew after an error.
pub(super) struct Conn {
    target: Target,
    open: Option<Open>,
}

struct Open {
    stream: TcpStream,
    input: BytesMut,
    decoder: ReplyDecoder,
}

impl Conn {
    pub(super) const fn new(target: Target) -> Self {
        Self { target, open: None }
    }

    /// Asks, and waits for the answer. An error that is answered is an [`Error::Refused`].
    pub(super) async fn ask(&mut self, words: &[&str]) -> Result<Reply, Error> {
        let words: Vec<Bytes> = words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        if let Some(open) = self.open.take() {
            match self.ask_over(open, &words).await {
                // A switchover ends with the old primary's connections being cut, and a vedette may be replaced.
                Err(Error::Silent(error)) if error.kind() != io::ErrorKind::TimedOut => {}
                answer => return answer,
            }
        }
        let open = within(Open::new(&self.target)).await?;
        self.ask_over(open, &words).await
    }

    /// Asks and keeps the connection, but after an error: a late answer would be taken for that of the next question.
    async fn ask_over(&mut self, mut open: Open, words: &[Bytes]) -> Result<Reply, Error> {
        let answer = within(open.ask(words)).await;
        if matches!(answer, Ok(_) | Err(Error::Refused(_))) {
            self.open = Some(open);
        }
        answer
    }
}

impl Open {
    async fn new(target: &Target) -> Result<Self, Error> {
        let address = target.address.replace(['[', ']'], "");
        let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
        let port = port.parse().map_err(io::Error::other)?;
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in lookup_host((host, port)).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let mut open = Self { stream, input: BytesMut::new(), decoder: ReplyDecoder::default() };
                    if let Some(password) = &target.password {
                        let user = target.user.clone().map(Bytes::from);
                        let login = [Some(Bytes::from("AUTH")), user, Some(password.clone())];
                        open.ask(&login.into_iter().flatten().collect::<Vec<_>>()).await?;
                    }
                    return Ok(open);
                }
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    async fn ask(&mut self, words: &[Bytes]) -> Result<Reply, Error> {
        let mut out = BytesMut::new();
        encode_request(words, &mut out);
        while out.has_remaining() {
            self.stream.write_buf(&mut out).await?;
        }
        loop {
            match self.decoder.decode(&mut self.input).map_err(io::Error::other)? {
                Some(Reply::Error(text)) => return Err(Error::Refused(text.into_owned())),
                Some(reply) => return Ok(reply),
                None if self.stream.read_buf(&mut self.input).await? == 0 => {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                None => {}
            }
        }
    }
}

async fn within<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(LIMIT, work).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}
