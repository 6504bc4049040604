//! The simulated world: hosts with processes, a network, a clock, and who watches.
//!
//! One step is one event. It reaches one process, whose wishes are carried out before the next; every fact on the way is
//! shown to every invariant.

mod boot;
mod daemon;
mod deliver;
mod faults;
mod node;
mod observe;
mod operator;
mod settle;
mod wire;
mod writer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use self::daemon::Daemon;
use self::node::DataHost;
use self::writer::Writes;
use super::facts::{Fact, Seen};
use super::invariants::{self, Invariant};
use super::ledger::Ledger;
use super::net::{Due, HostId, NetId, Network, Packet, Side};
use super::plan::{File, Plan};
use super::queue::Queue;
use super::rng::Rng;
use super::trace::Trace;
use crate::core::Time;
use crate::core::ids::{JobId, ResolveId};
use crate::core::input::ScriptExit;

/// The port of every daemon.
pub(crate) const DAEMON_PORT: u16 = 26379;
/// The port of every data node.
pub(crate) const NODE_PORT: u16 = 6379;

/// Most events in one run; a run that needs more spins.
const MAX_EVENTS: u64 = 3_000_000;

/// What breaks a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: &'static str,
    /// What broke it.
    pub what: String,
}

/// What a run did, to see that the harness exercises what it is meant to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Events.
    pub events: u64,
    /// Attempts of failover.
    pub attempts: usize,
    /// Attempts that promoted.
    pub promotions: usize,
    /// Promotions of planned switchovers.
    pub handovers: usize,
    /// Attempts that got no majority.
    pub not_elected: usize,
    /// Votes given to another daemon.
    pub votes: usize,
    /// Switches told by daemons that did not lead them.
    pub adopted: usize,
    /// Replicas or old primaries put right outside a failover.
    pub corrected: usize,
    /// Processes started again.
    pub restarts: usize,
    /// Starts of a daemon from a file that was not its last, and groups that one was told to forget.
    pub forgotten: usize,
    /// Nodes that nobody knew any more, put right by the operator.
    pub rescued: usize,
    /// Times that a daemon went into TILT.
    pub tilts: usize,
    /// Writes acknowledged to the client.
    pub writes: u32,
    /// Of these, lost when the fleet had agreed.
    pub lost: u64,
    /// Milliseconds from the end of the faults to agreement.
    pub settled_after: u64,
    /// Two promotions in one epoch, one of them an operator's.
    pub contested: bool,
}

#[derive(Debug)]
enum Event {
    Arrive {
        net: NetId,
        to: Side,
        packet: Packet,
    },
    /// What waited for a path goes on.
    Release {
        net: NetId,
        to: Side,
    },
    /// A process wanted to be woken.
    Wake {
        host: HostId,
        life: u64,
        token: u64,
    },
    /// Something that a process waits for inside its own machine.
    Own {
        host: HostId,
        life: u64,
        own: Own,
    },
    /// A step of the plan.
    Step(usize),
    /// What a step began is over.
    Undo(Undo),
    /// The client writes, asks.
    Client,
    /// Clients write fast.
    Burst {
        group: usize,
        until: Time,
    },
}

/// What reaches a process; waits while the process is stopped.
#[derive(Debug)]
enum Delivery {
    Accepted(NetId),
    Packet { net: NetId, side: Side, packet: Packet },
    Reset { net: NetId, side: Side },
    Own(Own),
}

#[derive(Clone, Debug)]
enum Own {
    DiskDone,
    Resolved(ResolveId, Option<std::net::IpAddr>),
    ScriptStarted(JobId, u32),
    ScriptEnded(JobId, ScriptExit),
}

/// The end of a fault.
#[derive(Clone, Debug)]
enum Undo {
    Boot { host: HostId, loading: Duration, lose_data: bool, file: File },
    Resume(HostId),
    Heal(Vec<(HostId, HostId)>),
    Punctual,
    Monitor { daemon: usize, group: usize },
    Latency(HostId, HostId, Duration),
    FastDisk(usize),
    SoundDisk(usize),
    Resolver(usize),
}

#[derive(Debug, Default)]
struct Host {
    running: bool,
    powered: bool,
    /// How many reasons there are for the process to be stopped.
    stopped: u32,
    /// Counts the processes that ran here.
    life: u64,
    mailbox: VecDeque<Delivery>,
    wake_at: Option<Time>,
    wake_token: u64,
}

/// See the module.
pub(crate) struct World {
    now: Time,
    plan: Plan,
    queue: Queue<Event>,
    net: Network,
    rng: Rng,
    trace: Trace,
    hosts: Vec<Host>,
    daemons: Vec<Daemon>,
    nodes: Vec<DataHost>,
    host_of_ip: BTreeMap<String, HostId>,
    ledger: Ledger,
    invariants: Vec<Box<dyn Invariant>>,
    violation: Option<Violation>,
    figures: Figures,
    /// When the faults begin and end; the plan's steps count from the beginning.
    chaos: Option<(Time, Time)>,
    writes: Writes,
    /// Data nodes that are dead for good.
    buried: BTreeSet<usize>,
    /// Daemons that started from a file that was not their last, or were told to forget a group.
    forgetful: BTreeSet<usize>,
    /// Groups that a daemon was told to forget for a while.
    removed: BTreeSet<(usize, usize)>,
    /// Groups that a daemon watches with no options set yet, by name.
    bare: BTreeSet<(usize, String)>,
    digest: u64,
}

impl World {
    /// A world where nothing has happened.
    pub(crate) fn new(plan: Plan, trace: Trace) -> Self {
        let hosts = plan.daemons + plan.node_count();
        let net = Network::new(Rng::new(plan.seed, 3), hosts, plan.latency.0, plan.latency.1);
        let mut world = Self {
            now: Time::ZERO,
            queue: Queue::new(),
            net,
            rng: Rng::new(plan.seed, 4),
            trace,
            hosts: (0..hosts).map(|_| Host { powered: true, ..Host::default() }).collect(),
            daemons: Vec::new(),
            nodes: Vec::new(),
            host_of_ip: BTreeMap::new(),
            ledger: Ledger::default(),
            invariants: invariants::all(),
            violation: None,
            figures: Figures::default(),
            chaos: None,
            writes: Writes::default(),
            buried: BTreeSet::new(),
            forgetful: BTreeSet::new(),
            removed: BTreeSet::new(),
            bare: BTreeSet::new(),
            digest: 0xcbf2_9ce4_8422_2325,
            plan,
        };
        for host in 0..hosts {
            world.host_of_ip.insert(world.ip(host), host);
        }
        world.make_nodes();
        world.make_daemons();
        world.queue.push(Time::from_millis(500), Event::Client);
        world
    }

    pub(crate) const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(crate) fn figures(&self) -> Figures {
        let (attempts, promotions) = self.ledger.counts();
        let contested = self.plan.groups.iter().any(|group| self.ledger.ever_contested(&group.name));
        Figures { attempts, promotions, contested, ..self.figures }
    }

    /// A number that two runs share only if the same events happened at the same times.
    pub(crate) const fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn into_trace(self) -> Trace {
        self.trace
    }

    /// Runs until a time, or until a rule is broken.
    pub(crate) fn run_until(&mut self, end: Time) {
        while self.violation.is_none() {
            let Some((at, event)) = self.queue.pop_until(end) else { break };
            self.step(at, event);
        }
        self.now = self.now.max(end);
        self.trace.set_now(self.now);
    }

    /// Runs for a while.
    pub(crate) fn run_for(&mut self, period: Duration) {
        self.run_until(self.now + period);
    }

    fn step(&mut self, at: Time, event: Event) {
        self.now = self.now.max(at);
        self.trace.set_now(self.now);
        self.figures.events += 1;
        if self.figures.events > MAX_EVENTS {
            self.break_rule("a run ends", format!("{MAX_EVENTS} events"));
            return;
        }
        let kind = match &event {
            Event::Arrive { net, .. } => 1 + net * 8,
            Event::Release { net, .. } => 7 + net * 8,
            Event::Wake { host, .. } => 2 + *host as u64 * 8,
            Event::Own { host, .. } => 3 + *host as u64 * 8,
            Event::Step(n) => 4 + *n as u64 * 8,
            Event::Undo(_) => 5,
            Event::Client => 6,
            Event::Burst { group, .. } => 9 + *group as u64 * 8,
        };
        self.mix(self.now.as_micros());
        self.mix(kind);
        match event {
            Event::Arrive { net, to, packet } => self.arrive(net, to, packet),
            Event::Release { net, to } => {
                for packet in self.net.release(net, to) {
                    self.arrive(net, to, packet);
                }
            }
            Event::Wake { host, life, token } => self.wake(host, life, token),
            Event::Own { host, life, own } => {
                if self.hosts[host].life == life {
                    self.deliver(host, Delivery::Own(own));
                }
            }
            Event::Step(n) => self.begin(n),
            Event::Undo(undo) => self.undo(undo),
            Event::Client => self.client(),
            Event::Burst { group, until } => self.burst(group, until),
        }
    }

    /// Shows a fact to the invariants.
    fn see(&mut self, daemon: usize, fact: &Fact) {
        if self.violation.is_some() {
            return;
        }
        self.ledger.note(daemon, fact);
        let at = self.clock(daemon);
        let machine = &self.daemons[daemon];
        let (saved, refused) = (machine.disk.saved(), machine.disk.refused());
        let overtaken = &machine.unwritten;
        let seen = Seen { at, daemon, saved, overtaken, refused, ledger: &self.ledger, fact };
        for invariant in &mut self.invariants {
            if let Err(what) = invariant.see(&seen) {
                let rule = invariant.name();
                self.trace.line(|| format!("VIOLATION of '{rule}': {what}"));
                self.violation = Some(Violation { rule, what });
                return;
            }
        }
    }

    fn break_rule(&mut self, rule: &'static str, what: String) {
        self.trace.line(|| format!("VIOLATION of '{rule}': {what}"));
        self.violation.get_or_insert(Violation { rule, what });
    }

    fn post(&mut self, due: impl IntoIterator<Item = Due>) {
        for Due { at, net, to, packet } in due {
            self.queue.push(at, Event::Arrive { net, to, packet });
        }
    }

    /// Asks for a wake-up of a process, unless an earlier one is on its way.
    fn wake_by(&mut self, host: HostId, at: Time) {
        let state = &mut self.hosts[host];
        if state.wake_at.is_some_and(|earlier| earlier <= at) {
            return;
        }
        state.wake_at = Some(at);
        state.wake_token += 1;
        self.queue.push(at, Event::Wake { host, life: state.life, token: state.wake_token });
    }

    fn own(&mut self, host: HostId, after: Duration, own: Own) {
        let life = self.hosts[host].life;
        self.queue.push(self.now + after, Event::Own { host, life, own });
    }

    fn mix(&mut self, value: u64) {
        self.digest = (self.digest ^ value).wrapping_mul(0x0000_0100_0000_01B3);
    }

    /// The address of a host: daemons in 10.0.0, data nodes in 10.0.1.
    fn ip(&self, host: HostId) -> String {
        match host.checked_sub(self.plan.daemons) {
            None => format!("10.0.0.{}", host + 1),
            Some(node) => format!("10.0.1.{}", node + 1),
        }
    }

    /// The short name of a host in the trace.
    fn label(&self, host: HostId) -> String {
        match host.checked_sub(self.plan.daemons) {
            None => format!("d{host}"),
            Some(node) => format!("n{node}"),
        }
    }

    const fn node_host(&self, node: usize) -> HostId {
        self.plan.daemons + node
    }
}
