//! The replies and texts are what redis-sentinel 7.0.15 gives.

mod commands;
mod files;
mod rules;

use super::*;
use crate::server::table;

pub(super) fn acl(identity: Identity) -> Acl {
    Acl::new(AclConfig { identity, log_max_len: 128, ..AclConfig::default() }).unwrap()
}

pub(super) fn args(words: &[&str]) -> Vec<Bytes> {
    words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

/// Runs `ACL WORDS` that needs no disk.
pub(super) fn run(acl: &mut Acl, words: &[&str]) -> (Reply, Option<Effect>) {
    let request = args(&[&["ACL"], words].concat());
    match acl.command(&request, "default", Time::ZERO) {
        Outcome::Reply(reply, effect) => (reply, effect),
        Outcome::Load(_) | Outcome::Save(_) => panic!("{words:?} wants the disk"),
    }
}

/// Runs `ACL WORDS` and shows the answer's text.
pub(super) fn said(acl: &mut Acl, words: &[&str]) -> String {
    let (reply, _) = run(acl, words);
    reply.text().unwrap_or_else(|| panic!("{words:?}: {reply:?}")).to_owned()
}

/// What `ACL LIST` says of one user, without `user NAME `.
pub(super) fn listed(acl: &Acl, name: &str) -> String {
    String::from_utf8(acl.users[name].describe(acl.ground.identity)).unwrap()
}

pub(super) fn permission<'a>(acl: &Acl, user: &str, request: &'a [Bytes]) -> Permission<'a> {
    acl.check(user, table::Table::new(acl.ground.identity).find(request).unwrap(), request)
}

/// Whether a user may run a request.
pub(super) fn may(acl: &Acl, user: &str, words: &[&str]) -> bool {
    permission(acl, user, &args(words)) == Permission::Granted
}

#[test]
fn the_default_user_may_do_all_until_told_otherwise() {
    let acl = acl(Identity::Redis70);
    assert_eq!(acl.lines(), ["user default on nopass ~* &* +@all"]);
    assert!(!acl.default_user_needs_auth() && acl.default_user_has_nopass());
    assert_eq!(acl.authenticate(b"default", b"whatever"), Some("default"));
    assert!(may(&acl, "default", &["sentinel", "masters"]) && may(&acl, "default", &["publish", "a", "b"]));
    assert!(acl.notices().is_empty());
}

#[test]
fn requirepass_is_the_default_users_password() {
    let config = |requirepass: &str, users: &[&str]| AclConfig {
        requirepass: Some(requirepass.to_owned()),
        users: users.iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect(),
        ..AclConfig::default()
    };
    let acl = Acl::new(config("foo", &[])).unwrap();
    let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    assert_eq!(acl.lines(), [format!("user default on #{hash} ~* &* +@all")]);
    assert!(acl.default_user_needs_auth() && !acl.default_user_has_nopass());
    assert_eq!(acl.authenticate(b"default", b"foo"), Some("default"));
    assert_eq!(acl.authenticate(b"default", b"bar"), None);
    assert_eq!(acl.authenticate(b"nobody", b"foo"), None);
    assert!(!Acl::new(config("", &[])).unwrap().default_user_needs_auth());

    let acl = Acl::new(config("foo", &["default on nopass ~* +@all"])).unwrap();
    assert_eq!(acl.lines(), ["user default on nopass sanitize-payload ~* resetchannels +@all"]);
}

#[test]
fn a_disabled_user_cannot_log_in() {
    let mut acl = acl(Identity::Redis70);
    run(&mut acl, &["SETUSER", "bob", ">pw"]);
    assert_eq!(acl.authenticate(b"bob", b"pw"), None);
    run(&mut acl, &["SETUSER", "bob", "on", ">pw2"]);
    assert_eq!(acl.authenticate(b"bob", b"pw"), Some("bob"));
    assert_eq!(acl.authenticate(b"bob", b"pw2"), Some("bob"));
    assert_eq!(acl.authenticate(b"bob", b""), None);
    run(&mut acl, &["SETUSER", "default", "off"]);
    assert!(acl.default_user_needs_auth() && acl.default_user_has_nopass());
    assert_eq!(acl.authenticate(b"default", b"x"), None);
    run(&mut acl, &["SETUSER", "default", "on", "resetpass"]);
    assert!(acl.default_user_needs_auth() && !acl.default_user_has_nopass());
    assert_eq!(acl.authenticate(b"default", b""), None);
}

#[test]
fn lines_of_the_configuration_are_checked() {
    let error = |lines: &[&str]| {
        let users = lines.iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect();
        Acl::new(AclConfig { users, ..AclConfig::default() }).unwrap_err().lines()
    };
    let end = "Critical error while loading ACLs. Exiting.";
    assert_eq!(
        error(&["bob on >pw +get"]),
        [
            "Error loading ACL rule '+get' for the user named 'bob': Unknown command or category name in ACL",
            end
        ]
    );
    assert_eq!(error(&["bob <pw"])[0].split(" for ").next(), Some("Error loading ACL rule '<...'"));
    assert_eq!(error(&["a\tb on"]), ["Spaces not allowed in ACL usernames", end]);
    let both = AclConfig {
        users: vec![vec!["bob".to_owned()]],
        aclfile: Some("/nonexistent/users.acl".into()),
        ..AclConfig::default()
    };
    assert!(
        Acl::new(both).unwrap_err().lines()[0]
            .starts_with("Configuring Redis with users defined in redis.conf")
    );

    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let check = |line: &str| check_line(&words(line));
    assert_eq!(check("bob on +get +ping (~a +info)"), Ok(()));
    assert_eq!(check("bob on foo"), Err((1, "Syntax error".to_owned())));
    assert_eq!(
        check("bob (+ping"),
        Err((0, "Unmatched parenthesis in acl selector starting at '(+ping'.".to_owned()))
    );
}

#[test]
fn users_of_the_configuration_that_are_off_are_worth_a_notice() {
    let users = vec![vec!["bob".to_owned()], vec!["joe".to_owned(), "on".to_owned()]];
    let acl = Acl::new(AclConfig { users, all_channels: true, ..AclConfig::default() }).unwrap();
    assert_eq!(
        acl.notices(),
        [
            "The user 'bob' is disabled (there is no 'on' modifier in the user description). Make sure this is not a \
          configuration error."
        ]
    );
    assert_eq!(listed(&acl, "joe"), "on &* -@all");
}

#[test]
fn lines_are_quoted_where_the_file_needs_it() {
    let mut acl = acl(Identity::Redis70);
    for words in [["SETUSER", "a\"b", "~x'y"], ["SETUSER", "", "&\u{e9}"], ["SETUSER", "c\\d", "~e\\f"]] {
        assert_eq!(run(&mut acl, &words).0, Reply::OK);
    }
    run(&mut acl, &["SETUSER", "c\\d", "(~\"x +ping)"]);
    assert_eq!(
        acl.lines(),
        [
            r#"user "" off resetchannels "&\xc3\xa9" -@all"#,
            r#"user "a\"b" off "~x'y" resetchannels -@all"#,
            r#"user c\d off ~e\f resetchannels -@all "(~\"x" resetchannels -@all +ping)"#,
            "user default on nopass ~* &* +@all",
        ]
    );
}
