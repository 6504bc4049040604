//! From the wire to a process.

use super::{Delivery, HostId, NetId, Packet, Side, World};

impl World {
    /// A packet reaches a machine.
    pub(super) fn arrive(&mut self, net: NetId, to: Side, packet: Packet) {
        let Some(packet) = self.net.arrive(net, to, packet) else { return };
        let Some(host) = self.net.host(net, to) else { return };
        let (powered, running) = (self.hosts[host].powered, self.hosts[host].running);
        if let Packet::Syn = packet {
            // The kernel accepts also for a stopped process.
            if running {
                let due = self.net.accept(self.now, net);
                self.post(due);
                self.deliver(host, Delivery::Accepted(net));
            } else if powered {
                let due = self.net.refuse(self.now, net);
                self.post(due);
            } else {
                let due = self.net.bounce(self.now, net, to, false);
                self.post(due);
            }
            return;
        }
        if !self.net.is_open(net, to) {
            let silent = matches!(packet, Packet::Close | Packet::Refuse);
            let due = if silent { None } else { self.net.bounce(self.now, net, to, powered) };
            self.post(due);
            return;
        }
        self.deliver(host, Delivery::Packet { net, side: to, packet });
    }

    /// Hands something to a process, or to its mailbox while it is stopped.
    pub(super) fn deliver(&mut self, host: HostId, delivery: Delivery) {
        let state = &mut self.hosts[host];
        if !state.running {
            return;
        }
        if state.stopped > 0 {
            state.mailbox.push_back(delivery);
            return;
        }
        if host < self.plan.daemons {
            self.daemon_takes(host, delivery);
        } else {
            self.node_takes(host - self.plan.daemons, delivery);
        }
    }

    pub(super) fn wake(&mut self, host: HostId, life: u64, token: u64) {
        let state = &mut self.hosts[host];
        if state.life != life || state.wake_token != token || !state.running {
            return;
        }
        state.wake_at = None;
        if state.stopped > 0 {
            return;
        }
        if host < self.plan.daemons {
            self.wake_daemon(host);
        } else {
            self.wake_node(host - self.plan.daemons);
        }
    }

    /// A stopped process goes on: timers and what waited come in an order that nobody knows.
    pub(super) fn resume(&mut self, host: HostId) {
        let state = &mut self.hosts[host];
        state.stopped = state.stopped.saturating_sub(1);
        if state.stopped > 0 || !state.running {
            return;
        }
        let label = self.label(host);
        self.trace.line(|| format!("{label} goes on"));
        if self.rng.chance(500) {
            self.run_timers(host);
        }
        while let Some(delivery) = self.hosts[host].mailbox.pop_front() {
            self.deliver(host, delivery);
        }
        self.run_timers(host);
    }

    fn run_timers(&mut self, host: HostId) {
        if !self.hosts[host].running {
            return;
        }
        if host < self.plan.daemons {
            self.wake_daemon(host);
        } else {
            self.wake_node(host - self.plan.daemons);
        }
    }
}
