//! Host names, IPv6, and addresses that differ inside and outside.

use std::collections::BTreeSet;

use crate::support::group::NAME;
use crate::support::node::NodeSpec;
use crate::support::{Group, Node, Port, PortMap, Sentinel, Spec, eventually};

fn names() -> Spec {
    Spec {
        host: "localhost".to_owned(),
        head: vec!["sentinel resolve-hostnames yes".to_owned(), "sentinel announce-hostnames yes".to_owned()],
        node_lines: vec!["replica-announce-ip localhost".to_owned()],
        ..Spec::default()
    }
}

#[test]
fn a_group_known_by_host_names() {
    let mut group = names().start();
    for sentinel in &group.sentinels {
        assert_eq!(sentinel.address(NAME).unwrap().0, "localhost");
        for row in sentinel.rows("REPLICAS", NAME) {
            assert_eq!(row["ip"], "localhost");
            assert_eq!(row["name"], format!("localhost:{}", row["port"]));
            assert_eq!(row["master-host"], "localhost");
        }
    }
    group.fails_over();
    for sentinel in &group.sentinels {
        assert_eq!(sentinel.address(NAME).unwrap().0, "localhost");
        assert!(sentinel.conf_text().contains("monitor mymaster localhost "), "{}", sentinel.conf_text());
    }
    // Names are only announced: without that, the same instances show as addresses.
    for sentinel in &group.sentinels {
        sentinel.ok(&["SENTINEL", "CONFIG", "SET", "announce-hostnames", "no"]);
        assert_eq!(sentinel.address(NAME).unwrap().0, "127.0.0.1");
        let addresses: BTreeSet<String> =
            sentinel.rows("REPLICAS", NAME).iter().map(|row| row["ip"].clone()).collect();
        assert_eq!(addresses, BTreeSet::from(["127.0.0.1".to_owned()]));
    }
}

#[test]
fn a_name_is_refused_unless_names_are_resolved() {
    let group =
        Spec { programs: Spec::default().programs[..1].to_vec(), quorum: 1, ..Spec::default() }.start();
    let sentinel = &group.sentinels[0];
    let port = group.nodes[0].port().to_string();
    let words = ["SENTINEL", "MONITOR", "named", "localhost", &port, "1"];
    assert_eq!(sentinel.call(&words).text(), "ERR Invalid IP address or hostname specified");
    sentinel.ok(&["SENTINEL", "CONFIG", "SET", "resolve-hostnames", "yes"]);
    sentinel.ok(&words);
    eventually("the named group is well", || {
        sentinel.master_field("named", "flags") == "master"
            && sentinel.master_field("named", "num-slaves") == "2"
    });
    let unknown = ["SENTINEL", "MONITOR", "unknown", "no-such-host.invalid", &port, "1"];
    assert_eq!(sentinel.call(&unknown).text(), "ERR Invalid IP address or hostname specified");
}

#[test]
fn a_group_on_ipv6() {
    let mut group = Spec { host: "::1".to_owned(), ..Spec::default() }.start();
    for sentinel in &group.sentinels {
        assert_eq!(sentinel.address(NAME).unwrap().0, "::1");
        for row in sentinel.rows("REPLICAS", NAME) {
            assert_eq!(row["ip"], "::1");
            assert_eq!(row["name"], format!("[::1]:{}", row["port"]));
        }
    }
    group.fails_over();
    group.sentinels[0].kill();
    group.sentinels[0].restart();
    group.settled();
}

/// The announcing lines of a sample in config/, with this address and port.
fn announced(sample: &str, ip: &str, port: u16) -> Vec<String> {
    let text = std::fs::read_to_string(format!("{}/config/{sample}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let sets = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    let lines: Vec<String> = sets
        .filter_map(|(name, _)| match name.rsplit_once("announce-")?.1 {
            "ip" => Some(format!("{name} {ip}")),
            "port" => Some(format!("{name} {port}")),
            _ => None,
        })
        .collect();
    assert_eq!(lines.len(), 2, "{sample}: {lines:?}");
    lines
}

/// Every process is reached only through a port mapping, as behind NAT or Docker's published ports.
#[test]
fn announced_addresses_behind_a_port_mapping() {
    const OUTSIDE: &str = "127.0.0.2";
    // Inside ports and the mapping to them.
    let mut inside: Vec<Port> = (0..6).map(|_| Port::reserve()).collect();
    let maps: Vec<PortMap> = inside.iter().map(|port| PortMap::new(OUTSIDE, port.number())).collect();
    let spec = Spec { host: OUTSIDE.to_owned(), ..Spec::default() };
    let mut nodes = Vec::new();
    for (index, port) in inside.drain(..3).enumerate() {
        let mut lines = announced("nat-node.conf", OUTSIDE, maps[index].port());
        if index > 0 {
            lines.push(format!("replicaof {OUTSIDE} {}", maps[0].port()));
        }
        nodes.push(Node::start_at(&NodeSpec { lines, ..NodeSpec::default() }, port));
    }
    let mut sentinels = Vec::new();
    for (index, port) in inside.into_iter().enumerate() {
        let mut sentinel_spec = spec.sentinel(&spec.programs[index], maps[0].port());
        sentinel_spec.host = "127.0.0.1".to_owned();
        sentinel_spec.lines.extend(announced("nat-sentinel.conf", OUTSIDE, maps[3 + index].port()));
        let mut sentinel = Sentinel::prepare_at(&sentinel_spec, port);
        sentinel.restart();
        sentinels.push(sentinel);
    }
    let mut group = Group { sentinels, nodes, spec };
    group.settled();
    let outside: BTreeSet<String> = maps.iter().map(|map| map.port().to_string()).collect();
    for sentinel in &group.sentinels {
        for row in sentinel.rows("SENTINELS", NAME).iter().chain(&sentinel.rows("REPLICAS", NAME)) {
            assert_eq!(row["ip"], OUTSIDE);
            assert!(outside.contains(&row["port"]), "an inside port is shown: {row:?}");
        }
    }
    group.nodes[0].kill();
    let old = maps[0].port();
    let new = group.switched_from(old);
    let promoted =
        maps.iter().position(|map| map.port() == new).expect("the new primary is named by its mapping");
    assert_eq!(group.nodes[promoted].info("role"), "master");
    let other = 3 - promoted;
    eventually("the other replica follows by the mapping", || group.nodes[other].follows(new));
    assert_eq!(group.nodes[other].info("master_host"), OUTSIDE);
    group.nodes[0].restart();
    eventually("the old primary follows by the mapping", || group.nodes[0].follows(new));
}
