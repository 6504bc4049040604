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
                let (kind, name) = (object.kind(), object.name().to_owned());
                if self.put(object) { News::One(kind, name) } else { News::Nothing }
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
    fn put(&mut self, object: Object) -> bool {
        let name = object.name().to_owned();
        match object {
            Object::Lease(lease) => keep(&mut self.leases, name, lease),
            Object::Pod(pod) => keep(&mut self.pods, name, pod),
            Object::Service(service) => keep(&mut self.services, name, service),
            Object::Node(node) => keep(&mut self.nodes, name, node),
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

fn keep<T: PartialEq>(known: &mut BTreeMap<String, T>, name: String, one: T) -> bool {
    let news = known.get(&name) != Some(&one);
    if news {
        known.insert(name, one);
    }
    news
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
