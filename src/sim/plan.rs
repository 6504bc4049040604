//! What one run will do: fleet, groups, network, faults and the operator's words, all from one seed.

use std::time::Duration;

use super::rng::Rng;

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
    /// After the healing the primaries die for good.
    pub(crate) funeral: bool,
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
}

/// Something that happens at a time after the discovery.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) after: Duration,
    pub(crate) what: What,
}

/// A machine: a daemon's or a data node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Daemon(DaemonId),
    Node(NodeId),
    /// The data node that a group's first daemon holds for the primary at that moment.
    PrimaryOf(usize),
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The process ends; with `power` the whole machine, so that nobody is told. It is back after `lasts`.
    Kill { who: Who, lasts: Duration, power: bool, lose_data: bool, loading: Duration },
    /// SIGSTOP and, after `lasts`, SIGCONT.
    Pause { who: Who, lasts: Duration },
    /// No packet from `from` reaches `to`; both ways unless `one_way`.
    Cut { from: Who, to: Who, one_way: bool, lasts: Duration },
    /// One side hears nothing of the other.
    Partition { side: Vec<Who>, lasts: Duration },
    /// All connections of a machine are reset.
    Reset { who: Who },
    /// The path between two machines is slow.
    Slow { from: Who, to: Who, latency: Duration, lasts: Duration },
    /// A daemon's disk takes this long for a write.
    SlowDisk { daemon: DaemonId, write: Duration, lasts: Duration },
    /// A daemon's disk refuses writes.
    BrokenDisk { daemon: DaemonId, lasts: Duration },
    /// A daemon's resolver finds nothing.
    Deaf { daemon: DaemonId, lasts: Duration },
    /// A data node runs a script.
    Busy { who: Who, lasts: Duration, killable: bool },
    /// Somebody tells a replica to follow an address where nobody is.
    Mislead { node: NodeId, to: NodeId },
    /// Somebody promotes a replica by hand.
    Stray { node: NodeId },
    /// SENTINEL FAILOVER, at one daemon.
    Failover { daemon: DaemonId, group: usize },
    /// SENTINEL SIMULATE-FAILURE.
    Simulate { daemon: DaemonId, flag: &'static str },
    /// SENTINEL FLUSHCONFIG.
    Flush { daemon: DaemonId },
    /// SENTINEL SET of the quorum, at one daemon.
    SetQuorum { daemon: DaemonId, group: usize, quorum: u32 },
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
        // From dice of its own: runs that were there before stay what they were.
        let mut rng = Rng::new(seed, 20);
        for group in &mut plan.groups {
            if rng.chance(250) {
                group.fast_down_after = rng.millis(20, 500);
            }
        }
        for _ in 0..rng.range(2, 14) {
            let after = Duration::from_millis(rng.below(u64::try_from(plan.chaos.as_millis()).unwrap_or(0)));
            let what = plan.draw(&mut rng);
            plan.steps.push(Step { after, what });
        }
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
            funeral: false,
            chaos: Duration::from_secs(30),
            steps: Vec::new(),
        }
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

    fn anybody(&self, rng: &mut Rng) -> Who {
        match rng.below(10) {
            0..3 => Who::PrimaryOf(rng.index(self.groups.len())),
            3..6 => Who::Node(rng.index(self.node_count())),
            _ => Who::Daemon(rng.index(self.daemons)),
        }
    }

    fn draw(&self, rng: &mut Rng) -> What {
        let who = self.anybody(rng);
        let daemon = rng.index(self.daemons);
        let node = rng.index(self.node_count());
        let group = rng.index(self.groups.len());
        let lasts = match rng.below(4) {
            0 => rng.millis(10, 500),
            1 | 2 => rng.millis(500, 5_000),
            _ => rng.millis(5_000, 30_000),
        };
        match rng.below(100) {
            0..24 => {
                let loading = if rng.chance(300) { rng.millis(100, 8_000) } else { Duration::ZERO };
                What::Kill { who, lasts, power: rng.chance(300), lose_data: rng.chance(200), loading }
            }
            24..36 => What::Pause { who, lasts },
            36..48 => What::Cut { from: who, to: self.anybody(rng), one_way: rng.chance(300), lasts },
            48..60 => {
                let mut side: Vec<Who> = (0..self.daemons).map(Who::Daemon).collect();
                side.extend((0..self.node_count()).map(Who::Node));
                side.retain(|_| rng.chance(500));
                What::Partition { side, lasts }
            }
            60..66 => What::Reset { who },
            66..70 => What::Slow { from: who, to: self.anybody(rng), latency: rng.millis(50, 900), lasts },
            70..75 => What::SlowDisk { daemon, write: rng.millis(100, 3_000), lasts },
            75..78 => What::BrokenDisk { daemon, lasts },
            78 if self.names.is_some() => What::Deaf { daemon, lasts },
            78..81 => What::Busy { who, lasts, killable: rng.chance(700) },
            81..84 => What::Mislead { node, to: rng.index(self.node_count()) },
            84..87 => What::Stray { node },
            87..94 => What::Failover { daemon, group },
            94..97 => {
                let flag = if rng.chance(500) { "crash-after-election" } else { "crash-after-promotion" };
                What::Simulate { daemon, flag }
            }
            97..99 => What::Flush { daemon },
            _ => {
                let quorum = u32::try_from(rng.range(1, self.daemons as u64)).unwrap_or(1);
                What::SetQuorum { daemon, group, quorum }
            }
        }
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
