//! Data nodes in Pods, and their kubelet.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::world::{Event, Life, PORT, World};
use crate::core::Time;
use crate::core::cluster::{Container, Pod};
use crate::core::ids::PodUid;
use crate::sim::redis::{ClientKey, Durable, Effect, FakeRedis, NodeConfig, ReplMsg};
use crate::sim::rng::Rng;

/// A Pod with a data node.
#[derive(Debug)]
pub(super) struct DataPod {
    pub(super) name: String,
    pub(super) uid: u64,
    pub(super) ip: String,
    /// Counts the starts of its container and of its successors.
    pub(super) life: u64,
    pub(super) redis: Option<FakeRedis>,
    /// What is on its volume.
    pub(super) left: Durable,
    /// It is stopped: requests wait.
    pub(super) frozen: bool,
    pub(super) waiting: Vec<(ClientKey, Vec<Bytes>)>,
    /// The link to its primary.
    link: Option<ClientKey>,
    deleting: bool,
    wake_at: Option<Time>,
}

impl World {
    /// A Pod of a StatefulSet appears; its data node follows that address, or is a primary.
    pub(super) fn add_pod(&mut self, follows: Option<String>) -> usize {
        let at = self.pods.len();
        let ip = self.new_ip();
        let left = Durable { replica_of: follows.map(|ip| (ip, PORT)), ..Durable::default() };
        self.pods.push(DataPod {
            name: format!("redis-{at}"),
            uid: at as u64 + 1,
            ip,
            life: 0,
            redis: None,
            left,
            frozen: false,
            waiting: Vec::new(),
            link: None,
            deleting: false,
            wake_at: None,
        });
        self.start_container(at, false);
        at
    }

    pub(super) fn new_ip(&mut self) -> String {
        self.next_ip += 1;
        format!("10.0.0.{}", self.next_ip)
    }

    pub(super) fn pod_at(&self, ip: &str) -> Option<usize> {
        self.pods.iter().position(|pod| pod.ip == ip)
    }

    /// The container starts, with what is on the volume.
    pub(super) fn start_container(&mut self, at: usize, empty: bool) {
        let seed = self.rng.next();
        let pod = &mut self.pods[at];
        pod.life += 1;
        pod.frozen = false;
        pod.waiting.clear();
        pod.wake_at = None;
        let config = NodeConfig {
            ip: pod.ip.clone(),
            port: PORT,
            priority: 100,
            password: None,
            repl_timeout: Duration::from_secs(10),
            backlog: 1000,
            transfer: Duration::from_millis(50),
            tells_keys: true,
        };
        let mut left = pod.left.clone();
        if empty {
            left = Durable { replica_of: left.replica_of, ..Durable::default() };
        }
        if self.guarded && pod.life > 1 {
            // As `vedette boot` leaves it: nobody's primary, and a replica of nobody.
            left.replica_of = Some(("10.255.255.255".to_owned(), 1));
        }
        pod.redis = Some(FakeRedis::boot(config, left, Rng::new(seed, 5), self.now, Duration::ZERO));
        self.note(|| format!("redis-{at} starts{}", if empty { " empty" } else { "" }));
        self.report(at);
        self.after_node(at, Vec::new());
    }

    /// The container's process is killed.
    pub(super) fn kill_container(&mut self, at: usize) {
        self.note(|| format!("redis-{at} is killed"));
        self.end_process(at, true);
        self.report(at);
    }

    /// The node of the Pod is gone: nobody answers, and nobody reports.
    pub(super) fn end_process(&mut self, at: usize, closes: bool) {
        let life = (at, self.pods[at].life);
        let pod = &mut self.pods[at];
        let Some(redis) = pod.redis.take() else { return };
        pod.left = redis.durable();
        pod.link = None;
        let keys: Vec<ClientKey> = self.clients.keys().copied().collect();
        for key in keys {
            let Some(&conn) = self.clients.get(&key) else { continue };
            let leads_here = matches!(self.targets.get(&conn), Some(super::world::Target::Node(target, _)) if *target == life);
            if leads_here && closes {
                self.disconnect(conn, false);
            }
        }
        let links: BTreeMap<ClientKey, (Life, Option<Life>)> = self.links.clone();
        for (link, (replica, primary)) in links {
            if replica == life || primary == Some(life) {
                self.links.remove(&link);
                let at = self.due((4, link, 0));
                if primary == Some(life) && closes {
                    self.queue.push(at, Event::ReplGone { to: replica, link });
                } else if let Some(primary) = primary.filter(|primary| *primary != life) {
                    self.queue.push(at, Event::ReplicaGone { to: primary, link });
                }
            }
        }
    }

    /// The Pod is deleted and made anew, with another uid and address.
    pub(super) fn recreate_pod(&mut self, at: usize, empty: bool) {
        self.delete_pod(at);
        let ip = self.new_ip();
        let pod = &mut self.pods[at];
        pod.ip = ip;
        pod.uid += 100;
        self.start_container(at, empty);
    }

    /// The Pod is there again, but no node has room for it yet.
    #[cfg(test)]
    pub(super) fn announce_pod(&mut self, at: usize) {
        let pod = &mut self.pods[at];
        pod.ip.clear();
        pod.uid += 100;
        self.note(|| format!("redis-{at} waits for a node"));
        self.report(at);
    }

    /// A Pod that was announced gets its address, and starts.
    #[cfg(test)]
    pub(super) fn place_pod(&mut self, at: usize, empty: bool) {
        self.pods[at].ip = self.new_ip();
        self.start_container(at, empty);
    }

    pub(super) fn delete_pod(&mut self, at: usize) {
        self.end_process(at, true);
        let name = self.pods[at].name.clone();
        self.note(|| format!("{name} is deleted"));
        let seen = self.api.delete_pod(&name);
        self.show(&seen);
    }

    /// The Pod is asked to end.
    pub(super) fn mark_deleting(&mut self, at: usize) {
        self.note(|| format!("redis-{at} gets a deletion time stamp"));
        self.pods[at].deleting = true;
        self.report(at);
        self.pods[at].deleting = false;
    }

    /// The kubelet writes the Pod's status.
    pub(super) fn report(&mut self, at: usize) {
        let pod = &self.pods[at];
        let running = pod.redis.is_some();
        let id = format!("containerd://{at}-{}", pod.life);
        let ended = if running { pod.life.checked_sub(1) } else { Some(pod.life) };
        let container = Container {
            name: "redis".to_owned(),
            ports: vec![PORT],
            id,
            running,
            ended: ended.filter(|life| *life > 0).map(|life| format!("containerd://{at}-{life}")),
        };
        let object = Pod {
            name: pod.name.clone(),
            uid: PodUid::from(format!("uid-{}", pod.uid)),
            ips: pod.ip.parse().into_iter().collect(),
            labels: [("app".to_owned(), "redis".to_owned())].into(),
            node: format!("node-{at}"),
            deleting: pod.deleting,
            over: false,
            containers: vec![container],
        };
        let seen = self.api.put_pod(object);
        self.show(&seen);
    }

    /// A client writes to a node. Whether it was acknowledged.
    pub(super) fn write(&mut self, at: usize, id: u32) -> bool {
        let now = self.now;
        let Some(redis) = self.pods[at].redis.as_mut() else { return false };
        let mut effects = Vec::new();
        let taken = redis.write(id, now, &mut effects);
        self.after_node(at, effects);
        taken
    }

    // === The process ===

    pub(super) fn node_request(&mut self, life: Life, key: ClientKey, args: Vec<Bytes>) {
        let now = self.now;
        let pod = &mut self.pods[life.0];
        if pod.life != life.1 {
            return;
        }
        if pod.frozen {
            pod.waiting.push((key, args));
            return;
        }
        let Some(redis) = &mut pod.redis else { return };
        let mut effects = Vec::new();
        if !redis.request(key, &args, now, &mut effects) {
            self.laws.break_law("data nodes are sent only what is documented", format!("{args:?}"));
        }
        self.observe_request(life.0, key, &args);
        self.after_node(life.0, effects);
    }

    /// A client that is no daemon's asks for something.
    #[cfg(test)]
    pub(super) fn ask_node(&mut self, at: usize, words: &[&str]) {
        self.next_key += 1;
        let (key, now, mut effects) = (self.next_key, self.now, Vec::new());
        let Some(redis) = &mut self.pods[at].redis else { return };
        redis.accept(key);
        let args: Vec<Bytes> = words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        redis.request(key, &args, now, &mut effects);
        redis.client_gone(key);
        self.after_node(at, effects);
    }

    /// A stopped process goes on: what waited is served.
    pub(super) fn thaw(&mut self, at: usize) {
        self.note(|| format!("redis-{at} goes on"));
        self.pods[at].frozen = false;
        let life = (at, self.pods[at].life);
        for (key, args) in std::mem::take(&mut self.pods[at].waiting) {
            self.node_request(life, key, args);
        }
    }

    pub(super) fn node_wakes(&mut self, life: Life) {
        let now = self.now;
        let pod = &mut self.pods[life.0];
        if pod.life != life.1 || pod.wake_at.is_none_or(|wake| wake > now) {
            return;
        }
        pod.wake_at = None;
        if pod.frozen {
            pod.wake_at = Some(now + Duration::from_millis(100));
            self.queue.push(now + Duration::from_millis(100), Event::NodeWakes(life));
            return;
        }
        let Some(redis) = &mut pod.redis else { return };
        let mut effects = Vec::new();
        redis.timer(now, &mut effects);
        self.after_node(life.0, effects);
    }

    fn after_node(&mut self, at: usize, effects: Vec<Effect>) {
        for effect in effects {
            self.carry_out_node(at, effect);
        }
        let life = (at, self.pods[at].life);
        if let Some(next) = self.pods[at].redis.as_ref().and_then(FakeRedis::next_deadline) {
            let next = next.max(self.now + Duration::from_micros(100));
            let pod = &mut self.pods[at];
            if pod.wake_at.is_none_or(|wake| wake > next) {
                pod.wake_at = Some(next);
                self.queue.push(next, Event::NodeWakes(life));
            }
        }
    }

    fn carry_out_node(&mut self, at: usize, effect: Effect) {
        let life = (at, self.pods[at].life);
        match effect {
            Effect::Reply(key, reply) => self.reply(at, key, reply),
            Effect::Close(key) => {
                if let Some(&conn) = self.clients.get(&key) {
                    self.disconnect(conn, false);
                } else if let Some((replica, _)) = self.links.remove(&key) {
                    let due = self.due((4, key, 0));
                    self.queue.push(due, Event::ReplGone { to: replica, link: key });
                }
            }
            Effect::Dial(ip, _) => {
                self.next_key += 1;
                let link = self.next_key;
                self.pods[at].link = Some(link);
                self.links.insert(link, (life, None));
                let due = self.due((4, link, 0));
                self.queue.push(due, Event::ReplDialled { from: life, link, ip });
            }
            Effect::HangUp => {
                if let Some(link) = self.pods[at].link.take()
                    && let Some((_, Some(primary))) = self.links.remove(&link)
                {
                    let due = self.due((4, link, 1));
                    self.queue.push(due, Event::ReplicaGone { to: primary, link });
                }
            }
            Effect::ToPrimary(message) => {
                if let Some(link) = self.pods[at].link
                    && let Some(&(_, Some(primary))) = self.links.get(&link)
                {
                    let due = self.due((4, link, 1));
                    self.queue.push(due, Event::ToPrimary { to: primary, link, message });
                }
            }
            Effect::ToReplica(key, message) => {
                if let Some(&(replica, _)) = self.links.get(&key) {
                    let due = self.due((4, key, 0));
                    self.queue.push(due, Event::ToReplica { to: replica, link: key, message });
                }
            }
        }
    }

    // === Replication ===

    pub(super) fn repl_dialled(&mut self, from: Life, link: ClientKey, ip: &str) {
        let there = self.pod_at(ip).filter(|pod| self.pods[*pod].redis.is_some() && !self.pods[*pod].frozen);
        let own = self.pods[from.0].ip.clone();
        let Some(pod) = there.filter(|_| !self.is_cut(&own, ip)) else {
            let due = self.due((4, link, 0)) + Duration::from_millis(1);
            self.queue.push(due, Event::ReplGone { to: from, link });
            return;
        };
        let life = (pod, self.pods[pod].life);
        if let Some(entry) = self.links.get_mut(&link) {
            entry.1 = Some(life);
            if let Some(redis) = &mut self.pods[pod].redis {
                redis.accept(link);
            }
            let due = self.due((4, link, 0));
            self.queue.push(due, Event::ReplUp { to: from, link });
        }
    }

    fn replica(&mut self, to: Life, link: ClientKey) -> bool {
        self.pods[to.0].life == to.1 && self.pods[to.0].link == Some(link)
    }

    pub(super) fn repl_up(&mut self, to: Life, link: ClientKey) {
        if !self.replica(to, link) {
            return;
        }
        let (now, mut effects) = (self.now, Vec::new());
        if let Some(redis) = &mut self.pods[to.0].redis {
            redis.primary_up(now, &mut effects);
        }
        self.after_node(to.0, effects);
    }

    pub(super) fn repl_gone(&mut self, to: Life, link: ClientKey) {
        if !self.replica(to, link) {
            return;
        }
        let now = self.now;
        self.pods[to.0].link = None;
        if let Some(redis) = &mut self.pods[to.0].redis {
            redis.primary_gone(now);
        }
        self.after_node(to.0, Vec::new());
    }

    pub(super) fn primary_hears(&mut self, to: Life, link: ClientKey, message: ReplMsg) {
        if self.pods[to.0].life != to.1 {
            return;
        }
        let (now, mut effects) = (self.now, Vec::new());
        if let Some(redis) = &mut self.pods[to.0].redis {
            redis.replica_says(link, message, now, &mut effects);
        }
        self.after_node(to.0, effects);
    }

    pub(super) fn replica_hears(&mut self, to: Life, link: ClientKey, message: ReplMsg) {
        if !self.replica(to, link) {
            return;
        }
        self.observe_copy(to.0, &message);
        let (now, mut effects) = (self.now, Vec::new());
        if let Some(redis) = &mut self.pods[to.0].redis {
            redis.primary_says(message, now, &mut effects);
        }
        self.after_node(to.0, effects);
    }

    pub(super) fn replica_gone(&mut self, to: Life, link: ClientKey) {
        if self.pods[to.0].life == to.1
            && let Some(redis) = &mut self.pods[to.0].redis
        {
            redis.client_gone(link);
        }
    }
}
