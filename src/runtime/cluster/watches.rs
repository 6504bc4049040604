//! Watches, kept open for ever, and told to the core.

use std::rc::Rc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod, Service};

use super::Cluster;
use super::memory::Memory;
use super::replicas::Sight;
use super::translate::Told;
use crate::core::Input;
use crate::core::action::Level;
use crate::core::cluster::{Kind, Seen};
use crate::kube::{self, Error, Objects};
use crate::runtime::clock::Clock;

/// How often it is tried whether nodes may be seen.
const LOOK_FOR_RIGHT: Duration = Duration::from_secs(60);

/// A kind that is watched, and what the shell itself wants to know of it.
pub(super) trait Watched: Told {
    /// Takes note.
    fn note(seen: &kube::Seen<Self>, memory: &mut Memory);

    /// Takes note for the Services that lead to replicas; whether that may matter to them.
    fn shows_replicas(_: &kube::Seen<Self>, _: &mut Sight) -> bool {
        false
    }
}

/// What has been told of a watch.
#[derive(Debug, Default)]
struct Account {
    open: Option<bool>,
    without_right: bool,
}

impl Account {
    /// It is open. Whether it had been lost.
    fn opened(&mut self) -> bool {
        self.without_right = false;
        self.open.replace(true) == Some(false)
    }

    /// It is lost, perhaps for want of a right. Whether that is news to the core, and whether it is to people: which rights
    /// are given may change while the API server is away, too.
    fn lost(&mut self, without_right: bool) -> (bool, bool) {
        let lost = self.open.replace(false) != Some(false);
        let refused = without_right && !self.without_right;
        self.without_right = without_right;
        (lost, lost || refused)
    }
}

/// Tells what the watch of a kind shows, until the process ends.
pub(super) async fn follow<K: Watched>(cluster: Rc<Cluster>, selector: String) {
    let objects = Objects::<K>::new(cluster.setup.access.clone(), &cluster.setup.namespace);
    let mut watch = objects.watch(&selector);
    let mut account = Account::default();
    loop {
        let seen = watch.next().await;
        K::note(&seen, &mut cluster.memory.borrow_mut());
        if !cluster.routes.is_empty() && K::shows_replicas(&seen, &mut cluster.replicas.borrow_mut()) {
            cluster.replicas_changed.notify_one();
        }
        if K::KIND == Kind::Lease && !matches!(seen, kube::Seen::Lost(_)) {
            cluster.heard.set(Some(Clock.now()));
        }
        let told = match seen {
            kube::Seen::All(all) => Seen::All(K::KIND, all.into_iter().map(Told::tell).collect()),
            kube::Seen::Changed(one) => Seen::Changed(one.tell()),
            kube::Seen::Removed(one) => Seen::Removed(K::KIND, one.tell().name().to_owned()),
            kube::Seen::Open => {
                if account.opened() {
                    cluster.log(Level::Notice, &format!("the {} are in sight again", words::<K>()));
                }
                cluster.metrics().watching(K::KIND, true);
                Seen::Watching(K::KIND, true)
            }
            kube::Seen::Lost(error) => {
                cluster.failed(&error);
                cluster.metrics().watching(K::KIND, false);
                let off = K::KIND == Kind::Node && error.code == Some(403);
                let (news, complaint) = account.lost(off);
                if complaint {
                    complain::<K>(&cluster, &error, off);
                }
                if news {
                    cluster.tell(Input::Seen(Seen::Watching(K::KIND, false)));
                }
                if off {
                    // The right may be given later.
                    tokio::time::sleep(LOOK_FOR_RIGHT).await;
                }
                continue;
            }
        };
        cluster.tell(Input::Seen(told));
    }
}

fn complain<K: Watched>(cluster: &Cluster, error: &Error, off: bool) {
    if off {
        let text = "without the right to watch nodes neither a cordoned node nor one that is out of service is noticed";
        cluster.log(Level::Notice, text);
    } else {
        cluster.log(Level::Warning, &format!("lost sight of the {}: {error}", words::<K>()));
    }
}

const fn words<K: Watched>() -> &'static str {
    match K::KIND {
        Kind::Lease => "fleet's Leases",
        Kind::Pod => "Pods",
        Kind::Service => "Services",
        Kind::Node => "Nodes",
    }
}

impl Watched for Lease {
    fn note(seen: &kube::Seen<Self>, memory: &mut Memory) {
        match seen {
            kube::Seen::All(all) => memory.replace(all),
            kube::Seen::Changed(lease) => memory.keep(lease),
            kube::Seen::Removed(lease) => memory.forget(lease.metadata.name.as_deref().unwrap_or_default()),
            kube::Seen::Open | kube::Seen::Lost(_) => {}
        }
    }
}

impl Watched for Pod {
    fn shows_replicas(seen: &kube::Seen<Self>, sight: &mut Sight) -> bool {
        sight.pod(seen);
        true
    }

    fn note(seen: &kube::Seen<Self>, memory: &mut Memory) {
        match seen {
            kube::Seen::All(all) => {
                memory.own_pod_gone(None);
                all.iter().for_each(|pod| memory.pod(&pod.metadata));
            }
            kube::Seen::Changed(pod) => memory.pod(&pod.metadata),
            kube::Seen::Removed(pod) => memory.own_pod_gone(pod.metadata.uid.as_deref()),
            kube::Seen::Open | kube::Seen::Lost(_) => {}
        }
    }
}

impl Watched for Service {
    fn shows_replicas(seen: &kube::Seen<Self>, sight: &mut Sight) -> bool {
        sight.service(seen);
        true
    }

    fn note(seen: &kube::Seen<Self>, memory: &mut Memory) {
        match seen {
            kube::Seen::All(all) => {
                memory.forget_services();
                all.iter().for_each(|service| memory.service(&service.metadata));
            }
            kube::Seen::Changed(service) => memory.service(&service.metadata),
            kube::Seen::Removed(service) => {
                memory.forget_service(service.metadata.name.as_deref().unwrap_or_default());
            }
            kube::Seen::Open | kube::Seen::Lost(_) => {}
        }
    }
}

impl Watched for Node {
    fn note(_: &kube::Seen<Self>, _: &mut Memory) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_goes_while_the_server_is_away_is_told_of_once() {
        let mut account = Account::default();
        assert!(!account.opened(), "the first time");
        assert_eq!(account.lost(false), (true, true));
        assert_eq!(account.lost(false), (false, false));
        assert_eq!(account.lost(true), (false, true));
        assert_eq!(account.lost(true), (false, false));
        assert!(account.opened());
        assert_eq!(account.lost(true), (true, true));
    }
}
