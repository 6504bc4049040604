//! `fast-down-after-milliseconds`: a primary whose process ended is replaced before down-after, which is here longer than
//! any test waits; one that only can't be reached is not.

use std::time::Duration;

use crate::support::group::NAME;
use crate::support::node::NodeSpec;
use crate::support::poll::holds_for;
use crate::support::{Client, Group, Node, Port, PortMap, Program, Sentinel, Spec, Writer, eventually};

/// Longer than any of these tests waits for anything.
const NEVER: Duration = Duration::from_secs(600);

fn spec() -> Spec {
    Spec {
        head: vec![format!("vedette fast-down-after-milliseconds {NAME} 100")],
        down_after: NEVER,
        failover_timeout: Duration::from_secs(10),
        ..Spec::default()
    }
}

#[test]
fn a_dead_primary_is_replaced_long_before_down_after() {
    let mut group = spec().start();
    let writer = Writer::start(&group);
    writer.goes_on();
    let old = group.primary_port();
    group.node(old).kill();
    let new = group.switched_from(old);
    writer.goes_on();
    group.node(old).restart();
    group.all_follow(new);
    group.settled();
}

/// The primary lives, and so do its replicas' links, but the daemons reach it by a mapping that is gone: each of them is
/// refused. Its replicas are what the daemons believe.
#[test]
fn a_primary_that_refuses_only_the_daemons_stays() {
    let inside = Port::reserve();
    let map = PortMap::new("127.0.0.1", inside.number());
    let announced =
        vec!["replica-announce-ip 127.0.0.1".to_owned(), format!("replica-announce-port {}", map.port())];
    let primary = Node::start_at(&NodeSpec { lines: announced, ..NodeSpec::default() }, inside);
    let (shown, port) = (map.port(), primary.port());
    let mut nodes = vec![primary];
    for _ in 0..2 {
        let lines = vec![format!("replicaof 127.0.0.1 {shown}")];
        nodes.push(Node::start(&NodeSpec { lines, ..NodeSpec::default() }));
    }
    for node in &nodes[1..] {
        eventually("the replica's link is up", || node.follows(shown));
    }
    let spec = spec();
    let sentinels = spec.programs.iter().map(|program| Sentinel::start(&spec.sentinel(program, shown)));
    let group = Group { sentinels: sentinels.collect(), nodes, spec };
    group.settled();

    // New connections are refused from here on; what stands stays. Then the daemons' own are cut at the primary.
    map.close();
    let mut client = Client::connect("127.0.0.1", port).unwrap();
    for kind in ["normal", "pubsub"] {
        client.call(&["CLIENT", "KILL", "TYPE", kind]);
    }
    for sentinel in group.running() {
        eventually("the daemon is refused", || sentinel.master_field(NAME, "flags").contains("disconnected"));
    }
    holds_for(Duration::from_secs(3), "nobody calls it down", || {
        group.running().all(|sentinel| !sentinel.log().contains("+sdown master"))
    });
    assert!(group.nodes[1..].iter().all(|node| node.follows(shown)));
}

/// The genuine ones wait for their own down-after: the daemons with the line are the quorum, and lead.
#[test]
fn two_daemons_of_three_with_the_line_are_enough() {
    let subject = Program::subject();
    let mut group = Spec { programs: vec![subject.clone(), subject], ..spec() }.start();
    let plain = Spec { programs: vec![Program::genuine()], head: Vec::new(), ..spec() };
    let primary = group.primary_port();
    group.sentinels.push(Sentinel::start(&plain.sentinel(&Program::genuine(), primary)));
    group.settled();
    group.node(primary).kill();
    let new = group.switched_from(primary);
    group.all_follow(new);
    assert!(!group.sentinels[2].log().contains("+sdown master"));
}
