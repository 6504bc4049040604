//! What the Sentinel suites of later versions check beyond 7.0's, under the default identity.

use std::collections::BTreeSet;

use crate::support::group::NAME;
use crate::support::{Client, Group, Program, Spec, Value, eventually, poll};

fn one_sentinel() -> Group {
    Spec { programs: Spec::default().programs[..1].to_vec(), quorum: 1, ..Spec::default() }.start()
}

#[test]
fn commands_are_listed_and_described() {
    let group = one_sentinel();
    let sentinel = &group.sentinels[0];
    let list: BTreeSet<String> = sentinel.call(&["COMMAND", "LIST"]).texts().into_iter().collect();
    for name in ["ping", "info", "subscribe", "client|setinfo"] {
        assert!(list.contains(name), "{name} is not listed: {list:?}");
        assert!(!sentinel.call(&["COMMAND", "DOCS", name]).items().is_empty(), "{name} has no documentation");
    }
    for name in ["save", "bgrewriteaof", "blpop", "replicaof"] {
        assert!(!list.contains(name), "{name} is listed");
        assert!(sentinel.call(&["COMMAND", "DOCS", name]).items().is_empty(), "{name} has documentation");
        assert!(sentinel.call(&[name]).text().starts_with("ERR unknown command"));
    }
    assert!(sentinel.call(&["CLIENT", "NO-TOUCH", "ON"]).text().starts_with("ERR unknown subcommand"));
    assert_eq!(sentinel.call(&["COMMAND", "COUNT"]), Value::Int(15));
    sentinel.ok(&["CLIENT", "SETINFO", "lib-name", "test"]);
    let refused = sentinel.call(&["CLIENT", "SETINFO", "nonsense", "test"]);
    assert_eq!(refused.text(), "ERR Unrecognized option 'nonsense'");
}

#[test]
fn identities_name_server_and_version() {
    for (program, server, version) in [
        (Program::subject(), "redis", "8.0."),
        (Program::subject_as_redis_7(), "redis", "7.0.15"),
        (Program::subject().named("valkey-sentinel"), "valkey", "8.0."),
    ] {
        let group = Spec { programs: vec![program], quorum: 1, replicas: 0, ..Spec::default() }.start();
        let hello = group.sentinels[0].call(&["HELLO"]).items().to_vec();
        let field = |name: &str| {
            let at = hello.iter().step_by(2).position(|key| key.text() == name).unwrap();
            hello[at * 2 + 1].text()
        };
        assert_eq!(field("server"), server);
        assert!(field("version").starts_with(version), "{}", field("version"));
        assert_eq!(field("mode"), "sentinel");
        let info = group.sentinels[0].call(&["INFO", "server"]).text();
        assert!(info.contains("redis_version:"), "{info}");
        assert_eq!(info.contains("server_name:valkey"), server == "valkey", "{info}");
    }
}

#[test]
fn a_second_failover_is_in_progress() {
    let group = Group::start();
    let old = group.primary_port();
    group.sentinels[0].ok(&["SENTINEL", "FAILOVER", NAME]);
    let second = group.sentinels[0].call(&["SENTINEL", "FAILOVER", NAME]);
    assert_eq!(second.text(), "INPROG Failover already in progress");
    let new = group.switched_from(old);
    group.all_follow(new);
}

#[test]
fn each_crash_flag_ends_the_leader_and_it_starts_again() {
    let mut group = Group::start();
    for flag in ["crash-after-election", "crash-after-promotion"] {
        let old = group.primary_port();
        let leader = &mut group.sentinels[0];
        leader.ok(&["SENTINEL", "SIMULATE-FAILURE", flag]);
        leader.ok(&["SENTINEL", "FAILOVER", NAME]);
        let status = leader.process().wait();
        assert_eq!(status.code(), Some(99), "{flag}");
        assert!(leader.connect_bare().is_err(), "{flag}: something still listens");
        assert!(
            leader.log().contains("Sentinel CRASH because of SENTINEL simulate-failure"),
            "{}",
            leader.log()
        );
        leader.forget_process();
        leader.restart();
        group.settled();
        let promoted = flag == "crash-after-promotion";
        if promoted {
            eventually("the promotion before the crash holds", || group.primary_port() != old);
        } else {
            assert_eq!(group.primary_port(), old);
        }
        let primary = group.primary_port();
        group.all_follow(primary);
    }
}

#[test]
fn a_reset_leaves_no_peer_and_no_replica() {
    let group = Group::start();
    let sentinel = &group.sentinels[0];
    let empty = (0..10).any(|_| {
        // In one go, so that nothing is found again between reset and questions.
        let mut client = sentinel.connect().unwrap();
        for words in [
            &["SENTINEL", "RESET", NAME][..],
            &["SENTINEL", "SENTINELS", NAME],
            &["SENTINEL", "SLAVES", NAME],
            &["SENTINEL", "REPLICAS", NAME],
        ] {
            client.send(words).unwrap();
        }
        assert_eq!(client.read().unwrap(), Value::Int(1));
        (0..3).map(|_| client.read().unwrap().items().len()).sum::<usize>() == 0
    });
    assert!(empty);
    group.settled();
}

#[test]
fn debug_parameters_are_read_back() {
    let group = one_sentinel();
    let sentinel = &group.sentinels[0];
    let before = sentinel.call(&["SENTINEL", "DEBUG"]);
    assert_eq!(before.items().len(), 26);
    sentinel.ok(&["SENTINEL", "DEBUG", "info-period", "8888"]);
    assert_eq!(sentinel.call(&["SENTINEL", "DEBUG"]).texts()[..2], ["INFO-PERIOD", "8888"]);
    sentinel.ok(&["SENTINEL", "DEBUG", "info-period", "10000"]);
    assert_eq!(sentinel.call(&["SENTINEL", "DEBUG"]), before);
}

#[test]
fn several_settings_at_once() {
    let group = one_sentinel();
    let sentinel = &group.sentinels[0];
    let get = |names: &[&str]| sentinel.call(&[&["SENTINEL", "CONFIG", "GET"], names].concat()).texts();
    let set = |words: &[&str]| sentinel.call(&[&["SENTINEL", "CONFIG", "SET"], words].concat()).text();
    assert_eq!(set(&["resolve-hostnames", "yes", "announce-port", "1234"]), "OK");
    assert_eq!(
        get(&["resolve-hostnames", "announce-port"]),
        ["resolve-hostnames", "yes", "announce-port", "1234"]
    );
    assert_eq!(get(&["resolve-hostnames", "resolve-hostnames"]), ["resolve-hostnames", "yes"]);
    assert_eq!(get(&["resolve-hostnames", "fakeoption"]), ["resolve-hostnames", "yes"]);
    assert_eq!(get(&["log*", "*level", "loglevel"]), ["loglevel", "notice"]);
    assert_eq!(get(&["announce*"]), ["announce-hostnames", "no", "announce-ip", "", "announce-port", "1234"],);
    assert_eq!(get(&["fakeoption"]), [""; 0]);
    for (words, error) in [
        (
            &["announce-port", "1", "fakeoption", "x"][..],
            "ERR Invalid argument 'fakeoption' to SENTINEL CONFIG SET",
        ),
        (
            &["announce-port", "1", "announce-port", "2"],
            "ERR Duplicate argument 'announce-port' to SENTINEL CONFIG SET",
        ),
        (&["announce-port", "1", "resolve-hostnames"], "ERR Missing argument 'resolve-hostnames' value"),
        (
            &["announce-port", "1", "resolve-hostnames", "maybe"],
            "ERR Invalid value 'maybe' to SENTINEL CONFIG SET 'resolve-hostnames'",
        ),
    ] {
        assert_eq!(set(words), error);
        assert_eq!(get(&["announce-port"]), ["announce-port", "1234"], "an error applies nothing");
    }
}

#[test]
fn control_characters_don_t_reach_the_file() {
    let group = Spec {
        programs: Spec::default().programs[..1].to_vec(),
        quorum: 1,
        head: vec!["sentinel deny-scripts-reconfig no".to_owned()],
        ..Spec::default()
    }
    .start();
    let sentinel = &group.sentinels[0];
    let bad = "x\nsentinel monitor evil 127.0.0.1 1 1";
    for words in [
        &["SENTINEL", "SET", NAME, "notification-script", bad][..],
        &["SENTINEL", "SET", NAME, "client-reconfig-script", bad],
        &["SENTINEL", "SET", NAME, "rename-command", "PING", bad],
        &["SENTINEL", "SET", NAME, "rename-command", bad, "PING"],
        &["SENTINEL", "MONITOR", bad, "127.0.0.1", "1", "1"],
        &["SENTINEL", "CONFIG", "SET", "announce-ip", bad],
    ] {
        let reply = sentinel.call(words).text();
        assert!(
            reply.starts_with("ERR") && reply.contains("must not contain control characters"),
            "{words:?}: {reply}"
        );
        assert!(reply.contains("control characters are not allowed"), "{words:?}: {reply}");
    }
    sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
    assert!(!sentinel.conf_text().contains("evil"), "{}", sentinel.conf_text());
}

#[test]
fn credentials_with_strange_characters_survive_a_restart() {
    let strange = "a b\"c'd\\e\nsentinel monitor evil 127.0.0.1 1 1\u{7f}#";
    let mut group = one_sentinel();
    let sentinel = &mut group.sentinels[0];
    sentinel.ok(&["SENTINEL", "CONFIG", "SET", "sentinel-user", strange, "sentinel-pass", strange]);
    sentinel.ok(&["SENTINEL", "MONITOR", "other", "127.0.0.1", "1", "1"]);
    sentinel.ok(&["SENTINEL", "SET", "other", "auth-pass", strange, "auth-user", strange]);
    sentinel.kill();
    sentinel.restart();
    assert_eq!(sentinel.call(&["SENTINEL", "CONFIG", "GET", "sentinel-pass"]).texts()[1], strange);
    assert_eq!(sentinel.call(&["SENTINEL", "CONFIG", "GET", "sentinel-user"]).texts()[1], strange);
    let gone = sentinel.call(&["SENTINEL", "MASTER", "evil"]);
    assert_eq!(gone.text(), "ERR No such master with that name");
    assert_eq!(sentinel.call(&["SENTINEL", "MASTERS"]).items().len(), 2);
}

#[test]
fn valkey_s_names_answer_as_the_old_ones() {
    let group = Group::start();
    let sentinel = &group.sentinels[0];
    let (ip, port) = sentinel.address(NAME).unwrap();
    let new = sentinel.call(&["SENTINEL", "GET-PRIMARY-ADDR-BY-NAME", NAME]).texts();
    assert_eq!(new, [ip.clone(), port.to_string()]);
    assert_eq!(sentinel.call(&["SENTINEL", "PRIMARIES"]).items().len(), 1);
    assert_eq!(sentinel.call(&["SENTINEL", "PRIMARY", NAME]).fields()["name"], NAME);
    let arity = sentinel.call(&["SENTINEL", "PRIMARY"]);
    assert_eq!(arity.text(), "ERR wrong number of arguments for 'sentinel|primary' command");
    for option in ["master-reboot-down-after-period", "primary-reboot-down-after-period"] {
        sentinel.ok(&["SENTINEL", "SET", NAME, option, "5000"]);
    }
    // Any epoch above the current one is voted for on request, with the primary well.
    let id = sentinel.call(&["SENTINEL", "MYID"]).text();
    for (command, epoch) in [("IS-PRIMARY-DOWN-BY-ADDR", "50"), ("IS-MASTER-DOWN-BY-ADDR", "99")] {
        let vote = sentinel.call(&["SENTINEL", command, &ip, &port.to_string(), epoch, &id]);
        assert_eq!(vote.texts(), ["0", &id, epoch]);
    }
    assert!(
        sentinel.conf_text().contains("sentinel leader-epoch mymaster 99"),
        "a vote is saved before it is given"
    );
}

#[test]
fn replicas_that_are_not_announced_are_hidden() {
    let group = Group::start();
    let sentinel = &group.sentinels[0];
    sentinel.ok(&["SENTINEL", "DEBUG", "info-period", "100"]);
    group.nodes[1].call(&["CONFIG", "SET", "replica-announced", "no"]);
    eventually("it is hidden", || sentinel.rows("REPLICAS", NAME).len() == 1);
    assert_eq!(sentinel.master(NAME)["num-slaves"], "2");
    group.nodes[1].call(&["CONFIG", "SET", "replica-announced", "yes"]);
    eventually("it is shown again", || sentinel.rows("REPLICAS", NAME).len() == 2);
}

#[test]
fn clients_that_kill_themselves_get_their_answer() {
    let group = one_sentinel();
    let sentinel = &group.sentinels[0];
    let mut client = sentinel.connect().unwrap();
    assert!(!client.call(&["CLIENT", "KILL", "USER", "default", "SKIPME", "no"]).is_error());
    assert!(client.read_to_close().unwrap().is_empty());
    sentinel.ok(&["ACL", "SETUSER", "joe", "on", "nopass", "+@all"]);
    let mut joe = sentinel.connect().unwrap();
    assert_eq!(joe.call(&["AUTH", "joe", "x"]).text(), "OK");
    assert_eq!(joe.call(&["ACL", "DELUSER", "joe"]), Value::Int(1));
    assert!(joe.read_to_close().unwrap().is_empty());
}

#[test]
fn quit_and_shutdown_end_it_cleanly() {
    let mut group = one_sentinel();
    let sentinel = &mut group.sentinels[0];
    let mut client = sentinel.connect().unwrap();
    assert_eq!(client.call(&["QUIT"]).text(), "OK");
    assert!(client.read_to_close().unwrap().is_empty());
    let list = sentinel.call(&["COMMAND", "LIST"]).texts();
    assert!(!list.iter().any(|name| name == "quit"), "QUIT is accepted but not listed");
    let mut client = sentinel.connect().unwrap();
    client.send(&["SHUTDOWN"]).unwrap();
    assert!(client.read_to_close().unwrap().is_empty(), "SHUTDOWN closes without a reply");
    assert!(sentinel.process().wait().success());
    assert!(sentinel.log().contains("Sentinel is now ready to exit, bye bye..."), "{}", sentinel.log());
    sentinel.forget_process();
    sentinel.restart();
    group.settled();
}

#[test]
fn a_unix_socket_and_two_protocols_on_it() {
    let path = std::env::temp_dir().join(format!("vedette-test-{}.sock", std::process::id()));
    let mut group = Spec {
        programs: Spec::default().programs[..1].to_vec(),
        quorum: 1,
        head: vec![format!("unixsocket {}", path.display())],
        ..Spec::default()
    }
    .start();
    let mut client = poll("the socket answers", || Client::connect_unix(&path));
    assert!(matches!(client.call(&["SENTINEL", "MASTER", NAME]), Value::Array(_)));
    client.call(&["HELLO", "3"]);
    assert!(matches!(client.call(&["SENTINEL", "MASTER", NAME]), Value::Map(_)));
    client.call(&["SUBSCRIBE", "+set"]);
    group.sentinels[0].ok(&["SENTINEL", "SET", NAME, "quorum", "1"]);
    assert!(matches!(client.read().unwrap(), Value::Push(_)));
    group.sentinels[0].terminate();
    assert!(!path.exists(), "the socket is removed at the end");
}
