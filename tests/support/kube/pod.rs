//! One Pod as the stand-in kubelet runs it, and the status that it keeps.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::container::{Container, pre_stop};
use crate::support::{Host, Process};

/// A Pod on a node. One container; it is restarted at once, as a kubelet does the first time.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) uid: String,
    pub(super) node: String,
    pub(super) host: Host,
    name: String,
    dir: PathBuf,
    command: Vec<String>,
    arguments: Vec<String>,
    /// The command of the preStop hook; none without one.
    pre_stop: Vec<String>,
    image: String,
    container_name: String,
    container: Container,
    /// How the container before this one ended.
    last: Value,
    restarts: u32,
    began: Timestamp,
    /// Since when readiness is what it is.
    ready_since: (bool, Timestamp),
    /// When the grace period is over; none while it is not to be deleted.
    killed_at: Option<Instant>,
    /// What has to end before the container is asked to.
    hook: Option<Process>,
    /// Whether a container that ends stays ended.
    pub(super) held: bool,
    /// The status as it was told last.
    pub(super) told: Value,
}

impl Pod {
    /// Starts what `pod` describes, with its files in `dir`.
    pub(super) fn start(pod: &core::Pod, node: &str, host: Host, dir: PathBuf) -> Self {
        let name = pod.metadata.name.clone().expect("a name");
        let container = &pod.spec.as_ref().expect("a spec").containers[0];
        let command = container.command.clone().unwrap_or_default();
        let arguments = container.args.clone().unwrap_or_default();
        let hook = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref());
        let pre_stop = hook.and_then(|hook| hook.exec.as_ref()?.command.clone()).unwrap_or_default();
        let now = Timestamp::now();
        Self {
            uid: pod.metadata.uid.clone().expect("a uid"),
            node: node.to_owned(),
            container: Container::start(&name, &host, &dir, &command, &arguments),
            name,
            dir,
            command,
            arguments,
            pre_stop,
            host,
            image: container.image.clone().unwrap_or_default(),
            container_name: container.name.clone(),
            last: json!({}),
            restarts: 0,
            began: now,
            ready_since: (false, now),
            killed_at: None,
            hook: None,
            held: false,
            told: Value::Null,
        }
    }

    /// Sends a signal to the container.
    pub(super) fn signal(&self, signal: Signal) {
        self.container.signal(signal);
    }

    /// SIGSTOP of the container, in force.
    pub(super) fn pause(&self) {
        self.container.pause();
    }

    /// Restarts a container that has ended, where it should run.
    pub(super) fn keep_running(&mut self) {
        if let Some(status) = self.container.ended()
            && !self.held
            && self.killed_at.is_none()
        {
            self.last = self.terminated(status);
            self.container =
                Container::start(&self.name, &self.host, &self.dir, &self.command, &self.arguments);
            self.restarts += 1;
        }
    }

    /// Runs the preStop hook, then asks the container to end, and ends it when the grace period is over. True once it has
    /// ended.
    pub(super) fn terminate(&mut self, grace: Duration) -> bool {
        if self.container.ended().is_some() {
            return true;
        }
        match self.killed_at {
            None => {
                self.killed_at = Some(Instant::now() + grace);
                self.hook =
                    (!self.pre_stop.is_empty()).then(|| pre_stop(&self.pre_stop, &self.host, &self.dir));
                if self.hook.is_none() {
                    self.container.signal(Signal::TERM);
                }
            }
            Some(at) if Instant::now() >= at => self.container.kill(),
            Some(_) => {
                if self.hook.as_mut().is_some_and(|hook| hook.ended().is_some()) {
                    self.hook = None;
                    self.container.signal(Signal::TERM);
                }
            }
        }
        false
    }

    fn terminated(&self, status: ExitStatus) -> Value {
        use std::os::unix::process::ExitStatusExt;
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        json!({"terminated": {
            "containerID": self.container.id,
            "exitCode": code,
            "reason": if code == 0 { "Completed" } else { "Error" },
            "startedAt": stamp(self.container.started),
            "finishedAt": stamp(Timestamp::now()),
        }})
    }

    /// The status as a kubelet would tell it now.
    pub(super) fn status(&mut self, node_address: &str) -> Value {
        let ended = self.container.ended();
        let ready = ended.is_none() && self.killed_at.is_none() && self.container.ready();
        if self.ready_since.0 != ready {
            self.ready_since = (ready, Timestamp::now());
        }
        let state = match ended {
            // The time of its end is told once.
            Some(status) => match self.told.pointer("/containerStatuses/0/state") {
                Some(told) if told["terminated"]["containerID"] == self.container.id.as_str() => told.clone(),
                _ => self.terminated(status),
            },
            None => json!({"running": {"startedAt": stamp(self.container.started)}}),
        };
        let condition = |kind: &str, holds: bool, since: Timestamp| {
            json!({
                "type": kind,
                "status": if holds { "True" } else { "False" },
                "lastTransitionTime": stamp(since),
                "lastProbeTime": null,
            })
        };
        let addresses: Vec<Value> = self.host.addresses().iter().map(|ip| json!({"ip": ip})).collect();
        json!({
            "phase": "Running",
            "hostIP": node_address,
            "hostIPs": [{"ip": node_address}],
            "podIP": self.host.address(),
            "podIPs": addresses,
            "startTime": stamp(self.began),
            "conditions": [
                condition("PodReadyToStartContainers", true, self.began),
                condition("Initialized", true, self.began),
                condition("Ready", ready, self.ready_since.1),
                condition("ContainersReady", ready, self.ready_since.1),
                condition("PodScheduled", true, self.began),
            ],
            "containerStatuses": [{
                "name": self.container_name,
                "image": self.image,
                "imageID": format!("stand-in://{}", self.image),
                "containerID": self.container.id,
                "ready": ready,
                "started": ended.is_none(),
                "restartCount": self.restarts,
                "state": state,
                "lastState": self.last,
            }],
        })
    }
}

fn stamp(time: Timestamp) -> String {
    format!("{time:.0}")
}
