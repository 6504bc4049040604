//! Hostile and broken clients: an error or a closed connection, bounded memory, and others served meanwhile.

use crate::support::{Client, FloodEnd, Running};

/// Bytes that one client may make the server hold, with room to spare.
const BOUND: usize = 4 << 20;

/// An undisturbed client, which must be served at any time.
fn check_service(server: &Running) {
    let mut other = server.client();
    other.says("PING", "+PONG\n").says("SENTINEL GET-MASTER-ADDR-BY-NAME nope", "*-1\n");
}

fn check_memory(server: &Running) {
    let stats = server.stats();
    assert!(stats.input_buffered + stats.output_buffered < BOUND, "{stats:?}");
}

#[test]
fn nested_arrays() {
    let server = Running::start();
    for bytes in ["*1\r\n".repeat(100_000), "*2\r\n$4\r\nPING\r\n".to_owned() + &"*1\r\n".repeat(100_000)] {
        // The server closes while this is still being sent.
        let flood = server.client().flood(bytes.as_bytes(), bytes.len());
        assert_ne!(flood.end, FloodEnd::Stalled, "{flood:?}");
    }
    server.until("all are gone", |stats| stats.connected_clients == 0 && stats.error_replies == 2);
    let error = server.client().send("*1\r\n*1\r\n").read_to_end();
    assert_eq!(error, "-ERR Protocol error: expected '$', got '*'\r\n");
    check_service(&server);
}

#[test]
fn huge_headers_reserve_nothing() {
    let server = Running::start();
    for (header, error) in [
        ("*1\r\n$1073741824\r\n", "invalid bulk length"),
        ("*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        ("*1073741824\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
    ] {
        assert_eq!(server.client().send(header).read_to_end(), format!("-ERR Protocol error: {error}\r\n"));
    }
    // The largest that are allowed, from many clients that never go on.
    let waiting: Vec<Client> = (0..200)
        .map(|number| {
            let mut client = server.client();
            client.send(if number % 2 == 0 { "*1\r\n$536870912\r\n" } else { "*1048576\r\n$536870912\r\n" });
            client
        })
        .collect();
    server.until("all headers have arrived", |stats| stats.input_bytes > 200 * 16);
    check_memory(&server);
    check_service(&server);
    drop(waiting);
    server.until("all are gone", |stats| stats.connected_clients == 0 && stats.input_buffered == 0);
}

#[test]
fn lines_without_an_end() {
    let server = Running::start();
    for (start, error) in [
        ("", "too big inline request"),
        ("*", "too big mbulk count string"),
        ("*1\r\n$", "too big bulk count string"),
    ] {
        let mut client = server.client();
        client.send(start).send("1".repeat(64 * 1024 + 1));
        assert_eq!(client.read_to_end(), format!("-ERR Protocol error: {error}\r\n"));
    }
    check_service(&server);
}

#[test]
fn binary_garbage() {
    let server = Running::start();
    // A fixed sequence (xorshift), so that a failure repeats itself.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    for round in 0..200 {
        let mut client = server.client();
        let mut bytes: Vec<u8> = (0..512).flat_map(|_| noise()).collect();
        if round % 2 == 0 {
            bytes.splice(0..0, *b"*3\r\n$");
        }
        let _ = client.flood(&bytes, bytes.len());
    }
    server.until("all are gone", |stats| stats.connected_clients == 0);
    check_memory(&server);
    check_service(&server);
}

#[test]
fn half_open_and_slow_clients() {
    let server = Running::start();
    let silent: Vec<Client> = (0..100).map(|_| server.client()).collect();
    let mut slow: Vec<Client> = (0..50).map(|_| server.client()).collect();
    for byte in b"*2\r\n$4\r\nPING\r\n$5\r\nslow!\r\n" {
        for client in &mut slow {
            client.send([*byte]);
        }
        check_service(&server);
    }
    for client in &mut slow {
        client.expect("$5\nslow!\n");
    }
    // One that sends its request, closes its side, and still gets the answer.
    let mut half = server.client();
    half.send("PING half\r\n").stream.shutdown(std::net::Shutdown::Write).unwrap();
    half.expect("$4\nhalf\n").expect_end();
    // One that breaks off within a request.
    server.client().send("*2\r\n$4\r\nPING\r\n$5\r\nsl");
    server.until("the broken one is gone", |stats| stats.connected_clients == 150);
    check_memory(&server);
    drop(silent);
}

#[test]
fn endless_pipelines_without_reading() {
    let server = Running::start();
    for request in
        ["PING\r\n", "SENTINEL INFO-CACHE 100000\r\n", "INFO\r\n", "*1\r\n$4\r\nPING\r\n", "NOSUCH\r\n"]
    {
        let mut client = server.client();
        let flood = client.flood(request.as_bytes(), 256 << 20);
        assert_eq!(flood.end, FloodEnd::Stalled, "{request:?} {flood:?}");
        check_memory(&server);
        check_service(&server);
        drop(client);
        server.until("it is gone", |stats| stats.connected_clients == 0 && stats.output_buffered == 0);
    }
}

#[test]
fn a_pipeline_that_stalled_goes_on_when_the_client_reads() {
    let server = Running::start();
    let mut client = server.client();
    let size = 100_000;
    let count = 200;
    // Written by a thread: it can't end before somebody reads.
    let mut writer = client.stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        use std::io::Write as _;
        for number in 0..count {
            writer.write_all(format!("PING {number}\r\nSENTINEL INFO-CACHE {size}\r\n").as_bytes()).unwrap();
        }
    });
    server.until("replies pile up", |stats| stats.output_buffered > 0);
    check_memory(&server);
    let large = "x".repeat(size);
    for number in 0..count {
        let text = number.to_string();
        client.expect(&format!("${}\n{text}\n${size}\n{large}\n", text.len()));
    }
    writing.join().unwrap();
}

#[test]
fn many_floods_together_stay_within_a_common_bound() {
    let server = Running::start();
    let floods: Vec<_> = (0..100)
        .map(|_| {
            let mut client = server.client();
            std::thread::spawn(move || {
                let flood = client.flood(b"SENTINEL INFO-CACHE 100000\r\n", 256 << 20);
                (client, flood)
            })
        })
        .collect();
    let clients: Vec<_> = floods.into_iter().map(|flood| flood.join().unwrap()).collect();
    assert!(clients.iter().all(|(_, flood)| flood.end == FloodEnd::Stalled));
    let stats = server.stats();
    // 64 MiB for all, and one reply beyond for each.
    assert!(stats.output_buffered < (64 << 20) + 100 * 200_000, "{stats:?}");
    check_service(&server);
}

#[test]
fn endless_subscriptions_end_in_an_error() {
    let server = Running::start();
    let mut client = server.client();
    let names: Vec<String> = (0..70_000).map(|number| format!("c{number}")).collect();
    let words: Vec<&str> = std::iter::once("SUBSCRIBE").chain(names.iter().map(String::as_str)).collect();
    client.command(&words).expect("-ERR too many subscriptions\n");
    assert_eq!(server.stats().pubsub_channels, 0);
    check_service(&server);
}

#[test]
fn quick_connections_leave_nothing() {
    let server = Running::start();
    for _ in 0..2000 {
        drop(Client::connect(server.port));
    }
    server.until("all are gone", |stats| stats.connections_received == 2000 && stats.connected_clients == 0);
    check_service(&server);
}
