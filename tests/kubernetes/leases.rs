//! Leases as registers.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::core::ObjectMeta;
use vedette::kube::{Access, Failure, Leases, Source};

use crate::k8s::{Account, Shared};

/// Generous: the machine may be busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Runs a test's requests on the thread that asks for it.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The way to the API server as a Pod has it.
pub(crate) async fn in_cluster(account: &Account<'_>) -> Access {
    let source =
        Source::Cluster { address: account.address().to_owned(), folder: account.folder().to_owned() };
    Access::new(source).await.unwrap()
}

pub(crate) async fn leases(account: &Account<'_>) -> Leases {
    let access = in_cluster(account).await;
    assert_eq!(access.namespace(), account.namespace());
    Leases::new(access, account.namespace())
}

pub(crate) fn lease(name: &str, holder: &str) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: Some(5),
        ..LeaseSpec::default()
    };
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    Lease { metadata, spec: Some(spec) }
}

fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().unwrap().holder_identity.as_deref().unwrap()
}

#[test]
fn a_lease_is_written_and_read_back() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        leases.create(&lease("fleet-group-a", "one"), LIMIT).await.unwrap();
        let read = leases.get("fleet-group-a", LIMIT).await.unwrap();
        assert_eq!(holder(&read), "one");
        assert_eq!(read.metadata.managed_fields.unwrap()[0].manager.as_deref(), Some("vedette"));
    });
}

#[test]
fn a_list_of_more_than_one_page_is_whole() {
    // One more than a page holds.
    const MANY: usize = 251;
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        for number in 0..MANY {
            leases.create(&lease(&format!("fleet-group-{number}"), "one"), LIMIT).await.unwrap();
        }
        let listed = leases.list("", LIMIT).await.unwrap();
        assert_eq!(listed.items.len(), MANY);
        let last = leases.create(&lease("fleet-group-last", "one"), LIMIT).await.unwrap();
        let number = |version: &str| version.parse::<u64>().unwrap();
        // A watch goes on from there.
        assert!(number(&listed.version) < number(&last.metadata.resource_version.unwrap()));
    });
}

#[test]
fn of_two_who_claim_at_once_one_wins() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        let seen = leases.create(&lease("fleet-group-a", ""), LIMIT).await.unwrap();
        let claim = |claimant: &str| {
            let mut claimed = seen.clone();
            claimed.spec.as_mut().unwrap().holder_identity = Some(claimant.to_owned());
            claimed
        };
        let (first, second) = (claim("one"), claim("two"));
        let (first, second) = tokio::join!(leases.replace(&first, LIMIT), leases.replace(&second, LIMIT));
        let (won, lost) = match (first, second) {
            (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
            both => panic!("not one of them: {both:?}"),
        };
        assert_eq!((lost.failure, lost.code), (Failure::Conflict, Some(409)));
        assert!(
            lost.to_string().starts_with("update leases fleet-group-a: changed since it was read (409)"),
            "{lost}"
        );
        let now = leases.get("fleet-group-a", LIMIT).await.unwrap();
        assert_eq!(holder(&now), holder(&won));
    });
}

#[test]
fn a_name_is_taken_once_and_an_old_version_deletes_nothing() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        let first = leases.create(&lease("fleet-group-a", ""), LIMIT).await.unwrap();
        let again = leases.create(&lease("fleet-group-a", "two"), LIMIT).await.unwrap_err();
        assert_eq!(again.failure, Failure::Exists, "{again}");

        let second = leases.replace(&first, LIMIT).await.unwrap();
        let mut third = second.clone();
        third.spec.as_mut().unwrap().lease_transitions = Some(7);
        let third = leases.replace(&third, LIMIT).await.unwrap();
        let version = |lease: &Lease| lease.metadata.resource_version.clone().unwrap();
        let old = leases.delete("fleet-group-a", &version(&first), LIMIT).await.unwrap_err();
        assert_eq!(old.failure, Failure::Conflict, "{old}");
        leases.delete("fleet-group-a", &version(&third), LIMIT).await.unwrap();
        let gone = leases.get("fleet-group-a", LIMIT).await.unwrap_err();
        assert_eq!((gone.failure, gone.code), (Failure::NotFound, Some(404)));
        assert_eq!(gone.call.to_string(), "get leases fleet-group-a");
    });
}

#[test]
fn a_lease_that_was_not_read_is_not_sent() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        leases.create(&lease("fleet-group-a", "one"), LIMIT).await.unwrap();
        let error = leases.replace(&lease("fleet-group-a", "two"), LIMIT).await.unwrap_err();
        assert_eq!((error.failure, error.code), (Failure::Invalid, None));
        assert_eq!(holder(&leases.get("fleet-group-a", LIMIT).await.unwrap()), "one");
    });
}

#[test]
fn a_list_holds_what_its_labels_match() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        for (name, kind) in [("fleet-member-a", "member"), ("fleet-group-a", "group")] {
            let mut lease = lease(name, "");
            lease.metadata.labels = Some([("kind".to_owned(), kind.to_owned())].into());
            leases.create(&lease, LIMIT).await.unwrap();
        }
        let members = leases.list("kind=member", LIMIT).await.unwrap();
        let names: Vec<_> =
            members.items.iter().map(|lease| lease.metadata.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["fleet-member-a"]);
        assert!(!members.version.is_empty());
        assert_eq!(leases.list("", LIMIT).await.unwrap().items.len(), 2);
    });
}
