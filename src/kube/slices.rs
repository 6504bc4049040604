//! EndpointSlices of our own, for Services without a selector.

use std::ops::Deref;
use std::time::Duration;

use ::kube::api::{Patch, PatchParams};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::objects::within;
use super::{Access, Error, FIELD_MANAGER, Objects, Verb};

/// The EndpointSlices of one namespace. Reading is that of [`Objects`].
#[derive(Clone)]
pub struct Slices {
    objects: Objects<EndpointSlice>,
}

impl Slices {
    /// Those in that namespace.
    pub fn new(access: Access, namespace: &str) -> Self {
        Self { objects: Objects::new(access, namespace) }
    }

    /// Makes it so, whether it is there or not. What is so already is not written.
    pub async fn apply(&self, slice: &EndpointSlice, limit: Duration) -> Result<(), Error> {
        let name = slice.metadata.name.as_deref().unwrap_or_default();
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let (api, patch) = (self.objects.for_writing(), Patch::Apply(slice));
        within(limit, self.objects.call(Verb::Patch, name), api.patch(name, &params, &patch))
            .await
            .map(|_| ())
    }
}

impl Deref for Slices {
    type Target = Objects<EndpointSlice>;

    fn deref(&self) -> &Self::Target {
        &self.objects
    }
}
