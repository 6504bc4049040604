//! What must always hold, checked after every step.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::world::World;
use crate::core::claim::GroupLease;
use crate::sim::redis::{ClientKey, ReplMsg};

/// A look that changes nothing may be asked for so often in a row.
const MOST_IDLE: u32 = 200;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Laws {
    pub(crate) broken: Option<(&'static str, String)>,
    /// Who was committed at each epoch.
    committed: BTreeMap<u64, (String, String, String)>,
    /// The highest epoch of the Lease, of the Service, and in what each daemon answers.
    lease: u64,
    service: u64,
    told: BTreeMap<usize, (String, u64)>,
    idle: BTreeMap<usize, u32>,
    /// Pods that Sentinels have named as primaries: daemons that observe may route there.
    pub(super) named: BTreeSet<String>,
    /// Commands that change a role, in order.
    pub(crate) commands: Vec<String>,
}

impl Laws {
    pub(super) fn break_law(&mut self, law: &'static str, what: String) {
        self.broken.get_or_insert((law, what));
    }

    /// People may set epochs back: only daemons may not.
    #[cfg(test)]
    pub(super) const fn forgive_an_edit(&mut self) {
        (self.lease, self.service) = (0, 0);
    }

    pub(super) fn forget_member(&mut self, at: usize) {
        self.told.remove(&at);
    }

    pub(super) fn count_idle(&mut self, at: usize, why: &'static str) {
        let idle = self.idle.entry(at).or_default();
        *idle += 1;
        if *idle > MOST_IDLE {
            self.break_law("no look is asked for without end", format!("d{at} for '{why}'"));
        }
    }
}

impl World {
    /// The group's Lease as it is.
    pub(super) fn lease(&self) -> Option<GroupLease> {
        let (_, plain) = self.api.leases.get("v-group-g")?;
        GroupLease::parse(plain).ok()
    }

    /// Something was written to the API server.
    pub(super) fn written(&mut self) {
        if let Some(lease) = self.lease() {
            let epoch = lease.epoch();
            if epoch < self.laws.lease && lease.primary.is_some() {
                let what = format!("{epoch} after {}", self.laws.lease);
                self.laws.break_law("an epoch never goes back in a Lease", what);
            }
            self.laws.lease = self.laws.lease.max(epoch);
            if let Some(primary) = &lease.primary {
                let instance = &primary.instance;
                let who = (instance.uid.to_string(), instance.pod.clone(), instance.run_id.to_string());
                let known = self.laws.committed.entry(epoch).or_insert_with(|| who.clone());
                if *known != who {
                    let what = format!("{epoch}: {known:?} and {who:?}");
                    self.laws.break_law("one primary is committed at an epoch", what);
                }
            }
            if let Some(failover) = &lease.failover
                && failover.why == "down"
                && failover.opinions.len() < 2
            {
                let what = format!("{:?}", failover.opinions);
                self.laws.break_law("a claim rests on the opinions of a quorum", what);
            }
        }
        if let Some(service) = self.api.services.get("redis") {
            let epoch = service.annotations.get("vedette.dev/epoch").and_then(|text| text.parse().ok());
            let epoch: u64 = epoch.unwrap_or(0);
            if epoch < self.laws.service {
                let what = format!("{epoch} after {}", self.laws.service);
                self.laws.break_law("an epoch never goes back on the Service", what);
            }
            self.laws.service = epoch;
        }
    }

    /// After whatever a daemon was told.
    pub(super) fn check_answer(&mut self, at: usize) {
        let Some((host, epoch)) = self.answer(at) else { return };
        let known = self.laws.told.get(&at);
        if known.is_some_and(|(known, since)| known == host && *since == epoch) {
            return;
        }
        let (told, known) = ((host.to_owned(), epoch), known.cloned());
        if known.as_ref().is_some_and(|(_, known)| epoch < *known) {
            let what = format!("d{at}: {epoch} after {known:?}");
            self.laws.break_law("no daemon's answer goes back in epoch", what);
        }
        self.laws.told.insert(at, told);
        self.laws.idle.remove(&at);
    }

    /// A patch of the Service: only what was committed at that epoch is ever routed.
    pub(super) fn observe_patch(&mut self, pod: Option<&str>, epoch: Option<&str>) {
        let committed =
            epoch.and_then(|epoch| epoch.parse().ok()).and_then(|epoch: u64| self.laws.committed.get(&epoch));
        let named = self.lease().is_none() && pod.is_some_and(|pod| self.laws.named.contains(pod));
        if !named && committed.is_none_or(|(_, name, _)| pod != Some(name.as_str())) {
            let what = format!("{pod:?} at {epoch:?}");
            self.laws.break_law("only a committed Pod is routed", what);
        }
    }

    /// The Pod that the Service selects.
    pub(super) fn selected(&self) -> Option<String> {
        let service = self.api.services.get("redis")?;
        service.selector.get("statefulset.kubernetes.io/pod-name").cloned()
    }

    pub(super) fn observe_request(&mut self, pod: usize, key: ClientKey, args: &[Bytes]) {
        const HARMLESS: [&str; 4] = ["PING", "INFO", "ROLE", "SUBSCRIBE"];
        let observer = self.clients.get(&key).is_some_and(|conn| self.daemons[conn.daemon.0].observes);
        let is =
            |at: usize, word: &str| args.get(at).is_some_and(|arg: &Bytes| arg.as_ref() == word.as_bytes());
        let harmless = HARMLESS.iter().any(|word| is(0, word)) || is(0, "CLIENT") && is(1, "SETNAME");
        if observer && !harmless {
            self.laws.break_law("who observes only asks and listens", format!("redis-{pod} {args:?}"));
        }
        if args.first().is_some_and(|word| word.as_ref() == b"SLAVEOF") {
            let words: Vec<String> =
                args.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            let from = self.clients.get(&key).map(|conn| conn.daemon.0);
            let line = format!("redis-{pod} {}", words.join(" "));
            self.note(|| format!("{line} (by d{from:?})"));
            self.laws.commands.push(line);
        }
    }

    /// A full copy is about to replace what a node holds.
    pub(super) fn observe_copy(&mut self, pod: usize, message: &ReplMsg) {
        let ReplMsg::FullData { data, history, .. } = message else { return };
        let held = self.pods[pod].redis.as_ref().map_or(0, |redis| redis.data().len());
        if data.is_empty() && held > 0 {
            let what = format!("redis-{pod} loses {held} writes");
            self.laws.break_law("no data are overwritten by nothing", what);
        }
        let akin = self.pods[pod].redis.as_ref().is_some_and(|redis| redis.is_of(history))
            || self.pods.iter().filter_map(|other| other.redis.as_ref()).any(|other| {
                let mine = self.pods[pod].redis.as_ref().map(|redis| redis.durable().history);
                other.is_of(history) && mine.is_some_and(|mine| other.is_of(&mine))
            });
        if held > 0 && !akin && !self.is_recorded(pod) {
            let what = format!("redis-{pod} loses {held} writes to {history}");
            self.laws
                .break_law("data of another history are overwritten only where they are the group's", what);
        }
    }

    /// Whether the Lease names a Pod as one that held the group's data. Without a commit there is nothing to judge by.
    pub(super) fn is_recorded(&self, pod: usize) -> bool {
        let Some(lease) = self.lease() else { return true };
        let Some(primary) = &lease.primary else { return true };
        let (name, uid) = (&self.pods[pod].name, format!("uid-{}", self.pods[pod].uid));
        primary.instance.pod == *name
            || lease.replicas.names.contains(name)
            || lease.replicas.allowed.iter().any(|known| known.as_str() == uid)
    }
}
