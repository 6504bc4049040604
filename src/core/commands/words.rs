//! The words of a command. Sentinel's are bytes; names and values here are UTF-8 text.

use bytes::Bytes;

use crate::resp::Reply;

/// See the module. Words that are not there read as empty: how many there must be has been checked before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a>(pub(super) &'a [Bytes]);

impl<'a> Words<'a> {
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn bytes(&self, index: usize) -> &'a [u8] {
        self.0.get(index).map_or(&[], |word| word)
    }

    /// Nothing when it is not UTF-8.
    pub(super) fn text(&self, index: usize) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(index)).ok()
    }

    /// In lower case. A word that is longer than all that are known reads as empty.
    pub(super) fn lower(&self, index: usize) -> Lower {
        let mut lower = Lower { bytes: [0; LONGEST], len: 0 };
        let word = self.bytes(index);
        if let Some(room) = lower.bytes.get_mut(..word.len()) {
            room.copy_from_slice(word);
            room.make_ascii_lowercase();
            lower.len = word.len();
        }
        lower
    }

    pub(super) fn integer(&self, index: usize) -> Option<i64> {
        integer(self.bytes(index))
    }

    /// For error texts.
    pub(super) fn shown(&self, index: usize) -> String {
        shown(self.bytes(index))
    }

    /// The words from `index` on.
    pub(super) fn from(&self, index: usize) -> &'a [Bytes] {
        self.0.get(index..).unwrap_or_default()
    }

    /// The refusal of the first word from index 2 on that can't be put in the file as it is, apart from those that
    /// `secret` names by index: credentials may hold anything, for they are written with escapes.
    pub(super) fn refusal(&self, subcommand: &str, secret: impl Fn(usize) -> bool) -> Option<Reply> {
        (2..self.len()).find_map(|index| {
            let word = self.bytes(index);
            let problem = if std::str::from_utf8(word).is_err() {
                "it must be UTF-8"
            } else if !secret(index) && word.iter().any(u8::is_ascii_control) {
                "control characters are not allowed, it must not contain control characters"
            } else {
                return None;
            };
            Some(Reply::error(format!(
                "ERR Invalid argument at index {index} for SENTINEL {subcommand}: {problem}"
            )))
        })
    }
}

/// No keyword is longer.
const LONGEST: usize = 32;

/// A keyword in lower case, made without memory of its own: each command has one or two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lower {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Lower {
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A number in the only form that Sentinel takes: digits, perhaps with a minus, nothing to spare.
pub(super) fn integer(word: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == word).then_some(number)
}

/// Bytes as text.
pub(super) fn shown(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_form() {
        assert_eq!(integer(b"0"), Some(0));
        assert_eq!(integer(b"-12"), Some(-12));
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        for word in ["", " 1", "1 ", "+1", "01", "-0", "1x", "0x1", "9223372036854775808"] {
            assert_eq!(integer(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn keywords_are_lowered_and_long_ones_are_none() {
        let args = ["Is-Primary-DOWN-by-addr".to_owned(), "x".repeat(LONGEST), "x".repeat(LONGEST + 1)];
        let args = args.map(Bytes::from);
        let words = Words(&args);
        assert_eq!(words.lower(0).as_slice(), b"is-primary-down-by-addr");
        assert_eq!(words.lower(1).as_slice(), [b'x'; LONGEST]);
        assert_eq!(words.lower(2).as_slice(), b"");
        assert_eq!(words.lower(3).as_slice(), b"");
    }

    #[test]
    fn words_that_would_break_the_file_are_refused_by_index() {
        let args = ["sentinel", "set", "m", "a\nb", "\u{7f}"].map(Bytes::from);
        let words = Words(&args);
        let text = words.refusal("SET", |_| false).and_then(|reply| reply.text().map(str::to_owned));
        let text = text.unwrap_or_default();
        assert!(
            text.contains("Invalid argument at index 3 for SENTINEL SET: control characters are not allowed")
        );
        assert!(text.contains("must not contain control characters"));
        assert!(words.refusal("SET", |index| index == 3).is_some(), "the next one");
        assert_eq!(words.refusal("SET", |index| index >= 3), None);
    }
}
