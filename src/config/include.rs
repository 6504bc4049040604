//! `include` with a pattern: the files that it means.

use std::path::{Component, Path, PathBuf};

use super::system::System;

/// How many files one pattern may mean.
const MAX_FILES: usize = 1000;

/// The files that a path or pattern means, in alphabetical order. A path without `*`, `?` or `[` means itself, whether
/// or not it is there; a pattern that matches nothing means no file.
pub(super) fn expand(pattern: &Path, dir: &Path, system: &dyn System) -> Vec<PathBuf> {
    if !is_pattern(pattern) {
        return vec![dir.join(pattern)];
    }
    let mut found = vec![dir.to_owned()];
    for component in pattern.components() {
        found = match component {
            Component::RootDir | Component::Prefix(_) => vec![PathBuf::from("/")],
            Component::CurDir => found,
            Component::ParentDir => found.into_iter().map(|path| path.join("..")).collect(),
            Component::Normal(name) if !is_pattern(Path::new(name)) => {
                found.into_iter().map(|path| path.join(name)).collect()
            }
            Component::Normal(name) => {
                let name = name.as_encoded_bytes();
                let mut next = Vec::new();
                for folder in found {
                    let mut names = system.list(&folder).unwrap_or_default();
                    names.sort();
                    names.retain(|entry| {
                        let entry = entry.as_os_str().as_encoded_bytes();
                        // As in a shell, a leading dot is only matched by a dot.
                        (!entry.starts_with(b".") || name.starts_with(b".")) && matches(name, entry)
                    });
                    next.extend(names.into_iter().map(|entry| folder.join(entry)));
                    next.truncate(MAX_FILES);
                }
                next
            }
        };
    }
    found
}

fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether a name matches a pattern of `*`, `?`, `[...]`, `[!...]` and `\` escapes. Takes time in proportion to the
/// product of both lengths.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on after the last `*`, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(p + 1),
            Some(b'[') => match_set(&pattern[p..], name[n]).map(|used| p + used),
            Some(b'\\') if p + 1 < pattern.len() => (pattern[p + 1] == name[n]).then_some(p + 2),
            Some(byte) => (*byte == name[n]).then_some(p + 1),
            None => None,
        };
        match (step, star) {
            (Some(next), _) => {
                p = next;
                n += 1;
            }
            (None, Some((after, taken))) => {
                star = Some((after, taken + 1));
                p = after;
                n = taken + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// If the set at the start of `pattern` holds `byte`: how long the set is.
fn match_set(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|byte| *byte == b']').map(|position| position + 2)?;
    let (negated, members) = match pattern.get(1) {
        Some(b'!' | b'^') => (true, &pattern[2..end]),
        _ => (false, &pattern[1..end]),
    };
    let mut held = false;
    let mut at = 0;
    while at < members.len() {
        if members.len() - at >= 3 && members[at + 1] == b'-' {
            held |= (members[at]..=members[at + 2]).contains(&byte);
            at += 3;
        } else {
            held |= members[at] == byte;
            at += 1;
        }
    }
    (held != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, result) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[ab]*", "bx", true),
            ("[!ab]*", "bx", false),
            ("[a-c]", "b", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab-ab-x", false),
            ("\\*", "*", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), result, "{pattern} {name}");
        }
    }
}
