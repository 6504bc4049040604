//! Bytes of data nodes and peers to [`Reply`].
//!
//! The frames are decoded by the `redis-protocol` crate, which by itself has neither a depth nor a size limit and
//! starts again from the first byte at every partial read. So a resumable pre-scan finds each frame's end first,
//! refuses what is too deep or too large, and hands over complete frames only.

use std::borrow::Cow;

use bytes::BytesMut;
use redis_protocol::resp2::decode::decode_bytes_mut;
use redis_protocol::resp2::types::BytesFrame;
use thiserror::Error;
use tokio_util::codec::Decoder;

use super::Reply;

/// Arrays in arrays that are accepted: replies to the commands that links send are at most three deep.
const MAX_DEPTH: usize = 8;
/// Longest accepted bulk string, in bytes.
const MAX_BULK: usize = 16 * 1024 * 1024;
/// Longest accepted status, error, number or length line, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// Most values in one reply.
const MAX_VALUES: usize = 1024 * 1024;
/// Most bytes of one reply.
const MAX_FRAME: usize = 32 * 1024 * 1024;

/// Why the bytes of a data node or peer can't be a reply. The connection is of no further use.
#[derive(Debug, Error)]
pub enum ReplyError {
    /// The connection failed.
    #[error("connection failed")]
    Io(#[from] std::io::Error),
    /// A value began with a byte that RESP2 doesn't know.
    #[error("unexpected first byte {0:#04x} of a reply")]
    Kind(u8),
    /// A length or number is none.
    #[error("malformed number in a reply")]
    Number,
    /// Larger or deeper than any reply that is waited for.
    #[error("reply over the limit of {0}")]
    Limit(&'static str),
    /// The decoder refused what the scan let through.
    #[error("malformed reply")]
    Malformed(#[from] redis_protocol::error::RedisProtocolError),
}

/// Decodes replies with limits on depth, count and size.
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    scan: Scan,
}

impl Decoder for ReplyDecoder {
    type Item = Reply;
    type Error = ReplyError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Reply>, ReplyError> {
        let Some(len) = self.scan.advance(src)? else { return Ok(None) };
        self.scan = Scan::default();
        let mut frame = src.split_to(len);
        // The decoder knows one null only; which kind it was is told by its first byte.
        let null_array = frame.starts_with(b"*-");
        match decode_bytes_mut(&mut frame)? {
            Some((BytesFrame::Null, _, _)) if null_array => Ok(Some(Reply::NilArray)),
            Some((value, _, _)) => Ok(Some(convert(value))),
            None => Err(ReplyError::Number),
        }
    }
}

fn convert(frame: BytesFrame) -> Reply {
    match frame {
        BytesFrame::SimpleString(bytes) => Reply::Simple(one_line(&String::from_utf8_lossy(&bytes))),
        BytesFrame::Error(text) => Reply::Error(one_line(&text)),
        BytesFrame::Integer(value) => Reply::Int(value),
        BytesFrame::BulkString(bytes) => Reply::Bulk(bytes),
        BytesFrame::Array(items) => Reply::Array(items.into_iter().map(convert).collect()),
        BytesFrame::Null => Reply::Nil,
    }
}

/// A line ends with CR and LF together, so that one of them alone may be in it: it must not end lines elsewhere.
fn one_line(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.replace(['\r', '\n'], " "))
}

/// Where in a reply the scan stands.
#[derive(Debug, Default)]
struct Scan {
    /// Bytes that need not be looked at again.
    done: usize,
    /// Bytes behind `done` that were searched for a line's end in vain.
    searched: usize,
    /// Values still to come in each open array, the innermost last.
    open: Vec<usize>,
    /// Values seen.
    values: usize,
}

impl Scan {
    /// Goes on through `src`; returns the length of the first reply once it is complete.
    fn advance(&mut self, src: &[u8]) -> Result<Option<usize>, ReplyError> {
        loop {
            let Some(line) = self.line(src)? else { return Ok(None) };
            let (kind, number) = (src[self.done], &src[self.done + 1..line]);
            let mut end = line + 2;
            let mut children = 0;
            match kind {
                b'+' | b'-' => {}
                b':' => {
                    parse(number).ok_or(ReplyError::Number)?;
                }
                b'$' => {
                    if let Some(len) = length(number)? {
                        if len > MAX_BULK {
                            return Err(ReplyError::Limit("a bulk string's size"));
                        }
                        end += len + 2;
                        if src.len() < end {
                            return Ok(None);
                        }
                        if &src[end - 2..end] != b"\r\n" {
                            return Err(ReplyError::Number);
                        }
                    }
                }
                b'*' => {
                    children = length(number)?.unwrap_or(0);
                    if children > MAX_VALUES {
                        return Err(ReplyError::Limit("values"));
                    }
                    if children > 0 && self.open.len() == MAX_DEPTH {
                        return Err(ReplyError::Limit("depth"));
                    }
                }
                other => return Err(ReplyError::Kind(other)),
            }
            self.done = end;
            self.searched = 0;
            self.values += 1;
            if self.values > MAX_VALUES {
                return Err(ReplyError::Limit("values"));
            }
            if end > MAX_FRAME {
                return Err(ReplyError::Limit("size"));
            }
            if children > 0 {
                self.open.push(children);
                continue;
            }
            while let Some(left) = self.open.last_mut() {
                *left -= 1;
                if *left > 0 {
                    break;
                }
                self.open.pop();
            }
            if self.open.is_empty() {
                return Ok(Some(self.done));
            }
        }
    }

    /// Position of the CR that ends the line at `done`.
    fn line(&mut self, src: &[u8]) -> Result<Option<usize>, ReplyError> {
        let rest = src.get(self.done..).unwrap_or_default();
        if let Some(&kind) = rest.first()
            && !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*')
        {
            return Err(ReplyError::Kind(kind));
        }
        let found = rest.get(self.searched..).and_then(|tail| tail.windows(2).position(|two| two == b"\r\n"));
        match found {
            Some(at) if self.searched + at > MAX_LINE => Err(ReplyError::Limit("a line's length")),
            Some(at) => Ok(Some(self.done + self.searched + at)),
            None if rest.len() > MAX_LINE => Err(ReplyError::Limit("a line's length")),
            None => {
                // The last byte may be the CR whose LF is still to come.
                self.searched = rest.len().saturating_sub(1);
                Ok(None)
            }
        }
    }
}

fn length(digits: &[u8]) -> Result<Option<usize>, ReplyError> {
    match parse(digits) {
        Some(-1) => Ok(None),
        Some(value) => usize::try_from(value).map(Some).map_err(|_| ReplyError::Number),
        None => Err(ReplyError::Number),
    }
}

fn parse(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{Protocol, encode_reply};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn one(bytes: &[u8]) -> Result<Option<Reply>, ReplyError> {
        ReplyDecoder::default().decode(&mut BytesMut::from(bytes))
    }

    #[test]
    fn values() {
        for (bytes, reply) in [
            (&b"+OK\r\n"[..], Reply::OK),
            (b"-ERR no\r\n", Reply::err("ERR no")),
            (b"-ERR a\nb\rc\r\n", Reply::err("ERR a b c")),
            (b":-12\r\n", Reply::Int(-12)),
            (b"$-1\r\n", Reply::Nil),
            (b"*-1\r\n", Reply::NilArray),
            (b"$0\r\n\r\n", Reply::bulk("")),
            (b"*0\r\n", Reply::Array(vec![])),
            (
                b"*2\r\n*1\r\n$1\r\na\r\n*-1\r\n",
                Reply::Array(vec![Reply::Array(vec![Reply::bulk("a")]), Reply::Nil]),
            ),
        ] {
            assert_eq!(one(bytes).unwrap(), Some(reply));
        }
    }

    #[test]
    fn limits() {
        assert!(matches!(one(&b"*1\r\n".repeat(MAX_DEPTH + 1)), Err(ReplyError::Limit("depth"))));
        assert!(matches!(one(&b"*1\r\n".repeat(100_000)), Err(ReplyError::Limit("depth"))));
        assert!(matches!(one(b"$1073741824\r\n"), Err(ReplyError::Limit(_))));
        assert!(matches!(one(b"*1000000000\r\n"), Err(ReplyError::Limit(_))));
        assert!(matches!(one(&[b'+'; MAX_LINE + 2]), Err(ReplyError::Limit(_))));
        let long = [&b"+"[..], &[b'x'; MAX_LINE], b"\r\n"].concat();
        assert!(matches!(one(&long), Err(ReplyError::Limit(_))), "also when its end came with it");
        assert!(matches!(one(b"$-2\r\n"), Err(ReplyError::Number)));
        assert!(matches!(one(b"$1\r\nabc"), Err(ReplyError::Number)));
        assert!(matches!(one(b":x\r\n"), Err(ReplyError::Number)));
        assert!(matches!(one(b"%1\r\n"), Err(ReplyError::Kind(b'%'))));
        assert!(matches!(one(b"HTTP/1.1 400 Bad Request\r\n"), Err(ReplyError::Kind(b'H'))));
    }

    fn reply() -> impl Strategy<Value = Reply> {
        let leaf = prop_oneof![
            "[a-zA-Z ]{0,12}".prop_map(|text| Reply::Simple(text.into())),
            "[A-Z]{1,6} [a-z ]{0,12}".prop_map(|text| Reply::Error(text.into())),
            any::<i64>().prop_map(Reply::Int),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Reply::Bulk(Bytes::from(bytes))),
            Just(Reply::Nil),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| proptest::collection::vec(inner, 0..6).prop_map(Reply::Array))
    }

    proptest! {
        #[test]
        fn in_any_pieces(replies in proptest::collection::vec(reply(), 1..4), cuts in proptest::collection::vec(1..9_usize, 1..60)) {
            let mut wire = BytesMut::new();
            for reply in &replies {
                encode_reply(reply, Protocol::Resp2, &mut wire);
            }
            let (mut decoder, mut buffer, mut seen) = (ReplyDecoder::default(), BytesMut::new(), Vec::new());
            let mut cuts = cuts.into_iter().cycle();
            while !wire.is_empty() {
                let n = cuts.next().unwrap_or(1).min(wire.len());
                buffer.extend_from_slice(&wire.split_to(n));
                while let Some(reply) = decoder.decode(&mut buffer).unwrap() {
                    seen.push(reply);
                }
            }
            prop_assert_eq!(seen, replies);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            let mut decoder = ReplyDecoder::default();
            while let Ok(Some(_)) = decoder.decode(&mut buffer) {}
        }
    }
}
