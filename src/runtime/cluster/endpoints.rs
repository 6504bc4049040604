//! A Service that was turned is followed by its EndpointSlices, which a controller of Kubernetes writes. Where it wrote them just
//! before, for a Pod that is being deleted, say, its own cache may lag behind that write; it gives up then and tries again a
//! second later, then two and so on. A change of the Service has it look at once, so a Service that isn't followed is touched.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::calls::now;
use super::replicas::{MANAGED_BY, SERVICE_NAME};
use crate::core::action::Level;
use crate::core::cluster::POD_KEY;
use crate::kube::{Error, ServiceChange};

/// Says when a Service was touched; nobody reads it.
const TOUCHED: &str = "vedette.dev/touched-at";
/// How long a Service is given to be followed, and how long each time it was touched. Without delay it takes 10 to 30 ms. Each touch that
/// is too early for the controller doubles its own wait, so the last ones come after those that are left to it: a second, or three.
const LOOKS: [Duration; 4] = [
    Duration::from_millis(60),
    Duration::from_millis(240),
    Duration::from_millis(900),
    Duration::from_millis(1800),
];
/// Slices of others may lead elsewhere.
const CONTROLLER: &str = "endpointslice-controller.k8s.io";
/// Services that are looked after at the same time. Where many are turned at once the controller takes its time anyway, and more
/// questions would only cost it some.
pub(super) const AT_ONCE: usize = 16;
/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(1);

/// Looks whether it is followed, and touches it if not. To be called with the Service as it was just written.
pub(super) async fn look_after(cluster: Rc<Cluster>, mut service: Service) {
    let Ok(_place) = cluster.looked_after.try_acquire() else { return };
    for wait in LOOKS {
        sleep(wait).await;
        match touch(&cluster, &service).await {
            Ok(Some(touched)) => service = touched,
            // Also where somebody else has changed it: the controller looks at that, too.
            Ok(None) => return,
            Err(error) => return cluster.failed(&error),
        }
    }
}

/// The Service as it was touched; none if there was no need to, or no room.
async fn touch(cluster: &Cluster, service: &Service) -> Result<Option<Service>, Error> {
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let labels = format!("{SERVICE_NAME}={name},{MANAGED_BY}={CONTROLLER}");
    let slices = cluster.slices.list(&labels, LIMIT).await?;
    let Some(pod) = selected(service).filter(|pod| !lead_to(&slices.items, pod)) else { return Ok(None) };
    if !cluster.pace.patient(Instant::now() + LIMIT).await {
        return Ok(None);
    }
    let text = format!("the EndpointSlices of Service {name} do not lead to Pod {pod} yet; it is touched");
    cluster.log(Level::Notice, &text);
    let annotations = [(TOUCHED.to_owned(), Some(now().0.to_string()))].into();
    let change = ServiceChange { annotations, ..ServiceChange::default() };
    let version = service.metadata.resource_version.as_deref().unwrap_or_default();
    cluster.services.change(name, version, &change, LIMIT).await.map(Some)
}

/// The Pod to which a Service is pinned.
fn selected(service: &Service) -> Option<&str> {
    service.spec.as_ref()?.selector.as_ref()?.get(POD_KEY).map(String::as_str)
}

/// Whether they lead to that Pod and to no other.
fn lead_to(slices: &[EndpointSlice], pod: &str) -> bool {
    let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
    let targets = endpoints.filter_map(|endpoint| endpoint.target_ref.as_ref()?.name.as_deref());
    targets.collect::<BTreeSet<_>>() == BTreeSet::from([pod])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(pods: &[&str]) -> EndpointSlice {
        let endpoints: Vec<_> = pods
            .iter()
            .map(|pod| json!({"addresses": ["10.0.0.1"], "targetRef": {"kind": "Pod", "name": pod}}))
            .collect();
        serde_json::from_value(json!({"addressType": "IPv4", "endpoints": endpoints})).unwrap()
    }

    #[test]
    fn a_service_is_followed_when_all_its_slices_lead_to_its_pod_alone() {
        for (slices, followed) in [
            (vec![slice(&["redis-1"])], true),
            (vec![slice(&["redis-1"]), slice(&["redis-1"])], true),
            (vec![slice(&["redis-1"]), slice(&[])], true),
            (vec![slice(&["redis-0"])], false),
            (vec![slice(&["redis-1"]), slice(&["redis-0"])], false),
            (vec![slice(&[])], false),
            (vec![], false),
        ] {
            assert_eq!(lead_to(&slices, "redis-1"), followed, "{slices:?}");
        }
    }
}
