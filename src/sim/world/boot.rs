//! A daemon's process starts from a file, and ends.

use std::collections::VecDeque;
use std::time::Duration;

use super::daemon::Daemon;
use super::{DAEMON_PORT, HostId, NODE_PORT, World};
use crate::core::action::Level;
use crate::core::ids::{GroupName, RunId};
use crate::core::settings::{DEFAULT_DOWN_AFTER, GroupSettings, HostPort, KnownSentinel};
use crate::core::{Engine, Node, Settings};
use crate::sim::disk::Disk;
use crate::sim::facts::{Fact, host_name};
use crate::sim::plan::{DaemonId, File, GroupPlan};

impl World {
    pub(super) fn make_daemons(&mut self) {
        let ids: Vec<String> = (0..self.plan.daemons).map(|_| self.rng.run_id()).collect();
        for daemon in 0..self.plan.daemons {
            let settings = self.first_settings(daemon, &ids);
            let disk = Disk::new(settings, self.plan.disk, self.plan.disks_lie);
            let rate = self.plan.rates.get(daemon).copied().unwrap_or(1000);
            self.daemons.push(Daemon::new(disk, self.rng.millis(0, 100_000), rate));
        }
        for daemon in 0..self.plan.daemons {
            self.boot_daemon(daemon, File::Kept);
        }
    }

    /// What the operator wrote into a daemon's file.
    fn written_settings(&self, daemon: DaemonId) -> Settings {
        let groups = self.plan.groups.iter().map(|plan| {
            let mut host = self.ip(self.node_host(plan.nodes[0]));
            if self.plan.names.is_some() {
                host = host_name(&host);
            }
            let primary = HostPort { host, port: NODE_PORT };
            let (quorum, down_after) = plan.options_of(daemon);
            let mut group = GroupSettings::new(GroupName::from(plan.name.as_str()), primary, quorum);
            group.down_after = down_after;
            group.failover_timeout = plan.failover_timeout;
            group.parallel_syncs = plan.parallel_syncs;
            group.reboot_down_after = plan.reboot_down_after;
            group.auth_pass.clone_from(&plan.password);
            if plan.scripts {
                group.notification_script = Some("/bin/notify".to_owned());
                group.client_reconfig_script = Some("/bin/reconfigure".to_owned());
            }
            group
        });
        Settings {
            groups: groups.collect(),
            resolve_hostnames: self.plan.names.is_some(),
            announce_hostnames: self.plan.names.unwrap_or(false),
            ..Settings::default()
        }
    }

    /// The file as it is at the beginning: with an id, and with all others if the plan says so.
    fn first_settings(&self, daemon: DaemonId, ids: &[String]) -> Settings {
        let mut settings = self.written_settings(daemon);
        settings.my_id = Some(RunId::from(ids[daemon].as_str()));
        if self.plan.acquainted {
            let host_port = |host: HostId, port| HostPort { host: self.ip(host), port };
            for (group, plan) in settings.groups.iter_mut().zip(&self.plan.groups) {
                let replicas = plan.nodes[1..].iter();
                group.known_replicas =
                    replicas.map(|node| host_port(self.node_host(*node), NODE_PORT)).collect();
                group.known_sentinels = (0..self.plan.daemons)
                    .filter(|peer| *peer != daemon)
                    .map(|peer| KnownSentinel {
                        addr: host_port(peer, DAEMON_PORT),
                        run_id: RunId::from(ids[peer].as_str()),
                    })
                    .collect();
            }
        }
        settings
    }

    /// A process starts from what is on the disk, unless somebody touched that.
    pub(super) fn boot_daemon(&mut self, daemon: DaemonId, file: File) {
        let host = &mut self.hosts[daemon];
        host.running = true;
        host.life += 1;
        host.wake_at = None;
        self.touch_file(daemon, file);
        let seed = self.rng.next();
        let now = self.clock(daemon);
        let machine = &mut self.daemons[daemon];
        let groups = self.plan.groups.iter();
        let fast_down_after =
            groups.map(|group| (GroupName::from(group.name.as_str()), group.fast_down_after)).collect();
        let plain_switchover = self.plan.plain_switchover;
        let node = Node { port: DAEMON_PORT, fast_down_after, plain_switchover, ..Node::default() };
        let quirks = self.plan.mistakes.slowed(self.plan.slow.contains(&daemon));
        let settings = machine.disk.saved().clone();
        // The process may have ended between SENTINEL MONITOR and the last SENTINEL SET after it.
        let bare = |group: &&GroupSettings| {
            let mut plans = self.plan.groups.iter();
            let known =
                plans.any(|plan| plan.name == group.name.as_str() && plan.password == group.auth_pass);
            group.down_after == DEFAULT_DOWN_AFTER || !known
        };
        for group in settings.groups.iter().filter(bare) {
            self.bare.insert((daemon, group.name.as_str().to_owned()));
        }
        let mut engine = Engine::new(settings, node, seed, Level::Notice, now).with_quirks(quirks);
        let mut actions = Vec::new();
        engine.start(now, &mut actions);
        machine.begin(engine);
        self.see(daemon, &Fact::Started { fleet: self.plan.daemons });
        let mut inputs = VecDeque::new();
        self.carry_out_all(daemon, actions, &mut inputs);
        self.drive(daemon, inputs);
    }

    /// Whether a daemon may be made to forget. What a majority forgets is lost, so that it happens to fewer than that.
    pub(super) fn may_forget(&self, daemon: DaemonId) -> bool {
        let few = (self.plan.daemons - 1) / 2;
        self.forgetful.contains(&daemon) || self.forgetful.len() < few
    }

    /// An older file, or the first one, comes in place of the last.
    fn touch_file(&mut self, daemon: DaemonId, file: File) {
        if file == File::Kept || !self.may_forget(daemon) {
            return;
        }
        let written = self.written_settings(daemon);
        let old = self.daemons[daemon].disk.forget(file == File::Old, written, &mut self.rng);
        if old {
            self.forgetful.insert(daemon);
            self.figures.forgotten += 1;
            self.trace.line(|| format!("d{daemon} starts from a file that is {file:?}"));
            self.see(daemon, &Fact::Forgot { group: None, epoch: 0 });
        }
    }

    /// The process is gone, and what it had not saved.
    pub(super) fn end_daemon(&mut self, daemon: DaemonId) {
        self.daemons[daemon].end(&mut self.rng);
        self.see(daemon, &Fact::Saved);
    }
}

impl GroupPlan {
    /// A daemon's quorum and down-after.
    pub(super) fn options_of(&self, daemon: DaemonId) -> (u32, Duration) {
        self.mixed.get(daemon).copied().unwrap_or((self.quorum, self.down_after))
    }
}
