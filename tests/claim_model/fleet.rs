//! The model: some members that claim, and everything that may come in between.

use std::time::Duration;

use stateright::{Model, Property};
use vedette::core::claim::{Claimant, Config, Fact, Fence, Gathered, Rules, Wish, Written};
use vedette::core::ids::{ClaimId, GroupName, RunId};
use vedette::core::time::Time;

use crate::world::{LAWS, World};

/// How often something may happen, all together: this keeps the number of states finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// A whole claim's time passes.
    pub(crate) jumps: usize,
    /// A member finds the primary down, rightly or not.
    pub(crate) alarms: usize,
    /// It no longer does.
    pub(crate) lapses: usize,
    /// A member finds roles wrong.
    pub(crate) repairs: usize,
    /// An answer is lost, and what was asked for is done late or never.
    pub(crate) losses: usize,
    /// A write of the Lease lands long before its answer comes.
    pub(crate) delays: usize,
    /// A member dies and starts again.
    pub(crate) crashes: usize,
    /// A data node starts again without its data.
    pub(crate) restarts: usize,
    /// The Lease is deleted.
    pub(crate) deletions: usize,
    /// The Service is edited.
    pub(crate) edits: usize,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fleet {
    pub(crate) members: usize,
    pub(crate) nodes: usize,
    /// There is a Service to follow the primary; without one there are far fewer states.
    pub(crate) service: bool,
    pub(crate) budget: Budget,
    pub(crate) rules: Rules,
}

/// Something that a member asked for and that was not carried out so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    wish: Wish,
    /// The claim it was asked for under.
    claim: Option<ClaimId>,
    life: u64,
    /// It was carried out, and this answer is on its way.
    answer: Option<Fact>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    claimant: Claimant,
    life: u64,
    asked: Vec<Asked>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// In claim times.
    clock: u64,
    members: Vec<Member>,
    /// What nobody waits for any more, but may be carried out yet: by whom it was asked for.
    late: Vec<(usize, Asked)>,
    pub(crate) world: World,
    pub(crate) left: Budget,
}

/// What may happen next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Jump,
    /// A member's deadline has come.
    Tick(usize),
    /// The watch shows the Lease as it is.
    Watch(usize),
    /// The watch shows the Service as it is.
    WatchService(usize),
    Alarm(usize),
    Lapse(usize),
    Wrong(usize),
    /// Something asked for is done and answered.
    Do(usize, usize),
    /// A write is done, and the answer waits.
    Land(usize, usize),
    /// There is no answer; it may be done late.
    Lose(usize, usize),
    /// Something of which the answer was lost is done.
    Late(usize),
    Crash(usize),
    Restart(usize),
    Delete,
    Edit,
}

impl Fleet {
    fn claimant(&self, member: usize, life: u64) -> Claimant {
        let mut claimant = Claimant::new(Config {
            member: RunId::from(["m", "n", "o"][member]),
            life,
            group: GroupName::from("g"),
            barrier_wait: Duration::ZERO,
            cold_start_wait: Duration::ZERO,
            again_after: Duration::from_secs(4),
            parallel_syncs: self.nodes,
            observe: false,
            rules: self.rules,
        });
        // What members remember is not modelled: nothing waits for it.
        claimant.handle(Fact::Recorded(u64::MAX), Time::ZERO, &mut Vec::new());
        claimant
    }
}

impl State {
    fn now(&self) -> Time {
        Time::from_millis(self.clock * 5000)
    }

    fn tell(&mut self, member: usize, fact: Fact) {
        let now = self.now();
        let Member { claimant, life, asked } = &mut self.members[member];
        let mut wishes = Vec::new();
        claimant.handle(fact, now, &mut wishes);
        for wish in wishes {
            match wish {
                Wish::Switched(_)
                | Wish::Diverged
                | Wish::Foreign(_)
                | Wish::Spared(_)
                | Wish::Promise(_)
                | Wish::Ended => {}
                // What is on its way when connections are closed may arrive all the same.
                Wish::Release => {}
                Wish::Read(_)
                | Wish::Put(..)
                | Wish::Barrier { .. }
                | Wish::Command { .. }
                | Wish::ReadService(_)
                | Wish::Patch(..) => {
                    let claim = claimant.claimed().cloned();
                    asked.push(Asked { wish, claim, life: *life, answer: None });
                }
            }
        }
    }

    /// Carries out what was asked for, now.
    fn carry_out(&mut self, member: usize, asked: &Asked) -> Option<Fact> {
        let world = &mut self.world;
        Some(match &asked.wish {
            Wish::Read(call) => Fact::Read(*call, Some(world.shown())),
            Wish::Put(call, version, lease) => {
                Fact::Put(*call, world.put(version.as_ref(), (**lease).clone()))
            }
            Wish::Barrier { node, call, cut } => {
                let standing = world.barrier(node, (member, asked.life, *call), *cut);
                Fact::Stood(node.clone(), *call, Some(standing))
            }
            Wish::Command { node, connection, call, command, .. } => {
                let connection = (member, asked.life, *connection);
                let answer = world.command(node, connection, command, asked.claim.as_ref());
                Fact::Stood(node.clone(), *call, answer)
            }
            Wish::ReadService(call) => Fact::Service(*call, Some(world.service.clone())),
            Wish::Patch(call, service) => Fact::Patched(*call, world.patch(service)),
            Wish::Switched(_)
            | Wish::Diverged
            | Wish::Foreign(_)
            | Wish::Spared(_)
            | Wish::Promise(_)
            | Wish::Ended
            | Wish::Release => {
                return None;
            }
        })
    }

    /// What a member hears of something that is not answered.
    fn no_answer(wish: &Wish) -> Option<Fact> {
        match wish {
            Wish::Put(call, ..) => Some(Fact::Put(*call, Written::Unknown)),
            Wish::Barrier { node, call, .. } | Wish::Command { node, call, .. } => {
                Some(Fact::Stood(node.clone(), *call, None))
            }
            Wish::Patch(call, _) => Some(Fact::Patched(*call, Written::Unknown)),
            Wish::Read(_)
            | Wish::ReadService(_)
            | Wish::Switched(_)
            | Wish::Diverged
            | Wish::Foreign(_)
            | Wish::Spared(_)
            | Wish::Promise(_)
            | Wish::Ended
            | Wish::Release => None,
        }
    }

    /// Whether doing it late can change anything.
    fn matters_late(&self, member: usize, asked: &Asked) -> bool {
        match &asked.wish {
            Wish::Put(_, version, _) => {
                *version == self.world.shown().map(|(version, _)| version) && asked.answer.is_none()
            }
            Wish::Command { node, connection, .. } => {
                self.world.is_open(node, (member, asked.life, *connection))
            }
            Wish::Patch(_, service) => service.version == self.world.service.version,
            Wish::Barrier { .. }
            | Wish::Read(_)
            | Wish::ReadService(_)
            | Wish::Switched(_)
            | Wish::Diverged
            | Wish::Foreign(_)
            | Wish::Spared(_)
            | Wish::Promise(_)
            | Wish::Ended
            | Wish::Release => false,
        }
    }

    /// What can't change anything any more is forgotten, so that states that differ in it alone are one.
    fn forget(&mut self) {
        let late = std::mem::take(&mut self.late);
        self.late = late.into_iter().filter(|(member, asked)| self.matters_late(*member, asked)).collect();
        self.late.sort_by_key(|(member, asked)| (*member, asked.life, format!("{:?}", asked.wish)));
    }

    fn actions_of(&self, at: usize, model: &Fleet, actions: &mut Vec<Action>) {
        let Member { claimant, asked, .. } = &self.members[at];
        let left = &self.left;
        if claimant.next_deadline().is_some_and(|due| self.now() >= due) {
            actions.push(Action::Tick(at));
        }
        if claimant.seen() != self.world.shown().as_ref().map(|(version, _)| version) {
            actions.push(Action::Watch(at));
        }
        if model.service && claimant.service_seen() != Some(&self.world.service.version) {
            actions.push(Action::WatchService(at));
        }
        let knows = claimant.committed().is_some();
        // Members are alike: the first to find the primary down is the first.
        let first_alarm = left.alarms == model.budget.alarms;
        if knows && left.alarms > 0 && (at == 0 || !first_alarm) {
            actions.push(Action::Alarm(at));
        }
        if left.lapses > 0 {
            actions.push(Action::Lapse(at));
        }
        if knows && left.repairs > 0 {
            actions.push(Action::Wrong(at));
        }
        if left.crashes > 0 {
            actions.push(Action::Crash(at));
        }
        // In order, except that the Service is another object than the Lease and the nodes.
        let of_service = |asked: &&Asked| matches!(asked.wish, Wish::Patch(..) | Wish::ReadService(_));
        let first = asked.iter().position(|asked| !of_service(&asked));
        let first_of_service = asked.iter().position(|asked| of_service(&asked));
        for which in [first, first_of_service].into_iter().flatten() {
            let asked = &asked[which];
            actions.push(Action::Do(at, which));
            let put = matches!(asked.wish, Wish::Put(..)) && asked.answer.is_none();
            if put && left.delays > 0 {
                actions.push(Action::Land(at, which));
            }
            if left.losses > 0 && asked.answer.is_none() && Self::no_answer(&asked.wish).is_some() {
                actions.push(Action::Lose(at, which));
            }
        }
    }
}

impl Model for Fleet {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let member = |at| Member { claimant: self.claimant(at, 1), life: 1, asked: Vec::new() };
        let mut state = State {
            clock: 0,
            members: (0..self.members).map(member).collect(),
            late: Vec::new(),
            world: World::new(self.nodes),
            left: self.budget,
        };
        for at in 0..self.members {
            state.tell(at, Fact::Nodes(state.world.listed()));
            if self.service {
                state.tell(at, Fact::ServiceSeen(state.world.service.clone()));
            }
            state.tell(at, Fact::Seen(state.world.shown()));
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for at in 0..self.members {
            state.actions_of(at, self, actions);
        }
        let left = &state.left;
        if left.jumps > 0 {
            actions.push(Action::Jump);
        }
        actions.extend((0..state.late.len()).map(Action::Late));
        if left.restarts > 0 {
            actions.extend((0..state.world.nodes()).map(Action::Restart));
        }
        if left.deletions > 0 && state.world.lease.is_some() {
            actions.push(Action::Delete);
        }
        if left.edits > 0 {
            actions.push(Action::Edit);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Jump => {
                state.clock += 1;
                state.left.jumps -= 1;
            }
            Action::Tick(at) => state.tell(at, Fact::Tick),
            Action::Watch(at) => state.tell(at, Fact::Seen(state.world.shown())),
            Action::WatchService(at) => state.tell(at, Fact::ServiceSeen(state.world.service.clone())),
            Action::Alarm(at) => {
                state.left.alarms -= 1;
                let about = state.members[at].claimant.committed()?.clone();
                let opinions = ["m", "n"].map(RunId::from).into();
                let gathered =
                    Gathered { about, opinions, fence: Fence::Refused, start_after: Duration::ZERO };
                state.tell(at, Fact::Gathered(Some(gathered)));
            }
            Action::Lapse(at) => {
                state.left.lapses -= 1;
                state.tell(at, Fact::Gathered(None));
            }
            Action::Wrong(at) => {
                state.left.repairs -= 1;
                state.tell(at, Fact::Wrong(true));
            }
            Action::Do(at, which) => {
                let asked = state.members[at].asked.remove(which);
                let fact = asked.answer.clone().or_else(|| state.carry_out(at, &asked))?;
                state.tell(at, fact);
            }
            Action::Land(at, which) => {
                state.left.delays -= 1;
                let asked = state.members[at].asked[which].clone();
                state.members[at].asked[which].answer = state.carry_out(at, &asked);
            }
            Action::Lose(at, which) => {
                state.left.losses -= 1;
                let asked = state.members[at].asked.remove(which);
                let fact = State::no_answer(&asked.wish)?;
                state.late.push((at, asked));
                state.tell(at, fact);
            }
            Action::Late(which) => {
                let (at, asked) = state.late.remove(which);
                state.carry_out(at, &asked);
            }
            Action::Crash(at) => {
                state.left.crashes -= 1;
                let life = state.members[at].life + 1;
                let asked = std::mem::take(&mut state.members[at].asked);
                state.late.extend(asked.into_iter().map(|asked| (at, asked)));
                state.members[at] = Member { claimant: self.claimant(at, life), life, asked: Vec::new() };
                state.tell(at, Fact::Nodes(state.world.listed()));
            }
            Action::Restart(node) => {
                state.left.restarts -= 1;
                state.world.restart(node);
            }
            Action::Delete => {
                state.left.deletions -= 1;
                state.world.delete();
            }
            Action::Edit => {
                state.left.edits -= 1;
                state.world.edit(String::new(), 0);
                for at in 0..self.members {
                    state.tell(at, Fact::ServiceSeen(state.world.service.clone()));
                }
            }
        }
        state.forget();
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // A property is a bare function, so each law has its own.
        macro_rules! law {
            ($at:literal) => {
                Property::always(LAWS[$at].1, |_: &Self, state: &State| {
                    !state.world.broken.contains(&LAWS[$at].0)
                })
            };
        }
        vec![
            law!(0),
            law!(1),
            law!(2),
            law!(3),
            law!(4),
            law!(5),
            // Else the rest would say little.
            Property::sometimes("a failover is done", |_: &Self, state: &State| {
                state.world.committed_epochs() > 1
                    && state.world.lease.as_ref().is_some_and(|lease| lease.holder.is_none())
            }),
        ]
    }
}
