//! Who is asked, who may, and credentials that are replaced.

use std::fs;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use kube::config::Kubeconfig;
use serde_json::json;
use vedette::kube::{Access, Failure, Kind, Lean, Leases, Objects, SetupError, Source};

use crate::k8s::{Account, Admin, ControlPlane, Shared};
use crate::leases::{LIMIT, block_on, in_cluster, lease, leases};

#[test]
fn what_the_role_does_not_name_is_refused_by_name() {
    let plane = Shared::get();
    let account = plane.account();
    let (user, namespace) =
        (Kubeconfig::read_from(account.kubeconfig()).unwrap(), account.namespace().to_owned());
    let listed = Admin::of(None, user).run(|client| async move {
        Api::<Secret>::namespaced(client, &namespace).list(&ListParams::default()).await
    });
    let refused = listed.unwrap_err().to_string();
    assert!(refused.contains("secrets is forbidden"), "{refused}");
    block_on(async {
        let access = in_cluster(&account).await;
        let secrets: Objects<Secret> = Objects::new(access.clone(), account.namespace());
        let error = secrets.get("any", LIMIT).await.unwrap_err();
        assert_eq!((error.failure, error.code), (Failure::Refused, Some(403)));
        assert!(
            error.to_string().starts_with("get secrets any: refused (403): secrets \"any\" is forbidden"),
            "{error}"
        );

        // The rights end with the namespace.
        let error = Leases::new(access, "default").create(&lease("stray", ""), LIMIT).await.unwrap_err();
        assert_eq!(
            (error.failure, error.call.to_string()),
            (Failure::Refused, "create leases stray".to_owned())
        );
    });
}

#[test]
fn what_it_has_to_know_it_may_list_and_watch() {
    async fn reads<K: Kind + Lean>(account: &Account<'_>) {
        let mut watch = Objects::<K>::new(in_cluster(account).await, account.namespace()).watch("");
        for expected in ["All", "Open"] {
            let told = tokio::time::timeout(LIMIT, watch.next()).await.expect("it begins");
            assert!(format!("{told:?}").starts_with(expected), "{}: {told:?}", K::kind(&()));
        }
    }
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        reads::<Pod>(&account).await;
        reads::<Service>(&account).await;
        reads::<EndpointSlice>(&account).await;
        reads::<Lease>(&account).await;
    });
}

#[test]
fn a_right_that_is_taken_away_shows_at_the_next_call() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let leases = leases(&account).await;
        leases.create(&lease("fleet-group-a", ""), LIMIT).await.unwrap();
        plane.admin().apply(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "vedette", "namespace": account.namespace()},
            "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}],
        }));
        // The API server's own view of the Role lags a little.
        let refused = async {
            loop {
                let current = leases.get("fleet-group-a", LIMIT).await.unwrap();
                if let Err(error) = leases.replace(&current, LIMIT).await {
                    return error;
                }
            }
        };
        let error = tokio::time::timeout(LIMIT, refused).await.expect("the right is gone");
        assert_eq!(error.failure, Failure::Refused, "{error}");
    });
}

#[test]
fn a_token_that_is_replaced_is_used() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async { token_replaced(&account, in_cluster(&account).await).await });
}

#[test]
fn a_token_that_a_kubeconfig_names_is_used_when_it_is_replaced() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let access = Access::new(Source::Kubeconfig(account.kubeconfig())).await.unwrap();
        assert_eq!(access.namespace(), account.namespace());
        token_replaced(&account, access).await;
    });
}

async fn token_replaced(account: &Account<'_>, access: Access) {
    let leases = Leases::new(access.clone(), account.namespace());
    leases.list("", LIMIT).await.unwrap();
    assert!(!access.refresh().await.unwrap(), "nothing has changed");

    account.write_token("no.such.token");
    assert!(access.refresh().await.unwrap());
    let error = leases.list("", LIMIT).await.unwrap_err();
    assert_eq!((error.failure, error.code), (Failure::Refused, Some(401)), "{error}");

    account.write_token(&account.new_token());
    assert!(access.refresh().await.unwrap());
    leases.list("", LIMIT).await.unwrap();
}

#[test]
fn a_client_certificate_that_is_replaced_is_used() {
    let plane = ControlPlane::start(None);
    let account = plane.account();
    let user = |name: &str| {
        let (certificate, key) = plane.keys().user(name);
        fs::copy(certificate, account.folder().join("user.crt")).unwrap();
        fs::copy(key, account.folder().join("user.key")).unwrap();
    };
    // Relative, as kubeadm's own files have it.
    account.write_kubeconfig("client-certificate: user.crt\nclient-key: user.key");
    user("nobody");
    block_on(async {
        let access = Access::new(Source::Kubeconfig(account.kubeconfig())).await.unwrap();
        let leases = Leases::new(access.clone(), account.namespace());
        let error = leases.list("", LIMIT).await.unwrap_err();
        assert!(error.message.contains("\"nobody\""), "{error}");

        user("somebody");
        assert!(access.refresh().await.unwrap());
        let error = leases.list("", LIMIT).await.unwrap_err();
        assert!(error.message.contains("\"somebody\""), "{error}");
    });
}

#[test]
fn credentials_that_cannot_be_read_leave_the_old_ones_in_use() {
    let plane = Shared::get();
    let account = plane.account();
    block_on(async {
        let access = in_cluster(&account).await;
        fs::write(account.folder().join("ca.crt"), "no certificate").unwrap();
        let error = access.refresh().await.unwrap_err();
        assert!(matches!(error, SetupError::Authority { .. }), "{error}");
        fs::remove_file(account.token_file()).unwrap();
        let error = access.refresh().await.unwrap_err();
        assert!(matches!(error, SetupError::Read { .. }), "{error}");
        Leases::new(access, account.namespace()).list("", LIMIT).await.unwrap();
    });
}

#[test]
fn a_server_of_another_authority_is_not_talked_to() {
    let plane = Shared::get();
    let account = plane.account();
    let other = crate::support::Certs::new();
    fs::copy(other.ca(), account.folder().join("ca.crt")).unwrap();
    block_on(async {
        let error = leases(&account).await.list("", LIMIT).await.unwrap_err();
        assert_eq!(error.failure, Failure::Unsent, "{error}");
        assert!(error.message.contains("certificate"), "{error}");
    });
}
