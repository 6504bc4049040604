//! Single rules: what they make of a user, and what they refuse.

use super::*;

/// What `ACL LIST` shows of a new user with these rules.
fn made(rules: &[&str]) -> String {
    let mut acl = acl(Identity::Redis70);
    let reply = said(&mut acl, &[&["SETUSER", "u"], rules].concat());
    assert_eq!(reply, "OK", "{rules:?}");
    listed(&acl, "u")
}

/// The reason why one of these rules is refused.
fn refused(rules: &[&str]) -> String {
    let mut acl = acl(Identity::Redis70);
    let reply = said(&mut acl, &[&["SETUSER", "u"], rules].concat());
    assert!(!acl.users.contains_key("u"), "{rules:?} made a user");
    reply
}

/// The words of a rule list in alphabetical order: Sentinel shows commands in an order that changes with each start.
fn sorted(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split(' ').collect();
    words.sort_unstable();
    words
}

#[test]
fn rules_about_commands() {
    for (rules, shown) in [
        (vec![], "off resetchannels -@all"),
        (vec!["on", "nopass", "+@all"], "on nopass resetchannels +@all"),
        (vec!["+ping", "+@connection"], "off resetchannels -@all +@connection"),
        (vec!["+@connection", "-ping"], "off resetchannels -@all +@connection -ping"),
        (
            vec!["+@all", "-@dangerous", "+sentinel|masters"],
            "off resetchannels +@all -@dangerous +sentinel|masters",
        ),
        (vec!["+ping|x"], "off resetchannels -@all +ping|x"),
        (vec!["+acl", "-acl|save"], "off resetchannels -@all +acl -acl|save"),
        (vec!["+@all", "-client|kill"], "off resetchannels +@all -client|kill"),
        (vec!["+@admin"], "off resetchannels -@all +@admin"),
        (vec!["+@admin", "-sentinel|set"], "off resetchannels -@all +@admin -sentinel|set"),
        (vec!["+@fast", "+@slow"], "off resetchannels -@all +@slow +@fast"),
        (
            vec!["+@pubsub", "+@connection", "-client|kill"],
            "off resetchannels -@all +@pubsub +@connection -client|kill",
        ),
        (vec!["allcommands"], "off resetchannels +@all"),
        (vec!["+@admin", "+@all"], "off resetchannels +@all"),
        (vec!["+@all", "-ping", "+ping"], "off resetchannels +@all"),
        (vec!["+@read", "-@write"], "off resetchannels -@all"),
        (
            vec!["+@all", "-@admin", "+@connection", "-@connection", "+@pubsub"],
            "off resetchannels +@all -@admin -@fast -@connection +publish",
        ),
        (vec!["+client|kill", "+@connection"], "off resetchannels -@all +@connection"),
        (vec!["+sentinel|set", "+@admin", "-@slow"], "off resetchannels -@all +role"),
        (vec!["+Sentinel|Masters", "+PING"], "off resetchannels -@all +ping +sentinel|masters"),
        (vec!["+sentinel|master", "-sentinel"], "off resetchannels -@all"),
        (vec!["+ping|a", "+ping|A", "+ping|b"], "off resetchannels -@all +ping|a +ping|b"),
        (vec!["+ping|a", "-ping"], "off resetchannels -@all"),
        (vec!["+ping|a", "+ping"], "off resetchannels -@all +ping"),
        (vec!["+ping", "+ping|a"], "off resetchannels -@all +ping"),
        (vec!["+ping|a", "+@connection", "-ping"], "off resetchannels -@all +@connection -ping"),
        (vec!["+@connection", "+ping|a", "-@connection"], "off resetchannels -@all"),
        (vec!["+PING|AbC"], "off resetchannels -@all +ping|AbC"),
        (vec!["+@fast", "-ping", "+ping|a"], "off resetchannels -@all +@fast -ping +ping|a"),
    ] {
        assert_eq!(made(&rules), shown, "{rules:?}");
    }
}

#[test]
fn commands_are_shown_from_what_is_allowed() {
    for (rules, shown) in [
        (
            vec!["+@all", "-client"],
            "off resetchannels +@all -@connection +hello +auth +ping +command -client",
        ),
        (
            vec!["+sentinel", "-sentinel|master"],
            "off resetchannels -@all +@admin -shutdown -sentinel|master -role -acl|users -acl|save -acl|list \
             -acl|dryrun -acl|setuser -acl|getuser -acl|load -acl|log -acl|deluser -client|unblock -client|unpause \
             -client|list -client|no-evict -client|pause -client|kill",
        ),
        (
            vec!["+@admin", "-sentinel"],
            "off resetchannels -@all +shutdown +role +acl|users +acl|save +acl|list +acl|dryrun +acl|setuser \
             +acl|getuser +acl|load +acl|log +acl|deluser +client|unblock +client|unpause +client|list +client|no-evict \
             +client|pause +client|kill",
        ),
        (
            vec!["+client", "-@admin"],
            "off resetchannels -@all +client -client|unblock -client|unpause -client|list -client|no-evict \
             -client|pause -client|kill",
        ),
        (
            vec!["+@all", "-sentinel", "+sentinel|get-master-addr-by-name"],
            "off resetchannels +@all -@admin +shutdown +sentinel|get-master-addr-by-name +role +acl|users +acl|save \
             +acl|list +acl|dryrun +acl|setuser +acl|getuser +acl|load +acl|log +acl|deluser +client|unblock \
             +client|unpause +client|list +client|no-evict +client|pause +client|kill",
        ),
        (
            vec!["+sentinel|masters", "+subscribe", "+psubscribe", "+publish", "+ping|foo", "+auth"],
            "off resetchannels -@all +@pubsub -unsubscribe +sentinel|masters -punsubscribe +auth +ping|foo",
        ),
    ] {
        assert_eq!(sorted(&made(&rules)), sorted(shown), "{rules:?}");
    }
}

#[test]
fn what_is_shown_makes_the_same_user_again() {
    for rules in [
        &["+@all", "-client", "+client|id"][..],
        &["+sentinel", "-sentinel|master", "+ping|a", "%R~x", "~y", "&c"],
        &["+@admin", "+@pubsub", "-acl", "-publish", "(+info ~z)", "(+@all -role)"],
        &[
            "on",
            "nopass",
            "allkeys",
            "allchannels",
            "-@all",
            "+@slow",
            "-@connection",
            "skip-sanitize-payload",
        ],
    ] {
        let shown = made(rules);
        assert_eq!(made(&shown.split(' ').collect::<Vec<_>>()), shown);
    }
}

#[test]
fn rules_about_keys_channels_passwords_and_flags() {
    let hash = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4";
    let with_password = format!("off #{hash} resetchannels -@all");
    let given = format!("#{hash}");
    let taken = format!("!{hash}");
    for (rules, shown) in [
        (vec!["allkeys"], "off ~* resetchannels -@all"),
        (vec!["~foo*", "~bar"], "off ~foo* ~bar resetchannels -@all"),
        (vec!["%R~x", "%W~y", "%RW~z"], "off %R~x %W~y ~z resetchannels -@all"),
        (vec!["%R"], "off %R~ resetchannels -@all"),
        (vec!["~"], "off ~ resetchannels -@all"),
        (vec!["%R~*", "%W~*"], "off ~* resetchannels -@all"),
        (vec!["%R~a", "%R~a"], "off %R~a resetchannels -@all"),
        (vec!["%wr~a", "~a"], "off ~a resetchannels -@all"),
        (vec!["~foo", "~*"], "off ~* resetchannels -@all"),
        (vec!["allkeys", "resetkeys", "~q"], "off ~q resetchannels -@all"),
        (vec!["allchannels"], "off &* -@all"),
        (vec!["&foo", "&bar", "&foo"], "off resetchannels &foo &bar -@all"),
        (vec!["&"], "off resetchannels & -@all"),
        (vec!["&foo", "&*"], "off &* -@all"),
        (vec![">pw", ">pw"], with_password.as_str()),
        (vec![given.as_str()], with_password.as_str()),
        (vec![">pw", "<pw"], "off resetchannels -@all"),
        (vec![">pw", taken.as_str()], "off resetchannels -@all"),
        (vec!["nopass", ">pw"], with_password.as_str()),
        (vec![">pw", "nopass"], "off nopass resetchannels -@all"),
        (vec!["nopass", "RESETPASS"], "off resetchannels -@all"),
        (vec!["sanitize-payload"], "off sanitize-payload resetchannels -@all"),
        (vec!["SKIP-SANITIZE-PAYLOAD", "ON"], "on skip-sanitize-payload resetchannels -@all"),
        (vec!["on", ">pw", "+@all", "~*", "reset"], "off sanitize-payload resetchannels -@all"),
        (vec![""], "off resetchannels -@all"),
    ] {
        assert_eq!(made(&rules), shown, "{rules:?}");
    }
}

#[test]
fn selectors() {
    for (rules, shown) in [
        (vec!["(+ping ~a &b)"], "off resetchannels -@all (~a resetchannels &b -@all +ping)"),
        (vec!["(", "+ping", "~a", ")"], "off resetchannels -@all (~a resetchannels -@all +ping)"),
        (vec!["()"], "off resetchannels -@all (resetchannels -@all)"),
        (
            vec!["(+ping)", "(+info)"],
            "off resetchannels -@all (resetchannels -@all +ping) (resetchannels -@all +info)",
        ),
        (vec!["(+ping)", "clearselectors"], "off resetchannels -@all"),
        (vec!["(+ping)", "reset"], "off sanitize-payload resetchannels -@all"),
        (vec!["(~x %R~y allkeys)"], "off resetchannels -@all (~* resetchannels -@all)"),
        (vec!["(allcommands -ping)"], "off resetchannels -@all (resetchannels +@all -ping)"),
    ] {
        assert_eq!(made(&rules), shown, "{rules:?}");
    }
}

#[test]
fn refused_rules_are_named_with_the_reason() {
    let unknown = "Unknown command or category name in ACL";
    let syntax = "Syntax error";
    let hash =
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";
    let missing = "The password you are trying to remove from the user does not exist";
    let upper = format!("#{}", "A".repeat(64));
    let absent = format!("!{}", "a".repeat(64));
    for (rule, reason) in [
        ("+get", unknown),
        ("+config|rewrite", unknown),
        ("+sentinel|nope", unknown),
        ("-ping|x", unknown),
        ("+@nope", unknown),
        ("-@nope", unknown),
        ("+quit", unknown),
        ("+client|no-touch", unknown),
        ("+ping)", unknown),
        ("+", unknown),
        ("-", unknown),
        ("+@", unknown),
        ("+|x", unknown),
        ("+ping|a|b", unknown),
        ("+nope|x", unknown),
        ("+acl|x", unknown),
        ("(+get)", unknown),
        ("+sentinel|master|x", "Allowing first-arg of a subcommand is not supported"),
        ("+ping|", syntax),
        ("+sentinel|", syntax),
        ("+ping|a b", syntax),
        ("%~x", syntax),
        ("%X~x", syntax),
        ("%Rx", syntax),
        ("%RR~x", syntax),
        ("%", syntax),
        ("~a b", syntax),
        ("&a b", syntax),
        ("&a\x01", syntax),
        ("foo", syntax),
        ("@all", syntax),
        ("(on)", syntax),
        ("(>pw)", syntax),
        ("((+ping))", syntax),
        (" +ping", syntax),
        ("#abc", hash),
        ("!abc", hash),
        (&upper, hash),
        (&absent, missing),
        ("<pw", missing),
    ] {
        let text = format!("ERR Error in ACL SETUSER modifier '{rule}': {reason}");
        assert_eq!(refused(&["on", rule, "+ping"]), text);
    }
    assert_eq!(
        refused(&["&a\nb"]),
        "ERR Error in ACL SETUSER modifier '&a b': Syntax error",
        "a line's end does not reach the wire"
    );
    assert_eq!(refused(&["~a\0b"]), "ERR Error in ACL SETUSER modifier '~a': Syntax error");
    assert_eq!(refused(&["(+ping", "~a"]), "ERR Unmatched parenthesis in acl selector starting at '(+ping'.");
    let after = |rules| refused(rules).rsplit_once("': ").unwrap().1.to_owned();
    assert_eq!(
        after(&["~*", "~foo"]),
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try \
         'resetkeys' to start with an empty list of patterns"
    );
    assert_eq!(
        after(&["allchannels", "&foo"]),
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try \
         'resetchannels' to start with an empty list of channels"
    );
}

#[test]
fn later_commands_stand_under_the_right_of_a_listed_one() {
    let mut acl = acl(Identity::Redis70);
    run(&mut acl, &["SETUSER", "u", "+sentinel|master", "+client|setname"]);
    assert!(may(&acl, "u", &["sentinel", "primary", "x"]) && !may(&acl, "u", &["sentinel", "primaries"]));
    assert!(may(&acl, "u", &["client", "setinfo", "lib-name", "x"]));
    run(&mut acl, &["SETUSER", "u", "reset", "+sentinel|primaries"]);
    assert_eq!(listed(&acl, "u"), "off sanitize-payload resetchannels -@all +sentinel|masters");

    let mut valkey = super::acl(Identity::Valkey80);
    run(&mut valkey, &["SETUSER", "u", "+sentinel|primaries", "+client|setinfo"]);
    assert!(!may(&valkey, "u", &["sentinel", "masters"]) && may(&valkey, "u", &["sentinel", "primaries"]));
    assert_eq!(listed(&valkey, "u"), "off resetchannels -@all +client|setinfo +sentinel|primaries");
}
