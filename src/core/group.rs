//! A group: one primary, its replicas, and the peers that watch it too.

use std::time::Duration;

use super::address::Address;
use super::ballot::{self, Ballot};
use super::consent::Consent;
use super::fastdown::FastDown;
use super::fleet::Seat;
use super::ids::{GroupName, SaveNo};
use super::instance::{Instance, Kind};
use super::instances::Instances;
use super::switchover::{MissingRights, Switchover};
use super::time::Time;
use super::told::Told;

/// redis-sentinel's timer.
const TICK: Duration = Duration::from_millis(100);
/// A group with more instances than this is looked at in steps of time.
const CROWD: usize = 100;
/// The step for each instance of such a group: what all of them cost together then stays the same however many they
/// are, for a look goes through all of them.
const PAUSE_EACH: Duration = Duration::from_micros(20);

/// Name of a group inside the core; never used again after SENTINEL REMOVE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupId(pub(crate) u64);

/// Which instance of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Which {
    Primary,
    Replica(String),
    Peer(String),
}

/// What can be configured.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) quorum: u32,
    pub(crate) down_after: Duration,
    pub(crate) failover_timeout: Duration,
    pub(crate) parallel_syncs: u32,
    pub(crate) notification_script: Option<String>,
    pub(crate) client_reconfig_script: Option<String>,
    pub(crate) auth_pass: Option<String>,
    pub(crate) auth_user: Option<String>,
    pub(crate) reboot_down_after: Duration,
    /// Zero: off.
    pub(crate) fast_down_after: Duration,
    /// Lower-case command, the word to send instead.
    pub(crate) renamed: Vec<(String, String)>,
}

/// Sentinel's states of a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    WaitStart,
    SelectReplica,
    SendNoOne,
    WaitPromotion,
    ReconfReplicas,
    UpdateConfig,
}

impl State {
    /// Sentinel's word on the wire.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::WaitStart => "wait_start",
            Self::SelectReplica => "select_slave",
            Self::SendNoOne => "send_slaveof_noone",
            Self::WaitPromotion => "wait_promotion",
            Self::ReconfReplicas => "reconf_slaves",
            Self::UpdateConfig => "update_config",
        }
    }
}

/// A failover that this daemon tries to lead.
#[derive(Debug)]
pub(crate) struct Failover {
    pub(crate) state: State,
    /// When the state was entered: time-outs count from here.
    pub(crate) state_at: Time,
    /// The epoch of this attempt.
    pub(crate) epoch: u64,
    /// SENTINEL FAILOVER: no election.
    pub(crate) forced: bool,
    /// The chosen replica.
    pub(crate) promoted: Option<String>,
    /// The own vote and epoch are on the disk: votes may be asked for.
    pub(crate) own_vote_saved: bool,
    /// When this daemon seeks votes anew, which nobody could win.
    pub(crate) again_at: Option<Time>,
    /// The promotion was seen and is being saved: the commit.
    pub(crate) committing: Option<SaveNo>,
    /// When the phase that is measured began.
    pub(crate) phase_at: Time,
    /// Ended by its time-out.
    pub(crate) timed_out: bool,
    /// Where the planned switchover is, if it is one.
    pub(crate) switchover: Option<Switchover>,
}

/// A newer configuration heard in a hello, being saved before it is told to anybody.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) from: String,
    pub(crate) address: Address,
    pub(crate) epoch: u64,
    pub(crate) save: SaveNo,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) name: GroupName,
    pub(crate) options: Options,
    pub(crate) primary: Instance,
    pub(crate) replicas: Instances,
    pub(crate) peers: Instances,
    /// Objectively down since.
    pub(crate) odown_since: Option<Time>,
    /// Evidence by which the primary counts as down before down-after is over.
    pub(crate) fast: FastDown,
    pub(crate) config_epoch: u64,
    /// The last vote given.
    pub(crate) ballot: Ballot,
    /// Start of the last attempt, one's own or one voted for; spaces attempts.
    pub(crate) attempt_at: Option<Time>,
    /// The start for which the wait was already logged.
    pub(crate) delay_logged_for: Option<Time>,
    /// Set while o_down holds: when this daemon's turn to start is.
    pub(crate) turn_at: Option<Time>,
    pub(crate) failover: Option<Failover>,
    /// When SENTINEL FAILOVER was last told OK.
    pub(crate) asked_at: Option<Time>,
    /// The primary was asked to hold writes back until then, PUBLISH among them.
    pub(crate) writes_held_until: Option<Time>,
    /// Rights of a planned switchover that the data nodes' user was found not to have.
    pub(crate) missing_rights: MissingRights,
    pub(crate) adoption: Option<Adoption>,
    /// Counts the primaries that this group has had: an answer about an earlier one is void.
    pub(crate) era: u64,
    /// The last time that the peers were asked whether they hold the same primary.
    pub(crate) consent: Option<Consent>,
    /// Before this not all peers may have made themselves known: none were when the group was begun, or all were
    /// forgotten.
    pub(crate) strangers_until: Option<Time>,
    /// After SENTINEL RESET nothing is discovered before.
    pub(crate) blind_until: Option<Time>,
    /// When a stranger was last answered by a hello, or will be.
    pub(crate) greeted_at: Option<Time>,
    /// What clients were told last.
    pub(crate) told: Option<Told>,
    /// When the group was last looked at.
    pub(crate) stepped_at: Option<Time>,
    /// What the coordination by Leases knows of it; nothing where the peers vote.
    pub(crate) seat: Option<Box<Seat>>,
}

impl Group {
    /// The instance that clients are sent to: the promoted replica from state reconf_slaves on.
    pub(crate) fn current(&self) -> &Instance {
        if let Some(failover) = &self.failover
            && failover.state >= State::ReconfReplicas
            && let Some(promoted) = failover.promoted.as_ref().and_then(|name| self.replicas.get(name))
        {
            return promoted;
        }
        &self.primary
    }

    /// Before this the group is not looked at again; nothing for a group of usual size.
    pub(crate) fn pause_end(&self) -> Option<Time> {
        let count = self.replicas.len() + self.peers.len();
        let count = u32::try_from(count).ok().filter(|_| count > CROWD)?;
        Some(self.stepped_at? + PAUSE_EACH * count)
    }

    /// When redis-sentinel would look at the group again.
    pub(crate) fn next_tick(&self) -> Option<Time> {
        Some(self.stepped_at? + TICK)
    }

    pub(crate) fn get(&self, which: &Which) -> Option<&Instance> {
        match which {
            Which::Primary => Some(&self.primary),
            Which::Replica(name) => self.replicas.get(name),
            Which::Peer(run_id) => self.peers.get(run_id),
        }
    }

    pub(crate) fn get_mut(&mut self, which: &Which) -> Option<&mut Instance> {
        match which {
            Which::Primary => Some(&mut self.primary),
            Which::Replica(name) => self.replicas.get_mut(name),
            Which::Peer(run_id) => self.peers.get_mut(run_id),
        }
    }

    /// Names of the primary, the replicas and the peers, in Sentinel's order of work.
    pub(crate) fn whiches(&self) -> Vec<Which> {
        std::iter::once(Which::Primary)
            .chain(self.replicas.names().cloned().map(Which::Replica))
            .chain(self.peers.names().cloned().map(Which::Peer))
            .collect()
    }

    /// The chosen replica's name while a failover has one.
    pub(crate) fn promoted(&self) -> Option<&str> {
        self.failover.as_ref().and_then(|failover| failover.promoted.as_deref())
    }

    /// Votes needed: a majority of all known daemons, this one included, dead ones too.
    pub(crate) fn majority(&self) -> usize {
        ballot::majority(self.peers.len())
    }

    /// The word to send for a command.
    pub(crate) fn renamed<'a>(&'a self, command: &'a str) -> &'a str {
        self.options
            .renamed
            .iter()
            .find(|(old, _)| old.eq_ignore_ascii_case(command))
            .map_or(command, |(_, new)| new.as_str())
    }

    /// This daemon fails the primary over, or is about to follow one who did: it answers for the old primary only
    /// because the new one is not on its disk yet.
    const fn is_replacing(&self) -> bool {
        self.failover.is_some() || self.adoption.is_some()
    }

    /// Sentinel's flags of an instance, comma-joined in its order.
    pub(crate) fn flags(&self, instance: &Instance, disconnected: bool) -> String {
        use super::instance::Reconf;
        let primary = instance.kind == Kind::Primary;
        let promoted = instance.kind == Kind::Replica && self.promoted() == Some(instance.name.as_str());
        let reconf = instance.data().map_or(Reconf::None, |data| data.reconf);
        let words = [
            (instance.is_down(), "s_down"),
            (primary && self.odown_since.is_some(), "o_down"),
            (true, instance.kind.word()),
            (disconnected, "disconnected"),
            (instance.peer().is_some_and(|peer| peer.says_down), "master_down"),
            (primary && self.is_replacing(), "failover_in_progress"),
            (promoted, "promoted"),
            (matches!(reconf, Reconf::Sent(_)), "reconf_sent"),
            (reconf == Reconf::InProgress, "reconf_inprog"),
            (reconf == Reconf::Done, "reconf_done"),
            (primary && self.failover.as_ref().is_some_and(|failover| failover.forced), "force_failover"),
            (instance.data().is_some_and(|data| data.script_kill_sent), "script_kill_sent"),
            (instance.data().is_some_and(|data| data.rebooted_at.is_some()), "master_reboot"),
        ];
        words.into_iter().filter_map(|(set, word)| set.then_some(word)).collect::<Vec<_>>().join(",")
    }
}
