//! The listener of a node and its connections.

use std::net::SocketAddrV4;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::node::{FakeGroup, FakeRole, Order, State, bulk};
use super::request;

const OK: &[u8] = b"+OK\r\n";

/// Takes connections for as long as the node is up, and again when it is back.
pub(super) async fn listen(group: Arc<FakeGroup>, node: usize, listener: TcpListener) {
    let mut state = group.state(node);
    let mut listener = Some(listener);
    loop {
        let now = *state.borrow_and_update();
        match (now, &listener) {
            (State::Down, _) => listener = None,
            (State::Up, None) => listener = Some(TcpListener::bind(group.address(node)).await.unwrap()),
            _ => {}
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            accepted = accept(listener.as_ref()), if listener.is_some() && now == State::Up => {
                if let Ok(stream) = accepted {
                    tokio::spawn(serve(Arc::clone(&group), node, stream));
                }
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> std::io::Result<TcpStream> {
    match listener {
        Some(listener) => Ok(listener.accept().await?.0),
        None => std::future::pending().await,
    }
}

/// One client.
struct Session {
    group: Arc<FakeGroup>,
    node: usize,
    number: u64,
    /// The commands between MULTI and EXEC.
    queued: Option<Vec<Vec<String>>>,
}

async fn serve(group: Arc<FakeGroup>, node: usize, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut state = group.state(node);
    let (number, mut orders) = group.connect(node);
    let mut session = Session { group: Arc::clone(&group), node, number, queued: None };
    let (mut buffer, mut out) = (Vec::with_capacity(256), Vec::new());
    'connection: while up(&mut state).await {
        tokio::select! {
            biased;
            _ = state.changed() => {}
            order = orders.recv() => match order {
                Some(Order::Send(bytes)) => if stream.write_all(&bytes).await.is_err() { break },
                Some(Order::Close) | None => break,
            },
            read = stream.read_buf(&mut buffer) => {
                if !matches!(read, Ok(1..)) {
                    break;
                }
                loop {
                    match request::parse(&buffer) {
                        Ok(None) => break,
                        Err(()) => break 'connection,
                        Ok(Some((words, length))) => {
                            buffer.drain(..length);
                            session.command(words, &mut out);
                        }
                    }
                }
                if stream.write_all(&out).await.is_err() {
                    break;
                }
                out.clear();
            }
        }
    }
    group.disconnect(node, number);
}

/// Waits while the node is frozen; whether it is up.
async fn up(state: &mut watch::Receiver<State>) -> bool {
    state.wait_for(|state| *state != State::Frozen).await.is_ok_and(|state| *state == State::Up)
}

impl Session {
    fn command(&mut self, words: Vec<String>, out: &mut Vec<u8>) {
        let Some(name) = words.first().map(|word| word.to_ascii_uppercase()) else { return };
        match (name.as_str(), self.queued.take()) {
            ("MULTI", None) => {
                self.queued = Some(Vec::new());
                out.extend_from_slice(OK);
            }
            ("EXEC", Some(queued)) => {
                out.extend_from_slice(format!("*{}\r\n", queued.len()).as_bytes());
                queued.iter().for_each(|words| self.run(words, out));
            }
            ("DISCARD", Some(_)) => out.extend_from_slice(OK),
            (_, Some(mut queued)) => {
                queued.push(words);
                self.queued = Some(queued);
                out.extend_from_slice(b"+QUEUED\r\n");
            }
            (_, None) => self.run(&words, out),
        }
    }

    fn run(&self, words: &[String], out: &mut Vec<u8>) {
        let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
        let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
        match upper.as_slice() {
            ["PING"] => out.extend_from_slice(b"+PONG\r\n"),
            ["INFO", ..] => out.extend_from_slice(bulk(&self.group.info(self.node)).as_bytes()),
            ["ROLE"] => out.extend_from_slice(&self.group.role_reply(self.node)),
            ["SUBSCRIBE", channels @ ..] => {
                self.group.subscribe(self.node, self.number);
                for (place, _) in channels.iter().enumerate() {
                    let channel = bulk(&words[place + 1]);
                    let text = format!("*3\r\n$9\r\nsubscribe\r\n{channel}:{}\r\n", place + 1);
                    out.extend_from_slice(text.as_bytes());
                }
            }
            ["PUBLISH", _, _] => {
                let message = format!("*3\r\n$7\r\nmessage\r\n{}{}", bulk(&words[1]), bulk(&words[2]));
                let receivers = self.group.publish(self.node, message.as_bytes());
                out.extend_from_slice(format!(":{receivers}\r\n").as_bytes());
            }
            ["SLAVEOF" | "REPLICAOF", "NO", "ONE"] => {
                self.group.follow(self.node, FakeRole::Primary);
                out.extend_from_slice(OK);
            }
            ["SLAVEOF" | "REPLICAOF", ip, port] => match (ip.parse(), port.parse()) {
                (Ok(ip), Ok(port)) => {
                    self.group.follow(self.node, FakeRole::Replica(SocketAddrV4::new(ip, port)));
                    out.extend_from_slice(OK);
                }
                _ => out.extend_from_slice(b"-ERR Invalid master port\r\n"),
            },
            ["CLIENT", "KILL", "TYPE", kind @ ("NORMAL" | "PUBSUB"), ..] => {
                let killed = self.group.kill(self.node, self.number, *kind == "PUBSUB");
                out.extend_from_slice(format!(":{killed}\r\n").as_bytes());
            }
            ["CLIENT", "SETNAME", _] => {
                self.group.rename(self.node, self.number, &words[2]);
                out.extend_from_slice(OK);
            }
            ["CLIENT", "LIST"] => {
                out.extend_from_slice(bulk(&self.group.clients(self.node)).as_bytes());
            }
            ["CLIENT", "KILL", "ID", number] => {
                let killed = number.parse().is_ok_and(|number| self.group.kill_one(self.node, number));
                out.extend_from_slice(format!(":{}\r\n", u8::from(killed)).as_bytes());
            }
            ["CLIENT" | "CONFIG" | "AUTH", ..] => out.extend_from_slice(OK),
            ["SCRIPT", "KILL"] => out.extend_from_slice(b"-NOTBUSY No scripts in execution right now.\r\n"),
            _ => {
                let text = format!("-ERR unknown command '{}'\r\n", words[0]);
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}
