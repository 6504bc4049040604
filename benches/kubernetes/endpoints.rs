//! Where Services lead, by a watch of their EndpointSlices.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use futures_core::Stream;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use tokio::sync::oneshot;

use crate::common::guide::Guide;
use crate::k8s::ControlPlane;
use crate::support::Host;

/// The API server ends a watch after so many seconds, before the client gives up on one that is silent; it goes on with another.
const WATCH_SECONDS: u32 = 20;
/// The label with the Service's name.
const SERVICE: &str = "kubernetes.io/service-name";

/// Where one Service leads.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// How often that has changed.
    pub(crate) changes: u64,
    /// Since when.
    pub(crate) since: Instant,
    /// To whom: those that are ready.
    pub(crate) to: Vec<SocketAddr>,
}

#[derive(Debug, Default)]
struct Known {
    /// By the slice's name: the Service's, and its addresses.
    slices: BTreeMap<String, (String, Vec<SocketAddr>)>,
    routes: BTreeMap<String, Route>,
}

/// The routes of all Services of a namespace, until dropped.
pub(crate) struct Endpoints {
    known: Arc<Mutex<Known>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoints {
    /// Begins to watch.
    pub(crate) fn watch(plane: &Arc<ControlPlane>, place: &Host, namespace: &str) -> Self {
        let known: Arc<Mutex<Known>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let (inside, plane) = (Arc::clone(&known), Arc::clone(plane));
        let (place, namespace) = (place.clone(), namespace.to_owned());
        let thread = thread::spawn(move || {
            place.enter();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                tokio::select! {
                    () = follow(plane.admin().client(), &namespace, &inside) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { known, stop: Some(stop), thread: Some(thread) }
    }

    /// Where that Service leads.
    pub(crate) fn route(&self, service: &str) -> Option<Route> {
        self.known.lock().unwrap().routes.get(service).cloned()
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn follow(client: Client, namespace: &str, known: &Mutex<Known>) {
    let api: Api<EndpointSlice> = Api::namespaced(client, namespace);
    let listed = api.list(&ListParams::default()).await.unwrap();
    let mut version = listed.metadata.resource_version.unwrap_or_default();
    listed.items.into_iter().for_each(|slice| known.lock().unwrap().take(slice, false));
    loop {
        let params = WatchParams::default().timeout(WATCH_SECONDS);
        let mut events = Box::pin(api.watch(&params, &version).await.unwrap());
        while let Some(event) = std::future::poll_fn(|context| events.as_mut().poll_next(context)).await {
            let (slice, gone) = match event.unwrap() {
                WatchEvent::Added(slice) | WatchEvent::Modified(slice) => (slice, false),
                WatchEvent::Deleted(slice) => (slice, true),
                WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    continue;
                }
                WatchEvent::Error(status) => panic!("the watch of EndpointSlices: {status:?}"),
            };
            version = slice.metadata.resource_version.clone().unwrap_or_default();
            known.lock().unwrap().take(slice, gone);
        }
    }
}

impl Known {
    fn take(&mut self, slice: EndpointSlice, gone: bool) {
        let name = slice.metadata.name.clone().unwrap_or_default();
        let labels = slice.metadata.labels.as_ref();
        let Some(service) = labels.and_then(|labels| labels.get(SERVICE)).cloned() else { return };
        if gone {
            self.slices.remove(&name);
        } else {
            self.slices.insert(name, (service.clone(), ready(&slice)));
        }
        let of_service = self.slices.values().filter(|(owner, _)| *owner == service);
        let to: Vec<SocketAddr> = of_service.flat_map(|(_, to)| to.iter().copied()).collect();
        let before = self.routes.get(&service);
        if before.is_none_or(|before| before.to != to) {
            let changes = before.map_or(0, |before| before.changes) + 1;
            self.routes.insert(service, Route { changes, since: Instant::now(), to });
        }
    }
}

/// Addresses that are ready, at the slice's port.
fn ready(slice: &EndpointSlice) -> Vec<SocketAddr> {
    let port = slice.ports.iter().flatten().find_map(|port| port.port).unwrap_or_default();
    let port = u16::try_from(port).unwrap_or_default();
    let ready = slice.endpoints.iter().filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready) == Some(true)
    });
    let addresses = ready.flat_map(|endpoint| &endpoint.addresses);
    addresses.filter_map(|address| Some(SocketAddr::new(address.parse().ok()?, port))).collect()
}

/// A client of a Service: new connections go where the EndpointSlices lead. One that is led elsewhere leaves a connection that
/// hangs, as one with a short time-out does.
pub(crate) struct ByService {
    endpoints: Arc<Endpoints>,
    service: String,
}

impl ByService {
    /// A client of that one.
    pub(crate) fn new(endpoints: &Arc<Endpoints>, service: &str) -> Self {
        Self { endpoints: Arc::clone(endpoints), service: service.to_owned() }
    }
}

impl Guide for ByService {
    fn told(&self) -> (u64, Option<SocketAddr>) {
        let route = self.endpoints.route(&self.service);
        route.map_or((0, None), |route| (route.changes, route.to.first().copied()))
    }

    fn ask(&self) -> Box<dyn Iterator<Item = SocketAddr> + '_> {
        let route = self.endpoints.route(&self.service);
        Box::new(route.into_iter().flat_map(|route| route.to))
    }
}
