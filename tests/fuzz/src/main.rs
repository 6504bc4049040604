//! One program for all fuzz targets: the variable `VEDETTE_FUZZ` names the one to run, the arguments are libFuzzer's.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vedette::fuzz::{TARGETS, Target};

/// The target that was asked for.
static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let wanted = std::env::var("VEDETTE_FUZZ").unwrap_or_default();
    match TARGETS.into_iter().find(|(name, _)| *name == wanted) {
        Some((_, target)) => target,
        None => panic!("VEDETTE_FUZZ names none of {:?}", TARGETS.map(|(name, _)| name)),
    }
});

fuzz_target!(|data: &[u8]| TARGET(data));
