use std::collections::BTreeSet;

use super::*;
use crate::config::Identity;
use crate::server::table;

fn ask(identity: Identity, words: &str) -> Reply {
    let args: Vec<Bytes> =
        words.split_whitespace().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
    command(&Table::new(identity), &args)
}

fn names(reply: &Reply) -> Vec<&str> {
    reply.elements().unwrap().iter().map(|name| name.text().unwrap()).collect()
}

fn encoded(reply: &Reply, protocol: crate::resp::Protocol) -> String {
    let mut out = bytes::BytesMut::new();
    crate::resp::encode_reply(reply, protocol, &mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn every_command_is_documented_once() {
    let documented: Vec<&str> = entries().map(|entry| entry.full_name).collect();
    let unique: BTreeSet<&str> = documented.iter().copied().collect();
    assert_eq!(documented.len(), unique.len());
    let known: BTreeSet<&str> =
        table::all().map(|spec| spec.full_name).filter(|name| *name != "quit").collect();
    assert_eq!(unique, known);
    assert!(entries().all(|entry| !entry.summary.is_empty() && !entry.summary.ends_with('.')));
}

#[test]
fn count_and_list_depend_on_the_identity() {
    for (identity, count) in [(Identity::Redis70, 72), (Identity::Redis80, 73), (Identity::Valkey80, 77)] {
        assert_eq!(ask(identity, "COMMAND COUNT"), Reply::Int(15));
        let list = ask(identity, "COMMAND LIST");
        assert_eq!(names(&list).len(), count);
        assert_eq!(names(&list).contains(&"client|setinfo"), identity != Identity::Redis70);
        assert_eq!(names(&list).contains(&"sentinel|primaries"), identity == Identity::Valkey80);
        assert!(!names(&list).contains(&"quit"));
        assert_eq!(ask(identity, "COMMAND").elements().unwrap().len(), 15);
    }
}

#[test]
fn list_filters() {
    let ask = |words: &str| ask(Identity::Redis70, words);
    assert_eq!(names(&ask("COMMAND LIST FILTERBY ACLCAT admin")).len(), 38);
    assert_eq!(names(&ask("COMMAND LIST FILTERBY ACLCAT FAST")).len(), 5);
    assert_eq!(
        names(&ask("COMMAND LIST filterby PATTERN P*")),
        ["ping", "psubscribe", "publish", "punsubscribe"]
    );
    assert_eq!(names(&ask("COMMAND LIST FILTERBY PATTERN sentinel|m*")).len(), 4);
    for none in ["MODULE x", "ACLCAT x", "ACLCAT @admin", "PATTERN quit"] {
        assert_eq!(ask(&format!("COMMAND LIST FILTERBY {none}")), Reply::Array(Vec::new()), "{none}");
    }
    for bad in ["FILTERBY", "FILTERBY MODULE", "FILTERBY FOO p*", "X", "FILTERBY PATTERN a b"] {
        assert_eq!(ask(&format!("COMMAND LIST {bad}")).text(), Some("ERR syntax error"), "{bad}");
    }
}

// The bytes are redis-sentinel's.
#[test]
fn info_has_sentinels_bytes() {
    let ping = ask(Identity::Redis70, "COMMAND INFO PING nosuch sentinel|nope");
    assert_eq!(
        encoded(&ping, crate::resp::Protocol::Resp2),
        "*3\r\n*10\r\n$4\r\nping\r\n:-1\r\n*1\r\n+fast\r\n:0\r\n:0\r\n:0\r\n*2\r\n+@fast\r\n+@connection\r\n*2\r\n\
         $25\r\nrequest_policy:all_shards\r\n$29\r\nresponse_policy:all_succeeded\r\n*0\r\n*0\r\n$-1\r\n$-1\r\n"
    );
    let master = ask(Identity::Redis70, "COMMAND INFO nosuch sentinel|master");
    assert_eq!(
        encoded(&master, crate::resp::Protocol::Resp3),
        "*2\r\n_\r\n*10\r\n$15\r\nsentinel|master\r\n:3\r\n~1\r\n+admin\r\n:0\r\n:0\r\n:0\r\n~3\r\n+@admin\r\n+@slow\r\n\
         +@dangerous\r\n~0\r\n~0\r\n~0\r\n"
    );
    let shutdown = ask(Identity::Redis70, "COMMAND INFO shutdown");
    assert_eq!(
        encoded(&shutdown, crate::resp::Protocol::Resp2),
        "*1\r\n*10\r\n$8\r\nshutdown\r\n:-1\r\n*6\r\n+admin\r\n+noscript\r\n+loading\r\n+stale\r\n+no_multi\r\n\
         +allow_busy\r\n:0\r\n:0\r\n:0\r\n*3\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n*0\r\n*0\r\n*0\r\n"
    );
    let subcommands = |identity| {
        let info = ask(identity, "COMMAND INFO sentinel");
        let command = info.elements().unwrap()[0].elements().unwrap().to_vec();
        command[9].elements().unwrap().len()
    };
    assert_eq!((subcommands(Identity::Redis70), subcommands(Identity::Valkey80)), (21, 25));
    assert_eq!(ask(Identity::Redis70, "COMMAND INFO quit"), Reply::Array(vec![Reply::Nil]));
    assert_eq!(ask(Identity::Redis70, "COMMAND INFO"), ask(Identity::Redis70, "COMMAND"));
}

#[test]
fn no_command_has_keys() {
    for (request, error) in [
        ("ping a", "ERR The command has no key arguments"),
        ("sentinel master a", "ERR The command has no key arguments"),
        ("publish a", "ERR The command has no key arguments"),
        ("get a", "ERR Invalid command specified"),
        ("sentinel nope a", "ERR Invalid command specified"),
        ("quit a", "ERR Invalid command specified"),
    ] {
        for name in ["GETKEYS", "getkeysandflags"] {
            assert_eq!(ask(Identity::Redis70, &format!("COMMAND {name} {request}")).text(), Some(error));
        }
    }
}

#[test]
fn docs_show_what_is_known() {
    let Reply::Map(docs) = ask(Identity::Redis70, "COMMAND DOCS ping nope Sentinel|Slaves quit") else {
        panic!()
    };
    let shown: Vec<&str> = docs.iter().map(|(name, _)| name.text().unwrap()).collect();
    assert_eq!(shown, ["ping", "sentinel|slaves"]);
    let keys = |reply: &Reply| {
        let Reply::Map(fields) = reply else { panic!("{reply:?}") };
        fields.iter().map(|(key, _)| key.text().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(keys(&docs[0].1), "summary since group complexity arguments");
    assert_eq!(
        keys(&docs[1].1),
        "summary since group complexity doc_flags deprecated_since replaced_by arguments"
    );
    assert_eq!(ask(Identity::Redis70, "COMMAND DOCS save"), Reply::Map(Vec::new()));
    assert_eq!(ask(Identity::Redis70, "COMMAND DOCS client|setinfo"), Reply::Map(Vec::new()));

    let Reply::Map(all) = ask(Identity::Redis80, "COMMAND DOCS") else { panic!() };
    assert_eq!(all.len(), 15);
    let (_, client) = all.iter().find(|(name, _)| name.text() == Some("client")).unwrap();
    assert_eq!(keys(client), "summary since group complexity subcommands");
    let Reply::Map(fields) = client else { panic!() };
    assert!(keys(&fields[4].1).contains("client|setinfo"));
}

#[test]
fn help_starts_as_clients_expect() {
    let help = ask(Identity::Redis70, "COMMAND HELP");
    let lines = help.elements().unwrap();
    assert!(lines[0].text().unwrap().starts_with("COMMAND <subcommand> "));
    assert!(lines.iter().all(|line| matches!(line, Reply::Simple(_))));
}
