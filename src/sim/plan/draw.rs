//! Draws what happens.

use std::time::Duration;

use super::{File, Plan, What, Who};
use crate::sim::rng::Rng;

impl Plan {
    fn anybody(&self, rng: &mut Rng) -> Who {
        match rng.below(10) {
            0..3 => Who::PrimaryOf(rng.index(self.groups.len())),
            3..6 => Who::Node(rng.index(self.node_count())),
            _ => Who::Daemon(rng.index(self.daemons)),
        }
    }

    fn some_machines(&self, rng: &mut Rng) -> Vec<Who> {
        let mut side: Vec<Who> = (0..self.daemons).map(Who::Daemon).collect();
        side.extend((0..self.node_count()).map(Who::Node));
        side.retain(|_| rng.chance(500));
        side
    }

    pub(super) fn draw(&self, rng: &mut Rng) -> What {
        let who = self.anybody(rng);
        let daemon = rng.index(self.daemons);
        let node = rng.index(self.node_count());
        let group = rng.index(self.groups.len());
        let lasts = match rng.below(4) {
            0 => rng.millis(10, 500),
            1 | 2 => rng.millis(500, 5_000),
            _ => rng.millis(5_000, 30_000),
        };
        match rng.below(120) {
            0..24 => {
                let loading = if rng.chance(300) { rng.millis(100, 8_000) } else { Duration::ZERO };
                let file = match rng.below(10) {
                    0 => File::Old,
                    1 => File::Lost,
                    _ => File::Kept,
                };
                What::Kill { who, lasts, power: rng.chance(300), lose_data: rng.chance(200), loading, file }
            }
            24..36 => What::Pause { who, lasts },
            36..48 => What::Cut { from: who, to: self.anybody(rng), one_way: rng.chance(400), lasts },
            48..60 => What::Partition { side: self.some_machines(rng), one_way: rng.chance(300), lasts },
            60..66 => What::Reset { who },
            66..70 => What::Slow { from: who, to: self.anybody(rng), latency: rng.millis(50, 900), lasts },
            70..75 => What::SlowDisk { daemon, write: rng.millis(100, 3_000), lasts },
            75..78 => What::BrokenDisk { daemon, lasts },
            78 if self.names.is_some() => What::Deaf { daemon, lasts },
            78..81 => What::Busy { who, lasts, killable: rng.chance(700) },
            81..84 => What::Mislead { node, to: rng.index(self.node_count()) },
            84..87 => What::Stray { node },
            87..96 => What::Failover { daemon, group },
            96..99 => {
                let flag = if rng.chance(500) { "crash-after-election" } else { "crash-after-promotion" };
                What::Simulate { daemon, flag }
            }
            99..101 => What::Flush { daemon },
            101..105 => self.draw_set(daemon, group, rng),
            105..110 => What::Late { permille: rng.range(5, 200), by: rng.millis(20, 3_000), lasts },
            110..115 => What::Forget { daemon, group },
            _ => What::Remove { daemon, group, lasts },
        }
    }

    fn draw_set(&self, daemon: usize, group: usize, rng: &mut Rng) -> What {
        let (option, value) = match rng.below(5) {
            0 => ("quorum", rng.range(1, self.daemons as u64)),
            1 => ("down-after-milliseconds", rng.range(4, 30) * 100),
            2 => ("failover-timeout", rng.range(3, 12) * 1000),
            3 => ("parallel-syncs", rng.range(1, 3)),
            _ => ("master-reboot-down-after-period", rng.below(6) * 1000),
        };
        What::Set { daemon, group, option, value }
    }
}
