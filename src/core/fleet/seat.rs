//! What a group knows of the coordination by Leases.

use crate::core::action::Level;
use crate::core::address::Address;
use crate::core::group::{Group, Which};
use crate::core::instance::{DataNode, Role};
use crate::core::registry::Owners;
use crate::core::settings::{GroupSettings, HostPort};
use crate::core::shared::Cx;

/// See the module.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The address in the configuration file, which is only kept for it.
    pub(crate) configured: HostPort,
    /// The Service whose label the group comes from; nothing for one from the file.
    pub(crate) service: Option<String>,
    /// The committed run of the primary, once a commit is known.
    pub(crate) committed: Option<String>,
    /// The committed primary's Pod is not there: nobody at its address is it.
    pub(crate) absent: bool,
    /// Why the primary counts as down whatever is answered at its address.
    pub(crate) condemned: Option<&'static str>,
    /// This fleet only observes: data nodes are asked and listened to, and told nothing.
    pub(crate) observes: bool,
}

impl Seat {
    /// Takes what only Leases and Pods say out of a file's settings.
    pub(crate) fn taken_from(settings: &mut GroupSettings, observes: bool) -> Self {
        settings.known_replicas.clear();
        settings.known_sentinels.clear();
        settings.config_epoch = 0;
        Self {
            configured: std::mem::replace(&mut settings.primary, HostPort::nowhere()),
            service: None,
            committed: None,
            absent: false,
            condemned: None,
            observes,
        }
    }
}

impl Group {
    /// That instance's Pod is not there, so nothing is asked at its address.
    pub(crate) fn is_absent(&self, which: &Which) -> bool {
        *which == Which::Primary && self.seat.as_ref().is_some_and(|seat| seat.absent)
    }

    /// The primary counts as down whatever is answered at its address.
    pub(crate) fn is_condemned(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.condemned.is_some())
    }

    /// Whether data nodes are subscribed to: by hellos daemons find each other, or a fleet that only observes hears of the Sentinels
    /// that decide.
    pub(crate) fn listens(&self) -> bool {
        self.seat.as_ref().is_none_or(|seat| seat.observes)
    }

    /// The event by which a group makes itself known.
    pub(crate) fn announce_monitor(&self, cx: &mut Cx<'_>) {
        let rest = format!(" quorum {}", self.options.quorum);
        cx.event(Level::Warning, "+monitor", self, &Which::Primary, &rest);
    }

    /// The first primary that is heard of: nobody was told another one before.
    pub(crate) fn install(&mut self, at: Address, cx: &mut Cx<'_>, owners: &mut Owners) {
        self.forget_replica(&at.shown_with_port(false), cx, owners);
        self.primary.address = at;
        if let Some(link) = cx.shared.links.get_mut(self.primary.link) {
            link.restart_clock(cx.now);
            link.retry_at_once();
        }
        if let Some(data) = self.primary.data_mut() {
            *data = DataNode::new(Role::Primary, cx.now);
        }
        self.announce_monitor(cx);
        cx.save();
        cx.shared.touched.insert(self.id);
    }

    /// Forgets a replica. Whether there was one.
    pub(crate) fn forget_replica(&mut self, key: &str, cx: &mut Cx<'_>, owners: &mut Owners) -> bool {
        let Some(replica) = self.replicas.remove(key) else { return false };
        cx.release(replica.link);
        owners.remove(&replica.link);
        true
    }
}
