//! The text of INFO: every line that Sentinel reads, among some that it must pass over.

use std::fmt::Write as _;

use super::*;

impl FakeRedis {
    pub(super) fn info(&self, now: Time) -> String {
        let mut text = String::with_capacity(600);
        let _ = write!(
            text,
            "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:{}\r\ntcp_port:{}\r\n",
            self.run_id, self.config.port
        );
        let _ = write!(
            text,
            "\r\n# Persistence\r\nloading:{}\r\n\r\n# Replication\r\n",
            u8::from(self.loading_until.is_some())
        );
        match &self.role {
            Role::Primary => text.push_str("role:master\r\n"),
            Role::Replica(f) => self.info_replica(f, now, &mut text),
        }
        let rows: Vec<_> = self.replicas().collect();
        let _ = write!(text, "connected_slaves:{}\r\n", rows.len());
        for (n, (ip, port, online)) in rows.into_iter().enumerate() {
            let state = if online { "online" } else { "send_bulk" };
            let offset = if online { self.offset } else { 0 };
            let _ = write!(text, "slave{n}:ip={ip},port={port},state={state},offset={offset},lag=0\r\n");
        }
        let (old, end) = match &self.old_history {
            Some((old, end)) => (old.as_str(), i128::from(*end)),
            None => ("0000000000000000000000000000000000000000", -1),
        };
        let _ = write!(
            text,
            "master_failover_state:no-failover\r\nmaster_replid:{}\r\nmaster_replid2:{old}\r\nmaster_repl_offset:{}\r\nsecond_repl_offset:{end}\r\n",
            self.history, self.offset
        );
        if self.config.tells_keys && !self.data.is_empty() && self.loading_until.is_none() {
            let _ = write!(text, "\r\n# Keyspace\r\ndb0:keys={},expires=0,avg_ttl=0\r\n", self.data.len());
        }
        text
    }

    fn info_replica(&self, f: &Following, now: Time, text: &mut String) {
        let up = f.link == Link::Up;
        let _ = write!(
            text,
            "role:slave\r\nmaster_host:{}\r\nmaster_port:{}\r\nmaster_link_status:{}\r\nmaster_last_io_seconds_ago:{}\r\nmaster_sync_in_progress:{}\r\nslave_read_repl_offset:{}\r\nslave_repl_offset:{}\r\n",
            f.host,
            f.port,
            if up { "up" } else { "down" },
            if up { i128::from(now.since(f.last_io).as_secs()) } else { -1 },
            u8::from(f.link == Link::Transfer),
            self.offset,
            self.offset,
        );
        if !up {
            let seconds = f.down_since.map_or(-1, |since| i128::from(now.since(since).as_secs()));
            let _ = write!(text, "master_link_down_since_seconds:{seconds}\r\n");
        }
        let _ = write!(
            text,
            "slave_priority:{}\r\nslave_read_only:1\r\nreplica_announced:1\r\n",
            self.config.priority
        );
    }
}
