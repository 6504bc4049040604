//! O_DOWN: the opinions of the peers, asked for and answered.

use super::action::{Level, Observation, Phase};
use super::ballot::Ballot;
use super::group::{Group, Which};
use super::hello::is_run_id;
use super::instance::Instance;
use super::link::{MAX_PENDING, Tag};
use super::shared::{Cx, words};
use super::spread;
use super::time::Time;
use crate::resp::Reply;

/// An opinion older than so many ask-periods is none.
const STALE: u32 = 5;
/// A peer is not asked again sooner, whatever happens.
const MIN_ASK: std::time::Duration = std::time::Duration::from_millis(20);
/// How far apart daemons of neighbouring rank begin an election.
pub(crate) const RANK_STEP_MS: u64 = 60;
/// By how much later than others a daemon that knows of nobody to promote makes its next attempt: by more than Sentinel's
/// bit of chance, and what a slow disk takes to save a vote before others are asked for theirs.
const HINDMOST: std::time::Duration = std::time::Duration::from_secs(3);
/// The part left to chance, so that two daemons that rank themselves alike part in the end.
const CHANCE_MS: u64 = 15;

impl Group {
    /// The primary just became subjectively down: candidates are asked for fresh INFO, peers for their opinion.
    pub(crate) fn primary_went_down(&mut self, cx: &mut Cx<'_>) {
        self.ask_everybody();
        self.ask_replicas_info(cx);
    }

    /// Asks INFO of all replicas at once.
    pub(crate) fn ask_replicas_info(&mut self, cx: &mut Cx<'_>) {
        for name in self.replicas.names().cloned().collect::<Vec<_>>() {
            self.ask_info(&Which::Replica(name), cx);
        }
    }

    /// Counts opinions: `+odown`, `-odown`.
    pub(crate) fn count_opinions(&mut self, cx: &mut Cx<'_>) {
        self.void_stale_opinions(cx);
        let opinions =
            1 + self.peers.values().filter_map(Instance::peer).filter(|peer| peer.says_down).count();
        let quorum = usize::try_from(self.options.quorum).unwrap_or(usize::MAX);
        let down = self.primary.is_down() && opinions >= quorum;
        if down && self.odown_since.is_none() {
            self.odown_since = Some(cx.now);
            self.turn_at = Some(cx.now + std::time::Duration::from_millis(self.turn_delay_ms(cx)));
            let rest = format!(" #quorum {opinions}/{quorum}");
            cx.event(Level::Warning, "+odown", self, &Which::Primary, &rest);
            if let Some(since) = self.primary.down_since {
                cx.observe(Observation::Phase { phase: Phase::Agree, took: cx.now.since(since) });
            }
        } else if !down && self.odown_since.is_some() {
            self.odown_since = None;
            self.turn_at = None;
            cx.event(Level::Warning, "-odown", self, &Which::Primary, "");
        }
    }

    /// All daemons rank each other alike, by a hash that differs for each epoch in which this group voted (the current
    /// epoch may differ between daemons for other groups' sake); the first begins at once, the others in steps in which a
    /// vote of the first reaches them. A daemon that knows of nobody to promote lets all others go first: it could only
    /// use up an epoch, and with it the time in which those who voted don't begin an attempt of their own.
    pub(crate) fn turn_delay_ms(&self, cx: &mut Cx<'_>) -> u64 {
        if cx.shared.quirks.slow() {
            return cx.shared.spread.below(super::vote::DESYNC_MS);
        }
        let epoch = self.ballot.epoch.max(self.config_epoch);
        let weight = |run_id: &str| spread::hash(&[run_id, self.name.as_str()], epoch);
        let own = weight(&cx.shared.my_id);
        let before = self.peers.values().filter(|peer| !peer.is_down() && weight(&peer.run_id) < own).count();
        let last = if self.choose(false, cx).is_some() { 0 } else { self.peers.len() };
        match u64::try_from(before + last).unwrap_or(u64::MAX) {
            0 => 0,
            rank => rank.saturating_mul(RANK_STEP_MS) + cx.shared.spread.below(CHANCE_MS),
        }
    }

    /// When an attempt may follow one of that time. Those who voted count from their vote, which is later than the attempt:
    /// whoever knows of nobody to promote would be the first again and again, and lets them go first here, too.
    pub(crate) fn next_attempt_at(&self, attempt_at: Time, cx: &Cx<'_>) -> Time {
        let end = attempt_at + self.options.failover_timeout * 2;
        let hindmost = end <= cx.now && !cx.shared.quirks.slow() && self.choose(false, cx).is_none();
        if hindmost { end + HINDMOST } else { end }
    }

    /// All peers are to be asked as soon as they may be.
    pub(crate) fn ask_everybody(&mut self) {
        self.peers.values_mut().filter_map(Instance::peer_mut).for_each(|peer| peer.urgent = true);
    }

    /// Somebody asks, so he holds the primary down: those who are not known to are worth a question. No more than
    /// those, or two daemons would ask each other without end.
    pub(crate) fn ask_the_others(&mut self) {
        let peers = self.peers.values_mut().filter_map(Instance::peer_mut);
        peers.filter(|peer| !peer.says_down).for_each(|peer| peer.urgent = true);
    }

    /// All peers are asked for their vote, however recently they were asked for their opinion.
    pub(crate) fn ask_for_votes(&mut self) {
        self.peers.values_mut().filter_map(Instance::peer_mut).for_each(|peer| peer.asked_at = None);
    }

    /// The group has another primary: what was said, and what is on its way, was about the old one.
    pub(crate) fn void_opinions(&mut self) {
        self.era += 1;
        for peer in self.peers.values_mut().filter_map(Instance::peer_mut) {
            peer.says_down = false;
            peer.ballot.leader = None;
            peer.answered_at = None;
            peer.asked_at = None;
            peer.urgent = false;
        }
    }

    pub(crate) fn void_stale_opinions(&mut self, cx: &mut Cx<'_>) {
        let patience = cx.shared.params.ask_period() * STALE;
        let mut next: Option<Time> = None;
        for peer in self.peers.values_mut().filter_map(Instance::peer_mut) {
            let Some(answered_at) = peer.answered_at else { continue };
            let end = answered_at + patience;
            if end <= cx.now {
                peer.says_down = false;
                peer.ballot.leader = None;
                peer.answered_at = None;
            } else {
                next = Some(next.map_or(end, |next| next.min(end)));
            }
        }
        if let Some(end) = next {
            cx.wake_at(end, "stale opinion");
        }
    }

    /// Asks the peers whose opinion is due. While this daemon seeks votes the question asks for one.
    pub(crate) fn ask_peers(&mut self, cx: &mut Cx<'_>) {
        if !self.primary.is_down() {
            return;
        }
        let candidate = self.failover.as_ref().filter(|failover| failover.own_vote_saved);
        let seeking = candidate.is_some();
        let epoch = candidate.map_or(cx.shared.durable_epoch, |failover| failover.epoch);
        let run_id = if seeking { cx.shared.my_id.clone() } else { "*".to_owned() };
        // Under Leases the question names what it is about: the process, and its epoch.
        let about = self.seat.as_ref().and_then(|seat| seat.committed.clone());
        let (epoch, run_id) = about.map_or((epoch, run_id), |run_id| (self.config_epoch, run_id));
        let epoch = epoch.to_string();
        let host = self.primary.address.shown(cx.shared.announce_hostnames);
        if host.is_empty() {
            return;
        }
        let port = self.primary.address.port.to_string();
        let period = cx.shared.params.ask_period();
        for name in self.peers.names().cloned().collect::<Vec<_>>() {
            let Some(instance) = self.peers.get(&name) else { continue };
            let (link, Some(peer)) = (instance.link, instance.peer()) else { continue };
            let Some(state) = cx.shared.links.get(link) else { continue };
            let Some(opened_at) = state.command.as_ref().map(|conn| conn.opened_at) else { continue };
            if state.pending() >= MAX_PENDING * state.users {
                continue;
            }
            // A question on its way will be answered, however long that takes: one more gets no better answer, and two
            // daemons that each ask whenever they are asked would do so as fast as they can.
            let awaited = peer.asked_at.is_some_and(|at| at >= opened_at && peer.answered_at < Some(at));
            let gap = if peer.urgent && !awaited && !cx.shared.quirks.slow() { MIN_ASK } else { period };
            if peer.asked_at.is_some_and(|at| !cx.due(at + gap, "ask")) {
                continue;
            }
            let words = words([
                self.renamed("SENTINEL"),
                "is-master-down-by-addr",
                host.as_str(),
                port.as_str(),
                epoch.as_str(),
                run_id.as_str(),
            ]);
            cx.send(link, words, Tag::IsDown(self.id, self.era));
            if let Some(peer) = self.peers.get_mut(&name).and_then(Instance::peer_mut) {
                peer.asked_at = Some(cx.now);
                peer.urgent = false;
            }
            cx.wake_at(cx.now + period, "ask");
        }
    }

    /// A peer's answer; anything malformed is no answer.
    pub(crate) fn opinion(&mut self, which: &Which, reply: &Reply, cx: &mut Cx<'_>) {
        let Some([Reply::Int(down), leader, Reply::Int(epoch)]) = reply.elements() else { return };
        let (Reply::Bulk(leader), Ok(epoch)) = (leader, u64::try_from(*epoch)) else { return };
        let leader = String::from_utf8_lossy(leader).into_owned();
        if !is_run_id(&leader) {
            return;
        }
        let Some(peer) = self.get_mut(which).and_then(Instance::peer_mut) else { return };
        peer.says_down = *down == 1;
        peer.answered_at = Some(cx.now);
        if leader == "*" {
            return;
        }
        let news = !peer.ballot.is_for(&leader, epoch);
        peer.ballot = Ballot { leader: Some(leader.clone()), epoch };
        if news && let Which::Peer(run_id) = which {
            cx.log(Level::Notice, Some(self), format!("{run_id} voted for {leader} {epoch}"));
        }
    }

    /// Daemons that could take part now, this one included (SENTINEL CKQUORUM).
    pub(crate) fn usable(&self) -> usize {
        1 + self.peers.values().filter(|peer| !peer.is_down()).count()
    }
}
