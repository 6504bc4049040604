//! A connection over which one asks and waits: for what runs beside the daemon, one request at a time. The daemon's own links
//! are elsewhere in this module.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::codec::Decoder as _;

use crate::resp::{Reply, ReplyDecoder, encode_request};

/// See the module. No wait here has a bound: that is the caller's.
pub(crate) struct Plain {
    stream: TcpStream,
    input: BytesMut,
    decoder: ReplyDecoder,
}

impl Plain {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: BytesMut::new(), decoder: ReplyDecoder::default() })
    }

    /// Sends one request.
    pub(crate) async fn send(&mut self, words: &[Bytes]) -> io::Result<()> {
        let mut out = BytesMut::new();
        encode_request(words, &mut out);
        while out.has_remaining() {
            self.stream.write_buf(&mut out).await?;
        }
        Ok(())
    }

    /// The next reply or message. Nothing is lost when the future is dropped.
    pub(crate) async fn receive(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(reply) = self.decoder.decode(&mut self.input).map_err(io::Error::other)? {
                return Ok(reply);
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Words as they are sent.
pub(crate) fn words(args: &[&str]) -> Vec<Bytes> {
    args.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}
