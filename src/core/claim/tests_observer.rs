//! A member that only observes.

use super::tests_world::{World, config, primary};
use super::*;
use crate::core::time::Time;

fn observer() -> Claimant {
    Claimant::new(Config { observe: true, ..config("m") })
}

fn followed(pod: &str, epoch: u64) -> Fact {
    Fact::Followed(Box::new(at(pod, epoch)), true)
}

fn at(pod: &str, epoch: u64) -> Primary {
    let instance = Instance { pod: pod.to_owned(), uid: pod.into(), ..primary().instance };
    Primary { instance, epoch, ..primary() }
}

#[test]
fn without_a_lease_it_routes_and_tells_what_sentinels_say() {
    let (mut world, mut member) = (World::new(), observer());
    world.lease = None;
    world.service = Service { epoch: 0, pod: String::new(), ..world.service };
    world.tell(&mut member, Fact::ServiceSeen(world.service.clone()));
    world.tell(&mut member, followed("a", 0));
    assert_eq!(world.take_log(), Vec::<String>::new(), "whether there is a Lease is not known yet");
    world.tell(&mut member, Fact::Seen(None));
    world.tell(&mut member, followed("a", 0));
    assert_eq!(world.take_log(), ["switched a 0", "service a 0"]);
    world.tell(&mut member, followed("b", 3));
    assert_eq!(world.take_log(), ["switched b 3", "service b 3"]);
    // Never back, nor elsewhere at the same epoch.
    world.tell(&mut member, followed("a", 2));
    world.tell(&mut member, followed("a", 3));
    assert_eq!(world.take_log(), Vec::<String>::new());
    assert_eq!(member.next_deadline(), None);
    world.now = Time::from_millis(60_000);
    world.tell(&mut member, Fact::Tick);
    assert!(member.claimed().is_none() && world.lease.is_none());
}

#[test]
fn where_there_is_a_lease_it_counts() {
    let (mut world, mut member) = (World::new(), observer());
    world.tell(&mut member, Fact::Seen(world.shown()));
    world.tell(&mut member, Fact::ServiceSeen(world.service.clone()));
    world.take_log();
    world.tell(&mut member, followed("b", 9));
    assert_eq!(world.take_log(), Vec::<String>::new());
    world.lease = None;
    world.tell(&mut member, Fact::Seen(None));
    world.tell(&mut member, followed("b", 9));
    assert_eq!(world.take_log(), ["switched b 9", "service b 9"]);
}

#[test]
fn a_lease_that_came_meanwhile_is_read_before_the_service_is_led_elsewhere() {
    let (mut world, mut member) = (World::new(), observer());
    let lease = world.lease.take();
    world.tell(&mut member, Fact::ServiceSeen(world.service.clone()));
    world.tell(&mut member, Fact::Seen(None));
    // The fleet acts: this member was not shown it yet.
    world.lease = lease;
    world.tell(&mut member, followed("b", 9));
    assert_eq!(world.take_log(), ["switched b 9"]);
    assert_eq!(world.service.pod, "a");
}

#[test]
fn what_another_member_heard_is_told_and_not_routed() {
    let (mut world, mut member) = (World::new(), observer());
    world.lease = None;
    world.tell(&mut member, Fact::Seen(None));
    world.tell(&mut member, Fact::Followed(Box::new(at("a", 7)), false));
    // Somebody leads it elsewhere: only who has heard the Sentinels knows better.
    let edited = Service { pod: "b".to_owned(), ..world.service.clone() };
    world.service = edited.clone();
    world.tell(&mut member, Fact::ServiceSeen(edited));
    assert_eq!(world.take_log(), ["switched a 7"]);
    world.tell(&mut member, followed("a", 7));
    assert_eq!(world.take_log(), ["switched a 7", "service a 7"]);
}

#[test]
fn who_acts_heeds_no_sentinel() {
    let mut world = World::new();
    world.lease = None;
    let mut member = world.member("m");
    world.tell(&mut member, followed("b", 9));
    assert_eq!(world.take_log(), Vec::<String>::new());
}
