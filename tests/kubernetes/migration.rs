//! Beside genuine Sentinels: following them, taking over, and the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::DeleteParams;
use tempfile::TempDir;

use crate::k8s::Member;
use crate::k8s::container::PORT;
use crate::k8s::member::FLEET;
use crate::support::sentinel::SentinelSpec;
use crate::support::{Program, Sentinel, poll};
use crate::world::{EPOCH, GROUP, GUARD, World};

/// All that a data node may hear of a fleet that observes.
const ALLOWED: [&str; 5] = ["ping", "info", "role", "subscribe", "client|setname"];

/// A Redis of three with three Sentinels, and a fleet that observes.
struct Beside {
    // In the order in which they end.
    world: World,
    sentinels: Vec<Sentinel>,
    /// What data nodes have heard: the client's address, and the command.
    heard: Heard,
    /// Names of the Pods, if the Sentinels go by names.
    hosts: Option<TempDir>,
}

type Heard = Arc<Mutex<Vec<(String, String)>>>;

impl Beside {
    /// As with spotahome's operator: addresses, and data nodes that start as replicas of nobody.
    fn guarded() -> Self {
        Self::new(|text| text, None)
    }

    /// As with bitnami's chart: addresses, and data nodes that nothing keeps from serving.
    fn unguarded() -> Self {
        Self::new(|text| text.replace(GUARD, ""), None)
    }

    /// The same, where everybody goes by names.
    fn named() -> Self {
        let hosts = TempDir::with_prefix("vedette-hosts").unwrap();
        let file = hosts.path().join("hosts");
        fs::write(&file, "").unwrap();
        let command = format!("command: [with-hosts, {}]\n          args: [", file.display());
        Self::new(|text| text.replace(GUARD, "").replace("args: [", &command), Some(hosts))
    }

    fn new(change: impl FnOnce(String) -> String, hosts: Option<TempDir>) -> Self {
        let world = World::build(0, 3, change, &["vedette observe yes"]);
        let first = "redis-0".to_owned();
        poll("all data nodes answer", || {
            let roles: Vec<_> =
                (0..3).map(|number| world.role(&format!("redis-{number}"))).filter_map(Result::ok).collect();
            if roles.len() == 3 { Ok(()) } else { Err(roles) }
        });
        let mut beside = Self { world, sentinels: Vec::new(), heard: Heard::default(), hosts };
        if let Some(hosts) = &beside.hosts {
            let pods = beside.world.pods();
            let lines = pods.iter().map(|(pod, _, address)| format!("{address} {}\n", beside.known_as(pod)));
            fs::write(hosts.path().join("hosts"), lines.collect::<String>()).unwrap();
            for (pod, ..) in &pods {
                let mut client = beside.world.kubelet.connect(pod).unwrap();
                client.call(&["CONFIG", "SET", "replica-announce-ip", &beside.known_as(pod)]);
            }
        }
        let address = beside.known_as(&first);
        beside.world.kubelet.connect(&first).unwrap().call(&["REPLICAOF", "NO", "ONE"]);
        for other in ["redis-1", "redis-2"] {
            let mut client = beside.world.kubelet.connect(other).unwrap();
            client.call(&["REPLICAOF", &address, &PORT.to_string()]);
        }
        beside.start_sentinels(&address);
        beside.sentinels_know_all();
        for (pod, ..) in beside.world.pods() {
            beside.monitor(&pod);
        }
        beside.world.members.iter_mut().for_each(Member::launch);
        beside
    }

    /// How Sentinels and data nodes call a Pod.
    fn known_as(&self, pod: &str) -> String {
        match &self.hosts {
            Some(_) => format!("{pod}.redis-headless.default.svc.cluster.local"),
            None => self.world.kubelet.address(pod).unwrap(),
        }
    }

    /// New Sentinels, which know nothing but the primary.
    fn start_sentinels(&mut self, primary: &str) {
        self.sentinels = (0..3)
            .map(|number| {
                let place = self.world.network.host(World::OTHERS + number);
                let program = match &self.hosts {
                    Some(hosts) => Program::genuine().with_hosts(&hosts.path().join("hosts")),
                    None => Program::genuine(),
                };
                let names = if self.hosts.is_some() { "yes" } else { "no" };
                let lines = [
                    format!("sentinel resolve-hostnames {names}"),
                    format!("sentinel announce-hostnames {names}"),
                    format!("sentinel monitor {GROUP} {primary} {PORT} 2"),
                    format!("sentinel down-after-milliseconds {GROUP} 3000"),
                    format!("sentinel failover-timeout {GROUP} 10000"),
                ];
                Sentinel::start(&SentinelSpec {
                    program,
                    host: place.address().to_owned(),
                    place: Some(place.clone()),
                    lines: lines.into(),
                    ..SentinelSpec::default()
                })
            })
            .collect();
    }

    #[track_caller]
    fn sentinels_know_all(&self) {
        poll("the Sentinels know each other and the replicas", || {
            let known: Vec<_> = self
                .sentinels
                .iter()
                .map(|sentinel| {
                    let told = sentinel.master(GROUP);
                    [told["num-other-sentinels"].clone(), told["num-slaves"].clone()]
                })
                .collect();
            if known.iter().all(|known| *known == ["2", "2"]) { Ok(()) } else { Err(known) }
        });
    }

    /// Takes down what a data node hears, until it ends.
    fn monitor(&self, pod: &str) {
        let mut client = self.world.kubelet.connect(pod).unwrap();
        assert_eq!(client.call(&["MONITOR"]).text(), "OK");
        let heard = Arc::clone(&self.heard);
        thread::spawn(move || {
            // 1700000000.123456 [0 10.77.0.2:40000] "client" "setname" "x"
            while let Ok(line) = client.read() {
                let line = line.text();
                let Some((from, rest)) = line.split_once("] ") else { continue };
                let from = from.rsplit(' ').next().unwrap_or_default();
                let from = from.rsplit_once(':').map_or("", |(address, _)| address);
                let words: Vec<String> =
                    rest.split(' ').map(|word| word.trim_matches('"').to_ascii_lowercase()).collect();
                let command = match words.as_slice() {
                    [command, sub, ..] if command == "client" => format!("{command}|{sub}"),
                    _ => words[0].clone(),
                };
                heard.lock().unwrap().push((from.to_owned(), command));
            }
        });
    }

    /// What the fleet said to data nodes so far.
    fn said_by_fleet(&self) -> BTreeSet<String> {
        let members: Vec<&str> = self.world.members.iter().map(Member::address).collect();
        let heard = self.heard.lock().unwrap();
        let said = heard.iter().filter(|(from, _)| members.contains(&from.as_str()));
        said.map(|(_, command)| command.clone()).collect()
    }

    /// The primary's Pod as all Sentinels know it, and its config epoch.
    fn by_sentinels(&self) -> Result<(String, u64), String> {
        let told: BTreeSet<_> = self
            .sentinels
            .iter()
            .map(|sentinel| {
                let told = sentinel.master(GROUP);
                (told["ip"].clone(), told["config-epoch"].clone())
            })
            .collect();
        let mut told = told.into_iter();
        let (Some((ip, epoch)), None) = (told.next(), told.next()) else {
            return Err("the Sentinels don't agree".to_owned());
        };
        let mut pods = self.world.pods().into_iter().map(|(pod, ..)| pod);
        let pod = pods.find(|pod| self.known_as(pod) == ip).ok_or_else(|| format!("{ip} is no Pod"))?;
        Ok((pod, epoch.parse().unwrap()))
    }

    /// Service, members and Sentinels agree on a primary, and no Lease says so; its Pod and the Sentinels' epoch.
    fn followed(&self) -> Result<(String, u64), String> {
        let (pod, epoch) = self.by_sentinels()?;
        let address = self.world.kubelet.address(&pod);
        let routed = self.world.primary();
        if routed.as_ref() != Some(&pod) {
            return Err(format!("the Service leads to {routed:?}, not to {pod}"));
        }
        for member in self.world.running() {
            let told = member.primary(GROUP);
            if told != address {
                return Err(format!("{} names {told:?}, not {address:?}", member.name()));
            }
        }
        if self.world.group_lease().is_some() {
            return Err("there is a group Lease".to_owned());
        }
        Ok((pod, epoch))
    }

    /// The same, with another primary than that.
    #[track_caller]
    fn followed_without(&self, pod: &str) -> (String, u64) {
        poll(&format!("all follow the Sentinels to another one than {pod}"), || match self.followed() {
            Ok((primary, _)) if primary == pod => Err(format!("it is {pod}")),
            other => other,
        })
    }

    /// The Sentinels fail over from that primary, perhaps more than once, and make it a replica when it is back.
    #[track_caller]
    fn fail_over_by_sentinels(&self, pod: &str) -> (String, u64) {
        self.world.kubelet.kill_and_hold(pod);
        self.followed_without(pod);
        self.world.kubelet.release(pod);
        let after = poll("all follow another one", || {
            let (primary, epoch) = self.followed()?;
            let wanted = format!("slave of {} connected", self.known_as(&primary));
            let roles = self.world.pods().into_iter().filter(|(other, ..)| *other != primary);
            let roles: Vec<String> = roles.filter_map(|(other, ..)| self.world.role(&other).ok()).collect();
            if primary != pod && roles == [wanted.clone(), wanted] {
                Ok((primary, epoch))
            } else {
                Err(format!("{primary} leads {roles:?}"))
            }
        });
        let told = format!(" {} {PORT}", self.world.kubelet.address(&after.0).unwrap());
        for member in self.world.running() {
            poll("it tells of the switch", || match member.lines("+switch-master").pop() {
                Some(line) if line.ends_with(&told) => Ok(()),
                other => Err(format!("{}: {other:?}, not{told}", member.name())),
            });
        }
        after
    }

    /// A rolling change of the fleet.
    fn roll(&mut self, observe: &str) {
        (0..self.world.members.len()).for_each(|member| self.change(member, observe));
    }

    fn change(&mut self, member: usize, observe: &str) {
        let member = &mut self.world.members[member];
        assert!(member.terminate().success());
        member.configure("vedette observe", observe);
        member.start();
    }

    fn history(&self, pod: &str) -> String {
        let info = self.world.kubelet.connect(pod).unwrap().call(&["INFO", "replication"]).text();
        info.lines().find_map(|line| line.strip_prefix("master_replid:")).unwrap().to_owned()
    }

    fn lease_epoch(&self) -> u64 {
        let annotations = self.world.group_lease().unwrap().metadata.annotations.unwrap();
        let primary: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&annotations["vedette.dev/primary"]).unwrap();
        primary["epoch"].as_u64().unwrap()
    }
}

impl Beside {
    /// The Sentinels' first primary is followed, and the one after it; that one, and its epoch.
    #[track_caller]
    fn follows(&self) -> (String, u64) {
        let (first, epoch) = poll("all follow the Sentinels", || self.followed());
        assert_eq!((first.as_str(), epoch), ("redis-0", 0));
        assert!(self.world.service().metadata.annotations.unwrap().contains_key(EPOCH));
        let (second, epoch) = self.fail_over_by_sentinels(&first);
        let routed = self.world.epoch();
        assert_eq!(routed, epoch, "the Service has the epoch that was heard");
        self.only_listens();
        (second, epoch)
    }

    #[track_caller]
    fn only_listens(&self) {
        let said = self.said_by_fleet();
        assert!(said.iter().all(|command| ALLOWED.contains(&command.as_str())), "{said:?}");
        assert!(said.contains("ping") && said.contains("subscribe"), "{said:?}");
    }

    /// The Sentinels end, and the fleet is told to act.
    #[track_caller]
    fn takes_over(&mut self, primary: &str, heard: u64) {
        let history = self.history(primary);
        let switches = self.world.switches();
        // Too early: while a Sentinel listens it does nothing.
        self.change(0, "no");
        self.world.event("SentinelsListen");
        let recorded = self.world.group_lease().unwrap().metadata.annotations.unwrap();
        assert!(!recorded.contains_key("vedette.dev/primary"), "{recorded:?}");
        self.sentinels.iter_mut().for_each(Sentinel::terminate);
        self.roll("no");
        assert_eq!(self.world.settled(), primary, "it stays");
        assert_eq!(self.history(primary), history, "it was never anything else meanwhile");
        self.world.switched(&switches, 0);
        let epoch = self.lease_epoch();
        assert!(epoch > heard, "{epoch} after {heard}");
        assert_eq!(self.world.epoch(), epoch);
    }
}

#[test]
fn a_fleet_follows_sentinels_takes_over_and_goes_back() {
    let mut beside = Beside::unguarded();
    let writer = beside.world.service_writer();
    let (second, epoch) = beside.follows();
    writer.goes_on();
    beside.takes_over(&second, epoch);
    writer.goes_on();
    beside.world.kubelet.kill_and_hold(&second);
    poll("the fleet fails over", || beside.world.leads_to_another_than(&second));
    beside.world.kubelet.release(&second);
    let third = beside.world.settled_without(&second);
    writer.goes_on();

    // The way back.
    beside.roll("yes");
    let ahead = beside.world.epoch();
    beside.world.delete::<Lease>(&format!("{FLEET}-group-{GROUP}"), DeleteParams::default());
    beside.start_sentinels(&beside.known_as(&third));
    beside.sentinels_know_all();
    let (same, theirs) = poll("all follow the Sentinels", || beside.followed());
    assert_eq!((same, theirs), (third.clone(), 0));
    assert_eq!(beside.world.epoch(), ahead, "epochs don't go back");
    let (_, theirs) = beside.fail_over_by_sentinels(&third);
    assert!(beside.world.epoch() > ahead && theirs < ahead, "{} {theirs}", beside.world.epoch());
    writer.goes_on();
}

#[test]
fn sentinels_that_go_by_names_are_followed_and_replaced() {
    let mut beside = Beside::named();
    let (second, epoch) = beside.follows();
    beside.takes_over(&second, epoch);
}

#[test]
fn sentinels_that_an_operator_set_up_anew_are_followed() {
    let beside = Beside::guarded();
    let (first, _) = poll("all follow the Sentinels", || beside.followed());
    let (second, epoch) = beside.fail_over_by_sentinels(&first);
    // As spotahome's operator does it: another primary by its own hand, and Sentinels that begin at 0 with it.
    for sentinel in &beside.sentinels {
        assert_eq!(sentinel.connect().unwrap().call(&["SENTINEL", "REMOVE", GROUP]).text(), "OK");
    }
    let third = if second == "redis-2" { "redis-1" } else { "redis-2" };
    let address = beside.world.kubelet.address(third).unwrap();
    beside.world.kubelet.connect(third).unwrap().call(&["REPLICAOF", "NO", "ONE"]);
    for (pod, ..) in beside.world.pods().into_iter().filter(|(pod, ..)| pod != third) {
        beside.world.kubelet.connect(&pod).unwrap().call(&["REPLICAOF", &address, &PORT.to_string()]);
    }
    for sentinel in &beside.sentinels {
        let mut client = sentinel.connect().unwrap();
        let port = PORT.to_string();
        assert_eq!(client.call(&["SENTINEL", "MONITOR", GROUP, &address, &port, "2"]).text(), "OK");
        assert_eq!(client.call(&["SENTINEL", "SET", GROUP, "down-after-milliseconds", "3000"]).text(), "OK");
    }
    let (now, theirs) = beside.followed_without(&second);
    assert_eq!((now.as_str(), theirs), (third, 0));
    assert!(beside.world.epoch() > epoch, "{} after {epoch}", beside.world.epoch());
    beside.only_listens();
}
