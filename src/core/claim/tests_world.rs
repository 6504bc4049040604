//! What the tests' claimants act upon: a store, a Service and a few nodes that answer as they are told to.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    Claimant, Command, Config, Fact, Failover, Fence, Gathered, GroupLease, Instance, Kind, Listed, Primary,
    Rest, Role, Rules, Service, Shown, Standing, Step, Wish, Written,
};
use crate::core::ids::{ClaimId, GroupName, PodUid, RunId, Version};
use crate::core::time::Time;

pub(super) fn config(member: &str) -> Config {
    Config {
        member: RunId::from(member),
        life: 1,
        group: GroupName::from("g"),
        barrier_wait: Duration::ZERO,
        cold_start_wait: Duration::from_secs(30),
        again_after: Duration::from_secs(4),
        parallel_syncs: 1,
        observe: false,
        rules: Rules::default(),
    }
}

pub(super) fn standing(run_id: &str, of: Option<&str>, offset: u64) -> Standing {
    Standing {
        run_id: RunId::from(run_id),
        role: of.map_or(Role::Primary, |of| Role::Replica { of: of.to_owned() }),
        replication_id: "history".to_owned(),
        earlier_id: String::new(),
        offset,
        busy: false,
        linked: of.is_some(),
        priority: 100,
        empty: false,
    }
}

pub(super) fn instance(pod: &str) -> Instance {
    Instance {
        pod: pod.to_owned(),
        uid: PodUid::from(pod),
        address: format!("{pod}:6379"),
        run_id: RunId::from(format!("{pod}1")),
    }
}

pub(super) fn primary() -> Primary {
    Primary {
        instance: instance("a"),
        replication_id: "history".to_owned(),
        offset: 0,
        epoch: 7,
        rest: Rest::new(),
    }
}

/// A failover from a to b, as the claimant of that name left it when it had recorded b.
pub(super) fn left_at_b(claim: &str) -> Failover {
    Failover {
        claim: ClaimId::from(claim),
        kind: Kind::Failover,
        epoch: 8,
        why: "down".to_owned(),
        from: Some(instance("a")),
        candidate: Some(instance("b")),
        tried: vec![instance("b")],
        step: Step::Chosen,
        opinions: Vec::new(),
        fence: Fence::None,
        times: BTreeMap::new(),
        rest: Rest::new(),
    }
}

/// Whom a node follows that has no role yet.
pub(super) const NOWHERE: &str = "127.0.0.1:1";

/// The world around claimants, which does at once what is wished for, unless it was told to be unwell.
pub(super) struct World {
    pub(super) version: u64,
    pub(super) lease: Option<GroupLease>,
    pub(super) service: Service,
    pub(super) nodes: BTreeMap<PodUid, Standing>,
    pub(super) down: Vec<&'static str>,
    /// What is done with the next writes of the Lease, in turn: whether it lands, and whether there is an answer.
    pub(super) puts: Vec<(bool, bool)>,
    pub(super) now: Time,
    pub(super) log: Vec<String>,
}

impl World {
    pub(super) fn new() -> Self {
        let nodes = [
            ("a", standing("a1", None, 9)),
            ("b", standing("b1", Some("a:6379"), 9)),
            ("c", standing("c1", Some("a:6379"), 8)),
        ];
        let lease = GroupLease { primary: Some(primary()), ..GroupLease::new(GroupName::from("g")) };
        Self {
            version: 1,
            lease: Some(lease),
            service: Service { version: Version::from("s"), pod: "a".to_owned(), epoch: 7 },
            nodes: nodes.map(|(uid, standing)| (PodUid::from(uid), standing)).into(),
            down: Vec::new(),
            puts: Vec::new(),
            now: Time::ZERO,
            log: Vec::new(),
        }
    }

    pub(super) fn shown(&self) -> Shown {
        self.lease.clone().map(|lease| (Version::from(self.version.to_string()), lease))
    }

    pub(super) fn listed(&self) -> Fact {
        let listed = |uid: &PodUid| Listed {
            pod: uid.to_string(),
            address: format!("{uid}:6379"),
            down: self.down.contains(&uid.as_str()),
            leaving: false,
        };
        Fact::Nodes(self.nodes.keys().map(|uid| (uid.clone(), listed(uid))).collect())
    }

    /// A member that knows the group.
    pub(super) fn member(&mut self, name: &str) -> Claimant {
        let mut claimant = Claimant::new(config(name));
        self.tell(&mut claimant, self.listed());
        self.tell(&mut claimant, Fact::ServiceSeen(self.service.clone()));
        self.tell(&mut claimant, Fact::Seen(self.shown()));
        claimant
    }

    pub(super) fn gathered(&self) -> Fact {
        let about = self.lease.as_ref().unwrap().primary.clone().unwrap();
        let opinions = ["m", "n"].map(RunId::from).into();
        Fact::Gathered(Some(Gathered { about, opinions, fence: Fence::Refused, start_after: Duration::ZERO }))
    }

    /// Tells, and carries out what comes of it, for at most `steps` wishes; the others are lost with their claimant.
    pub(super) fn tell_for(&mut self, claimant: &mut Claimant, fact: Fact, mut steps: usize) {
        self.tell_without(claimant, fact, |_| {
            let lost = steps == 0;
            steps = steps.saturating_sub(1);
            lost
        });
    }

    /// Tells, and carries out what comes of it but what is withheld; all that was wished for.
    pub(super) fn tell_without(
        &mut self,
        claimant: &mut Claimant,
        fact: Fact,
        mut withheld: impl FnMut(&Wish) -> bool,
    ) -> Vec<Wish> {
        let mut wishes = Vec::new();
        claimant.handle(fact, self.now, &mut wishes);
        let mut at = 0;
        while let Some(wish) = wishes.get(at).cloned() {
            at += 1;
            let fact = if withheld(&wish) { None } else { self.carry_out(wish) };
            if let Some(fact) = fact {
                self.answer(claimant, fact, &mut wishes);
            }
        }
        wishes
    }

    /// What is written is shown as well.
    pub(super) fn answer(&self, claimant: &mut Claimant, fact: Fact, wishes: &mut Vec<Wish>) {
        let landed = matches!(fact, Fact::Put(_, Written::Landed(_)));
        claimant.handle(fact, self.now, wishes);
        if landed {
            claimant.handle(Fact::Seen(self.shown()), self.now, wishes);
        }
    }

    pub(super) fn tell(&mut self, claimant: &mut Claimant, fact: Fact) {
        self.tell_for(claimant, fact, 1000);
    }

    pub(super) fn carry_out(&mut self, wish: Wish) -> Option<Fact> {
        Some(match wish {
            Wish::Read(call) => Fact::Read(call, Some(self.shown())),
            Wish::Put(call, version, lease) => Fact::Put(call, self.put(version, *lease)),
            Wish::Barrier { node, call, cut } => {
                assert!(cut);
                let answer = self.nodes.get(&node).filter(|_| !self.down.contains(&node.as_str()));
                Fact::Stood(node.clone(), call, answer.cloned())
            }
            Wish::Command { node, call, run_id, command, .. } => {
                let there = self.nodes.get_mut(&node).unwrap();
                assert_eq!(there.run_id, run_id);
                self.log.push(format!("{node} {command:?}"));
                there.role = match command {
                    Command::Promote => Role::Primary,
                    Command::Follow(of) | Command::Yield(of) => Role::Replica { of },
                    Command::Ask | Command::Hold(_) | Command::Resume | Command::SendAway => {
                        there.role.clone()
                    }
                };
                Fact::Stood(node, call, Some(there.clone()))
            }
            Wish::ReadService(call) => Fact::Service(call, Some(self.service.clone())),
            Wish::Patch(call, service) => {
                self.log.push(format!("service {} {}", service.pod, service.epoch));
                self.service = service;
                Fact::Patched(call, Written::Landed(self.service.version.clone()))
            }
            Wish::Switched(primary) => {
                self.log.push(format!("switched {} {}", primary.instance.pod, primary.epoch));
                return None;
            }
            Wish::Diverged => {
                self.log.push("diverged".to_owned());
                return None;
            }
            Wish::Foreign(node) => {
                self.log.push(format!("{node} is foreign"));
                return None;
            }
            Wish::Spared(node) => {
                self.log.push(format!("{node} is spared"));
                return None;
            }
            Wish::Ended => {
                self.log.push("ended".to_owned());
                return None;
            }
            Wish::Promise(epoch) => Fact::Recorded(epoch),
            Wish::Release => return None,
        })
    }

    pub(super) fn put(&mut self, version: Option<Version>, lease: GroupLease) -> Written {
        let (lands, answers) = if self.puts.is_empty() { (true, true) } else { self.puts.remove(0) };
        if version != self.shown().map(|(version, _)| version) {
            return Written::Conflict;
        }
        assert_eq!(GroupLease::parse(&lease.print()).as_ref(), Ok(&lease));
        if lands {
            self.version += 1;
            let step = lease.failover.as_ref().map_or("rest", |failover| failover.step.word());
            self.log.push(format!("put {step} {}", lease.epoch()));
            self.lease = Some(lease);
        }
        if answers { Written::Landed(Version::from(self.version.to_string())) } else { Written::Unknown }
    }

    pub(super) fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    pub(super) fn lease(&self) -> &GroupLease {
        self.lease.as_ref().unwrap()
    }
}
