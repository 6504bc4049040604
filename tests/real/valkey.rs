//! Valkey: valkey-server as the data nodes, and this program called valkey-sentinel beside the genuine one.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::security::LEAST;
use crate::support::group::NAME;
use crate::support::node::VALKEY;
use crate::support::sentinel::SentinelSpec;
use crate::support::{
    Client, Group, Login, Node, Port, Program, Sentinel, Spec, Value, Writer, eventually, poll,
};

fn spec() -> Spec {
    Spec { server: VALKEY, ..Spec::default() }
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// The genuine program and this one, both called valkey-sentinel.
fn pair(lines: &[String]) -> [Sentinel; 2] {
    [Program::genuine_valkey(), Program::subject().named("valkey-sentinel")].map(|program| {
        Sentinel::start(&SentinelSpec { program, lines: lines.to_vec(), ..SentinelSpec::default() })
    })
}

/// kill -9 of the primary and what follows, then the operator's failover, both under writes.
fn goes_through_failovers(group: &mut Group) {
    assert!(group.nodes.iter().all(|node| node.info("valkey_version").starts_with("8.0.")));
    let writer = Writer::start(group);
    writer.goes_on();
    let old = group.primary_port();
    let new = group.fails_over();
    writer.goes_on();
    assert_ne!(new, old);
    assert!(group.node(old).follows(new), "the old primary is back as a replica");
    group.sentinels[1].ok(&["SENTINEL", "FAILOVER", NAME]);
    let third = group.switched_from(new);
    writer.goes_on();
    group.all_follow(third);
    group.settled();
}

#[test]
fn valkey_nodes_go_through_failovers() {
    goes_through_failovers(&mut spec().start());
}

#[test]
fn valkey_nodes_with_a_password_go_through_failovers() {
    let mut group = Spec {
        node_lines: lines(&["requirepass datapass", "primaryauth datapass"]),
        group_lines: lines(&["auth-pass mymaster datapass"]),
        node_login: Login::password("datapass"),
        ..spec()
    }
    .start();
    goes_through_failovers(&mut group);
}

#[test]
fn the_documented_least_privilege_user_is_enough_on_valkey() {
    let mut group = Spec {
        node_lines: lines(&[
            LEAST,
            "user replica on >replicapass -@all +psync +replconf +ping",
            "user admin on >adminpass ~* &* +@all",
            "user default off",
            "primaryuser replica",
            "primaryauth replicapass",
        ]),
        group_lines: lines(&["auth-pass mymaster sentinelpass", "auth-user mymaster sentinel"]),
        node_login: Login::user("admin", "adminpass"),
        ..spec()
    }
    .start();
    goes_through_failovers(&mut group);
    for node in &group.nodes {
        let denied = node.call(&["ACL", "LOG"]);
        assert!(denied.items().is_empty(), "node {} refused: {denied:?}", node.port());
    }
}

#[test]
fn a_fleet_with_a_genuine_valkey_sentinel_agrees() {
    let programs = vec![Program::subject(), Program::subject(), Program::genuine_valkey()];
    let mut group = Spec { programs, ..spec() }.start();
    let writer = Writer::start(&group);
    writer.goes_on();
    let new = group.fails_over();
    writer.goes_on();
    let epochs: BTreeSet<String> =
        group.sentinels.iter().map(|sentinel| sentinel.master_field(NAME, "config-epoch")).collect();
    assert_eq!(epochs.len(), 1, "{epochs:?}");
    let leaders = group.sentinels.iter().map(|s| s.call(&["SENTINEL", "CKQUORUM", NAME]).text());
    leaders.for_each(|text| assert!(text.starts_with("OK 3 usable Sentinels."), "{text}"));
    // And it takes this program's place, with its file.
    group.sentinels[0].replace_by(Program::genuine_valkey());
    group.settled();
    assert_eq!(group.primary_port(), new);
    group.fails_over();
}

/// Names of INFO's fields, section titles among them, in order.
fn info_names(sentinel: &Sentinel) -> Vec<String> {
    let text = sentinel.call(&["INFO", "everything"]).text();
    let names = text.lines().map(|line| line.split(':').next().unwrap_or_default().to_owned());
    names.filter(|name| !name.starts_with("cmdstat_") && !name.starts_with("latency_percentiles")).collect()
}

fn hello(sentinel: &Sentinel, protocol: &str) -> Vec<(String, String)> {
    let reply = sentinel.connect().unwrap().call(&["HELLO", protocol]);
    let pairs: Vec<(Value, Value)> = match reply {
        Value::Map(pairs) => pairs,
        other => other.items().chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
    };
    let text = |name: &str, value: &Value| match (name, value) {
        // Theirs is the package's: 8.0.1.
        ("version", value) => value.text().rsplit_once('.').unwrap().0.to_owned(),
        ("id", Value::Int(_)) => "a number".to_owned(),
        (_, value) => format!("{value:?}"),
    };
    pairs.iter().map(|(name, value)| (name.text(), text(&name.text(), value))).collect()
}

#[test]
fn called_valkey_sentinel_it_looks_like_it() {
    for extra in ["no", "yes"] {
        let [genuine, subject] = pair(&[format!("extended-redis-compatibility {extra}")]);
        assert_eq!(info_names(&subject), info_names(&genuine));
        for protocol in ["2", "3"] {
            assert_eq!(hello(&subject, protocol), hello(&genuine, protocol));
        }
        for field in ["redis_version", "server_name"] {
            let value = |sentinel: &Sentinel| {
                let text = sentinel.call(&["INFO", "server"]).text();
                text.lines().find(|line| line.starts_with(field)).map(str::to_owned).expect(field)
            };
            assert_eq!(value(&subject), value(&genuine));
        }
        let commands = |sentinel: &Sentinel| -> BTreeSet<String> {
            sentinel.call(&["COMMAND", "LIST"]).texts().into_iter().collect()
        };
        assert_eq!(commands(&subject), commands(&genuine));
        assert_eq!(subject.call(&["COMMAND", "COUNT"]), genuine.call(&["COMMAND", "COUNT"]));
    }
}

#[test]
fn a_link_called_valkey_sentinel_tells_valkey_s_version() {
    let dir = TempDir::with_prefix("vedette-link").unwrap();
    let link = dir.path().join("valkey-sentinel");
    symlink(Program::subject().path(), &link).unwrap();
    let version = |path: &std::path::Path| {
        let output = Command::new(path).arg("--version").env_remove("VEDETTE_IDENTITY").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (ours, theirs) = (version(&link), version(Program::genuine_valkey().path()));
    let names = |text: &str| -> Vec<String> {
        text.split_whitespace().map(|word| word.split('=').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&ours), names(&theirs));
    assert!(ours.starts_with("Valkey server v=8.0.") && theirs.starts_with("Valkey server v=8.0."), "{ours}");
}

#[test]
fn requests_are_answered_as_by_valkey_sentinel() {
    // Nothing listens there; both are to say so in the same words.
    let port = Port::reserve();
    let lines = [format!("sentinel monitor gone 127.0.0.1 {} 1", port.number())];
    let [genuine, subject] = pair(&lines);
    for request in [
        "SENTINEL PRIMARIES x",
        "SENTINEL PRIMARY",
        "SENTINEL PRIMARY nope",
        "SENTINEL MASTER nope",
        "SENTINEL GET-PRIMARY-ADDR-BY-NAME",
        "SENTINEL GET-PRIMARY-ADDR-BY-NAME nope",
        "SENTINEL GET-PRIMARY-ADDR-BY-NAME gone",
        "SENTINEL GET-MASTER-ADDR-BY-NAME gone",
        "SENTINEL IS-PRIMARY-DOWN-BY-ADDR",
        "SENTINEL IS-PRIMARY-DOWN-BY-ADDR 127.0.0.1 x 0 *",
        "SENTINEL IS-PRIMARY-DOWN-BY-ADDR 127.0.0.1 1 0 *",
        "SENTINEL REPLICAS nope",
        "SENTINEL REPLICAS gone",
        "SENTINEL SENTINELS nope",
        "SENTINEL CKQUORUM nope",
        "SENTINEL FAILOVER nope",
        "SENTINEL FAILOVER gone",
        "SENTINEL REMOVE nope",
        "SENTINEL MONITOR a b c d",
        "SENTINEL MONITOR a 127.0.0.1 1 0",
        "SENTINEL MONITOR a 127.0.0.1 99999 1",
        "SENTINEL MONITOR gone 127.0.0.1 1 1",
        "SENTINEL SET nope quorum 1",
        "SENTINEL SET gone quorum x",
        "SENTINEL SET gone foo bar",
        "SENTINEL SET gone primary-reboot-down-after-period x",
        "SENTINEL SET gone primary-reboot-down-after-period -1",
        "SENTINEL SET gone primary-reboot-down-after-period",
        "SENTINEL SET gone primary-reboot-down-after-period 4000",
        "SENTINEL SET gone master-reboot-down-after-period 5000",
        "SENTINEL DEBUG foo 1",
        "SENTINEL FOO",
        "SENTINEL",
        "ACL SAVE",
        "ACL LOAD",
        "ROLE",
        "GET x",
        "CLIENT SETINFO foo bar",
    ] {
        let words: Vec<&str> = request.split(' ').collect();
        assert_eq!(subject.call(&words), genuine.call(&words), "{request}");
    }
    let names = |sentinel: &Sentinel| -> Vec<String> {
        let rows = sentinel.call(&["SENTINEL", "PRIMARIES"]);
        assert_eq!(rows.items().len(), 1);
        rows.items()[0].items().iter().step_by(2).map(Value::text).collect()
    };
    assert_eq!(names(&subject), names(&genuine));
}

#[test]
fn the_wait_after_a_reboot_is_kept_in_either_program_s_file() {
    let node = Node::start(&crate::support::node::NodeSpec { program: VALKEY, ..Default::default() });
    let monitor = format!("sentinel monitor {NAME} 127.0.0.1 {} 1", node.port());
    let [mut genuine, mut subject] =
        pair(&[monitor, format!("sentinel primary-reboot-down-after-period {NAME} 4000")]);
    // Redis's name for it is understood by all, so that is what this program writes.
    let line = |who: &str, period: u32| format!("sentinel {who}-reboot-down-after-period {NAME} {period}\n");
    for (sentinel, who) in [(&genuine, "primary"), (&subject, "master")] {
        sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
        assert!(sentinel.conf_text().contains(&line(who, 4000)), "{}", sentinel.conf_text());
        sentinel.ok(&["SENTINEL", "SET", NAME, "primary-reboot-down-after-period", "6000"]);
    }
    // Each starts on the other's file, and gives it back.
    genuine.replace_by(Program::subject().named("valkey-sentinel"));
    subject.replace_by(Program::genuine_valkey());
    for (sentinel, who) in [(&genuine, "master"), (&subject, "primary")] {
        eventually("the node is well", || sentinel.master_field(NAME, "flags") == "master");
        sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
        assert!(sentinel.conf_text().contains(&line(who, 6000)), "{}", sentinel.conf_text());
    }
    // The genuine one left the other's line beside its own; the later one counts and is the only one then.
    subject.replace_by(Program::subject());
    subject.ok(&["SENTINEL", "FLUSHCONFIG"]);
    let text = subject.conf_text();
    assert!(text.contains(&line("master", 6000)), "{text}");
    assert_eq!(text.matches("reboot-down-after-period").count(), 1, "{text}");
}

#[test]
fn debian_s_valkey_file_loads_and_is_given_back() {
    let dir = TempDir::with_prefix("vedette-sample").unwrap();
    let node = Node::start(&crate::support::node::NodeSpec { program: VALKEY, ..Default::default() });
    let port = Port::reserve();
    let place = dir.path().display().to_string();
    let text = fs::read_to_string("/etc/valkey/sentinel.conf")
        .expect("Debian's file of valkey-sentinel")
        .replace("port 26379", &format!("port {}", port.number()))
        .replace("127.0.0.1 6379", &format!("127.0.0.1 {}", node.port()))
        .replace("/run/sentinel", &place)
        .replace("/var/log/valkey", &place)
        .replace("/var/lib/valkey", &place);
    assert!(text.contains("\ndaemonize yes") && text.contains("primary-reboot-down-after-period"), "{text}");
    let conf = dir.path().join("sentinel.conf");
    fs::write(&conf, &text).unwrap();
    let pid_file = dir.path().join("valkey-sentinel.pid");
    let mut ids = BTreeSet::new();
    for program in
        [Program::subject().named("valkey-sentinel"), Program::genuine_valkey(), Program::subject()]
    {
        let started = program.command().arg(&conf).stdin(Stdio::null()).output().unwrap();
        assert!(started.status.success(), "{started:?}");
        let mut client = poll("it answers", || Client::connect("127.0.0.1", port.number()));
        eventually("the node is well", || {
            client.call(&["SENTINEL", "PRIMARY", NAME]).fields()["flags"] == "master"
        });
        ids.insert(client.call(&["SENTINEL", "MYID"]).text());
        assert_eq!(client.call(&["SENTINEL", "SET", NAME, "quorum", "3"]).text(), "OK");
        let _ = client.command(&["SHUTDOWN"]);
        eventually("nothing listens", || Client::connect("127.0.0.1", port.number()).is_err());
        eventually("the pid file is gone", || !pid_file.exists());
        let now = fs::read_to_string(&conf).unwrap();
        for line in ["daemonize yes", "acllog-max-len 128", &format!("sentinel monitor {NAME} ")] {
            assert!(now.contains(line), "{line} is missing in\n{now}");
        }
        // Its comments are the administrator's.
        let comments = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        assert!(comments(&now) >= comments(&text), "comments got lost in\n{now}");
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
}
