//! What nobody well-meaning says: every table has its bound, and the file can be read again.

use super::*;
use crate::core::hello::{MAX_DAEMONS, MAX_PEERS};
use crate::core::info::MAX_REPLICAS;

impl World {
    /// Hands in an INFO as the reply of whoever is asked next at a port.
    fn primary_says(&mut self, info: &str) {
        let conn = *self.conns.iter().find(|(_, (port, sub))| *port == PRIMARY && !*sub).unwrap().0;
        let group = *self.engine.groups.keys().next().unwrap();
        let link = self.engine.groups[&group].primary.link;
        let command = self.engine.shared.links.get_mut(link).unwrap().command.as_mut().unwrap();
        command.pending.push_front(Tag::Info(self.now));
        self.handle(Input::Frame { conn, reply: Reply::bulk(info.to_owned()) });
    }

    fn replicas(&self) -> Vec<HostPort> {
        self.engine.snapshot().groups[0].known_replicas.clone()
    }
}

#[test]
fn made_up_peers_are_bounded() {
    let mut world = World::new(settings());
    for number in 0..MAX_PEERS + 100 {
        let (port, id) = (1000 + number % 1000, format!("{number:040x}"));
        world.hear(&format!(
            "10.0.{}.{},{port},{id},0,mymaster,127.0.0.1,{PRIMARY},0",
            number / 200,
            number % 200
        ));
    }
    assert_eq!(world.engine.snapshot().groups[0].known_sentinels.len(), MAX_PEERS);
    world.hear(&format!("10.9.9.9,1,{},5,mymaster,127.0.0.1,{PRIMARY},0", id('f')));
    assert!(!world.saw("+new-epoch"));
    // Those that were known stay, and are heard.
    world.hear(&format!("127.0.0.1,{PEER_A},{},0,mymaster,127.0.0.1,{REPLICA_A},7", id('b')));
    assert!(world.saw("+switch-master"));
}

#[test]
fn made_up_daemons_are_bounded_over_all_groups() {
    let mut many = settings();
    let first = many.groups[0].clone();
    for number in 1..=MAX_DAEMONS / MAX_PEERS {
        many.groups.push(GroupSettings { name: format!("g{number}").into(), ..first.clone() });
    }
    let names: Vec<String> = many.groups.iter().map(|group| group.name.as_str().to_owned()).collect();
    let mut world = World::new(many);
    for (at, name) in names.iter().enumerate() {
        for number in 0..MAX_PEERS {
            let (id, host) = (format!("{at:020x}{number:020x}"), format!("10.{at}.0.{}", number % 256));
            world.hear(&format!("{host},1,{id},0,{name},127.0.0.1,{PRIMARY},0"));
        }
    }
    assert_eq!(world.engine.shared.peer_links.len(), MAX_DAEMONS);
    // One that is known already is taken in by another group, too.
    let known = format!("{:020x}{:020x}", 0, 1);
    let last = world.engine.groups.values().last().unwrap();
    assert!(last.peers.len() < MAX_PEERS);
    let name = last.name.clone();
    world.hear(&format!("10.0.0.1,1,{known},0,{name},127.0.0.1,{PRIMARY},0"));
    assert!(world.engine.groups.values().last().unwrap().peers.contains(&known));
}

#[test]
fn no_peer_points_to_an_address_that_nobody_can_have() {
    let mut world = World::new(settings());
    for primary in ["127.0.0.1,0", "0.0.0.0,6379", "::,6379", "224.0.0.1,6379", "nowhere,6379", ",6379"] {
        world.hear(&format!("127.0.0.1,{PEER_A},{},0,mymaster,{primary},7", id('b')));
    }
    let saved = &world.engine.snapshot().groups[0];
    assert_eq!((saved.primary.port, saved.config_epoch), (PRIMARY, 0));
}

#[test]
fn votes_are_given_to_ids_only() {
    let mut world = World::new(settings());
    let words = |candidate| ["sentinel", "is-master-down-by-addr", "127.0.0.1", "6379", "3", candidate];
    let long = "x".repeat(65);
    for candidate in ["", "a b", "a\nb", "\u{e9}", &long] {
        assert_eq!(world.ask(&words(candidate)), opinion(false, "*", 0), "{candidate:?}");
    }
    assert_eq!(world.ask(&words("x")), opinion(false, "x", 3));
}

#[test]
fn listed_replicas_are_bounded() {
    let mut world = World::new(settings());
    let mut info = "role:master\r\n".to_owned();
    for number in 0..2 * MAX_REPLICAS {
        info +=
            &format!("slave{number}:ip=10.1.{}.{},port=6379,state=online\r\n", number / 200, number % 200);
    }
    world.primary_says(&info);
    assert_eq!(world.replicas().len(), MAX_REPLICAS);
    // However many they are, the group is not looked at for each of their news.
    let group = *world.engine.groups.keys().next().unwrap();
    world.now = world.now + Duration::from_secs(1);
    world.handle(Input::Timer { heard: world.now });
    let before = world.engine.groups[&group].stepped_at;
    world.now = world.now + Duration::from_millis(1);
    world.hear(&format!("127.0.0.1,{PEER_A},{},0,mymaster,127.0.0.1,{PRIMARY},0", id('b')));
    assert_eq!(world.engine.groups[&group].stepped_at, before);
    world.run(1000);
    assert_ne!(world.engine.groups[&group].stepped_at, before);
}

#[test]
fn a_primary_that_lists_itself_is_no_replica_of_itself() {
    let mut world = World::new(settings());
    world.primary_says(&format!("role:master\r\nslave0:ip=127.0.0.1,port={PRIMARY},state=online\r\n"));
    assert_eq!(world.replicas().len(), 2);
    world.run(30_000);
    assert!(!world.saw("+convert-to-slave"), "{:?}", world.events);
}

#[test]
fn a_replicas_address_that_leads_to_the_primary_is_left_alone() {
    let mut world = World::new(settings());
    let same = world.fake(PRIMARY).run_id.clone();
    world.fake(REPLICA_A).follows = None;
    world.fake(REPLICA_A).run_id = same;
    world.run(60_000);
    assert!(!world.saw("+convert-to-slave"), "{:?}", world.events);
    // Another process there is put right.
    world.fake(REPLICA_A).run_id = id('d');
    world.run(60_000);
    assert!(world.saw("+convert-to-slave"), "{:?}", world.events);
}

#[test]
fn a_long_info_is_read_and_not_kept() {
    let mut world = World::new(settings());
    let info = format!("role:master\r\nslave0:ip=127.0.0.9,port=1,state=online\r\n#{}", "x".repeat(200_000));
    world.primary_says(&info);
    assert_eq!(world.replicas().len(), 3);
    let Reply::Array(rows) = world.ask(&["sentinel", "info-cache", "mymaster"]) else { panic!("no rows") };
    let Reply::Array(nodes) = &rows[1] else { panic!("no nodes") };
    assert_eq!(nodes[0].elements().unwrap()[1], Reply::Nil);
}

#[test]
fn two_names_of_one_replica_are_saved_as_one() {
    let mut named = settings();
    named.resolve_hostnames = true;
    let host = |host: &str| HostPort { host: host.to_owned(), port: REPLICA_A };
    named.groups[0].known_replicas = vec![host("one"), host("two")];
    let mut world = World::new(named);
    assert_eq!(world.replicas().len(), 2);
    for number in 1..=2 {
        let ip = Some([127, 0, 0, 1].into());
        world.handle(Input::Resolved { id: crate::core::ids::ResolveId(number), ip });
    }
    assert_eq!(world.replicas(), [host("127.0.0.1")]);
}

#[test]
fn a_name_is_not_saved_when_names_are_forbidden() {
    let mut named = settings();
    named.resolve_hostnames = true;
    named.groups[0].known_replicas.push(HostPort { host: "nowhere".to_owned(), port: 1 });
    named.groups[0].known_sentinels[0].addr.host = "nowhere".to_owned();
    let mut world = World::new(named);
    assert_eq!(world.replicas().len(), 3);
    assert_eq!(world.ask(&["sentinel", "config", "set", "resolve-hostnames", "no"]), Reply::OK);
    assert_eq!(world.replicas().len(), 2);
    assert_eq!(world.engine.snapshot().groups[0].known_sentinels.len(), 1);
}
