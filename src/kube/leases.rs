//! Leases as registers: what is written replaces exactly what was read.

use std::ops::Deref;
use std::time::Duration;

use ::kube::api::{DeleteParams, Preconditions};
use k8s_openapi::api::coordination::v1::Lease;

use super::objects::{within, written_by_us};
use super::{Access, Error, Objects, Verb};

/// The Leases of one namespace. Reading is that of [`Objects`].
#[derive(Clone)]
pub struct Leases {
    objects: Objects<Lease>,
}

impl Leases {
    /// Those in that namespace.
    pub fn new(access: Access, namespace: &str) -> Self {
        Self { objects: Objects::new(access, namespace) }
    }

    /// Writes a new one. [`Failure::Exists`](super::Failure::Exists) if the name is taken.
    pub async fn create(&self, lease: &Lease, limit: Duration) -> Result<Lease, Error> {
        let call = self.objects.call(Verb::Create, name(lease));
        let api = self.objects.for_writing();
        within(limit, call, api.create(&written_by_us(), lease)).await
    }

    /// Replaces the one that was read, and nothing newer: [`Failure::Conflict`](super::Failure::Conflict) then.
    ///
    /// A Lease without the version that was read is not sent: the API server would write it over whatever is there.
    pub async fn replace(&self, lease: &Lease, limit: Duration) -> Result<Lease, Error> {
        let call = self.objects.call(Verb::Update, name(lease));
        if lease.metadata.resource_version.as_ref().is_none_or(String::is_empty) {
            return Err(Error::invalid(call, "no version that it replaces"));
        }
        let api = self.objects.for_writing();
        within(limit, call, api.replace(name(lease), &written_by_us(), lease)).await
    }

    /// Removes the one with that version, and nothing newer.
    pub async fn delete(&self, name: &str, version: &str, limit: Duration) -> Result<(), Error> {
        let call = self.objects.call(Verb::Delete, name);
        let api = self.objects.for_writing();
        let read = Preconditions { resource_version: Some(version.to_owned()), uid: None };
        let params = DeleteParams { preconditions: Some(read), ..DeleteParams::default() };
        within(limit, call, api.delete(name, &params)).await.map(|_| ())
    }
}

impl Deref for Leases {
    type Target = Objects<Lease>;

    fn deref(&self) -> &Self::Target {
        &self.objects
    }
}

fn name(lease: &Lease) -> &str {
    lease.metadata.name.as_deref().unwrap_or_default()
}
