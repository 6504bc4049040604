//! Which groups there are, and who is in them: from labelled Services, and from Pods.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Fleet;
use super::scope::{GROUP_LABEL, Scope, annotation, group_of};
use super::ward::{Place, Ward};
use crate::core::action::{Actions, Level};
use crate::core::cluster::{Kind, Pod, Service};
use crate::core::engine::Engine;
use crate::core::group::{GroupId, Options};
use crate::core::ids::{GroupName, PodUid};
use crate::core::settings::{
    DEFAULT_DOWN_AFTER, DEFAULT_FAILOVER_TIMEOUT, DEFAULT_PARALLEL_SYNCS, GroupSettings, HostPort,
};
use crate::core::time::Time;

/// Most groups that are taken from labels.
const MOST_GROUPS: usize = 10_000;

/// What has to be looked at anew.
#[derive(Debug, Default)]
pub(crate) struct Stale {
    /// All groups.
    pub(crate) all: bool,
    /// Services that came, changed or went.
    pub(crate) services: BTreeSet<String>,
    /// Pods that came, changed or went.
    pub(crate) pods: BTreeSet<String>,
    /// Groups came or went.
    pub(crate) groups: bool,
}

impl Stale {
    pub(crate) fn is_empty(&self) -> bool {
        !self.all && !self.groups && self.services.is_empty() && self.pods.is_empty()
    }
}

impl Engine {
    /// Brings groups and their Pods up to date with what the watches showed. What one object changed costs no more than the
    /// groups that it concerns: there may be a thousand of them, and in a mass failover as many changes.
    pub(crate) fn discover(&mut self, now: Time, out: &mut Actions) {
        // Looked at after each input: what changed nothing must cost nothing, however many groups there are.
        if self.fleet.as_ref().is_none_or(|fleet| fleet.is_settled()) {
            return;
        }
        let Some(mut fleet) = self.fleet.take() else { return };
        let mut stale = std::mem::take(&mut fleet.stale);
        for name in &stale.services {
            let here = fleet.objects.services.get(name).and_then(group_of);
            let there = fleet.by_service.get(name).map(GroupName::as_str);
            stale.all |= here != there;
        }
        if stale.all && fleet.objects.is_listed(Kind::Service) {
            self.take_groups_from_services(&mut fleet, now, out);
        } else {
            for name in &stale.services {
                let group = fleet.by_service.get(name).and_then(|group| self.find(group.as_str()));
                let (Some(id), Some(service)) = (group, fleet.objects.services.get(name).cloned()) else {
                    continue;
                };
                self.take_options_from(id, &service, &mut fleet, out);
            }
        }
        if stale.all || stale.groups {
            stale.all |= self.make_wards(&mut fleet, now, out);
        }
        let concerned: Vec<(GroupId, bool)> = fleet
            .wards
            .iter()
            .filter_map(|(id, ward)| {
                let service =
                    ward.scope.routes.as_ref().is_some_and(|routes| stale.services.contains(&routes.primary));
                let pods = || stale.pods.iter().any(|name| ward.concerns(name, fleet.objects.pods.get(name)));
                (stale.all || service || pods()).then_some((*id, stale.all || service))
            })
            .collect();
        self.fleet = Some(fleet);
        for (id, services) in concerned {
            self.take_pods(id, services, now, out);
        }
    }

    fn take_groups_from_services(&mut self, fleet: &mut Fleet, now: Time, out: &mut Actions) {
        let mut labelled: BTreeMap<GroupName, Service> = BTreeMap::new();
        for service in fleet.objects.services.values() {
            let Some(name) = group_of(service) else { continue };
            let name = GroupName::from(name);
            if let Some(first) = labelled.get(&name) {
                let problem = format!("Service {} already has that group", first.name);
                let text = about(service, GROUP_LABEL, name.as_str(), &problem);
                fleet.problems.say(&service.name, GROUP_LABEL, text, out);
            } else if labelled.len() < MOST_GROUPS {
                fleet.problems.mended(&service.name, GROUP_LABEL);
                labelled.insert(name, service.clone());
            }
        }
        let gone: Vec<GroupId> = self
            .groups
            .values()
            .filter(|group| group.seat.as_ref().is_some_and(|seat| seat.service.is_some()))
            .filter(|group| !labelled.contains_key(&group.name))
            .map(|group| group.id)
            .collect();
        for id in gone {
            fleet.forget(id, out);
            self.timers.set(crate::core::timers::Key::Claim(id), None);
            self.remove(id, now, out);
        }
        fleet.by_service =
            labelled.iter().map(|(name, service)| (service.name.clone(), name.clone())).collect();
        for (name, service) in labelled {
            let id = match self.find(name.as_str()) {
                Some(id) => id,
                None => {
                    let settings = GroupSettings::new(name.clone(), HostPort::nowhere(), 1);
                    let id = self.adopt_settings(settings, now);
                    if let Some(seat) = self.groups.get_mut(&id).and_then(|group| group.seat.as_mut()) {
                        seat.service = Some(service.name.clone());
                    }
                    id
                }
            };
            self.take_options_from(id, &service, fleet, out);
        }
    }

    /// One from the file takes its options from there.
    fn take_options_from(&mut self, id: GroupId, service: &Service, fleet: &mut Fleet, out: &mut Actions) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let Some(seat) = group.seat.as_mut().filter(|seat| seat.service.is_some()) else { return };
        seat.service = Some(service.name.clone());
        take_options(&mut group.options, service, &fleet.config, &mut fleet.problems, out);
        self.shared.touched.insert(id);
    }

    /// Every group has a claim, but for those that come while the process ends. Whether there are new ones.
    fn make_wards(&mut self, fleet: &mut Fleet, now: Time, out: &mut Actions) -> bool {
        let lacks = |id: &&GroupId| fleet.ends_at.is_none() && !fleet.wards.contains_key(id);
        let missing: Vec<GroupId> = self.groups.keys().filter(lacks).copied().collect();
        if fleet.wards.len() + missing.len() > self.groups.len() {
            let gone: Vec<GroupId> =
                fleet.wards.keys().filter(|id| !self.groups.contains_key(id)).copied().collect();
            for id in gone {
                fleet.forget(id, out);
                self.timers.set(crate::core::timers::Key::Claim(id), None);
            }
        }
        for id in &missing {
            let Some(group) = self.groups.get(id) else { continue };
            let ward = Ward::new(group, &fleet.config, &fleet.me, fleet.life);
            fleet.by_lease.insert(ward.lease.clone(), *id);
            fleet.wards.insert(*id, ward);
            self.shared.touched.insert(*id);
        }
        if !missing.is_empty() {
            fleet.man(self, now, out);
        }
        !missing.is_empty()
    }

    /// One group's Pods, and its Services.
    fn take_pods(&mut self, id: GroupId, services: bool, now: Time, out: &mut Actions) {
        self.with_ward(id, now, out, |ward, desk| {
            if services {
                ward.scope = Scope::of(desk.group, desk.config, desk.objects);
            }
            ward.pods = places(&ward.scope, desk.objects.pods.values());
            ward.coming = coming(&ward.scope, desk.objects.pods.values());
            desk.cx.shared.touched.insert(desk.group.id);
            if services {
                ward.service_shown(desk);
            }
            if ward.claimant.sight().is_none() && desk.objects.is_listed(Kind::Lease) {
                let lease = desk.objects.leases.get(&ward.lease);
                ward.shown(lease, desk);
            }
        });
    }
}

impl Ward {
    /// Whether a Pod is, or was, one of the group's.
    fn concerns(&self, name: &str, pod: Option<&Pod>) -> bool {
        self.pods.values().any(|place| place.pod == name)
            || self.coming.values().any(|pod| pod == name)
            || pod.is_some_and(|pod| self.scope.matches(pod))
    }
}

/// The Pods of a group. Of two at one address one is about to go: the other is meant.
fn places<'a>(scope: &Scope, pods: impl Iterator<Item = &'a Pod>) -> BTreeMap<PodUid, Place> {
    let mut places: BTreeMap<PodUid, Place> = BTreeMap::new();
    let mut pods: Vec<&Pod> = pods.filter(|pod| scope.holds(pod)).collect();
    pods.sort_by_key(|pod| pod.deleting);
    for pod in pods {
        let Some(address) = scope.address(pod) else { continue };
        if places.len() >= crate::core::claim::MOST_REPLICAS
            || places.values().any(|place| place.address == address)
        {
            continue;
        }
        places.insert(pod.uid.clone(), Place::new(pod.name.clone(), address));
    }
    places
}

/// The names of the group's Pods that have no address yet: what they hold nobody can know.
fn coming<'a>(scope: &Scope, pods: impl Iterator<Item = &'a Pod>) -> BTreeMap<PodUid, String> {
    let waits = |pod: &&Pod| pod.ips.is_empty() && !pod.deleting && scope.matches(pod);
    let pods = pods.filter(waits).take(crate::core::claim::MOST_REPLICAS);
    pods.map(|pod| (pod.uid.clone(), pod.name.clone())).collect()
}

/// What was said of the mistakes of objects, so that each is said once as long as it is there.
#[derive(Debug, Default)]
pub(crate) struct Problems(BTreeMap<(String, String), String>);

impl Problems {
    /// Most mistakes that are remembered; beyond that all are said anew.
    const MOST: usize = 1000;

    /// Says what is wrong at a place in an object.
    pub(crate) fn say(&mut self, object: &str, place: &str, text: String, out: &mut Actions) {
        let key = (object.to_owned(), place.to_owned());
        if self.0.get(&key) == Some(&text) {
            return;
        }
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        out.push(crate::core::Action::Log { level: Level::Warning, group: None, text: text.clone() });
        self.0.insert(key, text);
    }

    /// Nothing is wrong there: a mistake that is made again is said again.
    pub(crate) fn mended(&mut self, object: &str, place: &str) {
        if !self.0.is_empty() {
            self.0.remove(&(object.to_owned(), place.to_owned()));
        }
    }
}

/// What is wrong with a value in a Service.
fn about(service: &Service, place: &str, value: &str, problem: &str) -> String {
    let shown: String = value.chars().filter(|c| !c.is_control()).take(80).collect();
    format!("Service {}: {place}: '{shown}': {problem}", service.name)
}

/// A number in an annotation; nothing if it is missing, or no number within its bounds.
fn number(
    service: &Service,
    directive: &str,
    least: u64,
    problems: &mut Problems,
    out: &mut Actions,
) -> Option<u64> {
    let key = annotation(directive);
    let text = service.annotations.get(&key);
    let within = |number: &u64| (least..=u64::from(u32::MAX)).contains(number);
    let number = text.and_then(|text| text.parse().ok()).filter(within);
    match text.filter(|_| number.is_none()) {
        Some(text) => {
            let problem = format!("is no whole number from {least}; the default is taken");
            problems.say(&service.name, &key, about(service, &key, text, &problem), out);
        }
        None => problems.mended(&service.name, &key),
    }
    number
}

/// Takes a group's options from the annotations of the Service whose label makes it. A quorum that isn't given is a
/// majority of the fleet; all else that isn't has Sentinel's default.
fn take_options(
    options: &mut Options,
    service: &Service,
    config: &crate::core::settings::Fleet,
    problems: &mut Problems,
    out: &mut Actions,
) {
    let mut number = |directive, least| number(service, directive, least, problems, out);
    let small = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    let majority = u32::try_from(config.size / 2 + 1).unwrap_or(u32::MAX);
    options.quorum = small(number("quorum", 1)).unwrap_or(majority);
    let mut millis =
        |directive, least, default| number(directive, least).map_or(default, Duration::from_millis);
    options.down_after = millis("down-after-milliseconds", 1, DEFAULT_DOWN_AFTER);
    options.failover_timeout = millis("failover-timeout", 1, DEFAULT_FAILOVER_TIMEOUT);
    options.reboot_down_after = millis("master-reboot-down-after-period", 0, Duration::ZERO);
    options.parallel_syncs = small(number("parallel-syncs", 1)).unwrap_or(DEFAULT_PARALLEL_SYNCS);
    let fast = number("fast-down-after-milliseconds", 0);
    options.fast_down_after = fast.map_or(Duration::ZERO, Duration::from_millis);
    let user = service.annotations.get(&annotation("auth-user"));
    options.auth_user = user.filter(|user| !user.is_empty()).cloned();
}
