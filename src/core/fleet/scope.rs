//! Which Pods belong to a group, and what follows its primary.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::objects::Objects;
use crate::core::address::Address;
use crate::core::claim::PREFIX;
use crate::core::cluster::{POD_KEY, Pod, Service};
use crate::core::group::Group;
use crate::core::settings::{Fleet, Routes};

/// The label by which a Service makes a group.
pub(crate) const GROUP_LABEL: &str = "vedette.dev/group";
/// The epoch of the commit that a Service follows.
pub(crate) const EPOCH: &str = "vedette.dev/epoch";
/// The port of data nodes for which nobody names one.
const DEFAULT_PORT: u16 = 6379;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Labels that a Pod must have; nothing while it is not known.
    pub(crate) selector: Option<BTreeMap<String, String>>,
    /// The data nodes' port.
    port: Option<u16>,
    /// The Services.
    pub(crate) routes: Option<Routes>,
}

/// The group that a Service's label names.
pub(crate) fn group_of(service: &Service) -> Option<&str> {
    service.labels.get(GROUP_LABEL).map(String::as_str).filter(|name| !name.is_empty() && !service.deleting)
}

impl Scope {
    /// What is known of a group.
    pub(crate) fn of(group: &Group, config: &Fleet, objects: &Objects) -> Self {
        let name = &group.name;
        let labelled = || {
            let known = group.seat.as_ref().and_then(|seat| seat.service.clone());
            let sought = || {
                let found =
                    objects.services.values().find(|service| group_of(service) == Some(name.as_str()));
                found.map(|service| service.name.clone())
            };
            Some(Routes { primary: known.or_else(sought)?, replicas: None })
        };
        let routes = config.services.get(name).cloned().or_else(labelled);
        let service = routes.as_ref().and_then(|routes| objects.services.get(&routes.primary));
        let given = config.pods.get(name);
        let of_service = |service: &Service| {
            let mut selector = service.selector.clone();
            selector.remove(POD_KEY);
            selector
        };
        let selector = given.map(|given| given.labels.clone()).or_else(|| service.map(of_service));
        let port = given.and_then(|given| given.port).or_else(|| service.and_then(|service| service.port));
        Self { selector: selector.filter(|selector| !selector.is_empty()), port, routes }
    }

    /// Whether a Pod belongs to the group, and is somewhere.
    pub(crate) fn holds(&self, pod: &Pod) -> bool {
        self.matches(pod) && !pod.ips.is_empty()
    }

    /// Whether a Pod belongs to the group, or will when it has an address. One that is over never runs again.
    pub(crate) fn matches(&self, pod: &Pod) -> bool {
        let matches = |selector: &BTreeMap<String, String>| {
            selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
        };
        self.selector.as_ref().is_some_and(matches) && !pod.over
    }

    /// Where the data node in a Pod answers.
    pub(crate) fn address(&self, pod: &Pod) -> Option<Address> {
        let ip = *pod.ips.first()?;
        let declared = || pod.containers.iter().find_map(|container| container.ports.first()).copied();
        Some(literal(ip, self.port.or_else(declared).unwrap_or(DEFAULT_PORT)))
    }
}

/// An address that needs no resolver.
pub(crate) fn literal(ip: IpAddr, port: u16) -> Address {
    Address { host: ip.to_string(), ip: Some(ip), port }
}

/// The address in a Lease.
pub(crate) fn parse_address(text: &str) -> Option<Address> {
    let at: std::net::SocketAddr = text.parse().ok()?;
    Some(literal(at.ip(), at.port()))
}

/// The epoch that a Service carries, 0 without one that can be: there must be room above it.
pub(crate) fn epoch_of(service: &Service) -> u64 {
    const ABOVE_ALL: u64 = 1 << 53;
    let epoch = service.annotations.get(EPOCH).and_then(|text| text.parse().ok());
    epoch.filter(|epoch| *epoch < ABOVE_ALL).unwrap_or(0)
}

/// The name of the annotation for a directive.
pub(crate) fn annotation(directive: &str) -> String {
    format!("{PREFIX}{directive}")
}
