//! The one loop: facts go into the core, its wishes are carried out in order.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use super::clock::Clock;
use super::ports::{Api, Core, Front, FrontStats, Journal, Saver};
use super::resolver::Resolver;
use super::store::Batch;
use super::timer::Timer;
use crate::core::action::{Event, Level, Observation};
use crate::core::cluster::{Answer, Answered, Call};
use crate::core::ids::{CallNo, ClientId, SaveNo};
use crate::core::{Action, Actions, Input};
use crate::link::{LinkConfig, Links};
use crate::metrics::{Metrics, Snapshot};
use crate::scripts::{Scripts, executable};

/// Pause between two rounds of timers that follow each other at once.
const BREATH: Duration = Duration::from_millis(1);

/// Room for so many actions is kept between two inputs.
const KEPT_ACTIONS: usize = 256;

/// Drives the core. Everything runs on one thread; [`Driver::handle`] never waits.
pub struct Driver {
    core: RefCell<Box<dyn Core>>,
    clock: Clock,
    /// Facts that came up while another was being handled.
    queue: RefCell<VecDeque<Input>>,
    handling: Cell<bool>,
    /// An empty list whose room is used again.
    spare: RefCell<Actions>,
    timer: Timer,
    front: OnceCell<Rc<dyn Front>>,
    api: OnceCell<Rc<dyn Api>>,
    journal: Rc<dyn Journal>,
    saver: Rc<dyn Saver>,
    links: Links,
    scripts: Scripts,
    resolver: Resolver,
    batch: Batch,
    metrics: Metrics,
    /// The start's own wish to save is still open.
    unsaved_start: Cell<bool>,
    started: Cell<bool>,
    /// The log has it that the file can't be written.
    complained: Cell<bool>,
    stop: watch::Sender<bool>,
    /// The core has nothing left to hand over.
    ended: watch::Sender<bool>,
    me: Weak<Self>,
}

/// What a [`Driver`] is made of.
pub struct Parts {
    /// The deciding part.
    pub core: Box<dyn Core>,
    /// The log.
    pub journal: Rc<dyn Journal>,
    /// Keeper of the file.
    pub saver: Rc<dyn Saver>,
    /// How connections are made.
    pub links: LinkConfig,
    /// The figures.
    pub metrics: Metrics,
}

impl Driver {
    /// A driver that has not begun: [`Driver::attach`] and [`Driver::start`] follow.
    #[must_use]
    pub fn new(parts: Parts) -> Rc<Self> {
        Rc::new_cyclic(|me: &Weak<Self>| {
            let deliver: Rc<dyn Fn(Input)> = {
                let me = me.clone();
                Rc::new(move |input| {
                    if let Some(driver) = me.upgrade() {
                        driver.handle(input);
                    }
                })
            };
            Self {
                core: RefCell::new(parts.core),
                clock: Clock,
                queue: RefCell::default(),
                handling: Cell::new(false),
                spare: RefCell::default(),
                timer: Timer::default(),
                front: OnceCell::new(),
                api: OnceCell::new(),
                journal: parts.journal,
                saver: parts.saver,
                links: Links::new(parts.links, parts.metrics.links.clone(), deliver.clone()),
                scripts: Scripts::new(deliver),
                resolver: Resolver::new(),
                batch: Batch::default(),
                metrics: parts.metrics,
                unsaved_start: Cell::new(false),
                started: Cell::new(false),
                complained: Cell::new(false),
                stop: watch::Sender::new(false),
                ended: watch::Sender::new(false),
                me: me.clone(),
            }
        })
    }

    /// Tell the side that clients see; once.
    pub fn attach(&self, front: Rc<dyn Front>) {
        // A second front would be a mistake of the start-up; the first one stays.
        let _ = self.front.set(front);
    }

    /// Tell the way to the API server of a fleet; once, and before [`Driver::start`].
    pub fn join(&self, api: Rc<dyn Api>) {
        // As with the front, the first one stays.
        let _ = self.api.set(api);
    }

    /// Begin: the core's first wishes, and the timer. Must be called on a [`tokio::task::LocalSet`].
    pub fn start(&self) {
        let mut actions = Actions::new();
        self.core.borrow_mut().start(self.clock.now(), &mut actions);
        // A fleet keeps what matters in its Leases, and the file may be read-only.
        let file_matters = !self.in_fleet();
        self.unsaved_start
            .set(file_matters && actions.iter().any(|action| matches!(action, Action::Persist { .. })));
        self.started.set(true);
        // What the start leads to is queued behind it.
        self.handling.set(true);
        actions.drain(..).for_each(|action| self.carry_out(action));
        self.work_off(None);
        let me = self.me.clone();
        tokio::task::spawn_local(async move {
            while let Some(driver) = me.upgrade() {
                driver.timer.due(driver.clock, || driver.deadline()).await;
                // One more turn: what already lies in the sockets is older than the deadline.
                let heard = driver.clock.now();
                tokio::task::yield_now().await;
                driver.handle(Input::Timer { heard });
                if driver.deadline().is_some_and(|next| next <= driver.clock.now()) {
                    // More work than time: the others get at least this much.
                    tokio::time::sleep(BREATH).await;
                }
            }
        });
    }

    /// Take in a fact. May be called while another is being handled; it waits its turn then.
    pub fn handle(&self, input: Input) {
        if self.handling.replace(true) {
            self.queue.borrow_mut().push_back(input);
            return;
        }
        self.work_off(Some(input));
    }

    /// Ends when the process was asked to stop.
    pub async fn stopped(&self) {
        let mut asked = self.stop.subscribe();
        // The sender lives as long as `self`.
        let _ = asked.wait_for(|&stop| stop).await;
    }

    /// Whether this is the member of a fleet.
    #[must_use]
    pub fn in_fleet(&self) -> bool {
        self.api.get().is_some()
    }

    /// Ask the core to hand over what is under way; ends when it has.
    pub async fn hand_over(&self) {
        let mut ended = self.ended.subscribe();
        self.handle(Input::Terminate);
        // The sender lives as long as `self`.
        let _ = ended.wait_for(|&ended| ended).await;
    }

    /// Whether a write of the file runs or waits.
    #[must_use]
    pub fn saving(&self) -> bool {
        self.batch.busy()
    }

    /// The connections.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The figures.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The log.
    #[must_use]
    pub fn journal(&self) -> &dyn Journal {
        &*self.journal
    }

    /// Re-read what the clients' side reads from files, and log what went wrong.
    pub fn reload(&self) {
        for problem in self.front.get().map(|front| front.reload()).unwrap_or_default() {
            self.journal.line(Level::Warning, None, &problem);
        }
    }

    /// Stop listening and drop all clients.
    pub fn close_front(&self) {
        if let Some(front) = self.front.get() {
            front.close_all();
        }
    }

    /// The Sentinel section of INFO.
    #[must_use]
    pub fn info_section(&self) -> String {
        self.core.borrow().info_section(self.clock.now())
    }

    /// Everything that the admin port shows.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        if let Some(api) = self.api.get() {
            api.scraped();
        }
        let core = self.core.borrow();
        Snapshot {
            view: core.view(self.clock.now()),
            simulate_failure_flags: core.simulate_failure_flags().into(),
            front: self.front.get().map_or_else(FrontStats::default, |front| front.stats()),
            ready: self.ready(),
        }
    }

    /// The listeners stand, and what the start had to save is saved.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.started.get() && self.front.get().is_some() && !self.unsaved_start.get()
    }

    /// Ask the process to stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    fn deadline(&self) -> Option<crate::core::Time> {
        self.core.borrow().next_deadline().map(|(at, _)| at)
    }

    /// Handle an input and what is queued. Not while that is under way further up the stack.
    fn work_off(&self, first: Option<Input>) {
        let mut actions = self.spare.take();
        let mut next = first;
        loop {
            if let Some(input) = next {
                self.drive(input, &mut actions);
            }
            // The borrow must end before the input is handled.
            next = self.queue.borrow_mut().pop_front();
            if next.is_none() {
                break;
            }
        }
        if actions.capacity() <= KEPT_ACTIONS {
            self.spare.replace(actions);
        }
        self.handling.set(false);
        self.timer.arm(self.deadline());
    }

    fn drive(&self, input: Input, actions: &mut Actions) {
        let now = self.clock.now();
        // Whatever the input is, the core takes the deadlines along that are over: no flood of inputs starves them.
        if let Some(deadline) = self.deadline().filter(|&deadline| deadline <= now) {
            self.metrics.turns.late(now.since(deadline));
        }
        if let Input::Persisted { ok: true, .. } = input {
            self.unsaved_start.set(false);
        }
        self.metrics.turns.input();
        self.core.borrow_mut().handle(input, now, actions);
        actions.drain(..).for_each(|action| self.carry_out(action));
    }

    fn carry_out(&self, action: Action) {
        match action {
            Action::Connect { conn, ip, port, role } => self.links.connect(conn, ip, port, role),
            Action::Close { conn } => self.links.close(conn),
            Action::Send { conn, args } => self.links.send(conn, &args),
            Action::Reply { client, reply } => {
                if let Some(front) = self.front.get() {
                    front.reply(client, reply);
                }
            }
            Action::Event(event) => self.announce(&event),
            Action::Log { level, group, text } => self.journal.line(level, group.as_ref(), &text),
            Action::Persist { save } => self.persist(save),
            Action::Resolve { id, host } => {
                let me = self.me.clone();
                self.resolver.ask(id, host, move |answer| {
                    if let Some(driver) = me.upgrade() {
                        driver.handle(answer);
                    }
                });
            }
            Action::CheckExecutable { id, paths } => {
                let ok = paths.iter().map(|path| executable(path)).collect();
                self.handle(Input::Executable { id, ok });
            }
            Action::RunScript { job, argv } => self.scripts.run(job, argv),
            Action::KillScript { job } => self.scripts.kill(job),
            Action::SetLogLevel(level) => self.journal.set_level(level),
            Action::Observe(observation) => self.observe(&observation),
            Action::Api { call, request, limit } => self.call(call, request, limit),
            Action::Ended => drop(self.ended.send_replace(true)),
            Action::Crash => self.crash(),
        }
    }

    fn call(&self, call: CallNo, request: Call, limit: Duration) {
        if let Some(api) = self.api.get() {
            api.call(call, request, limit);
        } else {
            let reason = "there is no API server to call".to_owned();
            let answer = Answer::Refused { reason, after: None };
            self.handle(Input::Answered(Answered { call, answer }));
        }
    }

    fn announce(&self, event: &Event) {
        self.journal.event(event);
        self.metrics.core.event(event.name);
        if event.level != Level::Debug
            && let Some(front) = self.front.get()
        {
            front.publish(event.name, &event.payload);
        }
    }

    fn observe(&self, observation: &Observation) {
        self.metrics.core.observe(observation);
    }

    fn persist(&self, save: SaveNo) {
        if self.batch.request(save)
            && let Some(driver) = self.me.upgrade()
        {
            tokio::task::spawn_local(async move { driver.write().await });
        }
    }

    /// Write until nothing waits. The state is read when a write begins, so it covers every request made till then.
    async fn write(&self) {
        while let Some(upto) = self.batch.take() {
            let settings = self.core.borrow().snapshot();
            let began = self.clock.now();
            let result = self.saver.save(settings).await;
            self.metrics.store.written(result.is_ok(), self.clock.now().since(began));
            match &result {
                Ok(()) => self.journal.line(Level::Notice, None, "Sentinel new configuration saved on disk"),
                // The Leases hold what matters to a fleet: that the file doesn't is said once.
                Err(_) if self.in_fleet() && self.complained.replace(true) => {}
                Err(error) => {
                    let text = format!(
                        "WARNING: Sentinel was not able to save the new configuration on disk!!!: {error}"
                    );
                    self.journal.line(Level::Warning, None, &text);
                }
            }
            self.handle(Input::Persisted { upto, ok: result.is_ok() });
            // Writes that end at once must not keep the loop to themselves.
            tokio::task::yield_now().await;
        }
    }

    /// SENTINEL SIMULATE-FAILURE: gone at once, as by a crash; the ports must refuse connections from here on.
    fn crash(&self) {
        self.close_front();
        self.journal.flush();
        std::process::exit(i32::from(crate::process::EXIT_SIMULATED_CRASH));
    }

    /// A client's SENTINEL, ROLE or PUBLISH.
    pub fn command(&self, client: ClientId, args: Vec<Bytes>) {
        self.handle(Input::Command { client, args });
    }
}

#[cfg(test)]
mod tests;
