//! Redis's glob: `*`, `?`, `[abc]`, `[^abc]`, `[a-z]`, `\x`, over bytes.
//!
//! A pattern comes from clients, so matching must not blow up: a mismatch goes back to the *last* star only, which is
//! enough because every other element eats exactly one byte. At worst `pattern` times `text` steps.

/// Whether the whole of `text` matches `pattern`. `nocase` folds ASCII letters.
///
/// An unclosed class reaches to the pattern's end, a range may be written backwards, and a backslash at the end
/// stands for itself.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: the element behind the last star, and the text's byte it is tried at next.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            if p == pattern.len() {
                return true;
            }
            retry = Some((p, t));
            continue;
        }
        match text.get(t) {
            None => return p == pattern.len(),
            Some(&byte) => {
                if let Some(next) = step(pattern, p, byte, nocase) {
                    p = next;
                    t += 1;
                    continue;
                }
            }
        }
        match retry {
            None => return false,
            Some((element, at)) => {
                p = element;
                t = at + 1;
                retry = Some((element, t));
            }
        }
    }
}

/// Matches one byte against the element at `p` (not a star) and returns where the next element begins.
fn step(pattern: &[u8], p: usize, byte: u8, nocase: bool) -> Option<usize> {
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => class(pattern, p + 1, byte, nocase),
        b'\\' => match pattern.get(p + 1) {
            Some(&literal) => same(literal, byte, nocase).then_some(p + 2),
            None => same(b'\\', byte, nocase).then_some(p + 1),
        },
        literal => same(literal, byte, nocase).then_some(p + 1),
    }
}

/// Matches one byte against the class whose first byte behind the bracket is at `p`.
fn class(pattern: &[u8], mut p: usize, byte: u8, nocase: bool) -> Option<usize> {
    let negated = pattern.get(p) == Some(&b'^');
    if negated {
        p += 1;
    }
    let mut hit = false;
    let end = loop {
        match pattern.get(p..).unwrap_or_default() {
            [] => break p,
            [b'\\', literal, ..] => {
                // Case counts behind a backslash, as in Redis.
                hit |= *literal == byte;
                p += 2;
            }
            [b']', ..] => break p + 1,
            [from, b'-', to, ..] => {
                hit |= in_range(*from, *to, byte, nocase);
                p += 3;
            }
            [literal, ..] => {
                hit |= same(*literal, byte, nocase);
                p += 1;
            }
        }
    };
    (hit != negated).then_some(end)
}

fn in_range(from: u8, to: u8, byte: u8, nocase: bool) -> bool {
    let (from, to) = (from.min(to), from.max(to));
    if nocase {
        (from.to_ascii_lowercase()..=to.to_ascii_lowercase()).contains(&byte.to_ascii_lowercase())
    } else {
        (from..=to).contains(&byte)
    }
}

fn same(a: u8, b: u8, nocase: bool) -> bool {
    a == b || (nocase && a.eq_ignore_ascii_case(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes(), false)
    }

    #[test]
    fn elements() {
        assert!(hit("*", "anything") && hit("*", "") && hit("**", "x") && hit("", ""));
        assert!(hit("h?llo", "hello") && !hit("h?llo", "hllo"));
        assert!(hit("h*llo", "heeeello") && hit("h*llo", "hllo") && !hit("h*llo", "hllo!"));
        assert!(hit("h[ae]llo", "hallo") && !hit("h[ae]llo", "hillo"));
        assert!(hit("h[^e]llo", "hallo") && !hit("h[^e]llo", "hello"));
        assert!(hit("h[a-b]llo", "hbllo") && hit("h[b-a]llo", "hallo") && !hit("h[a-b]llo", "hcllo"));
        assert!(hit(r"a\*b", "a*b") && !hit(r"a\*b", "axb"));
        assert!(hit("a*b*c", "a.b.b.c") && !hit("a*b*c", "a.b.b"));
        assert!(hit("*a", "aaaa") && hit("a**", "a") && !hit("a", "ab") && !hit("ab", "a"));
    }

    #[test]
    fn a_leading_minus_in_a_class_is_literal() {
        assert!(hit("[-+]sdown", "-sdown") && hit("[-+]sdown", "+sdown") && !hit("[-+]sdown", ",sdown"));
    }

    #[test]
    fn crooked_patterns() {
        assert!(hit("[abc", "b") && !hit("[abc", "d") && !hit("[", "a") && hit("[^", "a"));
        assert!(hit("a\\", "a\\") && hit(r"[\]]", "]") && hit("[a-]", "_"));
        assert!(!hit("[]", "]") && hit("[^]", "x"));
    }

    #[test]
    fn case_is_folded_on_request() {
        assert!(
            matches(b"ANNOUNCE-*", b"announce-ip", true) && !matches(b"ANNOUNCE-*", b"announce-ip", false)
        );
        assert!(
            matches(b"[A-C]x", b"bX", true)
                && matches(b"[abc]", b"B", true)
                && !matches(br"[\b]", b"B", true)
        );
    }

    #[test]
    fn many_stars_stay_polynomial() {
        let pattern = "a*".repeat(2000) + "b";
        assert!(!hit(&pattern, &"a".repeat(4000)));
    }

    /// The textbook recursion, exponential but plainly right.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), _) => slow(&pattern[1..], text) || (!text.is_empty() && slow(pattern, &text[1..])),
            (Some(_), Some(&byte)) => {
                step(pattern, 0, byte, false).is_some_and(|next| slow(&pattern[next..], &text[1..]))
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn going_back_to_the_last_star_is_enough(pattern in r"[ab*?\[\]^\\-]{0,12}", text in "[ab-]{0,10}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            proptest::prop_assert_eq!(matches(pattern, text, false), slow(pattern, text));
        }
    }
}
