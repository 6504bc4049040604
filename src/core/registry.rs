//! Groups, replicas and peers come, change and go.

use std::collections::{BTreeMap, BTreeSet};

use super::action::{Actions, Level};
use super::address::Address;
use super::ballot::Ballot;
use super::engine::{Engine, Owner, address};
use super::fastdown::FastDown;
use super::fleet::Seat;
use super::group::{Group, GroupId, Options, Which};
use super::instance::{DataNode, Displaced, Instance, Kind, Role};
use super::instances::Instances;
use super::link::LinkId;
use super::quirks::Mistake;
use super::settings::{GroupSettings, HostPort, KnownSentinel, Settings};
use super::shared::Cx;
use super::switchover::MissingRights;
use super::time::Time;

/// Who is found by which link.
pub(crate) type Owners = BTreeMap<LinkId, Owner>;

impl Engine {
    /// Adds a group with its known replicas and peers, as a file or SENTINEL MONITOR gives it.
    pub(crate) fn adopt_settings(&mut self, settings: GroupSettings, now: Time) -> GroupId {
        self.next_group += 1;
        let id = GroupId(self.next_group);
        let fleet = self.shared.node.fleet.as_ref();
        let (by_leases, observes) = (fleet.is_some(), fleet.is_some_and(|fleet| fleet.observe));
        let link = self.shared.links.create(!by_leases || observes, now);
        self.owners.insert(link, Owner::Node(id, Which::Primary));
        let mut settings = settings;
        // Who is primary, and who else there is, only the Leases and the Pods say.
        let seat = by_leases.then(|| Box::new(Seat::taken_from(&mut settings, observes)));
        let primary = address(&settings.primary.host, settings.primary.port, &self.shared.names);
        let strangers = settings.known_sentinels.is_empty();
        let strangers_until = strangers.then(|| now + self.shared.params.introduction());
        let fast_down_after = self.shared.node.fast_down_after.get(&settings.name).copied();
        let mut group = Group {
            id,
            name: settings.name.clone(),
            options: Options {
                quorum: settings.quorum,
                down_after: settings.down_after,
                failover_timeout: settings.failover_timeout,
                parallel_syncs: settings.parallel_syncs,
                notification_script: settings.notification_script,
                client_reconfig_script: settings.client_reconfig_script,
                auth_pass: settings.auth_pass,
                auth_user: settings.auth_user,
                reboot_down_after: settings.reboot_down_after,
                fast_down_after: fast_down_after.unwrap_or_default(),
                renamed: settings.renamed_commands,
            },
            primary: Instance::new(Kind::Primary, settings.name.as_str().to_owned(), primary, link, now),
            replicas: Instances::default(),
            peers: Instances::default(),
            odown_since: None,
            fast: FastDown::default(),
            config_epoch: settings.config_epoch,
            ballot: Ballot::restored(settings.leader_epoch),
            attempt_at: None,
            delay_logged_for: None,
            turn_at: None,
            failover: None,
            asked_at: None,
            writes_held_until: None,
            missing_rights: MissingRights::new(),
            adoption: None,
            era: 0,
            consent: None,
            strangers_until,
            blind_until: None,
            greeted_at: None,
            told: None,
            stepped_at: None,
            seat,
        };
        let mut out = Actions::new();
        let (mut cx, parts) = self.split(now, &mut out);
        // As `add_replica`, but a file may list more than can be compared one by one.
        let (mut ips, mut hosts) = (BTreeSet::new(), BTreeSet::new());
        for replica in settings.known_replicas {
            let at = address(&replica.host, replica.port, &cx.shared.names);
            let new_ip = at.ip.is_none_or(|ip| ips.insert((ip, at.port)));
            let new_host = hosts.insert((at.host.to_ascii_lowercase(), at.port));
            if new_ip && new_host && !at.same(&group.primary.address) {
                group.insert_replica(at, &mut cx, parts.owners);
            }
        }
        for peer in settings.known_sentinels {
            let at = address(&peer.addr.host, peer.addr.port, &cx.shared.names);
            group.add_peer(peer.run_id.as_str(), at, &mut cx, parts.owners);
        }
        self.shared.index.add(&settings.name, id);
        self.groups.insert(id, group);
        if let Some(fleet) = &mut self.fleet {
            fleet.groups_changed();
        }
        self.shared.touched.insert(id);
        id
    }

    /// Forgets a group: SENTINEL REMOVE.
    pub(crate) fn remove(&mut self, id: GroupId, now: Time, out: &mut Actions) {
        let Some(mut group) = self.groups.remove(&id) else { return };
        self.shared.index.remove(&group.name);
        if let Some(fleet) = &mut self.fleet {
            fleet.groups_changed();
        }
        let (mut cx, parts) = self.split(now, out);
        cx.event(Level::Warning, "-monitor", &group, &Which::Primary, "");
        group.forget_replicas(&mut cx, parts.owners);
        group.forget_peers(&mut cx, parts.owners);
        cx.release(group.primary.link);
        parts.owners.remove(&group.primary.link);
        self.timers.set(super::timers::Key::Group(id), None);
    }

    /// What the file must hold. A promotion or adoption that is being saved counts as done.
    #[must_use]
    pub fn snapshot(&self) -> Settings {
        let shared = &self.shared;
        Settings {
            my_id: Some(self.my_id()),
            current_epoch: shared.current_epoch,
            allow_scripts_reconfig: shared.allow_scripts_reconfig,
            resolve_hostnames: shared.names.enabled,
            announce_hostnames: shared.announce_hostnames,
            announce_ip: shared.announce_ip.clone(),
            announce_port: shared.announce_port,
            sentinel_user: shared.sentinel_user.clone(),
            sentinel_pass: shared.sentinel_pass.clone(),
            groups: self
                .groups
                .values()
                .filter(|group| group.seat.as_ref().is_none_or(|seat| seat.service.is_none()))
                .map(|group| group.saved(shared.announce_hostnames, shared.names.enabled))
                .collect(),
        }
    }
}

impl Group {
    fn saved(&self, hostnames: bool, names: bool) -> GroupSettings {
        let failover = self.failover.as_ref();
        let committing = failover.filter(|failover| failover.committing.is_some());
        let chosen = committing.and_then(|failover| self.replicas.get(failover.promoted.as_deref()?));
        let (primary, config_epoch) = match (&self.adoption, chosen, committing) {
            (Some(adoption), ..) => (&adoption.address, adoption.epoch),
            (None, Some(chosen), Some(failover)) => (&chosen.address, failover.epoch),
            (None, ..) => (&self.current().address, self.config_epoch),
        };
        let moved = !primary.same(&self.primary.address);
        // The new primary's own line shows the old one instead.
        let mut known_replicas: Vec<_> = self
            .replicas
            .values()
            .map(|replica| if moved && replica.address.same(primary) { &self.primary } else { replica })
            .map(|instance| instance.address.saved(hostnames))
            .collect();
        let old = self.primary.address.saved(hostnames);
        if moved && !known_replicas.contains(&old) {
            known_replicas.push(old);
        }
        // Names that were unknown when they came may have turned out to be one address, and names may have been
        // forbidden since: a file with either would not be read again.
        let legible = |at: &HostPort| names || at.host.parse::<std::net::IpAddr>().is_ok();
        let mut seen = BTreeSet::new();
        known_replicas.retain(|at| legible(at) && seen.insert(at.clone()));
        let known_sentinels = self.peers.values().map(|peer| KnownSentinel {
            addr: peer.address.saved(hostnames),
            run_id: peer.run_id.as_str().into(),
        });
        let options = &self.options;
        let configured = self.seat.as_ref().filter(|_| primary.port == 0).map(|seat| seat.configured.clone());
        GroupSettings {
            name: self.name.clone(),
            primary: configured.unwrap_or_else(|| primary.saved(hostnames)),
            quorum: options.quorum,
            down_after: options.down_after,
            failover_timeout: options.failover_timeout,
            parallel_syncs: options.parallel_syncs,
            notification_script: options.notification_script.clone(),
            client_reconfig_script: options.client_reconfig_script.clone(),
            auth_pass: options.auth_pass.clone(),
            auth_user: options.auth_user.clone(),
            reboot_down_after: options.reboot_down_after,
            config_epoch,
            leader_epoch: self.ballot.epoch,
            known_replicas,
            known_sentinels: known_sentinels.filter(|known| legible(&known.addr)).collect(),
            renamed_commands: options.renamed.clone(),
        }
    }

    /// Adds a replica unless one is known at that address, or the primary is at it: a primary that lists itself would
    /// be made a replica of itself. Its key if it is new.
    pub(crate) fn add_replica(
        &mut self,
        at: &Address,
        cx: &mut Cx<'_>,
        owners: &mut Owners,
    ) -> Option<String> {
        if at.same(&self.primary.address) || self.replicas.values().any(|known| known.address.same(at)) {
            return None;
        }
        self.insert_replica(at.clone(), cx, owners)
    }

    /// Adds a replica at an address that no other is known at.
    fn insert_replica(&mut self, at: Address, cx: &mut Cx<'_>, owners: &mut Owners) -> Option<String> {
        let key = at.shown_with_port(cx.shared.announce_hostnames || at.ip.is_none());
        if self.replicas.contains(&key) {
            return None;
        }
        let link = cx.shared.links.create(self.listens(), cx.now);
        owners.insert(link, Owner::Node(self.id, Which::Replica(key.clone())));
        self.replicas.insert(Instance::new(Kind::Replica, key.clone(), at, link, cx.now));
        Some(key)
    }

    /// Adds a peer; groups share the link to it.
    pub(crate) fn add_peer(&mut self, run_id: &str, at: Address, cx: &mut Cx<'_>, owners: &mut Owners) {
        let link = match cx.shared.peer_links.get(run_id) {
            Some(&link) => {
                cx.shared.links.share(link);
                link
            }
            None => {
                let link = cx.shared.links.create(false, cx.now);
                cx.shared.peer_links.insert(run_id.to_owned(), link);
                owners.insert(link, Owner::Peer(run_id.to_owned()));
                link
            }
        };
        let mut peer = Instance::new(Kind::Peer, run_id.to_owned(), at, link, cx.now);
        run_id.clone_into(&mut peer.run_id);
        self.peers.insert(peer);
    }

    /// Forgets a peer of this group.
    pub(crate) fn remove_peer(&mut self, run_id: &str, cx: &mut Cx<'_>, owners: &mut Owners) -> bool {
        let Some(peer) = self.peers.remove(run_id) else { return false };
        cx.release(peer.link);
        if cx.shared.links.get(peer.link).is_none() {
            owners.remove(&peer.link);
        }
        true
    }

    fn forget_peers(&mut self, cx: &mut Cx<'_>, owners: &mut Owners) {
        for run_id in self.peers.names().cloned().collect::<Vec<_>>() {
            self.remove_peer(&run_id, cx, owners);
        }
    }

    /// A name was resolved: replicas that turn out to be the same instance become one, under its name, and one that
    /// turns out to be the primary is none.
    pub(crate) fn merge_replicas(&mut self, cx: &mut Cx<'_>, owners: &mut Owners) {
        let mut superfluous = Vec::new();
        for replica in self.replicas.values() {
            let literal = replica.address.host.parse::<std::net::IpAddr>().is_ok();
            let twin = self.replicas.values().any(|named| {
                named.name != replica.name
                    && named.address.same(&replica.address)
                    && named.address.host.parse::<std::net::IpAddr>().is_err()
            });
            let running = self.promoted() == Some(replica.name.as_str());
            if !running && (replica.address.same(&self.primary.address) || literal && twin) {
                superfluous.push(replica.name.clone());
            }
        }
        for name in &superfluous {
            if let Some(replica) = self.replicas.remove(name) {
                cx.release(replica.link);
                owners.remove(&replica.link);
            }
        }
        if !superfluous.is_empty() {
            cx.save();
        }
    }

    fn forget_replicas(&mut self, cx: &mut Cx<'_>, owners: &mut Owners) {
        for replica in self.replicas.take() {
            cx.release(replica.link);
            owners.remove(&replica.link);
        }
    }

    /// Back to the state of a group that was only now configured, at its present address. Epochs and
    /// settings stay, and so do peers if `keep_peers`.
    pub(crate) fn reset(&mut self, keep_peers: bool, cx: &mut Cx<'_>, owners: &mut Owners) {
        self.supersede(cx);
        self.forget_replicas(cx, owners);
        if !keep_peers {
            self.forget_peers(cx, owners);
            self.strangers_until = Some(cx.now + cx.shared.params.introduction());
        }
        self.writes_held_until = None;
        self.ballot.leader = None;
        self.attempt_at = None;
        self.turn_at = None;
        self.consent = None;
        self.meet_primary(cx);
    }

    /// Forgets what was seen of the process that was the primary: another one is to be met at its address.
    pub(crate) fn meet_primary(&mut self, cx: &mut Cx<'_>) {
        cx.drop_link(self.primary.link);
        if let Some(link) = cx.shared.links.get_mut(self.primary.link) {
            link.restart_clock(cx.now);
            link.retry_at_once();
        }
        self.odown_since = None;
        self.fast.contradict();
        if !cx.shared.quirks.makes(Mistake::OldOpinions) {
            self.void_opinions();
        }
        self.primary.run_id.clear();
        self.primary.down_since = None;
        self.primary.last_down_at = None;
        self.primary.last_up_at = None;
        if let Some(data) = self.primary.data_mut() {
            let fresh = DataNode::new(Role::Primary, cx.now);
            *data = DataNode { info_at: data.info_at, info_text: data.info_text.take(), ..fresh };
        }
    }

    /// Makes the instance at `to` the group's primary; all others become its replicas.
    pub(crate) fn switch(&mut self, to: Address, cx: &mut Cx<'_>, owners: &mut Owners) {
        let reigned = self.primary.data().filter(|data| data.role == Role::Primary);
        let displaced = Displaced {
            at: cx.now,
            run_id: self.primary.run_id.clone(),
            history: reigned.and_then(|data| data.history).map(|history| history.id),
            risen_at: None,
            told_at: None,
        };
        let known = self
            .replicas
            .values()
            .map(|replica| (replica.address.clone(), replica.data().and_then(|data| data.displaced.clone())));
        let old = self.primary.address.clone();
        let others: Vec<(Address, Option<Displaced>)> = known
            .chain((!old.same(&to)).then_some((old, Some(displaced))))
            .filter(|(address, _)| !address.same(&to) && (self.seat.is_none() || address.port != 0))
            .collect();
        self.reset(true, cx, owners);
        self.primary.address = to;
        if let Some(data) = self.primary.data_mut() {
            *data = DataNode::new(Role::Primary, cx.now);
        }
        for (address, displaced) in others {
            if let Some(key) = self.add_replica(&address, cx, owners) {
                if let Some(data) = self.replicas.get_mut(&key).and_then(Instance::data_mut) {
                    data.displaced = displaced;
                }
                cx.event(Level::Notice, "+slave", self, &Which::Replica(key), "");
            }
        }
        cx.save();
        cx.shared.touched.insert(self.id);
    }

    /// Closes the links of the primary and all replicas, so that they come back with other credentials.
    pub(crate) fn drop_data_links(&self, cx: &mut Cx<'_>) {
        for link in std::iter::once(&self.primary).chain(self.replicas.values()).map(|instance| instance.link)
        {
            cx.drop_link(link);
        }
        cx.shared.touched.insert(self.id);
    }

    /// Runs the client-reconfig-script, if there is one.
    pub(crate) fn queue_reconfig_script(&self, role: &str, from: &Address, to: &Address, cx: &mut Cx<'_>) {
        let Some(script) = &self.options.client_reconfig_script else { return };
        let hostnames = cx.shared.announce_hostnames;
        let argv = vec![
            script.clone(),
            self.name.as_str().to_owned(),
            role.to_owned(),
            "start".to_owned(),
            from.shown(hostnames),
            from.port.to_string(),
            to.shown(hostnames),
            to.port.to_string(),
        ];
        cx.shared.scripts.queue(argv, cx.now);
    }
}
