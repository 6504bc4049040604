//! What passes through a daemon's wishes, as lines of the trace and facts for the invariants.

use bytes::Bytes;

use super::daemon::Question;
use super::{HostId, NODE_PORT, World};
use crate::core::Engine;
use crate::core::action::{Event, Level};
use crate::core::ids::GroupName;
use crate::resp::Reply;
use crate::sim::facts::{Fact, Hello, canonical, group};
use crate::sim::plan::DaemonId;

/// Words of a request, for the trace. Passwords are of the simulation's own making.
fn joined(args: &[Bytes]) -> String {
    args.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" ")
}

fn word(args: &[Bytes], at: usize) -> &str {
    args.get(at).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default()
}

/// Lines that come by the thousand and say little.
fn is_routine(name: &str) -> bool {
    ["PING", "INFO", "CLIENT", "AUTH", "SUBSCRIBE", "PUBLISH"]
        .iter()
        .any(|word| name.eq_ignore_ascii_case(word))
}

impl World {
    /// A request leaves a daemon. The question in it, if it is one about a primary.
    pub(super) fn observe_send(&mut self, daemon: DaemonId, to: HostId, args: &[Bytes]) -> Option<Question> {
        let name = word(args, 0);
        if !is_routine(name) {
            let label = self.label(to);
            self.trace.line(|| format!("d{daemon} -> {label}: {}", joined(args)));
        }
        if name.eq_ignore_ascii_case("PUBLISH") {
            if let Some(hello) = args.get(2).and_then(Hello::parse) {
                self.see(daemon, &Fact::HelloSent(hello));
            }
            return None;
        }
        if name.eq_ignore_ascii_case("SLAVEOF") {
            let (host, port) = (word(args, 1), word(args, 2));
            let target = (!host.eq_ignore_ascii_case("no")).then(|| format!("{}:{port}", canonical(host)));
            self.see_slaveof(daemon, to, target);
            return None;
        }
        if !asks_for_opinion(args) {
            return None;
        }
        let address = format!("{}:{}", canonical(word(args, 2)), word(args, 3));
        let group = self.group_at(&address)?;
        let epoch = word(args, 4).parse().unwrap_or(0);
        let candidate = Some(word(args, 5)).filter(|id| *id != "*").map(str::to_owned);
        // At epoch 0 nobody votes: that asks which vote was the last, and nothing else.
        if epoch == 0 && candidate.is_some() {
            return None;
        }
        self.see(daemon, &Fact::Asked { peer: to, group: group.clone(), epoch, candidate });
        Some(Question { group, address })
    }

    /// A reply or a message reaches a daemon.
    pub(super) fn observe_reply(
        &mut self,
        daemon: DaemonId,
        from: HostId,
        asked: Option<Question>,
        reply: &Reply,
    ) {
        if let Some(Question { group, address }) = asked {
            if let Some([Reply::Int(down), ..]) = reply.elements() {
                let down = *down == 1;
                self.see(daemon, &Fact::Opinion { group, address, peer: from, down });
            }
            return;
        }
        if let Some([kind, _, Reply::Bulk(payload)]) = reply.elements()
            && kind.text() == Some("message")
        {
            self.observe_hello(daemon, payload);
        }
    }

    /// A peer's command reaches a daemon.
    pub(super) fn observe_command(&mut self, daemon: DaemonId, args: &[Bytes]) {
        if word(args, 0).eq_ignore_ascii_case("PUBLISH")
            && let Some(payload) = args.get(2)
        {
            self.observe_hello(daemon, payload);
        }
    }

    /// A hello reaches a daemon. Of a group that it was told to forget it hears nothing: what comes meanwhile is not
    /// known when it is told to watch the group again.
    fn observe_hello(&mut self, daemon: DaemonId, payload: &Bytes) {
        let Some(hello) = Hello::parse(payload) else { return };
        if self.daemons[daemon].engine.as_ref().is_none_or(|engine| engine.find(&hello.group).is_none()) {
            return;
        }
        let own =
            self.daemons[daemon].disk.saved().my_id.as_ref().is_some_and(|id| id.as_str() == hello.run_id);
        if !own {
            self.see(daemon, &Fact::HelloHeard(hello));
        }
    }

    /// A daemon answers a peer.
    pub(super) fn observe_vote(&mut self, daemon: DaemonId, args: &[Bytes], reply: &Reply) {
        if !asks_for_opinion(args) {
            return;
        }
        self.trace.line(|| format!("d{daemon} answers {}: {reply:?}", joined(args)));
        let Some([Reply::Int(_), leader, Reply::Int(epoch)]) = reply.elements() else { return };
        let address = format!("{}:{}", canonical(word(args, 2)), word(args, 3));
        let (Some(group), Some(leader)) = (self.group_at(&address), leader.text()) else { return };
        if leader == "*" && *epoch == 0 {
            return;
        }
        let leader = Some(leader).filter(|id| *id != "*").map(str::to_owned);
        if leader.as_deref().is_some_and(|id| id == word(args, 5)) {
            self.figures.votes += 1;
        }
        self.see(daemon, &Fact::Voted { group, leader, epoch: u64::try_from(*epoch).unwrap_or(0) });
    }

    /// A daemon answers the operator or a client.
    pub(super) fn observe_answer(&mut self, daemon: DaemonId, args: &[Bytes], reply: &Reply) {
        let sub = word(args, 1);
        if sub.eq_ignore_ascii_case("MASTER") {
            let name = word(args, 2).to_owned();
            if let Some(config_epoch) = reply.field("config-epoch").and_then(|text| text.parse().ok()) {
                self.see(daemon, &Fact::Told { group: name, config_epoch });
            }
            return;
        }
        if sub.eq_ignore_ascii_case("GET-MASTER-ADDR-BY-NAME") {
            if let Some([host, port]) = reply.elements()
                && host.text() != Some("")
            {
                let (host, port) = (host.text().unwrap_or_default(), port.text().unwrap_or_default());
                let address = format!("{}:{port}", canonical(host));
                self.see(
                    daemon,
                    &Fact::Pointed { group: word(args, 2).to_owned(), address: address.clone() },
                );
                self.write_at(&address);
            }
            return;
        }
        self.trace.line(|| format!("d{daemon} answers {}: {reply:?}", joined(args)));
    }

    pub(super) fn observe_event(&mut self, daemon: DaemonId, event: Event) {
        self.trace.line(|| format!("d{daemon} {} {} (epoch {})", event.name, event.payload, event.epoch));
        match event.name {
            "-failover-abort-not-elected" => self.figures.not_elected += 1,
            "+config-update-from" => self.figures.adopted += 1,
            "+convert-to-slave" | "+fix-slave-config" => self.figures.corrected += 1,
            "+tilt" => self.figures.tilts += 1,
            _ => {}
        }
        if let ("-monitor", Some(name)) = (event.name, &event.group) {
            self.figures.forgotten += 1;
            let name = name.as_str().to_owned();
            self.daemons[daemon].unwritten.push(name.clone());
            let epoch = event.epoch;
            self.see(daemon, &Fact::Forgot { group: Some(name), epoch });
        }
        if event.name == "+reset-master" {
            self.figures.forgotten += 1;
        }
        let known = match event.name {
            "+odown" | "+try-failover" | "+elected-leader" | "+promoted-slave" | "+switch-master"
            | "+slave-reconf-sent" => {
                let settings = self.daemons[daemon].engine.as_ref().map(Engine::snapshot);
                let name = event.group.as_ref().map_or("", GroupName::as_str);
                settings.as_ref().and_then(|settings| group(settings, name)).cloned().map(Box::new)
            }
            _ => None,
        };
        self.see(daemon, &Fact::Event { event, known });
    }

    pub(super) fn observe_log(
        &mut self,
        daemon: DaemonId,
        level: Level,
        group: Option<GroupName>,
        text: &str,
    ) {
        self.trace.line(|| format!("d{daemon} {} {text}", level.name()));
        if let Some(group) = group
            && text.starts_with("Executing user requested FAILOVER")
        {
            self.see(daemon, &Fact::Forced { group: group.as_str().to_owned() });
        }
    }

    /// The group that the node at an address belongs to.
    fn group_at(&self, address: &str) -> Option<String> {
        debug_assert!(address.ends_with(&format!(":{NODE_PORT}")));
        let node = self.node_at(address)?;
        Some(self.plan.groups[self.plan.group_of(node)].name.clone())
    }
}

/// SENTINEL IS-MASTER-DOWN-BY-ADDR.
fn asks_for_opinion(args: &[Bytes]) -> bool {
    word(args, 0).eq_ignore_ascii_case("SENTINEL")
        && word(args, 1).eq_ignore_ascii_case("is-master-down-by-addr")
}
