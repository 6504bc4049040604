//! A model of the API server: objects with versions, replaced only on the version that was read.

use std::collections::BTreeMap;

use crate::core::claim::Plain;
use crate::core::cluster::{Answer, Call, Kind, Lease, Node, Object, Pod, Seen, Service};
use crate::core::ids::Version;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Api {
    version: u64,
    pub(crate) leases: BTreeMap<String, (u64, Plain)>,
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) pods: BTreeMap<String, Pod>,
    pub(crate) nodes: BTreeMap<String, Node>,
    /// Calls that changed something, Events aside.
    pub(crate) writes: u64,
    pub(crate) events: Vec<String>,
}

impl Api {
    fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// All of a kind.
    pub(crate) fn all(&self, kind: Kind) -> Seen {
        let objects = match kind {
            Kind::Lease => {
                self.leases.keys().filter_map(|name| self.lease(name)).map(Object::Lease).collect()
            }
            Kind::Pod => self.pods.values().cloned().map(Object::Pod).collect(),
            Kind::Service => self.services.values().cloned().map(Object::Service).collect(),
            Kind::Node => self.nodes.values().cloned().map(Object::Node).collect(),
        };
        Seen::All(kind, objects)
    }

    pub(crate) fn lease(&self, name: &str) -> Option<Lease> {
        let (version, plain) = self.leases.get(name)?;
        Some(Lease { name: name.to_owned(), version: as_version(*version), plain: plain.clone() })
    }

    /// Serves a call: the answer, and what watches show of it.
    pub(crate) fn serve(&mut self, call: Call) -> (Answer, Option<Seen>) {
        match call {
            Call::ReadLease { name } => (Answer::Read(self.lease(&name).map(Object::Lease)), None),
            Call::ReadService { name } => {
                (Answer::Read(self.services.get(&name).cloned().map(Object::Service)), None)
            }
            Call::WriteLease { name, version, plain, .. } => {
                let known = self.leases.get(&name).map(|(version, _)| as_version(*version));
                if known != version {
                    return (Answer::Conflict, None);
                }
                self.writes += 1;
                let seen = self.put_lease(&name, plain);
                (Answer::Landed(as_version(self.version)), Some(seen))
            }
            Call::PatchService { name, version, selector, annotations } => {
                let Some(mut service) =
                    self.services.get(&name).cloned().filter(|known| known.version == version)
                else {
                    return (Answer::Conflict, None);
                };
                merge(&mut service.selector, selector);
                merge(&mut service.annotations, annotations);
                self.writes += 1;
                let seen = self.put_service(service);
                let version = self.services.get(&name).map(|service| service.version.clone());
                (version.map_or(Answer::Conflict, Answer::Landed), Some(seen))
            }
            Call::Event(event) => {
                self.events.push(format!("{} {}", event.reason, event.note));
                (Answer::Landed(as_version(self.version)), None)
            }
        }
    }

    /// Somebody writes a Service.
    pub(crate) fn put_service(&mut self, mut service: Service) -> Seen {
        service.version = as_version(self.next());
        self.services.insert(service.name.clone(), service.clone());
        Seen::Changed(Object::Service(service))
    }

    /// Somebody writes a Pod.
    pub(crate) fn put_pod(&mut self, pod: Pod) -> Seen {
        self.next();
        self.pods.insert(pod.name.clone(), pod.clone());
        Seen::Changed(Object::Pod(pod))
    }

    /// Somebody deletes a Pod.
    pub(crate) fn delete_pod(&mut self, name: &str) -> Seen {
        self.next();
        self.pods.remove(name);
        Seen::Removed(Kind::Pod, name.to_owned())
    }

    /// Somebody writes a Lease, whatever it held.
    pub(crate) fn put_lease(&mut self, name: &str, plain: Plain) -> Seen {
        let version = self.next();
        self.leases.insert(name.to_owned(), (version, plain.clone()));
        Seen::Changed(Object::Lease(Lease { name: name.to_owned(), version: as_version(version), plain }))
    }

    /// Somebody deletes a Lease.
    pub(crate) fn delete_lease(&mut self, name: &str) -> Seen {
        self.next();
        self.leases.remove(name);
        Seen::Removed(Kind::Lease, name.to_owned())
    }
}

fn as_version(version: u64) -> Version {
    Version::from(version.to_string())
}

fn merge(map: &mut BTreeMap<String, String>, patch: BTreeMap<String, Option<String>>) {
    for (key, value) in patch {
        match value {
            Some(value) => drop(map.insert(key, value)),
            None => drop(map.remove(&key)),
        }
    }
}
