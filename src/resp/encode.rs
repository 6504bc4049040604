//! Values to bytes: replies in either protocol, and requests to data nodes and peers.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::Reply;

/// Which RESP a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// RESP2: what every connection starts with.
    #[default]
    Resp2,
    /// RESP3, after `HELLO 3`.
    Resp3,
}

impl Protocol {
    /// 2 or 3.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// Appends `reply` in the form that `protocol` gives it.
pub fn encode_reply(reply: &Reply, protocol: Protocol, out: &mut BytesMut) {
    let resp3 = protocol == Protocol::Resp3;
    match reply {
        Reply::Simple(text) => line(b'+', text.as_bytes(), out),
        Reply::Error(text) => line(b'-', text.as_bytes(), out),
        Reply::Int(value) => number(b':', *value, out),
        Reply::Bulk(bytes) => bulk(bytes, out),
        Reply::Nil => out.put_slice(if resp3 { b"_\r\n" } else { b"$-1\r\n" }),
        Reply::NilArray => out.put_slice(if resp3 { b"_\r\n" } else { b"*-1\r\n" }),
        Reply::Array(items) => all(b'*', items, protocol, out),
        Reply::Set(items) => all(if resp3 { b'~' } else { b'*' }, items, protocol, out),
        Reply::Push(items) => all(if resp3 { b'>' } else { b'*' }, items, protocol, out),
        Reply::Map(pairs) => {
            if resp3 {
                header(b'%', pairs.len(), out);
            } else {
                header(b'*', pairs.len() * 2, out);
            }
            for (key, value) in pairs {
                encode_reply(key, protocol, out);
                encode_reply(value, protocol, out);
            }
        }
        Reply::Double(value) => {
            let text = double(*value);
            if resp3 {
                line(b',', text.as_bytes(), out);
            } else {
                bulk(text.as_bytes(), out);
            }
        }
        Reply::Verbatim(bytes) => {
            if resp3 {
                header(b'=', bytes.len() + 4, out);
                out.put_slice(b"txt:");
                out.put_slice(bytes);
                out.put_slice(b"\r\n");
            } else {
                bulk(bytes, out);
            }
        }
    }
}

/// Appends a request as an array of bulk strings.
pub fn encode_request(args: &[Bytes], out: &mut BytesMut) {
    out.reserve(args.iter().map(|arg| arg.len() + 16).sum::<usize>() + 16);
    header(b'*', args.len(), out);
    for arg in args {
        bulk(arg, out);
    }
}

/// Appends the header of an aggregate.
pub(crate) fn header(kind: u8, len: usize, out: &mut BytesMut) {
    number(kind, i64::try_from(len).unwrap_or(i64::MAX), out);
}

/// Appends a bulk string.
pub(crate) fn bulk(bytes: &[u8], out: &mut BytesMut) {
    header(b'$', bytes.len(), out);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

/// Appends a one-line value; CR and LF, which would break the framing, become blanks.
pub(crate) fn line(kind: u8, text: &[u8], out: &mut BytesMut) {
    out.put_u8(kind);
    let start = out.len();
    out.put_slice(text);
    for byte in &mut out[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    out.put_slice(b"\r\n");
}

fn all(kind: u8, items: &[Reply], protocol: Protocol, out: &mut BytesMut) {
    header(kind, items.len(), out);
    for item in items {
        encode_reply(item, protocol, out);
    }
}

fn number(kind: u8, value: i64, out: &mut BytesMut) {
    // From the last digit to the first; 20 characters hold any i64.
    let mut text = [b'0'; 20];
    let mut start = text.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        text[start] += (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        start -= 1;
        text[start] = b'-';
    }
    out.put_u8(kind);
    out.put_slice(&text[start..]);
    out.put_slice(b"\r\n");
}

/// The number as C's `%.17g` writes it, which is what Redis sends.
fn double(value: f64) -> String {
    const DIGITS: i32 = 17;
    if !value.is_finite() {
        return if value.is_nan() {
            "nan".into()
        } else if value > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    let scientific = format!("{value:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| -> String {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text.into() }
    };
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
        trim(&format!("{value:.decimals$}"))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(reply: &Reply, protocol: Protocol) -> String {
        let mut out = BytesMut::new();
        encode_reply(reply, protocol, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn both(reply: &Reply) -> (String, String) {
        (bytes(reply, Protocol::Resp2), bytes(reply, Protocol::Resp3))
    }

    #[test]
    fn where_the_protocols_differ() {
        let pair = || vec![(Reply::bulk("k"), Reply::Int(-7))];
        let item = || vec![Reply::Nil];
        for (reply, resp2, resp3) in [
            (Reply::Nil, "$-1\r\n", "_\r\n"),
            (Reply::NilArray, "*-1\r\n", "_\r\n"),
            (Reply::Map(pair()), "*2\r\n$1\r\nk\r\n:-7\r\n", "%1\r\n$1\r\nk\r\n:-7\r\n"),
            (Reply::Set(item()), "*1\r\n$-1\r\n", "~1\r\n_\r\n"),
            (Reply::Push(item()), "*1\r\n$-1\r\n", ">1\r\n_\r\n"),
            (Reply::Double(0.5), "$3\r\n0.5\r\n", ",0.5\r\n"),
            (Reply::Verbatim(Bytes::from_static(b"hi")), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
        ] {
            assert_eq!(both(&reply), (resp2.to_owned(), resp3.to_owned()), "{reply:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn numbers(value: i64) {
            for value in [value, value / 1000, i64::MIN, i64::MAX, 0] {
                proptest::prop_assert_eq!(bytes(&Reply::Int(value), Protocol::Resp2), format!(":{value}\r\n"));
            }
        }
    }

    #[test]
    fn line_breaks_never_reach_a_line() {
        assert_eq!(bytes(&Reply::Error("ERR a\r\nb".into()), Protocol::Resp2), "-ERR a  b\r\n");
    }

    #[test]
    fn doubles_look_as_in_c() {
        for (value, text) in [
            (0.0, "0"),
            (3.0, "3"),
            (0.003, "0.0030000000000000001"),
            (12.345, "12.345000000000001"),
            (1e17, "1e+17"),
            (1e16, "10000000000000000"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn requests() {
        let mut out = BytesMut::new();
        encode_request(&[Bytes::from_static(b"PING"), Bytes::new()], &mut out);
        assert_eq!(&out[..], b"*2\r\n$4\r\nPING\r\n$0\r\n\r\n");
    }
}
