//! What the watches have shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::cluster::{Kind, Lease, Node, Object, Pod, Seen, Service};

/// What a watch changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing.
    Nothing,
    /// All of a kind.
    All(Kind),
    /// One object, by its name.
    One(Kind, String),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) leases: BTreeMap<String, Lease>,
    pub(crate) pods: BTreeMap<String, Pod>,
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) nodes: BTreeMap<String, Node>,
    /// Kinds that were listed at least once.
    listed: BTreeSet<Kind>,
    /// Kinds whose watch is open.
    open: BTreeSet<Kind>,
}

impl Objects {
    /// Takes in what a watch showed.
    pub(crate) fn take(&mut self, seen: Seen) -> News {
        match seen {
            Seen::All(kind, objects) => {
                match kind {
                    Kind::Lease => self.leases.clear(),
                    Kind::Pod => self.pods.clear(),
                    Kind::Service => self.services.clear(),
                    Kind::Node => self.nodes.clear(),
                }
                for object in objects {
                    self.put(object);
                }
                self.listed.insert(kind);
                News::All(kind)
            }
            Seen::Changed(object) => {
                let (kind, name) = self.put(object);
                News::One(kind, name)
            }
            Seen::Removed(kind, name) => {
                match kind {
                    Kind::Lease => drop(self.leases.remove(&name)),
                    Kind::Pod => drop(self.pods.remove(&name)),
                    Kind::Service => drop(self.services.remove(&name)),
                    Kind::Node => drop(self.nodes.remove(&name)),
                }
                News::One(kind, name)
            }
            Seen::Watching(kind, open) => {
                if open {
                    self.open.insert(kind);
                } else {
                    self.open.remove(&kind);
                }
                News::Nothing
            }
        }
    }

    fn put(&mut self, object: Object) -> (Kind, String) {
        match object {
            Object::Lease(lease) => {
                let name = lease.name.clone();
                self.leases.insert(name.clone(), lease);
                (Kind::Lease, name)
            }
            Object::Pod(pod) => {
                let name = pod.name.clone();
                self.pods.insert(name.clone(), pod);
                (Kind::Pod, name)
            }
            Object::Service(service) => {
                let name = service.name.clone();
                self.services.insert(name.clone(), service);
                (Kind::Service, name)
            }
            Object::Node(node) => {
                let name = node.name.clone();
                self.nodes.insert(name.clone(), node);
                (Kind::Node, name)
            }
        }
    }

    /// Whether all of a kind was shown once.
    pub(crate) fn is_listed(&self, kind: Kind) -> bool {
        self.listed.contains(&kind)
    }

    /// Whether what was shown of a kind is how it is.
    pub(crate) fn is_open(&self, kind: Kind) -> bool {
        self.open.contains(&kind)
    }
}
