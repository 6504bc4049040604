//! Asks every process how it is and keeps the scene up to date.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::conn::{Conn, field, info_line, words};
use super::fleet::{GROUP, Place};
use super::scene::{DaemonState, NodeState, Scene};
use crate::resp::Reply;

/// Between two questions to one process.
const EVERY: Duration = Duration::from_millis(150);
const LIMIT: Duration = Duration::from_millis(400);

/// Watch one data node for ever. `index` is its place in the scene.
pub(super) async fn node(place: Place, index: usize, scene: Rc<RefCell<Scene>>) {
    let mut conn = None;
    loop {
        let answer = asked(&mut conn, place.port, &["INFO", "replication"]).await;
        let heard = answer.ok().as_ref().and_then(Reply::text).and_then(node_state);
        note(&mut scene.borrow_mut().nodes[index], heard, NodeState::Starting, NodeState::Down);
        sleep(EVERY).await;
    }
}

/// Watch one daemon for ever. `index` is its place in the scene.
pub(super) async fn daemon(place: Place, index: usize, scene: Rc<RefCell<Scene>>) {
    let mut conn = None;
    loop {
        let heard = daemon_state(&mut conn, place.port).await.ok().flatten();
        note(&mut scene.borrow_mut().daemons[index], heard, DaemonState::Starting, DaemonState::Down);
        sleep(EVERY).await;
    }
}

/// Silence means down, unless the process has not been heard at all yet.
fn note<T: PartialEq>(state: &mut T, heard: Option<T>, starting: T, down: T) {
    match heard {
        Some(heard) => *state = heard,
        None if *state == starting => {}
        None => *state = down,
    }
}

/// Ask on a connection that is made when needed and given up after an error, for a late answer must not be taken for
/// that of the next question.
async fn asked(conn: &mut Option<Conn>, port: u16, question: &[&str]) -> io::Result<Reply> {
    let mut open = match conn.take() {
        Some(open) => open,
        None => Conn::open(port, LIMIT).await?,
    };
    let reply = open.ask(question).await?;
    *conn = Some(open);
    Ok(reply)
}

fn node_state(info: &str) -> Option<NodeState> {
    let number = |name| info_line(info, name).and_then(|value| value.parse().ok());
    match info_line(info, "role")? {
        "master" => Some(NodeState::Primary { offset: number("master_repl_offset").unwrap_or_default() }),
        "slave" => Some(NodeState::Replica {
            of: info_line(info, "master_port")?.parse().ok()?,
            linked: info_line(info, "master_link_status") == Some("up")
                && info_line(info, "master_sync_in_progress") != Some("1"),
            offset: number("slave_repl_offset").unwrap_or_default(),
        }),
        _ => None,
    }
}

async fn daemon_state(conn: &mut Option<Conn>, port: u16) -> io::Result<Option<DaemonState>> {
    let address = asked(conn, port, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", GROUP]).await?;
    let group = asked(conn, port, &["SENTINEL", "MASTER", GROUP]).await?;
    Ok(parse_daemon(&address, &group))
}

fn parse_daemon(address: &Reply, group: &Reply) -> Option<DaemonState> {
    let count = |name| field(group, name).and_then(|value| value.parse().ok());
    Some(DaemonState::Watching {
        primary: words(address).get(1)?.parse().ok()?,
        flags: field(group, "flags")?.to_owned(),
        replicas: count("num-slaves")?,
        peers: count("num-other-sentinels")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_roles() {
        let primary = "# Replication\r\nrole:master\r\nmaster_repl_offset:77\r\n";
        assert_eq!(node_state(primary), Some(NodeState::Primary { offset: 77 }));
        let replica = "role:slave\r\nmaster_port:7001\r\nmaster_link_status:up\r\n\
                       master_sync_in_progress:0\r\nslave_repl_offset:76\r\n";
        assert_eq!(node_state(replica), Some(NodeState::Replica { of: 7001, linked: true, offset: 76 }));
        let syncing = replica.replace("progress:0", "progress:1");
        assert!(matches!(node_state(&syncing), Some(NodeState::Replica { linked: false, .. })));
        assert_eq!(node_state("LOADING Redis is loading the dataset in memory"), None);
    }

    #[test]
    fn reads_what_a_daemon_knows() {
        let array =
            |words: &[&str]| Reply::Array(words.iter().map(|word| Reply::bulk((*word).to_owned())).collect());
        let group = array(&["flags", "master", "num-slaves", "2", "num-other-sentinels", "1"]);
        let expected =
            DaemonState::Watching { primary: 7001, flags: "master".to_owned(), replicas: 2, peers: 1 };
        assert_eq!(parse_daemon(&array(&["127.0.0.1", "7001"]), &group), Some(expected));
        assert_eq!(parse_daemon(&Reply::Nil, &group), None);
        assert_eq!(parse_daemon(&array(&["127.0.0.1", "7001"]), &Reply::err("ERR No such master")), None);
    }
}
