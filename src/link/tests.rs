use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use prometheus::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::*;
use crate::metrics::Metrics;
use crate::resp::Reply;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn links(config: LinkConfig) -> (Links, mpsc::UnboundedReceiver<Input>) {
    let (tx, rx) = mpsc::unbounded_channel();
    let metrics = Metrics::new(Registry::new()).unwrap();
    (Links::new(config, metrics.links, Rc::new(move |input| drop(tx.send(input)))), rx)
}

async fn local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

fn args(words: &[&str]) -> Vec<Bytes> {
    words.iter().map(|word| Bytes::from((*word).to_owned())).collect()
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn requests_queued_while_connecting_go_out_and_replies_come_in_order() {
    local(async {
        let (listener, port) = listener().await;
        let (links, mut news) = links(LinkConfig::default());
        links.connect(ConnId(1), LOCAL, port, LinkRole::DataCommand);
        links.send(ConnId(1), &args(&["PING"]));
        links.send(ConnId(1), &args(&["SUBSCRIBE", "x"]));
        let (mut node, _) = listener.accept().await.unwrap();
        let mut got = vec![0; 14 + 26];
        node.read_exact(&mut got).await.unwrap();
        assert_eq!(got, b"*1\r\n$4\r\nPING\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nx\r\n");
        node.write_all(b"+PONG\r\n*2\r\n$1\r\n").await.unwrap();
        assert_eq!(news.recv().await, Some(Input::Connected { conn: ConnId(1), local: LOCAL }));
        assert_eq!(
            news.recv().await,
            Some(Input::Frame { conn: ConnId(1), reply: Reply::Simple("PONG".into()) })
        );
        node.write_all(b"a\r\n:7\r\n").await.unwrap();
        let parts = Reply::Array(vec![Reply::bulk("a"), Reply::Int(7)]);
        assert_eq!(news.recv().await, Some(Input::Frame { conn: ConnId(1), reply: parts }));
        drop(node);
        let error = "Server closed the connection".to_owned();
        let end = Input::Disconnected { conn: ConnId(1), error, refused: false };
        assert_eq!(news.recv().await, Some(end));
        assert!(links.is_empty());
        links.send(ConnId(1), &args(&["PING"]));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_told_of_a_closed_connection() {
    local(async {
        let (listener, port) = listener().await;
        let (tx, mut rx) = mpsc::unbounded_channel();
        let cell: Rc<RefCell<Option<Links>>> = Rc::default();
        let (handle, frames) = (cell.clone(), Rc::new(Cell::new(0)));
        let counted = frames.clone();
        let metrics = Metrics::new(Registry::new()).unwrap();
        let links = Links::new(
            LinkConfig::default(),
            metrics.links,
            Rc::new(move |input| {
                if let Input::Frame { conn, .. } = input {
                    counted.set(counted.get() + 1);
                    // From inside the delivery, with more frames of the same read still to come.
                    handle.borrow().as_ref().unwrap().close(conn);
                }
                drop(tx.send(input));
            }),
        );
        *cell.borrow_mut() = Some(links.clone());
        links.connect(ConnId(1), LOCAL, port, LinkRole::Peer);
        let (mut node, _) = listener.accept().await.unwrap();
        node.write_all(b"+1\r\n+2\r\n+3\r\n").await.unwrap();
        // The connection is really closed.
        assert_eq!(node.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(frames.get(), 1);
        assert!(links.is_empty());
        assert!(matches!(rx.recv().await, Some(Input::Connected { .. })));
        assert!(matches!(rx.recv().await, Some(Input::Frame { .. })));
        assert!(rx.try_recv().is_err());

        // While connecting, and while a request waits.
        links.connect(ConnId(2), LOCAL, port, LinkRole::Peer);
        links.send(ConnId(2), &args(&["PING"]));
        links.close(ConnId(2));
        links.connect(ConnId(3), LOCAL, port, LinkRole::Peer);
        assert!(matches!(rx.recv().await, Some(Input::Connected { conn: ConnId(3), .. })));
        cell.borrow_mut().take();
    })
    .await;
}

#[tokio::test]
async fn failures_are_told_once_in_the_systems_words() {
    local(async {
        let (listener, port) = listener().await;
        drop(listener);
        let (links, mut news) = links(LinkConfig::default());
        links.connect(ConnId(1), LOCAL, port, LinkRole::Peer);
        let error = "Connection refused".to_owned();
        let end = Input::Disconnected { conn: ConnId(1), error, refused: true };
        assert_eq!(news.recv().await, Some(end));
        assert!(news.try_recv().is_err());
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_never_accepts_tls_or_garbage_ends_the_connection() {
    local(async {
        let (listener, port) = listener().await;
        let (links, mut news) = links(LinkConfig::default());
        links.connect(ConnId(1), LOCAL, port, LinkRole::Peer);
        let (mut node, _) = listener.accept().await.unwrap();
        node.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        assert!(matches!(news.recv().await, Some(Input::Connected { .. })));
        assert!(matches!(news.recv().await, Some(Input::Disconnected { .. })));
        assert_eq!(node.read(&mut [0; 8]).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn requests_that_the_other_side_does_not_read_are_bounded() {
    local(async {
        let (listener, port) = listener().await;
        let (links, mut news) = links(LinkConfig { send_limit: 10_000, ..LinkConfig::default() });
        links.connect(ConnId(1), LOCAL, port, LinkRole::Peer);
        let (_node, _) = listener.accept().await.unwrap();
        assert!(matches!(news.recv().await, Some(Input::Connected { .. })));
        let long = "x".repeat(4000);
        // The system's own buffers take some megabytes first.
        let error = loop {
            links.send(ConnId(1), &args(&["PUBLISH", "c", &long]));
            tokio::task::yield_now().await;
            if let Ok(input) = news.try_recv() {
                break input;
            }
        };
        let expected = "too many unsent requests".to_owned();
        assert_eq!(error, Input::Disconnected { conn: ConnId(1), error: expected, refused: false });
    })
    .await;
}

#[tokio::test]
async fn the_source_address_is_used() {
    local(async {
        let (listener, port) = listener().await;
        let source: IpAddr = "127.0.0.77".parse().unwrap();
        let (links, mut news) = links(LinkConfig { source: Some(source), ..LinkConfig::default() });
        links.connect(ConnId(1), LOCAL, port, LinkRole::Peer);
        let (_node, from) = listener.accept().await.unwrap();
        assert_eq!(from.ip(), source);
        assert_eq!(news.recv().await, Some(Input::Connected { conn: ConnId(1), local: source }));
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_not_answered_ends_by_the_limit() {
    local(async {
        // A listener whose queue is full: the system answers no further SYN.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(LOCAL, 0)).unwrap();
        let listener = socket.listen(1).unwrap();
        let addr = listener.local_addr().unwrap();
        let mut held = Vec::new();
        for _ in 0..64 {
            let connect = tokio::net::TcpStream::connect(addr);
            match tokio::time::timeout(Duration::from_millis(100), connect).await {
                Ok(stream) => held.push(stream.unwrap()),
                Err(_) => break,
            }
        }
        let limit = Duration::from_millis(50);
        let (links, mut news) = links(LinkConfig { connect_limit: limit, ..LinkConfig::default() });
        links.connect(ConnId(1), LOCAL, addr.port(), LinkRole::Peer);
        let error = "Connection timed out".to_owned();
        let end = Input::Disconnected { conn: ConnId(1), error, refused: false };
        assert_eq!(news.recv().await, Some(end));
    })
    .await;
}

#[test]
fn the_gauges_follow_the_connections() {
    let registry = Registry::new();
    let metrics = Metrics::new(registry.clone()).unwrap();
    let value = move |state: &str| {
        let families = registry.gather();
        let links = families.iter().find(|family| family.name() == "vedette_links").unwrap();
        let sum: f64 = links
            .get_metric()
            .iter()
            .filter(|metric| metric.get_label().iter().any(|label| label.value() == state))
            .map(|metric| metric.get_gauge().get_value())
            .sum();
        sum as i64
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(local(async move {
        let (listener, port) = listener().await;
        let (tx, mut news) = mpsc::unbounded_channel();
        let links =
            Links::new(LinkConfig::default(), metrics.links, Rc::new(move |input| drop(tx.send(input))));
        for n in 0..3 {
            links.connect(ConnId(n), LOCAL, port, LinkRole::DataPubSub);
        }
        assert_eq!((value("connecting"), value("connected")), (3, 0));
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(listener.accept().await.unwrap());
            assert!(matches!(news.recv().await, Some(Input::Connected { .. })));
        }
        assert_eq!((value("connecting"), value("connected")), (0, 3));
        links.close(ConnId(0));
        assert_eq!((value("connecting"), value("connected")), (0, 2));
        held.clear();
        assert!(matches!(news.recv().await, Some(Input::Disconnected { .. })));
        assert!(matches!(news.recv().await, Some(Input::Disconnected { .. })));
        assert_eq!((value("connecting"), value("connected")), (0, 0));
    }));
}

/// A data node on a free port, ended with the test.
struct Redis {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Redis {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(options: &[String]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = {
            let probe = std::net::TcpListener::bind((LOCAL, 0)).unwrap();
            probe.local_addr().unwrap().port()
        };
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1", "--dir"])
            .arg(dir.path())
            .args(options)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while std::net::TcpStream::connect((LOCAL, port)).is_err() {
            std::thread::yield_now();
        }
        Self { child, port, _dir: dir }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_real_data_node_is_asked_and_subscribed_to() {
    local(async {
        let mut redis = Redis::start();
        let (links, mut news) = links(LinkConfig::default());
        links.connect(ConnId(1), LOCAL, redis.port, LinkRole::DataCommand);
        links.connect(ConnId(2), LOCAL, redis.port, LinkRole::DataPubSub);
        links.send(ConnId(2), &args(&["SUBSCRIBE", "__sentinel__:hello"]));
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.push(news.recv().await.unwrap());
        }
        links.send(ConnId(1), &args(&["INFO"]));
        links.send(ConnId(1), &args(&["PUBLISH", "__sentinel__:hello", "a b"]));
        let (mut info, mut message, mut count) = (None, None, None);
        while info.is_none() || message.is_none() || count.is_none() {
            match news.recv().await.unwrap() {
                Input::Frame { conn: ConnId(1), reply: Reply::Bulk(text) } => info = Some(text),
                Input::Frame { conn: ConnId(1), reply } => count = Some(reply),
                Input::Frame { conn: ConnId(2), reply } => message = Some(reply),
                other => panic!("{other:?}"),
            }
        }
        assert!(String::from_utf8(info.unwrap().to_vec()).unwrap().contains("run_id:"));
        assert_eq!(count, Some(Reply::Int(1)));
        let words = ["message", "__sentinel__:hello", "a b"];
        assert_eq!(message, Some(Reply::Array(words.map(Reply::bulk).to_vec())));
        redis.child.kill().unwrap();
        for _ in 0..2 {
            assert!(matches!(news.recv().await, Some(Input::Disconnected { .. })));
        }
    })
    .await;
}

#[tokio::test]
async fn a_real_data_node_is_asked_over_tls_with_certificates_of_both_versions() {
    let made = tls::tests::Certificates::make();
    for (name, protocols) in [("v1", "TLSv1.2"), ("v1", "TLSv1.3"), ("v3", "TLSv1.2"), ("v3", "TLSv1.3")] {
        local(async {
            let file = |suffix: &str| made.path(&format!("{name}.{suffix}")).display().to_string();
            let tls_port = std::net::TcpListener::bind((LOCAL, 0)).unwrap().local_addr().unwrap().port();
            let options = [
                ("--tls-port", tls_port.to_string()),
                ("--tls-cert-file", file("crt")),
                ("--tls-key-file", file("key")),
                ("--tls-ca-cert-file", made.path("ca.crt").display().to_string()),
                ("--tls-protocols", protocols.to_owned()),
            ];
            let options: Vec<String> =
                options.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect();
            let redis = Redis::start_with(&options);
            let tls = tls::client_config(&made.files(Some(name), "")).unwrap();
            let (links, mut news) = links(LinkConfig { tls: Some(tls), ..LinkConfig::default() });
            links.connect(ConnId(1), LOCAL, tls_port, LinkRole::DataCommand);
            links.send(ConnId(1), &args(&["INFO", "server"]));
            assert_eq!(news.recv().await, Some(Input::Connected { conn: ConnId(1), local: LOCAL }));
            let Some(Input::Frame { reply: Reply::Bulk(text), .. }) = news.recv().await else { panic!() };
            assert!(String::from_utf8(text.to_vec()).unwrap().contains(&format!("tcp_port:{}", redis.port)));
            // Without a certificate the data node ends it.
            let tls = tls::client_config(&made.files(None, "")).unwrap();
            links.set_tls(Some(tls.clone()));
            links.connect(ConnId(2), LOCAL, tls_port, LinkRole::DataCommand);
            loop {
                match news.recv().await.unwrap() {
                    Input::Disconnected { conn, .. } => break assert_eq!(conn, ConnId(2)),
                    Input::Connected { conn, .. } => assert_eq!(conn, ConnId(2)),
                    other => panic!("{other:?}"),
                }
            }
            // A plain port never answers the handshake.
            let limit = Duration::from_millis(200);
            let config = LinkConfig { tls: Some(tls), connect_limit: limit, ..LinkConfig::default() };
            let (links, mut news) = self::links(config);
            links.connect(ConnId(3), LOCAL, redis.port, LinkRole::DataCommand);
            assert!(matches!(news.recv().await, Some(Input::Disconnected { conn: ConnId(3), .. })));
        })
        .await;
    }
}

#[tokio::test]
async fn many_at_once_wait_and_tell_so() {
    const MANY: u64 = 40;
    local(async {
        let (listener, port) = listener().await;
        let (links, mut news) = links(LinkConfig::default());
        (0..MANY).for_each(|n| links.connect(ConnId(n), LOCAL, port, LinkRole::DataCommand));
        let mut waiting = Vec::new();
        while let Ok(Input::Waiting { conn }) = news.try_recv() {
            waiting.push(conn);
        }
        assert!(!waiting.is_empty() && waiting.len() < 40, "{waiting:?}");
        // One that was given up never begins.
        let gone = waiting.remove(0);
        links.close(gone);
        let (mut begun, mut stand, mut nodes) = (Vec::new(), 0, Vec::new());
        while stand < MANY - 1 {
            tokio::select! {
                node = listener.accept() => nodes.push(node.unwrap()),
                input = news.recv() => match input.unwrap() {
                    Input::Begun { conn } => begun.push(conn),
                    Input::Connected { conn, .. } => {
                        assert!(begun.contains(&conn) || !waiting.contains(&conn), "{conn:?}");
                        stand += 1;
                    }
                    other => panic!("{other:?}"),
                },
            }
        }
        assert_eq!(begun, waiting);
    })
    .await;
}
