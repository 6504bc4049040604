//! One call of the API server, and what came of it in the core's words.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

use super::Cluster;
use super::memory::{Whose, compose};
use super::notices::{Notice, Setting};
use super::translate::Told;
use crate::core::claim::Plain;
use crate::core::cluster::{About, Answer, Call, Event, Regarding};
use crate::core::ids::Version;
use crate::kube::{Error, Failure, ServiceChange};
use crate::runtime::clock::Clock;
use crate::runtime::random;

/// Makes it. What it sends is answered till `deadline`.
pub(super) async fn make(cluster: &Cluster, call: Call, deadline: Instant) -> Answer {
    match call {
        Call::ReadLease { name } => {
            let read = cluster.leases.get(&name, left(deadline)).await;
            if let Ok(lease) = &read {
                cluster.memory.borrow_mut().keep(lease);
            }
            found(cluster, read)
        }
        Call::ReadService { name } => found(cluster, cluster.services.get(&name, left(deadline)).await),
        Call::WriteLease { name, version, plain, about } => {
            if !cluster.pace.urgent(deadline).await {
                return crowded();
            }
            write_lease(cluster, name, version, plain, &about, deadline).await
        }
        Call::PatchService { name, version, selector, annotations } => {
            if !cluster.pace.urgent(deadline).await {
                return crowded();
            }
            let change = ServiceChange { annotations, selector };
            match cluster.services.change(&name, version.as_str(), &change, left(deadline)).await {
                Ok(service) => {
                    let version = service.metadata.resource_version.clone();
                    if !change.selector.is_empty() {
                        cluster.turned(service);
                    }
                    landed(version)
                }
                Err(error) => not_written(cluster, &error),
            }
        }
        Call::Event(event) => {
            // A failover's own writes, and the disk below the API server, come first.
            cluster.pace.calm().await;
            if !cluster.pace.patient(deadline).await {
                cluster.metrics().event_dropped();
                return crowded();
            }
            tell_event(cluster, event, deadline).await
        }
    }
}

async fn write_lease(
    cluster: &Cluster,
    name: String,
    version: Option<Version>,
    plain: Plain,
    about: &About,
    deadline: Instant,
) -> Answer {
    let base = match &version {
        None => None,
        Some(version) => match base(cluster, &name, version, deadline).await {
            Ok(Some(base)) => Some(base),
            // The version that it was to replace is not there any more.
            Ok(None) => return Answer::Conflict,
            Err(error) => return not_sent(cluster, &error),
        },
    };
    let lease = {
        let memory = cluster.memory.borrow();
        let whose = Whose {
            fleet: &cluster.setup.fleet.name,
            member: &cluster.setup.fleet.member,
            uid: memory.own_pod(),
        };
        compose(name, plain, about, &whose, base, now())
    };
    let began = Clock.now();
    let written = match version {
        Some(_) => cluster.leases.replace(&lease, left(deadline)).await,
        None => cluster.leases.create(&lease, left(deadline)).await,
    };
    cluster.metrics().lease_written(about, Clock.now().since(began), written.as_ref().map(|_| ()));
    match written {
        Ok(lease) => {
            cluster.memory.borrow_mut().keep(&lease);
            landed(lease.metadata.resource_version)
        }
        Err(error) => not_written(cluster, &error),
    }
}

/// That version of a Lease, with what others have put into it; none if it is replaced or gone.
async fn base(
    cluster: &Cluster,
    name: &str,
    version: &Version,
    deadline: Instant,
) -> Result<Option<Lease>, Error> {
    let known = cluster.memory.borrow().get(name, version.as_str()).cloned();
    if known.is_some() {
        return Ok(known);
    }
    match cluster.leases.get(name, left(deadline)).await {
        Ok(lease) => {
            let same = lease.metadata.resource_version.as_deref() == Some(version.as_str());
            Ok(same.then_some(lease))
        }
        Err(error) if error.failure == Failure::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn tell_event(cluster: &Cluster, event: Event, deadline: Instant) -> Answer {
    let mut sent = send_event(cluster, event.clone(), deadline).await;
    if let Err(error) = &sent
        && (error.call.verb.word(), error.failure) == ("patch", Failure::NotFound)
    {
        // The API server keeps them for an hour only.
        sent = send_event(cluster, event, deadline).await;
    }
    match sent {
        Ok(()) => landed(None),
        Err(error) => {
            cluster.metrics().event_dropped();
            not_written(cluster, &error)
        }
    }
}

async fn send_event(cluster: &Cluster, event: Event, deadline: Instant) -> Result<(), Error> {
    let uid = {
        let memory = cluster.memory.borrow();
        match &event.regarding {
            Regarding::Service(name) => memory.service_uid(name),
            Regarding::Lease(name) => memory.uid(name),
            Regarding::Pod(..) => None,
        }
    };
    let setting = Setting {
        namespace: &cluster.setup.namespace,
        member: &cluster.setup.fleet.member,
        uid,
        now: Clock.now(),
        date: now(),
        chance: random::seed(),
    };
    let notice = cluster.notices.borrow_mut().notice(event, setting);
    let (name, sent) = match notice {
        Notice::New(event) => {
            let sent = cluster.events.create(&event, left(deadline)).await;
            (event.metadata.name.unwrap_or_default(), sent)
        }
        Notice::Again(name, series) => {
            let sent = cluster.events.repeat(&name, &series, left(deadline)).await;
            (name, sent)
        }
    };
    if sent.is_err() {
        cluster.notices.borrow_mut().forget(&name);
    }
    sent
}

/// The time of day, for people who read a Lease or an Event; nobody decides by it.
pub(super) fn now() -> MicroTime {
    MicroTime(jiff::Timestamp::now())
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn landed(version: Option<String>) -> Answer {
    Answer::Landed(Version::from(version.unwrap_or_default()))
}

fn crowded() -> Answer {
    Answer::Refused { reason: "too many writes are waiting here already".to_owned(), after: None }
}

fn found<K: Told>(cluster: &Cluster, read: Result<K, Error>) -> Answer {
    match read {
        Ok(object) => Answer::Read(Some(object.tell())),
        Err(error) if error.failure == Failure::NotFound => Answer::Read(None),
        Err(error) => failed(cluster, &error),
    }
}

/// Of a write that was sent.
fn not_written(cluster: &Cluster, error: &Error) -> Answer {
    if matches!(error.failure, Failure::Conflict | Failure::Exists | Failure::NotFound) {
        cluster.failed(error);
        return Answer::Conflict;
    }
    failed(cluster, error)
}

/// Of a write that was not even sent, for what it rests on could not be read.
fn not_sent(cluster: &Cluster, error: &Error) -> Answer {
    let answer = failed(cluster, error);
    match answer {
        Answer::Unknown(reason) => Answer::Refused { reason, after: None },
        Answer::Read(_) | Answer::Landed(_) | Answer::Conflict | Answer::Refused { .. } => answer,
    }
}

fn failed(cluster: &Cluster, error: &Error) -> Answer {
    cluster.failed(error);
    let reason = error.to_string();
    if error.failure.may_have_happened() {
        Answer::Unknown(reason)
    } else {
        Answer::Refused { reason, after: error.retry_after }
    }
}
