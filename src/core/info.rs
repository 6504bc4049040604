//! INFO of data nodes: text to facts, and what follows from them.

use bytes::Bytes;

use super::action::Level;
use super::address::Lookup;
use super::engine::address;
use super::group::{Group, State, Which};
use super::hello::is_run_id;
use super::instance::{Instance, Reconf, Role};
use super::quirks::Mistake;
use super::registry::Owners;
use super::shared::{Cx, Deferred};
use crate::resp::Reply;

/// Longest INFO that is looked at.
const MAX_INFO: usize = 1 << 20;
/// Longest INFO that is kept for SENTINEL INFO-CACHE.
const KEPT_INFO: usize = 1 << 17;
/// Most replicas of one group. Each costs two connections.
pub(crate) const MAX_REPLICAS: usize = 1000;

/// The lines that matter. Unknown lines are no error, missing ones leave the default.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts<'a> {
    pub(crate) run_id: Option<&'a str>,
    pub(crate) role: Option<Role>,
    pub(crate) replicas: Vec<(&'a str, u16)>,
    pub(crate) link_down_ms: u64,
    pub(crate) primary: Option<(&'a str, u16)>,
    pub(crate) link_up: Option<bool>,
    pub(crate) priority: Option<u32>,
    pub(crate) offset: Option<u64>,
    pub(crate) announced: Option<bool>,
}

impl<'a> Facts<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut facts = Self::default();
        let mut host = None;
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            match key {
                "run_id" => facts.run_id = Some(value).filter(|id| id.len() == 40 && is_run_id(id)),
                "role" => {
                    facts.role = match value {
                        "master" => Some(Role::Primary),
                        "slave" => Some(Role::Replica),
                        _ => None,
                    }
                }
                "master_link_down_since_seconds" => {
                    facts.link_down_ms =
                        value.parse::<i64>().map_or(0, |s| s.max(0).unsigned_abs().saturating_mul(1000));
                }
                "master_host" => host = Some(value),
                "master_port" => facts.primary = host.zip(value.parse().ok()),
                "master_link_status" => facts.link_up = Some(value == "up"),
                "slave_priority" => facts.priority = value.parse().ok(),
                "slave_repl_offset" => facts.offset = value.parse().ok(),
                "replica_announced" => facts.announced = Some(value != "0"),
                _ => facts.replicas.extend(replica(key, value)),
            }
        }
        facts
    }
}

/// `slave0:ip=1.2.3.4,port=6379,...`, or the form of old servers `slave0:1.2.3.4,6379,online`.
fn replica<'a>(key: &str, value: &'a str) -> Option<(&'a str, u16)> {
    let number = key.strip_prefix("slave")?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if value.starts_with("ip=") {
        let field = |name: &str| value.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        Some((field("ip")?, field("port")?.parse().ok()?))
    } else {
        let mut fields = value.split(',');
        Some((fields.next()?, fields.next()?.parse().ok()?))
    }
}

impl Group {
    /// The reply to INFO.
    pub(crate) fn informed(&mut self, which: &Which, reply: &Reply, cx: &mut Cx<'_>, owners: &mut Owners) {
        let configured = if *which == Which::Primary { Role::Primary } else { Role::Replica };
        let Some(data) = self.get_mut(which).and_then(Instance::data_mut) else { return };
        data.info_pending = data.info_pending.saturating_sub(1);
        let Reply::Bulk(bytes) = reply else { return };
        if bytes.len() > MAX_INFO {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let facts = Facts::parse(&text);
        data.info_at = Some(cx.now);
        // A copy: the bytes received lie in a larger buffer.
        data.info_text = (bytes.len() <= KEPT_INFO).then(|| Bytes::copy_from_slice(bytes));
        if let Some(role) = facts.role
            && role == Role::Replica
        {
            let primary = facts.primary.map(|(host, port)| (host.to_owned(), port));
            if let Some((host, port)) = primary
                && (data.primary_host.as_deref() != Some(&host) || data.primary_port != port)
            {
                data.primary_host = Some(host);
                data.primary_port = port;
                data.primary_changed_at = cx.now;
            }
            data.link_up = facts.link_up.unwrap_or(false);
            data.priority = facts.priority.unwrap_or(data.priority);
            data.offset = facts.offset.unwrap_or(data.offset);
            data.announced = facts.announced.unwrap_or(data.announced);
        }
        data.link_down_ms = facts.link_down_ms;
        let role_changed = facts.role.filter(|role| *role != data.role);
        if let Some(role) = role_changed {
            data.role = role;
            data.role_at = cx.now;
            if role == Role::Replica {
                data.primary_changed_at = cx.now;
            }
        }
        self.reported(which, cx);
        self.recognise(which, &facts, cx);
        if *which == Which::Primary && self.blind_until.is_none_or(|until| cx.now >= until) {
            self.discover(&facts, cx, owners);
        }
        if let Some(role) = role_changed {
            let name = if role == configured { "+role-change" } else { "-role-change" };
            cx.event(Level::Verbose, name, self, which, &format!(" new reported role is {}", role.word()));
        }
        if !cx.shared.tilt.active()
            && !self.is_adopting(cx)
            && let (Which::Replica(name), Some(role)) = (which, facts.role)
        {
            match role {
                Role::Primary => self.replica_says_primary(name, cx),
                Role::Replica => self.replica_says_replica(name, cx),
            }
        }
    }

    /// The run id: a new one is another process.
    fn recognise(&mut self, which: &Which, facts: &Facts<'_>, cx: &mut Cx<'_>) {
        let Some(run_id) = facts.run_id else { return };
        let watch_reboots = *which == Which::Primary && !self.options.reboot_down_after.is_zero();
        let Some(instance) = self.get_mut(which) else { return };
        if instance.run_id == run_id {
            return;
        }
        let rebooted = !instance.run_id.is_empty();
        run_id.clone_into(&mut instance.run_id);
        if rebooted {
            if watch_reboots && let Some(data) = instance.data_mut() {
                data.rebooted_at = Some(cx.now);
            }
            cx.event(Level::Notice, "+reboot", self, which, "");
        }
    }

    /// Replicas that the primary lists.
    fn discover(&mut self, facts: &Facts<'_>, cx: &mut Cx<'_>, owners: &mut Owners) {
        for (host, port) in &facts.replicas {
            if self.replicas.len() >= MAX_REPLICAS {
                return;
            }
            match cx.lookup(host) {
                Lookup::Ip(_) | Lookup::Failed => {}
                // Looked at again with the next INFO, which the answer brings about.
                Lookup::Asking | Lookup::Disabled => continue,
            }
            let at = address(host, *port, &cx.shared.names);
            if let Some(key) = self.add_replica(at, cx, owners) {
                cx.save();
                cx.event(Level::Notice, "+slave", self, &Which::Replica(key), "");
            }
        }
    }

    /// "Sane" in Sentinel's words: there is a primary to follow.
    fn primary_is_sane(&self, cx: &Cx<'_>) -> bool {
        let fresh = cx.shared.params.info_period() * 2;
        !self.primary.is_down()
            && self.odown_since.is_none()
            && self.primary.data().is_some_and(|data| {
                data.role == Role::Primary && data.info_at.is_some_and(|at| cx.now.since(at) < fresh)
            })
    }

    fn replica_says_primary(&mut self, name: &str, cx: &mut Cx<'_>) {
        if self.promoted() == Some(name) {
            let Some(failover) = &mut self.failover else { return };
            if failover.state == State::WaitPromotion && failover.committing.is_none() {
                let epoch = failover.epoch;
                let save = cx.save();
                failover.committing = Some(save);
                if cx.shared.quirks.makes(Mistake::CommitBeforeSave) {
                    self.committed(epoch, cx);
                } else {
                    cx.after(save, Deferred::Commit { group: self.id, epoch });
                }
            }
            return;
        }
        let hasty = cx.shared.quirks.makes(Mistake::DemoteOnOldKnowledge);
        let wait = if hasty { std::time::Duration::ZERO } else { cx.shared.params.publish_period() * 4 };
        let Some(replica) = self.replicas.get(name) else { return };
        // The primary by another address (a replica behind a NAT may be listed by one that leads back to it).
        if !replica.run_id.is_empty() && replica.run_id == self.primary.run_id {
            return;
        }
        let long_enough = replica.data().is_some_and(|data| cx.now.since(data.role_at) > wait);
        if self.failover.is_none()
            && long_enough
            && self.no_attempt_for(wait, cx)
            && replica.quiet_for(wait, cx.now)
            && self.primary_is_sane(cx)
        {
            self.repoint(name, "+convert-to-slave", cx);
        }
    }

    fn replica_says_replica(&mut self, name: &str, cx: &mut Cx<'_>) {
        let target = self.current().address.clone();
        let Some(data) = self.replicas.get(name).and_then(Instance::data) else { return };
        let host = data.primary_host.as_deref().unwrap_or_default();
        let follows = |address| cx.shared.names.equals(address, host, data.primary_port);
        let (reconf, link_up, changed_at) = (data.reconf, data.link_up, data.primary_changed_at);
        let (follows_target, follows_primary) = (follows(&target), follows(&self.primary.address));
        match reconf {
            Reconf::Sent(_) if follows_target => self.reconfigured(name, Reconf::InProgress, link_up, cx),
            Reconf::InProgress if link_up => self.reconfigured(name, Reconf::Done, link_up, cx),
            Reconf::Sent(_) | Reconf::InProgress => {}
            Reconf::None | Reconf::Done => {
                let wait = self.options.failover_timeout;
                let quiet = self.replicas.get(name).is_some_and(|replica| replica.quiet_for(wait, cx.now));
                if !follows_primary
                    && self.failover.is_none()
                    && quiet
                    && cx.now.since(changed_at) > wait
                    && self.no_attempt_for(wait, cx)
                    && self.primary_is_sane(cx)
                {
                    self.repoint(name, "+fix-slave-config", cx);
                }
            }
        }
    }

    fn reconfigured(&mut self, name: &str, to: Reconf, link_up: bool, cx: &mut Cx<'_>) {
        let which = Which::Replica(name.to_owned());
        if let Some(data) = self.get_mut(&which).and_then(Instance::data_mut) {
            data.reconf = to;
        }
        let event = if to == Reconf::InProgress { "+slave-reconf-inprog" } else { "+slave-reconf-done" };
        cx.event(Level::Notice, event, self, &which, "");
        if to == Reconf::InProgress && link_up {
            self.reconfigured(name, Reconf::Done, link_up, cx);
        }
    }

    /// Makes a stray instance a replica of the configured primary.
    fn repoint(&mut self, name: &str, event: &'static str, cx: &mut Cx<'_>) {
        let which = Which::Replica(name.to_owned());
        let target = self.primary.address.clone();
        if self.reconfigure(&which, Some(&target), cx) {
            // What it says from here on is news: a role that it is given later counts from then.
            if let Some(data) = self.get_mut(&which).and_then(Instance::data_mut) {
                data.role_at = cx.now;
                data.primary_changed_at = cx.now;
            }
            cx.event(Level::Notice, event, self, &which, "");
            // Seen at once that it obeyed, a promotion that follows soon is not taken for the old stray role.
            self.ask_info(&which, cx);
        }
    }

    /// No failover of the group was begun here, nor voted for, within `period`: one that runs elsewhere gives roles
    /// that this daemon doesn't know of yet.
    fn no_attempt_for(&self, period: std::time::Duration, cx: &Cx<'_>) -> bool {
        self.attempt_at.is_none_or(|at| cx.now > at + period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_lists_its_replicas() {
        let id = "a".repeat(40);
        let text = format!(
            "# Server\r\nrun_id:{id}\r\nslave_nonsense:1\r\nrole:master\r\n\
             slave0:ip=10.0.0.1,port=6380,state=online\r\nslave1:10.0.0.2,6381,online\r\nslave2:ip=x\r\n"
        );
        let facts = Facts::parse(&text);
        assert_eq!(facts.run_id, Some(id.as_str()));
        assert_eq!(facts.role, Some(Role::Primary));
        assert_eq!(facts.replicas, [("10.0.0.1", 6380), ("10.0.0.2", 6381)]);
    }

    #[test]
    fn a_replica_tells_whom_it_follows() {
        let facts = Facts::parse(
            "role:slave\r\nmaster_host:::1\r\nmaster_port:6379\r\nmaster_link_status:down\r\n\
             master_link_down_since_seconds:-1\r\nslave_priority:7\r\nslave_repl_offset:99\r\nreplica_announced:0\r\n",
        );
        assert_eq!(facts.primary, Some(("::1", 6379)));
        assert_eq!((facts.link_up, facts.link_down_ms), (Some(false), 0));
        assert_eq!((facts.priority, facts.offset, facts.announced), (Some(7), Some(99), Some(false)));
    }
}
