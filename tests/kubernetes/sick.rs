//! An API server that lies, throttles, loses answers or lags.

use std::time::{Duration, Instant};

use vedette::kube::{Access, Failure, Lean, Leases, Seen, Source};

use crate::k8s::gate::{Fault, Gate};
use crate::k8s::{Account, ControlPlane};
use crate::leases::{LIMIT, block_on, lease};

const PUT: &str = "PUT /apis/coordination.k8s.io/v1/namespaces/";
const GET: &str = "GET /apis/coordination.k8s.io/v1/namespaces/";

async fn through(gate: &Gate, account: &Account<'_>) -> Leases {
    let source = Source::Cluster { address: gate.address(), folder: account.folder().to_owned() };
    Leases::new(Access::new(source).await.unwrap(), account.namespace())
}

#[test]
fn a_write_without_an_answer_is_sent_once_and_may_have_landed() {
    let plane = ControlPlane::start(None);
    let (gate, account) = (Gate::new(&plane), plane.account());
    block_on(async {
        let leases = through(&gate, &account).await;
        let mut seen = leases.create(&lease("a", ""), LIMIT).await.unwrap();
        for (fault, landed) in [(Fault::LoseReply, true), (Fault::LoseRequest, false)] {
            let before = gate.count(PUT);
            gate.rule(PUT, "", fault.clone(), Some(1));
            let transitions = seen.spec.as_ref().unwrap().lease_transitions.unwrap_or_default() + 1;
            let mut claim = seen.clone();
            claim.spec.as_mut().unwrap().lease_transitions = Some(transitions);
            let error = leases.replace(&claim, LIMIT).await.unwrap_err();
            assert_eq!((error.failure, error.code), (Failure::Unanswered, None), "{fault:?}: {error}");
            assert_eq!(gate.count(PUT) - before, 1, "{fault:?}: never sent again by itself");
            seen = leases.get("a", LIMIT).await.unwrap();
            let found = seen.spec.as_ref().unwrap().lease_transitions == Some(transitions);
            assert_eq!(found, landed, "{fault:?}");
        }
    });
}

#[test]
fn an_answer_that_says_no_is_told_as_it_is_and_asked_for_once() {
    let plane = ControlPlane::start(None);
    let (gate, account) = (Gate::new(&plane), plane.account());
    block_on(async {
        let leases = through(&gate, &account).await;
        let seen = leases.create(&lease("a", ""), LIMIT).await.unwrap();
        let answers = [
            (Fault::Answer(429, "TooManyRequests", 7), Failure::Throttled, 429, Some(7)),
            (Fault::Answer(500, "InternalError", 0), Failure::Failing, 500, None),
            (Fault::Answer(503, "ServiceUnavailable", 100_000), Failure::Failing, 503, Some(60)),
            (Fault::Answer(409, "Conflict", 0), Failure::Conflict, 409, None),
        ];
        for (fault, failure, code, seconds) in answers {
            let before = gate.count(PUT);
            gate.rule(PUT, "", fault, Some(1));
            let error = leases.replace(&seen, LIMIT).await.unwrap_err();
            assert_eq!((error.failure, error.code), (failure, Some(code)), "{error}");
            assert_eq!(error.retry_after, seconds.map(Duration::from_secs), "{error}");
            assert_eq!(gate.count(PUT) - before, 1, "{error}");
        }
        leases.replace(&seen, LIMIT).await.unwrap();
    });
}

#[test]
fn a_watch_may_lag_while_reads_do_not() {
    const LAG: Duration = Duration::from_secs(2);
    let plane = ControlPlane::start(None);
    let (gate, account) = (Gate::new(&plane), plane.account());
    gate.rule(GET, "watch=true", Fault::Lag(LAG), None);
    block_on(async {
        let leases = through(&gate, &account).await;
        let mut watch = leases.watch("");
        assert_eq!(watch.next().await, Seen::All(Vec::new()));
        assert_eq!(watch.next().await, Seen::Open);
        let began = Instant::now();
        let created = leases.create(&lease("a", ""), LIMIT).await.unwrap();
        assert_eq!(leases.get("a", LIMIT).await.unwrap(), created);
        let told = tokio::time::timeout(LIMIT, watch.next()).await.expect("told in the end");
        assert_eq!(told, Seen::Changed(created.lean()));
        assert!(began.elapsed() >= LAG, "told too early");
    });
}

#[test]
fn a_watch_that_is_cut_goes_on_with_what_happened_meanwhile() {
    let plane = ControlPlane::start(None);
    let (gate, account) = (Gate::new(&plane), plane.account());
    block_on(async {
        let leases = through(&gate, &account).await;
        let mut watch = leases.watch("");
        assert_eq!(watch.next().await, Seen::All(Vec::new()));
        gate.rule(GET, "watch=true", Fault::LoseRequest, Some(2));
        gate.rule(GET, "watch=true", Fault::Answer(500, "InternalError", 0), Some(1));
        let created = leases.create(&lease("a", ""), LIMIT).await.unwrap();
        let mut failures = Vec::new();
        let opened = loop {
            match tokio::time::timeout(LIMIT, watch.next()).await.expect("it goes on") {
                Seen::Lost(error) => failures.push(error.failure),
                other => break other,
            }
        };
        assert_eq!(failures, [Failure::Unanswered, Failure::Unanswered, Failure::Failing]);
        assert_eq!(opened, Seen::Open);
        let told = tokio::time::timeout(LIMIT, watch.next()).await.expect("nothing is lost");
        assert_eq!(told, Seen::Changed(created.lean()));
    });
}
