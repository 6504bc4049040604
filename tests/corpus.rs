//! What fuzzing found worth keeping, put through the same checks.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Most files of a target, and most bytes of all of them together: they are read by people and kept for ever.
const MOST_FILES: usize = 300;
const MOST_BYTES: usize = 1024 * 1024;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_was_found_worth_keeping_holds() {
    for (name, target) in vedette::fuzz::TARGETS {
        let files = corpus(name);
        assert!(files.len() > 20, "too little is kept for {name}");
        for file in files {
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn little_is_kept() {
    let all = vedette::fuzz::TARGETS.map(|(name, _)| corpus(name));
    assert!(all.iter().all(|files| files.len() <= MOST_FILES));
    let bytes: u64 = all.iter().flatten().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(usize::try_from(bytes).unwrap() <= MOST_BYTES, "{bytes} bytes");
}

#[test]
fn every_target_is_fuzzed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let makefile = fs::read_to_string(root.join("Makefile")).unwrap();
    let list = makefile.lines().find_map(|line| line.strip_prefix("FUZZ_TARGETS := ")).unwrap();
    assert_eq!(list.split(' ').collect::<Vec<_>>(), vedette::fuzz::TARGETS.map(|(name, _)| name));
}
