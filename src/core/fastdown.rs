//! `vedette fast-down-after-milliseconds`: a primary whose host refuses connections, and whom every replica has lost,
//! counts as down before down-after is over.
//!
//! Two kinds of evidence are kept, each with its first and last moment: refused connections, and INFO of the replicas
//! that says `master_link_status:down`. A silent network gives neither of them. While connections are refused both are
//! sought at a quick pace; a gap, a connection that stands, or a replica whose link is up, and it begins anew.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::Observation;
use super::group::{Group, Which};
use super::instance::{Instance, Kind, Role};
use super::link::{Conn, Tag};
use super::shared::Cx;
use super::time::Time;

/// How often the evidence is renewed: this part of the time that it must hold for, within bounds.
const PACE_PART: u32 = 4;
const MIN_PACE: Duration = Duration::from_millis(20);
const MAX_PACE: Duration = Duration::from_millis(100);
/// Evidence that was not renewed for so many paces, and this time for the way there and back, has a gap.
const GAP: u32 = 4;
const WAY: Duration = Duration::from_millis(250);

/// Evidence that was seen again and again without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// It was so at this moment,
    from: Time,
    /// and last at this one.
    upto: Time,
}

impl Row {
    /// Continued by something that was asked at `asked` and answered at `now`; begun anew after a gap.
    fn go_on(row: Option<Self>, asked: Time, now: Time, gap: Duration) -> Self {
        match row {
            Some(row) if now.since(row.upto) <= gap => Self { upto: row.upto.max(asked), ..row },
            Some(_) | None => Self { from: now, upto: now },
        }
    }
}

fn gap(pace: Duration) -> Duration {
    pace * GAP + WAY
}

/// What speaks for the primary's death.
#[derive(Debug, Default)]
pub(crate) struct FastDown {
    /// Connections to the primary were refused.
    refused: Option<Row>,
    /// Replicas that have lost it, by name.
    lost: BTreeMap<String, Row>,
    /// The evidence held for long enough, and nothing has spoken against it since.
    down: bool,
}

impl FastDown {
    /// Whether the primary counts as down for it.
    pub(crate) const fn down(&self) -> bool {
        self.down
    }

    /// Something shows that the primary lives.
    pub(crate) fn contradict(&mut self) {
        *self = Self::default();
    }
}

impl Group {
    /// How often evidence is sought now; nothing while there is no reason to.
    fn pace(&self, cx: &Cx<'_>) -> Option<Duration> {
        let after = self.options.fast_down_after;
        // Once down-after is over it makes no difference any more.
        let silent = cx.shared.links.get(self.primary.link)?.silent_since()?;
        let open = !after.is_zero() && cx.now.since(silent) < self.options.down_after;
        open.then(|| (after / PACE_PART).clamp(MIN_PACE, MAX_PACE))
    }

    /// How long to wait after an attempt to connect to an instance, if evidence may come of the next one.
    pub(crate) fn retry_pace(&self, which: &Which, cx: &Cx<'_>) -> Option<Duration> {
        self.pace(cx).filter(|_| *which == Which::Primary)
    }

    /// How often a replica is asked for INFO, if it may be evidence.
    pub(crate) fn evidence_pace(&self, instance: &Instance, cx: &Cx<'_>) -> Option<Duration> {
        self.pace(cx).filter(|_| instance.kind == Kind::Replica && self.fast.refused.is_some())
    }

    /// A connection was refused.
    pub(crate) fn refused(&mut self, which: &Which, cx: &mut Cx<'_>) {
        if *which != Which::Primary {
            return;
        }
        let Some(pace) = self.pace(cx) else { return };
        let asked = cx
            .shared
            .links
            .get(self.primary.link)
            .and_then(|link| link.command_retry.tried_at)
            .unwrap_or(cx.now);
        let first = self.fast.refused.is_none();
        self.fast.refused = Some(Row::go_on(self.fast.refused, asked, cx.now, gap(pace)));
        if first {
            self.ask_replicas_info(cx);
        }
        self.weigh(cx);
    }

    /// A replica has answered INFO.
    pub(crate) fn reported(&mut self, which: &Which, cx: &mut Cx<'_>) {
        let Which::Replica(name) = which else { return };
        let Some(pace) = self.pace(cx).filter(|_| self.fast.refused.is_some()) else { return };
        let Some(replica) = self.replicas.get(name) else { return };
        let (link, Some(data)) = (replica.link, replica.data()) else { return };
        let host = data.primary_host.as_deref().unwrap_or_default();
        let follows = data.role == Role::Replica
            && cx.shared.names.equals(&self.primary.address, host, data.primary_port);
        if !follows {
            self.fast.lost.remove(name);
            return;
        }
        // Another answer is to come, so this one is to an earlier question: how old it is can't be known.
        let command = cx.shared.links.get(link).and_then(|link| link.command.as_ref());
        if command.is_some_and(|conn| conn.pending.iter().any(|tag| matches!(tag, Tag::Info(_)))) {
            return;
        }
        if data.link_up {
            self.fast.contradict();
            return;
        }
        let asked = data.info_sent_at.unwrap_or(cx.now);
        let row = Row::go_on(self.fast.lost.get(&replica.name).copied(), asked, cx.now, gap(pace));
        self.fast.lost.insert(name.clone(), row);
        self.weigh(cx);
    }

    /// Whether all that can be heard has said so for long enough.
    fn weigh(&mut self, cx: &mut Cx<'_>) {
        let (Some(pace), Some(refused), false) = (self.pace(cx), self.fast.refused, self.fast.down) else {
            return;
        };
        let stands = |conn: &Option<Conn>| conn.as_ref().is_some_and(|conn| conn.local.is_some());
        let links = &cx.shared.links;
        if links.get(self.primary.link).is_none_or(|link| stands(&link.command) || stands(&link.pubsub)) {
            return;
        }
        let (mut from, mut upto) = (refused.from, refused.upto);
        let mut witnesses = 0;
        for replica in self.replicas.values() {
            // Who is not there himself can say nothing, neither for nor against.
            let there = links.get(replica.link).is_some_and(|link| stands(&link.command));
            if replica.is_down() || !there {
                continue;
            }
            let Some(row) = self.fast.lost.get(&replica.name) else { return };
            from = from.max(row.from);
            upto = upto.min(row.upto);
            witnesses += 1;
        }
        let fresh = cx.now.since(upto) <= gap(pace);
        if witnesses > 0 && fresh && upto.since(from) >= self.options.fast_down_after {
            self.fast.down = true;
            cx.observe(Observation::FastDown);
            cx.shared.touched.insert(self.id);
        }
    }
}
