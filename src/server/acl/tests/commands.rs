//! The subcommands of ACL, and what permissions answer.

use super::*;

fn bulk(text: &'static str) -> Reply {
    Reply::bulk(text)
}

fn bob() -> Acl {
    let mut acl = acl(Identity::Redis70);
    let rules = [
        "SETUSER",
        "bob",
        "on",
        ">pw",
        "+sentinel|masters",
        "&chan*",
        "+subscribe",
        "+psubscribe",
        "+publish",
        "+ping|foo",
        "(+role ~x)",
    ];
    assert_eq!(run(&mut acl, &rules).1, Some(Effect::Changed("bob".to_owned())));
    acl
}

#[test]
fn dryrun_tells_what_is_missing() {
    let mut acl = bob();
    let no = |command: &str| format!("This user has no permissions to run the '{command}' command");
    let channel = |channel: &str| format!("This user has no permissions to access the '{channel}' channel");
    for (request, answer) in [
        ("bob ping", no("ping")),
        ("bob ping foo", "OK".to_owned()),
        ("bob PING FOO", "OK".to_owned()),
        ("bob ping bar", no("ping")),
        ("bob sentinel masters", "OK".to_owned()),
        ("bob Sentinel Master x", no("sentinel|master")),
        ("bob publish a b", channel("a")),
        ("bob publish chanx b", "OK".to_owned()),
        ("bob subscribe chan1 a", channel("a")),
        ("bob psubscribe chanx*", channel("chanx*")),
        ("bob psubscribe chan*", "OK".to_owned()),
        ("bob role", "OK".to_owned()),
        ("bob hello", "OK".to_owned()),
        ("bob unsubscribe x", no("unsubscribe")),
        ("bob quit", "ERR Command 'quit' not found".to_owned()),
        ("nobody ping", "ERR User 'nobody' not found".to_owned()),
        ("n\nb ping", "ERR User 'n b' not found".to_owned()),
        ("default nope", "ERR Command 'nope' not found".to_owned()),
        ("default sentinel", "ERR wrong number of arguments for 'sentinel' command".to_owned()),
        ("default sentinel foo", "ERR Command 'sentinel' not found".to_owned()),
        ("default sentinel master", "ERR wrong number of arguments for 'sentinel|master' command".to_owned()),
        ("default sentinel|master x", "ERR Command 'sentinel|master' not found".to_owned()),
        ("default publish x", "ERR wrong number of arguments for 'publish' command".to_owned()),
    ] {
        let words: Vec<&str> = std::iter::once("DRYRUN").chain(request.split(' ')).collect();
        assert_eq!(said(&mut acl, &words), answer, "{request}");
    }
    run(&mut acl, &["SETUSER", "s", "(+ping &ch)", "(+publish &foo)", "(+subscribe)"]);
    assert_eq!(said(&mut acl, &["DRYRUN", "s", "publish", "x", "y"]), channel("x"));
    assert_eq!(
        said(&mut acl, &["DRYRUN", "s", "subscribe", "ch"]),
        channel("ch"),
        "rights of one selector don't add up"
    );
    assert_eq!(said(&mut acl, &["DRYRUN", "s", "publish", "foo", "y"]), "OK");
}

#[test]
fn denials_have_sentinels_texts() {
    let acl = bob();
    let denial = |user: &str, words: &[&str]| {
        permission(&acl, user, &args(words)).denial().map(|reply| reply.text().unwrap().to_owned())
    };
    assert_eq!(denial("bob", &["ping", "foo"]), None);
    assert_eq!(
        denial("bob", &["SENTINEL", "MASTER", "x"]).unwrap(),
        "NOPERM this user has no permissions to run the 'sentinel|master' command"
    );
    assert_eq!(
        denial("bob", &["SUBSCRIBE", "other"]).unwrap(),
        "NOPERM this user has no permissions to access one of the channels used as arguments"
    );
    assert!(denial("gone", &["ping"]).is_some(), "a user that is gone may nothing");
    assert_eq!(denial("gone", &["auth", "x"]), None);
}

#[test]
fn getuser_shows_the_parts() {
    let mut acl = acl(Identity::Redis70);
    let words = [
        "SETUSER",
        "zed",
        "&a",
        "&b",
        "~x",
        "%R~y",
        "skip-sanitize-payload",
        ">1",
        ">2",
        "(~k1 %W~k2 &q +info)",
    ];
    run(&mut acl, &words);
    let passwords = [
        "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
        "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35",
    ];
    assert_eq!(
        run(&mut acl, &["GETUSER", "zed"]).0,
        Reply::Map(vec![
            (bulk("flags"), Reply::Set(vec![bulk("off"), bulk("skip-sanitize-payload")])),
            (bulk("passwords"), Reply::Array(passwords.map(bulk).into())),
            (bulk("commands"), bulk("-@all")),
            (bulk("keys"), bulk("~x %R~y")),
            (bulk("channels"), bulk("&a &b")),
            (
                bulk("selectors"),
                Reply::Array(vec![Reply::Map(vec![
                    (bulk("commands"), bulk("-@all +info")),
                    (bulk("keys"), bulk("~k1 %W~k2")),
                    (bulk("channels"), bulk("&q")),
                ])])
            ),
        ])
    );
    assert_eq!(run(&mut acl, &["GETUSER", "nobody"]).0, Reply::Nil);
}

#[test]
fn users_are_listed_by_name_and_deleted() {
    let mut acl = acl(Identity::Redis70);
    for name in ["zed", "Zed", "bob"] {
        run(&mut acl, &["SETUSER", name]);
    }
    assert_eq!(
        run(&mut acl, &["USERS"]).0,
        Reply::Array(vec![bulk("Zed"), bulk("bob"), bulk("default"), bulk("zed")])
    );
    assert_eq!(said(&mut acl, &["DELUSER", "zed", "default"]), "ERR The 'default' user cannot be removed");
    assert_eq!(
        run(&mut acl, &["DELUSER", "nosuch", "zed", "Zed", "zed"]),
        (Reply::Int(2), Some(Effect::Deleted(vec!["zed".to_owned(), "Zed".to_owned()])))
    );
    assert_eq!(
        run(&mut acl, &["LIST"]).0,
        Reply::Array(vec![
            bulk("user bob off resetchannels -@all"),
            bulk("user default on nopass ~* &* +@all")
        ])
    );
    let names = "ERR Usernames can't contain spaces or null characters";
    assert_eq!(said(&mut acl, &["SETUSER", "a b", "on"]), names);
    assert_eq!(said(&mut acl, &["SETUSER", "a\0b", "on"]), names);
}

#[test]
fn small_subcommands() {
    let mut acl = acl(Identity::Redis70);
    let Outcome::Reply(reply, None) = acl.command(&args(&["acl", "whoami"]), "bob", Time::ZERO) else {
        panic!()
    };
    assert_eq!(reply, bulk("bob"));
    let categories = run(&mut acl, &["CAT"]).0;
    assert_eq!(categories.elements().unwrap().len(), 21);
    assert_eq!(categories.elements().unwrap()[0], bulk("keyspace"));
    assert_eq!(run(&mut acl, &["CAT", "ADMIN"]).0.elements().unwrap().len(), 38);
    assert_eq!(run(&mut acl, &["CAT", "connection"]).0.elements().unwrap().len(), 27);
    assert_eq!(run(&mut acl, &["CAT", "read"]).0, Reply::Array(Vec::new()));
    for (words, answer) in [
        (vec!["CAT", "@admin"], "ERR Unknown category '@admin'"),
        (vec!["CAT", "all"], "ERR Unknown category 'all'"),
        (
            vec!["CAT", "a", "b"],
            "ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.",
        ),
        (
            vec!["genpass", "1", "2"],
            "ERR unknown subcommand or wrong number of arguments for 'genpass'. Try ACL HELP.",
        ),
        (vec!["GENPASS", "abc"], "ERR value is not an integer or out of range"),
        (vec!["LOG", "x"], "ERR value is not an integer or out of range"),
        (vec!["LOG", " 1"], "ERR value is not an integer or out of range"),
        (vec!["LOG", "reset"], "OK"),
    ] {
        assert_eq!(said(&mut acl, &words), answer, "{words:?}");
    }
    for bits in ["0", "-5", "4097"] {
        assert_eq!(
            said(&mut acl, &["GENPASS", bits]),
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"
        );
    }
    assert_eq!(said(&mut acl, &["GENPASS"]).len(), 64);
    assert_eq!(said(&mut acl, &["GENPASS", "5"]).len(), 2);
    let help = run(&mut acl, &["HELP"]).0;
    assert!(help.elements().unwrap()[0].text().unwrap().starts_with("ACL <subcommand> "));
    assert!(help.elements().unwrap().iter().all(|line| matches!(line, Reply::Simple(_))));
}

#[test]
fn the_log_shows_ten_unless_told_otherwise() {
    let mut acl = bob();
    for at in 0..12 {
        acl.log_failed_login(b"AUTH", format!("user{at}").as_bytes(), "id=1".to_owned(), Time::ZERO);
    }
    let request = args(&["sentinel", "help"]);
    let denied = permission(&acl, "bob", &request);
    acl.log_denied("bob", &denied, "id=2".to_owned(), Time::ZERO);
    let entries = |acl: &mut Acl, words: &[&str]| run(acl, words).0.elements().unwrap().len();
    assert_eq!(entries(&mut acl, &["LOG"]), 10);
    assert_eq!(entries(&mut acl, &["LOG", "20"]), 13);
    assert_eq!(entries(&mut acl, &["LOG", "-1"]), 0);
    let Reply::Array(newest) = run(&mut acl, &["LOG", "1"]).0 else { panic!() };
    let Reply::Map(fields) = &newest[0] else { panic!() };
    assert_eq!(fields[3], (bulk("object"), bulk("sentinel|help")));
    run(&mut acl, &["LOG", "RESET"]);
    assert_eq!(entries(&mut acl, &["LOG"]), 0);
}
