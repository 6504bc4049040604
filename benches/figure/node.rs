//! Data nodes that answer as Redis does as far as a Sentinel asks, and note when PINGs come.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::stats::Sample;
use crate::support::{Port, Value};

/// The clock of one node's PINGs.
#[derive(Debug, Default)]
struct Pings {
    /// When the last PONG was sent.
    pong_at: Option<Instant>,
    /// Gaps between a PONG and the next PING that ended after this are noted.
    note_from: Option<Instant>,
    gaps: Vec<Duration>,
}

#[derive(Debug)]
struct FakeNode {
    port: Port,
    pings: Arc<Mutex<Pings>>,
}

/// One primary and its replicas. Their threads end with the process.
#[derive(Debug)]
pub(crate) struct FakeNodes(Vec<FakeNode>);

impl FakeNodes {
    /// Starts so many nodes, the first being the primary.
    pub(crate) fn start(count: usize) -> Self {
        let nodes: Vec<FakeNode> =
            (0..count).map(|_| FakeNode { port: Port::reserve(), pings: Arc::default() }).collect();
        let ports: Vec<u16> = nodes.iter().map(|node| node.port.number()).collect();
        for node in &nodes {
            let listener = TcpListener::bind(("127.0.0.1", node.port.number())).unwrap();
            let (info, pings) = (Arc::new(info(&ports, node.port.number())), Arc::clone(&node.pings));
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let (info, pings) = (Arc::clone(&info), Arc::clone(&pings));
                    // A connection that ends is the daemon's business.
                    thread::spawn(move || stream.and_then(|stream| serve(stream, &info, &pings)));
                }
            });
        }
        Self(nodes)
    }

    /// The primary's port.
    pub(crate) fn primary(&self) -> u16 {
        self.0[0].port.number()
    }

    /// Whether every node was asked at least once.
    pub(crate) fn all_pinged(&self) -> bool {
        self.0.iter().all(|node| node.pings.lock().unwrap().pong_at.is_some())
    }

    /// Forgets what came before and notes from here on.
    pub(crate) fn note_from(&self, begin: Instant) {
        for node in &self.0 {
            let mut pings = node.pings.lock().unwrap();
            pings.gaps.clear();
            pings.note_from = Some(begin);
        }
    }

    /// How much later than `period` after the last PONG each PING came; one that has not come by `end` is at least so
    /// late.
    pub(crate) fn lateness(&self, period: Duration, end: Instant) -> Sample {
        let mut sample = Sample::default();
        for node in &self.0 {
            let pings = node.pings.lock().unwrap();
            pings.gaps.iter().for_each(|gap| sample.add(gap.saturating_sub(period)));
            let open = pings.pong_at.map_or(Duration::ZERO, |pong| end.saturating_duration_since(pong));
            if open > period {
                sample.add_open(open - period);
            }
        }
        sample
    }
}

fn info(ports: &[u16], own: u16) -> String {
    let run_id = format!("{own:040x}");
    let mut text = format!("# Server\r\nredis_version:7.0.15\r\nrun_id:{run_id}\r\n# Replication\r\n");
    if own == ports[0] {
        text += &format!("role:master\r\nconnected_slaves:{}\r\n", ports.len() - 1);
        for (index, port) in ports[1..].iter().enumerate() {
            text += &format!("slave{index}:ip=127.0.0.1,port={port},state=online,offset=100,lag=0\r\n");
        }
    } else {
        text += &format!(
            "role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:{}\r\nmaster_link_status:up\r\n\
             master_last_io_seconds_ago:0\r\nslave_repl_offset:100\r\nslave_priority:100\r\n\
             replica_announced:1\r\n",
            ports[0]
        );
    }
    text
}

fn serve(stream: TcpStream, info: &str, pings: &Mutex<Pings>) -> io::Result<()> {
    let mut client = crate::support::Client::over(stream)?;
    loop {
        // A request is an array of texts like a reply.
        let Value::Array(words) = client.read()? else { return Ok(()) };
        let words: Vec<String> = words.iter().map(|word| word.text().to_ascii_uppercase()).collect();
        let came_at = Instant::now();
        match words[0].as_str() {
            "PING" => {
                let mut pings = pings.lock().unwrap();
                let gap = pings.pong_at.map(|pong| came_at - pong);
                let noted = pings.note_from.is_some_and(|from| came_at >= from);
                pings.gaps.extend(gap.filter(|_| noted));
                client.send_bytes(b"+PONG\r\n")?;
                pings.pong_at = Some(Instant::now());
            }
            "INFO" => client.send_bytes(format!("${}\r\n{info}\r\n", info.len()).as_bytes())?,
            "SUBSCRIBE" => {
                client.send_bytes(b"*3\r\n$9\r\nsubscribe\r\n$18\r\n__sentinel__:hello\r\n:1\r\n")?;
            }
            "PUBLISH" => client.send_bytes(b":1\r\n")?,
            _ => client.send_bytes(b"+OK\r\n")?,
        }
    }
}
