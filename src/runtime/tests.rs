//! The real engine, real links, a real disk and real data nodes; only the clients' side is played.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use prometheus::Registry;
use tokio::task::LocalSet;

use super::*;
use crate::core::action::{Event, Level};
use crate::core::ids::{ClientId, GroupName};
use crate::core::settings::{GroupSettings, HostPort};
use crate::core::{Engine, Node, Settings};
use crate::link::LinkConfig;
use crate::metrics::Metrics;
use crate::resp::Reply;

struct Redis {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Redis {
    fn start(primary: Option<u16>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1", "--dir"]);
        command.arg(dir.path()).stdout(Stdio::null());
        if let Some(primary) = primary {
            command.args(["--replicaof", &format!("127.0.0.1 {primary}")]);
        }
        let child = command.spawn().unwrap();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            std::thread::yield_now();
        }
        Self { child, port, _dir: dir }
    }
}

impl Redis {
    /// Wait until a replica is attached, so that the first INFO shows it.
    fn until_replicated(&self) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let mut text = String::new();
        while !text.contains("state=online") {
            stream.write_all(b"INFO replication\r\n").unwrap();
            let mut bytes = vec![0; 4096];
            let count = stream.read(&mut bytes).unwrap();
            text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Log and clients.
#[derive(Default)]
pub(super) struct World {
    events: RefCell<Vec<String>>,
    replies: RefCell<Vec<(ClientId, Reply)>>,
    saved: RefCell<Vec<Settings>>,
    lines: RefCell<Vec<String>>,
    gate: Gate,
}

/// Whether the disk answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gate {
    #[default]
    Open,
    Shut,
}

/// A driver without groups, and what it says.
pub(super) fn idle_driver(gate: Gate) -> (Rc<Driver>, Rc<World>) {
    let world = Rc::new(World { gate, ..World::default() });
    (driver(Settings::default(), &world), world)
}

fn driver(settings: Settings, world: &Rc<World>) -> Rc<Driver> {
    let engine = Engine::new(settings, Node::default(), random::seed(), Level::Notice, clock::Clock.now());
    let driver = Driver::new(Parts {
        core: Box::new(engine),
        journal: world.clone(),
        saver: world.clone(),
        links: LinkConfig::default(),
        metrics: Metrics::new(Registry::new()).unwrap(),
    });
    driver.attach(world.clone());
    driver
}

impl Front for World {
    fn reply(&self, client: ClientId, reply: Reply) {
        self.replies.borrow_mut().push((client, reply));
    }

    fn publish(&self, _channel: &str, _payload: &str) -> usize {
        0
    }

    fn stats(&self) -> FrontStats {
        FrontStats::default()
    }

    fn reload(&self) -> Vec<String> {
        vec![]
    }

    fn close_all(&self) {}
}

impl Journal for World {
    fn event(&self, event: &Event) {
        self.events.borrow_mut().push(format!("{} {}", event.name, event.payload));
    }

    fn line(&self, _level: Level, _group: Option<&GroupName>, text: &str) {
        self.lines.borrow_mut().push(text.to_owned());
    }

    fn signal(&self, text: &str) {
        self.lines.borrow_mut().push(text.to_owned());
    }

    fn set_level(&self, _level: Level) {}
}

impl Saver for World {
    fn save(&self, settings: Settings) -> Saving {
        self.saved.borrow_mut().push(settings);
        let gate = self.gate;
        Box::pin(async move {
            if gate == Gate::Shut {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }
}

impl World {
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    async fn until(&self, event: &str) {
        while !self.events.borrow().iter().any(|seen| seen.starts_with(event)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[test]
fn the_engine_fails_real_data_nodes_over() {
    let mut primary = Redis::start(None);
    let replica = Redis::start(Some(primary.port));
    primary.until_replicated();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let world = Rc::new(World::default());
        let at = HostPort { host: "127.0.0.1".to_owned(), port: primary.port };
        let mut group = GroupSettings::new("m".into(), at, 1);
        group.down_after = Duration::from_millis(600);
        let settings = Settings { groups: vec![group], ..Settings::default() };
        let driver = driver(settings, &world);
        driver.start();
        world.until("+monitor master m").await;
        world.until(&format!("+slave slave 127.0.0.1:{}", replica.port)).await;
        primary.child.kill().unwrap();
        world.until("+sdown master m").await;
        let switch = format!("+switch-master m 127.0.0.1 {} 127.0.0.1 {}", primary.port, replica.port);
        world.until(&switch).await;
        let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m"].map(Bytes::from).to_vec();
        driver.command(ClientId(1), ask);
        let port = replica.port.to_string();
        let address = Reply::Array(vec![Reply::bulk("127.0.0.1"), Reply::bulk(port.clone())]);
        assert_eq!(*world.replies.borrow(), [(ClientId(1), address)]);
        // The new state reached the disk, and the figures tell the story.
        while driver.saving() {
            tokio::task::yield_now().await;
        }
        let saved = world.saved.borrow().last().unwrap().clone();
        assert_eq!(saved.groups[0].primary.port, replica.port);
        let text = driver.metrics().exposition().text(&driver.snapshot(), false).unwrap();
        for line in [
            "vedette_failovers_total{reason=\"down\",result=\"switched\"} 1".to_owned(),
            "vedette_votes_total 1".to_owned(),
            "vedette_events_total{event=\"+switch-master\"} 1".to_owned(),
            "vedette_failover_phase_seconds_count{phase=\"promote\"} 1".to_owned(),
            format!(
                "redis_sentinel_master_slaves{{master_address=\"127.0.0.1:{port}\",master_name=\"m\"}} 1"
            ),
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
    });
}
