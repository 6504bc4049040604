//! Splitting of lines into words: inline requests, and the lines of the configuration.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Splits a line into words: blanks separate, `"…"` knows `\n \r \t \b \a \xHH` and takes any other escaped byte as it
/// is, `'…'` knows `\'`. A quote may open within a word; behind a closing one a blank or the end must follow. A zero
/// byte ends the line.
///
/// `None` when a quote is not closed or something sticks to a closing one.
pub(crate) fn split(line: &[u8]) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        while let [first, tail @ ..] = rest
            && (first.is_ascii_whitespace() || *first == 0x0b)
        {
            rest = tail;
        }
        if matches!(rest, [] | [0, ..]) {
            return Some(words);
        }
        let mut word = BytesMut::new();
        loop {
            match rest {
                [] | [0, ..] => break,
                [b' ' | b'\n' | b'\r' | b'\t', tail @ ..] => {
                    rest = tail;
                    break;
                }
                [b'"', tail @ ..] => {
                    rest = double_quoted(tail, &mut word)?;
                    break;
                }
                [b'\'', tail @ ..] => {
                    rest = single_quoted(tail, &mut word)?;
                    break;
                }
                [byte, tail @ ..] => {
                    word.put_u8(*byte);
                    rest = tail;
                }
            }
        }
        words.push(word.freeze());
    }
}

/// Appends what stands before the closing quote; returns what stands behind it.
fn double_quoted<'a>(mut rest: &'a [u8], word: &mut BytesMut) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] | [0, ..] => return None,
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.put_u8(digit(*high) << 4 | digit(*low));
                rest = tail;
            }
            [b'\\', 0, ..] => return None,
            [b'\\', escaped, tail @ ..] => {
                word.put_u8(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = tail;
            }
            [b'"', tail @ ..] => return closed(tail),
            [byte, tail @ ..] => {
                word.put_u8(*byte);
                rest = tail;
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], word: &mut BytesMut) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] | [0, ..] => return None,
            [b'\\', b'\'', tail @ ..] => {
                word.put_u8(b'\'');
                rest = tail;
            }
            [b'\'', tail @ ..] => return closed(tail),
            [byte, tail @ ..] => {
                word.put_u8(*byte);
                rest = tail;
            }
        }
    }
}

/// What follows a closing quote, if that is allowed there.
fn closed(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [] | [0, ..] => Some(rest),
        [byte, ..] if byte.is_ascii_whitespace() || *byte == 0x0b => Some(rest),
        _ => None,
    }
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        b'a'..=b'f' => hex - b'a' + 10,
        _ => hex.wrapping_sub(b'A').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        Some(split(line.as_bytes())?.iter().map(|word| String::from_utf8(word.to_vec()).unwrap()).collect())
    }

    fn some(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn blanks_and_quotes() {
        assert_eq!(words("  PING \t hello "), some(&["PING", "hello"]));
        assert_eq!(words(""), some(&[]));
        assert_eq!(words(r#"SET "a b" 'c d' """#), some(&["SET", "a b", "c d", ""]));
        assert_eq!(words(r#""\x41\n\q\"" 'it\'s'"#), some(&["A\nq\"", "it's"]));
        assert_eq!(words(r#"a"b c""#), some(&["ab c"]));
        assert_eq!(words("a\0b c"), some(&["a"]));
    }

    #[test]
    fn unbalanced() {
        for line in [r#""a"#, "'a", r#""a"b"#, "'a'b", r#""a\"#, "\"a\0\""] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
