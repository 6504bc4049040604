//! Reading objects of one kind, in one namespace where they have one.

use std::fmt::Debug;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use ::kube::api::{ListParams, PatchParams, PostParams};
use ::kube::core::{ClusterResourceScope, NamespaceResourceScope};
use ::kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::lean::Lean;
use super::{Access, Call, Error, FIELD_MANAGER, Verb, Watch};

/// Objects in one answer to a list: as text, as parsed, and as they are kept, all are in memory at the same time.
const PAGE: u32 = 250;

/// What this module can read: a kind that the types know.
pub trait Kind:
    Resource<DynamicType = (), Scope: Reach<Self>> + Clone + Debug + DeserializeOwned + Send + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope: Reach<Self>> + Clone + Debug + DeserializeOwned + Send + 'static
{
}

/// Where the objects of a kind are: in a namespace, or in none.
pub trait Reach<K> {
    /// The way to them.
    fn api(client: Client, namespace: &str) -> Api<K>;
}

impl<K: Resource<DynamicType = (), Scope = Self>> Reach<K> for NamespaceResourceScope {
    fn api(client: Client, namespace: &str) -> Api<K> {
        Api::namespaced(client, namespace)
    }
}

impl<K: Resource<DynamicType = (), Scope = Self>> Reach<K> for ClusterResourceScope {
    fn api(client: Client, _: &str) -> Api<K> {
        Api::all(client)
    }
}

/// All objects of a kind at one version.
#[derive(Clone, Debug)]
pub struct Listed<K> {
    /// The objects.
    pub items: Vec<K>,
    /// The version from which a watch goes on.
    pub version: String,
}

/// Objects of one kind, to be read.
#[derive(Clone)]
pub struct Objects<K> {
    access: Access,
    namespace: String,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Objects<K> {
    /// Those in that namespace; all, if they are in none.
    pub fn new(access: Access, namespace: &str) -> Self {
        Self { access, namespace: namespace.to_owned(), kind: PhantomData }
    }

    /// Reads one, from the store itself and not from a cache.
    pub async fn get(&self, name: &str, limit: Duration) -> Result<K, Error> {
        let api = self.api(self.access.writes());
        within(limit, self.call(Verb::Get, name), api.get(name)).await
    }

    pub(super) fn call(&self, verb: Verb, name: &str) -> Call {
        Call { verb, resource: K::plural(&()).into_owned(), name: name.to_owned() }
    }

    pub(super) fn for_watching(&self) -> Api<K> {
        self.api(self.access.reads())
    }

    pub(super) fn for_writing(&self) -> Api<K> {
        self.api(self.access.writes())
    }

    fn api(&self, client: Client) -> Api<K> {
        K::Scope::api(client, &self.namespace)
    }
}

impl<K: Kind + Lean> Objects<K> {
    /// Reads all that `selector` (labels; empty for all) matches, without what nobody here asks for ([`Lean`]).
    pub async fn list(&self, selector: &str, limit: Duration) -> Result<Listed<K>, Error> {
        let api = self.api(self.access.reads());
        let deadline = Instant::now() + limit;
        let mut params = ListParams::default().labels(selector).limit(PAGE);
        let mut items = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let page = within(left, self.call(Verb::List, ""), api.list(&params)).await?;
            items.extend(page.items.into_iter().map(K::lean));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => {
                    let version = page.metadata.resource_version.unwrap_or_default();
                    return Ok(Listed { items, version });
                }
            }
        }
    }

    /// All that `selector` matches, and then every change.
    pub fn watch(&self, selector: &str) -> Watch<K> {
        Watch::new(self.clone(), selector)
    }
}

/// A write of a whole object, in this program's name.
pub(super) fn written_by_us() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// A change of some fields, in this program's name.
pub(super) fn changed_by_us() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// The answer, or why there is none within `limit`. A request that is late is given up and its connection closed.
pub(super) async fn within<T>(
    limit: Duration,
    call: Call,
    request: impl Future<Output = Result<T, ::kube::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Error::from_client(call, error)),
        Err(_) => Err(Error::late(call, limit)),
    }
}
