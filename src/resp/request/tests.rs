use bytes::BufMut as _;
use proptest::prelude::*;
use redis_protocol::resp2::encode::extend_encode;
use redis_protocol::resp2::types::BytesFrame;

use super::*;

/// All requests in `bytes`, and how it ended.
fn all(bytes: &[u8], limits: RequestLimits) -> (Vec<Vec<String>>, Option<ProtocolError>) {
    let mut buf = BytesMut::from(bytes);
    let mut decoder = RequestDecoder::default();
    let mut requests = Vec::new();
    loop {
        match decoder.decode(&mut buf, &limits) {
            Ok(Some(words)) => {
                requests.push(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect());
            }
            Ok(None) => return (requests, None),
            Err(error) => return (requests, Some(error)),
        }
    }
}

fn error(bytes: &[u8]) -> Option<ProtocolError> {
    all(bytes, RequestLimits::default()).1
}

fn requests(bytes: &[u8]) -> Vec<Vec<String>> {
    let (requests, error) = all(bytes, RequestLimits::default());
    assert_eq!(error, None);
    requests
}

#[test]
fn forms_of_a_request() {
    let ping = vec![vec!["PING".to_owned()]];
    for bytes in [
        &b"PING\r\n"[..],
        b"PING\n",
        b"\r\n\n  \r\nPING\r\n",
        b"*0\r\n*-1\r\n*-7\r\nPING\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"*1\r\n$4\r\nPINGxx",
        b"*1\rX$4\rYPINGZZ",
        b"PING\r\n\n",
    ] {
        assert_eq!(requests(bytes), ping, "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(requests(b"*2\r\n$4\r\nPING\r\n$0\r\n\r\nA b\r\n"), [vec!["PING", ""], vec!["A", "b"]]);
}

#[test]
fn errors_come_early() {
    use ProtocolError as E;
    let long = [b'1'; MAX_INLINE + 1];
    for (bytes, wanted) in [
        (&b"*abc\r\n"[..], E::InvalidCount),
        (b"*+1\r\n", E::InvalidCount),
        (b"* 1\r\n", E::InvalidCount),
        (b"*01\r\n", E::InvalidCount),
        (b"*-0\r\n", E::InvalidCount),
        (b"*1048577\r\n", E::InvalidCount),
        (b"*99999999999999999999\r\n", E::InvalidCount),
        (b"*1\r\nPING\r\n", E::ExpectedBulk(b'P')),
        (b"*1\r\n*1\r\n", E::ExpectedBulk(b'*')),
        (b"*1\r\n$-1\r\n", E::InvalidLength),
        (b"*1\r\n$\r\n", E::InvalidLength),
        (b"*1\r\n$04\r\n", E::InvalidLength),
        (b"*1\r\n$536870913\r\n", E::InvalidLength),
        (b"*1\r\n$1073741824\r\n", E::InvalidLength),
        (b"PING \"a\r\n", E::UnbalancedQuotes),
        (&long, E::InlineTooBig),
        (&[b"*", &long[..]].concat(), E::CountTooBig),
        (&[b"*1\r\n$", &long[..]].concat(), E::LengthTooBig),
        (&[b"PING ", &long[..], b"\r\n"].concat(), E::InlineTooBig),
    ] {
        assert_eq!(error(bytes), Some(wanted), "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
    }
    assert_eq!(E::ExpectedBulk(0xff).line(), b"ERR Protocol error: expected '$', got '\xff'");
    assert_eq!(E::InvalidCount.line(), b"ERR Protocol error: invalid multibulk length");
}

#[test]
fn the_largest_headers_wait_without_reserving() {
    for header in [&b"*1048576\r\n"[..], b"*1\r\n$536870912\r\n", b"*1048576\r\n$536870912\r\n"] {
        let mut buf = BytesMut::from(header);
        let before = buf.capacity();
        let mut decoder = RequestDecoder::default();
        assert_eq!(decoder.decode(&mut buf, &RequestLimits::default()), Ok(None));
        assert!(buf.capacity() <= before && decoder.memory() == 0);
        assert!(decoder.is_within_request());
    }
}

#[test]
fn less_is_allowed_before_authentication() {
    let strict = RequestLimits { before_auth: true, ..RequestLimits::default() };
    assert_eq!(all(b"*10\r\n$16384\r\n", strict).1, None);
    assert_eq!(all(b"*11\r\n", strict).1, Some(ProtocolError::UnauthenticatedCount));
    assert_eq!(all(b"*1\r\n$16385\r\n", strict).1, Some(ProtocolError::UnauthenticatedLength));
}

#[test]
fn words_share_the_buffer() {
    let mut buf = BytesMut::from(&b"*2\r\n$4\r\nPING\r\n$5\r\nhello\r\n"[..]);
    let range = buf.as_ptr_range();
    let words = RequestDecoder::default().decode(&mut buf, &RequestLimits::default()).unwrap().unwrap();
    assert!(words.iter().all(|word| range.contains(&word.as_ptr())));
}

#[test]
fn an_idle_decoder_is_small() {
    let mut buf = BytesMut::from(&b"*5000\r\n"[..]);
    for _ in 0..5000 {
        buf.put_slice(b"$1\r\nx\r\n");
    }
    let mut decoder = RequestDecoder::default();
    assert_eq!(decoder.decode(&mut buf, &RequestLimits::default()).unwrap().unwrap().len(), 5000);
    assert!(decoder.memory() <= 256);
}

fn request() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 1..6)
}

proptest! {
    /// What an independent encoder writes is read back, however the bytes arrive.
    #[test]
    fn reads_what_redis_protocol_writes(
        sent in proptest::collection::vec(request(), 1..5),
        cuts in proptest::collection::vec(1..7_usize, 1..60),
    ) {
        let mut wire = BytesMut::new();
        for words in &sent {
            let frames = words.iter().map(|word| BytesFrame::BulkString(word.clone().into())).collect();
            extend_encode(&mut wire, &BytesFrame::Array(frames), false).unwrap();
        }
        let (mut decoder, mut buf, mut seen) = (RequestDecoder::default(), BytesMut::new(), Vec::new());
        let mut cuts = cuts.into_iter().cycle();
        while !wire.is_empty() {
            let n = cuts.next().unwrap_or(1).min(wire.len());
            buf.extend_from_slice(&wire.split_to(n));
            while let Some(words) = decoder.decode(&mut buf, &RequestLimits::default()).unwrap() {
                seen.push(words.iter().map(|word| word.to_vec()).collect::<Vec<_>>());
            }
        }
        prop_assert_eq!(seen, sent);
        prop_assert!(buf.is_empty() && !decoder.is_within_request());
    }

    /// How the bytes arrive makes no difference for garbage either.
    #[test]
    fn garbage_has_one_meaning(bytes in "[*$0-9\r\nP\" ]{0,60}", cut in 0..60_usize) {
        let bytes = bytes.as_bytes();
        let whole = all(bytes, RequestLimits::default());
        let (mut decoder, mut buf, mut seen) = (RequestDecoder::default(), BytesMut::new(), Vec::new());
        let mut failed = None;
        let cut = cut.min(bytes.len());
        for piece in [&bytes[..cut], &bytes[cut..]] {
            buf.extend_from_slice(piece);
            while failed.is_none() {
                match decoder.decode(&mut buf, &RequestLimits::default()) {
                    Ok(Some(words)) => seen.push(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()),
                    Ok(None) => break,
                    Err(error) => failed = Some(error),
                }
            }
        }
        prop_assert_eq!((seen, failed), whole);
    }

    #[test]
    fn binary_garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = all(&bytes, RequestLimits::default());
    }
}
