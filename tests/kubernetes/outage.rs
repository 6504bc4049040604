//! An API server that is away, silent or back: what a call and a watch say of it.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use vedette::kube::{Failure, Lean, Seen, Watch};

use crate::k8s::{ControlPlane, Shared};
use crate::leases::{LIMIT, block_on, lease, leases};

fn name(lease: &Lease) -> &str {
    lease.metadata.name.as_deref().unwrap()
}

/// What the watch tells next.
async fn next(watch: &mut Watch<Lease>) -> Seen<Lease> {
    tokio::time::timeout(Duration::from_secs(90), watch.next()).await.expect("the watch tells something")
}

/// What it tells once it is no longer merely broken.
async fn next_found(watch: &mut Watch<Lease>) -> Seen<Lease> {
    loop {
        match next(watch).await {
            Seen::Lost(_) => {}
            found => return found,
        }
    }
}

#[test]
fn a_watch_tells_all_and_then_each_change_that_its_labels_match() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        let labelled = |name: &str| {
            let mut lease = lease(name, "");
            lease.metadata.labels = Some([("kind".to_owned(), "group".to_owned())].into());
            lease
        };
        let first = leases.create(&labelled("a"), LIMIT).await.unwrap();
        let mut watch = leases.watch("kind=group");
        assert_eq!(next(&mut watch).await, Seen::All(vec![first.clone().lean()]));
        assert_eq!(next(&mut watch).await, Seen::Open);

        leases.create(&lease("unlabelled", ""), LIMIT).await.unwrap();
        let second = leases.create(&labelled("b"), LIMIT).await.unwrap();
        assert_eq!(next(&mut watch).await, Seen::Changed(second.lean()));
        let mut claimed = first;
        claimed.spec.as_mut().unwrap().holder_identity = Some("one".to_owned());
        let claimed = leases.replace(&claimed, LIMIT).await.unwrap();
        assert_eq!(next(&mut watch).await, Seen::Changed(claimed.clone().lean()));
        leases.delete("a", claimed.metadata.resource_version.as_deref().unwrap(), LIMIT).await.unwrap();
        match next(&mut watch).await {
            Seen::Removed(lease) => assert_eq!(name(&lease), "a"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_watch_says_that_it_is_lost_and_goes_on_by_itself() {
    let plane = ControlPlane::start(None);
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        leases.create(&lease("a", ""), LIMIT).await.unwrap();
        let mut watch = leases.watch("");
        assert!(matches!(next(&mut watch).await, Seen::All(_)));
        assert_eq!(next(&mut watch).await, Seen::Open);

        plane.kill_api();
        match next(&mut watch).await {
            Seen::Lost(error) => assert_eq!(error.call.to_string(), "watch leases"),
            other => panic!("{other:?}"),
        }
        let error = leases.get("a", LIMIT).await.unwrap_err();
        assert_eq!((error.failure, error.code), (Failure::Unsent, None), "{error}");

        plane.start_api();
        let second = leases.create(&lease("b", ""), LIMIT).await.unwrap().lean();
        // The change may be told by the watch that goes on, or in a new list where the API server has forgotten the version.
        let mut opened = false;
        loop {
            match next_found(&mut watch).await {
                Seen::Open => opened = true,
                Seen::Changed(lease) => {
                    assert_eq!(lease, second);
                    break;
                }
                Seen::All(all) if all.contains(&second) => {
                    assert_eq!(all.iter().map(name).collect::<Vec<_>>(), ["a", "b"]);
                    opened = next_found(&mut watch).await == Seen::Open;
                    break;
                }
                Seen::All(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(opened, "it was told that the watch is open again");
    });
}

#[test]
fn a_watch_whose_version_is_forgotten_lists_anew() {
    let plane = ControlPlane::start(None);
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        let first = leases.create(&lease("a", ""), LIMIT).await.unwrap();
        let mut watch = leases.watch("");
        assert!(matches!(next(&mut watch).await, Seen::All(_)));
        assert_eq!(next(&mut watch).await, Seen::Open);

        // The watch is not looked at while an API server comes, changes something, and goes: the next one has never heard of
        // the version that the watch is at.
        plane.kill_api();
        plane.start_api();
        leases.delete("a", first.metadata.resource_version.as_deref().unwrap(), LIMIT).await.unwrap();
        let second = leases.create(&lease("b", ""), LIMIT).await.unwrap();
        plane.kill_api();
        plane.start_api();

        let mut told = Vec::new();
        let all = loop {
            match next(&mut watch).await {
                Seen::Lost(error) => told.push(error.failure),
                Seen::All(all) => break all,
                other => panic!("{other:?} after {told:?}"),
            }
        };
        assert_eq!(told.last(), Some(&Failure::Gone), "{told:?}");
        assert_eq!(all, [second.lean()], "what is not among them is gone");
    });
}

#[test]
fn a_silent_api_server_costs_a_call_its_limit_and_no_more_is_known() {
    let plane = ControlPlane::start(None);
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        let written = leases.create(&lease("a", ""), LIMIT).await.unwrap();
        plane.pause_api();
        let mut claimed = written.clone();
        claimed.spec.as_mut().unwrap().holder_identity = Some("one".to_owned());
        let error = leases.replace(&claimed, Duration::from_millis(300)).await.unwrap_err();
        assert_eq!((error.failure, error.code), (Failure::Unanswered, None), "{error}");
        assert!(error.failure.may_have_happened());
        assert_eq!(error.to_string(), "update leases a: no answer: none within 300 ms");
        plane.resume_api();
        // Whether it landed is for a read to say. Either way the version that was read is good for one write at most.
        let now = leases.get("a", LIMIT).await.unwrap();
        let landed = now.spec.as_ref().unwrap().holder_identity.as_deref() == Some("one");
        match leases.replace(&written, LIMIT).await {
            Ok(_) => assert!(!landed),
            Err(error) => assert_eq!(error.failure, Failure::Conflict, "{error}"),
        }
    });
}
