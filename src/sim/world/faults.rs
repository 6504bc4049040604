//! Faults: what begins, and how it ends.

use std::time::Duration;

use super::{Delivery, Event, HostId, Undo, World};
use crate::core::Time;
use crate::sim::facts::canonical;
use crate::sim::plan::{File, What, Who};

impl World {
    /// Faults begin: the plan's steps are put on the clock.
    pub(crate) fn begin_chaos(&mut self) {
        let end = self.now + self.plan.chaos;
        self.chaos = Some((self.now, end));
        for (n, step) in self.plan.steps.iter().enumerate() {
            self.queue.push(self.now + step.after, Event::Step(n));
        }
    }

    /// When everything is whole again.
    pub(crate) fn chaos_end(&self) -> Time {
        self.chaos.map_or(self.now, |(_, end)| end)
    }

    pub(super) fn begin(&mut self, step: usize) {
        if let Some(step) = self.plan.steps.get(step) {
            let what = step.what.clone();
            self.happen(what);
        }
    }

    /// Something happens.
    pub(crate) fn happen(&mut self, what: What) {
        self.trace.line(|| format!("--- {what:?}"));
        match what {
            What::Kill { who, lasts, power, lose_data, loading, file } => {
                let host = self.host_of(who);
                if self.hosts[host].running {
                    self.kill(host, power);
                    self.later(lasts, Undo::Boot { host, loading, lose_data, file });
                }
            }
            What::Pause { who, lasts } => {
                let host = self.host_of(who);
                self.hosts[host].stopped += 1;
                self.later(lasts, Undo::Resume(host));
            }
            What::Cut { from, to, one_way, lasts } => {
                let (from, to) = (self.host_of(from), self.host_of(to));
                let mut paths = vec![(from, to)];
                if !one_way {
                    paths.push((to, from));
                }
                paths.retain(|(from, to)| from != to);
                self.cut(paths, lasts);
            }
            What::Partition { side, one_way, lasts } => {
                let inside: Vec<HostId> = side.into_iter().map(|who| self.host_of(who)).collect();
                let hosts = 0..self.hosts.len();
                let paths = hosts.clone().flat_map(|from| hosts.clone().map(move |to| (from, to)));
                let paths = paths.filter(|(from, to)| {
                    inside.contains(from) != inside.contains(to) && (!one_way || inside.contains(from))
                });
                let paths = paths.collect();
                self.cut(paths, lasts);
            }
            What::Reset { who } => {
                let host = self.host_of(who);
                for (net, _) in self.net.ends_at(host) {
                    for (end, side) in self.net.reset(net) {
                        self.deliver(end, Delivery::Reset { net, side });
                    }
                }
            }
            What::Slow { from, to, latency, lasts } => {
                let (from, to) = (self.host_of(from), self.host_of(to));
                if from != to {
                    let usual = self.net.set_latency(from, to, latency);
                    self.later(lasts, Undo::Latency(from, to, usual.min(Duration::from_millis(45))));
                }
            }
            What::SlowDisk { daemon, write, lasts } => {
                self.daemons[daemon].disk.slow = Some(write);
                self.later(lasts, Undo::FastDisk(daemon));
            }
            What::BrokenDisk { daemon, lasts } => {
                self.daemons[daemon].disk.broken += 1;
                self.later(lasts, Undo::SoundDisk(daemon));
            }
            What::Deaf { daemon, lasts } => {
                self.daemons[daemon].deaf += 1;
                self.later(lasts, Undo::Resolver(daemon));
            }
            What::Busy { who, lasts, killable } => {
                let until = self.now + lasts;
                if let Some(process) = self
                    .host_of(who)
                    .checked_sub(self.plan.daemons)
                    .and_then(|node| self.nodes[node].process.as_mut())
                {
                    process.make_busy(until, killable);
                }
            }
            What::Mislead { node, to } => {
                let group = &self.plan.groups[self.plan.group_of(node)];
                if group.nodes.contains(&to) && to != node {
                    let host = self.ip(self.node_host(to));
                    self.order(node, &["SLAVEOF", &host, "6379"]);
                }
            }
            What::Stray { node } => {
                self.excuse_losses(node);
                if self.order(node, &["SLAVEOF", "NO", "ONE"]) {
                    self.rise(node);
                }
            }
            What::Failover { daemon, group } => {
                let name = self.plan.groups[group].name.clone();
                self.begin_burst(group);
                self.command(daemon, &["SENTINEL", "FAILOVER", &name]);
            }
            What::Simulate { daemon, flag } => self.command(daemon, &["SENTINEL", "SIMULATE-FAILURE", flag]),
            What::Flush { daemon } => self.command(daemon, &["SENTINEL", "FLUSHCONFIG"]),
            What::Set { daemon, group, option, value } => {
                let name = self.plan.groups[group].name.clone();
                self.command(daemon, &["SENTINEL", "SET", &name, option, &value.to_string()]);
            }
            What::Late { permille, by, lasts } => {
                self.net.be_late(permille, by);
                self.later(lasts, Undo::Punctual);
            }
            What::Forget { daemon, group } => {
                let name = self.plan.groups[group].name.clone();
                self.command(daemon, &["SENTINEL", "RESET", &name]);
            }
            What::Remove { daemon, group, lasts } => {
                if !self.may_forget(daemon) {
                    return;
                }
                self.forgetful.insert(daemon);
                let name = self.plan.groups[group].name.clone();
                self.removed.insert((daemon, group));
                self.command(daemon, &["SENTINEL", "REMOVE", &name]);
                self.later(lasts, Undo::Monitor { daemon, group });
            }
        }
    }

    pub(super) fn undo(&mut self, undo: Undo) {
        self.trace.line(|| format!("--- over: {undo:?}"));
        match undo {
            Undo::Boot { host, loading, lose_data, file } => self.boot(host, loading, lose_data, file),
            Undo::Resume(host) => self.resume(host),
            Undo::Heal(paths) => {
                for (from, to) in paths {
                    for (at, net, to) in self.net.heal(self.now, from, to) {
                        self.queue.push(at, Event::Release { net, to });
                    }
                }
            }
            Undo::Latency(from, to, usual) => {
                self.net.set_latency(from, to, usual);
            }
            Undo::Punctual => self.net.be_late(0, Duration::ZERO),
            Undo::Monitor { daemon, group } => {
                self.removed.remove(&(daemon, group));
            }
            Undo::FastDisk(daemon) => self.daemons[daemon].disk.slow = None,
            Undo::Resolver(daemon) => self.daemons[daemon].deaf -= 1,
            Undo::SoundDisk(daemon) => self.daemons[daemon].disk.broken -= 1,
        }
    }

    /// The process at a host ends. Without power its peers are not told.
    pub(super) fn kill(&mut self, host: HostId, power: bool) {
        for (net, side) in self.net.ends_at(host) {
            if power {
                self.net.vanish(net, side);
            } else {
                let due = self.net.close(self.now, net, side);
                self.post(due);
            }
        }
        let state = &mut self.hosts[host];
        state.running = false;
        state.powered = !power;
        state.mailbox.clear();
        state.life += 1;
        state.wake_at = None;
        if host < self.plan.daemons {
            self.end_daemon(host);
        } else {
            self.end_node(host - self.plan.daemons);
        }
    }

    fn boot(&mut self, host: HostId, loading: Duration, lose_data: bool, file: File) {
        if self.hosts[host].running {
            return;
        }
        self.figures.restarts += 1;
        self.hosts[host].powered = true;
        let due = self.net.power_up(self.now, host);
        self.post(due);
        if host < self.plan.daemons {
            self.boot_daemon(host, file);
        } else {
            self.boot_node(host - self.plan.daemons, loading, lose_data);
        }
    }

    fn cut(&mut self, paths: Vec<(HostId, HostId)>, lasts: Duration) {
        for (from, to) in &paths {
            self.net.cut(*from, *to);
        }
        self.later(lasts, Undo::Heal(paths));
    }

    /// Ends a fault in time: none outlasts the faults' time.
    fn later(&mut self, lasts: Duration, undo: Undo) {
        let end = self.now + lasts;
        let end = self.chaos.map_or(end, |(_, last)| end.min(last.max(self.now)));
        self.queue.push(end, Event::Undo(undo));
    }

    /// Somebody other than a daemon commands a replica; a primary is left alone. Whether it was commanded.
    fn order(&mut self, node: usize, words: &[&str]) -> bool {
        let replica = self.nodes[node].process.as_ref().is_some_and(|process| !process.is_primary());
        if replica {
            self.order_any(node, words);
        }
        replica
    }

    /// The same of any node.
    pub(super) fn order_any(&mut self, node: usize, words: &[&str]) {
        let now = self.now;
        let Some(process) = self.nodes[node].process.as_mut() else { return };
        let mut effects = Vec::new();
        process.order(words, now, &mut effects);
        self.carry_out(node, effects);
    }

    pub(super) fn host_of(&self, who: Who) -> HostId {
        match who {
            Who::Daemon(daemon) => daemon,
            Who::Node(node) => self.node_host(node),
            Who::PrimaryOf(group) => {
                let plan = &self.plan.groups[group];
                let held =
                    self.daemons[0].disk.saved().groups.iter().find(|held| held.name.as_str() == plan.name);
                let host = held.and_then(|held| self.host_of_ip.get(&canonical(&held.primary.host))).copied();
                host.unwrap_or_else(|| self.node_host(plan.nodes[0]))
            }
        }
    }
}
