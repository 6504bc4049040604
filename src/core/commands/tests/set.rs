use super::*;

const SAVE_FAILED: &str = "-ERR Failed to save config file. Check server logs.";

fn invalid(value: &str, option: &str) -> String {
    format!("-ERR Invalid argument '{value}' for SENTINEL SET '{option}'")
}

fn unknown(option: &str) -> String {
    format!("-ERR Unknown option or number of arguments for SENTINEL SET '{option}'")
}

fn scripted() -> Desk {
    let mut desk = Desk::with(Settings { allow_scripts_reconfig: true, ..settings() });
    desk.scripts = vec!["./ok.sh"];
    desk
}

#[test]
fn numbers() {
    let mut desk = Desk::new();
    for (option, value) in [
        ("quorum", "0"),
        ("quorum", "-1"),
        ("quorum", "x"),
        ("quorum", "''"),
        ("quorum", "2147483648"),
        ("parallel-syncs", "0"),
        ("down-after-milliseconds", "0"),
        ("down-after-milliseconds", "-20"),
        ("failover-timeout", "abc"),
        ("failover-timeout", "99999999999999999999"),
        ("master-reboot-down-after-period", "-1"),
    ] {
        let shown = if value == "''" { "" } else { value };
        assert_eq!(desk.ask(&format!("sentinel set mm {option} {value}")), invalid(shown, option));
    }
    assert_eq!((desk.saves, desk.events.len()), (0, 0), "nothing was applied");
    desk.check(&[
        ("sentinel set mm Quorum 5", OK),
        ("sentinel set mm parallel-syncs 4 failover-timeout 9000", OK),
        ("sentinel set mm down-after-milliseconds 9223372036854775807", OK),
        ("sentinel set mm master-reboot-down-after-period 0", OK),
        ("sentinel set mm primary-reboot-down-after-period 70", OK),
    ]);
    assert_eq!(desk.saves, 5, "one per command");
    assert_eq!(
        desk.events,
        [
            "+set master mm 127.0.0.1 6379 Quorum 5",
            "+set master mm 127.0.0.1 6379 parallel-syncs 4",
            "+set master mm 127.0.0.1 6379 failover-timeout 9000",
            "+set master mm 127.0.0.1 6379 down-after-milliseconds 9223372036854775807",
            "+set master mm 127.0.0.1 6379 master-reboot-down-after-period 0",
            "+set master mm 127.0.0.1 6379 primary-reboot-down-after-period 70",
        ]
    );
    let group = &desk.engine.snapshot().groups[0];
    assert_eq!((group.quorum, group.parallel_syncs), (5, 4));
    assert_eq!(group.failover_timeout, Duration::from_secs(9));
    assert_eq!(group.reboot_down_after, Duration::from_millis(70));
}

#[test]
fn what_comes_before_a_mistake_stays_and_is_saved() {
    let mut desk = Desk::new();
    for (options, reply) in [
        ("quorum 3 quorum abc", invalid("abc", "quorum")),
        ("parallel-syncs 3 fakeoption 1", unknown("fakeoption")),
        ("failover-timeout 5000 quorum", unknown("quorum")),
        ("down-after-milliseconds 77 rename-command a", unknown("rename-command")),
    ] {
        assert_eq!(desk.ask(&format!("sentinel set mm {options}")), reply);
    }
    assert_eq!(desk.saves, 4);
    let group = &desk.engine.snapshot().groups[0];
    assert_eq!((group.quorum, group.parallel_syncs), (3, 3));
    assert_eq!(group.failover_timeout, Duration::from_secs(5));
    assert_eq!(group.down_after, Duration::from_millis(77));
    for options in ["fakeoption 1 quorum 9", "config-epoch 5", "'' ''"] {
        let first = options.split(' ').next().unwrap().trim_matches('\'');
        assert_eq!(desk.ask(&format!("sentinel set mm {options}")), unknown(first));
    }
    assert_eq!(desk.saves, 4, "nothing more to save");
}

#[test]
fn the_answer_waits_for_the_disk() {
    let mut desk = Desk::new();
    desk.disk = None;
    desk.send(&["sentinel", "set", "mm", "quorum", "9"]);
    assert!(desk.replies.is_empty());
    assert_eq!(desk.ask("sentinel myid"), ME, "a query doesn't");
    desk.replies.clear();
    let upto = desk.unsaved.pop().unwrap();
    desk.handle(Input::Persisted { upto, ok: true });
    assert_eq!(desk.replies, [(ClientId(7), Reply::OK)]);
    desk.disk = Some(false);
    for command in [
        "sentinel set mm quorum 8",
        "sentinel flushconfig",
        "sentinel config set announce-port 1",
        "sentinel monitor x 127.0.0.1 1 1",
        "sentinel remove x",
    ] {
        assert_eq!(desk.ask(command), SAVE_FAILED, "{command}");
    }
    assert_eq!(desk.engine.snapshot().groups[0].quorum, 8, "the change stays");
    assert_eq!(desk.ask("sentinel set mm quorum 7 fake 1"), unknown("fake"));
}

#[test]
fn scripts_are_denied_unless_allowed() {
    let mut desk = Desk::new();
    desk.scripts = vec!["./ok.sh"];
    let denied = "-ERR Reconfiguration of scripts path is denied for security reasons. Check the \
                  deny-scripts-reconfig configuration directive in your Sentinel configuration";
    for option in ["notification-script", "client-reconfig-script"] {
        for path in ["./ok.sh", "/nope", "''"] {
            assert_eq!(desk.ask(&format!("sentinel set mm {option} {path}")), denied);
        }
    }
}

#[test]
fn scripts_must_be_executable() {
    let mut desk = scripted();
    desk.check(&[
        (
            "sentinel set mm notification-script /nope",
            "-ERR Notification script seems non existing or non executable",
        ),
        (
            "sentinel set mm client-reconfig-script /nope",
            "-ERR Client reconfiguration script seems non existing or non executable",
        ),
        ("sentinel set mm quorum 4 client-reconfig-script ./ok.sh notification-script ./ok.sh", OK),
        ("sentinel set mm client-reconfig-script ''", OK),
    ]);
    let group = &desk.engine.snapshot().groups[0];
    assert_eq!(group.notification_script.as_deref(), Some("./ok.sh"));
    assert_eq!((group.client_reconfig_script.as_deref(), group.quorum), (None, 4));
    let runs: Vec<String> = desk.runs.iter().map(|argv| argv.join("|")).collect();
    assert_eq!(
        runs,
        [
            "./ok.sh|+set|master mm 127.0.0.1 6379 notification-script ./ok.sh",
            "./ok.sh|+set|master mm 127.0.0.1 6379 client-reconfig-script ",
        ]
    );
    let rows = desk.ask("sentinel pending-scripts");
    assert!(
        rows.starts_with("[[argv [./ok.sh +set master mm 127.0.0.1 6379 notification-script ./ok.sh] flags running pid 0 run-time 0 retry-num 1] "),
        "{rows}"
    );
}

#[test]
fn a_group_that_goes_while_its_script_is_looked_at() {
    let mut desk = scripted();
    let mut out = Vec::new();
    let args = ["sentinel", "set", "mm", "notification-script", "./ok.sh"].map(Bytes::from).to_vec();
    desk.engine.handle(Input::Command { client: ClientId(7), args }, desk.now, &mut out);
    let id = out
        .iter()
        .find_map(|action| if let Action::CheckExecutable { id, .. } = action { Some(*id) } else { None })
        .unwrap();
    assert_eq!(desk.ask("sentinel remove mm"), OK);
    desk.replies.clear();
    desk.handle(Input::Executable { id, ok: vec![true] });
    assert_eq!(text(&desk.replies[0].1), NO_SUCH);
    desk.handle(Input::Executable { id, ok: vec![true] });
    assert_eq!(desk.replies.len(), 1, "answered once");
}

#[test]
fn credentials_drop_the_links_and_are_not_shown() {
    let mut desk = Desk::new();
    let before = desk.closed;
    assert_eq!(desk.ask_words(&["sentinel", "set", "mm", "AUTH-PASS", "a b\n\"c"]), OK);
    assert_eq!(desk.closed - before, 4, "two connections each of the primary and the replica");
    assert_eq!(desk.ask_words(&["sentinel", "set", "mm", "auth-user", "bob\r\n"]), OK);
    assert_eq!(
        desk.events,
        ["+set master mm 127.0.0.1 6379 AUTH-PASS ******", "+set master mm 127.0.0.1 6379 auth-user bob  "]
    );
    let group = &desk.engine.snapshot().groups[0];
    assert_eq!(group.auth_pass.as_deref(), Some("a b\n\"c"));
    assert_eq!(group.auth_user.as_deref(), Some("bob\r\n"));
    desk.check(&[("sentinel set mm auth-pass ''", OK), ("sentinel set mm auth-user ''", OK)]);
    let group = &desk.engine.snapshot().groups[0];
    assert_eq!((group.auth_pass.as_deref(), group.auth_user.as_deref()), (None, None));
}

#[test]
fn commands_are_renamed_and_named_back() {
    let mut desk = Desk::new();
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    desk.check(&[
        ("sentinel set mm rename-command '' b", &invalid("", "rename-command")),
        ("sentinel set mm rename-command a ''", &invalid("", "rename-command")),
        ("sentinel set mm rename-command PING PONG rename-command config guessed", OK),
        ("sentinel set mm rename-command ping PUNG", OK),
    ]);
    assert_eq!(
        desk.engine.snapshot().groups[0].renamed_commands,
        [pair("config", "guessed"), pair("ping", "PUNG")]
    );
    assert_eq!(desk.ask("sentinel set mm rename-command PING ping"), OK);
    assert_eq!(desk.engine.snapshot().groups[0].renamed_commands, [pair("config", "guessed")]);
    assert_eq!(desk.events.last().unwrap(), "+set master mm 127.0.0.1 6379 rename-command PING ping");
}

#[test]
fn control_characters_are_refused_before_anything_is_done() {
    let mut desk = scripted();
    for words in [
        ["quorum", "9", "notification-script", "/a\nsentinel x"],
        ["quorum", "9", "client-reconfig-script", "/a\r"],
        ["quorum", "9", "fake\n", "1"],
        ["rename-command", "a\u{7f}", "b", "quorum"],
        ["rename-command", "a", "\t", "quorum"],
    ] {
        let reply = desk.ask_words(&[&["sentinel", "set", "mm"][..], &words].concat());
        assert!(reply.starts_with("-ERR Invalid argument at index "), "{reply}");
        assert!(reply.contains(" for SENTINEL SET: control characters are not allowed"), "{reply}");
        assert!(reply.contains("must not contain control characters"), "{reply}");
    }
    assert_eq!((desk.saves, desk.events.len()), (0, 0));
    let args = [&b"sentinel"[..], b"set", b"mm", b"auth-pass", b"\xff\xfe"].map(Bytes::from_static).to_vec();
    desk.replies.clear();
    desk.handle(Input::Command { client: ClientId(7), args });
    assert!(text(&desk.replies[0].1).contains("must be UTF-8"), "it could not be kept as it is");
}
