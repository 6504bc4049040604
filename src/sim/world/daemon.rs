//! The daemons on their hosts: a real engine each, a link layer that is a dumb pipe, and a server layer that answers
//! what a daemon's own answers.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use super::{Delivery, HostId, NetId, Own, Packet, Side, Undo, World};
use crate::core::ids::{ClientId, ConnId};
use crate::core::input::ScriptExit;
use crate::core::{Action, Engine, Input, Time};
use crate::resp::Reply;
use crate::sim::disk::Disk;
use crate::sim::facts::{Fact, canonical};
use crate::sim::plan::{DaemonId, File};
use crate::sim::rng::Rng;

/// Inputs that one step may lead to inside one daemon.
const MAX_INPUTS: usize = 1_000;
/// Wake-ups in a row that leave the deadline where it was.
const MAX_IDLE_WAKES: u32 = 20;

/// A daemon's machine.
pub(super) struct Daemon {
    pub(super) engine: Option<Engine>,
    pub(super) disk: Disk,
    /// What the clock of this machine shows when the world's shows zero.
    offset: Duration,
    /// How fast this clock goes, in thousandths.
    rate: u64,
    pub(super) conns: BTreeMap<ConnId, Outgoing>,
    pub(super) by_net: BTreeMap<NetId, ConnId>,
    pub(super) incoming: BTreeMap<NetId, Incoming>,
    pub(super) clients: BTreeMap<ClientId, Asker>,
    next_client: u64,
    idle_wakes: u32,
    /// How many reasons there are for its resolver to find nothing.
    pub(super) deaf: u32,
    /// Groups that were removed, while the write under way still holds them.
    pub(super) unwritten: Vec<String>,
}

impl Daemon {
    pub(super) const fn new(disk: Disk, offset: Duration, rate: u64) -> Self {
        Self {
            engine: None,
            disk,
            offset,
            rate,
            conns: BTreeMap::new(),
            by_net: BTreeMap::new(),
            incoming: BTreeMap::new(),
            clients: BTreeMap::new(),
            next_client: 0,
            idle_wakes: 0,
            deaf: 0,
            unwritten: Vec::new(),
        }
    }

    /// A new process runs.
    pub(super) fn begin(&mut self, engine: Engine) {
        self.engine = Some(engine);
        self.idle_wakes = 0;
    }

    /// The process is gone, and what it had not saved.
    pub(super) fn end(&mut self, rng: &mut Rng) {
        self.engine = None;
        self.unwritten.clear();
        self.disk.cut_off(rng);
        self.conns.clear();
        self.by_net.clear();
        self.incoming.clear();
        self.clients.clear();
    }

    /// What this machine's clock makes of a time.
    pub(super) fn own(&self, real: Duration) -> Duration {
        Duration::from_micros(micros(real) * self.rate / 1000)
    }

    /// How long it really takes until this machine's clock has gone on so far.
    fn real(&self, own: Duration) -> Duration {
        Duration::from_micros((micros(own) * 1000).div_ceil(self.rate))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2000).min(u64::MAX / 2000)
}

pub(super) struct Outgoing {
    pub(super) net: NetId,
    pub(super) to: HostId,
    pub(super) up: bool,
    /// Requests that wait for the connection.
    pub(super) waiting: Vec<Vec<Bytes>>,
    /// Questions about a primary that a peer hasn't answered yet, among all requests sent.
    pub(super) asked: VecDeque<Option<Question>>,
}

/// A question to a peer.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) group: String,
    pub(super) address: String,
}

/// A peer's connection to this daemon.
#[derive(Default)]
pub(super) struct Incoming {
    pub(super) pipeline: VecDeque<Vec<Bytes>>,
    /// A command is with the engine.
    pub(super) busy: bool,
}

/// Who waits for an answer of the engine.
#[derive(Debug)]
pub(super) enum Asker {
    Peer { net: NetId, args: Vec<Bytes> },
    Operator { args: Vec<Bytes> },
}

impl World {
    /// The reading of a machine's own clock.
    pub(super) fn clock(&self, daemon: DaemonId) -> Time {
        let machine = &self.daemons[daemon];
        Time::ZERO + machine.offset + machine.own(self.now.since(Time::ZERO))
    }

    pub(super) fn wake_daemon(&mut self, daemon: DaemonId) {
        let due =
            |machine: &Daemon| machine.engine.as_ref().and_then(Engine::next_deadline).map(|(at, _)| at);
        let before = due(&self.daemons[daemon]);
        let heard = self.clock(daemon);
        self.drive(daemon, VecDeque::from([Input::Timer { heard }]));
        let now = self.clock(daemon);
        let machine = &mut self.daemons[daemon];
        let idle = before.is_some_and(|at| at <= now) && due(machine).is_some_and(|at| at <= now);
        machine.idle_wakes = if idle { machine.idle_wakes + 1 } else { 0 };
        if machine.idle_wakes > MAX_IDLE_WAKES {
            let why = machine.engine.as_ref().and_then(Engine::next_deadline);
            self.break_rule("a deadline passes", format!("d{daemon} stays at {why:?}"));
        }
    }

    pub(super) fn daemon_takes(&mut self, daemon: DaemonId, delivery: Delivery) {
        let mut inputs = VecDeque::new();
        match delivery {
            Delivery::Accepted(net) => {
                self.daemons[daemon].incoming.insert(net, Incoming::default());
            }
            Delivery::Packet { net, side: Side::Dialer, packet } => {
                self.server_says(daemon, net, packet, &mut inputs);
            }
            Delivery::Packet { net, side: Side::Listener, packet } => match packet {
                Packet::Request(args) => {
                    if let Some(incoming) = self.daemons[daemon].incoming.get_mut(&net) {
                        incoming.pipeline.push_back(args);
                    }
                    self.serve(daemon, net, &mut inputs);
                }
                Packet::Close => {
                    self.net.vanish(net, Side::Listener);
                    self.forget_client(daemon, net);
                }
                Packet::Syn | Packet::Accept | Packet::Refuse | Packet::Reply(_) | Packet::Repl(_) => {}
            },
            Delivery::Reset { net, side: Side::Listener } => self.forget_client(daemon, net),
            Delivery::Reset { net, side: Side::Dialer } => {
                inputs.extend(self.lost(daemon, net, "Connection reset by peer", false));
            }
            Delivery::Own(own) => match own {
                Own::DiskDone => {
                    if let Some((upto, ok)) = self.daemons[daemon].disk.end() {
                        self.trace.line(|| format!("d{daemon} saved up to {upto}: {ok}"));
                        if ok {
                            self.see(daemon, &Fact::Saved);
                        }
                        inputs.push_back(Input::Persisted { upto, ok });
                    }
                }
                Own::Resolved(id, ip) => inputs.push_back(Input::Resolved { id, ip }),
                Own::ScriptStarted(job, pid) => {
                    inputs.push_back(Input::ScriptStarted { job, pid: Some(pid) });
                }
                Own::ScriptEnded(job, exit) => inputs.push_back(Input::ScriptEnded { job, exit }),
            },
        }
        self.drive(daemon, inputs);
    }

    fn server_says(&mut self, daemon: DaemonId, net: NetId, packet: Packet, inputs: &mut VecDeque<Input>) {
        let Some(conn) = self.daemons[daemon].by_net.get(&net).copied() else { return };
        match packet {
            Packet::Accept => {
                let local: IpAddr = self.ip(daemon).parse().unwrap_or(IpAddr::from([127, 0, 0, 1]));
                let Some(outgoing) = self.daemons[daemon].conns.get_mut(&conn) else { return };
                outgoing.up = true;
                for args in std::mem::take(&mut outgoing.waiting) {
                    let due = self.net.send(self.now, net, Side::Dialer, Packet::Request(args));
                    self.post(due);
                }
                inputs.push_back(Input::Connected { conn, local });
            }
            Packet::Refuse => inputs.extend(self.lost(daemon, net, "Connection refused", true)),
            Packet::Close => inputs.extend(self.lost(daemon, net, "Server closed the connection", false)),
            Packet::Reply(reply) => {
                let Some(outgoing) = self.daemons[daemon].conns.get_mut(&conn) else { return };
                let to = outgoing.to;
                let asked = if to < self.plan.daemons { outgoing.asked.pop_front().flatten() } else { None };
                self.observe_reply(daemon, to, asked, &reply);
                inputs.push_back(Input::Frame { conn, reply });
            }
            Packet::Syn | Packet::Request(_) | Packet::Repl(_) => {}
        }
    }

    fn lost(&mut self, daemon: DaemonId, net: NetId, error: &str, refused: bool) -> Option<Input> {
        self.net.vanish(net, Side::Dialer);
        let machine = &mut self.daemons[daemon];
        let conn = machine.by_net.remove(&net)?;
        machine.conns.remove(&conn);
        Some(Input::Disconnected { conn, error: error.to_owned(), refused })
    }

    fn forget_client(&mut self, daemon: DaemonId, net: NetId) {
        self.daemons[daemon].incoming.remove(&net);
    }

    /// Goes on with a peer's pipeline: what the server layer answers itself, until a command goes to the engine.
    pub(super) fn serve(&mut self, daemon: DaemonId, net: NetId, inputs: &mut VecDeque<Input>) {
        loop {
            let machine = &mut self.daemons[daemon];
            let Some(incoming) = machine.incoming.get_mut(&net) else { return };
            if incoming.busy {
                return;
            }
            let Some(args) = incoming.pipeline.pop_front() else { return };
            let name = args.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
            let reply = match name.as_slice() {
                b"PING" => Reply::Simple("PONG".into()),
                b"AUTH" | b"CLIENT" => Reply::OK,
                b"SENTINEL" | b"PUBLISH" | b"ROLE" => {
                    incoming.busy = true;
                    machine.next_client += 1;
                    let client = ClientId(machine.next_client);
                    machine.clients.insert(client, Asker::Peer { net, args: args.clone() });
                    self.observe_command(daemon, &args);
                    inputs.push_back(Input::Command { client, args });
                    return;
                }
                _ => {
                    self.break_rule(
                        "peers are sent only what is documented",
                        format!("d{daemon} is sent {args:?}"),
                    );
                    return;
                }
            };
            let due = self.net.send(self.now, net, Side::Listener, Packet::Reply(reply));
            self.post(due);
        }
    }

    /// A command of the operator, or of a client, over a connection that the simulation doesn't draw.
    pub(super) fn command(&mut self, daemon: DaemonId, words: &[&str]) {
        let machine = &mut self.daemons[daemon];
        let host = &self.hosts[daemon];
        if machine.engine.is_none() || host.stopped > 0 {
            return;
        }
        machine.next_client += 1;
        let client = ClientId(machine.next_client);
        let args: Vec<Bytes> = words.iter().map(|word| Bytes::from((*word).to_owned())).collect();
        machine.clients.insert(client, Asker::Operator { args: args.clone() });
        self.trace.line(|| format!("operator to d{daemon}: {}", words.join(" ")));
        self.drive(daemon, VecDeque::from([Input::Command { client, args }]));
    }

    /// Lets the engine take inputs until none is left, then sees to its disk and its next wake-up.
    pub(super) fn drive(&mut self, daemon: DaemonId, mut inputs: VecDeque<Input>) {
        let mut taken = 0;
        while let Some(input) = inputs.pop_front() {
            taken += 1;
            if taken > MAX_INPUTS {
                self.break_rule("a step ends", format!("d{daemon} took {taken} inputs in one step"));
                return;
            }
            let now = self.clock(daemon);
            let Some(engine) = &mut self.daemons[daemon].engine else { return };
            let mut actions = Vec::new();
            engine.handle(input, now, &mut actions);
            self.carry_out_all(daemon, actions, &mut inputs);
        }
        self.write_if_asked(daemon);
        let Some(engine) = &self.daemons[daemon].engine else { return };
        if let Some((at, _)) = engine.next_deadline() {
            let wait = self.daemons[daemon].real(at.since(self.clock(daemon)));
            // Timers of an operating system are late, seldom by much.
            let late = if self.rng.chance(5) {
                self.rng.millis(1, 60)
            } else {
                Duration::from_micros(self.rng.below(300))
            };
            self.wake_by(daemon, self.now + wait + late);
        }
    }

    fn write_if_asked(&mut self, daemon: DaemonId) {
        let machine = &mut self.daemons[daemon];
        let Some(engine) = &machine.engine else { return };
        if !machine.disk.wants_to_write() {
            return;
        }
        machine.unwritten.clear();
        if let Some(takes) = machine.disk.begin(engine.snapshot(), &mut self.rng) {
            self.own(daemon, takes, Own::DiskDone);
        }
    }

    /// Carries the engine's wishes out, in order.
    pub(super) fn carry_out_all(
        &mut self,
        daemon: DaemonId,
        actions: Vec<Action>,
        inputs: &mut VecDeque<Input>,
    ) {
        for action in actions {
            if self.violation.is_some() {
                return;
            }
            match action {
                Action::Connect { conn, ip, port, role: _ } => self.connect(daemon, conn, ip, port, inputs),
                Action::Close { conn } => {
                    let machine = &mut self.daemons[daemon];
                    if let Some(outgoing) = machine.conns.remove(&conn) {
                        machine.by_net.remove(&outgoing.net);
                        let due = self.net.close(self.now, outgoing.net, Side::Dialer);
                        self.post(due);
                    }
                }
                Action::Send { conn, args } => self.send(daemon, conn, args),
                Action::Reply { client, reply } => self.answer(daemon, client, reply, inputs),
                Action::Event(event) => self.observe_event(daemon, event),
                Action::Log { level, group, text } => self.observe_log(daemon, level, group, &text),
                Action::Persist { save } => self.daemons[daemon].disk.ask(save),
                Action::Resolve { id, host } => {
                    let deaf = self.daemons[daemon].deaf > 0;
                    let known = self.host_of_ip.get(&canonical(&host)).filter(|_| !deaf);
                    let ip = known.and_then(|host| self.ip(*host).parse().ok());
                    let after = if deaf { self.rng.millis(1_000, 5_000) } else { self.rng.millis(0, 20) };
                    self.own(daemon, after, Own::Resolved(id, ip));
                }
                Action::RunScript { job, .. } => {
                    let takes = self.rng.millis(1, 300);
                    let exit = match self.rng.below(20) {
                        0 => ScriptExit::Code(1),
                        1 => ScriptExit::Signal(9),
                        _ => ScriptExit::Code(0),
                    };
                    self.own(daemon, Duration::ZERO, Own::ScriptStarted(job, 1000));
                    self.own(daemon, takes, Own::ScriptEnded(job, exit));
                }
                Action::CheckExecutable { id, paths } => {
                    inputs.push_back(Input::Executable { id, ok: vec![true; paths.len()] });
                }
                Action::KillScript { .. }
                | Action::SetLogLevel(_)
                | Action::Observe(_)
                | Action::Api { .. }
                | Action::Ended => {}
                Action::Crash => {
                    self.trace.line(|| format!("d{daemon} crashes"));
                    self.kill(daemon, false);
                    inputs.clear();
                    let back = self.now + self.rng.millis(200, 5_000);
                    self.queue.push(
                        back,
                        super::Event::Undo(Undo::Boot {
                            host: daemon,
                            loading: Duration::ZERO,
                            lose_data: false,
                            file: File::Kept,
                        }),
                    );
                    return;
                }
            }
        }
    }
}
