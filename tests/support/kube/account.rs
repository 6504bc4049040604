//! vedette's ServiceAccount in a namespace of its own.

use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use tempfile::TempDir;

use super::admin::kubeconfig;
use super::{Admin, Cluster, manifests};

/// The manifests of the rights, as they are shipped.
const MANIFESTS: [&str; 3] = [
    "deploy/kubernetes/base/serviceaccount.yaml",
    "deploy/kubernetes/base/role.yaml",
    "deploy/kubernetes/base/rolebinding.yaml",
];
const NAME: &str = "vedette";

/// A namespace with the account in it, and files with a token, as a Pod finds them.
#[derive(Debug)]
pub(crate) struct Account<'a> {
    cluster: &'a Cluster,
    namespace: String,
    authority: PathBuf,
    dir: TempDir,
}

impl<'a> Account<'a> {
    pub(super) fn new(cluster: &'a Cluster, namespace: &str) -> Self {
        cluster.admin().namespace(namespace);
        for mut object in MANIFESTS.iter().flat_map(|path| manifests::read(path)) {
            manifests::into_namespace(&mut object, namespace);
            cluster.admin().apply(object);
        }
        let dir = TempDir::with_prefix("vedette-account").unwrap();
        let authority = dir.path().join("ca.crt");
        fs::copy(cluster.authority(), &authority).unwrap();
        fs::write(dir.path().join("namespace"), namespace).unwrap();
        let account = Self { cluster, namespace: namespace.to_owned(), authority, dir };
        account.write_token(&account.new_token());
        let user = format!("tokenFile: {}", account.token_file().display());
        account.write_kubeconfig(&user);
        account
    }

    /// Its namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Who may do everything there.
    pub(crate) const fn admin(&self) -> &Admin {
        self.cluster.admin()
    }

    /// `https://HOST:PORT` of the API server.
    pub(crate) fn address(&self) -> &str {
        self.cluster.address()
    }

    /// The folder that a Pod has mounted: `token`, `ca.crt` and `namespace`.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// A kubeconfig that leads to the same files.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// The file with the token.
    pub(crate) fn token_file(&self) -> PathBuf {
        self.dir.path().join("token")
    }

    /// A fresh token from the API server.
    pub(crate) fn new_token(&self) -> String {
        let namespace = self.namespace.clone();
        self.cluster.admin().run(|client| async move {
            let api: Api<ServiceAccount> = Api::namespaced(client, &namespace);
            let spec = TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() };
            let request = TokenRequest { spec, ..TokenRequest::default() };
            let answer = api.create_token_request(NAME, &PostParams::default(), &request).await.unwrap();
            answer.status.expect("a token").token
        })
    }

    /// Replaces the token as the kubelet does: the file is never seen half written.
    pub(crate) fn write_token(&self, token: &str) {
        let new = self.dir.path().join("token.new");
        fs::write(&new, token).unwrap();
        fs::rename(new, self.token_file()).unwrap();
    }

    /// Replaces the kubeconfig; `user` as in [`kubeconfig`].
    pub(crate) fn write_kubeconfig(&self, user: &str) {
        fs::write(self.kubeconfig(), kubeconfig(self.address(), &self.authority, user, &self.namespace))
            .unwrap();
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        if self.cluster.lasts() {
            let namespace = self.namespace.clone();
            let deleted = self.cluster.admin().run(|client| async move {
                Api::<Namespace>::all(client).delete(&namespace, &DeleteParams::default()).await
            });
            if let Err(error) = deleted {
                eprintln!("the namespace {} is left behind: {error}", self.namespace);
            }
        }
    }
}
