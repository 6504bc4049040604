//! A cluster as tests use it that only write objects: one of our own, or whose kubeconfig the user gives.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use k8s_openapi::ByteString;
use kube::config::Kubeconfig;
use tempfile::TempDir;

use super::{Account, Admin, ControlPlane};

/// An API server and somebody who may do everything there.
#[derive(Debug)]
pub(crate) struct Cluster {
    admin: Admin,
    address: String,
    authority: PathBuf,
    /// Whether it goes on after the tests.
    lasting: bool,
    namespaces: AtomicUsize,
}

impl Cluster {
    /// One that ends with the test; `authority` is the file with the server's authority.
    pub(super) fn passing(admin: Admin, address: String, authority: PathBuf) -> Self {
        Self { admin, address, authority, lasting: false, namespaces: AtomicUsize::new(0) }
    }

    /// The one that a kubeconfig's current context leads to. The authority is put into `dir`.
    fn lasting(kubeconfig: &Path, dir: &Path) -> Self {
        let parsed = Kubeconfig::read_from(kubeconfig).unwrap();
        let admin = Admin::of(None, parsed.clone());
        let context = parsed.current_context.expect("a current context");
        let context =
            parsed.contexts.into_iter().find(|known| known.name == context).unwrap().context.unwrap();
        let cluster = parsed.clusters.into_iter().find(|known| known.name == context.cluster).unwrap();
        let cluster = cluster.cluster.unwrap();
        let authority = dir.join("authority.crt");
        let pem = match (cluster.certificate_authority_data, cluster.certificate_authority) {
            (Some(data), _) => serde_json::from_value::<ByteString>(data.into()).unwrap().0,
            (None, Some(path)) => fs::read(path).unwrap(),
            (None, None) => panic!("{} names no authority for the API server", kubeconfig.display()),
        };
        fs::write(&authority, pem).unwrap();
        let address = cluster.server.expect("an address of the API server");
        Self { admin, address, authority, lasting: true, namespaces: AtomicUsize::new(0) }
    }

    /// Who may do everything.
    pub(crate) const fn admin(&self) -> &Admin {
        &self.admin
    }

    /// `https://HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The file with the authority of the API server.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    /// Whether it goes on after the tests, so that they have to tidy up.
    pub(super) const fn lasts(&self) -> bool {
        self.lasting
    }

    /// A new namespace with vedette's account and the rights that are shipped in `deploy/`, and nothing else.
    pub(crate) fn account(&self) -> Account<'_> {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        Account::new(self, &format!("vedette-test-{}-{number}", std::process::id()))
    }
}

/// A cluster that tests share as long as one of them uses it: the one of `KUBECONFIG` where that is set.
#[derive(Debug)]
pub(crate) enum Shared {
    Ours(Box<ControlPlane>),
    Theirs(Box<Cluster>, TempDir),
}

impl Shared {
    /// The one that is there, or else a new one.
    pub(crate) fn get() -> Arc<Self> {
        static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let new = Arc::new(match std::env::var_os("KUBECONFIG") {
                Some(path) => {
                    let dir = TempDir::with_prefix("vedette-cluster").unwrap();
                    Self::Theirs(Box::new(Cluster::lasting(Path::new(&path), dir.path())), dir)
                }
                None => Self::Ours(Box::new(ControlPlane::start(None))),
            });
            *shared = Arc::downgrade(&new);
            new
        })
    }
}

impl Deref for Shared {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        match self {
            Self::Ours(plane) => plane,
            Self::Theirs(cluster, _) => cluster,
        }
    }
}
