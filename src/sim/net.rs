//! A network of hosts: streams that keep their order, latency for each direction, cuts, resets.
//!
//! A cut loses nothing of a standing stream: as with TCP the bytes wait, and arrive when the path is back. A closed end
//! whose machine is alive tells the other end; one whose machine is without power doesn't.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::redis::ReplMsg;
use super::rng::Rng;
use crate::core::Time;
use crate::resp::Reply;

/// Index of a host.
pub(crate) type HostId = usize;
/// Name of a connection; never used again.
pub(crate) type NetId = u64;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Who opened it.
    Dialer,
    /// Who accepted it.
    Listener,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Listener,
            Self::Listener => Self::Dialer,
        }
    }
}

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    /// A connection is asked for.
    Syn,
    /// It stands.
    Accept,
    /// Nobody listens.
    Refuse,
    /// A request.
    Request(Vec<Bytes>),
    /// A reply, or a message.
    Reply(Reply),
    /// Replication between data nodes.
    Repl(ReplMsg),
    /// The sender's end is closed.
    Close,
}

/// A packet and when it reaches its end.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) at: Time,
    pub(crate) net: NetId,
    pub(crate) to: Side,
    pub(crate) packet: Packet,
}

#[derive(Debug)]
struct Conn {
    hosts: [HostId; 2],
    /// Which ends stand.
    open: [bool; 2],
    /// What goes to the dialer, to the listener.
    ways: [Way; 2],
}

#[derive(Debug, Default)]
struct Way {
    /// When the newest packet on the way arrives: nothing may overtake it.
    last: Time,
    /// Packets that wait for the path.
    held: VecDeque<Packet>,
    /// Something arrived at a machine without power; it refuses it once it is up.
    unheard: bool,
}

/// All connections and paths.
#[derive(Debug)]
pub(crate) struct Network {
    rng: Rng,
    /// Latency from a host to another.
    latency: Vec<Vec<Duration>>,
    /// How many reasons there are for the path from a host to another to be cut.
    cuts: Vec<Vec<u32>>,
    conns: BTreeMap<NetId, Conn>,
    opened: NetId,
    /// So many packets of a thousand are late by up to so much.
    late: (u64, Duration),
}

const fn slot(side: Side) -> usize {
    match side {
        Side::Dialer => 0,
        Side::Listener => 1,
    }
}

impl Network {
    /// A network of `hosts` hosts, with latencies from `low` to `high` microseconds.
    pub(crate) fn new(mut rng: Rng, hosts: usize, low: u64, high: u64) -> Self {
        let latency = (0..hosts)
            .map(|_| (0..hosts).map(|_| Duration::from_micros(rng.range(low, high))).collect())
            .collect();
        Self {
            rng,
            latency,
            cuts: vec![vec![0; hosts]; hosts],
            conns: BTreeMap::new(),
            opened: 0,
            late: (0, Duration::ZERO),
        }
    }

    /// Begins a connection; the caller's end stands at once and hears `Accept`, `Refuse` or nothing.
    pub(crate) fn dial(&mut self, now: Time, from: HostId, to: HostId) -> (NetId, Option<Due>) {
        self.opened += 1;
        let ways = [Way::default(), Way::default()];
        self.conns.insert(self.opened, Conn { hosts: [from, to], open: [true, false], ways });
        (self.opened, self.push(now, self.opened, Side::Listener, Packet::Syn))
    }

    /// The machine at the listening end accepts.
    pub(crate) fn accept(&mut self, now: Time, net: NetId) -> Option<Due> {
        let conn = self.conns.get_mut(&net)?;
        conn.open[slot(Side::Listener)] = true;
        self.push(now, net, Side::Dialer, Packet::Accept)
    }

    /// The machine at the listening end refuses.
    pub(crate) fn refuse(&mut self, now: Time, net: NetId) -> Option<Due> {
        self.push(now, net, Side::Dialer, Packet::Refuse)
    }

    /// Sends from the end `from`, if that end stands.
    pub(crate) fn send(&mut self, now: Time, net: NetId, from: Side, packet: Packet) -> Option<Due> {
        if !self.is_open(net, from) {
            return None;
        }
        self.push(now, net, from.other(), packet)
    }

    /// Closes an end and tells the other.
    pub(crate) fn close(&mut self, now: Time, net: NetId, side: Side) -> Option<Due> {
        if !self.is_open(net, side) {
            return None;
        }
        let due = self.push(now, net, side.other(), Packet::Close);
        self.vanish(net, side);
        due
    }

    /// An end is gone without a word.
    pub(crate) fn vanish(&mut self, net: NetId, side: Side) {
        if let Some(conn) = self.conns.get_mut(&net) {
            conn.open[slot(side)] = false;
            if conn.open == [false, false] {
                self.conns.remove(&net);
            }
        }
    }

    /// A packet reaches its host: given back unless the path is cut, where it waits.
    pub(crate) fn arrive(&mut self, net: NetId, to: Side, packet: Packet) -> Option<Packet> {
        let conn = self.conns.get_mut(&net)?;
        let (from_host, to_host) = (conn.hosts[slot(to.other())], conn.hosts[slot(to)]);
        let way = &mut conn.ways[slot(to)];
        if self.cuts[from_host][to_host] > 0 || !way.held.is_empty() {
            way.held.push_back(packet);
            return None;
        }
        Some(packet)
    }

    /// Something arrived at an end that is gone: the machine says so, or will once it has power.
    pub(crate) fn bounce(&mut self, now: Time, net: NetId, to: Side, powered: bool) -> Option<Due> {
        if powered {
            return self.push(now, net, to.other(), Packet::Close);
        }
        if let Some(conn) = self.conns.get_mut(&net) {
            conn.ways[slot(to)].unheard = true;
        }
        None
    }

    /// A machine has power again: it refuses what reached it meanwhile.
    pub(crate) fn power_up(&mut self, now: Time, host: HostId) -> Vec<Due> {
        let mut refused = Vec::new();
        for (net, conn) in &mut self.conns {
            for side in [Side::Dialer, Side::Listener] {
                let way = &mut conn.ways[slot(side)];
                if conn.hosts[slot(side)] == host && way.unheard && !conn.open[slot(side)] {
                    way.unheard = false;
                    refused.push((*net, side));
                }
            }
        }
        refused
            .into_iter()
            .filter_map(|(net, side)| self.push(now, net, side.other(), Packet::Close))
            .collect()
    }

    /// Cuts the path from one host to another; each cut needs a [`Network::heal`].
    pub(crate) fn cut(&mut self, from: HostId, to: HostId) {
        self.cuts[from][to] += 1;
    }

    /// Whether something between two hosts may be kept back.
    pub(crate) fn is_disturbed(&self, one: HostId, other: HostId) -> bool {
        self.cuts[one][other] > 0 || self.cuts[other][one] > 0 || self.late.0 > 0
    }

    /// Ends one reason for a cut. Where something waits the way is free a while later, as TCP sends it again: which
    /// ways, and when [`Network::release`] gives what waited.
    pub(crate) fn heal(&mut self, now: Time, from: HostId, to: HostId) -> Vec<(Time, NetId, Side)> {
        self.cuts[from][to] = self.cuts[from][to].saturating_sub(1);
        let mut free = Vec::new();
        if self.cuts[from][to] > 0 {
            return free;
        }
        for (net, conn) in &self.conns {
            for side in [Side::Dialer, Side::Listener] {
                let path = (conn.hosts[slot(side.other())], conn.hosts[slot(side)]);
                if path == (from, to) && !conn.ways[slot(side)].held.is_empty() {
                    free.push((now + self.rng.millis(0, 1000), *net, side));
                }
            }
        }
        free
    }

    /// What waited on a way that is free, in order; nothing if it was cut again.
    pub(crate) fn release(&mut self, net: NetId, to: Side) -> VecDeque<Packet> {
        let Some(conn) = self.conns.get_mut(&net) else { return VecDeque::new() };
        if self.cuts[conn.hosts[slot(to.other())]][conn.hosts[slot(to)]] > 0 {
            return VecDeque::new();
        }
        std::mem::take(&mut conn.ways[slot(to)].held)
    }

    /// Some packets are late from now on: so many of a thousand, by up to `by`.
    pub(crate) fn be_late(&mut self, permille: u64, by: Duration) {
        self.late = (permille, by);
    }

    /// Changes the latency of a direction.
    pub(crate) fn set_latency(&mut self, from: HostId, to: HostId, latency: Duration) -> Duration {
        std::mem::replace(&mut self.latency[from][to], latency)
    }

    /// The standing connections with an end at `host`, and which end it is.
    pub(crate) fn ends_at(&self, host: HostId) -> Vec<(NetId, Side)> {
        let mut ends = Vec::new();
        for (net, conn) in &self.conns {
            for side in [Side::Dialer, Side::Listener] {
                if conn.hosts[slot(side)] == host && conn.open[slot(side)] {
                    ends.push((*net, side));
                }
            }
        }
        ends
    }

    /// The host at an end.
    pub(crate) fn host(&self, net: NetId, side: Side) -> Option<HostId> {
        self.conns.get(&net).map(|conn| conn.hosts[slot(side)])
    }

    /// Whether an end stands.
    pub(crate) fn is_open(&self, net: NetId, side: Side) -> bool {
        self.conns.get(&net).is_some_and(|conn| conn.open[slot(side)])
    }

    /// Both ends of a connection are reset; what is on the way is lost. Gives the ends that stood.
    pub(crate) fn reset(&mut self, net: NetId) -> Vec<(HostId, Side)> {
        let Some(conn) = self.conns.remove(&net) else { return Vec::new() };
        [Side::Dialer, Side::Listener]
            .into_iter()
            .filter(|side| conn.open[slot(*side)])
            .map(|side| (conn.hosts[slot(side)], side))
            .collect()
    }

    fn push(&mut self, now: Time, net: NetId, to: Side, packet: Packet) -> Option<Due> {
        let conn = self.conns.get_mut(&net)?;
        let (from_host, to_host) = (conn.hosts[slot(to.other())], conn.hosts[slot(to)]);
        let way = &mut conn.ways[slot(to)];
        let base = self.latency[from_host][to_host];
        let jitter = self.rng.below(u64::try_from(base.as_micros()).unwrap_or(0) / 4 + 20);
        let mut at = now + base + Duration::from_micros(jitter);
        if self.late.0 > 0 && self.rng.chance(self.late.0) {
            let most = u64::try_from(self.late.1.as_micros()).unwrap_or(0);
            at = at + Duration::from_micros(self.rng.below(most));
        }
        let at = at.max(way.last);
        way.last = at;
        Some(Due { at, net, to, packet })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network::new(Rng::new(1, 1), 3, 500, 1500)
    }

    fn word(text: &'static str) -> Packet {
        Packet::Request(vec![Bytes::from_static(text.as_bytes())])
    }

    fn standing(net: &mut Network) -> NetId {
        let (id, due) = net.dial(Time::ZERO, 0, 1);
        assert!(matches!(due.unwrap().packet, Packet::Syn));
        assert!(matches!(net.accept(Time::from_millis(2), id).unwrap().packet, Packet::Accept));
        id
    }

    #[test]
    fn a_stream_keeps_its_order() {
        let mut net = network();
        let id = standing(&mut net);
        let mut last = Time::ZERO;
        for n in 0..200 {
            let due = net.send(Time::from_micros(3000 + n), id, Side::Dialer, word("x")).unwrap();
            assert!(due.at >= last, "{n}");
            last = due.at;
        }
    }

    #[test]
    fn a_cut_holds_what_is_on_the_way_and_heals_in_order() {
        let mut net = network();
        let id = standing(&mut net);
        let a = net.send(Time::from_millis(3), id, Side::Dialer, word("a")).unwrap();
        let b = net.send(Time::from_millis(3), id, Side::Dialer, word("b")).unwrap();
        net.cut(0, 1);
        net.cut(0, 1);
        assert!(net.arrive(id, Side::Listener, a.packet).is_none());
        assert!(net.heal(Time::from_millis(9), 0, 1).is_empty(), "a second reason stands");
        assert!(net.arrive(id, Side::Listener, b.packet).is_none());
        let free = net.heal(Time::from_millis(10), 0, 1);
        assert_eq!(free.len(), 1);
        assert!(net.arrive(id, Side::Listener, word("c")).is_none(), "nothing overtakes what waits");
        let words: Vec<_> =
            net.release(id, Side::Listener).iter().map(|packet| format!("{packet:?}")).collect();
        assert!(
            words[0].contains("\"a\"") && words[1].contains("\"b\"") && words[2].contains("\"c\""),
            "{words:?}"
        );
        assert!(net.arrive(id, Side::Listener, word("d")).is_some());
    }

    #[test]
    fn one_direction_can_be_cut_alone() {
        let mut net = network();
        let id = standing(&mut net);
        net.cut(0, 1);
        assert!(net.arrive(id, Side::Listener, word("x")).is_none());
        assert!(net.arrive(id, Side::Dialer, word("x")).is_some());
    }

    #[test]
    fn a_machine_without_power_is_silent_until_it_is_back() {
        let mut net = network();
        let id = standing(&mut net);
        net.vanish(id, Side::Listener);
        assert!(net.bounce(Time::from_millis(5), id, Side::Listener, false).is_none());
        let due = net.power_up(Time::from_millis(50), 1);
        assert_eq!(due.len(), 1);
        assert!(matches!(due[0].packet, Packet::Close));
        assert!(due[0].to == Side::Dialer);
        assert!(net.power_up(Time::from_millis(60), 1).is_empty());
    }

    #[test]
    fn a_closed_end_sends_no_more_and_the_last_close_forgets_the_connection() {
        let mut net = network();
        let id = standing(&mut net);
        assert!(matches!(net.close(Time::from_millis(3), id, Side::Dialer).unwrap().packet, Packet::Close));
        assert!(net.send(Time::from_millis(4), id, Side::Dialer, word("x")).is_none());
        assert_eq!(net.ends_at(1), vec![(id, Side::Listener)]);
        net.vanish(id, Side::Listener);
        assert!(net.host(id, Side::Dialer).is_none());
    }

    #[test]
    fn a_reset_takes_both_ends() {
        let mut net = network();
        let id = standing(&mut net);
        assert_eq!(net.reset(id), vec![(0, Side::Dialer), (1, Side::Listener)]);
        assert!(net.arrive(id, Side::Dialer, word("x")).is_none());
    }
}
