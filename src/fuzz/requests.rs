//! What clients send.

use bytes::{Bytes, BytesMut};

use super::{first, pieces};
use crate::resp::encode_request;
use crate::resp::request::{
    MAX_BULK_BEFORE_AUTH, MAX_INLINE, MAX_WORDS_BEFORE_AUTH, ProtocolError, RequestDecoder, RequestLimits,
};

type Read = (Vec<Vec<Bytes>>, Option<ProtocolError>);

/// The first byte chooses limits and pieces, the rest is what a client sends. It means the same however it arrives, is
/// within the limits, takes no more memory than the bytes that came, and is read again from what it is written as.
pub fn requests(data: &[u8]) {
    let (choice, bytes) = first(data);
    let max_bulk = if choice & 2 == 0 { RequestLimits::default().max_bulk } else { 100 };
    let limits = RequestLimits { max_bulk, before_auth: choice & 1 == 1 };
    let whole = read(bytes, std::iter::repeat(bytes.len()), &limits);
    assert_eq!(whole, read(bytes, pieces(choice), &limits), "arrived in pieces");
    for words in &whole.0 {
        check(words, &limits);
    }
}

fn read(bytes: &[u8], mut sizes: impl Iterator<Item = usize>, limits: &RequestLimits) -> Read {
    let (mut decoder, mut buf, mut rest) = (RequestDecoder::default(), BytesMut::new(), bytes);
    let mut requests = Vec::new();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(1).min(rest.len());
        buf.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        loop {
            match decoder.decode(&mut buf, limits) {
                Ok(Some(words)) => requests.push(words),
                Ok(None) => break,
                Err(error) => {
                    assert!(error.line().starts_with(b"ERR Protocol error: "));
                    return (requests, Some(error));
                }
            }
        }
        // A word has six bytes at least, and a table has twice the room that it needs.
        let bound = 2 * size_of::<(usize, usize)>() * (buf.len() / 5 + 8);
        assert!(decoder.memory() <= bound, "{} bytes for {}", decoder.memory(), buf.len());
        assert!(decoder.is_within_request() || buf.len() <= MAX_INLINE + size);
    }
    (requests, None)
}

fn check(words: &[Bytes], limits: &RequestLimits) {
    assert!(!words.is_empty());
    let longest = words.iter().map(Bytes::len).max().unwrap_or(0);
    // A request of one line has a limit of its own.
    assert!(longest <= limits.max_bulk.max(MAX_INLINE));
    if limits.before_auth && words.len() > MAX_WORDS_BEFORE_AUTH {
        assert!(words.iter().map(Bytes::len).sum::<usize>() <= MAX_INLINE);
    }
    assert!(!limits.before_auth || longest <= MAX_BULK_BEFORE_AUTH.max(MAX_INLINE));
    let mut wire = BytesMut::new();
    encode_request(words, &mut wire);
    let again = RequestDecoder::default().decode(&mut wire, &RequestLimits::default());
    assert_eq!(again, Ok(Some(words.to_vec())), "written and read again");
    assert!(wire.is_empty());
}
