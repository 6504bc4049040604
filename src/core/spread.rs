//! Small numbers that differ between daemons and attempts: a pure function of a seed that the process hands in, so
//! that the core stays deterministic.

/// A SplitMix64 sequence.
#[derive(Clone, Debug)]
pub(crate) struct Spread(u64);

impl Spread {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `bound` - 1; 0 when `bound` is 0.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// 40 lower-case hex digits.
    pub(crate) fn run_id(&mut self) -> String {
        let words = [self.next(), self.next(), self.next()];
        let mut text = words.iter().map(|word| format!("{word:016x}")).collect::<String>();
        text.truncate(40);
        text
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A well-mixed number made of texts and a number: the same in every process.
pub(crate) fn hash(parts: &[&str], number: u64) -> u64 {
    let mut state = mix(number ^ 0x51ed_270b_76a1_f0c3);
    for part in parts {
        for byte in part.bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        state = mix(state);
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_40_hex_digits_and_differ() {
        let mut spread = Spread::new(7);
        let (a, b) = (spread.run_id(), spread.run_id());
        assert_eq!(a.len(), 40);
        assert!(a.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(a, b);
    }

    #[test]
    fn hash_separates_its_parts() {
        assert_ne!(hash(&["ab", "c"], 1), hash(&["a", "bc"], 1));
        assert_ne!(hash(&["a"], 1), hash(&["a"], 2));
    }
}
