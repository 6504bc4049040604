//! A member that only observes.

use std::time::Duration;

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
fn a_lease_that_is_only_being_made_says_nothing_yet() {
    let (mut world, mut member) = (World::new(), observer());
    let lease = world.lease.take().unwrap();
    world.lease = Some(GroupLease { primary: None, holder: Some("x".into()), ..lease.clone() });
    world.tell(&mut member, Fact::ServiceSeen(world.service.clone()));
    world.tell(&mut member, Fact::Seen(world.shown()));
    world.tell(&mut member, followed("b", 9));
    assert_eq!(world.take_log(), ["switched b 9", "service b 9"]);
    // Made above all that was heard.
    world.lease = Some(GroupLease { primary: Some(at("b", 1009)), ..lease });
    world.version += 1;
    world.tell(&mut member, Fact::Seen(world.shown()));
    assert_eq!(world.take_log(), ["switched b 1009", "service b 1009"]);
    world.tell(&mut member, followed("a", 2000));
    assert_eq!(world.take_log(), Vec::<String>::new());
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

/// A member that acts, for so many seconds; a Sentinel listens at these nodes.
fn act(world: &mut World, member: &mut Claimant, seconds: u64, watched: &[&str]) {
    for _ in 0..seconds * 20 {
        world.now = world.now + Duration::from_millis(50);
        let (mut wishes, mut at) = (Vec::new(), 0);
        member.handle(Fact::Tick, world.now, &mut wishes);
        while at < wishes.len() {
            let fact = match &wishes[at] {
                Wish::Barrier { node, call, .. } if watched.contains(&node.as_str()) => {
                    let void = Fact::Stood(node.clone(), *call, None);
                    member.handle(Fact::Beside, world.now, &mut wishes);
                    Some(void)
                }
                _ => world.carry_out(wishes[at].clone()),
            };
            at += 1;
            if let Some(fact) = fact {
                world.answer(member, fact, &mut wishes);
            }
        }
    }
}

#[test]
fn nothing_is_founded_while_a_sentinel_listens() {
    let mut world = World::new();
    world.lease = None;
    let mut member = world.member("m");
    // Not even where it has lost sight of one of them, and not after the longest wait.
    act(&mut world, &mut member, 60, &["a", "b"]);
    assert!(member.is_founding());
    assert_eq!(world.lease().primary, None);
    let done: Vec<String> = world.take_log().into_iter().filter(|line| line != "c Ask").collect();
    assert!(done.iter().all(|line| line == "put claimed 0"), "{done:?}");
    act(&mut world, &mut member, 5, &[]);
    assert_eq!(world.lease().primary.as_ref().map(|primary| primary.instance.pod.as_str()), Some("a"));
}
