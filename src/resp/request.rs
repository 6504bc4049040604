//! Bytes of clients to requests: multibulk and inline, resumable, bounded, without copying.
//!
//! A request is refused as soon as its bytes can't become an acceptable one, and nothing is ever reserved on the word
//! of a header. The errors are Redis's own, byte for byte.

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::inline;

/// Longest inline request, and longest header of a multibulk one, in bytes.
pub const MAX_INLINE: usize = 64 * 1024;
/// Most words of a request.
pub const MAX_WORDS: usize = 1024 * 1024;
/// Longest word unless `proto-max-bulk-len` says otherwise, in bytes.
pub const MAX_BULK: usize = 512 * 1024 * 1024;
/// Most words of a request of a client that must authenticate first.
pub const MAX_WORDS_BEFORE_AUTH: usize = 10;
/// Longest word of a client that must authenticate first, in bytes.
pub const MAX_BULK_BEFORE_AUTH: usize = 16 * 1024;
/// Ranges that an idle decoder keeps room for.
const KEPT_RANGES: usize = 8;

/// What one client may send at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Longest word, in bytes.
    pub max_bulk: usize,
    /// The client must authenticate first, which makes words fewer and shorter.
    pub before_auth: bool,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { max_bulk: MAX_BULK, before_auth: false }
    }
}

/// Why a client's bytes can't be a request. The connection is of no further use.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ProtocolError {
    /// No line's end in sight.
    #[error("too big inline request")]
    InlineTooBig,
    /// A quote is not closed, or something sticks to a closing one.
    #[error("unbalanced quotes in request")]
    UnbalancedQuotes,
    /// No end of the number of words in sight.
    #[error("too big mbulk count string")]
    CountTooBig,
    /// The number of words is none, or too large.
    #[error("invalid multibulk length")]
    InvalidCount,
    /// Too many words for a client that must authenticate first.
    #[error("unauthenticated multibulk length")]
    UnauthenticatedCount,
    /// No end of a word's length in sight.
    #[error("too big bulk count string")]
    LengthTooBig,
    /// A word does not begin with `$`.
    #[error("expected '$', got '{}'", char::from(*.0))]
    ExpectedBulk(u8),
    /// A word's length is none, or too large.
    #[error("invalid bulk length")]
    InvalidLength,
    /// Too long a word for a client that must authenticate first.
    #[error("unauthenticated bulk length")]
    UnauthenticatedLength,
}

impl ProtocolError {
    /// The error's text for the client, its code in front. Bytes, because it may quote one.
    #[must_use]
    pub fn line(self) -> Vec<u8> {
        let mut line = b"ERR Protocol error: ".to_vec();
        match self {
            Self::ExpectedBulk(byte) => {
                line.extend_from_slice(b"expected '$', got '");
                // C's text ends at a zero byte.
                if byte != 0 {
                    line.push(byte);
                    line.push(b'\'');
                }
            }
            Self::InlineTooBig
            | Self::UnbalancedQuotes
            | Self::CountTooBig
            | Self::InvalidCount
            | Self::UnauthenticatedCount
            | Self::LengthTooBig
            | Self::InvalidLength
            | Self::UnauthenticatedLength => line.extend_from_slice(self.to_string().as_bytes()),
        }
        line
    }
}

/// Decodes the requests of one client.
#[derive(Debug, Default)]
pub struct RequestDecoder {
    /// Bytes of the present request that need not be looked at again.
    done: usize,
    /// Bytes behind `done` that were searched for a line's end in vain.
    searched: usize,
    /// Words still to come; 0 is between requests.
    words_left: usize,
    /// Length of the word that is awaited, once its header has been read.
    word_len: Option<usize>,
    /// Where the words read so far are.
    words: Vec<(usize, usize)>,
}

impl RequestDecoder {
    /// Takes the next request off `buf`. `None` means that more bytes are needed; the decoder remembers how far it got,
    /// so that `buf` may only grow at its end until then.
    ///
    /// A request is never empty: empty lines, `*0` and `*-1` are passed over.
    ///
    /// # Errors
    /// [`ProtocolError`]; neither decoder nor `buf` can be used any more.
    pub fn decode(
        &mut self,
        buf: &mut BytesMut,
        limits: &RequestLimits,
    ) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        loop {
            if self.words_left == 0 {
                let step = match buf.first() {
                    None => return Ok(None),
                    Some(b'*') => self.count(buf, limits)?,
                    Some(_) => self.inline(buf)?,
                };
                match step {
                    Step::More => return Ok(None),
                    Step::Skip => {}
                    Step::Words => {
                        self.done = 0;
                        continue;
                    }
                    Step::Request(request) => return Ok(Some(request)),
                }
                continue;
            }
            if !self.word(buf, limits)? {
                return Ok(None);
            }
            if self.words_left == 0 {
                let request = buf.split_to(self.done).freeze();
                let words = self.words.iter().map(|&(from, to)| request.slice(from..to)).collect();
                self.reset();
                return Ok(Some(words));
            }
        }
    }

    /// Whether a request has begun and waits for more bytes.
    #[must_use]
    pub fn is_within_request(&self) -> bool {
        self.words_left > 0
    }

    /// Bytes of memory that the decoder holds besides itself.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.words.capacity() * size_of::<(usize, usize)>()
    }

    fn reset(&mut self) {
        let mut words = std::mem::take(&mut self.words);
        words.clear();
        words.shrink_to(KEPT_RANGES);
        *self = Self { words, ..Self::default() };
    }

    /// `*N`. The header is taken off `buf`, so that the words' places count from the first word.
    fn count(&mut self, buf: &mut BytesMut, limits: &RequestLimits) -> Result<Step, ProtocolError> {
        let Some(end) = self.line(buf, ProtocolError::CountTooBig)? else { return Ok(Step::More) };
        let count = parse(&buf[1..end]).ok_or(ProtocolError::InvalidCount)?;
        self.searched = 0;
        let Ok(count) = usize::try_from(count) else {
            take(buf, end + 2);
            return Ok(Step::Skip);
        };
        if count > MAX_WORDS {
            return Err(ProtocolError::InvalidCount);
        }
        if limits.before_auth && count > MAX_WORDS_BEFORE_AUTH {
            return Err(ProtocolError::UnauthenticatedCount);
        }
        take(buf, end + 2);
        self.words_left = count;
        Ok(if count == 0 { Step::Skip } else { Step::Words })
    }

    /// One `$N` and its bytes; `false` when they have not all arrived.
    fn word(&mut self, buf: &[u8], limits: &RequestLimits) -> Result<bool, ProtocolError> {
        let len = match self.word_len {
            Some(len) => len,
            None => {
                let Some(end) = self.line(buf, ProtocolError::LengthTooBig)? else { return Ok(false) };
                if buf[self.done] != b'$' {
                    return Err(ProtocolError::ExpectedBulk(buf[self.done]));
                }
                let len = parse(&buf[self.done + 1..end])
                    .and_then(|len| usize::try_from(len).ok())
                    .filter(|len| *len <= limits.max_bulk)
                    .ok_or(ProtocolError::InvalidLength)?;
                if limits.before_auth && len > MAX_BULK_BEFORE_AUTH {
                    return Err(ProtocolError::UnauthenticatedLength);
                }
                self.done = end + 2;
                self.searched = 0;
                self.word_len = Some(len);
                len
            }
        };
        // The two bytes behind a word are passed over unseen, as Redis does.
        if buf.len() - self.done < len + 2 {
            return Ok(false);
        }
        self.words.push((self.done, self.done + len));
        self.done += len + 2;
        self.words_left -= 1;
        self.word_len = None;
        Ok(true)
    }

    fn inline(&mut self, buf: &mut BytesMut) -> Result<Step, ProtocolError> {
        let Some(end) = position(buf, self.searched, b'\n') else {
            self.searched = buf.len();
            return if buf.len() > MAX_INLINE { Err(ProtocolError::InlineTooBig) } else { Ok(Step::More) };
        };
        self.searched = 0;
        if end > MAX_INLINE {
            return Err(ProtocolError::InlineTooBig);
        }
        let words = {
            let line = &buf[..end];
            inline::split(line.strip_suffix(b"\r").unwrap_or(line)).ok_or(ProtocolError::UnbalancedQuotes)?
        };
        take(buf, end + 1);
        Ok(if words.is_empty() { Step::Skip } else { Step::Request(words) })
    }

    /// Position of the CR that ends the header at `done`. The byte behind it must have arrived too, whatever it is.
    fn line(&mut self, buf: &[u8], too_big: ProtocolError) -> Result<Option<usize>, ProtocolError> {
        match position(buf, self.done + self.searched, b'\r') {
            Some(at) if at - self.done > MAX_INLINE => Err(too_big),
            Some(at) if at + 1 < buf.len() => Ok(Some(at)),
            Some(at) => {
                self.searched = at - self.done;
                Ok(None)
            }
            None if buf.len() - self.done > MAX_INLINE => Err(too_big),
            None => {
                self.searched = buf.len() - self.done;
                Ok(None)
            }
        }
    }
}

/// What the beginning of a request turned out to be.
enum Step {
    /// Not yet decided.
    More,
    /// Nothing to execute.
    Skip,
    /// A multibulk request; its words follow.
    Words,
    /// A complete inline request.
    Request(Vec<Bytes>),
}

fn take(buf: &mut BytesMut, len: usize) {
    bytes::Buf::advance(buf, len);
}

fn position(buf: &[u8], from: usize, wanted: u8) -> Option<usize> {
    buf.get(from..)?.iter().position(|byte| *byte == wanted).map(|at| from + at)
}

/// A number as Redis reads it: no plus, no leading zero, no blank.
pub(crate) fn parse(digits: &[u8]) -> Option<i64> {
    let magnitude = digits.strip_prefix(b"-").unwrap_or(digits);
    match magnitude {
        [] => None,
        [b'0'] => (magnitude.len() == digits.len()).then_some(0),
        [b'1'..=b'9', ..] => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
