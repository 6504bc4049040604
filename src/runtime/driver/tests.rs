mod fleet;

use std::net::IpAddr;

use prometheus::Registry;
use tokio::task::LocalSet;

use super::super::ports::Saving;
use super::*;
use crate::core::ids::{ConnId, ResolveId};
use crate::core::view::View;
use crate::core::{Settings, Time};
use crate::resp::Reply;

type Script = Box<dyn FnMut(&Input, Time) -> Actions>;

/// A core that answers as the test says and keeps what it was told.
struct Scripted {
    script: Script,
    start: Actions,
    seen: Rc<RefCell<Vec<Input>>>,
    deadline: Rc<Cell<Option<Time>>>,
    epoch: Rc<Cell<u64>>,
}

impl Core for Scripted {
    fn start(&mut self, _now: Time, actions: &mut Actions) {
        actions.append(&mut self.start);
    }

    fn handle(&mut self, input: Input, now: Time, actions: &mut Actions) {
        self.seen.borrow_mut().push(input.clone());
        if self.deadline.get().is_some_and(|at| at <= now) {
            self.deadline.set(None);
        }
        actions.extend((self.script)(&input, now));
    }

    fn next_deadline(&self) -> Option<(Time, &'static str)> {
        self.deadline.get().map(|at| (at, "test"))
    }

    fn snapshot(&self) -> Settings {
        Settings { current_epoch: self.epoch.get(), ..Settings::default() }
    }

    fn info_section(&self, _now: Time) -> String {
        "# Sentinel\r\nsentinel_masters:0\r\n".to_owned()
    }

    fn simulate_failure_flags(&self) -> u8 {
        3
    }

    fn view(&self, _now: Time) -> View {
        View {
            my_id: "me".to_owned(),
            current_epoch: self.epoch.get(),
            tilt: false,
            tilt_since_ms: None,
            running_scripts: 0,
            queued_scripts: 0,
            next_deadline_in_ms: None,
            next_deadline_why: None,
            groups: Vec::new(),
        }
    }
}

/// Log, clients and disk in one: everything that the driver did, in order.
#[derive(Default)]
struct World {
    done: RefCell<Vec<String>>,
    /// What the driver is told back while it replies.
    echo: RefCell<Option<Weak<Driver>>>,
    saves: RefCell<Vec<u64>>,
    gate: RefCell<Option<watch::Receiver<bool>>>,
    full: Cell<bool>,
}

impl World {
    fn note(&self, text: String) {
        self.done.borrow_mut().push(text);
    }
}

impl Front for World {
    fn reply(&self, client: ClientId, reply: Reply) {
        self.note(format!("reply {client} {reply:?}"));
        let echo = self.echo.borrow().as_ref().and_then(Weak::upgrade);
        if let Some(driver) = echo {
            driver.command(ClientId(client.0 + 1), vec![]);
            self.note(format!("replied {client}"));
        }
    }

    fn publish(&self, channel: &str, payload: &str) -> usize {
        self.note(format!("publish {channel} {payload}"));
        0
    }

    fn stats(&self) -> FrontStats {
        FrontStats { connected: 5, ..FrontStats::default() }
    }

    fn reload(&self) -> Vec<String> {
        vec!["a bad certificate".to_owned()]
    }

    fn close_all(&self) {
        self.note("close".to_owned());
    }
}

impl Journal for World {
    fn event(&self, event: &Event) {
        self.note(format!("event {}", event.name));
    }

    fn line(&self, level: Level, _group: Option<&crate::core::ids::GroupName>, text: &str) {
        self.note(format!("{} {text}", level.name()));
    }

    fn signal(&self, text: &str) {
        self.note(format!("signal {text}"));
    }

    fn set_level(&self, level: Level) {
        self.note(format!("level {}", level.name()));
    }
}

impl Saver for World {
    fn save(&self, settings: Settings) -> Saving {
        self.saves.borrow_mut().push(settings.current_epoch);
        let gate = self.gate.borrow().clone();
        let full = self.full.get();
        Box::pin(async move {
            if let Some(mut gate) = gate {
                gate.wait_for(|&open| open).await.unwrap();
            }
            if full { Err("No space left on device".to_owned()) } else { Ok(()) }
        })
    }
}

struct Bench {
    driver: Rc<Driver>,
    world: Rc<World>,
    seen: Rc<RefCell<Vec<Input>>>,
    deadline: Rc<Cell<Option<Time>>>,
    epoch: Rc<Cell<u64>>,
}

fn bench(start: Actions, script: impl FnMut(&Input, Time) -> Actions + 'static) -> Bench {
    let world = Rc::new(World::default());
    let (seen, deadline, epoch) = (Rc::default(), Rc::new(Cell::new(None)), Rc::new(Cell::new(0)));
    let core = Scripted {
        script: Box::new(script),
        start,
        seen: Rc::clone(&seen),
        deadline: deadline.clone(),
        epoch: epoch.clone(),
    };
    let driver = Driver::new(Parts {
        core: Box::new(core),
        journal: world.clone(),
        saver: world.clone(),
        links: LinkConfig::default(),
        metrics: Metrics::new(Registry::new()).unwrap(),
    });
    driver.attach(world.clone());
    Bench { driver, world, seen, deadline, epoch }
}

async fn local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

fn event(level: Level) -> Action {
    Action::Event(Event {
        level,
        name: "+sdown",
        payload: "master m 127.0.0.1 1".to_owned(),
        group: None,
        run_id: None,
        epoch: 0,
    })
}

#[tokio::test]
async fn wishes_are_carried_out_in_order_and_a_fact_in_between_waits_its_turn() {
    local(async {
        let bench = bench(vec![], |input, _| match input {
            Input::Command { client: ClientId(1), .. } => vec![
                Action::Reply { client: ClientId(1), reply: Reply::OK },
                event(Level::Warning),
                event(Level::Debug),
                Action::SetLogLevel(Level::Verbose),
                Action::Log { level: Level::Notice, group: None, text: "x".to_owned() },
            ],
            _ => vec![Action::Log { level: Level::Debug, group: None, text: "second".to_owned() }],
        });
        // The front calls back while it is given the reply: the command must wait for the other wishes.
        *bench.world.echo.borrow_mut() = Some(Rc::downgrade(&bench.driver));
        bench.driver.command(ClientId(1), vec![]);
        assert_eq!(
            *bench.world.done.borrow(),
            [
                "reply 1 Simple(\"OK\")",
                "replied 1",
                "event +sdown",
                "publish +sdown master m 127.0.0.1 1",
                "event +sdown",
                "level verbose",
                "notice x",
                "debug second",
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn saves_are_batched_and_each_covers_what_was_asked_before_it_began() {
    local(async {
        let bench = bench(vec![], |input, _| match input {
            Input::Command { client, .. } => vec![Action::Persist { save: SaveNo(client.0) }],
            _ => vec![],
        });
        let (open, gate) = watch::channel(false);
        *bench.world.gate.borrow_mut() = Some(gate);
        for n in 1..=2 {
            bench.epoch.set(n);
            bench.driver.command(ClientId(n), vec![]);
        }
        until(|| !bench.world.saves.borrow().is_empty()).await;
        for n in 3..=5 {
            bench.epoch.set(n);
            bench.driver.command(ClientId(n), vec![]);
        }
        assert!(bench.driver.saving());
        open.send_replace(true);
        until(|| !bench.driver.saving()).await;
        assert_eq!(*bench.world.saves.borrow(), [2, 5], "one write each, of the newest state");
        let told: Vec<Input> =
            bench.seen.borrow().iter().filter(|i| matches!(i, Input::Persisted { .. })).cloned().collect();
        assert_eq!(
            told,
            [Input::Persisted { upto: SaveNo(2), ok: true }, Input::Persisted { upto: SaveNo(5), ok: true }]
        );
    })
    .await;
}

#[tokio::test]
async fn ready_once_the_state_of_the_start_is_saved() {
    local(async {
        let bench = bench(vec![Action::Persist { save: SaveNo(1) }], |input, _| match input {
            Input::Persisted { ok: false, .. } => vec![Action::Persist { save: SaveNo(2) }],
            _ => vec![],
        });
        bench.world.full.set(true);
        assert!(!bench.driver.ready());
        bench.driver.start();
        until(|| bench.world.saves.borrow().len() >= 2).await;
        assert!(!bench.driver.snapshot().ready, "a failed write does not count");
        assert!(bench.world.done.borrow().contains(
            &"warning WARNING: Sentinel was not able to save the new configuration on disk!!!: No space left on device"
                .to_owned()
        ));
        bench.world.full.set(false);
        until(|| bench.driver.ready()).await;
    })
    .await;
}

#[tokio::test]
async fn a_deadline_is_served_and_a_flood_of_inputs_does_not_put_it_off() {
    local(async {
        let bench = bench(vec![], |_, _| vec![]);
        bench.driver.start();
        bench.deadline.set(Some(Clock.now() + Duration::from_millis(30)));
        bench.driver.handle(Input::Persisted { upto: SaveNo(0), ok: true });
        until(|| bench.deadline.get().is_none()).await;
        assert!(
            bench.seen.borrow().iter().any(|input| matches!(input, Input::Timer { .. })),
            "the timer's own task"
        );
        // No turn for the timer's task: the inputs themselves must take the deadline along.
        bench.deadline.set(Some(Clock.now() + Duration::from_millis(5)));
        while bench.deadline.get().is_some() {
            bench.driver.handle(Input::Resolved { id: ResolveId(0), ip: None });
        }
    })
    .await;
}

#[tokio::test]
async fn names_scripts_and_connections_are_answered() {
    local(async {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let ip: IpAddr = "127.0.0.1".parse().unwrap();
        let bench = bench(vec![], move |input, _| match input {
            Input::Command { .. } => vec![
                Action::Resolve { id: ResolveId(1), host: "127.0.0.7".to_owned() },
                Action::RunScript { job: crate::core::ids::JobId(2), argv: vec!["/nowhere".to_owned()] },
                Action::Connect { conn: ConnId(3), ip, port, role: crate::core::action::LinkRole::Peer },
                Action::Send { conn: ConnId(3), args: vec![Bytes::from_static(b"PING")] },
                Action::Send { conn: ConnId(99), args: vec![Bytes::from_static(b"PING")] },
                Action::Close { conn: ConnId(99) },
            ],
            _ => vec![],
        });
        bench.driver.command(ClientId(1), vec![]);
        until(|| bench.seen.borrow().len() >= 4).await;
        let seen = bench.seen.borrow();
        assert!(seen.contains(&Input::Resolved { id: ResolveId(1), ip: Some("127.0.0.7".parse().unwrap()) }));
        assert!(seen.contains(&Input::ScriptStarted { job: crate::core::ids::JobId(2), pid: None }));
        assert!(seen.contains(&Input::Disconnected {
            conn: ConnId(3),
            error: "Connection refused".to_owned(),
            refused: true
        }));
    })
    .await;
}

#[tokio::test]
async fn the_snapshot_shows_core_and_front() {
    local(async {
        let bench = bench(vec![], |_, _| vec![]);
        let snapshot = bench.driver.snapshot();
        assert_eq!(snapshot.simulate_failure_flags, 3);
        assert_eq!(snapshot.front.connected, 5);
        assert_eq!(snapshot.view.my_id, "me");
        bench.driver.reload();
        assert_eq!(*bench.world.done.borrow(), ["warning a bad certificate"]);
        bench.driver.stop();
        bench.driver.stopped().await;
    })
    .await;
}
