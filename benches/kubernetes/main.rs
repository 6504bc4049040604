//! The table of the fleet on Kubernetes: what this program and redis-sentinel need for the same work over the same data
//! nodes, each in turn, what this one asks of the API server, and whether it keeps its limits. Ends with status 1 when it
//! doesn't.
//!
//! `cargo bench --all-features --bench kubernetes`; `-- --rows kill,rest` makes some rows only (a chapter's or a row's name),
//! `-- --rounds N` changes the number of rounds (10), `-- --only vedette` leaves the other out, `-- --list` names the rows,
//! `-- --readme` puts the table into the README and docs/kubernetes.md.
//!
//! A real API server over a real etcd that syncs to the disk, and the real controllers that make EndpointSlices and the Pods of a
//! StatefulSet. Pods are processes in network namespaces, kept by a stand-in for the kubelet. It takes root. There is no
//! kube-proxy: a client of the Service goes where the EndpointSlices lead as soon as they do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

mod audit;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod crowds;
mod endpoints;
mod faults;
#[path = "../../tests/support/kube/mod.rs"]
#[allow(dead_code, unused_imports)]
mod k8s;
#[path = "../../tests/kubernetes/layout.rs"]
#[allow(dead_code)]
mod layout;
mod rows;
mod scene;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../tests/kubernetes/world.rs"]
#[allow(dead_code)]
mod world;
#[path = "../../tests/kubernetes/writer.rs"]
#[allow(dead_code)]
mod writer;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use common::document::Document;
use common::{Bench, Kind};

const MARK: &str = "<!-- table: cargo bench --all-features --bench kubernetes -- --readme -->\n";
const BENCH: Bench = Bench {
    chapters: rows::CHAPTERS,
    kinds: &[Kind::Redis, Kind::Vedette],
    documents: &[
        Document { path: "README.md", mark: MARK },
        Document { path: "docs/kubernetes.md", mark: MARK },
    ],
    remark: "",
};

fn main() -> ExitCode {
    // Where etcd's syncs reach a disk.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    common::run(&BENCH, &target)
}
