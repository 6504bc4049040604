//! Beside genuine Sentinels: following them, taking over, and the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::thread;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::DeleteParams;

use crate::k8s::Member;
use crate::k8s::container::PORT;
use crate::k8s::member::FLEET;
use crate::support::sentinel::SentinelSpec;
use crate::support::{Program, Sentinel, poll};
use crate::world::{GROUP, GUARD, World};

/// All that a data node may hear of a fleet that observes.
const ALLOWED: [&str; 5] = ["ping", "info", "role", "subscribe", "client|setname"];

/// A Redis of three with three Sentinels, and a fleet that observes.
struct Beside {
    // In the order in which they end.
    world: World,
    sentinels: Vec<Sentinel>,
    /// What each data node has heard, by its address: the client's address, and the command.
    heard: Heard,
}

type Heard = Arc<Mutex<Vec<(String, String)>>>;

impl Beside {
    /// `guarded` data nodes start as replicas of nobody.
    fn new(guarded: bool) -> Self {
        let change = |text: String| if guarded { text } else { text.replace(GUARD, "") };
        let world = World::build(0, 3, change, &["vedette observe yes"]);
        let first = "redis-0".to_owned();
        poll("all data nodes answer", || {
            let roles: Vec<_> =
                (0..3).map(|number| world.role(&format!("redis-{number}"))).filter_map(Result::ok).collect();
            if roles.len() == 3 { Ok(()) } else { Err(roles) }
        });
        let address = world.kubelet.address(&first).unwrap();
        world.kubelet.connect(&first).unwrap().call(&["REPLICAOF", "NO", "ONE"]);
        for other in ["redis-1", "redis-2"] {
            world.kubelet.connect(other).unwrap().call(&["REPLICAOF", &address, &PORT.to_string()]);
        }
        let mut beside = Self { world, sentinels: Vec::new(), heard: Heard::default() };
        beside.start_sentinels(&address);
        beside.sentinels_know_all();
        for (pod, ..) in beside.world.pods() {
            beside.monitor(&pod);
        }
        beside.world.members.iter_mut().for_each(Member::launch);
        beside
    }

    /// New Sentinels, which know nothing but the primary.
    fn start_sentinels(&mut self, primary: &str) {
        self.sentinels = (0..3)
            .map(|number| {
                let place = self.world.network.host(World::OTHERS + number);
                let lines = [
                    format!("sentinel monitor {GROUP} {primary} {PORT} 2"),
                    format!("sentinel down-after-milliseconds {GROUP} 1000"),
                    format!("sentinel failover-timeout {GROUP} 10000"),
                ];
                Sentinel::start(&SentinelSpec {
                    program: Program::genuine(),
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
        let pods = self.world.pods();
        let pod =
            pods.into_iter().find(|(.., address)| *address == ip).ok_or_else(|| format!("{ip} is no Pod"))?;
        Ok((pod.0, epoch.parse().unwrap()))
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

    /// The Sentinels fail over from that primary, and make it a replica when it is back.
    #[track_caller]
    fn fail_over_by_sentinels(&self, pod: &str) -> (String, u64) {
        let before = self.world.switches();
        self.world.kubelet.kill_and_hold(pod);
        let after = self.followed_without(pod);
        self.world.kubelet.release(pod);
        self.world.switched(&before, 1);
        let address = self.world.kubelet.address(&after.0).unwrap();
        poll("the old primary follows", || match self.world.role(pod)? {
            role if role == format!("slave of {address} connected") => Ok(()),
            role => Err(role),
        });
        after
    }

    /// A rolling change of the fleet.
    fn roll(&mut self, observe: &str) {
        for member in &mut self.world.members {
            assert!(member.terminate().success());
            member.configure("vedette observe", observe);
            member.start();
        }
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

#[test]
fn a_fleet_follows_sentinels_takes_over_and_goes_back() {
    let mut beside = Beside::new(false);
    let (first, epoch) = poll("all follow the Sentinels", || beside.followed());
    assert_eq!((first.as_str(), epoch), ("redis-0", 0));
    assert!(beside.world.service().metadata.annotations.unwrap().contains_key("vedette.dev/epoch"));
    let writer = beside.world.service_writer();
    writer.goes_on();

    let (second, epoch) = beside.fail_over_by_sentinels(&first);
    assert_eq!(beside.world.epoch(), epoch, "the Service has the epoch that was heard");
    writer.goes_on();
    let said = beside.said_by_fleet();
    assert!(said.iter().all(|command| ALLOWED.contains(&command.as_str())), "{said:?}");
    assert!(said.contains("ping") && said.contains("subscribe"), "{said:?}");

    // The take-over: the Sentinels end, the fleet is told to act.
    let history = beside.history(&second);
    let switches = beside.world.switches();
    beside.sentinels.iter_mut().for_each(Sentinel::terminate);
    beside.roll("no");
    poll("the fleet has recorded the primary", || beside.world.agreed());
    assert_eq!(beside.world.settled(), second, "it stays");
    assert_eq!(beside.history(&second), history, "it was never anything else meanwhile");
    beside.world.switched(&switches, 0);
    assert!(beside.lease_epoch() > epoch, "{} after {epoch}", beside.lease_epoch());
    assert_eq!(beside.world.epoch(), beside.lease_epoch());
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
    let address = beside.world.kubelet.address(&third).unwrap();
    beside.start_sentinels(&address);
    beside.sentinels_know_all();
    let (same, theirs) = poll("all follow the Sentinels", || beside.followed());
    assert_eq!((same, theirs), (third.clone(), 0));
    assert_eq!(beside.world.epoch(), ahead, "epochs don't go back");
    let (_, theirs) = beside.fail_over_by_sentinels(&third);
    assert!(beside.world.epoch() > ahead && theirs < ahead, "{} {theirs}", beside.world.epoch());
    writer.goes_on();
}

#[test]
fn sentinels_that_an_operator_set_up_anew_are_followed() {
    let beside = Beside::new(true);
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
        assert_eq!(client.call(&["SENTINEL", "SET", GROUP, "down-after-milliseconds", "1000"]).text(), "OK");
    }
    let (now, theirs) = beside.followed_without(&second);
    assert_eq!((now.as_str(), theirs), (third, 0));
    assert!(beside.world.epoch() > epoch, "{} after {epoch}", beside.world.epoch());
    let said = beside.said_by_fleet();
    assert!(said.iter().all(|command| ALLOWED.contains(&command.as_str())), "{said:?}");
}
