//! A connection over which one asks and waits: for what runs beside the daemon, one request at a time. The daemon's own links
//! are elsewhere in this module.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustls::ClientConfig;
use tokio_util::codec::Decoder as _;

use super::LinkConfig;
use super::dial::dial;
use super::io::{READ_SIZE, Stream};
use crate::resp::{Reply, ReplyDecoder, encode_request};

/// See the module. No wait for an answer has a bound here: that is the caller's.
pub(crate) struct Dialogue {
    stream: Stream,
    input: BytesMut,
    decoder: ReplyDecoder,
}

impl Dialogue {
    /// Connects, with TLS if it is given how.
    pub(crate) async fn open(address: SocketAddr, tls: Option<Arc<ClientConfig>>) -> io::Result<Self> {
        let (stream, _) = dial(address, LinkConfig { tls, ..LinkConfig::default() }).await?;
        Ok(Self { stream, input: BytesMut::new(), decoder: ReplyDecoder::default() })
    }

    /// Sends one request.
    pub(crate) async fn send(&mut self, words: &[Bytes]) -> io::Result<()> {
        let mut out = BytesMut::new();
        encode_request(words, &mut out);
        poll_fn(|cx| self.stream.poll_write_all(cx, &mut out)).await
    }

    /// The next reply or message. Nothing is lost when the future is dropped.
    pub(crate) async fn receive(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(reply) = self.decoder.decode(&mut self.input).map_err(io::Error::other)? {
                return Ok(reply);
            }
            let mut scratch = [0; READ_SIZE];
            let read = poll_fn(|cx| self.stream.poll_read(cx, &mut scratch)).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.input.extend_from_slice(&scratch[..read]);
        }
    }
}

/// Words as they are sent.
pub(crate) fn words(args: &[&str]) -> Vec<Bytes> {
    args.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}
