//! Lines and words of a configuration text.
//!
//! Texts are bytes: comments may be in any encoding and are kept as they are. The words of a line follow the rules of
//! redis.conf: blanks separate, `"..."` knows escapes, `'...'` knows only `\'`, and a closing quote must end its word.

use std::fmt::Write as _;

use crate::resp::inline;

/// One word of a line, unquoted.
pub type Word = Vec<u8>;

/// A quote that is not closed, or closed in the middle of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unbalanced quotes in configuration line")]
pub struct Unbalanced;

/// Splits a text at its line feeds. A final line feed leaves an empty last line, as it does in Sentinel's rewriting.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
}

/// A line without the blanks and line ends around it.
#[must_use]
pub fn trim(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let Some(start) = line.iter().position(|byte| !blank(byte)) else { return &[] };
    let end = line.iter().rposition(|byte| !blank(byte)).map_or(line.len(), |last| last + 1);
    &line[start..end]
}

/// Splits a line into words, as an inline request is split.
///
/// # Errors
/// A quote is not closed, or closed in the middle of a word.
pub fn split_words(line: &[u8]) -> Result<Vec<Word>, Unbalanced> {
    let words = inline::split(line).ok_or(Unbalanced)?;
    Ok(words.into_iter().map(Word::from).collect())
}

/// A word in double quotes, with escapes for everything but printable ASCII.
#[must_use]
pub fn quote(word: &[u8]) -> String {
    let mut text = String::with_capacity(word.len() + 2);
    text.push('"');
    for &byte in word {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'"' => text.push_str("\\\""),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => {
                // Writing to a String can't fail.
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text.push('"');
    text
}

/// A word as it must be written to be read back: plain if nothing in it is special, else quoted.
#[must_use]
pub fn quote_if_needed(word: &[u8]) -> String {
    let plain = !word.is_empty()
        && word.iter().all(|&byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\'));
    if plain { word.iter().copied().map(char::from).collect() } else { quote(word) }
}

/// The number that a text begins with, as C's `atoi` finds it: leading blanks, a sign, digits; otherwise 0. Saturates.
#[must_use]
pub fn leading_number(text: &str) -> i64 {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let mut value = 0i64;
    for digit in digits.bytes().take_while(u8::is_ascii_digit) {
        value = value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    }
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &str) -> Vec<String> {
        split_words(line.as_bytes())
            .unwrap()
            .into_iter()
            .map(|word| String::from_utf8(word).unwrap())
            .collect()
    }

    #[test]
    fn words_are_split_like_a_shells() {
        assert_eq!(words("a  b\tc"), ["a", "b", "c"]);
        assert_eq!(words(""), [""; 0]);
        assert_eq!(words(r#"a "b c" 'd e'"#), ["a", "b c", "d e"]);
        assert_eq!(words(r#"a """#), ["a", ""]);
        assert_eq!(words(r#""\x41\n\t\q\"" '\n\''"#), ["A\n\tq\"", "\\n'"]);
        assert_eq!(words(r"C:\path"), [r"C:\path"]);
        assert_eq!(words(r#"pre"fix""#), ["prefix"]);
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [r#""a"#, "'a", r#""a"b"#, "'a'b", r#"a "b\"#] {
            assert_eq!(split_words(line.as_bytes()), Err(Unbalanced), "{line}");
        }
    }

    #[test]
    fn trimming_keeps_what_is_inside() {
        assert_eq!(trim(b" \ta b\r\n"), b"a b");
        assert_eq!(trim(b" \r"), b"");
    }

    #[test]
    fn words_are_quoted_only_when_they_must_be() {
        assert_eq!(quote_if_needed(b"plain-1,2#"), "plain-1,2#");
        assert_eq!(quote_if_needed(b"a b"), r#""a b""#);
        assert_eq!(quote_if_needed(b""), r#""""#);
        assert_eq!(quote_if_needed(b"a'\n\xff"), r#""a'\n\xff""#);
        assert_eq!(quote_if_needed(b"a\\b"), r#""a\\b""#);
    }

    #[test]
    fn numbers_are_read_leniently() {
        assert_eq!(leading_number("12abc"), 12);
        assert_eq!(leading_number(" -7"), -7);
        assert_eq!(leading_number("abc"), 0);
        assert_eq!(leading_number("99999999999999999999"), i64::MAX);
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(list in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 0..6)) {
            let line = list.iter().map(|word| quote_if_needed(word)).collect::<Vec<_>>().join(" ");
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(split_words(line.as_bytes()).unwrap(), list.clone());
            let line = list.iter().map(|word| quote(word)).collect::<Vec<_>>().join("\t");
            prop_assert_eq!(split_words(line.as_bytes()).unwrap(), list);
        }

        #[test]
        fn splitting_never_panics(line in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = split_words(&line);
        }
    }
}
