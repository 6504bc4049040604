//! Whose data are kept, and whose are replaced.

use std::time::Duration;

use super::tests_world::{NOWHERE, World, config, instance, standing};
use super::{Claimant, Fact, Listed, Role, Standing};
use crate::core::ids::PodUid;
use crate::core::time::Time;

impl World {
    /// Time passes, step by step.
    fn pass(&mut self, member: &mut Claimant, period: Duration) {
        let end = self.now + period;
        while self.now < end {
            self.now = self.now + Duration::from_millis(50);
            self.tell(member, Fact::Tick);
        }
    }

    /// A member that has waited for the time of a claim, without seeing a Lease.
    fn member_without_lease(&mut self) -> Claimant {
        self.lease = None;
        let mut member = Claimant::new(config("m"));
        let listed = self.listed();
        self.tell(&mut member, listed);
        self.tell(&mut member, Fact::Seen(None));
        self.now = Time::from_millis(5001);
        self.tell(&mut member, Fact::Tick);
        member
    }

    fn told(&self, line: &str) -> bool {
        self.log.iter().any(|known| known.starts_with(line))
    }
}

#[test]
fn a_node_that_loads_is_not_made_to_follow_an_empty_one() {
    let mut world = World::new();
    world.nodes.remove(&PodUid::from("c"));
    let mut a = standing("a1", Some(NOWHERE), 0);
    (a.empty, a.replication_id) = (true, "x".to_owned());
    // It has just begun to load its file.
    let mut b = standing("b1", Some(NOWHERE), 0);
    (b.busy, b.empty) = (true, true);
    world.nodes.insert(PodUid::from("a"), a);
    world.nodes.insert(PodUid::from("b"), b);
    let mut member = world.member_without_lease();
    world.pass(&mut member, Duration::from_secs(2));
    assert!(member.claimed().is_some());
    assert!(!world.told("a Promote") && !world.told("b Follow"), "{:?}", world.log);
}

#[test]
fn what_holds_data_beside_an_empty_primary_is_spared_and_told_of() {
    let mut world = World::new();
    world.nodes.get_mut(&PodUid::from("a")).unwrap().empty = true;
    world.nodes.get_mut(&PodUid::from("b")).unwrap().empty = true;
    // It was away while the others were emptied; or it still loads.
    let c = Standing { role: Role::Replica { of: NOWHERE.to_owned() }, ..standing("c2", None, 5) };
    for busy in [true, false] {
        world.nodes.insert(PodUid::from("c"), Standing { busy, ..c.clone() });
        let mut member = world.member("m");
        world.tell(&mut member, Fact::Wrong(true));
        world.pass(&mut member, Duration::from_secs(2));
        assert_eq!(world.told("c is spared"), !busy, "{:?}", world.log);
        assert!(!world.told("c Follow") && world.lease().holder.is_none(), "{:?}", world.log);
    }
    // An operator wants it: the primary ends, and comes back with nothing.
    let empty = standing("a2", Some(NOWHERE), 0);
    world.nodes.insert(PodUid::from("a"), Standing { empty: true, ..empty });
    let mut member = world.member("m");
    let gathered = world.gathered();
    world.tell(&mut member, gathered);
    world.pass(&mut member, Duration::from_secs(2));
    assert_eq!(world.lease().primary.as_ref().unwrap().instance.pod, "c", "{:?}", world.log);
    assert!(world.told("a Follow") && world.told("b Follow"), "{:?}", world.log);
}

fn foreign(run_id: &str) -> Standing {
    Standing { replication_id: "another".to_owned(), ..standing(run_id, None, 500) }
}

#[test]
fn another_database_under_the_same_labels_is_not_overwritten() {
    let mut world = World::new();
    world.nodes.insert(PodUid::from("d"), foreign("d1"));
    let mut member = world.member("m");
    world.tell(&mut member, Fact::Wrong(true));
    world.pass(&mut member, Duration::from_secs(2));
    assert!(!world.told("d Follow") && world.told("d is foreign"), "{:?}", world.log);
    assert_eq!(world.lease().holder, None, "the claim ends");
    // Nor does a failover make it one of the group's.
    world.down.push("a");
    let (listed, gathered) = (world.listed(), world.gathered());
    world.tell(&mut member, listed);
    world.tell(&mut member, gathered);
    world.pass(&mut member, Duration::from_secs(2));
    assert_eq!(world.lease().epoch(), 8);
    assert!(!world.told("d Follow") && !world.told("d Promote"), "{:?}", world.log);
    let replicas = &world.lease().replicas;
    assert!(!replicas.allowed.contains(&PodUid::from("d")) && !replicas.names.contains("d"), "{replicas:?}");
}

/// Found by fleet simulation seed 188817: the group's own hold nothing, and must not win against data; nobody said whose.
#[test]
fn a_stranger_that_keeps_an_empty_group_from_a_primary_is_told_of() {
    for down in [false, true] {
        let mut world = World::new();
        world.nodes.values_mut().for_each(|node| node.empty = true);
        world.nodes.insert(PodUid::from("d"), foreign("d1"));
        let mut member = world.member("m");
        if down {
            world.down.push("a");
            let (listed, gathered) = (world.listed(), world.gathered());
            world.tell(&mut member, listed);
            world.tell(&mut member, gathered);
        } else {
            world.tell(&mut member, Fact::Wrong(true));
        }
        world.pass(&mut member, Duration::from_secs(40));
        assert!(world.told("d is foreign"), "{down}: {:?}", world.log);
        assert!(
            !world.told("d Follow") && !world.log.iter().any(|line| line.contains("Promote")),
            "{:?}",
            world.log
        );
        assert_eq!(world.lease().epoch(), 7, "nobody is promoted");
    }
}

#[test]
fn who_restarted_from_an_append_only_file_follows_whatever_its_history() {
    for recorded in ["uid", "name", "primary", "followed"] {
        let mut world = World::new();
        let Some(lease) = &mut world.lease else { panic!("it has one") };
        let node = match recorded {
            "uid" => {
                lease.replicas.allowed.insert(PodUid::from("b"));
                "b"
            }
            "name" => {
                lease.replicas.names.insert("b".to_owned());
                "b"
            }
            "primary" => {
                // It leads no more, but it did when the Lease was written.
                lease.primary.as_mut().unwrap().instance = instance("b");
                "b"
            }
            _ => "b",
        };
        let mut member = world.member("m");
        if recorded == "followed" {
            // Nothing but a repair of another one, which finds it in its place.
            world.nodes.get_mut(&PodUid::from("c")).unwrap().role = Role::Primary;
            world.tell(&mut member, Fact::Wrong(true));
            assert!(world.told("c Follow"));
        }
        world.nodes.insert(PodUid::from(node), foreign("b2"));
        world.nodes.get_mut(&PodUid::from("a")).unwrap().role = Role::Primary;
        if recorded == "primary" {
            let gathered = world.gathered();
            world.tell(&mut member, gathered);
        } else {
            world.tell(&mut member, Fact::Wrong(true));
        }
        world.pass(&mut member, Duration::from_secs(2));
        assert!(world.told("b Follow"), "{recorded}: {:?}", world.log);
    }
}

#[test]
fn a_primary_that_began_with_nothing_replaces_nobodys_data() {
    let mut world = World::new();
    let mut lease = world.lease.take().unwrap();
    lease.replicas.names = ["a", "b", "c"].map(str::to_owned).into();
    world.lease = Some(lease);
    let empty = |run_id: &str, of| Standing {
        replication_id: format!("{run_id}s own"),
        empty: true,
        ..standing(run_id, of, 0)
    };
    // All that are there are empty; c is not there.
    world.nodes.remove(&PodUid::from("c"));
    world.nodes.insert(PodUid::from("a"), empty("a2", Some(NOWHERE)));
    world.nodes.insert(PodUid::from("b"), empty("b2", Some(NOWHERE)));
    let mut member = world.member("m");
    let gathered = world.gathered();
    world.tell(&mut member, gathered);
    world.pass(&mut member, Duration::from_secs(40));
    assert_eq!(world.lease().epoch(), 8, "{:?}", world.log);
    let (uid, pod) =
        world.lease().primary.as_ref().map(|p| (p.instance.uid.clone(), p.instance.pod.clone())).unwrap();
    // A client has written to it when c comes back with what the group held.
    world.nodes.get_mut(&uid).unwrap().empty = false;
    world.nodes.insert(PodUid::from("c"), standing("c2", Some(NOWHERE), 8));
    let listed = world.listed();
    world.tell(&mut member, listed);
    world.tell(&mut member, Fact::Wrong(true));
    world.pass(&mut member, Duration::from_secs(2));
    assert!(!world.told("c Follow") && world.told("c is foreign"), "{pod}: {:?}", world.log);
}

#[test]
fn a_pod_without_an_address_is_waited_for_at_a_start_without_a_lease() {
    let mut world = World::new();
    world.lease = None;
    (world.service.pod, world.service.epoch) = (String::new(), 0);
    world.nodes.retain(|uid, _| uid.as_str() == "a");
    let mut a = standing("a1", Some(NOWHERE), 0);
    (a.empty, a.replication_id) = (true, "x".to_owned());
    world.nodes.insert(PodUid::from("a"), a);
    let Fact::Nodes(mut listed) = world.listed() else { panic!("these are nodes") };
    let nowhere = Listed { pod: "b".to_owned(), address: String::new(), down: true, leaving: false };
    listed.insert(PodUid::from("b"), nowhere);
    let mut member = Claimant::new(config("m"));
    world.tell(&mut member, Fact::Nodes(listed));
    world.tell(&mut member, Fact::Seen(None));
    world.pass(&mut member, Duration::from_secs(20));
    assert!(member.claimed().is_some() && !world.told("a Promote"), "{:?}", world.log);
    // It comes, and has data.
    world.nodes.insert(PodUid::from("b"), standing("b1", Some(NOWHERE), 9));
    let listed = world.listed();
    world.tell(&mut member, listed);
    world.pass(&mut member, Duration::from_secs(1));
    assert_eq!(world.lease().primary.as_ref().unwrap().instance, instance("b"));
}

#[test]
fn a_lone_primary_that_nobody_follows_is_not_taken_before_data_of_another_history() {
    // It came up by itself, with an old file; b and c hold what the group held.
    for (follows, remembered) in [(false, false), (false, true), (true, false)] {
        let mut world = World::new();
        world.nodes.insert(PodUid::from("a"), foreign("a2"));
        for node in ["b", "c"] {
            let at = if follows && node == "c" { "a:6379" } else { NOWHERE };
            world.nodes.insert(PodUid::from(node), standing(&format!("{node}1"), Some(at), 9));
        }
        let mut member = if remembered { world.member("m") } else { Claimant::new(config("m")) };
        world.lease = None;
        let listed = world.listed();
        world.tell(&mut member, listed);
        world.tell(&mut member, Fact::Seen(None));
        world.pass(&mut member, Duration::from_secs(6));
        let first = world.log.iter().find(|line| line.ends_with("diverged") || line.starts_with("switched"));
        let found = match (follows, remembered) {
            (true, _) => world.told("switched a 1007"),
            (_, true) => world.told("switched b 1007"),
            (false, false) => world.told("diverged") && world.lease().primary.is_none(),
        };
        assert!(found, "{follows} {remembered} {first:?}: {:?}", world.log);
    }
}

#[test]
fn data_that_diverged_are_looked_at_once_a_minute_and_taken_up_again() {
    let mut world = World::new();
    world.nodes.insert(PodUid::from("b"), foreign("b1"));
    let mut member = world.member_without_lease();
    assert_eq!(world.lease().holder, None);
    let mut second = world.member("n");
    for _ in 0..600 {
        world.now = world.now + Duration::from_secs(1);
        for member in [&mut member, &mut second] {
            let shown = Fact::Seen(world.shown());
            world.tell(member, shown);
            world.tell(member, Fact::Tick);
        }
    }
    let seen = world.log.iter().filter(|line| *line == "diverged").count();
    assert!((10..=15).contains(&seen), "{seen} times in ten minutes");
    // An operator has removed what one of them held.
    let b = world.nodes.get_mut(&PodUid::from("b")).unwrap();
    b.empty = true;
    let shown = Fact::Seen(world.shown());
    world.tell(&mut member, shown);
    world.pass(&mut member, Duration::from_secs(61));
    assert_eq!(world.lease().primary.as_ref().unwrap().instance, instance("a"), "{:?}", world.log);
    assert!(world.told("b Follow"));
}
