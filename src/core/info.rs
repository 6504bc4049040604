//! INFO of data nodes: text to facts, and what follows from them.

use bytes::Bytes;

use super::action::Level;
use super::address::Lookup;
use super::engine::address;
use super::group::{Group, Which};
use super::hello::is_run_id;
use super::history::{History, ReplId, repl_id};
use super::instance::{Instance, Role};
use super::registry::Owners;
use super::role::Said;
use super::shared::Cx;
use super::time::Time;
use crate::resp::Reply;

/// Longest INFO that is looked at.
pub(crate) const MAX_INFO: usize = 1 << 20;
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
    pub(crate) loading: bool,
    /// Whole seconds since it heard from its primary.
    silence: Option<u64>,
    history: Option<ReplId>,
    previous_history: Option<ReplId>,
    own_offset: u64,
    keys: u64,
    persistent: bool,
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
                "master_last_io_seconds_ago" => facts.silence = value.parse().ok(),
                "loading" => facts.loading = value != "0",
                "master_replid" => facts.history = repl_id(value),
                "master_replid2" => facts.previous_history = repl_id(value),
                "master_repl_offset" => facts.own_offset = value.parse().unwrap_or(0),
                "aof_enabled" | "rdb_last_load_keys_loaded" => facts.persistent |= value != "0",
                _ => {
                    facts.replicas.extend(replica(key, value));
                    facts.keys = facts.keys.saturating_add(keys(key, value).unwrap_or(0));
                }
            }
        }
        facts
    }

    fn history(&self) -> Option<History> {
        Some(History {
            id: self.history?,
            previous: self.previous_history,
            offset: self.offset.unwrap_or(self.own_offset),
            keys: self.keys,
            persistent: self.persistent,
        })
    }

    fn said(&self) -> Option<Said<'a>> {
        Some(Said { role: self.role?, primary: self.primary, link_up: self.link_up.unwrap_or(false) })
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

/// The number of keys of a database, `db0:keys=5,expires=0`.
fn keys(key: &str, value: &str) -> Option<u64> {
    key.strip_prefix("db")?.parse::<u32>().ok()?;
    value.strip_prefix("keys=")?.split(',').next()?.parse().ok()
}

impl Group {
    /// The reply to INFO.
    pub(crate) fn informed(
        &mut self,
        which: &Which,
        asked_at: Time,
        reply: &Reply,
        cx: &mut Cx<'_>,
        owners: &mut Owners,
    ) {
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
        data.loading = facts.loading;
        let history = facts.history();
        // A primary that writes another history than before was made one anew, behind a cut.
        let anew = data.history.zip(history).is_some_and(|(before, now)| before.id != now.id);
        if anew && facts.role == Some(Role::Primary) {
            data.role_at = cx.now;
        }
        data.history = history;
        if facts.role == Some(Role::Replica) {
            data.priority = facts.priority.unwrap_or(data.priority);
            data.offset = facts.offset.unwrap_or(data.offset);
            data.announced = facts.announced.unwrap_or(data.announced);
        }
        data.link_down_ms = facts.link_down_ms;
        // Seconds are cut off there: it may be nearly one more.
        data.heard_primary_at = facts.silence.map(|seconds| {
            let ago = seconds.saturating_add(1).saturating_mul(1_000_000);
            Time::from_micros(cx.now.as_micros().saturating_sub(ago))
        });
        let said = facts.said();
        let changed = said.as_ref().is_some_and(|said| self.note_role(which, asked_at, said, cx));
        self.reported(which, cx);
        self.recognise(which, &facts, cx);
        if *which == Which::Primary
            && self.seat.is_none()
            && self.blind_until.is_none_or(|until| cx.now >= until)
        {
            self.discover(&facts, cx, owners);
        }
        if let Some(said) = said {
            self.heed_role(which, said.role, changed, cx);
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
            if let Some(data) = instance.data_mut() {
                data.reborn = true;
                data.rebooted_at = watch_reboots.then_some(cx.now).or(data.rebooted_at);
            }
            cx.event(Level::Notice, "+reboot", self, which, "");
            if watch_reboots {
                // What they hold tells whether the primary has lost it.
                self.ask_replicas_info(cx);
                // The PONG that may clear it, in time.
                let link = self.primary.link;
                self.ping(link, cx);
            }
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
            if let Some(key) = self.add_replica(&at, cx, owners) {
                cx.save();
                cx.event(Level::Notice, "+slave", self, &Which::Replica(key), "");
            }
        }
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
