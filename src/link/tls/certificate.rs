//! The little of X.509 that is needed to accept certificates of version 1.
//!
//! The library that rustls checks certificates with refuses version 1, but OpenSSL, and so every data node, still
//! makes and takes them: `openssl x509 -req` without extensions gives one.

/// Parts of a certificate, borrowed from its DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    /// Version as people count: 1 or 3.
    pub(super) version: u8,
    /// The signed part, with its header.
    pub(super) signed: &'a [u8],
    /// Content of the signature's algorithm identifier.
    pub(super) signature_algorithm: &'a [u8],
    /// The signature.
    pub(super) signature: &'a [u8],
    /// Content of the issuer's name.
    pub(super) issuer: &'a [u8],
    /// Seconds since the Unix epoch.
    pub(super) not_before: i64,
    /// Seconds since the Unix epoch.
    pub(super) not_after: i64,
    /// The public key with its algorithm.
    pub(super) key: PublicKey<'a>,
    /// The public key as it stands in the certificate, with its header.
    pub(super) key_info: &'a [u8],
}

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PublicKey<'a> {
    /// Content of its algorithm identifier.
    pub(super) algorithm: &'a [u8],
    /// The key's bits.
    pub(super) bits: &'a [u8],
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

impl<'a> Certificate<'a> {
    /// Read a certificate; nothing if it is none.
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let (whole, rest) = expect(der, SEQUENCE)?;
        if !rest.is_empty() {
            return None;
        }
        let (signed_body, after) = expect(whole, SEQUENCE)?;
        let signed = &whole[..whole.len() - after.len()];
        let (signature_algorithm, after) = expect(after, SEQUENCE)?;
        let (signature, after) = expect(after, BIT_STRING)?;
        if !after.is_empty() {
            return None;
        }
        let (version, body) = version(signed_body)?;
        let (_serial, body) = expect(body, INTEGER)?;
        let (inner_algorithm, body) = expect(body, SEQUENCE)?;
        if inner_algorithm != signature_algorithm {
            return None;
        }
        let (issuer, body) = expect(body, SEQUENCE)?;
        let (validity, body) = expect(body, SEQUENCE)?;
        let (not_before, validity) = time(validity)?;
        let (not_after, validity) = time(validity)?;
        if !validity.is_empty() {
            return None;
        }
        let (_subject, body) = expect(body, SEQUENCE)?;
        let (key, after) = expect(body, SEQUENCE)?;
        Some(Self {
            version,
            signed,
            signature_algorithm,
            signature: bits(signature)?,
            issuer,
            not_before,
            not_after,
            key: PublicKey::parse(key)?,
            key_info: &body[..body.len() - after.len()],
        })
    }
}

impl<'a> PublicKey<'a> {
    /// Read the content of a SubjectPublicKeyInfo.
    pub(super) fn parse(content: &'a [u8]) -> Option<Self> {
        let (algorithm, rest) = expect(content, SEQUENCE)?;
        let (key, rest) = expect(rest, BIT_STRING)?;
        if rest.is_empty() { Some(Self { algorithm, bits: bits(key)? }) } else { None }
    }
}

fn version(body: &[u8]) -> Option<(u8, &[u8])> {
    if body.first() != Some(&VERSION) {
        return Some((1, body));
    }
    let (tagged, rest) = expect(body, VERSION)?;
    let (number, inner) = expect(tagged, INTEGER)?;
    match (number, inner) {
        ([number @ 0..=2], []) => Some((number + 1, rest)),
        _ => None,
    }
}

/// The content of the element at the start, which must have this tag, and what follows it.
fn expect(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = input.split_first()?;
    if first != tag {
        return None;
    }
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (digits.iter().fold(0, |length, &digit| (length << 8) | usize::from(digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A bit string of whole bytes.
fn bits(content: &[u8]) -> Option<&[u8]> {
    match content.split_first()? {
        (0, bits) => Some(bits),
        _ => None,
    }
}

/// A UTCTime or GeneralizedTime that ends in `Z`, in seconds since the Unix epoch.
fn time(input: &[u8]) -> Option<(i64, &[u8])> {
    let digits = match *input.first()? {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    };
    let (text, rest) = expect(input, *input.first()?)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if text.len() != digits + 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<i16>().ok());
    let year = match number(0, digits)? {
        short @ 0..=49 if digits == 2 => 2000 + short,
        short if digits == 2 => 1900 + short,
        long => long,
    };
    let part = |n: usize| number(digits + 2 * n, digits + 2 * n + 2).and_then(|part| i8::try_from(part).ok());
    let civil = jiff::civil::DateTime::new(year, part(0)?, part(1)?, part(2)?, part(3)?, part(4)?, 0).ok()?;
    let stamp = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some((stamp, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_kinds_are_read() {
        assert_eq!(time(b"\x17\x0d700101000001Z").unwrap().0, 1);
        assert_eq!(time(b"\x17\x0d491231235959Zrest"), Some((2_524_607_999, &b"rest"[..])));
        assert_eq!(time(b"\x18\x0f20501231235959Z").unwrap().0, 2_556_143_999);
        for bad in [
            &b"\x17\x0d70010100000aZ"[..],
            b"\x17\x0c7001010000Z",
            b"\x17\x0d701301000000Z",
            b"\x02\x01\x00",
            b"",
        ] {
            assert_eq!(time(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn lengths_never_reach_beyond_the_input() {
        assert_eq!(expect(b"\x30\x02ab!", SEQUENCE), Some((&b"ab"[..], &b"!"[..])));
        assert_eq!(expect(b"\x30\x81\x02ab", SEQUENCE), Some((&b"ab"[..], &b""[..])));
        for bad in [
            &b"\x30\x03ab"[..],
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x83\xff\xff\xff",
            b"\x30\x80",
            b"\x30",
            b"",
        ] {
            assert_eq!(expect(bad, SEQUENCE), None, "{bad:?}");
        }
    }

    #[test]
    fn garbage_is_no_certificate() {
        for garbage in [&b""[..], b"\x30\x00", b"\x30\x06\x30\x00\x30\x00\x03\x00", &[0xff; 64]] {
            assert_eq!(Certificate::parse(garbage), None);
        }
    }
}
