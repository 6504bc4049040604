//! The driver of a fleet's member.

use super::*;
use crate::core::cluster::Regarding;
use crate::runtime::ports::Api;

/// Keeps what it was asked for.
#[derive(Default)]
struct Asked(RefCell<Vec<(CallNo, Call, Duration)>>, Cell<usize>);

impl Api for Asked {
    fn call(&self, call: CallNo, request: Call, limit: Duration) {
        self.0.borrow_mut().push((call, request, limit));
    }

    fn scraped(&self) {
        self.1.set(self.1.get() + 1);
    }
}

const LIMIT: Duration = Duration::from_millis(700);

fn read(call: u64) -> Action {
    let request = Call::ReadLease { name: "f-group-a".to_owned() };
    Action::Api { call: CallNo(call), request, limit: LIMIT }
}

#[tokio::test]
async fn calls_go_to_the_api_server_and_a_scrape_is_told_to_it() {
    local(async {
        let bench = bench(vec![read(1)], |_, _| vec![read(2)]);
        let api = Rc::new(Asked::default());
        bench.driver.join(api.clone());
        bench.driver.start();
        bench.driver.command(ClientId(1), vec![]);
        let asked: Vec<_> = api.0.borrow().iter().map(|(call, _, limit)| (*call, *limit)).collect();
        assert_eq!(asked, [(CallNo(1), LIMIT), (CallNo(2), LIMIT)]);
        assert_eq!(api.1.get(), 0);
        let _ = bench.driver.snapshot();
        assert_eq!(api.1.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn without_an_api_server_a_call_is_refused_once() {
    local(async {
        let event = Call::Event(crate::core::cluster::Event {
            regarding: Regarding::Service("a".to_owned()),
            warning: false,
            reason: "A",
            note: String::new(),
        });
        let bench = bench(vec![], move |input, _| match input {
            Input::Command { .. } => {
                vec![Action::Api { call: CallNo(7), request: event.clone(), limit: LIMIT }]
            }
            _ => vec![],
        });
        assert!(!bench.driver.in_fleet());
        bench.driver.command(ClientId(1), vec![]);
        let answers = bench.seen.borrow();
        let answers: Vec<_> = answers.iter().filter(|input| matches!(input, Input::Answered(_))).collect();
        let [Input::Answered(Answered { call: CallNo(7), answer: Answer::Refused { .. } })] =
            answers.as_slice()
        else {
            panic!("{answers:?}")
        };
    })
    .await;
}

#[tokio::test]
async fn the_end_waits_until_the_core_has_handed_over() {
    local(async {
        let bench = bench(vec![], |input, _| match input {
            Input::Terminate => vec![read(1)],
            Input::Answered(_) => vec![Action::Ended],
            _ => vec![],
        });
        let api = Rc::new(Asked::default());
        bench.driver.join(api.clone());
        let mut end = std::pin::pin!(bench.driver.hand_over());
        let pending =
            std::future::poll_fn(|context| std::task::Poll::Ready(end.as_mut().poll(context).is_pending()));
        assert!(pending.await, "the core waits for an answer");
        assert_eq!(api.0.borrow().len(), 1);
        let answer = Answer::Read(None);
        bench.driver.handle(Input::Answered(Answered { call: CallNo(1), answer }));
        end.await;
    })
    .await;
}

#[tokio::test]
async fn a_fleet_is_ready_without_a_file_and_says_once_that_there_is_none() {
    local(async {
        let bench = bench(vec![Action::Persist { save: SaveNo(1) }], |input, _| match input {
            Input::Persisted { upto: SaveNo(n @ 1..5), ok: false } => {
                vec![Action::Persist { save: SaveNo(n + 1) }]
            }
            _ => vec![],
        });
        bench.world.full.set(true);
        bench.driver.join(Rc::new(Asked::default()));
        bench.driver.start();
        assert!(bench.driver.ready());
        until(|| bench.world.saves.borrow().len() >= 5 && !bench.driver.saving()).await;
        let lines = bench.world.done.borrow();
        assert_eq!(lines.iter().filter(|line| line.contains("not able to save")).count(), 1, "{lines:?}");
    })
    .await;
}
