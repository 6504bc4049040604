//! The rows of the table and what makes them.

use crate::common::{Chapter, Figure, Limit, Measure, Row};
use crate::{crowds, faults};

/// A figure of this program alone.
const fn own(id: &'static str, title: &'static str, unit: &'static str, figure: Figure, limit: f64) -> Row {
    Row { id, title, unit, digits: 0, figure, limit: Limit::Fixed(limit), comparable: false }
}

/// One that both have.
const fn both(id: &'static str, title: &'static str, unit: &'static str, figure: Figure, limit: f64) -> Row {
    Row { comparable: true, ..own(id, title, unit, figure, limit) }
}

const fn rest(id: &'static str, title: &'static str) -> Row {
    Row { digits: 2, ..own(id, title, "/s", Figure::Worst, 1.5) }
}

/// In the order of the table.
pub(crate) const CHAPTERS: &[Chapter] = &[
    Chapter {
        id: "kill",
        rows: &[
            own(
                "kill-service",
                "container killed, fast-down-after 100: first write through the Service",
                "ms",
                Figure::Median,
                300.0,
            ),
            both("kill-sentinel", "the same: first write of a Sentinel client", "ms", Figure::Median, 200.0),
        ],
        measure: Measure::Rounds(faults::kill),
    },
    Chapter {
        id: "silence",
        rows: &[
            both(
                "sdown-sentinel",
                "SIGSTOP, down-after 1000: from the first +sdown to the first write of a Sentinel client",
                "ms",
                Figure::Median,
                150.0,
            ),
            own(
                "sdown-service",
                "the same: to the first write through the Service",
                "ms",
                Figure::Median,
                150.0,
            ),
        ],
        measure: Measure::Rounds(faults::silence),
    },
    // Of the failovers above.
    Chapter {
        id: "writes",
        rows: &[
            own(
                "writes",
                "writes to the API in each of these failovers until the Service leads to the new primary",
                "",
                Figure::Worst,
                4.0,
            ),
            own("opinions", "and opinions, of each member", "", Figure::Worst, 1.0),
        ],
        measure: Measure::Rounds(|_, _, _| {}),
    },
    Chapter {
        id: "polite",
        rows: &[
            both("polite-lost", "Pod deleted politely: acknowledged writes lost", "", Figure::Always(0), 0.0),
            both(
                "polite-sentinel",
                "the same: pause of writes of a Sentinel client",
                "ms",
                Figure::Median,
                50.0,
            ),
            own(
                "polite-service",
                "the same: pause of writes through the Service",
                "ms",
                Figure::Median,
                50.0,
            ),
        ],
        measure: Measure::Rounds(faults::polite),
    },
    Chapter {
        id: "rest",
        rows: &[
            rest("rest-1", "writes to the API at rest, 3 members and 1 group"),
            rest("rest-100", "the same: 100 groups"),
            rest("rest-1000", "the same: 1,000 groups"),
            own(
                "memory",
                "memory of a member with 1,000 groups, one replica each",
                "MiB",
                Figure::Worst,
                100.0,
            ),
        ],
        measure: Measure::Rounds(crowds::rest),
    },
    Chapter {
        id: "mass",
        rows: &[Row {
            digits: 1,
            ..both("mass", "100 of 100 primaries lost at once: all served again", "s", Figure::Median, 5.0)
        }],
        measure: Measure::Rounds(crowds::mass),
    },
];
