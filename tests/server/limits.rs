//! Limits of clients, buffers and time.

use vedette::config::general::OutputLimit;

use crate::support::{FloodEnd, Running};

#[test]
fn maxclients() {
    let server = Running::with(|general| general.maxclients = 3);
    let mut clients: Vec<_> = (0..3).map(|_| server.client()).collect();
    for client in &mut clients {
        client.says("PING", "+PONG\n");
    }
    assert_eq!(server.client().read_to_end(), "-ERR max number of clients reached\r\n");
    assert_eq!(server.stats().rejected_connections, 1);
    clients.pop();
    server.until("one has gone", |stats| stats.connected_clients == 2);
    server.client().says("PING", "+PONG\n");
}

#[test]
fn idle_clients_are_closed_subscribers_are_not() {
    let server = Running::with(|general| general.timeout = 1);
    let (mut idle, mut subscriber) = (server.client(), server.client());
    subscriber.says("SUBSCRIBE a", "*3\n$9\nsubscribe\n$1\na\n:1\n");
    idle.expect_end();
    assert_eq!(server.publish("a", "x"), 1);
    subscriber.expect("*3\n$7\nmessage\n$1\na\n$1\nx\n");
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_at_the_hard_limit() {
    let server = Running::with(|general| {
        general.output_limit_pubsub = OutputLimit { hard: 1 << 20, soft: 0, soft_seconds: 0 };
    });
    let (mut slow, mut quick) = (server.client(), server.client());
    for client in [&mut slow, &mut quick] {
        client.says("SUBSCRIBE a", "*3\n$9\nsubscribe\n$1\na\n:1\n");
    }
    let payload = "x".repeat(64 * 1024);
    let wanted = format!("*3\n$7\nmessage\n$1\na\n${}\n{payload}\n", payload.len());
    let mut published = 0;
    while server.stats().output_limit_disconnections == 0 {
        assert!(published < 2000, "never closed");
        assert!(server.publish("a", &payload) >= 1);
        quick.expect(&wanted);
        published += 1;
    }
    server.until("it is gone", |stats| stats.connected_clients == 1 && stats.output_buffered == 0);
    assert_eq!(server.publish("a", "x"), 1);
    quick.expect("*3\n$7\nmessage\n$1\na\n$1\nx\n");
    assert!(slow.read_to_end().len() < published * wanted.len() * 2);
    assert!(
        server.log.lock().unwrap().iter().any(|line| line.contains("overcoming of output buffer limits"))
    );
}

#[test]
fn a_subscriber_over_the_soft_limit_is_closed_after_its_time() {
    let server = Running::with(|general| {
        general.output_limit_pubsub = OutputLimit { hard: 0, soft: 64 * 1024, soft_seconds: 1 };
    });
    let mut slow = server.client();
    slow.says("SUBSCRIBE a", "*3\n$9\nsubscribe\n$1\na\n:1\n");
    let payload = "x".repeat(1 << 20);
    // More than the system buffers for it.
    for _ in 0..16 {
        assert_eq!(server.publish("a", &payload), 1);
    }
    server.until("it is closed", |stats| {
        stats.output_limit_disconnections == 1 && stats.connected_clients == 0
    });
}

#[test]
fn a_reply_over_the_limit_closes_its_client() {
    let server = Running::with(|general| {
        general.output_limit_normal = OutputLimit { hard: 100_000, soft: 0, soft_seconds: 0 };
    });
    let mut client = server.client();
    client.says("SENTINEL INFO-CACHE 5", "$5\nxxxxx\n");
    client.command(&["SENTINEL", "INFO-CACHE", "100000"]).expect_end();
}

#[test]
fn the_query_buffer_is_limited() {
    let server = Running::with(|general| general.query_buffer_limit = 1 << 20);
    let mut client = server.client();
    client.send("*1\r\n$100000000\r\n");
    let flood = client.flood(b"x", 16 << 20);
    assert_eq!(flood.end, FloodEnd::Closed, "{flood:?}");
    server.until("it is gone", |stats| stats.connected_clients == 0 && stats.input_buffered == 0);
    assert_eq!(server.stats().query_limit_disconnections, 1);
    server.client().says("PING", "+PONG\n");
}

#[test]
fn words_are_as_long_as_proto_max_bulk_len() {
    let server = Running::with(|general| general.proto_max_bulk_len = 1 << 20);
    let word = "x".repeat(1 << 20);
    server.client().command(&["PING", &word]).expect(&format!("${}\n{word}\n", 1 << 20));
    let refused = server.client().send("*1\r\n$1048577\r\n").read_to_end();
    assert_eq!(refused, "-ERR Protocol error: invalid bulk length\r\n");
}
