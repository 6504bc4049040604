use super::*;

const NO_HOST: &str = "-ERR Invalid IP address or hostname specified";
const NO_PORT: &str = "-ERR Invalid port number.";

#[test]
fn monitor_judges_in_order() {
    let mut desk = Desk::new();
    desk.check(&[
        ("sentinel monitor mm x y z", "-ERR Invalid quorum"),
        ("sentinel monitor mm x y 2147483648", "-ERR Invalid quorum"),
        ("sentinel monitor mm x y 0", "-ERR Invalid port"),
        ("sentinel monitor mm 127.0.0.1 01 1", "-ERR Invalid port"),
        ("sentinel monitor mm x 99999 0", "-ERR Quorum must be 1 or greater."),
        ("sentinel monitor mm x 99999 -1", "-ERR Quorum must be 1 or greater."),
        ("sentinel monitor mm localhost 99999 1", NO_HOST),
        ("sentinel monitor mm '' 1 1", NO_HOST),
        ("sentinel monitor mm [::1] 1 1", NO_HOST),
        ("sentinel monitor mm 127.0.0.1 99999 1", NO_PORT),
        ("sentinel monitor mm 127.0.0.1 -1 1", NO_PORT),
        ("sentinel monitor mm 127.0.0.1 6379 1", "-ERR Duplicate master name."),
    ]);
    assert_eq!((desk.saves, desk.events.len()), (0, 0));
    desk.check(&[
        ("sentinel debug default-down-after 1234 default-failover-timeout 4321", OK),
        ("sentinel monitor v6 ::1 0 3", OK),
        ("sentinel get-master-addr-by-name v6", "[::1 0]"),
        ("role", "[sentinel [mm v6]]"),
    ]);
    assert_eq!(
        (desk.saves, desk.events.as_slice()),
        (1, &["+monitor master v6 ::1 0 quorum 3".to_owned()][..])
    );
    assert_eq!(desk.field("v6", "flags").as_deref(), Some("master,disconnected"));
    assert_eq!(desk.field("v6", "down-after-milliseconds").as_deref(), Some("1234"));
    assert_eq!(desk.field("v6", "failover-timeout").as_deref(), Some("4321"));
}

#[test]
fn names_and_hosts_that_would_break_the_file_are_refused() {
    let mut desk = Desk::new();
    for words in [["a\nb", "127.0.0.1", "1", "1"], ["a", "127.0.0.1\n", "x", "y"]] {
        let reply = desk.ask_words(&[&["sentinel", "monitor"][..], &words].concat());
        assert!(reply.contains(" for SENTINEL MONITOR: control characters are not allowed"), "{reply}");
        assert!(reply.contains("must not contain control characters"), "{reply}");
    }
}

#[test]
fn a_host_name_is_looked_up_first() {
    let mut desk = Desk::with(Settings { resolve_hostnames: true, ..settings() });
    desk.names = Some([("db", [10, 0, 0, 9].into())].into());
    desk.check(&[
        ("sentinel monitor a unknown.example 99999 1", NO_HOST),
        ("sentinel monitor a db 99999 1", NO_PORT),
        ("sentinel monitor a db 7 1", OK),
        ("sentinel get-master-addr-by-name a", "[10.0.0.9 7]"),
        ("sentinel config set announce-hostnames yes", OK),
        ("sentinel get-master-addr-by-name a", "[db 7]"),
    ]);
    assert!(desk.events.contains(&"+monitor master a 10.0.0.9 7 quorum 1".to_owned()));
}

#[test]
fn only_so_many_wait_for_the_resolver() {
    let mut desk = Desk::with(Settings { resolve_hostnames: true, ..settings() });
    desk.names = None;
    for index in 0..64 {
        desk.send(&["sentinel", "monitor", &format!("g{index}"), "db", "7", "1"]);
    }
    assert!(desk.replies.is_empty());
    assert_eq!(desk.resolves.len(), 1, "one question for one name");
    assert!(desk.ask("sentinel monitor more db 7 1").starts_with("-ERR Too many"));
    desk.replies.clear();
    let answer = desk.resolves.pop_front().unwrap();
    desk.handle(answer);
    assert_eq!(desk.replies.len(), 64);
    assert!(desk.replies.iter().all(|(_, reply)| *reply == Reply::OK));
    assert_eq!(desk.engine.groups.len(), 65);
}

#[test]
fn remove_forgets() {
    let mut desk = Desk::new();
    desk.check(&[("sentinel remove mm", OK), ("sentinel masters", "[]"), ("sentinel remove mm", NO_SUCH)]);
    assert_eq!(
        (desk.saves, desk.events.as_slice()),
        (1, &["-monitor master mm 127.0.0.1 6379".to_owned()][..])
    );
    assert_eq!(desk.closed, 5, "two of each data node, one of the peer");
    assert_eq!(desk.ask("sentinel monitor mm 127.0.0.1 6379 2"), OK);
}

#[test]
fn reset_goes_by_a_pattern_and_is_not_saved() {
    let mut desk = Desk::new();
    desk.ask("sentinel monitor other 127.0.0.1 7000 1");
    desk.events.clear();
    let saves = desk.saves;
    desk.check(&[
        ("sentinel reset M?", ":0"),
        ("sentinel reset m[a-n]", ":1"),
        ("sentinel replicas mm", "[]"),
        ("sentinel slaves mm", "[]"),
        ("sentinel sentinels mm", "[]"),
        ("sentinel reset *", ":2"),
    ]);
    assert_eq!(desk.saves, saves);
    assert_eq!(
        desk.events,
        [
            "+reset-master master mm 127.0.0.1 6379",
            "+reset-master master mm 127.0.0.1 6379",
            "+reset-master master other 127.0.0.1 7000",
        ]
    );
    let hello = format!("127.0.0.1,26380,{PEER},0,mm,127.0.0.1,6379,0");
    desk.ask(&format!("publish __sentinel__:hello {hello}"));
    assert_eq!(desk.ask("sentinel sentinels mm"), "[]", "nothing is discovered yet");
    desk.now = desk.now + Duration::from_millis(100);
    desk.ask(&format!("publish __sentinel__:hello {hello}"));
    assert_eq!(desk.field("mm", "num-other-sentinels").as_deref(), Some("1"));
}

#[test]
fn failover_without_a_good_replica() {
    let mut desk = Desk::new();
    assert_eq!(desk.ask("sentinel failover mm"), "-NOGOODSLAVE No suitable replica to promote");
}

#[test]
fn flushconfig_saves() {
    let mut desk = Desk::new();
    assert_eq!(desk.ask("sentinel flushconfig"), OK);
    assert_eq!(desk.saves, 1);
}
