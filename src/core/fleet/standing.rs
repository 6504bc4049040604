//! What a data node says of itself in INFO, as a claim wants to know it.

use super::scope::literal;
use crate::core::address::Address;
use crate::core::claim::{Role, Standing};
use crate::core::ids::RunId;
use crate::core::info::MAX_INFO;

/// The history of nobody, as Redis shows it.
const NO_HISTORY: &str = "0000000000000000000000000000000000000000";

/// Nothing unless it names its run and its role.
pub(crate) fn parse(text: &str) -> Option<Standing> {
    if text.len() > MAX_INFO {
        return None;
    }
    let (mut host, mut port, mut role) = ("", 0, None);
    let (mut sent, mut taken_in, mut syncing, mut loading) = (0, None, false, false);
    let mut standing = Standing {
        run_id: RunId::from(""),
        role: Role::Primary,
        replication_id: String::new(),
        earlier_id: String::new(),
        offset: 0,
        busy: false,
        linked: false,
        priority: 100,
        empty: true,
    };
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key {
            "run_id" => standing.run_id = RunId::from(value),
            "role" => role = Some(value),
            "master_host" => host = value,
            "master_port" => port = value.parse().unwrap_or(0),
            "master_link_status" => standing.linked = value == "up",
            "master_sync_in_progress" => syncing = value != "0",
            "slave_priority" => standing.priority = value.parse().unwrap_or(100),
            "slave_repl_offset" => taken_in = value.parse().ok(),
            "master_repl_offset" => sent = value.parse().unwrap_or(0),
            "master_replid" => value.clone_into(&mut standing.replication_id),
            "master_replid2" if value != NO_HISTORY => value.clone_into(&mut standing.earlier_id),
            "loading" | "async_loading" => loading |= value != "0",
            _ => standing.empty &= !is_database(key, value),
        }
    }
    standing.busy = syncing || loading;
    // What its file holds shows up in its databases only as it is read.
    standing.empty &= !loading;
    standing.offset = taken_in.unwrap_or(sent);
    standing.role = match role? {
        "master" => Role::Primary,
        "slave" => Role::Replica { of: address(host, port) },
        _ => return None,
    };
    (!standing.run_id.as_str().is_empty()).then_some(standing)
}

/// Whether a host and a port that a data node named are that address.
pub(crate) fn is_at(host: &str, port: u16, at: &Address) -> bool {
    match host.parse() {
        Ok(ip) => at.ip == Some(ip) && at.port == port,
        Err(_) => address(host, port) == at.shown_with_port(false),
    }
}

/// `host:port` in the one form that is compared.
pub(crate) fn address(host: &str, port: u16) -> String {
    host.parse().map_or_else(|_| format!("{host}:{port}"), |ip| literal(ip, port).shown_with_port(false))
}

/// A line of a database that holds keys.
fn is_database(key: &str, value: &str) -> bool {
    key.strip_prefix("db").is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
        && value.strip_prefix("keys=").is_some_and(|keys| !keys.starts_with("0,"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_stands_where_it_is() {
        let standing = parse(
            "# Server\r\nrun_id:r1\r\nloading:0\r\nrole:slave\r\nmaster_host:::1\r\nmaster_port:6379\r\nmaster_link_status:down\r\n\
             master_sync_in_progress:1\r\nslave_repl_offset:69\r\nslave_priority:10\r\nmaster_replid:abc\r\n\
             master_replid2:0000000000000000000000000000000000000000\r\nmaster_repl_offset:70\r\ndb0:keys=1,expires=0\r\n",
        )
        .unwrap();
        assert_eq!(standing.role, Role::Replica { of: "[::1]:6379".to_owned() });
        assert_eq!((standing.offset, standing.priority), (69, 10));
        assert!(standing.busy && !standing.linked && !standing.empty);
        assert_eq!((standing.replication_id.as_str(), standing.earlier_id.as_str()), ("abc", ""));
    }

    #[test]
    fn who_has_no_keys_is_empty() {
        let standing =
            parse("run_id:r1\r\nrole:master\r\nmaster_repl_offset:7\r\ndb0:keys=0,expires=0\r\n").unwrap();
        assert!(standing.empty);
        assert_eq!((standing.role, standing.offset), (Role::Primary, 7));
        let loads = parse("run_id:r1\r\nloading:1\r\nrole:master\r\nmaster_repl_offset:0\r\n").unwrap();
        assert!(loads.busy && !loads.empty, "nobody knows what it will hold");
        assert_eq!(parse("role:master\r\n"), None);
        assert_eq!(parse("run_id:r1\r\n"), None);
    }
}
