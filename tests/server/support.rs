//! A server on a thread of its own, and a client that compares bytes.

use std::cell::RefCell;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use vedette::config::general::UserLine;
use vedette::config::values::Values;
use vedette::config::{General, Identity};
use vedette::core::action::Level;
use vedette::core::ids::ClientId;
use vedette::resp::{Reply, encode_request};
use vedette::server::{Backend, Bound, Server, ServerConfig, ServerStats};

use crate::ports::Port;

/// How long anything may take before a test gives up. Nothing is judged by how long it took.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What the test asks of the server's thread.
enum Ask {
    Publish(String, String, mpsc::Sender<usize>),
    Stats(mpsc::Sender<ServerStats>),
    Reload(mpsc::Sender<Vec<String>>),
    AclLines(mpsc::Sender<Vec<String>>),
    /// Answer what `SENTINEL MASTERS` left waiting.
    Release,
    CloseAll,
    Stop,
}

/// A running server; it ends with this value.
pub(crate) struct Running {
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    asks: UnboundedSender<Ask>,
    thread: Option<JoinHandle<()>>,
}

/// A daemon that knows one group. SENTINEL MASTERS is answered only when the test says so.
struct Daemon {
    server: RefCell<Option<Server>>,
    waiting: RefCell<Vec<ClientId>>,
    log: Arc<Mutex<Vec<String>>>,
    asks: UnboundedSender<Ask>,
}

impl Daemon {
    fn reply(&self, client: ClientId, reply: Reply) {
        self.server.borrow().as_ref().unwrap().reply(client, reply);
    }
}

impl Backend for Daemon {
    fn command(&self, client: ClientId, args: Vec<Bytes>) {
        let words: Vec<String> = args.iter().map(|arg| String::from_utf8_lossy(arg).to_lowercase()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let reply = match words[..] {
            ["role"] => {
                Reply::Array(vec![Reply::bulk("sentinel"), Reply::Array(vec![Reply::bulk("mymaster")])])
            }
            ["publish", "__sentinel__:hello", _] => Reply::Int(1),
            ["publish", ..] => Reply::err("ERR Only HELLO messages are accepted by Sentinel instances."),
            ["sentinel", "get-master-addr-by-name", "mymaster"] => {
                Reply::Array(vec![Reply::bulk("127.0.0.1"), Reply::bulk("6379")])
            }
            ["sentinel", "get-master-addr-by-name", _] => Reply::NilArray,
            ["sentinel", "masters"] => {
                self.waiting.borrow_mut().push(client);
                return;
            }
            // A reply as large as the test likes.
            ["sentinel", "info-cache", size] => Reply::bulk(vec![b'x'; size.parse().unwrap()]),
            _ => Reply::error(format!("ERR not in this daemon: {words:?}")),
        };
        self.reply(client, reply);
    }

    fn info_sentinel(&self) -> String {
        "# Sentinel\r\nsentinel_masters:1\r\nsentinel_tilt:0\r\n".into()
    }

    fn shutdown(&self) {
        let _ = self.asks.send(Ask::Stop);
    }

    fn log(&self, level: Level, text: &str) {
        self.log.lock().unwrap().push(format!("{} {text}", level.name()));
    }
}

/// The defaults, on loopback alone.
pub(crate) fn general() -> General {
    let mut general = General::new(Values::default(), Path::new("/"), Vec::new(), Vec::new());
    general.bind = vec!["127.0.0.1".into()];
    general
}

pub(crate) fn config(general: General, identity: Identity) -> ServerConfig {
    ServerConfig { general, identity, config_file: "/etc/s.conf".into(), run_id: "ab".repeat(20) }
}

/// A `user` line.
pub(crate) fn user(words: &str) -> UserLine {
    UserLine { words: words.split(' ').map(Into::into).collect(), line: 1, text: words.into() }
}

/// A port that no other test takes until this process ends.
pub(crate) fn free_port() -> u16 {
    let port = Port::reserve();
    let number = port.number();
    std::mem::forget(port);
    number
}

impl Running {
    /// The defaults.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// The defaults but for what `change` does, under Redis 7.0's identity.
    pub(crate) fn with(change: impl Fn(&mut General)) -> Self {
        Self::identified(Identity::Redis70, change)
    }

    pub(crate) fn identified(identity: Identity, change: impl Fn(&mut General)) -> Self {
        let mut general = general();
        general.port = free_port();
        change(&mut general);
        let (port, tls_port) = (general.port, general.tls.port);
        match Server::bind(config(general, identity)) {
            Ok(bound) => Self::run(bound, port, tls_port),
            Err(error) => panic!("{:?}", error.log_lines()),
        }
    }

    fn run(bound: Bound, port: u16, tls_port: u16) -> Self {
        let (asks, inbox) = unbounded_channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (for_daemon, daemon_log) = (asks.clone(), Arc::clone(&log));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async move {
                let daemon = Rc::new(Daemon {
                    server: RefCell::new(None),
                    waiting: RefCell::new(Vec::new()),
                    log: daemon_log,
                    asks: for_daemon,
                });
                let server = bound.serve(Rc::clone(&daemon) as Rc<dyn Backend>).unwrap();
                *daemon.server.borrow_mut() = Some(server.clone());
                answer_asks(&server, &daemon, inbox).await;
                server.close_all();
                *daemon.server.borrow_mut() = None;
            });
        });
        Self { port, tls_port, log, asks, thread: Some(thread) }
    }

    fn ask<T>(&self, make: impl FnOnce(mpsc::Sender<T>) -> Ask) -> T {
        let (answer, answered) = mpsc::channel();
        self.asks.send(make(answer)).unwrap_or_else(|_| panic!("the server has ended"));
        answered.recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn publish(&self, channel: &str, payload: &str) -> usize {
        self.ask(|answer| Ask::Publish(channel.into(), payload.into(), answer))
    }

    pub(crate) fn stats(&self) -> ServerStats {
        self.ask(Ask::Stats)
    }

    pub(crate) fn reload(&self) -> Vec<String> {
        self.ask(Ask::Reload)
    }

    pub(crate) fn acl_lines(&self) -> Vec<String> {
        self.ask(Ask::AclLines)
    }

    pub(crate) fn release(&self) {
        self.asks.send(Ask::Release).unwrap_or_else(|_| panic!("the server has ended"));
    }

    pub(crate) fn close_all(&self) {
        self.asks.send(Ask::CloseAll).unwrap_or_else(|_| panic!("the server has ended"));
    }

    /// Waits for the server to end by itself.
    pub(crate) fn ended(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }

    /// Polls until `holds` says so.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&ServerStats) -> bool) {
        let start = Instant::now();
        while !holds(&self.stats()) {
            assert!(start.elapsed() < PATIENCE, "{what}: {:?}", self.stats());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.asks.send(Ask::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the server's thread panicked");
        }
    }
}

async fn answer_asks(server: &Server, daemon: &Daemon, mut inbox: UnboundedReceiver<Ask>) {
    while let Some(ask) = inbox.recv().await {
        match ask {
            Ask::Publish(channel, payload, answer) => {
                let _ = answer.send(server.publish(&channel, &payload));
            }
            Ask::Stats(answer) => {
                let _ = answer.send(server.stats());
            }
            Ask::Reload(answer) => {
                let _ = answer.send(server.reload());
            }
            Ask::AclLines(answer) => {
                let _ = answer.send(server.acl_lines());
            }
            Ask::Release => {
                for client in daemon.waiting.take() {
                    daemon.reply(client, Reply::bulk("late"));
                }
            }
            Ask::CloseAll => server.close_all(),
            Ask::Stop => return,
        }
    }
}

/// A client that compares bytes.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// What arrived and has not been looked at.
    unread: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends words as a multibulk request.
    pub(crate) fn command(&mut self, words: &[&str]) -> &mut Self {
        self.send(request(words))
    }

    /// Sends a command given as one text, split at blanks, and compares the reply.
    pub(crate) fn says(&mut self, command: &str, reply: &str) -> &mut Self {
        self.command(&command.split(' ').collect::<Vec<_>>()).expect(reply)
    }

    /// Compares what comes next; `\n` stands for CR LF.
    pub(crate) fn expect(&mut self, text: &str) -> &mut Self {
        let wanted = text.replace('\n', "\r\n");
        while self.unread.len() < wanted.len() && wanted.as_bytes().starts_with(&self.unread) {
            assert!(
                self.more(),
                "closed after {:?}, wanted {wanted:?}",
                String::from_utf8_lossy(&self.unread)
            );
        }
        let got = &self.unread[..wanted.len().min(self.unread.len())];
        assert_eq!(String::from_utf8_lossy(got), wanted);
        self.unread.drain(..wanted.len());
        self
    }

    /// The next line without its end.
    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.unread[..end]).into_owned();
                self.unread.drain(..end + 2);
                return line;
            }
            assert!(self.more(), "closed after {:?}", String::from_utf8_lossy(&self.unread));
        }
    }

    /// The next bulk string or verbatim text.
    pub(crate) fn bulk(&mut self) -> String {
        let header = self.line();
        let len: usize = header.trim_start_matches(['$', '=']).parse().unwrap_or_else(|_| panic!("{header}"));
        while self.unread.len() < len + 2 {
            assert!(self.more(), "closed within a bulk string");
        }
        let text = String::from_utf8_lossy(&self.unread[..len]).into_owned();
        self.unread.drain(..len + 2);
        text
    }

    /// Reads to the end of the connection, which must come, and returns what arrived.
    pub(crate) fn read_to_end(&mut self) -> String {
        while self.more() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned()
    }

    /// The connection ends without another byte.
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.read_to_end(), "");
    }

    /// Reads once; false at the end.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(read) => {
                self.unread.extend_from_slice(&buffer[..read]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}; unread {:?}", String::from_utf8_lossy(&self.unread)),
        }
    }

    /// Sends as much of endless repetitions of `bytes` as the server takes; returns whether it closed the connection.
    pub(crate) fn flood(&mut self, bytes: &[u8], most: usize) -> Flood {
        self.stream.set_nonblocking(true).unwrap();
        let block = bytes.repeat((64 * 1024 / bytes.len()).max(1));
        let (mut sent, mut stalled_at) = (0, Instant::now());
        let end = loop {
            if sent >= most {
                break FloodEnd::Taken;
            }
            match self.stream.write(&block[sent % block.len()..]) {
                Ok(more) => {
                    sent += more;
                    stalled_at = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if stalled_at.elapsed() > Duration::from_millis(500) {
                        break FloodEnd::Stalled;
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(_) => break FloodEnd::Closed,
            }
        };
        self.stream.set_nonblocking(false).unwrap();
        Flood { sent, end }
    }
}

/// How a flood went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    /// Bytes; for the message of a failed test.
    #[expect(dead_code, reason = "shown by Debug")]
    pub(crate) sent: usize,
    pub(crate) end: FloodEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloodEnd {
    /// Everything was taken.
    Taken,
    /// The server does not read on.
    Stalled,
    /// The server closed the connection.
    Closed,
}

/// A multibulk request.
pub(crate) fn request(words: &[&str]) -> BytesMut {
    let words: Vec<Bytes> = words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
    let mut out = BytesMut::new();
    encode_request(&words, &mut out);
    out
}
