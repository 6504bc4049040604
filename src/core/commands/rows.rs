//! The instance replies: maps of bulk strings, whose order is an interface.

use crate::core::engine::Engine;
use crate::core::group::Group;
use crate::core::instance::{DataNode, Instance, Kind, Peer};
use crate::core::time::Time;
use crate::resp::Reply;

/// A reply under construction.
struct Row(Vec<(Reply, Reply)>);

impl Row {
    fn text(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((Reply::bulk(name), Reply::bulk(value.into())));
    }

    fn number(&mut self, name: &'static str, value: impl std::fmt::Display) {
        self.0.push((Reply::bulk(name), Reply::number(value)));
    }
}

impl Engine {
    /// One instance of a group.
    pub(super) fn row(&self, group: &Group, instance: &Instance, now: Time) -> Reply {
        let mut row = Row(Vec::with_capacity(25));
        row.text("name", instance.name.as_str());
        row.text("ip", instance.address.shown(self.shared.announce_hostnames));
        row.number("port", instance.address.port);
        row.text("runid", instance.run_id.as_str());
        if let Some(link) = self.shared.links.get(instance.link) {
            row.text("flags", group.flags(instance, link.disconnected()));
            row.number("link-pending-commands", link.pending());
            row.number("link-refcount", link.users);
            if let (Kind::Primary, Some(failover)) = (instance.kind, &group.failover) {
                row.text("failover-state", failover.state.word());
            }
            row.number("last-ping-sent", instance.owed_ms(link, now));
            row.number("last-ok-ping-reply", now.millis_since(link.ok_at));
            row.number("last-ping-reply", now.millis_since(link.pong_at));
        }
        if let Some(since) = instance.down_since {
            row.number("s-down-time", now.millis_since(since));
        }
        if let (Kind::Primary, Some(since)) = (instance.kind, group.odown_since) {
            row.number("o-down-time", now.millis_since(since));
        }
        row.number("down-after-milliseconds", group.options.down_after.as_millis());
        if let Some(data) = instance.data() {
            row.number("info-refresh", data.info_at.map_or(0, |at| now.millis_since(at)));
            row.text("role-reported", data.role.word());
            row.number("role-reported-time", now.millis_since(data.role_at));
            match instance.kind {
                Kind::Primary => primary(&mut row, group),
                Kind::Replica | Kind::Peer => replica(&mut row, data),
            }
        }
        if let Some(known) = instance.peer() {
            peer(&mut row, known, now);
        }
        Reply::Map(row.0)
    }
}

fn primary(row: &mut Row, group: &Group) {
    let options = &group.options;
    row.number("config-epoch", group.config_epoch);
    row.number("num-slaves", group.replicas.len());
    row.number("num-other-sentinels", group.peers.len());
    row.number("quorum", options.quorum);
    row.number("failover-timeout", options.failover_timeout.as_millis());
    row.number("parallel-syncs", options.parallel_syncs);
    if let Some(script) = &options.notification_script {
        row.text("notification-script", script.as_str());
    }
    if let Some(script) = &options.client_reconfig_script {
        row.text("client-reconfig-script", script.as_str());
    }
}

fn replica(row: &mut Row, data: &DataNode) {
    row.number("master-link-down-time", data.link_down_ms);
    row.text("master-link-status", if data.link_up { "ok" } else { "err" });
    row.text("master-host", data.primary_host.as_deref().unwrap_or("?"));
    row.number("master-port", data.primary_port);
    row.number("slave-priority", data.priority);
    row.number("slave-repl-offset", data.offset);
    row.number("replica-announced", u8::from(data.announced));
}

fn peer(row: &mut Row, peer: &Peer, now: Time) {
    row.number("last-hello-message", now.millis_since(peer.hello_at));
    row.text("voted-leader", peer.ballot.leader.as_deref().unwrap_or("?"));
    row.number("voted-leader-epoch", peer.ballot.epoch);
}
