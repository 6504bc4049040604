//! Passwords as the rules keep them: SHA-256 digests, never the words themselves.

use std::fmt;

use rand::Rng;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a password.
#[derive(Clone, Copy)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    /// The digest of a password.
    #[must_use]
    pub(super) fn of(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }

    /// Reads the 64 lower-case hexadecimal digits that rules show.
    #[must_use]
    pub(super) fn parse(hex: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// Whether both are the same. Takes the same time wherever they differ.
    #[must_use]
    pub(super) fn same(&self, other: &Self) -> bool {
        // An OR of all differences; black_box keeps the compiler from leaving early.
        std::hint::black_box(self.0.iter().zip(&other.0).fold(0, |seen, (a, b)| seen | (a ^ b))) == 0
    }
}

/// The 64 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Even a digest is kept out of traces: weak passwords can be guessed from it.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

const fn digit(hex: u8) -> Option<u8> {
    match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'a'..=b'f' => Some(hex - b'a' + 10),
        _ => None,
    }
}

/// A random password of `bits` bits, rounded up to whole hexadecimal digits.
#[must_use]
pub(super) fn generate(bits: usize) -> String {
    let digits = bits.div_ceil(4);
    let mut random = vec![0; digits.div_ceil(2)];
    rand::rng().fill_bytes(&mut random);
    let mut hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_shown_and_read_back() {
        let digest = Digest::of(b"pw");
        let hex = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4";
        assert_eq!(digest.to_string(), hex);
        assert!(Digest::parse(hex.as_bytes()).unwrap().same(&digest));
        assert!(!Digest::of(b"pwx").same(&digest));
        for bad in ["", &hex[1..], &hex.to_uppercase(), &format!("{hex}0"), &format!("g{}", &hex[1..])] {
            assert!(Digest::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn generated_passwords_have_the_length_asked_for() {
        for (bits, digits) in [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3), (256, 64), (4096, 1024)] {
            let password = generate(bits);
            assert_eq!(password.len(), digits);
            assert!(password.bytes().all(|byte| digit(byte).is_some()));
        }
        assert_ne!(generate(256), generate(256));
    }
}
