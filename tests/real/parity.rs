//! The same questions to this program and to the genuine redis-sentinel beside it on the same group: the answers must be
//! the same bytes. Only ids, ages, ports of the two themselves and the order of rows are masked.

#[path = "parity/cases.rs"]
mod cases;

use std::collections::BTreeSet;

use self::cases::{BYTES, LATER, QUERIES};
use crate::support::group::NAME;
use crate::support::{Client, Group, Login, Program, Sentinel, Spec, Value, eventually, poll};

/// A word that no command has; its error ends a conversation whatever state the connection is in.
const END: &str = "end-of-conversation";

/// Values that are moments, ages, offsets or process-wide random numbers.
const MASKED: &[&str] = &[
    "last-ping-sent",
    "last-ok-ping-reply",
    "last-ping-reply",
    "s-down-time",
    "master-link-down-time",
    "o-down-time",
    "info-refresh",
    "role-reported-time",
    "last-hello-message",
    "link-pending-commands",
    "slave-repl-offset",
    "master-link-down-time",
    "id",
];

fn words(text: &str) -> Vec<&str> {
    text.trim().split(' ').map(|word| if word == "''" { "" } else { word }).collect()
}

/// All replies to a conversation, up to the reply to [`END`] or to the close of the connection.
fn converse(client: &mut Client, conversation: &str) -> Vec<(Value, Vec<u8>)> {
    let mut replies = Vec::new();
    for command in conversation.split(';') {
        if client.send(&words(command)).is_err() {
            break;
        }
    }
    let _ = client.send(&[END]);
    while let Ok((value, bytes)) = client.read_raw() {
        if matches!(&value, Value::Error(text) if text.contains(END)) {
            return replies;
        }
        replies.push((value, bytes));
    }
    replies.push((Value::Simple("(closed)".to_owned()), Vec::new()));
    replies
}

/// The pair under comparison: what differs between them by nature is masked.
struct Masks {
    ports: [u16; 2],
}

impl Masks {
    fn text(&self, text: &str) -> String {
        let mut out = String::new();
        // Ids of 40 hex digits.
        for part in split_hex(text) {
            out.push_str(if is_id(part) { "ID" } else { part });
        }
        for port in self.ports {
            out = out.replace(&port.to_string(), "PORT");
        }
        out
    }

    /// The whole answer to a conversation in canonical form. Lists of command names have no order.
    fn answer(&self, conversation: &str, value: &Value) -> String {
        let unordered = conversation.starts_with("COMMAND LIST") || conversation.starts_with("ACL CAT");
        match value {
            Value::Array(items) if unordered => {
                let mut items = self.items(items);
                items.sort();
                format!("*[{}]", items.join(" "))
            }
            other => self.show(other),
        }
    }

    /// A canonical form: the structure with masked leaves, rows sorted.
    fn show(&self, value: &Value) -> String {
        let leaf = |text: &str| self.text(text);
        match value {
            Value::Simple(text) => format!("+{}", leaf(text)),
            Value::Error(text) => format!("-{}", leaf(text)),
            Value::Bulk(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                let rules =
                    text.starts_with("user ") || text.starts_with("+@all ") || text.starts_with("-@all ");
                format!("${}", if rules { leaf(&sorted(&text)) } else { leaf(&text) })
            }
            Value::Int(number) => format!(":{number}"),
            Value::Double(text) => format!(",{text}"),
            Value::Bool(flag) => format!("#{flag}"),
            Value::Null => "null".to_owned(),
            Value::NullArray => "null array".to_owned(),
            Value::Array(items) => format!("*[{}]", self.items(items).join(" ")),
            Value::Push(items) => format!(">[{}]", self.items(items).join(" ")),
            Value::Map(pairs) => {
                let flat: Vec<Value> =
                    pairs.iter().flat_map(|(key, value)| [key.clone(), value.clone()]).collect();
                format!("%[{}]", self.items(&flat).join(" "))
            }
        }
    }

    fn items(&self, items: &[Value]) -> Vec<String> {
        let mut shown = Vec::new();
        let mut mask = false;
        for item in items {
            let masked = mask && matches!(item, Value::Bulk(_) | Value::Int(_));
            shown.push(if masked { "AGE".to_owned() } else { self.show(item) });
            mask = matches!(item, Value::Bulk(key) if MASKED.iter().any(|name| name.as_bytes() == key));
        }
        // Rows have no order.
        if items.len() > 1 && items.iter().all(|item| matches!(item, Value::Map(_) | Value::Array(_))) {
            shown.sort();
        }
        shown
    }
}

/// The words in order: Redis lists the commands of an ACL rule in the order of a hash table with a random seed.
fn sorted(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    words.sort_unstable();
    words.join(" ")
}

fn is_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Splits into runs of hex digits and runs of others.
fn split_hex(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let hex = c.is_ascii_hexdigit();
        if last.is_some_and(|last| last != hex) {
            parts.push(&text[start..at]);
            start = at;
        }
        last = Some(hex);
    }
    parts.push(&text[start..]);
    parts
}

fn pair(head: &[&str], login: Login) -> Group {
    Spec {
        programs: vec![Program::genuine(), Program::subject_as_redis_7()],
        quorum: 1,
        head: head.iter().map(|line| (*line).to_owned()).collect(),
        sentinel_login: login,
        ..Spec::default()
    }
    .start()
}

fn masks(group: &Group) -> Masks {
    Masks { ports: [group.sentinels[0].port(), group.sentinels[1].port()] }
}

/// Runs the conversations on both and tells where they differ.
fn differences(
    group: &Group,
    protocol: &str,
    conversations: &[&str],
    connect: fn(&Sentinel) -> Client,
) -> Vec<String> {
    let masks = masks(group);
    let mut found = Vec::new();
    for conversation in conversations {
        let [genuine, subject] = [&group.sentinels[0], &group.sentinels[1]].map(|sentinel| {
            let mut client = connect(sentinel);
            if protocol == "3" {
                client.call(&["HELLO", "3"]);
            }
            converse(&mut client, conversation)
        });
        let same = genuine.len() == subject.len()
            && genuine.iter().zip(&subject).all(|(left, right)| {
                left.1 == right.1
                    || masks.answer(conversation, &left.0) == masks.answer(conversation, &right.0)
            });
        if !same {
            let show = |replies: &[(Value, Vec<u8>)]| {
                replies.iter().map(|(value, _)| masks.show(value)).collect::<Vec<_>>().join("\n      ")
            };
            found.push(format!(
                "RESP{protocol} {conversation}\n  genuine\n      {}\n  subject\n      {}",
                show(&genuine),
                show(&subject)
            ));
        }
    }
    found
}

#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "{} answers differ\n{}", found.len(), found.join("\n"));
}

/// The two learn of a change at different moments, each when its next question to the instance is due; they must come
/// to the same answers.
fn converge(group: &Group, protocol: &str, conversations: &[&str]) {
    poll("the same answers", || {
        let found = differences(group, protocol, conversations, logged_in);
        if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
    });
}

fn logged_in(sentinel: &Sentinel) -> Client {
    sentinel.connect().unwrap()
}

fn bare(sentinel: &Sentinel) -> Client {
    sentinel.connect_bare().unwrap()
}

#[test]
fn queries_and_errors_are_the_same_bytes() {
    let group = pair(&[], Login::default());
    let mut found = Vec::new();
    for protocol in ["2", "3"] {
        // The conversations before made both drop links, and they come back at different moments.
        group.settled();
        found.extend(differences(&group, protocol, QUERIES, logged_in));
    }
    none(&found);
}

#[test]
fn what_later_versions_serve_is_served_under_this_identity_too() {
    let group = pair(&[], Login::default());
    for (conversation, genuine, subject) in LATER {
        let [left, right] = [&group.sentinels[0], &group.sentinels[1]]
            .map(|sentinel| sentinel.call(&words(conversation)).text());
        assert_eq!((&*left, &*right), (*genuine, *subject), "{conversation}");
    }
}

#[test]
fn answers_to_strangers_are_the_same_bytes() {
    let group = pair(&["requirepass peerpass"], Login::password("peerpass"));
    let conversations = [
        "PING",
        "SENTINEL MASTERS",
        "SENTINEL MASTER",
        "SENTINEL nonsense",
        "nosuch x",
        "SUBSCRIBE a",
        "HELLO",
        "HELLO 3",
        "HELLO 3 AUTH default wrong",
        "HELLO 3 AUTH default peerpass; PING",
        "HELLO 2 AUTH default peerpass SETNAME me; CLIENT GETNAME",
        "AUTH wrong; PING",
        "AUTH default wrong",
        "AUTH nobody peerpass",
        "AUTH peerpass; PING; ACL WHOAMI; AUTH wrong; PING",
        "COMMAND COUNT",
        "ROLE",
    ];
    none(&differences(&group, "2", &conversations, bare));
}

#[test]
fn requests_as_bytes_get_the_same_bytes() {
    let group = pair(&[], Login::default());
    let mut found = Vec::new();
    for request in BYTES {
        let [genuine, subject] = [&group.sentinels[0], &group.sentinels[1]].map(|sentinel| {
            let mut client = sentinel.connect().unwrap();
            let end = format!("\r\n{END}\r\n");
            client.send_bytes(request).unwrap();
            let _ = client.send_bytes(end.as_bytes());
            let mut bytes = Vec::new();
            while let Ok((value, raw)) = client.read_raw() {
                bytes.extend(raw);
                if value.is_error() {
                    break;
                }
            }
            String::from_utf8_lossy(&bytes).into_owned()
        });
        if genuine != subject {
            let request = String::from_utf8_lossy(request).into_owned();
            found.push(format!("{request:?}\n  genuine {genuine:?}\n  subject {subject:?}"));
        }
    }
    none(&found);
}

/// Names of the fields of INFO by section.
fn info_fields(sentinel: &Sentinel) -> BTreeSet<String> {
    let mut section = String::new();
    let text = sentinel.call(&["INFO", "everything"]).text();
    text.lines()
        .filter_map(|line| {
            if let Some(name) = line.strip_prefix("# ") {
                name.trim().clone_into(&mut section);
                return Some(section.clone());
            }
            line.split_once(':').map(|(field, _)| format!("{section} {field}"))
        })
        // One per failed command, by what happened on the way here.
        .filter(|field| {
            !field.starts_with("Errorstats")
                && !field.starts_with("Commandstats")
                && !field.starts_with("Latencystats")
        })
        .collect()
}

#[test]
fn info_has_the_same_fields_in_the_same_sections() {
    let group = pair(&[], Login::default());
    let (genuine, subject) = (info_fields(&group.sentinels[0]), info_fields(&group.sentinels[1]));
    let missing: Vec<_> = genuine.difference(&subject).collect();
    let extra: Vec<_> = subject.difference(&genuine).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:?}\nextra {extra:?}");
}

#[test]
fn command_list_is_the_same_and_docs_have_the_same_shape() {
    let group = pair(&[], Login::default());
    let [genuine, subject] = [&group.sentinels[0], &group.sentinels[1]];
    let list = |sentinel: &Sentinel| {
        sentinel.call(&["COMMAND", "LIST"]).texts().into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(list(genuine), list(subject));
    assert_eq!(genuine.call(&["COMMAND", "COUNT"]), subject.call(&["COMMAND", "COUNT"]));
    // Documentation: the same commands are described, with a summary and a group each, in words of our own.
    let described = |sentinel: &Sentinel| {
        let reply = sentinel.call(&["COMMAND", "DOCS"]);
        let keys: BTreeSet<String> = reply.items().chunks(2).map(|pair| pair[0].text()).collect();
        for pair in reply.items().chunks(2) {
            let names: Vec<String> = pair[1].items().chunks(2).map(|field| field[0].text()).collect();
            for name in ["summary", "since", "group"] {
                assert!(names.iter().any(|other| other == name), "{}: {names:?}", pair[0].text());
            }
        }
        keys
    };
    assert_eq!(described(genuine), described(subject));
    // COMMAND INFO: name, arity, flags, categories and so on, element by element.
    for name in list(genuine) {
        let shape = |sentinel: &Sentinel| {
            let reply = sentinel.call(&["COMMAND", "INFO", &name]);
            let Value::Array(row) = &reply.items()[0] else { return (format!("{reply:?}"), Vec::new()) };
            let sets: Vec<BTreeSet<String>> =
                [2, 6].iter().map(|at| row[*at].texts().into_iter().collect()).collect();
            (format!("{} {} of {}", row[0].text(), row[1].text(), row.len()), sets)
        };
        assert_eq!(shape(genuine), shape(subject), "COMMAND INFO {name}");
    }
    for container in ["SENTINEL", "ACL", "CLIENT", "COMMAND"] {
        let first = |sentinel: &Sentinel| {
            let reply = sentinel.call(&[container, "HELP"]);
            assert!(reply.items().iter().all(|line| matches!(line, Value::Simple(_))), "{reply:?}");
            reply.items()[0].text()
        };
        assert_eq!(first(genuine), first(subject));
    }
}

/// Instances that are down look the same: flags, extra fields, counts and states.
#[test]
fn instances_that_are_down_look_the_same() {
    // A quorum out of reach, so that nothing is promoted.
    let mut group = Spec {
        programs: vec![Program::genuine(), Program::subject_as_redis_7()],
        quorum: 3,
        ..Spec::default()
    }
    .start();
    let questions = [
        "SENTINEL MASTERS",
        "SENTINEL MASTER mymaster",
        "SENTINEL REPLICAS mymaster",
        "SENTINEL SENTINELS mymaster",
        "SENTINEL CKQUORUM mymaster",
        "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster",
        "INFO sentinel",
        "ROLE",
    ];
    let down = |group: &Group, kind: &str, count: usize| {
        eventually("both see it down", || {
            group.sentinels.iter().all(|sentinel| {
                let rows = if kind == "master" {
                    vec![sentinel.master(NAME)]
                } else {
                    sentinel.rows("REPLICAS", NAME)
                };
                let flags = format!("s_down,{kind},disconnected");
                rows.iter().filter(|row| row["flags"] == flags).count() == count
            })
        });
    };
    group.nodes[2].kill();
    down(&group, "slave", 1);
    converge(&group, "2", &questions);
    group.nodes[0].kill();
    down(&group, "master", 1);
    converge(&group, "3", &questions);
    group.nodes[0].restart();
    group.nodes[2].restart();
    group.settled();
    converge(&group, "3", &questions);
}

/// A failover seen through both: what a subscriber of everything hears, in kind.
#[test]
fn subscribers_hear_the_same_switch() {
    let mut group = pair(&[], Login::default());
    let old = group.primary_port();
    let mut ears: Vec<Client> = group.sentinels.iter().map(|sentinel| sentinel.connect().unwrap()).collect();
    for ear in &mut ears {
        ear.call(&["SUBSCRIBE", "+switch-master"]);
    }
    group.node(old).kill();
    let new = group.switched_from(old);
    let heard: Vec<Vec<u8>> = ears.iter_mut().map(|ear| ear.read_raw().unwrap().1).collect();
    assert_eq!(heard[0], heard[1]);
    let text = String::from_utf8(heard[0].clone()).unwrap();
    assert!(text.contains(&format!("{NAME} 127.0.0.1 {old} 127.0.0.1 {new}")), "{text}");
}
