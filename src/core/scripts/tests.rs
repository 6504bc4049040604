use super::*;
use crate::core::{Actions, Engine, Input, Node, Settings};

/// An engine without groups: only its scripts matter.
struct Desk {
    engine: Engine,
    now: Time,
    out: Actions,
}

impl Desk {
    fn new() -> Self {
        let now = Time::from_millis(1_000_000);
        let engine = Engine::new(Settings::default(), Node::default(), 1, Level::Debug, now);
        Self { engine, now, out: Actions::new() }
    }

    fn queue(&mut self, path: &str) {
        self.engine.shared.scripts.queue(vec![path.to_owned(), "+x".to_owned()], self.now);
    }

    fn handle(&mut self, input: Input) {
        self.out.clear();
        self.engine.handle(input, self.now, &mut self.out);
    }

    /// Lets time pass up to the engine's next deadline; how long that took, in milliseconds.
    fn wait(&mut self) -> Option<u64> {
        let (at, _) = self.engine.next_deadline()?;
        let waited = at.millis_since(self.now);
        self.now = at;
        self.handle(Input::Timer { heard: self.now });
        Some(waited)
    }

    fn started(&self) -> Vec<(JobId, String)> {
        let started = self.out.iter().filter_map(|action| {
            if let Action::RunScript { job, argv } = action { Some((*job, argv[0].clone())) } else { None }
        });
        started.collect()
    }

    fn events(&self) -> Vec<String> {
        let events = self.out.iter().filter_map(|action| {
            let Action::Event(event) = action else { return None };
            Some(format!("{} {}", event.name, event.payload))
        });
        events.collect()
    }

    /// Queues one, starts it and gives it a pid.
    fn run(&mut self, path: &str) -> JobId {
        self.queue(path);
        self.handle(Input::Timer { heard: self.now });
        let job = self.started()[0].0;
        self.handle(Input::ScriptStarted { job, pid: Some(42) });
        job
    }

    fn rows(&self) -> Vec<(bool, u32, u64, u32)> {
        let rows = self.engine.shared.scripts.rows(self.now);
        rows.map(|row| (row.running, row.pid, row.millis, row.runs)).collect()
    }

    fn len(&self) -> usize {
        self.engine.shared.scripts.len()
    }
}

#[test]
fn a_run_that_goes_well() {
    let mut desk = Desk::new();
    let job = desk.run("a");
    assert_eq!(desk.events(), ["+script-child 42"]);
    desk.now = desk.now + Duration::from_millis(7);
    assert_eq!(desk.rows(), [(true, 42, 7, 1)]);
    desk.handle(Input::ScriptEnded { job, exit: ScriptExit::Code(0) });
    assert_eq!(desk.events(), ["-script-child 42 0 0"]);
    assert_eq!((desk.len(), desk.engine.next_deadline()), (0, None));
}

#[test]
fn ten_runs_ever_further_apart() {
    let mut desk = Desk::new();
    let mut job = desk.run("a");
    for run in 1..10_u32 {
        let exit = if run == 3 { ScriptExit::Signal(9) } else { ScriptExit::Code(1) };
        desk.handle(Input::ScriptEnded { job, exit });
        let ended = if run == 3 { "-script-child 42 0 9" } else { "-script-child 42 1 0" };
        assert_eq!(desk.events(), [ended]);
        let delay = 30_000 * (1 << (run - 1));
        assert_eq!(desk.rows(), [(false, 0, delay, run)]);
        assert_eq!(desk.wait(), Some(delay));
        job = desk.started()[0].0;
        desk.handle(Input::ScriptStarted { job, pid: Some(42) });
    }
    desk.handle(Input::ScriptEnded { job, exit: ScriptExit::Code(1) });
    assert_eq!(desk.events(), ["-script-child 42 1 0", "-script-error a 0 1"]);
    assert_eq!(desk.len(), 0);
}

#[test]
fn other_exit_codes_are_final() {
    let mut desk = Desk::new();
    let job = desk.run("a");
    desk.handle(Input::ScriptEnded { job, exit: ScriptExit::Code(3) });
    assert_eq!(desk.events(), ["-script-child 42 3 0", "-script-error a 0 3"]);
    assert_eq!(desk.len(), 0);
    desk.handle(Input::ScriptEnded { job, exit: ScriptExit::Code(3) });
    assert!(desk.events().is_empty(), "it is not known any more");
}

#[test]
fn what_is_no_program_is_dropped_and_what_found_no_process_is_tried_again() {
    let mut desk = Desk::new();
    desk.queue("a");
    desk.handle(Input::Timer { heard: desk.now });
    let job = desk.started()[0].0;
    desk.handle(Input::ScriptStarted { job, pid: None });
    assert_eq!(desk.events(), ["-script-error a 0 2"]);
    assert_eq!(desk.len(), 0);
    desk.queue("b");
    desk.handle(Input::Timer { heard: desk.now });
    let job = desk.started()[0].0;
    desk.handle(Input::ScriptEnded { job, exit: ScriptExit::Signal(99) });
    assert_eq!((desk.events().len(), desk.rows()), (0, vec![(false, 0, 30_000, 1)]));
}

#[test]
fn a_run_that_takes_too_long_is_killed_once_and_tried_again() {
    let mut desk = Desk::new();
    let job = desk.run("a");
    assert_eq!(desk.wait(), Some(60_000));
    assert_eq!(desk.events(), ["-script-timeout a 42"]);
    assert!(desk.out.contains(&Action::KillScript { job }));
    desk.now = desk.now + Duration::from_secs(5);
    desk.handle(Input::Timer { heard: desk.now });
    assert!(!desk.out.contains(&Action::KillScript { job }));
    desk.handle(Input::ScriptEnded { job, exit: ScriptExit::Signal(9) });
    assert_eq!(desk.rows(), [(false, 0, 30_000, 1)]);
}

#[test]
fn sixteen_run_at_a_time_and_the_oldest_comes_first() {
    let mut desk = Desk::new();
    for number in 0..20 {
        desk.queue(&number.to_string());
    }
    desk.handle(Input::Timer { heard: desk.now });
    let started = desk.started();
    let paths: Vec<&str> = started.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(paths, (0..16).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!((desk.engine.shared.scripts.running(), desk.len()), (16, 20));
    desk.handle(Input::ScriptEnded { job: started[5].0, exit: ScriptExit::Code(0) });
    assert_eq!(desk.started().into_iter().map(|(_, path)| path).collect::<Vec<_>>(), ["16"]);
}

#[test]
fn a_full_queue_loses_the_oldest_that_waits() {
    let mut desk = Desk::new();
    for number in 0..256 {
        desk.queue(&number.to_string());
    }
    desk.handle(Input::Timer { heard: desk.now });
    desk.queue("last");
    assert_eq!((desk.len(), desk.engine.shared.scripts.running()), (256, 16));
    let paths: Vec<&str> =
        desk.engine.shared.scripts.rows(desk.now).map(|row| row.argv[0].as_str()).collect();
    assert_eq!((paths[15], paths[16], paths[255]), ("15", "17", "last"));
}
