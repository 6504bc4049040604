//! Why a rule is refused, and how the words of a rule list become rules.

/// Why a rule is refused. The texts are Sentinel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No such rule.
    #[error("Syntax error")]
    Syntax,
    /// The rule names a command or category that does not exist here.
    #[error("Unknown command or category name in ACL")]
    UnknownCommand,
    /// `+container|subcommand|argument`.
    #[error("Allowing first-arg of a subcommand is not supported")]
    FirstArgOfSubcommand,
    /// A key pattern behind "all keys".
    #[error(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try \
         'resetkeys' to start with an empty list of patterns"
    )]
    AfterAllKeys,
    /// A channel pattern behind "all channels".
    #[error(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. \
         Try 'resetchannels' to start with an empty list of channels"
    )]
    AfterAllChannels,
    /// The password to remove is not there.
    #[error("The password you are trying to remove from the user does not exist")]
    NoSuchPassword,
    /// Not a SHA-256 in lower-case hexadecimal digits.
    #[error(
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
    )]
    BadHash,
}

/// Puts words together that one selector, `(...)`, was split into.
///
/// # Errors
/// The word that opens a selector which no word closes.
pub(super) fn merge<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut merged = Vec::new();
    // A selector that is still open, with the word that opened it.
    let mut open: Option<(Vec<u8>, &[u8])> = None;
    for word in words {
        let (text, first) = match open.take() {
            Some((mut text, first)) => {
                text.push(b' ');
                text.extend(word);
                (text, first)
            }
            None => (word.to_vec(), word),
        };
        if text.starts_with(b"(") && !word.ends_with(b")") {
            open = Some((text, first));
        } else {
            merged.push(text);
        }
    }
    match open {
        Some((_, first)) => Err(first.to_vec()),
        None => Ok(merged),
    }
}

/// Rules are kept in files as words of lines: they hold no blank and no control character.
pub(super) fn check_text(text: &[u8]) -> Result<(), RuleError> {
    if text.iter().any(|byte| byte.is_ascii_control() || *byte == b' ') {
        Err(RuleError::Syntax)
    } else {
        Ok(())
    }
}

/// A word as the errors show it: up to a zero byte.
pub(super) fn shown(word: &[u8]) -> String {
    let end = word.iter().position(|byte| *byte == 0).unwrap_or(word.len());
    String::from_utf8_lossy(&word[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(words: &[&str]) -> Result<Vec<String>, String> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        match merge(words.iter().map(|word| word.as_bytes())) {
            Ok(rules) => Ok(rules.into_iter().map(text).collect()),
            Err(open) => Err(text(open)),
        }
    }

    #[test]
    fn selectors_are_put_together() {
        assert_eq!(merged(&["on", "(+ping", "~a)", "off"]).unwrap(), ["on", "(+ping ~a)", "off"]);
        assert_eq!(merged(&["(+ping)", "()"]).unwrap(), ["(+ping)", "()"]);
        assert_eq!(merged(&["+ping)"]).unwrap(), ["+ping)"]);
        assert_eq!(merged(&["", "on"]).unwrap(), ["", "on"]);
    }

    #[test]
    fn an_open_selector_is_refused_by_its_first_word() {
        assert_eq!(merged(&["on", "(+ping", "~a"]).unwrap_err(), "(+ping");
        assert_eq!(merged(&["(+ping) "]).unwrap_err(), "(+ping) ");
    }
}
