//! The replicas, or the peers, of one group by their names.
//!
//! A sorted list: most groups have a few of each, and for that a tree takes several times the memory, which a daemon
//! with many groups would have to pay for in each of them.

use super::instance::Instance;

/// For so many there is exactly the room that they need.
const FEW: usize = 8;

/// See the module. In the order of the names.
#[derive(Debug, Default)]
pub(crate) struct Instances(Vec<Instance>);

impl Instances {
    /// Adds one, in place of another of its name.
    pub(crate) fn insert(&mut self, instance: Instance) {
        match self.find(&instance.name) {
            Ok(at) => self.0[at] = instance,
            Err(at) => {
                if self.0.len() < FEW {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, instance);
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Instance> {
        let at = self.find(name).ok()?;
        Some(self.0.remove(at))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Instance> {
        let at = self.find(name).ok()?;
        self.0.get(at)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Instance> {
        let at = self.find(name).ok()?;
        self.0.get_mut(at)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.values().map(|instance| &instance.name)
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &Instance> {
        self.0.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Instance> {
        self.0.iter_mut()
    }

    /// Takes all of them out.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Instance> {
        std::mem::take(&mut self.0).into_iter()
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|instance| instance.name.as_str().cmp(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::address::Address;
    use crate::core::instance::Kind;
    use crate::core::link::LinkId;
    use crate::core::time::Time;

    fn named(name: &str, link: u64) -> Instance {
        let address = Address { host: String::new(), ip: None, port: 0 };
        Instance::new(Kind::Replica, name.to_owned(), address, LinkId(link), Time::ZERO)
    }

    #[test]
    fn instances_are_found_by_name_and_stand_in_its_order() {
        let mut instances = Instances::default();
        for (link, name) in (1..).zip(["b:2", "c:3", "a:1"]) {
            instances.insert(named(name, link));
        }
        assert_eq!(instances.names().collect::<Vec<_>>(), ["a:1", "b:2", "c:3"]);
        assert_eq!(instances.get("c:3").map(|instance| instance.link), Some(LinkId(2)));
        instances.insert(named("c:3", 9));
        assert_eq!(
            (instances.len(), instances.get("c:3").map(|instance| instance.link)),
            (3, Some(LinkId(9)))
        );
        instances.get_mut("a:1").unwrap().address.port = 7;
        assert_eq!(instances.remove("a:1").map(|instance| instance.address.port), Some(7));
        assert!(
            !instances.contains("a:1") && instances.remove("a:1").is_none() && instances.get("").is_none()
        );
        assert_eq!(instances.take().map(|instance| instance.name).collect::<Vec<_>>(), ["b:2", "c:3"]);
        assert_eq!(instances.len(), 0);
    }
}
