//! What is read again while the daemon runs: files with credentials when they change, certificates at SIGHUP. The
//! `sentinel` lines never are.

use std::fs;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::group::NAME;
use crate::support::{Certs, Login, Program, Spec, eventually, poll};

fn one_sentinel() -> Spec {
    Spec { programs: vec![Program::subject()], quorum: 1, ..Spec::default() }
}

#[test]
fn a_changed_password_file_is_used_without_a_word() {
    let dir = TempDir::with_prefix("vedette-secrets").unwrap();
    let file = dir.path().join("password");
    fs::write(&file, "first-password\n").unwrap();
    let lines = ["requirepass first-password", "masterauth first-password"];
    let mut group = Spec {
        node_lines: lines.map(str::to_owned).to_vec(),
        node_login: Login::password("first-password"),
        head: vec![format!("vedette auth-pass-file {NAME} {}", file.display())],
        // The change itself must not look like a fault, however slow the machine.
        down_after: Duration::from_secs(5),
        ..one_sentinel()
    }
    .start();
    let mut held = Vec::new();
    for node in &mut group.nodes {
        let mut client = node.connect().unwrap();
        for option in ["masterauth", "requirepass"] {
            client.call(&["CONFIG", "SET", option, "second-password"]);
        }
        client.call(&["CONFIG", "REWRITE"]);
        node.set_login(Login::password("second-password"));
        held.push(client);
    }
    fs::write(&file, "second-password\n").unwrap();
    // The links are made anew with every look at the file that brings something new, so the old ones need no help.
    for client in &mut held {
        client.call(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        client.call(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }
    group.settled();
    eventually("the links stand with the new password", || {
        group.nodes.iter().all(|node| {
            let list = node.call(&["CLIENT", "LIST"]).text();
            let own = |role: &str| list.lines().any(|line| line.contains(&format!("-{role} ")));
            own("cmd") && own("pubsub")
        })
    });
    group.fails_over();
    let text = group.sentinels[0].conf_text() + &group.sentinels[0].log();
    assert!(!text.contains("first-password") && !text.contains("second-password"), "{text}");
}

#[test]
fn a_password_file_that_goes_away_changes_nothing() {
    let dir = TempDir::with_prefix("vedette-secrets").unwrap();
    let file = dir.path().join("password");
    fs::write(&file, "secret").unwrap();
    let mut group = Spec {
        node_lines: vec!["requirepass secret".to_owned(), "masterauth secret".to_owned()],
        node_login: Login::password("secret"),
        head: vec![format!("vedette auth-pass-file * {}", file.display())],
        ..one_sentinel()
    }
    .start();
    fs::remove_file(&file).unwrap();
    group.sentinels[0].process().signal(Signal::HUP);
    eventually("the log names the file", || {
        group.sentinels[0].log().contains(&format!("failed to read the credential file '{}'", file.display()))
    });
    group.fails_over();
}

#[test]
fn sighup_reads_certificates_but_no_sentinel_line() {
    let certs = Rc::new(Certs::new());
    let mut group = Spec { certs: Some(certs.clone()), ..one_sentinel() }.start();
    let sentinel = &mut group.sentinels[0];
    let before = sentinel.conf_text();
    fs::write(sentinel.conf(), format!("{before}sentinel monitor another 127.0.0.1 1 1\n")).unwrap();

    // A broken file first: the old certificate stays in use.
    let cert = certs.dir().join("node.crt");
    let good = fs::read(&cert).unwrap();
    fs::write(&cert, "nothing").unwrap();
    sentinel.process().signal(Signal::HUP);
    eventually("the log names the certificate", || sentinel.log().contains("node.crt"));
    fs::write(&cert, good).unwrap();
    assert_eq!(sentinel.call(&["PING"]).text(), "PONG");

    // Another authority: only who has its certificate is let in, and the data nodes are reached once they have it, too.
    certs.issue();
    sentinel.process().signal(Signal::HUP);
    poll("a client with the new certificate is served", || {
        sentinel.connect().and_then(|mut client| client.command(&["PING"]))
    });
    assert_eq!(sentinel.call(&["SENTINEL", "MASTERS"]).items().len(), 1);
    fs::write(group.sentinels[0].conf(), before).unwrap();
    for node in &mut group.nodes {
        node.kill();
        node.restart();
    }
    group.settled();
}

#[test]
fn sighup_reads_the_aclfile_or_keeps_the_users() {
    let dir = TempDir::with_prefix("vedette-users").unwrap();
    let file = dir.path().join("users.acl");
    let default = "user default on nopass ~* &* +@all\n";
    fs::write(&file, default).unwrap();
    let mut group = Spec { head: vec![format!("aclfile {}", file.display())], ..one_sentinel() }.start();
    let sentinel = &mut group.sentinels[0];
    assert_eq!(sentinel.call(&["ACL", "USERS"]).items().len(), 1);
    fs::write(&file, format!("{default}user app on >secret -@all +ping\n")).unwrap();
    sentinel.process().signal(Signal::HUP);
    eventually("the new user is there", || sentinel.call(&["ACL", "USERS"]).items().len() == 2);
    fs::write(&file, format!("{default}user broken on +nonsense\n")).unwrap();
    sentinel.process().signal(Signal::HUP);
    eventually("the log names the line", || {
        sentinel.log().contains(&format!("# {}:2: Error in applying operation '+nonsense'", file.display()))
    });
    assert_eq!(sentinel.call(&["ACL", "WHOAMI"]).text(), "default");
    assert!(sentinel.call(&["ACL", "LIST"]).items().iter().any(|line| line.text().starts_with("user app ")));
}
