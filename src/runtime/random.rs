//! The only source of chance of the process.

/// A seed for the core's own generator.
#[must_use]
pub fn seed() -> u64 {
    rand::random()
}

/// A fresh random identity of 40 lower-case hex digits.
#[must_use]
pub fn hex40() -> String {
    use std::fmt::Write as _;

    let bytes: [u8; 20] = rand::random();
    bytes.iter().fold(String::with_capacity(40), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(seed(), seed());
        let id = hex40();
        assert_eq!(id.len(), 40);
        assert!(id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
        assert_ne!(id, hex40());
    }
}
