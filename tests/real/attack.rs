//! What somebody who may PUBLISH on a data node, or who sets limits for the process, can do to the daemon: nothing that
//! lasts. Whatever happened, the file can be read again.

use std::process::Command;

use crate::support::group::{Group, NAME, Spec};
use crate::support::resp::Value;
use crate::support::{Client, Program, Sentinel, eventually};

fn one_sentinel() -> Group {
    Spec { programs: vec![Program::subject()], quorum: 1, replicas: 0, ..Spec::default() }.start()
}

/// A restart on the file as it is; the group's address and epoch are still what they were.
fn comes_back(sentinel: &mut Sentinel) {
    let before = (sentinel.address(NAME), sentinel.master_field(NAME, "config-epoch"));
    sentinel.kill();
    sentinel.restart();
    assert_eq!((sentinel.address(NAME), sentinel.master_field(NAME, "config-epoch")), before);
}

#[test]
fn made_up_hellos_change_nothing_that_lasts() {
    let mut group = one_sentinel();
    let port = group.nodes[0].port();
    let address = group.sentinels[0].address(NAME);
    let mut node = Client::connect("127.0.0.1", port).unwrap();
    let mut say = |hello: &str| {
        assert_eq!(node.call(&["PUBLISH", "__sentinel__:hello", hello]), Value::Int(1), "{hello:?}");
    };
    let id = "f".repeat(40);
    for primary in ["127.0.0.1,0", "0.0.0.0,1", "::,1", "224.0.0.1,1", ",1", "a b,1", "127.0.0.1,65536"] {
        say(&format!("127.0.0.1,1,{id},0,{NAME},{primary},9"));
    }
    for id in ["a b", "a\nb", "a\r\nsentinel monitor evil 127.0.0.1 1 1", "\u{e9}", "\"", "#", "\\x0a", "'"] {
        say(&format!("127.0.0.1,2,{id},0,{NAME},127.0.0.1,{port},0"));
    }
    for number in 0..2000 {
        let host = format!("127.1.{}.{}", number / 200, number % 200);
        say(&format!("{host},1,{number:040x},0,{NAME},127.0.0.1,{port},0"));
    }
    let sentinel = &mut group.sentinels[0];
    // In the order of the messages: when the last one is there, all others were heard.
    say(&format!("127.0.0.1,1,{id},3,{NAME},127.0.0.1,{port},3"));
    eventually("the last hello is heard", || sentinel.master_field(NAME, "config-epoch") == "3");
    assert_eq!(sentinel.address(NAME), address);
    assert_eq!(sentinel.rows("SENTINELS", NAME).len(), 256, "no more than the table holds");
    comes_back(sentinel);
    assert_eq!(sentinel.rows("SENTINELS", NAME).len(), 256);
}

#[test]
fn a_file_over_the_limit_of_its_size_is_a_failed_save() {
    let mut group = one_sentinel();
    let sentinel = &mut group.sentinels[0];
    let limit = |sentinel: &mut Sentinel, limit: &str| {
        let pid = sentinel.process().pid().to_string();
        let status = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limit}")]).status();
        assert!(status.unwrap().success());
    };
    limit(sentinel, "100:unlimited");
    let reply = sentinel.call(&["SENTINEL", "FLUSHCONFIG"]);
    assert_eq!(reply, Value::Error("ERR Failed to save config file. Check server logs.".to_owned()));
    comes_back(sentinel);
}
