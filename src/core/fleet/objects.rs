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
    /// A watch opened, or broke.
    Watch(Kind, bool),
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
                let (kind, name, news) = self.put(object);
                if news { News::One(kind, name) } else { News::Nothing }
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
                let news = if open { self.open.insert(kind) } else { self.open.remove(&kind) };
                if news { News::Watch(kind, open) } else { News::Nothing }
            }
        }
    }

    /// Takes one in. Whether it differs from what was known.
    fn put(&mut self, object: Object) -> (Kind, String, bool) {
        match object {
            Object::Lease(lease) => {
                let name = lease.name.clone();
                let news = self.leases.insert(name.clone(), lease.clone()) != Some(lease);
                (Kind::Lease, name, news)
            }
            Object::Pod(pod) => {
                let name = pod.name.clone();
                let news = self.pods.insert(name.clone(), pod.clone()) != Some(pod);
                (Kind::Pod, name, news)
            }
            Object::Service(service) => {
                let name = service.name.clone();
                let news = self.services.insert(name.clone(), service.clone()) != Some(service);
                (Kind::Service, name, news)
            }
            Object::Node(node) => {
                let name = node.name.clone();
                let news = self.nodes.insert(name.clone(), node.clone()) != Some(node);
                (Kind::Node, name, news)
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

/// A kind, for people.
pub(crate) const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Lease => "Leases",
        Kind::Pod => "Pods",
        Kind::Service => "Services",
        Kind::Node => "Nodes",
    }
}
