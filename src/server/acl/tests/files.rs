//! The aclfile, and whose connections end when rules change.

use std::path::Path;
use std::rc::Rc;

use super::*;
use crate::core::ids::ClientId;
use crate::resp::Protocol;

fn with_file(path: &Path) -> Result<Acl, AclError> {
    Acl::new(AclConfig { aclfile: Some(path.to_owned()), log_max_len: 10, ..AclConfig::default() })
}

fn load(acl: &mut Acl) -> (String, Option<Effect>) {
    let Outcome::Load(job) = acl.command(&args(&["ACL", "LOAD"]), "default", Time::ZERO) else {
        panic!("no job")
    };
    let read = job.run();
    let (reply, effect) = acl.loaded(&job, read);
    (reply.text().unwrap().to_owned(), effect)
}

#[test]
fn a_file_is_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    std::fs::write(&path, "\n\nuser x on (+ping ~a) >pw \t\r\n user y off\n").unwrap();
    let mut acl = with_file(&path).unwrap();
    assert!(acl.lines().is_empty(), "users are kept in the aclfile alone");
    assert!(acl.notices().is_empty());
    run(&mut acl, &["SETUSER", "new", "on"]);
    let Outcome::Save(job) = acl.command(&args(&["ACL", "SAVE"]), "default", Time::ZERO) else {
        panic!("no job")
    };
    assert_eq!(Acl::saved(&job.run()), Reply::OK);
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "user default on nopass ~* &* +@all\n\
         user new on resetchannels -@all\n\
         user x on #30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4 resetchannels -@all \
         (~a resetchannels -@all +ping)\n\
         user y off resetchannels -@all\n"
    );
    run(&mut acl, &["DELUSER", "x"]);
    assert_eq!(load(&mut acl), ("OK".to_owned(), Some(Effect::Reloaded)));
    assert!(acl.authenticate(b"x", b"pw").is_some());

    std::fs::write(&path, "user default off\n").unwrap();
    load(&mut acl);
    assert!(acl.default_user_needs_auth());
    std::fs::write(&path, "user q +info\n").unwrap();
    load(&mut acl);
    assert_eq!(listed(&acl, "default"), "on nopass ~* &* +@all", "a file without it makes it anew");
}

#[test]
fn a_bad_file_changes_nothing_and_all_its_errors_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    std::fs::write(&path, "user bob on +ping\n").unwrap();
    let mut acl = with_file(&path).unwrap();
    let file = path.display();
    let end = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
    let unknown = "Unknown command or category name in ACL";
    for (text, problems) in [
        (
            "user x on +get +foo\nuser y +bar\nzzz\nuser x on\nuser\n",
            format!(
                "{file}:1: Error in applying operation '+get': {unknown}. {file}:1: Error in applying operation '+foo': \
                 {unknown}. {file}:2: Error in applying operation '+bar': {unknown}. {file}:3 should start with user \
                 keyword followed by the username. WARNING: Duplicate user 'x' found on line 4. {file}:5 should start with user keyword followed by the username. "
            ),
        ),
        ("user x on\nuser x on\n", "WARNING: Duplicate user 'x' found on line 2. ".to_owned()),
        ("# c\n", format!("{file}:1 should start with user keyword followed by the username. ")),
        ("user x\ton\n", format!("'{file}:1: username 'x\ton' contains invalid characters. ")),
        ("user x on %Z~a (on)\n", format!("{file}:1: Syntax error. ")),
        (
            "user a >x#y <z\n",
            format!("{file}:1: The password you are trying to remove from the user does not exist. "),
        ),
        (
            "user a (+ping\n",
            format!("{file}:1: Unmatched parenthesis in acl selector starting at '(+ping'. "),
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(load(&mut acl), (format!("ERR {problems}{end}"), None));
        assert_eq!(listed(&acl, "bob"), "on resetchannels -@all +ping");
        let refusal = with_file(&path).unwrap_err().to_string();
        assert_eq!(refusal, format!("Aborting Redis startup because of ACL errors: {problems}{end}"));
    }
    std::fs::remove_file(&path).unwrap();
    let missing = format!("Error loading ACLs, opening file '{file}': No such file or directory");
    assert_eq!(load(&mut acl).0, format!("ERR {missing}"));
    assert_eq!(
        with_file(&path).unwrap_err().lines(),
        [format!("Aborting Redis startup because of ACL errors: {missing}")]
    );
}

#[test]
fn without_a_file_there_is_nothing_to_save_or_load() {
    let mut acl = acl(Identity::Redis70);
    for name in ["LOAD", "save"] {
        assert!(
            said(&mut acl, &[name])
                .starts_with("ERR This Redis instance is not configured to use an ACL file. ")
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let job = SaveJob { path: folder.path().join("none/users.acl"), text: Vec::new() };
    assert_eq!(
        Acl::saved(&job.run()).text(),
        Some(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
        )
    );
}

struct Client {
    user: &'static str,
    subscriptions: &'static [(&'static str, bool)],
}

impl Session for Client {
    fn id(&self) -> ClientId {
        ClientId(1)
    }
    fn protocol(&self) -> Protocol {
        Protocol::Resp2
    }
    fn user(&self) -> Rc<str> {
        self.user.into()
    }
    fn authenticated(&self) -> bool {
        true
    }
    fn login(&self, _user: Rc<str>) {}
    fn describe(&self) -> String {
        String::new()
    }
    fn subscriptions(&self, visit: &mut dyn FnMut(&[u8], bool)) {
        for (name, is_pattern) in self.subscriptions {
            visit(name.as_bytes(), *is_pattern);
        }
    }
}

#[test]
fn connections_end_when_their_rights_do() {
    let mut acl = acl(Identity::Redis70);
    run(&mut acl, &["SETUSER", "joe", "on", "&chan*", "(&pat*)"]);
    let subscriptions = &[("chan1", false), ("pat*", true)];
    let joe = Client { user: "joe", subscriptions };
    let bob = Client { user: "bob", subscriptions };
    let idle = Client { user: "joe", subscriptions: &[] };
    let default = Client { user: "default", subscriptions };
    let changed = Effect::Changed("joe".to_owned());
    assert!(!changed.ends(&acl, &joe) && !changed.ends(&acl, &bob));
    run(&mut acl, &["SETUSER", "joe", "clearselectors", "&p*"]);
    assert!(changed.ends(&acl, &joe), "a pattern must be allowed literally");
    assert!(!changed.ends(&acl, &idle) && !changed.ends(&acl, &bob));

    let deleted = Effect::Deleted(vec!["joe".to_owned()]);
    assert!(deleted.ends(&acl, &joe) && deleted.ends(&acl, &idle));
    assert!(!deleted.ends(&acl, &bob) && !deleted.ends(&acl, &default));

    assert!(Effect::Reloaded.ends(&acl, &idle) && Effect::Reloaded.ends(&acl, &bob));
    assert!(!Effect::Reloaded.ends(&acl, &default));
}
