//! The client of the data model, and the operator's hand on the daemons.

use std::time::Duration;

use super::{Event, World};
use crate::core::Engine;
use crate::core::settings::GroupSettings;
use crate::sim::facts::{address, canonical, group, host_name};

/// How often the client writes and asks.
const CLIENT_EVERY: Duration = Duration::from_millis(300);

impl World {
    /// The client asks some daemon for a primary and writes there; now and then it reads the epoch too.
    pub(super) fn client(&mut self) {
        self.queue.push(self.now + CLIENT_EVERY, Event::Client);
        self.tend_daemons();
        let daemon = self.rng.index(self.plan.daemons);
        let name = self.plan.groups[self.rng.index(self.plan.groups.len())].name.clone();
        if self.rng.chance(200) {
            self.command(daemon, &["SENTINEL", "MASTER", &name]);
        }
        self.command(daemon, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &name]);
    }

    /// The answer to the client's question: it writes there.
    pub(super) fn write_at(&mut self, address: &str) {
        if let Some(node) = self.node_at(address) {
            self.tell(node);
            self.write_to(node);
        }
    }

    /// The operator tells daemons that lack a group to watch it, and what they don't know of it.
    fn tend_daemons(&mut self) {
        for daemon in 0..self.plan.daemons {
            for at in 0..self.plan.groups.len() {
                let Some(engine) = &self.daemons[daemon].engine else { continue };
                let name = self.plan.groups[at].name.clone();
                let watched = engine.find(&name).is_some();
                if !watched && !self.removed.contains(&(daemon, at)) {
                    self.monitor(daemon, at);
                } else if watched && self.bare.contains(&(daemon, name)) {
                    self.set_options(daemon, at);
                }
            }
        }
    }

    /// SENTINEL MONITOR, with the address that another daemon tells.
    fn monitor(&mut self, daemon: usize, at: usize) {
        let plan = &self.plan.groups[at];
        let others = (1..self.plan.daemons).map(|n| (daemon + n) % self.plan.daemons);
        let told = others
            .filter_map(|other| self.daemons[other].engine.as_ref())
            .map(Engine::snapshot)
            .find_map(|settings| group(&settings, &plan.name).map(address));
        // Where nobody knows any more, the operator looks for himself.
        let is_primary =
            |node: &usize| self.nodes[*node].process.as_ref().is_some_and(|process| process.is_primary());
        let found = || plan.nodes.iter().copied().find(is_primary).map(|node| self.node_address(node));
        let Some(told) = told.or_else(found) else { return };
        let Some((ip, port)) = told.rsplit_once(':') else { return };
        let host = if self.plan.names.is_some() { host_name(&canonical(ip)) } else { ip.to_owned() };
        let (name, quorum) = (plan.name.clone(), plan.options_of(daemon).0.to_string());
        let port = port.to_owned();
        self.bare.insert((daemon, name.clone()));
        self.command(daemon, &["SENTINEL", "MONITOR", &name, &host, &port, &quorum]);
    }

    /// SENTINEL SET of all that MONITOR can't tell.
    fn set_options(&mut self, daemon: usize, at: usize) {
        if self.hosts[daemon].stopped > 0 {
            return;
        }
        let plan = self.plan.groups[at].clone();
        self.bare.remove(&(daemon, plan.name.clone()));
        let options = [
            ("down-after-milliseconds", plan.options_of(daemon).1.as_millis().to_string()),
            ("failover-timeout", plan.failover_timeout.as_millis().to_string()),
            ("parallel-syncs", plan.parallel_syncs.to_string()),
            ("master-reboot-down-after-period", plan.reboot_down_after.as_millis().to_string()),
            ("auth-pass", plan.password.clone().unwrap_or_default()),
        ];
        for (option, value) in options.iter().filter(|(_, value)| !value.is_empty()) {
            self.command(daemon, &["SENTINEL", "SET", &plan.name, option, value]);
        }
    }

    /// What people have to mend, where they brought it about: they were the ones who told daemons to forget. The primary that most
    /// daemons agree on stays.
    pub(super) fn rescue(&mut self) {
        if self.figures.forgotten == 0 {
            return;
        }
        for at in 0..self.plan.groups.len() {
            let name = self.plan.groups[at].name.clone();
            let daemons = self.daemons.iter().enumerate();
            let views = daemons.filter_map(|(daemon, machine)| Some((daemon, machine.engine.as_ref()?)));
            let held: Vec<(usize, GroupSettings)> = views
                .filter_map(|(daemon, engine)| Some((daemon, group(&engine.snapshot(), &name)?.clone())))
                .collect();
            let told = |primary: &String| held.iter().filter(|(_, group)| address(group) == *primary).count();
            let most = |primary: &String| told(primary) > self.plan.daemons / 2;
            let Some(primary) = held.iter().map(|(_, group)| address(group)).find(most) else { continue };
            self.set_up_again(&held, &primary);
            self.take_back(at, &held, &primary);
        }
    }

    /// A daemon that was set up anew while nobody else was there may have been led to a node that called itself primary. Equal
    /// epochs never change anything, so nobody corrects it.
    fn set_up_again(&mut self, held: &[(usize, GroupSettings)], primary: &str) {
        for (daemon, group) in held {
            if self.forgetful.contains(daemon) && address(group) != primary {
                self.trace.line(|| format!("--- the operator sets d{daemon} up again"));
                self.figures.rescued += 1;
                self.command(*daemon, &["SENTINEL", "REMOVE", group.name.as_str()]);
            }
        }
    }

    /// Nodes that no daemon knows any more, but as a primary of its own: they become replicas. A daemon that lost its file may
    /// have only such a node to begin with, and nothing in Sentinel's protocol leads from there to anybody else.
    fn take_back(&mut self, at: usize, held: &[(usize, GroupSettings)], primary: &str) {
        for node in self.plan.groups[at].nodes.clone() {
            let own = self.node_address(node);
            let known = |host: &str, port: u16| format!("{}:{port}", canonical(host)) == own;
            let mut replicas = held.iter().flat_map(|(_, group)| &group.known_replicas);
            let unknown = own != primary && !replicas.any(|at| known(&at.host, at.port));
            if unknown && let Some((ip, port)) = primary.rsplit_once(':') {
                self.trace.line(|| format!("--- the operator makes n{node} follow {primary}"));
                self.figures.rescued += 1;
                self.excuse_losses(node);
                self.order_any(node, &["SLAVEOF", ip, port]);
            }
        }
    }
}
