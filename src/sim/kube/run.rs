//! Seeded runs: faults of all kinds, then none any more, and all must come to agree.

use std::time::Duration;

use super::world::World;
use crate::core::Input;
use crate::core::cluster::Service;
use crate::core::ids::Version;

/// Daemons of the fleet.
pub(super) const SIZE: usize = 3;
/// Data nodes.
const PODS: usize = 3;
/// How long all may take to agree once the faults have stopped.
const HEAL: Duration = Duration::from_secs(150);

/// Three daemons and three data nodes, of which the first is a primary with data.
pub(super) fn world(seed: u64, annotations: &[(&str, &str)]) -> World {
    let mut world = before(seed, annotations);
    for at in 0..SIZE {
        world.start_daemon(at, SIZE);
    }
    world
}

/// The same before any daemon runs.
pub(super) fn before(seed: u64, annotations: &[(&str, &str)]) -> World {
    let mut world = World::empty(seed);
    let first = world.add_pod(None);
    for _ in 0..2 {
        let ip = world.pods[first].ip.clone();
        world.add_pod(Some(ip));
    }
    let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let service = Service {
        name: "redis".to_owned(),
        version: Version::from(""),
        labels: [("vedette.dev/group".to_owned(), "g".to_owned())].into(),
        annotations: annotations.iter().map(text).collect(),
        selector: [("app".to_owned(), "redis".to_owned())].into(),
        port: Some(6379),
        manager: "kubectl".to_owned(),
        deleting: false,
    };
    world.api.put_service(service);
    for _ in 0..SIZE {
        world.add_daemon();
    }
    world.run_for(Duration::from_millis(500));
    for at in 0..3 {
        world.write(first, at);
    }
    world
}

/// How a run ended.
#[derive(Debug)]
pub struct FleetOutcome {
    /// The law that was broken, and by what.
    pub violation: Option<(&'static str, String)>,
    /// What happened, line by line.
    pub trace: Vec<String>,
    /// Switches that all daemons told of.
    pub switches: usize,
    /// A number that two runs share only if the same happened at the same times.
    pub digest: u64,
}

/// A fault that ends by itself.
#[derive(Debug)]
enum Undo {
    Container(usize, bool),
    Pod(usize),
    Recreate(usize),
    Daemon(usize),
    Api,
    Moods,
    Cut(String, String),
}

/// Plays one seed.
#[must_use]
pub fn run_fleet(seed: u64) -> FleetOutcome {
    let mut world = world(
        seed,
        &[
            ("vedette.dev/quorum", "2"),
            ("vedette.dev/down-after-milliseconds", if seed.is_multiple_of(3) { "5000" } else { "1000" }),
            ("vedette.dev/fast-down-after-milliseconds", if seed.is_multiple_of(2) { "100" } else { "0" }),
        ],
    );
    world.guarded = seed % 4 < 2;
    if !world.guarded {
        // Where restarted nodes call themselves primaries, and nobody remembers, only an operator can tell.
        world.run_to(HEAL, |world| world.lease().is_some_and(|lease| lease.primary.is_some()));
    }
    let mut undo: Vec<(crate::core::Time, Undo)> = Vec::new();
    let end = world.now + Duration::from_secs(world.rng.range(10, 60));
    while world.now < end && world.laws.broken.is_none() {
        let step = Duration::from_millis(world.rng.range(50, 4000));
        let next = world.now + step;
        loop {
            let first =
                undo.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(index, (at, _))| (index, *at));
            let Some((index, at)) = first.filter(|(_, at)| *at <= next) else { break };
            world.run_until(at);
            let (_, what) = undo.swap_remove(index);
            world.undo(what);
        }
        world.run_until(next);
        if let Some((after, what)) = world.draw_fault() {
            undo.push((world.now + after, what));
        }
    }
    undo.sort_by_key(|(at, _)| *at);
    for (_, what) in undo {
        world.undo(what);
    }
    world.heal();
    let writes = world.rng.below(1_000_000);
    let all_agree = |world: &World| (0..PODS).any(|at| world.agree_on(at));
    let agreed =
        world.run_to(HEAL, all_agree) || (world.remove_foreign_data() && world.run_to(HEAL, all_agree));
    if !agreed {
        let what = (0..SIZE).map(|at| format!("d{at} {:?}", world.told(at))).collect::<Vec<_>>().join(", ");
        world.laws.break_law("once faults stop all agree", what);
    }
    let switches = world.daemons.iter().flat_map(|daemon| &daemon.events);
    let switches = switches.filter(|event| event.starts_with("+switch-master")).count();
    let digest = world.log.iter().fold(writes, |sum, line| {
        line.bytes().fold(sum, |sum, byte| sum.rotate_left(5).wrapping_mul(0x9E37_79B9) ^ u64::from(byte))
    });
    FleetOutcome { violation: world.laws.broken.take(), trace: world.log, switches, digest }
}

impl World {
    /// Something goes wrong; what ends it, and when.
    fn draw_fault(&mut self) -> Option<(Duration, Undo)> {
        let (pod, daemon) = (self.rng.index(PODS), self.rng.index(SIZE));
        let long = Duration::from_millis(self.rng.range(100, 12_000));
        match self.rng.below(15) {
            0..=2 if self.pods[pod].redis.is_some() => {
                self.kill_container(pod);
                // One that loses its data is never the last that has them.
                let others = self.pods.iter().filter(|other| other.redis.is_some()).count();
                let empty = self.guarded && others == PODS - 1 && self.rng.chance(200);
                Some((long, Undo::Container(pod, empty)))
            }
            3 if self.pods[pod].redis.is_some() => {
                if self.rng.chance(500) {
                    self.recreate_pod(pod, false);
                    return None;
                }
                // Politely: it has a while to hand its role over.
                self.mark_deleting(pod);
                Some((long, Undo::Recreate(pod)))
            }
            4 if self.pods[pod].redis.is_some() => {
                self.note(|| format!("redis-{pod} freezes"));
                self.pods[pod].frozen = true;
                Some((long, Undo::Pod(pod)))
            }
            5 if self.daemons[daemon].engine.is_some() => {
                self.kill_daemon(daemon);
                Some((long, Undo::Daemon(daemon)))
            }
            6 if self.daemons[daemon].engine.is_some() => {
                self.note(|| format!("d{daemon} freezes for {long:?}"));
                self.daemons[daemon].frozen_until = Some(self.now + long);
                None
            }
            7 if !self.moods.away => {
                self.set_away(true);
                Some((long, Undo::Api))
            }
            8 | 9 => {
                self.moods.refused = self.rng.below(300);
                self.moods.failed = self.rng.below(300);
                self.moods.watch_lag = Duration::from_millis(self.rng.below(3000));
                Some((long, Undo::Moods))
            }
            // Where restarted nodes call themselves primaries, and nobody remembers, only an operator can tell.
            10 if self.guarded && self.rng.chance(300) && !self.moods.away => {
                self.note(|| "the group Lease is deleted".to_owned());
                let seen = self.api.delete_lease("v-group-g");
                self.show(&seen);
                None
            }
            11 => {
                if let Some(mut service) = self.api.services.get("redis").cloned() {
                    let name = self.pods[pod].name.clone();
                    self.note(|| format!("somebody leads the Service to {name}"));
                    service.selector.insert("statefulset.kubernetes.io/pod-name".to_owned(), name);
                    let seen = self.api.put_service(service);
                    self.show(&seen);
                }
                None
            }
            12 if self.daemons[daemon].engine.is_some() => {
                self.command(daemon, &["SENTINEL", "FAILOVER", "g"]);
                None
            }
            13 => {
                let from = self.daemons[daemon].ip.clone();
                let other = (daemon + 1) % SIZE;
                let to = if self.rng.chance(500) {
                    self.pods[pod].ip.clone()
                } else {
                    self.daemons[other].ip.clone()
                };
                self.part(&from, &to);
                Some((long, Undo::Cut(from, to)))
            }
            14 if self.daemons[daemon].engine.is_some() => {
                let life = (daemon, self.daemons[daemon].life);
                self.daemon_takes(life, Input::Terminate);
                Some((Duration::from_secs(2), Undo::Daemon(daemon)))
            }
            _ => None,
        }
    }

    fn undo(&mut self, what: Undo) {
        match what {
            Undo::Container(pod, empty) => {
                if self.pods[pod].redis.is_none() {
                    self.start_container(pod, empty);
                }
            }
            Undo::Pod(pod) => self.thaw(pod),
            Undo::Recreate(pod) => self.recreate_pod(pod, false),
            Undo::Daemon(daemon) => {
                if self.daemons[daemon].engine.is_some() {
                    self.kill_daemon(daemon);
                }
                self.start_daemon(daemon, SIZE);
            }
            Undo::Api => self.set_away(false),
            Undo::Moods => {
                (self.moods.refused, self.moods.failed) = (0, 0);
                self.moods.watch_lag = Duration::ZERO;
            }
            Undo::Cut(from, to) => self.mend(&from, &to),
        }
    }

    /// All goes well from here on.
    fn heal(&mut self) {
        self.note(|| "all faults end".to_owned());
        self.undo(Undo::Moods);
        if self.moods.away {
            self.set_away(false);
        }
        for pod in 0..PODS {
            if self.pods[pod].redis.is_none() {
                self.start_container(pod, false);
            }
            if self.pods[pod].frozen {
                self.thaw(pod);
            }
        }
        for daemon in 0..SIZE {
            if self.daemons[daemon].engine.is_none() {
                self.start_daemon(daemon, SIZE);
            }
        }
    }

    /// An operator does what DataDiverged asks him for; whether it did. A node that was down when its group was taken up, or
    /// since it was forgotten, and that lost its history as it started, can't be told from a stranger. Where nobody is
    /// recorded at all, he keeps what there is most of.
    fn remove_foreign_data(&mut self) -> bool {
        let told = |what: &str| {
            let start = format!("DataDiverged g: {what} ");
            self.guarded && self.api.events.iter().any(|event| event.starts_with(&start))
        };
        let held = |at: &usize| self.pods[*at].redis.as_ref().map_or(0, |redis| redis.data().len());
        let recorded = self.lease().is_some_and(|lease| lease.primary.is_some());
        let foreign: Vec<usize> = if recorded {
            (0..PODS).filter(|at| told(&self.pods[*at].name) && !self.is_recorded(*at)).collect()
        } else {
            let kept = (0..PODS).max_by_key(held);
            let others = (0..PODS).filter(|at| Some(*at) != kept && held(at) > 0);
            others.filter(|_| told("Nodes hold different data, and")).collect()
        };
        for at in &foreign {
            self.recreate_pod(*at, true);
        }
        !foreign.is_empty()
    }

    /// All agree on that Pod.
    pub(super) fn agree_on(&self, pod: usize) -> bool {
        let ip = &self.pods[pod].ip;
        // This is asked for after every millisecond: what costs most comes last.
        (0..self.daemons.len()).all(|at| {
            self.daemons[at].engine.is_none() || self.answer(at).is_some_and(|(host, _)| host == ip)
        }) && self.selected().as_ref() == Some(&self.pods[pod].name)
            && self.pods.iter().enumerate().all(|(at, other)| match &other.redis {
                Some(redis) if at == pod => redis.is_primary(),
                Some(redis) => redis.following().is_some_and(|(host, _, up)| host == ip && up),
                None => at != pod,
            })
            && self.lease().is_some_and(|lease| lease.holder.is_none() && lease.failover.is_none())
    }
}
