//! Subscriptions and messages.

use crate::support::Running;

#[test]
fn resp2_subscriptions() {
    let server = Running::start();
    let mut client = server.client();
    client.command(&["SUBSCRIBE", "b", "a", "b"]);
    client
        .expect("*3\n$9\nsubscribe\n$1\nb\n:1\n*3\n$9\nsubscribe\n$1\na\n:2\n*3\n$9\nsubscribe\n$1\nb\n:2\n");
    client.says("PSUBSCRIBE [-+]sdown", "*3\n$10\npsubscribe\n$9\n[-+]sdown\n:3\n");
    client.says("PING", "*2\n$4\npong\n$0\n\n").says("PING x", "*2\n$4\npong\n$1\nx\n");
    client.says(
        "sentinel masters",
        "-ERR Can't execute 'sentinel|masters': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
         in this context\n",
    );
    assert_eq!(server.publish("a", "one"), 1);
    assert_eq!(server.publish("-sdown", "two"), 1);
    assert_eq!(server.publish("c", "none"), 0);
    client.expect("*3\n$7\nmessage\n$1\na\n$3\none\n*4\n$8\npmessage\n$9\n[-+]sdown\n$6\n-sdown\n$3\ntwo\n");
    client.says("UNSUBSCRIBE x", "*3\n$11\nunsubscribe\n$1\nx\n:3\n");
    client.says("UNSUBSCRIBE", "*3\n$11\nunsubscribe\n$1\na\n:2\n*3\n$11\nunsubscribe\n$1\nb\n:1\n");
    client.says("UNSUBSCRIBE", "*3\n$11\nunsubscribe\n$-1\n:1\n");
    client.says("PUNSUBSCRIBE", "*3\n$12\npunsubscribe\n$9\n[-+]sdown\n:0\n");
    client.says("PING", "+PONG\n");
    assert_eq!(server.publish("a", "one"), 0);
}

#[test]
fn resp3_subscriptions_are_pushes_among_replies() {
    let server = Running::start();
    let mut client = server.client();
    client.command(&["HELLO", "3"]);
    while client.line() != "*0" {}
    client.says("SUBSCRIBE +switch-master", ">3\n$9\nsubscribe\n$14\n+switch-master\n:1\n");
    client.says("PING", "+PONG\n").says("ROLE", "*2\n$8\nsentinel\n*1\n$8\nmymaster\n");
    assert_eq!(server.publish("+switch-master", "m 1 2 3 4"), 1);
    client.expect(">3\n$7\nmessage\n$14\n+switch-master\n$9\nm 1 2 3 4\n");
    client.says("UNSUBSCRIBE", ">3\n$11\nunsubscribe\n$14\n+switch-master\n:0\n");
    client.says("PUNSUBSCRIBE", ">3\n$12\npunsubscribe\n_\n:0\n");
}

#[test]
fn a_message_goes_to_channels_and_patterns_of_one_client() {
    let server = Running::start();
    let mut client = server.client();
    client.says("SUBSCRIBE +sdown", "*3\n$9\nsubscribe\n$6\n+sdown\n:1\n");
    client.says("PSUBSCRIBE *", "*3\n$10\npsubscribe\n$1\n*\n:2\n");
    assert_eq!(server.publish("+sdown", "x"), 2);
    client.expect("*3\n$7\nmessage\n$6\n+sdown\n$1\nx\n*4\n$8\npmessage\n$1\n*\n$6\n+sdown\n$1\nx\n");
}

#[test]
fn hello_is_not_delivered() {
    let server = Running::start();
    let mut client = server.client();
    client.says("PUBLISH __sentinel__:hello x", ":1\n");
    client.says("PUBLISH a x", "-ERR Only HELLO messages are accepted by Sentinel instances.\n");
}

#[test]
fn subscriptions_end_with_the_connection() {
    let server = Running::start();
    let mut client = server.client();
    client.says("SUBSCRIBE a", "*3\n$9\nsubscribe\n$1\na\n:1\n");
    client.says("PSUBSCRIBE b*", "*3\n$10\npsubscribe\n$2\nb*\n:2\n");
    let stats = server.stats();
    assert_eq!((stats.pubsub_channels, stats.pubsub_patterns, stats.pubsub_clients), (1, 1, 1));
    drop(client);
    server.until("nobody is subscribed", |stats| stats.pubsub_channels + stats.pubsub_patterns == 0);
    assert_eq!(server.publish("a", "x"), 0);
}

#[test]
fn a_thousand_subscribers() {
    let server = Running::start();
    let mut clients: Vec<_> = (0..1000).map(|_| server.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        if number % 2 == 1 {
            client.command(&["HELLO", "3"]);
        }
        client.send("SUBSCRIBE c\r\n");
    }
    server.until("all are subscribed", |stats| stats.pubsub_clients == 1000);
    for number in 0..20 {
        assert_eq!(server.publish("c", &format!("{number:02}")), 1000);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let kind = if number % 2 == 1 { '>' } else { '*' };
        if kind == '>' {
            while client.line() != "*0" {}
        }
        let mut wanted = format!("{kind}3\n$9\nsubscribe\n$1\nc\n:1\n");
        for number in 0..20 {
            wanted += &format!("{kind}3\n$7\nmessage\n$1\nc\n$2\n{number:02}\n");
        }
        client.expect(&wanted);
    }
    assert_eq!(server.stats().messages_delivered, 20_000);
}

#[test]
fn silenced_clients_still_get_their_subscriptions() {
    let server = Running::start();
    let mut client = server.client();
    client.send("CLIENT REPLY OFF\r\nSUBSCRIBE a\r\nPING\r\n").expect("*3\n$9\nsubscribe\n$1\na\n:1\n");
    assert_eq!(server.publish("a", "x"), 1);
    client.expect("*3\n$7\nmessage\n$1\na\n$1\nx\n");
}
