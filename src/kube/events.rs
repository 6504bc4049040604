//! Events, for people who look at what happened.

use std::time::Duration;

use ::kube::api::Patch;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use serde::Serialize;

use super::objects::{changed_by_us, within, written_by_us};
use super::{Access, Error, Objects, Verb};

/// The Events of one namespace.
#[derive(Clone)]
pub struct Events {
    objects: Objects<Event>,
}

impl Events {
    /// Those in that namespace.
    pub fn new(access: Access, namespace: &str) -> Self {
        Self { objects: Objects::new(access, namespace) }
    }

    /// Writes a new one.
    pub async fn create(&self, event: &Event, limit: Duration) -> Result<(), Error> {
        let name = event.metadata.name.as_deref().unwrap_or_default();
        let call = self.objects.call(Verb::Create, name);
        within(limit, call, self.objects.for_writing().create(&written_by_us(), event)).await.map(|_| ())
    }

    /// Tells that it happened again. [`Failure::NotFound`](super::Failure::NotFound) if the API server has forgotten it.
    pub async fn repeat(&self, name: &str, series: &EventSeries, limit: Duration) -> Result<(), Error> {
        let call = self.objects.call(Verb::Patch, name);
        let patch = Patch::Merge(Repeated { series });
        within(limit, call, self.objects.for_writing().patch(name, &changed_by_us(), &patch))
            .await
            .map(|_| ())
    }
}

#[derive(Debug, Serialize)]
struct Repeated<'a> {
    series: &'a EventSeries,
}
