//! The claim's wishes become calls of the API server and requests to data nodes; what comes of them becomes facts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::calls::{Asker, LIMIT, Sort};
use super::gate::{Gate, Heard};
use super::scope::{EPOCH, epoch_of};
use super::ward::{Desk, Ward};
use crate::core::action::{Action, Level, LinkRole};
use crate::core::claim::{Fact, Service, Wish, Written};
use crate::core::cluster::{self, About, Answer, Call, Object, POD_KEY};
use crate::core::ids::{CallNo, PodUid};
use crate::core::instance::Kind;
use crate::resp::Reply;

/// The first pause after a call that failed; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Doublings after which a pause doesn't grow.
const DOUBLINGS: u32 = 5;
/// Longest time that the API server may ask to be left alone for.
const MOST_PAUSE: Duration = Duration::from_secs(10);
/// After so long without another one failures are no longer in a row: whoever loses each race waits no longer for it.
const FORGIVEN: Duration = Duration::from_secs(10);
/// No call and no request has less time than this.
const LEAST: Duration = Duration::from_millis(10);

impl Ward {
    /// The time that a call may take: what is left to the claim, if one is held.
    fn limit(&self, desk: &Desk<'_, '_>) -> Duration {
        let left = self.claimant.acts_until().map_or(LIMIT, |until| until.since(desk.cx.now));
        left.min(LIMIT).max(LEAST)
    }

    fn ask(&self, call: CallNo, sort: Sort, request: Call, desk: &mut Desk<'_, '_>) {
        let limit = self.limit(desk);
        desk.calls.call(Asker::Claim(desk.group.id, call, sort), request, limit, desk.cx.out);
    }

    /// Carries one wish out; what is known at once is the answer.
    pub(super) fn carry_out(&mut self, wish: Wish, desk: &mut Desk<'_, '_>) -> Option<Fact> {
        let service = self.scope.routes.as_ref().map(|routes| routes.primary.clone());
        match wish {
            Wish::Read(call) => {
                self.ask(call, Sort::ReadLease, Call::ReadLease { name: self.lease.clone() }, desk);
            }
            Wish::Put(call, version, lease) => {
                let about = About::Group(desk.group.name.as_str().to_owned());
                let (name, plain) = (self.lease.clone(), lease.print());
                self.ask(call, Sort::WriteLease, Call::WriteLease { name, version, plain, about }, desk);
            }
            Wish::Barrier { node, call, cut } => return self.open_gate(node, call, cut, desk),
            Wish::Command { node, connection, call, run_id: _, command } => {
                let limit = self.limit(desk);
                let (group, cx) = (&*desk.group, &mut *desk.cx);
                let Some(gate) = self.gates.get_mut(&connection) else {
                    return Some(Fact::Stood(node, call, None));
                };
                let word = |word: &'static str| group.renamed(word).to_owned();
                for args in gate.tell((call, cx.now + limit), &command, word) {
                    cx.out.push(Action::Send { conn: gate.conn, args });
                }
            }
            Wish::Promise(epoch) => {
                let there = desk.membership.promise(&desk.group.name, epoch, desk.cx.now);
                return there.then_some(Fact::Recorded(epoch));
            }
            Wish::Release => {
                for (_, gate) in std::mem::take(&mut self.gates) {
                    desk.conns.remove(&gate.conn);
                    desk.cx.out.push(Action::Close { conn: gate.conn });
                }
            }
            Wish::ReadService(call) => match service {
                Some(name) => self.ask(call, Sort::ReadService, Call::ReadService { name }, desk),
                None => return Some(Fact::Service(call, Some(Service::none()))),
            },
            Wish::Patch(call, wanted) => {
                let Some(name) = service else { return Some(Fact::Patched(call, Written::Conflict)) };
                let selector = [(POD_KEY.to_owned(), Some(wanted.pod))].into();
                let annotations = BTreeMap::from([(EPOCH.to_owned(), Some(wanted.epoch.to_string()))]);
                let request = Call::PatchService { name, version: wanted.version, selector, annotations };
                self.ask(call, Sort::PatchService, request, desk);
            }
            Wish::Switched(_) => {
                self.diverged = false;
                self.note_followed(desk);
                // Seated with the next look, which follows at once.
                desk.cx.shared.touched.insert(desk.group.id);
            }
            Wish::Diverged => {
                let text = "Nodes hold different data, and nothing tells which are the group's: none are touched. Remove those that \
                            are not to be kept";
                // Looked at again and again, said once.
                if !std::mem::replace(&mut self.diverged, true) {
                    self.warn("DataDiverged", text, desk);
                }
            }
            Wish::Foreign(node) => self.leave_alone(node, desk),
            Wish::Spared(node) => self.spare(node, desk),
            Wish::Ended => self.ended = true,
        }
        None
    }

    // === The API server ===

    /// An answer of the API server to a call of this claim's.
    pub(crate) fn answered(&mut self, call: CallNo, sort: Sort, answer: Answer, desk: &mut Desk<'_, '_>) {
        let read = matches!(answer, Answer::Read(_));
        let wait = match &answer {
            Answer::Read(_) => None,
            Answer::Landed(_) => {
                self.failures = 0;
                None
            }
            Answer::Refused { after, .. } => Some(after.unwrap_or_default().min(MOST_PAUSE)),
            Answer::Conflict | Answer::Unknown(_) => Some(Duration::ZERO),
        };
        let fact = self.fact(call, sort, answer, desk);
        // What can't be made sense of is asked for again, as after a failure.
        let useless = read && matches!(fact, Fact::Read(_, None) | Fact::Service(_, None));
        let wait = wait.or(useless.then_some(Duration::ZERO));
        let Some(wait) = wait else { return self.tell(fact, desk) };
        let now = desk.cx.now;
        if now.since(self.failed_at) > FORGIVEN {
            self.failures = 0;
        }
        self.failed_at = now;
        // The first failure is answered at once: it may be a lost race. Those that follow are not hurried.
        let pause = match self.failures {
            0 => Duration::ZERO,
            n => FIRST_PAUSE * (1 << (n - 1).min(DOUBLINGS)),
        };
        self.failures = self.failures.saturating_add(1);
        let pause = pause.max(wait);
        if pause.is_zero() {
            self.tell(fact, desk);
        } else {
            self.delayed.push((now + pause, fact));
        }
    }

    fn fact(&mut self, call: CallNo, sort: Sort, answer: Answer, desk: &mut Desk<'_, '_>) -> Fact {
        match sort {
            Sort::ReadLease => {
                let shown = match &answer {
                    Answer::Read(Some(Object::Lease(lease))) => self.read(Some(lease), desk).ok(),
                    Answer::Read(None) => self.read(None, desk).ok(),
                    Answer::Read(Some(_))
                    | Answer::Landed(_)
                    | Answer::Conflict
                    | Answer::Refused { .. }
                    | Answer::Unknown(_) => None,
                };
                Fact::Read(call, shown)
            }
            Sort::ReadService => {
                let service = match &answer {
                    Answer::Read(Some(Object::Service(service))) => Some(as_read(service)),
                    Answer::Read(None) => Some(Service::none()),
                    Answer::Read(Some(_))
                    | Answer::Landed(_)
                    | Answer::Conflict
                    | Answer::Refused { .. }
                    | Answer::Unknown(_) => None,
                };
                Fact::Service(call, service)
            }
            Sort::WriteLease => Fact::Put(call, written(answer)),
            Sort::PatchService => Fact::Patched(call, written(answer)),
        }
    }

    // === Data nodes ===

    fn open_gate(&mut self, node: PodUid, call: CallNo, cut: bool, desk: &mut Desk<'_, '_>) -> Option<Fact> {
        let Some((address, ip)) =
            self.pods.get(&node).and_then(|place| Some((place.address.clone(), place.address.ip?)))
        else {
            return Some(Fact::Stood(node, call, None));
        };
        let limit = self.limit(desk);
        let (group, cx) = (&*desk.group, &mut *desk.cx);
        let (conn, port) = (cx.shared.links.number(), address.port);
        let mut gate = Gate::new((conn, call), (node, address), desk.life, cut, cx.now + limit);
        if self.claimant.is_founding() {
            let peers = group.peers.names().cloned();
            gate = gate.without_sentinels(peers.chain([desk.me.to_string()]).collect());
        }
        cx.out.push(Action::Connect { conn, ip, port, role: LinkRole::Claim });
        let auth = group.auth(Kind::Replica, cx);
        for args in gate.open(auth, group.renamed("CLIENT"), group.renamed("INFO")) {
            cx.out.push(Action::Send { conn, args });
        }
        desk.conns.insert(conn, (group.id, call));
        self.gates.insert(call, gate);
        None
    }

    /// A reply came over a claim's connection.
    pub(crate) fn gate_replied(&mut self, barrier: CallNo, reply: &Reply, desk: &mut Desk<'_, '_>) {
        let group = &*desk.group;
        let Some(gate) = self.gates.get_mut(&barrier) else { return };
        match gate.hear(reply, group.renamed("CLIENT"), group.renamed("INFO")) {
            Heard::Nothing => {}
            Heard::Send(requests) => {
                let conn = gate.conn;
                desk.cx.out.extend(requests.into_iter().map(|args| Action::Send { conn, args }));
            }
            Heard::Stands(call, standing) => {
                let fact = Fact::Stood(gate.node.clone(), call, Some(standing));
                self.tell(fact, desk);
            }
            Heard::Beside(name) => {
                let node = gate.node.clone();
                self.tell_of_sentinel(&node, &name, desk);
                self.tell(Fact::Beside, desk);
                self.shut_gate(barrier, true, desk);
            }
            Heard::Void(refused) => {
                if let Some(words) = refused {
                    let node = gate.node.clone();
                    self.tell_of_refusal(&node, words, desk);
                }
                self.shut_gate(barrier, true, desk);
            }
        }
    }

    /// Two quorums would promote two replicas. Said once.
    fn tell_of_sentinel(&mut self, node: &PodUid, name: &str, desk: &mut Desk<'_, '_>) {
        if self.strange.is_some() {
            return;
        }
        let pod = self.pods.get(node).map_or(node.as_str(), |place| &place.pod);
        let text = format!(
            "Sentinels still watch this group ({name} at {pod}): nothing is done until they are gone. Stop them, or let this \
             fleet observe"
        );
        self.warn("SentinelsListen", &text, desk);
        self.strange = Some(text);
    }

    /// A node that refuses what a claim is made of is left out of it, again and again: said once.
    fn tell_of_refusal(&mut self, node: &PodUid, words: String, desk: &mut Desk<'_, '_>) {
        if self.refused.as_ref() == Some(&words) {
            return;
        }
        let pod = self.pods.get(node).map_or(node.as_str(), |place| &place.pod);
        let text = format!("{pod} refuses what a claim needs of it, so it can't be given a role: {words}");
        desk.cx.log(Level::Warning, Some(desk.group), text);
        self.refused = Some(words);
    }

    /// A claim's connection is of no more use.
    pub(crate) fn shut_gate(&mut self, barrier: CallNo, close: bool, desk: &mut Desk<'_, '_>) {
        let Some(gate) = self.gates.remove(&barrier) else { return };
        desk.conns.remove(&gate.conn);
        if close {
            desk.cx.out.push(Action::Close { conn: gate.conn });
        }
        self.tell(Fact::Stood(gate.node, barrier, None), desk);
    }

    /// Connections whose answer is late, or whose Pod is not there any more.
    pub(super) fn close_gates(&mut self, desk: &mut Desk<'_, '_>) {
        let now = desk.cx.now;
        let gone = |gate: &Gate| self.pods.get(&gate.node).is_none_or(|place| place.address != gate.address);
        let over = |gate: &Gate| gate.until().is_some_and(|until| until <= now);
        let shut: Vec<CallNo> =
            self.gates.iter().filter(|(_, gate)| over(gate) || gone(gate)).map(|(call, _)| *call).collect();
        for barrier in shut {
            self.shut_gate(barrier, true, desk);
        }
    }
}

pub(super) fn as_read(service: &cluster::Service) -> Service {
    let pod = service.selector.get(POD_KEY).cloned().unwrap_or_default();
    Service { version: service.version.clone(), pod, epoch: epoch_of(service) }
}

fn written(answer: Answer) -> Written {
    match answer {
        Answer::Landed(version) => Written::Landed(version),
        Answer::Conflict => Written::Conflict,
        Answer::Read(_) | Answer::Refused { .. } | Answer::Unknown(_) => Written::Unknown,
    }
}
