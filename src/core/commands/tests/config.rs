use super::*;

const USAGE: &str = "-ERR Only SENTINEL CONFIG GET <param> [<param> <param> ...] / SET <param> <value> [<param> \
                     <value> ...] are supported.";

#[test]
fn get_goes_by_the_order_of_the_patterns() {
    let mut desk = Desk::new();
    desk.check(&[
        (
            "sentinel config get *",
            "[resolve-hostnames no announce-hostnames no announce-ip '' announce-port 0 sentinel-user '' \
             sentinel-pass '' loglevel notice]",
        ),
        ("sentinel config get ANNOUNCE*", "[announce-hostnames no announce-ip '' announce-port 0]"),
        ("sentinel config get log* *level loglevel", "[loglevel notice]"),
        ("sentinel config get loglevel nope *-ip", "[loglevel notice announce-ip '']"),
        ("sentinel config get nope", "[]"),
        ("sentinel config get", USAGE),
        ("sentinel config set loglevel", USAGE),
        ("sentinel config fake x y", USAGE),
    ]);
}

#[test]
fn set_judges_all_before_it_changes_anything() {
    let mut desk = Desk::new();
    let invalid =
        |value: &str, name: &str| format!("-ERR Invalid value '{value}' to SENTINEL CONFIG SET '{name}'");
    desk.check(&[
        ("sentinel config set announce-port 5 fake 1", "-ERR Invalid argument 'fake' to SENTINEL CONFIG SET"),
        (
            "sentinel config set announce-port 5 Announce-Port 6",
            "-ERR Duplicate argument 'Announce-Port' to SENTINEL CONFIG SET",
        ),
        ("sentinel config set announce-port 5 announce-ip", "-ERR Missing argument 'announce-ip' value"),
        ("sentinel config set announce-port 5 loglevel loud", &invalid("loud", "loglevel")),
        ("sentinel config set announce-ip 1.2.3.4 announce-port 70000", &invalid("70000", "announce-port")),
        ("sentinel config set announce-port -1", &invalid("-1", "announce-port")),
        ("sentinel config set announce-port x fake y", &invalid("x", "announce-port")),
        ("sentinel config set resolve-hostnames maybe", &invalid("maybe", "resolve-hostnames")),
        ("sentinel config set announce-hostnames ''", &invalid("", "announce-hostnames")),
        ("sentinel config get announce-ip announce-port", "[announce-ip '' announce-port 0]"),
    ]);
    assert_eq!(desk.saves, 0);
    desk.check(&[
        ("sentinel config set announce-port 5 Resolve-Hostnames YES announce-hostnames yes", OK),
        ("sentinel config set announce-ip 1.2.3.4 loglevel Nothing", OK),
        (
            "sentinel config get *",
            "[resolve-hostnames yes announce-hostnames yes announce-ip 1.2.3.4 announce-port 5 sentinel-user '' \
             sentinel-pass '' loglevel nothing]",
        ),
        ("sentinel config set announce-ip ''", OK),
    ]);
    assert_eq!((desk.saves, desk.levels.as_slice()), (3, &[Level::Nothing][..]));
    let settings = desk.engine.snapshot();
    assert_eq!((settings.announce_ip, settings.announce_port), (None, 5));
    assert!(settings.resolve_hostnames && settings.announce_hostnames);
}

#[test]
fn credentials_drop_the_links_to_peers() {
    let mut desk = Desk::new();
    let before = desk.closed;
    assert_eq!(desk.ask("sentinel config set announce-port 5"), OK);
    assert_eq!(desk.closed, before);
    assert_eq!(desk.ask_words(&["sentinel", "config", "set", "sentinel-pass", "x\ny"]), OK);
    assert_eq!(desk.closed, before + 1);
    assert_eq!(desk.ask("sentinel config set sentinel-user u"), OK);
    assert_eq!(desk.ask("sentinel config get sentinel-*"), "[sentinel-user u sentinel-pass x\ny]");
    assert_eq!(desk.ask("sentinel config set sentinel-user '' sentinel-pass ''"), OK);
    assert_eq!(desk.engine.snapshot().sentinel_pass, None);
}

#[test]
fn control_characters_are_refused() {
    let mut desk = Desk::new();
    for words in [["announce-ip", "1\n2"], ["announce-ip\n", "x"], ["announce-port", "1\r"]] {
        let reply =
            desk.ask_words(&[&["sentinel", "config", "set", "sentinel-user", "u"][..], &words].concat());
        assert!(reply.contains(" for SENTINEL CONFIG SET: control characters are not allowed"), "{reply}");
        assert!(reply.contains("must not contain control characters"), "{reply}");
    }
    assert_eq!(desk.engine.snapshot().sentinel_user, None);
}
