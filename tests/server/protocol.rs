//! Requests, replies and their order.

use vedette::config::Identity;

use crate::support::{Running, request};

#[test]
fn forms_of_a_request() {
    let server = Running::start();
    let mut client = server.client();
    client.send("PING\r\n\n").expect("+PONG\n");
    client.send("\r\n*0\r\n*-1\r\nPING\n").expect("+PONG\n");
    client.send("ping 'a b'\r\n").expect("$3\na b\n");
    for byte in b"*2\r\n$4\r\nPING\r\n$2\r\nhi\r\n" {
        client.send([*byte]);
    }
    client.expect("$2\nhi\n");
}

#[test]
fn replies_keep_the_order_of_the_requests() {
    let server = Running::start();
    let mut client = server.client();
    let (mut all, mut wanted) = (Vec::new(), String::new());
    for number in 0..3000 {
        let text = number.to_string();
        all.extend_from_slice(&request(&["PING", &text]));
        all.extend_from_slice(&request(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]));
        all.extend_from_slice(b"NOSUCH\r\n");
        wanted += &format!("${}\n{text}\n*2\n$9\n127.0.0.1\n$4\n6379\n", text.len());
        wanted += "-ERR unknown command 'NOSUCH', with args beginning with: \n";
    }
    client.send(all).expect(&wanted);
}

#[test]
fn a_late_answer_holds_back_its_own_client_alone() {
    let server = Running::start();
    let (mut patient, mut other) = (server.client(), server.client());
    patient.send("PING one\r\nSENTINEL MASTERS\r\nPING two\r\nPING three\r\n").expect("$3\none\n");
    other.says("PING", "+PONG\n");
    other.says("SENTINEL GET-MASTER-ADDR-BY-NAME nope", "*-1\n");
    assert_eq!(server.stats().commands.get("sentinel|masters"), Some(&1));
    server.release();
    patient.expect("$4\nlate\n$3\ntwo\n$5\nthree\n");
}

#[test]
fn a_client_that_left_before_its_answer_is_forgotten() {
    let server = Running::start();
    let mut client = server.client();
    client.send("SENTINEL MASTERS\r\n");
    server.until("the request arrives", |stats| stats.commands.contains_key("sentinel|masters"));
    drop(client);
    server.release();
    server.until("the client is gone", |stats| stats.connected_clients == 0);
    server.client().says("PING", "+PONG\n");
}

#[test]
fn errors_have_sentinels_texts() {
    let server = Running::start();
    let mut client = server.client();
    let long = "x".repeat(200);
    for (command, reply) in [
        ("get a b", "-ERR unknown command 'get', with args beginning with: 'a' 'b' \n".to_owned()),
        (&format!("{long} {long} b"), format!("-ERR unknown command '{0}', with args beginning with: '{0}' \n", &long[..128])),
        ("SENTINEL foo", "-ERR unknown subcommand 'foo'. Try SENTINEL HELP.\n".into()),
        ("client No-Touch on", "-ERR unknown subcommand 'No-Touch'. Try CLIENT HELP.\n".into()),
        ("SENTINEL", "-ERR wrong number of arguments for 'sentinel' command\n".into()),
        ("SENTINEL MASTER", "-ERR wrong number of arguments for 'sentinel|master' command\n".into()),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command\n".into()),
        ("SHUTDOWN ABORT", "-ERR No shutdown in progress.\n".into()),
        ("SHUTDOWN NOSAVE SAVE", "-ERR syntax error\n".into()),
        ("SHUTDOWN LATER", "-ERR syntax error\n".into()),
        ("AUTH x", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\n".into()),
        ("AUTH a b c", "-ERR syntax error\n".into()),
        ("HELLO 4", "-NOPROTO unsupported protocol version\n".into()),
        ("HELLO 03", "-ERR Protocol version is not an integer or out of range\n".into()),
        ("HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'\n".into()),
    ] {
        client.says(command, &reply);
    }
    client.send(b"GET \xff\r\n");
    assert_eq!(client.line(), "-ERR unknown command 'GET', with args beginning with: '\u{fffd}' ");
}

#[test]
fn protocol_errors_come_after_earlier_replies_and_end_the_connection() {
    let server = Running::start();
    for (bytes, error) in [
        (&b"PING\r\n*1\r\nPING\r\nPING\r\n"[..], "expected '$', got 'P'"),
        (b"PING\r\n*1\r\n\r\n", "expected '$', got ' '"),
        (b"PING\r\n*x\r\n", "invalid multibulk length"),
        (b"PING\r\n*1\r\n$-5\r\n", "invalid bulk length"),
        (b"PING\r\nPING \"\r\n", "unbalanced quotes in request"),
    ] {
        let mut client = server.client();
        let wanted = format!("+PONG\r\n-ERR Protocol error: {error}\r\n");
        assert_eq!(client.send(bytes).read_to_end(), wanted);
    }
}

#[test]
fn hello_switches_the_protocol() {
    let server = Running::start();
    let mut client = server.client();
    let fields = |proto: u8| {
        format!(
            "$6\nserver\n$5\nredis\n$7\nversion\n$6\n7.0.15\n$5\nproto\n:{proto}\n$2\nid\n:1\n$4\nmode\n$8\nsentinel\n$7\nmodules\n*0\n"
        )
    };
    client.says("HELLO", &format!("*12\n{}", fields(2)));
    client.says("SENTINEL GET-MASTER-ADDR-BY-NAME nope", "*-1\n");
    client.says("hello 3 setname bob", &format!("%6\n{}", fields(3)));
    client.says("SENTINEL GET-MASTER-ADDR-BY-NAME nope", "_\n");
    client.says("CLIENT GETNAME", "$3\nbob\n");
    client.says("HELLO 2", &format!("*12\n{}", fields(2)));
    client.says("CLIENT SETNAME ", "+OK\n").says("CLIENT GETNAME", "$-1\n");
}

#[test]
fn identities_name_themselves() {
    for (identity, compatible, name, version) in [
        (Identity::Redis80, false, "redis", Identity::Redis80.version()),
        (Identity::Valkey80, false, "valkey", Identity::Valkey80.version()),
        (Identity::Valkey80, true, "redis", "7.2.4"),
    ] {
        let server =
            Running::identified(identity, |general| general.extended_redis_compatibility = compatible);
        let mut client = server.client();
        let (a, b) = (name.len(), version.len());
        client.says("HELLO 3", &format!("%6\n$6\nserver\n${a}\n{name}\n$7\nversion\n${b}\n{version}\n"));
    }
}

#[test]
fn quit_is_answered_and_ends_the_connection() {
    let server = Running::start();
    assert_eq!(server.client().send("QUIT\r\nPING\r\n").read_to_end(), "+OK\r\n");
    let mut subscribed = server.client();
    subscribed.says("SUBSCRIBE a", "*3\n$9\nsubscribe\n$1\na\n:1\n");
    assert_eq!(subscribed.send("QUIT\r\n").read_to_end(), "+OK\r\n");
}

#[test]
fn shutdown_closes_connections_without_a_reply() {
    let server = Running::start();
    let (mut caller, mut other) = (server.client(), server.client());
    other.says("PING", "+PONG\n");
    caller.command(&["SHUTDOWN", "NOSAVE", "NOW", "FORCE"]).expect_end();
    other.expect_end();
    server.ended();
}

#[test]
fn renamed_commands_answer_to_their_new_name_alone() {
    let server = Running::with(|general| {
        general.renamed_commands = vec![("PING".into(), "pong".into()), ("SHUTDOWN".into(), String::new())];
    });
    let mut client = server.client();
    client.says("pong", "+PONG\n").says("PONG a b", "-ERR wrong number of arguments for 'ping' command\n");
    client.says("PING", "-ERR unknown command 'PING', with args beginning with: \n");
    client.says("SHUTDOWN", "-ERR unknown command 'SHUTDOWN', with args beginning with: \n");
}

#[test]
fn http_requests_are_cut_off() {
    let server = Running::start();
    assert_eq!(server.client().send("POST / HTTP/1.1\r\nHost: x\r\n\r\nPING\r\n").read_to_end(), "");
    assert!(server.log.lock().unwrap().iter().any(|line| line.contains("HTTP")));
}
