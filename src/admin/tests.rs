use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use prometheus::Registry;
use tokio::sync::mpsc;

use super::*;
use crate::core::view::View;
use crate::metrics::{Metrics, Snapshot};
use crate::runtime::FrontStats;

/// The admin port in front of a loop that this thread plays.
struct Port {
    addr: SocketAddr,
    asked: mpsc::Receiver<Query>,
}

fn open() -> Port {
    let bound = Bound::open("127.0.0.1:0").unwrap();
    let addr = bound.addr();
    let (ask, asked) = mpsc::channel(WAITING);
    let state = routes::State::new(ask, Metrics::new(Registry::new()).unwrap().exposition());
    std::thread::spawn(move || listener::serve(bound.listener, routes::router(state)));
    Port { addr, asked }
}

impl Port {
    fn get(&self, target: &str) -> std::thread::JoinHandle<(u16, String)> {
        let (addr, request) =
            (self.addr, format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(addr).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            let status = text.split(' ').nth(1).unwrap().parse().unwrap();
            (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
        })
    }

    fn answer(&mut self, ready: bool) {
        match self.asked.blocking_recv().unwrap() {
            Query::Live(answer) => answer.send(()).unwrap(),
            Query::Snapshot(answer) => answer.send(Box::new(snapshot(ready))).unwrap(),
        }
    }

    fn exchange(&mut self, target: &str, ready: bool) -> (u16, String) {
        let getting = self.get(target);
        self.answer(ready);
        getting.join().unwrap()
    }
}

fn snapshot(ready: bool) -> Snapshot {
    Snapshot {
        view: View {
            my_id: "0123".to_owned(),
            current_epoch: 4,
            tilt: false,
            tilt_since_ms: None,
            running_scripts: 0,
            queued_scripts: 0,
            next_deadline_in_ms: Some(5),
            next_deadline_why: Some("ping"),
            groups: vec![],
        },
        simulate_failure_flags: 0,
        front: FrontStats::default(),
        ready,
    }
}

#[test]
fn each_path_answers_for_itself() {
    let mut port = open();
    assert_eq!(port.exchange("/live", false), (200, "live\n".to_owned()));
    assert_eq!(port.exchange("/ready", true), (200, "ready\n".to_owned()));
    assert_eq!(port.exchange("/ready", false), (503, "the state is not saved yet\n".to_owned()));
    let (status, metrics) = port.exchange("/metrics", true);
    assert_eq!(status, 200);
    assert!(metrics.contains("\nredis_sentinel_masters 0\n"), "{metrics}");
    let (status, state) = port.exchange("/state", true);
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    assert_eq!(
        (status, state["my_id"].as_str(), state["next_deadline_why"].as_str()),
        (200, Some("0123"), Some("ping"))
    );
    assert_eq!(port.get("/nothing").join().unwrap().0, 404);
}

#[test]
fn a_loop_that_hangs_is_reported_as_such() {
    let port = open();
    let all: Vec<_> = ["/live", "/ready", "/metrics", "/state"].map(|target| port.get(target)).into();
    for getting in all {
        assert_eq!(getting.join().unwrap(), (503, "the loop does not answer\n".to_owned()));
    }
}

#[test]
fn many_idle_connections_do_not_cost_more_than_their_share() {
    let mut port = open();
    // More than are served at a time: they wait, and when they go the next one is answered.
    let idle: Vec<_> = (0..100).map(|_| TcpStream::connect(port.addr).unwrap()).collect();
    let getting = port.get("/live");
    drop(idle);
    port.answer(true);
    assert_eq!(getting.join().unwrap().0, 200);
}

#[test]
fn a_port_in_use_is_named() {
    let first = Bound::open("127.0.0.1:0").unwrap();
    let error = Bound::open(&first.addr().to_string()).unwrap_err().to_string();
    assert!(error.contains(&first.addr().to_string()) && error.contains("Address already in use"), "{error}");
}
