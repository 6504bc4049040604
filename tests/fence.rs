//! The fence around the deterministic core: what it may not use, held against its sources.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Words that bring IO, a clock, chance or an unordered map.
const BANNED: &[&str] = &[
    "tokio",
    "rustix",
    "socket2",
    "std::fs",
    "std::io",
    "std::process",
    "std::thread",
    "std::env",
    "std::os",
    "std::net::Tcp",
    "std::net::Udp",
    "ToSocketAddrs",
    "TcpStream",
    "UdpSocket",
    "Instant",
    "SystemTime",
    "rand::",
    "getrandom",
    "HashMap",
    "HashSet",
    "RandomState",
    "DefaultHasher",
    "thread_local!",
    "Mutex",
    "RwLock",
    "mpsc",
    "Atomic",
    "unsafe ",
    "println!",
    "tracing::",
    "crate::runtime",
    "crate::server",
    "crate::link",
    "crate::kube",
    "k8s_openapi",
    "crate::config",
    "crate::admin",
    "crate::telemetry",
    "crate::scripts",
    "crate::process",
];

/// Files and folders inside the fence.
const FENCED: &[&str] = &["src/core", "src/resp/request.rs", "src/resp/encode.rs", "src/resp/reply.rs"];

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            sources(&entry, found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push(path.to_owned());
    }
}

/// Breaches in one source, comments left out.
fn breaches(text: &str) -> Vec<(usize, &'static str)> {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    text.lines()
        .enumerate()
        .flat_map(|(number, line)| {
            let line = code(line);
            BANNED.iter().filter(move |word| line.contains(**word)).map(move |word| (number + 1, *word))
        })
        .collect()
}

#[test]
fn the_core_uses_no_io_clock_chance_or_unordered_map() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in FENCED {
        let path = root.join(place);
        assert!(path.exists(), "{place} is fenced but not there");
        sources(&path, &mut files);
    }
    assert!(files.len() > 10, "found only {files:?}");
    let mut found = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        found.extend(
            breaches(&text).into_iter().map(|(line, word)| format!("{}:{line}: {word}", file.display())),
        );
    }
    assert!(found.is_empty(), "the fence is broken:\n{}", found.join("\n"));
}

#[test]
fn the_makefile_runs_every_test_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let makefile = fs::read_to_string(root.join("Makefile")).unwrap();
    for entry in fs::read_dir(root.join("tests")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").exists() {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(makefile.contains(&format!("--test {name}")), "make test does not run {name}");
        }
    }
}

#[test]
fn the_fence_sees_a_breach() {
    let text = "use std::time::Duration;\n// Instant in a comment\nlet now = std::time::Instant::now();\n";
    assert_eq!(breaches(text), [(3, "Instant")]);
}
