//! Client libraries of five languages through a failover.
//!
//! Each program asks the Sentinels for a replica, reads the key `seed` there, writes what it read and the replica's role
//! to `LANGUAGE:read` on the primary, and from then on counts `LANGUAGE:count` up on the primary for ever, in the face of
//! any error. All five run at once; the primary is killed under them; on the new primary every count must go on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Commands, ProtocolVersion, RedisConnectionInfo, RedisResult};
use tempfile::TempDir;

use support::group::NAME;
use support::{Group, Login, Node, Process, Spec, poll};

const LANGUAGES: [&str; 5] = ["python", "node", "go", "java", "rust"];

/// How long after the kill every client must write again.
const LIMIT: Duration = Duration::from_secs(20);

struct Mode {
    protocol: u8,
    passwords: bool,
}

impl Mode {
    fn spec(&self) -> Spec {
        if !self.passwords {
            return Spec::default();
        }
        Spec {
            node_lines: vec!["requirepass datapass".to_owned(), "masterauth datapass".to_owned()],
            group_lines: vec!["auth-pass mymaster datapass".to_owned()],
            head: vec!["requirepass peerpass".to_owned()],
            node_login: Login::password("datapass"),
            sentinel_login: Login::password("peerpass"),
            ..Spec::default()
        }
    }
}

/// Where the programs and their libraries lie; fetched and built on the first call.
fn prepared() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(root.join("tests/clients/prepare")).status().unwrap();
    assert!(status.success(), "the client programs could not be prepared");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("clients")
}

fn start(language: &str, programs: &Path, mode: &Mode, group: &Group, dir: &Path) -> Process {
    let place = programs.join(language);
    let mut command = match language {
        "python" => {
            let mut command = Command::new(place.join("venv/bin/python"));
            command.arg(place.join("client.py"));
            command
        }
        "node" => {
            let mut command = Command::new("node");
            command.arg(place.join("client.js"));
            command
        }
        "go" => Command::new(place.join("client")),
        "java" => {
            let mut command = Command::new("java");
            let classes = format!("{0}/target/client.jar:{0}/target/lib/*", place.display());
            command.args(["-XX:TieredStopAtLevel=1", "-Xmx64m", "-cp", &classes, "Client"]);
            command
        }
        other => panic!("no program for {other}"),
    };
    let sentinels: Vec<String> = group.sentinels.iter().map(|s| format!("127.0.0.1:{}", s.port())).collect();
    command
        .env("SENTINELS", sentinels.join(","))
        .env("GROUP", NAME)
        .env("PROTOCOL", mode.protocol.to_string())
        .env("PASSWORD", group.spec.node_login.password.clone().unwrap_or_default())
        .env("SENTINEL_PASSWORD", group.spec.sentinel_login.password.clone().unwrap_or_default());
    Process::spawn(language, command, dir)
}

/// The fifth client, redis-rs, in a thread of its own.
struct RustClient {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RustClient {
    fn start(mode: &Mode, group: &Group) -> Self {
        let protocol = if mode.protocol == 3 { ProtocolVersion::RESP3 } else { ProtocolVersion::RESP2 };
        let info = |login: &Login| {
            let info = RedisConnectionInfo::default().set_protocol(protocol);
            match &login.password {
                Some(password) => info.set_password(password),
                None => info,
            }
        };
        let (node, sentinel) = (info(&group.spec.node_login), info(&group.spec.sentinel_login));
        let addresses: Vec<String> =
            group.sentinels.iter().map(|s| format!("127.0.0.1:{}", s.port())).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut primary = rust_client(&addresses, &sentinel, &node, SentinelServerType::Master);
            let mut replica = rust_client(&addresses, &sentinel, &node, SentinelServerType::Replica);
            let (mut count, mut read) = (0_u64, false);
            while !ended.load(Ordering::SeqCst) {
                let _: RedisResult<()> = rust_step(&mut primary, &mut replica, &mut count, &mut read);
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for RustClient {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn rust_client(
    addresses: &[String],
    sentinel: &RedisConnectionInfo,
    node: &RedisConnectionInfo,
    kind: SentinelServerType,
) -> SentinelClient {
    let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(node.clone());
    let addresses = addresses
        .iter()
        .map(|address| {
            let (host, port) = address.rsplit_once(':').unwrap();
            let address = redis::ConnectionAddr::Tcp(host.to_owned(), port.parse().unwrap());
            redis::IntoConnectionInfo::into_connection_info(address)
                .unwrap()
                .set_redis_settings(sentinel.clone())
        })
        .collect::<Vec<_>>();
    SentinelClient::build(addresses, NAME.to_owned(), Some(node), kind).unwrap()
}

fn rust_step(
    primary: &mut SentinelClient,
    replica: &mut SentinelClient,
    count: &mut u64,
    read: &mut bool,
) -> RedisResult<()> {
    let timeout = Some(Duration::from_secs(1));
    if !*read {
        let mut connection = replica.get_connection()?;
        connection.set_read_timeout(timeout)?;
        let role: Vec<redis::Value> = redis::cmd("ROLE").query(&mut connection)?;
        let role: String = redis::from_redis_value(role[0].clone())?;
        let seed: String = connection.get("seed")?;
        let _: () = primary.get_connection()?.set("rust:read", format!("{role} {seed}"))?;
        *read = true;
    }
    let mut connection = primary.get_connection()?;
    connection.set_read_timeout(timeout)?;
    loop {
        *count += 1;
        let _: () = connection.set("rust:count", *count)?;
        thread::sleep(Duration::from_millis(20));
        if count.is_multiple_of(50) {
            return Ok(());
        }
    }
}

fn count(node: &Node, language: &str) -> Option<u64> {
    let reply = node.connect().ok()?.command(&["GET", &format!("{language}:count")]).ok()?;
    reply.text().parse().ok()
}

/// Waits until the count of each language moves on `node`; how long the slowest took.
fn all_write(node: &Node, since: Instant) -> Duration {
    for language in LANGUAGES {
        let mut first = None;
        poll(&format!("{language} writes"), || {
            let seen = count(node, language);
            let first = first.get_or_insert(seen);
            if seen > *first { Ok(()) } else { Err(seen) }
        });
        println!("  {language} writes after {} ms", since.elapsed().as_millis());
    }
    since.elapsed()
}

fn survives(mode: &Mode) {
    let programs = prepared();
    let mut group = mode.spec().start();
    let old = group.primary_port();
    group.node(old).plant("seed", "planted", 2);
    let dirs: Vec<TempDir> =
        LANGUAGES.iter().map(|_| TempDir::with_prefix("vedette-client").unwrap()).collect();
    let mut clients: Vec<Process> = LANGUAGES[..4]
        .iter()
        .zip(&dirs)
        .map(|(language, dir)| start(language, &programs, mode, &group, dir.path()))
        .collect();
    let _rust = RustClient::start(mode, &group);
    for language in LANGUAGES {
        let node = group.node(old);
        poll(&format!("{language} read a replica"), || {
            match node.call(&["GET", &format!("{language}:read")]).text() {
                text if text == "slave planted" => Ok(()),
                text => Err(text),
            }
        });
    }
    all_write(group.node(old), Instant::now());
    let killed = Instant::now();
    group.node(old).kill();
    let new = group.switched_from(old);
    println!(
        "protocol {}, passwords {}: switched after {} ms",
        mode.protocol,
        mode.passwords,
        killed.elapsed().as_millis()
    );
    let took = all_write(group.node(new), killed);
    assert!(took <= LIMIT, "the slowest client wrote again only after {took:?}");
    for (client, language) in clients.iter_mut().zip(LANGUAGES) {
        assert!(client.ended().is_none(), "the {language} program ended");
    }
}

#[test]
fn resp2() {
    survives(&Mode { protocol: 2, passwords: false });
}

#[test]
fn resp3() {
    survives(&Mode { protocol: 3, passwords: false });
}

#[test]
fn passwords_resp2() {
    survives(&Mode { protocol: 2, passwords: true });
}

#[test]
fn passwords_resp3() {
    survives(&Mode { protocol: 3, passwords: true });
}
