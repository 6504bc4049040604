//! Services, which are somebody else's: some fields are changed, never the whole.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use ::kube::api::Patch;
use k8s_openapi::api::core::v1::Service;
use serde::Serialize;

use super::objects::{changed_by_us, within};
use super::{Access, Error, Objects, Verb};

/// What is to change; `None` removes a key, and keys that are not named stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceChange {
    /// Annotations.
    pub annotations: BTreeMap<String, Option<String>>,
    /// The selector.
    pub selector: BTreeMap<String, Option<String>>,
}

/// The Services of one namespace. Reading is that of [`Objects`].
///
/// There is no way to replace one: fields that this program's types don't know would be lost.
#[derive(Clone)]
pub struct Services {
    objects: Objects<Service>,
}

impl Services {
    /// Those in that namespace.
    pub fn new(access: Access, namespace: &str) -> Self {
        Self { objects: Objects::new(access, namespace) }
    }

    /// Changes the Service with that version, and nothing newer: [`Failure::Conflict`](super::Failure::Conflict) then.
    pub async fn change(
        &self,
        name: &str,
        version: &str,
        change: &ServiceChange,
        limit: Duration,
    ) -> Result<Service, Error> {
        let call = self.objects.call(Verb::Patch, name);
        if version.is_empty() {
            return Err(Error::invalid(call, "no version that it changes"));
        }
        let patch = Patch::Merge(MergePatch {
            metadata: Metadata { resource_version: version, annotations: &change.annotations },
            spec: Spec { selector: &change.selector },
        });
        within(limit, call, self.objects.for_writing().patch(name, &changed_by_us(), &patch)).await
    }
}

impl Deref for Services {
    type Target = Objects<Service>;

    fn deref(&self) -> &Self::Target {
        &self.objects
    }
}

/// The body of a change: a JSON merge patch, where null removes.
#[derive(Debug, Serialize)]
struct MergePatch<'a> {
    metadata: Metadata<'a>,
    spec: Spec<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    resource_version: &'a str,
    annotations: &'a BTreeMap<String, Option<String>>,
}

#[derive(Debug, Serialize)]
struct Spec<'a> {
    selector: &'a BTreeMap<String, Option<String>>,
}
