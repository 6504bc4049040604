//! Whoever runs the cluster: may do everything.

use std::future::Future;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::manifests;
use crate::support::Host;

/// Under this name the administrator's changes are recorded.
const MANAGER: &str = "test-administrator";

/// A client with all rights, on a thread of its own at the cluster's place.
#[derive(Debug)]
pub(crate) struct Admin {
    runtime: Option<Runtime>,
    config: Config,
}

impl Admin {
    /// Connects with a token; nothing is sent yet.
    pub(crate) fn new(place: Option<&Host>, address: &str, authority: &Path, token: &str) -> Self {
        let text = kubeconfig(address, authority, &format!("token: {token}"), "default");
        Self::of(place, Kubeconfig::from_yaml(&text).unwrap())
    }

    /// The user of a kubeconfig.
    pub(crate) fn of(place: Option<&Host>, parsed: Kubeconfig) -> Self {
        let place = place.cloned();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_start(move || {
                if let Some(host) = &place {
                    host.enter();
                }
            })
            .enable_all()
            .build()
            .unwrap();
        let options = KubeConfigOptions::default();
        let mut config = runtime.block_on(Config::from_custom_kubeconfig(parsed, &options)).unwrap();
        config.connect_timeout = Some(Duration::from_secs(2));
        config.read_timeout = Some(Duration::from_secs(30));
        config.default_retry = false;
        Self { runtime: Some(runtime), config }
    }

    /// Lets `request` run to its end with a client.
    pub(crate) fn run<T, F>(&self, request: impl FnOnce(Client) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let runtime = self.runtime.as_ref().expect("a runtime until the end");
        let (tell, told) = mpsc::channel();
        let inside = runtime.enter();
        let work = request(self.client());
        drop(inside);
        runtime.spawn(async move {
            let _ = tell.send(work.await);
        });
        told.recv().expect("an answer: the request panicked")
    }

    /// A client, to be used on a runtime whose threads are at the cluster's place.
    pub(crate) fn client(&self) -> Client {
        Client::try_from(self.config.clone()).unwrap()
    }

    /// Whether the API server says that it is ready.
    pub(crate) fn ready(&self) -> Result<(), kube::Error> {
        self.run(|client| async move {
            let request = ::http::Request::get("/readyz").body(Vec::new()).unwrap();
            client.request_text(request).await.map(|_| ())
        })
    }

    /// Server-side apply of an object, as `kubectl apply --server-side` does it.
    pub(crate) fn apply(&self, object: Value) -> DynamicObject {
        let told = object.to_string();
        self.try_apply(object).unwrap_or_else(|error| panic!("{error} on\n{told}"))
    }

    /// The same where it may be refused.
    pub(crate) fn try_apply(&self, object: Value) -> Result<DynamicObject, kube::Error> {
        self.patch(object, PatchParams::apply(MANAGER).force())
    }

    /// Has the API server check all that it checks of an apply, without effect: `kubectl apply --server-side --dry-run=server`.
    pub(crate) fn dry_run(&self, object: Value) -> Result<DynamicObject, kube::Error> {
        self.patch(object, PatchParams::apply(MANAGER).force().dry_run())
    }

    fn patch(&self, object: Value, params: PatchParams) -> Result<DynamicObject, kube::Error> {
        self.run(|client| async move {
            let api = api_of(client, &object);
            let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
            api.patch(&name, &params, &Patch::Apply(object)).await
        })
    }

    /// Makes a namespace that enforces the `restricted` profile, with a default account as a cluster has it.
    pub(crate) fn namespace(&self, name: &str) {
        let text = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels:\n    \
             pod-security.kubernetes.io/enforce: restricted\n\
             ---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: default\n  namespace: {name}\n"
        );
        for object in manifests::parse(&text) {
            self.apply(object);
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        // A request that still hangs is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn api_of(client: Client, object: &Value) -> Api<DynamicObject> {
    let text = |field: &str| object[field].as_str().unwrap_or_else(|| panic!("no {field} in {object}"));
    let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("kind")));
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    }
}

/// A kubeconfig with one context; `user` is a line such as `token: T`, or several.
pub(crate) fn kubeconfig(address: &str, authority: &Path, user: &str, namespace: &str) -> String {
    let user = user.replace('\n', "\n      ");
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters:\n  - name: test\n    cluster:\n      server: {address}\n      certificate-authority: {}\n\
         users:\n  - name: test\n    user:\n      {user}\n\
         contexts:\n  - name: test\n    context:\n      cluster: test\n      user: test\n      namespace: {namespace}\n",
        authority.display()
    )
}
