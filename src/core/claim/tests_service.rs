//! What a claim does where the Service isn't as it should be.

use super::tests_world::{World, config, instance, primary};
use super::*;
use crate::core::ids::{ClaimId, Version};
use crate::core::time::Time;

#[test]
fn a_service_that_cant_be_read_is_not_asked_for_as_fast_as_can_be() {
    let world = World::new();
    let mut member = Claimant::new(config("m"));
    let mut wishes = Vec::new();
    member.handle(world.listed(), Time::ZERO, &mut wishes);
    member.handle(Fact::Seen(None), Time::ZERO, &mut wishes);
    let mut reads = 0;
    for now in (5001..7001).map(Time::from_millis) {
        member.handle(Fact::Tick, now, &mut wishes);
        while let Some(wish) = wishes.pop() {
            if let Wish::ReadService(call) = wish {
                reads += 1;
                member.handle(Fact::Service(call, None), now, &mut wishes);
            }
        }
    }
    assert!((5..=11).contains(&reads), "{reads}");
    assert!(member.claimed().is_none(), "its epoch may be remembered there only");
}

#[test]
fn a_group_whose_service_is_not_there_has_a_lease_all_the_same() {
    let mut world = World::new();
    world.lease = None;
    world.service = Service::none();
    let mut member = Claimant::new(config("m"));
    world.tell(&mut member, world.listed());
    world.tell(&mut member, Fact::Seen(None));
    world.now = Time::from_millis(5001);
    world.tell(&mut member, Fact::Tick);
    assert_eq!(world.lease().primary.as_ref().map(|primary| primary.epoch), Some(1000));
    // It went after it was seen: nothing is patched, and nothing asked for without end.
    let seen = Service { version: Version::from("s"), pod: "z".to_owned(), epoch: 0 };
    world.take_log();
    world.tell(&mut member, Fact::ServiceSeen(seen));
    assert!(!world.take_log().iter().any(|line| line.starts_with("service")));
}

#[test]
fn whoever_committed_routes_first_and_the_others_if_nobody_did() {
    let mut world = World::new();
    let mut other = world.member("n");
    let mut lease = world.lease().clone();
    lease.holder = Some(ClaimId::from("m-1"));
    lease.primary = Some(Primary { instance: instance("b"), epoch: 8, ..primary() });
    assert!(matches!(world.put(Some(Version::from("1")), lease), Written::Landed(_)));
    world.take_log();
    let commit = Fact::Seen(world.shown());
    world.tell(&mut other, commit);
    assert_eq!(world.take_log(), ["switched b 8"], "clients are answered at once");
    assert_eq!(other.next_deadline(), Some(Time::from_millis(150)));
    world.now = Time::from_millis(149);
    world.tell(&mut other, Fact::Tick);
    assert!(world.take_log().is_empty());
    world.now = Time::from_millis(150);
    world.tell(&mut other, Fact::Tick);
    assert_eq!(world.take_log(), ["service b 8"]);
}
