//! ACL and COMMAND beside the genuine redis-sentinel: the same requests, the same bytes, in RESP2 and RESP3.

#[path = "acl/cases.rs"]
mod cases;

use std::fs;

use crate::support::sentinel::SentinelSpec;
use crate::support::{Client, Login, Program, Sentinel, Value, eventually};

/// How replies are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Byte for byte.
    Exactly,
    /// Redis shows commands in an order that changes with each start: all lines, and the words in them, in order.
    Sorted,
    /// As they are, without the parts of ACL LOG that tell clients and ages.
    Log,
    /// Only the shape: the bytes without texts of our own.
    Shape,
}

/// The program under test and the genuine one.
struct Pair {
    ours: Sentinel,
    theirs: Sentinel,
}

impl Pair {
    fn start(lines: &[&str]) -> Self {
        let start = |program: Program| {
            let lines = lines.iter().map(|line| (*line).to_owned()).collect();
            Sentinel::start(&SentinelSpec { program, lines, ..SentinelSpec::default() })
        };
        Self { ours: start(Program::subject_as_redis_7()), theirs: start(Program::genuine()) }
    }

    fn connect(&self, protocol: &str) -> Both {
        let mut both = Both { ours: self.ours.connect().unwrap(), theirs: self.theirs.connect().unwrap() };
        for client in [&mut both.ours, &mut both.theirs] {
            let hello = client.call(&["HELLO", protocol]);
            assert!(!hello.is_error(), "{hello:?}");
        }
        both
    }
}

/// One connection to each.
struct Both {
    ours: Client,
    theirs: Client,
}

impl Both {
    #[track_caller]
    fn same(&mut self, how: How, words: &[&str]) {
        let ours = shown(how, &self.ours.raw(words));
        let theirs = shown(how, &self.theirs.raw(words));
        assert_eq!(ours, theirs, "{words:?}");
    }

    /// Each line is a request.
    #[track_caller]
    fn all_same(&mut self, how: How, requests: &str) {
        for request in requests.lines().filter(|line| !line.trim().is_empty()) {
            self.same(how, &request.split_whitespace().collect::<Vec<_>>());
        }
    }
}

/// A reply in a form that can be compared.
fn shown(how: How, raw: &[u8]) -> Vec<String> {
    let lines = String::from_utf8_lossy(raw).split("\r\n").map(str::to_owned).collect::<Vec<_>>();
    match how {
        How::Exactly => lines,
        How::Sorted => {
            let mut lines: Vec<String> = lines
                .iter()
                .map(|line| {
                    let mut words: Vec<&str> = line.split(' ').collect();
                    words.sort_unstable();
                    words.join(" ")
                })
                .collect();
            lines.sort_unstable();
            lines
        }
        How::Log => {
            let mut kept = Vec::new();
            let mut lines = lines.into_iter();
            while let Some(line) = lines.next() {
                let masked = line == "client-info" || line == "age-seconds";
                kept.push(line);
                // A bulk string is two lines, a double is one.
                if masked && lines.next().is_some_and(|value| value.starts_with('$')) {
                    lines.next();
                }
            }
            kept
        }
        How::Shape => {
            let marks = lines.iter().map(|line| line.chars().next().filter(|mark| "*~%".contains(*mark)));
            marks.zip(&lines).filter(|(mark, _)| mark.is_some()).map(|(_, line)| line.clone()).collect()
        }
    }
}

#[test]
fn acl_and_command_answer_as_sentinel() {
    let pair = Pair::start(&[]);
    for protocol in ["2", "3"] {
        let mut both = pair.connect(protocol);
        both.all_same(How::Exactly, cases::READ);
        both.all_same(How::Sorted, cases::READ_UNORDERED);
        both.all_same(
            How::Shape,
            "ACL HELP\nCOMMAND HELP\nCOMMAND DOCS ping\nCOMMAND DOCS auth\nCOMMAND DOCS acl|log",
        );
        for bits in ["1", "4", "5", "8", "9", "256", "4096"] {
            let length = |client: &mut Client| client.call(&["ACL", "GENPASS", bits]).text().len();
            assert_eq!(length(&mut both.ours), length(&mut both.theirs), "{bits}");
        }
    }
}

#[test]
fn renamed_commands_answer_as_sentinel() {
    let pair = Pair::start(&["rename-command SENTINEL SX", "rename-command ROLE \"\""]);
    let mut both = pair.connect("2");
    both.all_same(
        How::Exactly,
        "ROLE
         SENTINEL MASTERS
         SX
         SX nope
         SX MASTER
         SX MASTER x
         COMMAND COUNT
         COMMAND INFO role sentinel|master sx|master
         COMMAND LIST FILTERBY PATTERN sx*
         COMMAND GETKEYS sx master x
         COMMAND GETKEYS sentinel master x
         ACL SETUSER u +sx|master
         ACL SETUSER u +sentinel|master +role
         ACL DELUSER u",
    );
    both.all_same(How::Sorted, "COMMAND LIST\nCOMMAND LIST FILTERBY ACLCAT admin\nACL CAT admin\nCOMMAND");
    let long = "x".repeat(200);
    for request in [
        vec!["FOO"],
        vec![long.as_str()],
        vec!["FOO", &long[..100], &long[..100], "c"],
        vec!["FOO", "a\nb\0c", ""],
        vec!["F\0O"],
        vec!["ACL", &long],
        vec!["acl", "a\nb\0c"],
    ] {
        both.same(How::Exactly, &request);
    }
}

#[test]
fn the_identity_decides_what_is_listed() {
    let start = |name: &'static str| {
        let program = Program::subject().named(name);
        Sentinel::start(&SentinelSpec { program, ..SentinelSpec::default() })
    };
    for (name, count) in [("redis-sentinel", 73), ("valkey-sentinel", 77)] {
        let sentinel = start(name);
        let list = sentinel.call(&["COMMAND", "LIST"]).texts();
        assert_eq!(list.len(), count);
        assert!(list.contains(&"client|setinfo".to_owned()));
        assert_eq!(list.contains(&"sentinel|primaries".to_owned()), name == "valkey-sentinel");
        assert_eq!(sentinel.call(&["COMMAND", "COUNT"]), Value::Int(15));
        assert!(!sentinel.call(&["COMMAND", "DOCS", "client|setinfo"]).items().is_empty());
        // Served, whatever is listed.
        assert_eq!(sentinel.call(&["SENTINEL", "PRIMARIES"]), Value::Array(Vec::new()));
        assert_eq!(sentinel.call(&["CLIENT", "SETINFO", "LIB-NAME", "x"]).text(), "OK");
        assert_eq!(sentinel.call(&["QUIT"]).text(), "OK");
    }
}

#[test]
fn rules_make_the_same_users() {
    let pair = Pair::start(&[]);
    let mut both = pair.connect("2");
    let mut newer = pair.connect("3");
    for rules in cases::RULES {
        let words: Vec<&str> = ["ACL", "SETUSER", "u"].into_iter().chain(rules.split(' ')).collect();
        both.same(How::Exactly, &words);
        both.same(How::Sorted, &["ACL", "LIST"]);
        both.same(How::Sorted, &["ACL", "GETUSER", "u"]);
        newer.same(How::Sorted, &["ACL", "GETUSER", "u"]);
        both.same(How::Exactly, &["ACL", "DRYRUN", "u", "sentinel", "help"]);
        both.same(How::Exactly, &["ACL", "DRYRUN", "u", "publish", "foo", "x"]);
        both.same(How::Exactly, &["ACL", "DELUSER", "u"]);
    }
    for odd in ["~a b", "&a b", "&a\nb", "~a\0b", "+pi\0ng", " +ping", "(+ping) ", ""] {
        both.same(How::Exactly, &["ACL", "SETUSER", "u", odd]);
    }
    for name in ["a b", "a\0b", "", "\u{e9}"] {
        both.same(How::Exactly, &["ACL", "SETUSER", name, "on"]);
        both.same(How::Sorted, &["ACL", "LIST"]);
    }
    both.same(How::Exactly, &["ACL", "USERS"]);
}

#[test]
fn a_restricted_user_meets_the_same_refusals() {
    let pair = Pair::start(&[]);
    let mut admin = pair.connect("2");
    admin.all_same(
        How::Exactly,
        "ACL SETUSER bob on >pw +sentinel|masters &chan* +subscribe +psubscribe +publish +ping|foo (+role ~x)
         ACL SETUSER s on nopass (+ping ~a &ch) (+publish &foo) (+subscribe)",
    );
    for protocol in ["2", "3"] {
        let mut bob = pair.connect(protocol);
        bob.all_same(
            How::Exactly,
            "AUTH bob nope
             AUTH nosuch pw
             HELLO 2 AUTH bob nope
             AUTH bob pw
             PING
             PING FOO
             PING bar
             SENTINEL MASTER x
             SENTINEL PENDING-SCRIPTS
             SENTINEL HELP
             SENTINEL NOPE
             SENTINEL
             GET x
             ACL WHOAMI
             INFO
             ROLE
             CLIENT LIST
             UNSUBSCRIBE
             SUBSCRIBE other
             SUBSCRIBE chan1 other
             PUBLISH other x
             PUBLISH chanx x
             PSUBSCRIBE chanx*
             PSUBSCRIBE chan*
             ROLE
             AUTH bob pw
             SUBSCRIBE other",
        );
    }
    for request in [
        "bob ping",
        "bob PING foo",
        "bob sentinel masters",
        "bob Sentinel Master x",
        "bob publish a b",
        "bob subscribe chan1 a",
        "bob psubscribe chanx*",
        "bob psubscribe chan*",
        "bob hello",
        "bob auth x",
        "bob unsubscribe x",
        "s publish x y",
        "s publish foo y",
        "s subscribe ch",
        "s role",
    ] {
        let words: Vec<&str> = ["ACL", "DRYRUN"].into_iter().chain(request.split(' ')).collect();
        admin.same(How::Exactly, &words);
    }
    for count in ["3", "100"] {
        admin.same(How::Log, &["ACL", "LOG", count]);
        pair.connect("3").same(How::Log, &["ACL", "LOG", count]);
    }
    admin.same(How::Log, &["ACL", "LOG"]);
}

#[test]
fn the_default_user_decides_who_must_log_in() {
    let pair = Pair::start(&[]);
    let mut admin = pair.connect("2");
    let strangers = |login: &str| {
        let mut both =
            Both { ours: pair.ours.connect_bare().unwrap(), theirs: pair.theirs.connect_bare().unwrap() };
        both.all_same(How::Exactly, login);
    };
    let logins = "PING
        GET x
        SENTINEL NOPE
        SENTINEL MASTER
        AUTH x
        AUTH default x
        AUTH default x y z
        AUTH default
        HELLO 3
        PING";
    for rules in [">foo", "off", "on resetpass", "nopass", "reset on nopass -@all +ping"] {
        let words: Vec<&str> = ["ACL", "SETUSER", "default"].into_iter().chain(rules.split(' ')).collect();
        admin.same(How::Exactly, &words);
        let expected = rules == "nopass";
        // HELLO of an unauthenticated client and of one that may log in differ in more than this test is about.
        let logins = if expected { logins.replace("HELLO 3", "") } else { logins.to_owned() };
        if rules.starts_with("reset") { strangers("PING\nACL WHOAMI\nAUTH x") } else { strangers(&logins) }
    }
}

#[test]
fn connections_end_with_the_rights_they_stand_on() {
    let pair = Pair::start(&[]);
    for sentinel in [&pair.ours, &pair.theirs] {
        sentinel.ok(&["ACL", "SETUSER", "bob", "on", ">pw", "+@all", "&chan*", "&pat*"]);
        let connect = || sentinel.connect().unwrap().login(&Login::user("bob", "pw")).unwrap();
        let (mut idle, mut listener) = (connect(), connect());
        listener.call(&["SUBSCRIBE", "chan1"]);
        listener.call(&["PSUBSCRIBE", "pat*"]);
        sentinel.ok(&["ACL", "SETUSER", "bob", "resetchannels", "&ch*", "&pat*"]);
        assert_eq!(listener.call(&["PING"]).texts(), ["pong", ""]);
        sentinel.ok(&["ACL", "SETUSER", "bob", "resetchannels", "&ch*", "&p*"]);
        assert!(listener.read_to_close().unwrap().is_empty());
        assert_eq!(idle.call(&["ACL", "WHOAMI"]).text(), "bob");

        let mut suicide = connect();
        assert_eq!(suicide.call(&["ACL", "DELUSER", "bob"]), Value::Int(1));
        assert!(suicide.read_to_close().unwrap().is_empty());
        assert!(idle.read_to_close().unwrap().is_empty());
        assert!(sentinel.connect().unwrap().login(&Login::user("bob", "pw")).is_err());
    }
}

/// The `user` lines of a configuration file, words sorted.
fn user_lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with("user "));
    lines.map(|line| shown(How::Sorted, line.as_bytes()).concat()).collect()
}

#[test]
fn users_pass_from_one_program_to_the_other_by_the_file() {
    let mut pair = Pair::start(&["sentinel monitor mymaster 127.0.0.1 1 1"]);
    let mut admin = pair.connect("2");
    admin.all_same(
        How::Exactly,
        "ACL SETUSER bob on >pw >pw2 +@all -@dangerous +sentinel|masters ~a %R~b &c* (+ping|x ~y) (&z +@pubsub)
         ACL SETUSER joe
         ACL SETUSER default +@all -client|kill
         SENTINEL FLUSHCONFIG",
    );
    let lines = user_lines(&pair.theirs.conf_text());
    assert_eq!(lines.len(), 3);
    assert_eq!(user_lines(&pair.ours.conf_text()), lines);
    let list = |sentinel: &Sentinel| {
        let mut client = sentinel.connect().unwrap();
        shown(How::Sorted, &client.raw(&["ACL", "LIST"]))
    };
    pair.ours.replace_by(Program::genuine());
    pair.theirs.replace_by(Program::subject_as_redis_7());
    assert_eq!(list(&pair.ours), list(&pair.theirs));
    for sentinel in [&pair.ours, &pair.theirs] {
        assert!(sentinel.connect().unwrap().login(&Login::user("bob", "pw2")).is_ok());
        assert_eq!(sentinel.call(&["ACL", "DELUSER", "joe"]), Value::Int(1));
        sentinel.ok(&["SENTINEL", "FLUSHCONFIG"]);
    }
    assert_eq!(user_lines(&pair.theirs.conf_text()), user_lines(&pair.ours.conf_text()));
    assert_eq!(user_lines(&pair.ours.conf_text()).len(), 2);
}

#[test]
fn the_aclfile_is_loaded_and_saved() {
    let dir = tempfile::TempDir::with_prefix("vedette-acl").unwrap();
    let seen = [Program::subject_as_redis_7(), Program::genuine()].map(|program| {
        let file = dir.path().join("users.acl");
        fs::write(&file, "user default on nopass ~* &* +@all\nuser bob on nopass +@all &*\n").unwrap();
        let lines = vec![format!("aclfile {}", file.display())];
        let sentinel = Sentinel::start(&SentinelSpec { program, lines, ..SentinelSpec::default() });
        let mut bob = sentinel.connect().unwrap().login(&Login::user("bob", "")).unwrap();
        let mut admin = sentinel.connect().unwrap();
        let mut seen = Vec::new();
        for bad in [
            "user x on +get +foo\nuser y +bar\nzzz\nuser x on\n",
            "user x on\nuser x off\n",
            "user a >x <z\n",
            "user a %Z~b (on)\n",
            "user x\ton\n",
            "# no comments here\n",
        ] {
            fs::write(&file, bad).unwrap();
            seen.push(admin.call(&["ACL", "LOAD"]).text());
        }
        assert_eq!(bob.call(&["ACL", "WHOAMI"]).text(), "bob", "a refused file changes nothing");
        fs::write(&file, "\n user joe on >pw (+ping ~a) \t\r\n").unwrap();
        sentinel.ok(&["ACL", "LOAD"]);
        assert!(bob.read_to_close().unwrap().is_empty());
        sentinel.ok(&["ACL", "SETUSER", "new", "on"]);
        sentinel.ok(&["ACL", "SAVE"]);
        fs::remove_file(&file).unwrap();
        seen.push(admin.call(&["ACL", "LOAD"]).text());
        sentinel.ok(&["ACL", "SAVE"]);
        seen.push(fs::read_to_string(&file).unwrap());
        assert!(!sentinel.conf_text().contains("user "), "users are kept in the aclfile alone");
        seen
    });
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].last().unwrap().lines().count(), 3, "{seen:?}");
}

#[test]
fn bad_users_keep_both_from_starting() {
    for line in ["user bob on >pw +get", "user bob on +@nope", "user \"a b\" on"] {
        let said = [Program::subject_as_redis_7(), Program::genuine()].map(|program| {
            let lines = vec![line.to_owned()];
            let mut sentinel = Sentinel::prepare(&SentinelSpec { program, lines, ..SentinelSpec::default() });
            sentinel.launch();
            eventually("it ends", || sentinel.process().ended().is_some());
            assert_eq!(sentinel.process().wait().code(), Some(1));
            let log = sentinel.log();
            let after_time =
                log.lines().filter_map(|line| line.split_once(" # ")).map(|(_, text)| text.to_owned());
            after_time.filter(|text| text.contains("ACL")).collect::<Vec<_>>()
        });
        assert_eq!(said[0].len(), 2, "{said:?}");
        assert_eq!(said[0], said[1]);
    }
}
