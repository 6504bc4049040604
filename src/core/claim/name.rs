//! Names of Lease objects, from the fleet's name and a group's or a Pod's.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Longest name of an object whose name is a DNS label.
pub const LONGEST: usize = 63;
/// Hex digits of the SHA-256 that tell two groups apart whose names look the same as labels.
const SUFFIX: usize = 8;

/// Name of the Lease of one group: `FLEET-group-NAME`. A group's name that is no DNS label, or that is too long, is bent into one, and
/// a part of its SHA-256 tells it from others that bend into the same.
#[must_use]
pub fn group_lease(fleet: &str, group: &str) -> String {
    lease(&format!("{fleet}-group-"), group)
}

/// Name of the Lease of one member: `FLEET-member-POD`.
#[must_use]
pub fn member_lease(fleet: &str, pod: &str) -> String {
    lease(&format!("{fleet}-member-"), pod)
}

fn lease(prefix: &str, name: &str) -> String {
    let whole = format!("{prefix}{name}");
    if is_label(name) && is_label(&whole) {
        return whole;
    }
    let digest = Sha256::digest(name.as_bytes());
    let mut suffix = String::from("-");
    for byte in digest.iter().take(SUFFIX / 2) {
        // Writing to a String can't fail.
        let _ = write!(suffix, "{byte:02x}");
    }
    let bent: String = name.chars().map(bend).collect();
    let room = LONGEST.saturating_sub(prefix.len() + suffix.len());
    let bent: String = bent.trim_matches('-').chars().take(room).collect();
    format!("{prefix}{}{suffix}", bent.trim_end_matches('-'))
}

fn bend(c: char) -> char {
    let c = c.to_ascii_lowercase();
    if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }
}

/// Whether Kubernetes takes this as a DNS label.
#[must_use]
pub fn is_label(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c != '-');
    (1..=LONGEST).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && edge(name.chars().next())
        && edge(name.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_taken_as_it_is() {
        assert_eq!(group_lease("vedette", "mymaster"), "vedette-group-mymaster");
        assert_eq!(member_lease("vedette", "vedette-0"), "vedette-member-vedette-0");
    }

    #[test]
    fn what_is_no_label_is_bent_and_told_apart() {
        // The digits are the head of `printf My.Group | sha256sum`.
        assert_eq!(group_lease("v", "My.Group"), "v-group-my-group-33f3c3a2");
        assert_ne!(group_lease("v", "my_group"), group_lease("v", "my.group"));
        assert_ne!(group_lease("v", "my-group"), group_lease("v", "my.group"));
        for name in ["", "-", "a-", "-a", "grüße", &"x".repeat(200), &"-".repeat(80)] {
            let lease = group_lease("fleet", name);
            assert!(is_label(&lease), "{lease}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_digits() {
        let (a, b) = ("a".repeat(60), "a".repeat(61));
        assert_ne!(group_lease("fleet", &a), group_lease("fleet", &b));
        assert_eq!(group_lease("fleet", &a).len(), LONGEST);
    }
}
