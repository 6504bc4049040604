//! Entry points of the fuzz targets: each takes any bytes and checks more than that nothing panics.
//!
//! The targets in `tests/fuzz` feed them with what a fuzzer makes up, `tests/corpus.rs` with what it found worth keeping.
//! For tests only.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a check that fails must end the run")]

mod config;
mod files;
mod hello;
mod info;
mod replies;
mod requests;
mod world;

pub use config::config;
pub use hello::hello;
pub use info::info;
pub use replies::replies;
pub use requests::requests;

/// A target: takes any bytes, panics if something does not hold.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 5] =
    [("requests", requests), ("replies", replies), ("info", info), ("hello", hello), ("config", config)];

/// The first byte, 0 if there is none, and the rest.
fn first(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// Lengths of pieces, as a byte chooses them: some of one byte, some of many.
fn pieces(seed: u8) -> impl Iterator<Item = usize> {
    let mut state = u32::from(seed) + 1;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = usize::try_from(state >> 24).unwrap_or(1);
        Some(if size < 128 { size % 4 + 1 } else { size * size })
    })
}
