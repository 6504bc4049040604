//! The rows of the table and what makes them.

use super::{faults, groups, load, moves, short};
use crate::common::{Chapter, Figure, Limit, Measure, Row};

const fn row(id: &'static str, title: &'static str, unit: &'static str, figure: Figure, limit: f64) -> Row {
    Row { id, title, unit, digits: 0, figure, limit: Limit::Fixed(limit), comparable: true }
}

/// A median that is held against redis-sentinel's.
const fn share(id: &'static str, title: &'static str, unit: &'static str, digits: usize, share: f64) -> Row {
    let limit = Limit::OfRedis(share);
    Row { id, title, unit, digits, figure: Figure::Median, limit, comparable: true }
}

/// In the order of the table.
pub(crate) const CHAPTERS: &[Chapter] = &[
    Chapter {
        id: "kill",
        rows: &[
            row("kill-write", "kill -9: first write at the new primary", "ms", Figure::Median, 1080.0),
            row("sdown-write", "from the first +sdown to the first write", "ms", Figure::Median, 60.0),
            row(
                "answers",
                "from the replica being primary to every daemon answering so",
                "ms",
                Figure::Median,
                30.0,
            ),
            row("switches", "last +switch-master after the first", "ms", Figure::Median, 30.0),
            row(
                "linked",
                "from the replica being primary to the other replicas linked",
                "ms",
                Figure::Median,
                50.0,
            ),
        ],
        measure: Measure::Rounds(faults::kill),
    },
    Chapter {
        id: "stop",
        rows: &[
            row("stop-first", "SIGSTOP: first detection after down-after", "ms", Figure::Median, 110.0),
            row("stop-worst", "SIGSTOP: any daemon's detection after down-after", "ms", Figure::Worst, 200.0),
            row(
                "cont-writes",
                "SIGSTOP: the old primary takes writes after SIGCONT for",
                "ms",
                Figure::Median,
                150.0,
            ),
        ],
        measure: Measure::Rounds(faults::stop),
    },
    Chapter {
        id: "move",
        rows: &[
            row(
                "lost-follower",
                "SENTINEL FAILOVER: acknowledged writes lost by a client that follows the events",
                "",
                Figure::Always(0),
                0.0,
            ),
            row("lost-stubborn", "the same by a client that does not", "", Figure::Always(0), 0.0),
            row("pause", "SENTINEL FAILOVER: pause of writes", "ms", Figure::Median, 25.0),
        ],
        measure: Measure::Rounds(moves::planned),
    },
    Chapter {
        id: "short",
        rows: &[row(
            "switches-300",
            "kill -9, down-after 300: +switch-master per fault and daemon",
            "",
            Figure::Always(1),
            1.0,
        )],
        measure: Measure::Rounds(short::switches),
    },
    Chapter {
        id: "reboot",
        rows: &[row(
            "reboot",
            "primary back empty after 0.3 s, master-reboot-down-after-period 200: writes lost of 1000",
            "",
            Figure::NothingInTen(9),
            0.0,
        )],
        measure: Measure::Rounds(short::reboot),
    },
    Chapter {
        id: "fast",
        rows: &[Row {
            comparable: false,
            ..row(
                "fast",
                "kill -9 with fast-down-after-milliseconds 100: first write",
                "ms",
                Figure::Median,
                250.0,
            )
        }],
        measure: Measure::Rounds(short::fast),
    },
    Chapter {
        id: "peers",
        rows: &[Row { digits: 2, ..row("peers", "all peers known after start", "s", Figure::Median, 0.3) }],
        measure: Measure::Rounds(short::peers),
    },
    Chapter {
        id: "query",
        rows: &[
            share("query-1", "CPU for one GET-MASTER-ADDR-BY-NAME: 1 connection", "us", 2, 1.1),
            share("query-50", "the same: 50 connections", "us", 2, 1.1),
            share("query-16", "the same: 50 connections, pipelined 16", "us", 2, 1.1),
        ],
        measure: Measure::Turns(1, load::queries),
    },
    Chapter {
        id: "idle",
        rows: &[
            share(
                "memory-100",
                "idle at 100 groups (down-after 30000), one replica each: memory",
                "MB",
                1,
                1.0,
            ),
            share("memory-500", "the same at 500 groups: memory", "MB", 1, 1.0),
            share("cpu-100", "idle at 100 groups: CPU", "ms/s", 1, 1.0),
            share("cpu-500", "idle at 500 groups: CPU", "ms/s", 1, 1.0),
            share("descriptors", "the same: descriptors per group", "", 2, 1.0),
            share("packets", "the same: packets per group and second", "", 1, 1.0),
            row("start-500", "start with 500 groups: no answer to PING for", "ms", Figure::Worst, 100.0),
        ],
        measure: Measure::Turns(groups::DAEMONS, groups::idle),
    },
    Chapter {
        id: "clients",
        rows: &[Row {
            digits: 1,
            ..row("clients", "10,000 idle client connections, each", "KiB", Figure::Median, 5.3)
        }],
        measure: Measure::Rounds(load::clients),
    },
    Chapter {
        id: "mass",
        rows: &[Row {
            digits: 1,
            ..row(
                "mass",
                "100 of 100 primaries lost at once: all failed over everywhere",
                "s",
                Figure::Median,
                2.3,
            )
        }],
        measure: Measure::Rounds(groups::mass),
    },
    Chapter {
        id: "subs",
        rows: &[Row {
            digits: 1,
            ..row(
                "subscribers",
                "+switch-master to 1,000 subscribers: last after first",
                "ms",
                Figure::Median,
                22.0,
            )
        }],
        measure: Measure::Rounds(load::subscribers),
    },
];
