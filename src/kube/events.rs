//! Events, for people who look at what happened.

use std::time::Duration;

use ::kube::api::{Patch, PatchParams, PostParams};
use k8s_openapi::api::events::v1::{Event, EventSeries};
use serde::Serialize;

use super::objects::within;
use super::{Access, Error, FIELD_MANAGER, Objects, Verb};

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
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        within(limit, call, self.objects.for_writing().create(&params, event)).await.map(|_| ())
    }

    /// Tells that it happened again. [`Failure::NotFound`](super::Failure::NotFound) if the API server has forgotten it.
    pub async fn repeat(&self, name: &str, series: &EventSeries, limit: Duration) -> Result<(), Error> {
        let call = self.objects.call(Verb::Patch, name);
        let patch = Patch::Merge(Repeated { series });
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        within(limit, call, self.objects.for_writing().patch(name, &params, &patch)).await.map(|_| ())
    }
}

#[derive(Debug, Serialize)]
struct Repeated<'a> {
    series: &'a EventSeries,
}
