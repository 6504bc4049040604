//! The ways from what queries and peers say to a group, so that a thousand groups cost a query no more than one.

use std::collections::BTreeMap;

use super::address::Names;
use super::group::{Group, GroupId};
use super::ids::GroupName;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_name: BTreeMap<GroupName, GroupId>,
    /// Where a group's primary was found last. Entries grow old silently, so each is checked when it is used.
    by_primary: BTreeMap<(String, u16), GroupId>,
}

impl Index {
    pub(crate) fn add(&mut self, name: &GroupName, id: GroupId) {
        self.by_name.insert(name.clone(), id);
    }

    pub(crate) fn remove(&mut self, name: &GroupName) {
        self.by_name.remove(name.as_str());
        self.by_primary.clear();
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(crate) fn named(&self, name: &str) -> Option<GroupId> {
        self.by_name.get(name).copied()
    }

    /// The group whose primary a peer calls `host`:`port`.
    pub(crate) fn with_primary(
        &mut self,
        host: &str,
        port: u16,
        groups: &BTreeMap<GroupId, Group>,
        names: &Names,
    ) -> Option<GroupId> {
        let key = (host.to_owned(), port);
        let is_it = |group: &&Group| names.equals(&group.primary.address, host, port);
        if let Some(known) = self.by_primary.get(&key).and_then(|id| groups.get(id)).filter(is_it) {
            return Some(known.id);
        }
        let found = groups.values().find(is_it)?.id;
        // No more are kept than there are groups, whatever failovers and names add.
        if self.by_primary.len() >= groups.len() {
            self.by_primary.clear();
        }
        self.by_primary.insert(key, found);
        Some(found)
    }
}
