//! What one run will do: fleet, groups, network, faults and the operator's words, all from one seed.

mod draw;
mod step;

use std::time::Duration;

pub(crate) use self::step::{File, Step, What, Who};
use super::rng::Rng;
use crate::core::{Mistake, Quirks};

/// Index of a daemon.
pub(crate) type DaemonId = usize;
/// Index of a data node, over all groups.
pub(crate) type NodeId = usize;

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) seed: u64,
    pub(crate) daemons: usize,
    pub(crate) groups: Vec<GroupPlan>,
    /// Bounds of the network's latency in microseconds.
    pub(crate) latency: (u64, u64),
    /// Bounds of a disk write in milliseconds.
    pub(crate) disk: (u64, u64),
    /// The daemons' files name all replicas and peers from the start; else they must find them.
    pub(crate) acquainted: bool,
    /// The disks acknowledge writes that they don't do: proves that the harness sees it.
    pub(crate) disks_lie: bool,
    /// Primaries are given by name; and whether names are announced.
    pub(crate) names: Option<bool>,
    /// SENTINEL FAILOVER is Sentinel's own also while the primary works.
    pub(crate) plain_switchover: bool,
    /// After the healing the primaries die for good.
    pub(crate) funeral: bool,
    /// How fast each daemon's clock goes, in thousandths; empty when all are right.
    pub(crate) rates: Vec<u64>,
    /// Daemons that are as slow as redis-sentinel.
    pub(crate) slow: Vec<DaemonId>,
    /// Mistakes that all daemons make on purpose: proves that the harness finds them.
    pub(crate) mistakes: Quirks,
    /// How long faults may last, from the end of the discovery on.
    pub(crate) chaos: Duration,
    pub(crate) steps: Vec<Step>,
}

/// A group of data nodes.
#[derive(Clone, Debug)]
pub(crate) struct GroupPlan {
    pub(crate) name: String,
    /// Data nodes; the first one begins as the primary.
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) quorum: u32,
    pub(crate) down_after: Duration,
    pub(crate) failover_timeout: Duration,
    pub(crate) parallel_syncs: u32,
    pub(crate) reboot_down_after: Duration,
    pub(crate) password: Option<String>,
    /// `replica-priority` of each node.
    pub(crate) priorities: Vec<u32>,
    pub(crate) scripts: bool,
    /// Zero: off.
    pub(crate) fast_down_after: Duration,
    /// Each daemon's own quorum and down-after, where they differ.
    pub(crate) mixed: Vec<(u32, Duration)>,
}

impl Plan {
    /// The plan that follows from a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 1);
        let daemons = if rng.chance(300) { 5 } else { 3 };
        let mut plan = Self::calm(seed, daemons, if rng.chance(200) { 2 } else { 1 });
        plan.latency = if rng.chance(150) { (5_000, 40_000) } else { (50, 2_000) };
        plan.disk = if rng.chance(150) { (20, 300) } else { (0, 8) };
        plan.acquainted = rng.chance(700);
        plan.names = rng.chance(200).then(|| rng.chance(500));
        plan.funeral = rng.chance(300);
        plan.chaos = Duration::from_secs(rng.range(10, 45));
        for group in &mut plan.groups {
            group.vary(daemons, &mut rng);
        }
        // Between any two clocks there is at most a third.
        if rng.chance(300) {
            plan.rates = (0..daemons).map(|_| rng.range(860, 1140)).collect();
        }
        if rng.chance(350) {
            plan.slow = (0..daemons).filter(|_| rng.chance(500)).collect();
        }
        for _ in 0..rng.range(2, 14) {
            let after = Duration::from_millis(rng.below(u64::try_from(plan.chaos.as_millis()).unwrap_or(0)));
            let what = plan.draw(&mut rng);
            plan.steps.push(Step { after, what });
        }
        plan.plain_switchover = rng.chance(200);
        plan
    }

    /// A fleet that nothing happens to.
    pub(crate) fn calm(seed: u64, daemons: usize, groups: usize) -> Self {
        let mut rng = Rng::new(seed, 2);
        let mut first = 0;
        let groups = (0..groups)
            .map(|n| {
                let count = if n == 0 { usize::try_from(rng.range(3, 4)).unwrap_or(3) } else { 2 };
                let nodes: Vec<NodeId> = (first..first + count).collect();
                first += count;
                GroupPlan {
                    name: format!("group{n}"),
                    priorities: vec![100; nodes.len()],
                    nodes,
                    quorum: u32::try_from(daemons / 2 + 1).unwrap_or(2),
                    down_after: Duration::from_millis(1000),
                    failover_timeout: Duration::from_millis(5000),
                    parallel_syncs: 1,
                    reboot_down_after: Duration::ZERO,
                    password: None,
                    scripts: false,
                    fast_down_after: Duration::ZERO,
                    mixed: Vec::new(),
                }
            })
            .collect();
        Self {
            seed,
            daemons,
            groups,
            latency: (50, 1_000),
            disk: (0, 5),
            acquainted: true,
            disks_lie: false,
            names: None,
            plain_switchover: false,
            funeral: false,
            rates: Vec::new(),
            slow: Vec::new(),
            mistakes: Quirks::default(),
            chaos: Duration::from_secs(30),
            steps: Vec::new(),
        }
    }

    /// The same plan, played by daemons that make a mistake on purpose.
    #[must_use]
    pub fn with_mistake(mut self, mistake: Mistake) -> Self {
        self.mistakes = Quirks::mistaken(mistake);
        self
    }

    /// The same plan on disks that take up to a second and a half for a write: much happens while one is under way.
    #[must_use]
    pub const fn on_slow_disks(mut self) -> Self {
        self.disk = (100, 1500);
        self
    }

    /// The same plan without one of its steps.
    #[must_use]
    pub fn without(&self, step: usize) -> Self {
        let mut plan = self.clone();
        plan.steps.remove(step);
        plan
    }

    /// How many things happen in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing happens in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(crate) fn node_count(&self) -> usize {
        self.groups.iter().map(|group| group.nodes.len()).sum()
    }

    /// The group of a data node.
    pub(crate) fn group_of(&self, node: NodeId) -> usize {
        self.groups.iter().position(|group| group.nodes.contains(&node)).unwrap_or(0)
    }
}

impl GroupPlan {
    fn vary(&mut self, daemons: usize, rng: &mut Rng) {
        if rng.chance(250) {
            self.quorum = u32::try_from(rng.range(1, daemons as u64 - 1)).unwrap_or(1);
        }
        self.down_after = Duration::from_millis(rng.range(4, 30) * 100);
        self.failover_timeout = Duration::from_secs(rng.range(3, 12));
        self.parallel_syncs = if rng.chance(500) { 1 } else { 3 };
        if rng.chance(150) {
            self.reboot_down_after = Duration::from_secs(rng.range(1, 6));
        }
        self.password = rng.chance(250).then(|| "a secret".to_owned());
        self.scripts = rng.chance(200);
        for priority in &mut self.priorities {
            *priority = if rng.chance(200) { 50 } else { 100 };
        }
        if self.priorities.len() > 2 && rng.chance(150) {
            let last = self.priorities.len() - 1;
            self.priorities[last] = 0;
        }
        if rng.chance(250) {
            self.fast_down_after = rng.millis(20, 500);
        }
        if rng.chance(200) {
            self.mixed = (0..daemons)
                .map(|_| {
                    let quorum = u32::try_from(rng.range(1, daemons as u64)).unwrap_or(1);
                    (quorum, Duration::from_millis(rng.range(4, 30) * 100))
                })
                .collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn a_seed_is_one_plan() {
        assert_eq!(format!("{:?}", Plan::from_seed(5)), format!("{:?}", Plan::from_seed(5)));
        assert_ne!(format!("{:?}", Plan::from_seed(5)), format!("{:?}", Plan::from_seed(6)));
    }

    #[test]
    fn a_step_can_be_left_out() {
        let plan = Plan::from_seed(5);
        assert_eq!(plan.without(0).len() + 1, plan.len());
        assert!(!plan.is_empty());
    }
}
