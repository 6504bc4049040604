//! What was measured, what is allowed, and the table of both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Kind;

/// How the samples of one daemon become its figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// The median is held to the limit; the worst is shown beside it.
    Median,
    /// The worst is held to the limit; the median is shown beside it.
    Worst,
    /// Each sample must be exactly this.
    Always(u32),
    /// So many of ten samples must be nothing.
    NothingInTen(u32),
}

/// What vedette's figure must not exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// This.
    Fixed(f64),
    /// So much of redis-sentinel's figure of the same run.
    OfRedis(f64),
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// What `--rows` calls it.
    pub(crate) id: &'static str,
    /// What it says.
    pub(crate) title: &'static str,
    /// Unit of the samples; empty for counts.
    pub(crate) unit: &'static str,
    /// Digits after the point.
    pub(crate) digits: usize,
    /// What counts.
    pub(crate) figure: Figure,
    /// What is allowed.
    pub(crate) limit: Limit,
    /// Whether the genuine daemons can do this.
    pub(crate) comparable: bool,
}

/// The samples of all rows and daemons.
#[derive(Debug)]
pub(crate) struct Sheet {
    kinds: &'static [Kind],
    samples: BTreeMap<(&'static str, Kind), Vec<f64>>,
    broken: BTreeSet<(&'static str, Kind)>,
}

/// Whether a row's limit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    Missed,
    /// There is nothing to compare with in this run.
    Open,
}

impl Sheet {
    /// An empty one with a column for each of them.
    pub(crate) const fn new(kinds: &'static [Kind]) -> Self {
        Self { kinds, samples: BTreeMap::new(), broken: BTreeSet::new() }
    }

    /// Adds a sample, in the row's unit.
    pub(crate) fn add(&mut self, row: &'static str, kind: Kind, value: f64) {
        self.samples.entry((row, kind)).or_default().push(value);
    }

    /// The daemon broke off on the way. This program's samples then count for nothing; a genuine one's are shown.
    pub(crate) fn break_off(&mut self, row: &'static str, kind: Kind) {
        self.broken.insert((row, kind));
    }

    /// The samples of a row, in order.
    fn sorted(&self, row: &Row, kind: Kind) -> Vec<f64> {
        if kind == Kind::Vedette && self.broken.contains(&(row.id, kind)) {
            return Vec::new();
        }
        let mut samples = self.samples.get(&(row.id, kind)).cloned().unwrap_or_default();
        samples.sort_by(f64::total_cmp);
        samples
    }

    /// The number that is compared: the median, the worst, or how many samples out of ten are not nothing.
    fn figure(&self, row: &Row, kind: Kind) -> Option<f64> {
        let samples = self.sorted(row, kind);
        let worst = *samples.last()?;
        Some(match row.figure {
            Figure::Median => median(&samples),
            Figure::Worst | Figure::Always(_) => worst,
            Figure::NothingInTen(_) => 10.0 * nothing(&samples) as f64 / samples.len() as f64,
        })
    }

    /// Whether vedette's figure holds.
    pub(crate) fn verdict(&self, row: &Row) -> Verdict {
        let samples = self.sorted(row, Kind::Vedette);
        let Some(figure) = self.figure(row, Kind::Vedette) else { return Verdict::Missed };
        let allowed = match row.limit {
            Limit::Fixed(limit) => limit,
            Limit::OfRedis(share) => match self.figure(row, Kind::Redis) {
                Some(redis) => redis * share,
                None => return Verdict::Open,
            },
        };
        let holds = match row.figure {
            Figure::Median | Figure::Worst => figure <= allowed,
            Figure::Always(value) => samples.iter().all(|sample| *sample == f64::from(value)),
            Figure::NothingInTen(count) => figure >= f64::from(count),
        };
        if holds { Verdict::Holds } else { Verdict::Missed }
    }

    /// What a cell says.
    fn cell(&self, row: &Row, kind: Kind) -> String {
        let samples = self.sorted(row, kind);
        let broken = self.broken.contains(&(row.id, kind));
        let Some(worst) = samples.last() else {
            let none = if row.comparable || kind == Kind::Vedette { "-" } else { "none such" };
            return if broken { "broke off" } else { none }.to_owned();
        };
        let show = |value: f64| format!("{value:.*}", row.digits);
        let unit = if row.unit.is_empty() { String::new() } else { format!(" {}", row.unit) };
        let middle = show(median(&samples));
        let cell = match row.figure {
            Figure::NothingInTen(_) => {
                format!("none in {} of {} (median {middle})", nothing(&samples), samples.len())
            }
            _ if samples.len() == 1 => format!("{middle}{unit}"),
            Figure::Median => format!("{middle}{unit} (worst {})", show(*worst)),
            Figure::Worst => format!("{}{unit} (median {middle})", show(*worst)),
            Figure::Always(_) => format!("{} to {} (median {middle})", show(samples[0]), show(*worst)),
        };
        if broken { format!("{cell}, then broke off") } else { cell }
    }

    fn limit(row: &Row) -> String {
        let unit = if row.unit.is_empty() { String::new() } else { format!(" {}", row.unit) };
        match (row.figure, row.limit) {
            (Figure::Always(value), _) => format!("{value}, always"),
            (Figure::NothingInTen(count), _) => format!("none in {count} of 10"),
            (Figure::Worst, Limit::Fixed(limit)) => format!("never over {limit}{unit}"),
            (_, Limit::Fixed(limit)) => format!("at most {limit}{unit}"),
            (_, Limit::OfRedis(share)) => format!("at most {share:.1} of it"),
        }
    }

    /// vedette's figure as a share of redis-sentinel's.
    fn ratio(&self, row: &Row) -> String {
        let figures = (self.figure(row, Kind::Vedette), self.figure(row, Kind::Redis));
        match (row.figure, figures) {
            (Figure::NothingInTen(_), _) => "-".to_owned(),
            (_, (Some(vedette), Some(redis))) if redis > 0.0 => format!("{:.2}", vedette / redis),
            _ => "-".to_owned(),
        }
    }

    /// How many samples each daemon gave, if they are not the same for all: `10, 3, 10`.
    fn counts(&self, row: &Row) -> String {
        let mut counts: Vec<String> =
            self.kinds.iter().map(|kind| self.sorted(row, *kind).len().to_string()).collect();
        if counts.windows(2).all(|pair| pair[0] == pair[1]) {
            counts.truncate(1);
        }
        counts.join(", ")
    }

    /// The table as Markdown.
    pub(crate) fn table(&self, rows: &[&Row]) -> String {
        let columns = |show: &dyn Fn(Kind) -> String| {
            self.kinds.iter().map(|kind| format!(" {} |", show(*kind))).collect::<String>()
        };
        let mut text = format!(
            "| figure |{} of redis | limit | holds | samples |\n| --- |{} ---: | --- | --- | --- |\n",
            columns(&|kind| kind.title().to_owned()),
            columns(&|_| "---".to_owned()),
        );
        for row in rows {
            let holds = match self.verdict(row) {
                Verdict::Holds => "yes",
                Verdict::Missed => "**NO**",
                Verdict::Open => "not compared",
            };
            let _ = writeln!(
                text,
                "| {} |{} {} | {} | {holds} | {} |",
                row.title,
                columns(&|kind| self.cell(row, kind)),
                self.ratio(row),
                Self::limit(row),
                self.counts(row)
            );
        }
        text
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

fn nothing(samples: &[f64]) -> usize {
    samples.iter().filter(|sample| **sample == 0.0).count()
}
