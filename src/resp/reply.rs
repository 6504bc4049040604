//! A reply as a value: what the daemon answers, and what data nodes and peers answer to it.

use std::borrow::Cow;

use bytes::Bytes;

/// One RESP value. The same value is written for RESP2 and RESP3 clients; where the two differ the variant says how.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+text`. Must hold no CR or LF.
    Simple(Cow<'static, str>),
    /// `-text`, with the error's code in front ("ERR ..."). Must hold no CR or LF.
    Error(Cow<'static, str>),
    /// `:n`.
    Int(i64),
    /// `$n` and the bytes.
    Bulk(Bytes),
    /// No value where a bulk string is due: `$-1`, or `_` in RESP3.
    Nil,
    /// No value where an array is due: `*-1`, or `_` in RESP3.
    NilArray,
    /// `*n`.
    Array(Vec<Self>),
    /// `%n` in RESP3; in RESP2 a flat array of keys and values in turn.
    Map(Vec<(Self, Self)>),
    /// `~n` in RESP3, `*n` in RESP2.
    Set(Vec<Self>),
    /// `>n` in RESP3, `*n` in RESP2: a message that answers no request.
    Push(Vec<Self>),
    /// `,x` in RESP3, a bulk string with the same digits in RESP2.
    Double(f64),
    /// `=n` with the format `txt` in RESP3, a bulk string in RESP2: text meant for people.
    Verbatim(Bytes),
}

impl Reply {
    /// `+OK`.
    pub const OK: Self = Self::Simple(Cow::Borrowed("OK"));

    /// A bulk string.
    #[must_use]
    pub fn bulk(text: impl Into<Bytes>) -> Self {
        Self::Bulk(text.into())
    }

    /// A bulk string that shows a number: Sentinel's fields are bulk strings even where they hold numbers.
    #[must_use]
    pub fn number(value: impl std::fmt::Display) -> Self {
        Self::Bulk(Bytes::from(value.to_string()))
    }

    /// An error made of a fixed text.
    #[must_use]
    pub const fn err(text: &'static str) -> Self {
        Self::Error(Cow::Borrowed(text))
    }

    /// An error made of a computed text. CR and LF, which would break the framing, become blanks.
    #[must_use]
    pub fn error(text: impl Into<String>) -> Self {
        let text: String = text.into();
        Self::Error(Cow::Owned(if text.contains(['\r', '\n']) {
            text.replace(['\r', '\n'], " ")
        } else {
            text
        }))
    }

    /// The text of a simple string, error or bulk string that is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Simple(text) | Self::Error(text) => Some(text),
            Self::Bulk(bytes) | Self::Verbatim(bytes) => std::str::from_utf8(bytes).ok(),
            Self::Int(_)
            | Self::Nil
            | Self::NilArray
            | Self::Array(_)
            | Self::Map(_)
            | Self::Set(_)
            | Self::Push(_)
            | Self::Double(_) => None,
        }
    }

    /// The text beside `name` in a map, or in a flat list of names and values, which is what a map is in RESP2.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        if let Self::Map(rows) = self {
            return rows.iter().find(|(key, _)| key.text() == Some(name))?.1.text();
        }
        self.elements()?.chunks_exact(2).find(|pair| pair[0].text() == Some(name))?[1].text()
    }

    /// The elements of an array, set or push.
    #[must_use]
    pub fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            Self::Simple(_)
            | Self::Error(_)
            | Self::Int(_)
            | Self::Bulk(_)
            | Self::Nil
            | Self::NilArray
            | Self::Map(_)
            | Self::Double(_)
            | Self::Verbatim(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_in_a_map_and_in_a_flat_list() {
        let pairs = [("ip", "10.0.0.1"), ("flags", "ip")]
            .map(|(name, value)| (Reply::bulk(name), Reply::bulk(value)));
        let flat = pairs.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect();
        for reply in [Reply::Array(flat), Reply::Map(pairs.to_vec())] {
            assert_eq!(reply.field("flags"), Some("ip"), "{reply:?}");
            assert_eq!(reply.field("ip"), Some("10.0.0.1"), "{reply:?}");
            assert_eq!(reply.field("10.0.0.1"), None, "{reply:?}");
        }
        assert_eq!(Reply::OK.field("ip"), None);
    }
}
