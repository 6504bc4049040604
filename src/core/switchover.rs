//! The planned switchover: SENTINEL FAILOVER on a primary that answers. It loses nothing, and what can't be done in time
//! is undone.
//!
//! The primary holds writes back (CLIENT PAUSE WRITE), the candidate takes in what is on its way, the primary becomes
//! the candidate's replica, and only then is the candidate promoted: whoever fails at whatever moment, no second primary
//! is left behind. The steps follow each other as fast as answers come, for clients wait meanwhile. Nothing is saved
//! between the attempt's own epoch and the commit, for nothing before the commit is told to anybody: a daemon that dies
//! in between leaves a pause that ends by itself, or a primary that says it is a replica, which the other daemons count as
//! down and replace.

mod sides;
mod steps;

use std::collections::BTreeSet;
use std::time::Duration;

use super::action::{Level, Observation, Phase};
use super::group::{Failover, Group, Which};
use super::ids::ConnId;
use super::instance::{Instance, Role};
use super::link::Tag;
use super::select::{Candidate, best};
use super::shared::{Cx, Shared, half, words};
use super::time::Time;
use crate::resp::Reply;

/// After +OK a second SENTINEL FAILOVER is told for so long that one is in progress, however fast the first one was.
const AGAIN: Duration = Duration::from_secs(1);
/// The reply where nobody could be promoted.
pub(crate) const NOBODY_FIT: &str = "NOGOODSLAVE No suitable replica to promote";
/// Longest that a primary is asked to hold writes back unless `switchover-pause-milliseconds` says otherwise.
pub(crate) const DEFAULT_PAUSE: Duration = Duration::from_secs(1);
/// The first version that can hold back writes alone.
const PAUSES_WRITES: (u32, u32) = (6, 2);

/// Where a planned switchover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Both are asked whether it can work; nothing is touched.
    Compare,
    /// The primary was asked to hold writes back, and how far it is.
    Pause,
    /// The candidate takes in what the primary had sent.
    CatchUp,
    /// The primary was told to follow the candidate.
    Demote,
    /// The candidate was promoted; the commit is [`super::group::State::WaitPromotion`]'s.
    Promote,
    /// The candidate is no primary: the old one was told to be one again.
    Restore,
}

/// What a request of a switchover asked for. The number tells the latest one from earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// INFO of the primary.
    Primary(u64),
    /// INFO of the candidate.
    Candidate(u64),
    /// A change at the primary: CLIENT PAUSE, SLAVEOF.
    Order(u64),
    /// CLIENT UNPAUSE: only a refusal matters.
    Release,
}

/// One side, as it answers about itself.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// The connection of the last request: a request is lost with its connection.
    pub(crate) conn: Option<ConnId>,
    pub(crate) number: u64,
    pub(crate) report: Option<Report>,
    pub(crate) reported_at: Option<Time>,
}

/// What INFO says of replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) role: Role,
    pub(crate) history: String,
    /// Bytes of the stream that it has sent on, or could.
    pub(crate) stream: u64,
    /// Replicas: bytes taken in, whom they follow, and whether that link stands.
    pub(crate) applied: u64,
    pub(crate) follows: Option<(String, u16)>,
    pub(crate) link_up: bool,
}

impl Report {
    /// Nothing unless it tells its role.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = |name: &str| field(name).and_then(|value| value.parse().ok());
        let role = match field("role")? {
            "master" => Role::Primary,
            "slave" => Role::Replica,
            _ => return None,
        };
        let port = field("master_port").and_then(|port| port.parse().ok());
        Some(Self {
            role,
            history: field("master_replid").unwrap_or_default().to_owned(),
            stream: number("master_repl_offset").unwrap_or(0),
            applied: number("slave_repl_offset").unwrap_or(0),
            follows: field("master_host").map(str::to_owned).zip(port),
            link_up: field("master_link_status") == Some("up"),
        })
    }
}

/// What SENTINEL FAILOVER asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// What the configuration says.
    Plain,
    /// Valkey's COORDINATED: nothing may be lost, whatever the configuration says.
    Coordinated,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Switchover {
    pub(crate) step: Step,
    pub(crate) step_at: Time,
    pub(crate) wanted: Wanted,
    pub(crate) primary: Side,
    pub(crate) candidate: Side,
    /// Number and answer of the last order to the primary.
    pub(crate) order: u64,
    pub(crate) ordered: Option<Result<(), String>>,
    pub(crate) next: u64,
    /// When writes were asked to be held back.
    pub(crate) paused_at: Time,
    /// How far the primary was when it was first asked: a candidate that gets there takes in the stream.
    pub(crate) seen: Option<u64>,
    /// What the candidate must have taken in.
    pub(crate) target: u64,
    /// The replication id that both had when the old primary was demoted.
    pub(crate) history: String,
    /// The connection on which the candidate was told to be a primary.
    pub(crate) told_on: Option<ConnId>,
    /// When a question was last asked again, and how often in this step.
    pub(crate) again_at: Time,
    pub(crate) asked: u32,
}

impl Switchover {
    const fn new(wanted: Wanted, now: Time) -> Self {
        const NOBODY: Side = Side { conn: None, number: 0, report: None, reported_at: None };
        Self {
            step: Step::Compare,
            step_at: now,
            wanted,
            primary: NOBODY,
            candidate: NOBODY,
            order: 0,
            ordered: None,
            next: 0,
            paused_at: now,
            seen: None,
            target: 0,
            history: String::new(),
            told_on: None,
            again_at: now,
            asked: 0,
        }
    }

    /// Enters a step; answers to earlier questions are void.
    pub(crate) fn enter(&mut self, step: Step, now: Time) {
        self.step = step;
        self.step_at = now;
        self.again_at = now;
        self.asked = 0;
        self.ordered = None;
        self.order = 0;
        self.primary = Side::default();
        self.candidate = Side::default();
    }

    pub(crate) const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Group {
    /// Whether SENTINEL FAILOVER is a planned switchover here, or else a forced failover. The error is the reply's text.
    pub(crate) fn may_be_ordered(
        &self,
        wanted: Wanted,
        reachable: bool,
        running: bool,
        shared: &Shared,
        now: Time,
    ) -> Result<bool, &'static str> {
        let again = self.asked_at.is_some_and(|at| now < at + AGAIN);
        if running || again {
            return Err("INPROG Failover already in progress");
        }
        let planned = match wanted {
            Wanted::Coordinated if !reachable => return Err("NOGOODPRIMARY Primary is not reachable"),
            Wanted::Coordinated => true,
            Wanted::Plain => reachable && !shared.node.plain_switchover,
        };
        if planned && self.primary_is_too_old() {
            return Err(
                "NOGOODPRIMARY Primary does not support CLIENT PAUSE WRITE, which came with version 6.2",
            );
        }
        Ok(planned)
    }

    /// SENTINEL FAILOVER is carried out.
    pub(crate) fn ordered(&mut self, cx: &mut Cx<'_>) {
        cx.log(Level::Notice, Some(self), format!("Executing user requested FAILOVER of '{}'", self.name));
        self.asked_at = Some(cx.now);
    }

    /// SENTINEL FAILOVER. The error is the reply's text.
    pub(crate) fn manual_failover(&mut self, wanted: Wanted, cx: &mut Cx<'_>) -> Result<(), &'static str> {
        let running = self.failover.is_some() || self.is_adopting(cx);
        let reachable = self.primary_is_reachable(cx);
        let planned = self.may_be_ordered(wanted, reachable, running, cx.shared, cx.now)?;
        // Whether a replica is linked by now is asked afresh: what is known may be an INFO period old.
        if self.choose(false, cx).is_none() {
            return Err(NOBODY_FIT);
        }
        self.ordered(cx);
        self.start(true, planned.then(|| Switchover::new(wanted, cx.now)), cx);
        Ok(())
    }

    /// It answers, and as a primary.
    fn primary_is_reachable(&self, cx: &Cx<'_>) -> bool {
        !self.primary.is_down()
            && self.odown_since.is_none()
            && cx.local_ip(self.primary.link).is_some()
            && self.primary.data().is_some_and(|data| data.role == Role::Primary)
    }

    pub(crate) fn primary_is_too_old(&self) -> bool {
        let text = self.primary.data().and_then(|data| data.info_text.as_deref());
        let version = text.and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| {
            let version = text.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
            let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
            Some((numbers.next()?, numbers.next()?))
        });
        version.is_some_and(|version| version < PAUSES_WRITES)
    }

    /// The replica to promote. A planned switchover waits for none that has no link to the primary.
    pub(crate) fn choose(&self, planned: bool, cx: &Cx<'_>) -> Option<String> {
        let mut candidates = self.candidates(cx);
        if planned {
            for candidate in &mut candidates {
                candidate.unfit |= candidate.stray || !self.is_linked(candidate);
            }
        }
        best(&candidates).map(|candidate| candidate.name.clone())
    }

    fn is_linked(&self, candidate: &Candidate) -> bool {
        self.replicas.get(&candidate.name).and_then(Instance::data).is_some_and(|data| data.link_up)
    }

    /// How long the primary is asked to hold writes back. Other daemons' hellos are held as well, and their PINGs behind
    /// them: never so long that the primary could look down.
    pub(crate) fn write_pause(&self, cx: &Cx<'_>) -> Duration {
        let wish = cx.shared.node.switchover_pause.get(&self.name).copied().unwrap_or(DEFAULT_PAUSE);
        wish.min(half(self.options.down_after)).max(Duration::from_millis(1))
    }

    /// Whether a PUBLISH to that instance would wait, and everything behind it.
    pub(crate) fn holds_writes(&self, which: &Which, now: Time) -> bool {
        *which == Which::Primary && self.writes_held_until.is_some_and(|until| now < until)
    }

    /// Lets the primary take writes again, if they are held back.
    pub(crate) fn release_writes(&mut self, cx: &mut Cx<'_>) {
        if self.writes_held_until.is_none() {
            return;
        }
        let epoch = self.failover.as_ref().map_or(0, |failover| failover.epoch);
        let tag = Tag::Switchover { group: self.id, epoch, ask: Ask::Release };
        // Without a connection the pause ends by itself, and until then nothing is published there.
        if cx.local_ip(self.primary.link).is_some()
            && cx.send(self.primary.link, words([self.renamed("CLIENT"), "UNPAUSE"]), tag)
        {
            self.writes_held_until = None;
        }
    }

    /// The old primary's clients are sent away: where they ask next they hear of the new one.
    pub(crate) fn send_clients_away(&mut self, cx: &mut Cx<'_>) {
        if self.failover.as_ref().is_none_or(|failover| failover.switchover.is_none()) {
            return;
        }
        let client = self.renamed("CLIENT");
        for kind in ["normal", "pubsub"] {
            cx.send(self.primary.link, words([client, "KILL", "TYPE", kind]), Tag::Ignore);
        }
        self.release_writes(cx);
        self.publish_hello(&Which::Primary, cx);
    }

    /// Takes the answer to a request of a switchover.
    pub(crate) fn switchover_answered(&mut self, ask: Ask, epoch: u64, reply: &Reply, cx: &mut Cx<'_>) {
        let report = || reply.text().and_then(Report::parse);
        if ask == Ask::Release {
            self.note_right("client|unpause", reply, cx);
            return;
        }
        let failover = self.failover.as_mut().filter(|failover| failover.epoch == epoch);
        let Some(switchover) = failover.and_then(|failover| failover.switchover.as_mut()) else { return };
        match ask {
            Ask::Primary(number) if number == switchover.primary.number => {
                switchover.primary.report = report();
                switchover.primary.reported_at = Some(cx.now);
            }
            Ask::Candidate(number) if number == switchover.candidate.number => {
                switchover.candidate.report = report();
                switchover.candidate.reported_at = Some(cx.now);
            }
            Ask::Order(number) if number == switchover.order => {
                let refusal = reply.text().filter(|_| matches!(reply, Reply::Error(_)));
                switchover.ordered = Some(refusal.map_or(Ok(()), |text| Err(text.to_owned())));
            }
            Ask::Primary(_) | Ask::Candidate(_) | Ask::Order(_) | Ask::Release => {}
        }
    }

    /// A right that a switchover needs is there, or is lacking: each is named once.
    pub(crate) fn note_right(&mut self, right: &'static str, reply: &Reply, cx: &mut Cx<'_>) {
        let missing = matches!(reply, Reply::Error(_)) && reply.text().is_some_and(is_no_right);
        let news =
            if missing { self.missing_rights.insert(right) } else { self.missing_rights.remove(right) };
        if !news {
            return;
        }
        cx.observe(Observation::Right { group: self.name.clone(), right, missing });
        if missing {
            let text = format!(
                "The user of this Sentinel at the instances of {} lacks the right +{right}: a planned switchover needs it",
                self.name
            );
            cx.log(Level::Warning, Some(self), text);
        }
    }
}

impl Failover {
    /// How long writes were held back, once the new primary is one.
    pub(crate) fn observe_pause(&self, cx: &mut Cx<'_>) {
        if let Some(switchover) = &self.switchover {
            let took = cx.now.since(switchover.paused_at);
            cx.observe(Observation::Phase { phase: Phase::Pause, took });
        }
    }
}

/// A refusal for lack of rights.
pub(crate) fn is_no_right(text: &str) -> bool {
    text.starts_with("NOPERM")
}

/// The rights that were found to be lacking.
pub(crate) type MissingRights = BTreeSet<&'static str>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_roles_report() {
        let primary = Report::parse("role:master\r\nmaster_replid:abc\r\nmaster_repl_offset:70\r\n").unwrap();
        assert_eq!((primary.role, primary.history.as_str(), primary.stream), (Role::Primary, "abc", 70));
        let replica = Report::parse(
            "role:slave\r\nmaster_host:::1\r\nmaster_port:6379\r\nmaster_link_status:up\r\nslave_repl_offset:69\r\n\
             master_replid:abc\r\nmaster_repl_offset:69\r\n",
        )
        .unwrap();
        assert_eq!((replica.role, replica.applied, replica.link_up), (Role::Replica, 69, true));
        assert_eq!(replica.follows, Some(("::1".to_owned(), 6379)));
        assert_eq!(Report::parse("# Server\r\nrun_id:x\r\n"), None);
    }
}
