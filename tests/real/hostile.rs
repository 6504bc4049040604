//! Clients that mean harm or are broken: a protocol error or a closed connection, bounded memory, others served meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::group::NAME;
use crate::support::poll::holds_for;
use crate::support::{Client, Group, Sentinel, Spec, eventually};

fn one_sentinel(head: &[&str]) -> Group {
    Spec {
        programs: Spec::default().programs[..1].to_vec(),
        quorum: 1,
        replicas: 1,
        head: head.iter().map(|line| (*line).to_owned()).collect(),
        ..Spec::default()
    }
    .start()
}

fn socket(sentinel: &Sentinel) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", sentinel.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Everything until the other side closes.
fn answer_and_close(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the error text is a close, too.
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => {
                panic!("the connection stays open ({error}); heard {:?}", String::from_utf8_lossy(&bytes))
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[track_caller]
fn serves(sentinel: &Sentinel) {
    assert_eq!(sentinel.call(&["PING"]).text(), "PONG");
    assert_eq!(sentinel.call(&["SENTINEL", "MASTER", NAME]).fields()["name"], NAME);
}

#[test]
fn what_is_no_request_ends_the_connection() {
    let group = one_sentinel(&[]);
    let sentinel = &group.sentinels[0];
    let deep = "*1\r\n".repeat(100_000);
    let long_line = "x".repeat(1 << 20);
    let cases: &[(&str, &[u8])] = &[
        ("nested arrays", deep.as_bytes()),
        ("a bulk header of 1 GB", b"*1\r\n$1073741824\r\n"),
        ("a bulk header beyond 64 bits", b"*1\r\n$99999999999999999999999\r\n"),
        ("an array header of 2 G", b"*2147483647\r\n$1\r\n"),
        ("a negative bulk", b"*1\r\n$-5\r\n"),
        ("a line without end", long_line.as_bytes()),
        ("unbalanced quotes", b"PING \"abc\r\n"),
        ("RESP3 in a request", b"%1\r\n+a\r\n+b\r\n*2\r\n%1\r\n"),
    ];
    for (name, bytes) in cases {
        let mut stream = socket(sentinel);
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = answer_and_close(stream);
        assert!(answer.is_empty() || answer.starts_with("-ERR"), "{name}: {answer:?}");
        serves(sentinel);
    }
}

#[test]
fn binary_garbage_ends_the_connection_or_is_an_unknown_command() {
    let group = one_sentinel(&[]);
    let sentinel = &group.sentinels[0];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..50 {
        let garbage: Vec<u8> = (0..4096)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[0]
            })
            .collect();
        let mut stream = socket(sentinel);
        let _ = stream.write_all(&garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = answer_and_close(stream);
        assert!(answer.lines().all(|line| line.is_empty() || line.starts_with("-ERR")), "{answer:?}");
    }
    serves(sentinel);
}

#[test]
fn announced_sizes_take_no_memory() {
    let mut group = one_sentinel(&[]);
    serves(&group.sentinels[0]);
    let before = group.sentinels[0].process().resident_kb();
    let sentinel = &group.sentinels[0];
    let mut open: Vec<TcpStream> = Vec::new();
    for _ in 0..200 {
        let mut stream = socket(sentinel);
        // 500 MB is allowed, so the connection stays; only what comes may take room.
        stream.write_all(b"*1000000\r\n$500000000\r\nabc").unwrap();
        open.push(stream);
    }
    serves(sentinel);
    let after = group.sentinels[0].process().resident_kb();
    assert!(after < before + 40_000, "{before} kB grew to {after} kB");
}

#[test]
fn a_client_that_never_reads_is_cut_off() {
    let mut group = one_sentinel(&["client-output-buffer-limit normal 4mb 1mb 1"]);
    serves(&group.sentinels[0]);
    let before = group.sentinels[0].process().resident_kb();
    let sentinel = &group.sentinels[0];
    let mut stream = socket(sentinel);
    let pipeline = "*2\r\n$4\r\nINFO\r\n$10\r\neverything\r\n".repeat(1000);
    let mut cut = false;
    for _ in 0..500 {
        if stream.write_all(pipeline.as_bytes()).is_err() {
            cut = true;
            break;
        }
        serves(sentinel);
    }
    let after = group.sentinels[0].process().resident_kb();
    assert!(after < before + 60_000, "{before} kB grew to {after} kB");
    assert!(cut, "nothing ever held it back");
    drop(stream);
    serves(&group.sentinels[0]);
}

#[test]
fn a_subscriber_that_never_reads_is_cut_off() {
    let group = one_sentinel(&["client-output-buffer-limit pubsub 256kb 64kb 1"]);
    let sentinel = &group.sentinels[0];
    let mut deaf = sentinel.connect().unwrap();
    deaf.call(&["CLIENT", "SETNAME", "deaf"]);
    deaf.call(&["SUBSCRIBE", "+set"]);
    let name = "x".repeat(8000);
    let mut operator = sentinel.connect().unwrap();
    eventually("the deaf subscriber is gone", || {
        for _ in 0..50 {
            operator.call(&["SENTINEL", "SET", NAME, "auth-user", &name]);
        }
        !operator.call(&["CLIENT", "LIST"]).text().contains("name=deaf")
    });
    serves(sentinel);
}

#[test]
fn half_open_and_slow_clients_hinder_nobody() {
    let group = one_sentinel(&["timeout 2"]);
    let sentinel = &group.sentinels[0];
    let mut idle: Vec<TcpStream> = (0..300).map(|_| socket(sentinel)).collect();
    let request = b"*3\r\n$8\r\nSENTINEL\r\n$6\r\nMASTER\r\n$8\r\nmymaster\r\n";
    let mut slow = socket(sentinel);
    for byte in request {
        slow.write_all(&[*byte]).unwrap();
        serves(sentinel);
    }
    let mut first = [0; 1];
    slow.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"*", "a request byte by byte is answered");
    for (index, stream) in idle.iter_mut().enumerate() {
        let mut rest = Vec::new();
        stream
            .read_to_end(&mut rest)
            .unwrap_or_else(|error| panic!("idle client {index} was not closed: {error}"));
    }
    serves(sentinel);
}

#[test]
fn more_clients_than_allowed_are_refused_in_words() {
    let group = one_sentinel(&["maxclients 20"]);
    let sentinel = &group.sentinels[0];
    let mut open: Vec<Client> = Vec::new();
    let refusal = loop {
        let mut client = sentinel.connect_bare().unwrap();
        match client.command(&["PING"]) {
            Ok(reply) if reply.text() == "PONG" => open.push(client),
            Ok(reply) => break reply.text(),
            // The refusal may be lost when the request crosses the close.
            Err(_) => continue,
        }
        assert!(open.len() <= 20, "{} clients", open.len());
    };
    assert_eq!(refusal, "ERR max number of clients reached");
    drop(open);
    eventually("there is room again", || {
        sentinel
            .connect()
            .and_then(|mut client| client.command(&["PING"]))
            .is_ok_and(|reply| reply.text() == "PONG")
    });
}

#[test]
fn a_data_node_that_talks_nonsense_is_down_and_nothing_more() {
    let group = one_sentinel(&[]);
    let sentinel = &group.sentinels[0];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let deep = "*1\r\n".repeat(50_000);
            let _ = stream.write_all(deep.as_bytes());
            let _ = stream.write_all(b"$1073741824\r\n");
            let _ = stream.write_all(&[b'x'; 100_000]);
        }
    });
    sentinel.ok(&["SENTINEL", "MONITOR", "liar", "127.0.0.1", &port, "1"]);
    sentinel.ok(&["SENTINEL", "SET", "liar", "down-after-milliseconds", "1000"]);
    eventually("it is down", || sentinel.master_field("liar", "flags").contains("s_down"));
    holds_for(Duration::from_secs(3), "the other group is well", || {
        sentinel.master_field(NAME, "flags") == "master"
    });
    serves(sentinel);
}
