//! What a claim does where the Service isn't as it should be.

use super::tests_world::{World, config, instance, primary};
use super::*;
use crate::core::ids::{CallNo, ClaimId, Version};
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

/// A failover from a to b, and all that was wished for. What `meddle` answers is not carried out.
fn fail_over(
    world: &mut World,
    mut meddle: impl FnMut(&mut World, &mut Claimant, &Wish) -> Option<Fact>,
) -> Vec<Wish> {
    let mut member = world.member("m");
    let mut wishes = Vec::new();
    member.handle(world.gathered(), world.now, &mut wishes);
    let mut at = 0;
    while let Some(wish) = wishes.get(at).cloned() {
        at += 1;
        if let Some(fact) = meddle(world, &mut member, &wish).or_else(|| world.carry_out(wish)) {
            member.handle(fact, world.now, &mut wishes);
        }
    }
    wishes
}

fn reads(wishes: &[Wish]) -> usize {
    wishes.iter().filter(|wish| matches!(wish, Wish::Read(_) | Wish::ReadService(_))).count()
}

#[test]
fn who_commits_routes_without_another_read() {
    let mut world = World::new();
    let wishes = fail_over(&mut world, |_, _, _| None);
    assert_eq!((world.service.pod.as_str(), world.service.epoch), ("b", 8));
    assert_eq!(reads(&wishes), 0);
}

#[test]
fn a_patch_rests_on_the_service_as_it_was_before_the_commit() {
    let mut world = World::new();
    let wishes = fail_over(&mut world, |_, member, wish| {
        if let Wish::Put(_, _, lease) = wish
            && lease.failover.as_ref().is_some_and(|failover| failover.step == Step::Committed)
        {
            // Somebody else's commit may have brought it about, between this one and its answer.
            let later = Service { version: Version::from("t"), pod: "a".to_owned(), epoch: 7 };
            member.handle(Fact::ServiceSeen(later), Time::ZERO, &mut Vec::new());
        }
        None
    });
    let patched = wishes.iter().find_map(|wish| match wish {
        Wish::Patch(_, service) => Some(service.version.as_str()),
        _ => None,
    });
    assert_eq!(patched, Some("s"));
}

#[test]
fn a_service_that_was_changed_before_the_commit_is_read_at_once() {
    let mut world = World::new();
    let mut refused = 0;
    let wishes = fail_over(&mut world, |world, member, wish| match wish {
        // An earlier attempt has failed just now.
        Wish::Barrier { .. } => {
            member.router.failed(world.now);
            None
        }
        Wish::Patch(call, service) if service.version.as_str() == "s" => {
            refused += 1;
            world.service.version = Version::from("t");
            Some(Fact::Patched(*call, Written::Conflict))
        }
        _ => None,
    });
    assert_eq!((refused, reads(&wishes)), (1, 2));
    assert_eq!((world.service.pod.as_str(), world.service.epoch), ("b", 8));
}

#[test]
fn a_commit_of_which_nothing_is_known_is_read_before_it_is_routed() {
    let mut world = World::new();
    let mut lost = 0;
    let wishes = fail_over(&mut world, |world, _, wish| match wish {
        Wish::Put(call, version, lease)
            if lost == 0 && lease.failover.as_ref().is_some_and(|one| one.step == Step::Committed) =>
        {
            lost += 1;
            assert!(matches!(world.put(version.clone(), *lease.clone()), Written::Landed(_)));
            Some(Fact::Put(*call, Written::Unknown))
        }
        _ => None,
    });
    // The Lease to see what became of the commit, then the Service and the Lease.
    assert_eq!(reads(&wishes), 3);
    assert_eq!((world.service.pod.as_str(), world.service.epoch), ("b", 8));
}

/// The Service as somebody made it who is no member: it says the commit's epoch and leads elsewhere.
fn edited() -> Service {
    Service { version: Version::from("u"), pod: "a".to_owned(), epoch: 8 }
}

#[test]
fn an_edit_that_is_shown_before_the_answer_to_a_patch_is_put_right() {
    let mut world = World::new();
    let mut edits = 0;
    fail_over(&mut world, |world, member, wish| match wish {
        Wish::Patch(call, _) if edits == 0 => {
            edits += 1;
            world.service = edited();
            member.handle(Fact::ServiceSeen(edited()), world.now, &mut Vec::new());
            Some(Fact::Patched(*call, Written::Landed(Version::from("t"))))
        }
        _ => None,
    });
    assert_eq!((edits, world.service.pod.as_str(), world.service.epoch), (1, "b", 8));
}

#[test]
fn an_edit_that_is_shown_before_the_answer_to_a_read_is_put_right() {
    let mut world = World::new();
    let mut other = world.member("n");
    let mut lease = world.lease().clone();
    lease.primary = Some(Primary { instance: instance("b"), epoch: 8, ..primary() });
    assert!(matches!(world.put(Some(Version::from("1")), lease), Written::Landed(_)));
    let mut wishes = Vec::new();
    other.handle(Fact::Seen(world.shown()), world.now, &mut wishes);
    let reads: Vec<CallNo> = wishes
        .iter()
        .filter_map(|wish| if let Wish::ReadService(call) = wish { Some(*call) } else { None })
        .collect();
    let [read] = reads[..] else { panic!("{wishes:?}") };
    let before = Service { version: Version::from("t"), pod: "b".to_owned(), epoch: 8 };
    world.service = edited();
    world.tell(&mut other, Fact::ServiceSeen(edited()));
    world.tell(&mut other, Fact::Service(read, Some(before)));
    assert_eq!((world.service.pod.as_str(), world.service.epoch), ("b", 8));
}
