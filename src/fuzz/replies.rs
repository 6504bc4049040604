//! What data nodes and peers answer.

use bytes::BytesMut;
use tokio_util::codec::Decoder as _;

use super::{first, pieces};
use crate::resp::{Protocol, Reply, ReplyDecoder, encode_reply};

/// The first byte chooses pieces, the rest is what a data node or peer sends. It means the same however it arrives, is no
/// deeper than the limit, and is read again from what it is written as.
pub fn replies(data: &[u8]) {
    let (choice, bytes) = first(data);
    let whole = read(bytes, std::iter::repeat(bytes.len()));
    assert_eq!(whole, read(bytes, pieces(choice)), "arrived in pieces");
    for reply in &whole.0 {
        assert!(depth(reply) <= 9);
        check(reply);
        let mut wire = BytesMut::new();
        encode_reply(reply, Protocol::Resp2, &mut wire);
        let again = ReplyDecoder::default().decode(&mut wire).ok().flatten();
        assert_eq!(again.as_ref(), Some(reply), "written and read again");
        assert!(wire.is_empty());
    }
}

/// The replies, and whether an error followed them.
fn read(bytes: &[u8], mut sizes: impl Iterator<Item = usize>) -> (Vec<Reply>, bool) {
    let (mut decoder, mut buf, mut rest) = (ReplyDecoder::default(), BytesMut::new(), bytes);
    let mut replies = Vec::new();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(1).min(rest.len());
        buf.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        loop {
            match decoder.decode(&mut buf) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().contains(['\r', '\n']), "an error goes to the log");
                    return (replies, true);
                }
            }
        }
    }
    (replies, false)
}

fn depth(reply: &Reply) -> usize {
    reply.elements().map_or(0, |items| 1 + items.iter().map(depth).max().unwrap_or(0))
}

/// Texts of one line have one.
fn check(reply: &Reply) {
    if let Reply::Simple(text) | Reply::Error(text) = reply {
        assert!(!text.contains(['\r', '\n']), "{text:?}");
    }
    reply.elements().into_iter().flatten().for_each(check);
}
