//! Three data nodes in Pods behind a Service, and three daemons of one kind that watch them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::common::guide::{Asks, Listens};
use crate::common::{Events, Kind, Writer};
use crate::endpoints::{ByService, Endpoints};
use crate::k8s::container::PORT;
use crate::k8s::member;
use crate::support::hosts::Family;
use crate::support::sentinel::SentinelSpec;
use crate::support::{Sentinel, Value, poll};
use crate::world::{GROUP, Layout, REDIS, SERVICE, World};

/// How long a scene that looks whole is watched before the next round.
const SECOND_THOUGHTS: Duration = Duration::from_secs(1);
/// What is kept of the harness's own Redis, for its group's options to be appended to.
const OPTIONS: &str = "vedette.dev/down-after-milliseconds: '1000'";
/// The part of a Pod that says what its container is.
const CONTAINER: &str = "          ports: [{containerPort: 6379}]\n";

/// See the module.
pub(crate) struct Scene {
    // In the order in which they end.
    sentinels: Vec<Sentinel>,
    endpoints: Arc<Endpoints>,
    pub(crate) world: World,
    pub(crate) kind: Kind,
}

/// What differs from one scene to the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Script {
    /// `fast-down-after-milliseconds`; none without it.
    pub(crate) fast_down: Option<u64>,
    /// Whether Pods have the preStop hook that lets the role leave. Only where vedette watches.
    pub(crate) leave: bool,
    /// So many Pods can come in the place of others.
    pub(crate) spare: usize,
}

impl Scene {
    /// All of it, settled.
    pub(crate) fn start(kind: Kind, script: Script) -> Self {
        let mut objects = REDIS.to_owned();
        if let Some(ms) = script.fast_down {
            let more = format!("{OPTIONS}, vedette.dev/fast-down-after-milliseconds: '{ms}'");
            objects = objects.replace(OPTIONS, &more);
        }
        if script.leave && kind == Kind::Vedette {
            // Whichever member is asked; a cluster's Service chooses one of them.
            let hook = format!(
                "          lifecycle: {{preStop: {{exec: {{command: [/vedette/vedette, leave, {GROUP}, --within, '4', \
                 --vedettes, '10.77.0.2:{}']}}}}}}\n",
                member::PORT
            );
            objects = objects.replace(CONTAINER, &format!("{CONTAINER}{hook}"));
        }
        let layout = Layout {
            family: Family::V4,
            spare: script.spare,
            others: 0,
            objects,
            lines: &[],
            audited: kind == Kind::Vedette,
        };
        let mut world = World::unwatched(&layout);
        let mut sentinels = Vec::new();
        if kind == Kind::Vedette {
            world = world.launched();
        } else {
            let primary = world.give_roles(None);
            sentinels =
                (0..world.members.len()).map(|number| genuine(&world, kind, number, &primary)).collect();
        }
        let place = world.network.host(World::host_of_api());
        let endpoints = Arc::new(Endpoints::watch(&world.plane, place, &world.namespace));
        let scene = Self { sentinels, endpoints, world, kind };
        scene.settled();
        scene
    }

    /// The daemons.
    pub(crate) fn daemons(&self) -> Vec<SocketAddr> {
        if self.kind == Kind::Vedette {
            let members = self.world.members.iter();
            members.map(|one| SocketAddr::new(one.address().parse().unwrap(), member::PORT)).collect()
        } else {
            let sentinels = self.sentinels.iter();
            sentinels.map(|one| SocketAddr::new(one.host().parse().unwrap(), one.port())).collect()
        }
    }

    /// What the daemons publish.
    pub(crate) fn events(&self) -> Arc<Events> {
        Arc::new(Events::follow(Some(&self.world.client()), &self.daemons()))
    }

    /// A client of Sentinel's protocol.
    pub(crate) fn by_sentinel(&self, events: &Arc<Events>) -> Writer {
        Writer::start(Some(&self.world.client()), Listens::new(&self.daemons(), events))
    }

    /// A client of the same protocol that hears of nothing until its connection fails.
    pub(crate) fn stubborn(&self) -> Writer {
        Writer::start(Some(&self.world.client()), Asks::new(&self.daemons()))
    }

    /// A client of the Service; none where nobody leads it.
    pub(crate) fn by_service(&self) -> Option<Writer> {
        let guide = || ByService::new(&self.endpoints, SERVICE);
        (self.kind == Kind::Vedette).then(|| Writer::start(Some(&self.world.client()), guide()))
    }

    /// Where that Pod's Redis is.
    pub(crate) fn node(&self, pod: &str) -> SocketAddr {
        SocketAddr::new(self.world.kubelet.address(pod).unwrap().parse().unwrap(), PORT)
    }

    /// Makes the scene whole for the next round, where a genuine daemon leads with the harness's help; the primary's Pod.
    pub(crate) fn restore(&self) -> String {
        loop {
            let primary = self.settled();
            thread::sleep(SECOND_THOUGHTS);
            if self.agreed().as_ref() == Ok(&primary) {
                return primary;
            }
        }
    }

    /// Makes genuine daemons forget Pods that are gone.
    pub(crate) fn forget(&self) {
        for sentinel in &self.sentinels {
            sentinel.call(&["SENTINEL", "RESET", GROUP]);
        }
    }

    fn settled(&self) -> String {
        poll("the scene is whole", || self.agreed())
    }

    fn agreed(&self) -> Result<String, String> {
        if self.kind == Kind::Vedette {
            return self.world.agreed();
        }
        let pods = self.world.pods();
        if pods.len() < 3 {
            return Err(format!("only {} Pods", pods.len()));
        }
        let named: Vec<_> = self.sentinels.iter().map(|one| one.address(GROUP).map(|one| one.0)).collect();
        let Some((primary, ..)) = pods.iter().find(|(.., address)| named[0].as_ref() == Some(address)) else {
            return Err(format!("{named:?} is no Pod"));
        };
        if named.iter().any(|one| *one != named[0]) {
            return Err(format!("the daemons name {named:?}"));
        }
        if self.world.role(primary)? != "master" {
            return Err(format!("{primary} is no primary"));
        }
        self.world.give_roles(Some(primary));
        for sentinel in &self.sentinels {
            let rows = sentinel.rows("REPLICAS", GROUP);
            let known = |row: &std::collections::BTreeMap<String, String>| {
                row["flags"] == "slave" && row["role-reported"] == "slave" && !row["runid"].is_empty()
            };
            let others = sentinel.master_field(GROUP, "num-other-sentinels");
            if rows.len() != 2 || !rows.iter().all(known) || others != "2" {
                return Err(format!("{others} others know {rows:?}"));
            }
        }
        Ok(primary.clone())
    }
}

/// A genuine daemon on the host of a member.
fn genuine(world: &World, kind: Kind, number: usize, primary: &str) -> Sentinel {
    let host = world.network.host(World::host_of_member(number));
    let address = world.kubelet.address(primary).unwrap();
    Sentinel::start(&SentinelSpec {
        program: kind.program(),
        host: host.address().to_owned(),
        place: Some(host.clone()),
        lines: vec![
            format!("sentinel monitor {GROUP} {address} {PORT} 2"),
            format!("sentinel down-after-milliseconds {GROUP} 1000"),
            format!("sentinel failover-timeout {GROUP} 10000"),
        ],
        ..SentinelSpec::default()
    })
}

impl World {
    /// Makes that Pod, or else the first one, a primary and all others its replicas, as nobody else does it. The primary.
    fn give_roles(&self, primary: Option<&str>) -> String {
        let pods = poll("three Pods run", || {
            let pods = self.pods();
            let answer = |(pod, ..): &(String, String, String)| self.role(pod).is_ok();
            if pods.len() == 3 && pods.iter().all(answer) { Ok(pods) } else { Err(pods) }
        });
        let (primary, _, address) =
            pods.iter().find(|(pod, ..)| primary.is_none_or(|primary| primary == pod)).expect("that Pod");
        let tell = |pod: &str, host: &str, port: &str| {
            let told =
                self.kubelet.connect(pod).and_then(|mut node| node.command(&["REPLICAOF", host, port]));
            assert!(matches!(told, Ok(Value::Simple(_))), "{told:?}");
        };
        if self.role(primary).as_deref() != Ok("master") {
            tell(primary, "NO", "ONE");
        }
        let port = PORT.to_string();
        for (pod, ..) in pods.iter().filter(|(pod, ..)| pod != primary) {
            let follows = |role: &str| role.starts_with(&format!("slave of {address} "));
            if !self.role(pod).is_ok_and(|role| follows(&role)) {
                tell(pod, address, &port);
            }
        }
        for (pod, ..) in pods.iter().filter(|(pod, ..)| pod != primary) {
            poll("it follows", || match self.role(pod) {
                Ok(role) if role == format!("slave of {address} connected") => Ok(()),
                other => Err(other),
            });
        }
        primary.clone()
    }
}
