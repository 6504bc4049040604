//! Fleets that observe, beside Sentinels: whom these name is told and routed, and nothing is done to data nodes.

use std::time::Duration;

use super::run::{SIZE, before};
use super::world::{PORT, World};

/// Time between two hellos.
const HELLO: Duration = Duration::from_secs(2);
const SENTINELS: usize = 3;

/// What Sentinels agree upon.
struct Sentinels {
    /// The primary's Pod, and the config epoch.
    primary: usize,
    epoch: u64,
    /// Those who say so are other processes than those before.
    generation: usize,
}

impl Sentinels {
    const fn new() -> Self {
        Self { primary: 0, epoch: 0, generation: 0 }
    }

    /// Each says it to everybody.
    fn speak(&self, world: &mut World) {
        let (ip, name) = (world.pods[self.primary].ip.clone(), world.pods[self.primary].name.clone());
        world.laws.named.insert(name);
        for sentinel in 0..SENTINELS {
            let (id, epoch) = (format!("s{sentinel}-{}", self.generation), self.epoch);
            let hello = format!("10.9.9.{sentinel},26379,{id},{epoch},g,{ip},{PORT},{epoch}");
            for pod in 0..world.pods.len() {
                world.ask_node(pod, &["PUBLISH", "__sentinel__:hello", &hello]);
            }
        }
    }

    /// They go on saying it until a condition holds.
    fn until(&self, world: &mut World, what: &str, seconds: u64, holds: impl Fn(&World) -> bool) {
        let end = world.now + Duration::from_secs(seconds);
        while world.now < end {
            self.speak(world);
            if world.run_to(HELLO, &holds) {
                return;
            }
            assert_eq!(world.laws.broken, None, "{}", world.log.join("\n"));
        }
        panic!("{}\n{what}: {:?}", world.log.join("\n"), world.laws.broken);
    }

    /// Another one is promoted by their hand.
    fn fail_over_to(&mut self, world: &mut World, to: usize) {
        let ip = world.pods[to].ip.clone();
        world.note(|| format!("the Sentinels promote redis-{to}"));
        world.ask_node(to, &["SLAVEOF", "NO", "ONE"]);
        for other in (0..world.pods.len()).filter(|other| *other != to) {
            world.ask_node(other, &["SLAVEOF", &ip, &PORT.to_string()]);
        }
        (self.primary, self.epoch) = (to, self.epoch + 1);
    }
}

/// A fleet that observes.
fn beside(seed: u64) -> World {
    let mut world =
        before(seed, &[("vedette.dev/quorum", "2"), ("vedette.dev/down-after-milliseconds", "1000")]);
    for at in 0..SIZE {
        world.daemons[at].observes = true;
        world.start_daemon(at, SIZE);
    }
    world
}

impl World {
    /// All daemons and the Service name that Pod.
    fn follow(&self, pod: usize) -> bool {
        let told = (0..SIZE).all(|at| {
            self.daemons[at].engine.is_none()
                || self.told(at).is_some_and(|(host, _)| host == self.pods[pod].ip)
        });
        told && self.selected().as_ref() == Some(&self.pods[pod].name)
    }

    fn service_epoch(&self) -> u64 {
        self.api.services["redis"].annotations["vedette.dev/epoch"].parse().unwrap()
    }
}

#[test]
fn a_take_over_leaves_the_primary_where_it_is() {
    let (mut world, mut sentinels) = (beside(1), Sentinels::new());
    sentinels.until(&mut world, "the Sentinels' primary is followed", 10, |world| world.follow(0));
    let writes = world.api.writes;
    sentinels.until(&mut world, "a minute", 60, |world| world.now.as_micros() > 1_060_000_000);
    let written = world.api.writes - writes;
    assert!((50..=100).contains(&written), "{written}: only the members' own Leases");
    world.kill_container(0);
    sentinels.fail_over_to(&mut world, 1);
    sentinels.until(&mut world, "their failover is followed", 3, |world| world.follow(1));
    assert_eq!(world.service_epoch(), 1);
    assert!(world.lease().is_none());
    world.start_container(0, false);
    let ip = world.pods[1].ip.clone();
    world.ask_node(0, &["SLAVEOF", &ip, &PORT.to_string()]);
    world.run_for(Duration::from_secs(10));
    // A rolling change.
    for at in 0..SIZE {
        world.kill_daemon(at);
        world.daemons[at].observes = false;
        world.start_daemon(at, SIZE);
        world.run_for(Duration::from_secs(3));
    }
    assert!(world.run_to(Duration::from_secs(30), |world| world.agree_on(1)), "{}", world.log.join("\n"));
    assert_eq!(world.laws.broken, None);
    assert!(world.lease().unwrap().epoch() > 1000);
    assert_eq!(world.laws.commands, Vec::<String>::new(), "nothing had to be changed");
    // And it acts.
    world.kill_container(1);
    assert!(world.run_to(Duration::from_secs(30), |world| world.agree_on(0) || world.agree_on(2)));
    assert_eq!(world.laws.broken, None);
}

#[test]
fn while_there_is_a_lease_it_counts() {
    let (mut world, sentinels) = (beside(2), Sentinels::new());
    for at in 0..SIZE {
        world.kill_daemon(at);
        world.daemons[at].observes = false;
        world.start_daemon(at, SIZE);
    }
    assert!(world.run_to(Duration::from_secs(30), |world| world.agree_on(0)));
    let epoch = world.lease().unwrap().epoch();
    for at in 0..SIZE {
        world.kill_daemon(at);
        world.daemons[at].observes = true;
        world.start_daemon(at, SIZE);
    }
    let others = Sentinels { primary: 2, epoch: 7, ..sentinels };
    others.until(&mut world, "the Lease counts", 30, |world| world.now.as_micros() > 1_025_000_000);
    assert!(world.follow(0));
    // It is taken away: they are followed, upwards.
    let seen = world.api.delete_lease("v-group-g");
    world.show(&seen);
    others.until(&mut world, "the Sentinels count", 30, |world| world.follow(2));
    assert!(world.service_epoch() > epoch, "{} after {epoch}", world.service_epoch());
}

#[test]
fn whatever_befalls_them_observers_come_to_agree() {
    for seed in 0..10 {
        let (mut world, mut sentinels) = (beside(seed), Sentinels::new());
        world.note(|| format!("seed {seed}"));
        for _ in 0..20 {
            sentinels.speak(&mut world);
            let pause = Duration::from_millis(world.rng.range(100, 4000));
            world.run_for(pause);
            let (daemon, pod) = (world.rng.index(SIZE), world.rng.index(3));
            match world.rng.below(9) {
                0 | 1 if sentinels.primary != pod => sentinels.fail_over_to(&mut world, pod),
                2 => {
                    // Set up anew, by another hand, from other processes.
                    sentinels.fail_over_to(&mut world, pod);
                    (sentinels.epoch, sentinels.generation) = (0, sentinels.generation + 1);
                }
                3 => {
                    world.kill_daemon(daemon);
                    world.start_daemon(daemon, SIZE);
                }
                4 => {
                    let away = world.moods.away;
                    world.set_away(!away);
                }
                5 => world.moods.watch_lag = Duration::from_millis(world.rng.below(3000)),
                6 => {
                    (world.moods.refused, world.moods.failed) = (world.rng.below(300), world.rng.below(300));
                }
                7 => {
                    let (one, other) = (world.daemons[daemon].ip.clone(), world.pods[pod].ip.clone());
                    world.part(&one, &other);
                }
                _ => {
                    let mut service = world.api.services["redis"].clone();
                    let name = world.pods[pod].name.clone();
                    service.selector.insert("statefulset.kubernetes.io/pod-name".to_owned(), name);
                    let seen = world.api.put_service(service);
                    if !world.moods.away {
                        world.show(&seen);
                    }
                }
            }
        }
        if world.moods.away {
            world.set_away(false);
        }
        (world.moods.refused, world.moods.failed, world.moods.watch_lag) = (0, 0, Duration::ZERO);
        for (one, other) in world.cut.clone() {
            world.mend(&one, &other);
        }
        let last = sentinels.primary;
        // Somebody's edits are put right once a minute at worst.
        sentinels.until(&mut world, &format!("seed {seed}"), 120, |world| world.follow(last));
        assert!(world.lease().is_none());
    }
}
