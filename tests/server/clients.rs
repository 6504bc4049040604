//! CLIENT and its subcommands.

use crate::support::Running;

/// The value of a field of a line of CLIENT LIST.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let start = format!("{name}=");
    line.split([' ', '\n'])
        .find_map(|word| word.strip_prefix(&start))
        .unwrap_or_else(|| panic!("{name} in {line}"))
}

#[test]
fn list_and_info() {
    let server = Running::start();
    let (mut one, mut two) = (server.client(), server.client());
    one.says("CLIENT SETNAME one", "+OK\n").says("CLIENT SETINFO LIB-NAME lib", "+OK\n");
    one.says("client setinfo lib-ver 1.2", "+OK\n").says("CLIENT NO-EVICT ON", "+OK\n");
    two.says("SUBSCRIBE a b", "*3\n$9\nsubscribe\n$1\na\n:1\n*3\n$9\nsubscribe\n$1\nb\n:2\n");
    let info = one.command(&["CLIENT", "INFO"]).bulk();
    let names: Vec<&str> = info.trim_end().split(' ').filter_map(|word| word.split('=').next()).collect();
    assert_eq!(
        names.join(" "),
        "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp obl \
         oll omem tot-mem events cmd user redir resp lib-name lib-ver"
    );
    for (name, value) in [
        ("id", "1"),
        ("addr", &one.stream.local_addr().unwrap().to_string()),
        ("laddr", &format!("127.0.0.1:{}", server.port)),
        ("name", "one"),
        ("flags", "e"),
        ("cmd", "client|info"),
        ("user", "default"),
        ("redir", "-1"),
        ("resp", "2"),
        ("lib-name", "lib"),
        ("lib-ver", "1.2"),
    ] {
        assert_eq!(field(&info, name), value, "{name}");
    }
    let list = one.command(&["CLIENT", "LIST"]).bulk();
    assert_eq!(list.lines().map(|line| field(line, "id")).collect::<Vec<_>>(), ["1", "2"]);
    let second = list.lines().nth(1).unwrap();
    assert_eq!((field(second, "flags"), field(second, "sub"), field(second, "cmd")), ("P", "2", "subscribe"));
    for (filter, ids) in [
        ("TYPE normal", &["1"][..]),
        ("TYPE pubsub", &["2"]),
        ("TYPE replica", &[]),
        ("TYPE master", &[]),
        ("ID 2 1 7 2", &["2", "1"]),
    ] {
        let words: Vec<&str> = ["CLIENT", "LIST"].into_iter().chain(filter.split(' ')).collect();
        let list = one.command(&words).bulk();
        assert_eq!(list.lines().map(|line| field(line, "id")).collect::<Vec<_>>(), ids, "{filter}");
    }
    one.says("CLIENT LIST TYPE x", "-ERR Unknown client type 'x'\n");
    one.says("CLIENT LIST ID x", "-ERR Invalid client ID\n").says("CLIENT LIST ID", "-ERR syntax error\n");
}

#[test]
fn killing_oneself_is_answered_first() {
    let server = Running::start();
    for command in
        ["CLIENT KILL USER default SKIPME no", "CLIENT KILL SKIPME no", "CLIENT KILL TYPE normal SKIPME no"]
    {
        let mut client = server.client();
        client.command(&command.split(' ').collect::<Vec<_>>()).send("PING\r\n");
        assert_eq!(client.read_to_end(), ":1\r\n", "{command}");
    }
    let mut client = server.client();
    let own = client.stream.local_addr().unwrap().to_string();
    assert_eq!(client.command(&["CLIENT", "KILL", &own]).read_to_end(), "+OK\r\n");
}

#[test]
fn killing_others() {
    let server = Running::start();
    let mut killer = server.client();
    killer.says("CLIENT ID", ":1\n");
    let mut victims: Vec<_> = (0..5).map(|_| server.client()).collect();
    for (number, victim) in victims.iter_mut().enumerate() {
        victim.says("CLIENT ID", &format!(":{}\n", number + 2));
    }
    victims[3].says("SUBSCRIBE a", "*3\n$9\nsubscribe\n$1\na\n:1\n");
    let addr = victims[1].stream.local_addr().unwrap().to_string();
    killer.says("CLIENT KILL ID 2", ":1\n").says("CLIENT KILL ID 2", ":0\n");
    killer
        .says(&format!("CLIENT KILL {addr}"), "+OK\n")
        .says(&format!("CLIENT KILL {addr}"), "-ERR No such client\n");
    killer.says("CLIENT KILL TYPE pubsub", ":1\n");
    killer.says(&format!("CLIENT KILL ID 6 ADDR {addr}"), ":0\n");
    killer.says("CLIENT KILL MAXAGE 1000", ":0\n");
    killer.says(&format!("CLIENT KILL LADDR 127.0.0.1:{} USER default", server.port), ":2\n");
    for victim in &mut victims {
        victim.expect_end();
    }
    for (command, error) in [
        ("CLIENT KILL ID 0", "ERR client-id should be greater than 0"),
        ("CLIENT KILL MAXAGE 0", "ERR maxage should be greater than 0"),
        ("CLIENT KILL MAXAGE x", "ERR maxage is not an integer or out of range"),
        ("CLIENT KILL TYPE x", "ERR Unknown client type 'x'"),
        ("CLIENT KILL USER x", "ERR No such user 'x'"),
        ("CLIENT KILL SKIPME x", "ERR syntax error"),
        ("CLIENT KILL X y", "ERR syntax error"),
        ("CLIENT KILL ID 1 ADDR", "ERR syntax error"),
    ] {
        killer.says(command, &format!("-{error}\n"));
    }
    server.until("one is left", |stats| stats.connected_clients == 1);
}

#[test]
fn replies_can_be_silenced() {
    let server = Running::start();
    let mut client = server.client();
    client.send("CLIENT REPLY SKIP\r\nPING 1\r\nPING 2\r\n").expect("$1\n2\n");
    client.send("CLIENT REPLY SKIP\r\nSENTINEL GET-MASTER-ADDR-BY-NAME nope\r\nPING 3\r\n").expect("$1\n3\n");
    client.send("CLIENT REPLY OFF\r\nPING\r\nNOSUCH\r\nCLIENT REPLY ON\r\n").expect("+OK\n");
    client.says("CLIENT REPLY x", "-ERR syntax error\n");
}

#[test]
fn names_are_checked() {
    let server = Running::start();
    let mut client = server.client();
    let error = "-ERR Client names cannot contain spaces, newlines or special characters.\n";
    client.command(&["CLIENT", "SETNAME", "a b"]).expect(error);
    client.command(&["CLIENT", "SETNAME", "a\n"]).expect(error);
    client.command(&["HELLO", "3", "SETNAME", "a b"]).expect(error);
    client.command(&["CLIENT", "SETINFO", "lib-name", "a b"]);
    client.expect("-ERR lib-name cannot contain spaces, newlines or special characters.\n");
    client.says("CLIENT SETINFO x y", "-ERR Unrecognized option 'x'\n");
    client.says("CLIENT GETNAME", "$-1\n");
}

#[test]
fn tracking_is_kept_and_shown() {
    let server = Running::start();
    let mut client = server.client();
    let shown = |flags: &[&str], redirect: &str, prefixes: &[&str]| {
        let list = |words: &[&str]| -> String {
            words
                .iter()
                .fold(format!("*{}\n", words.len()), |text, word| format!("{text}${}\n{word}\n", word.len()))
        };
        format!("*6\n$5\nflags\n{}$8\nredirect\n:{redirect}\n$8\nprefixes\n{}", list(flags), list(prefixes))
    };
    client.says("CLIENT TRACKINGINFO", &shown(&["off"], "-1", &[])).says("CLIENT GETREDIR", ":-1\n");
    client.says("CLIENT TRACKING ON OPTIN NOLOOP", "+OK\n").says("CLIENT CACHING YES", "+OK\n");
    client.says("CLIENT TRACKINGINFO", &shown(&["on", "optin", "caching-yes", "noloop"], "0", &[]));
    client.says("PING", "+PONG\n").says("CLIENT TRACKINGINFO", &shown(&["on", "optin", "noloop"], "0", &[]));
    client.says("CLIENT TRACKING OFF", "+OK\n").says("CLIENT TRACKING ON BCAST PREFIX b PREFIX a", "+OK\n");
    client.says("CLIENT TRACKINGINFO", &shown(&["on", "bcast"], "0", &["a", "b"]));
    client.says(
        "CLIENT TRACKING ON BCAST PREFIX ax",
        "-ERR Prefix 'ax' overlaps with an existing prefix 'a'. Prefixes for a single client must not overlap.\n",
    );
    client.says("CLIENT TRACKING OFF", "+OK\n").says("CLIENT TRACKING ON REDIRECT 1", "+OK\n");
    client.says("CLIENT GETREDIR", ":1\n");
}

#[test]
fn a_pause_of_writes_holds_hellos_back_and_nothing_else() {
    let server = Running::start();
    let (mut one, mut two) = (server.client(), server.client());
    one.says("CLIENT PAUSE 1000000 WRITE", "+OK\n").says("PING", "+PONG\n");
    two.send("PUBLISH __sentinel__:hello x\r\nPING\r\n");
    while !one.command(&["CLIENT", "LIST", "ID", "2"]).bulk().contains(" flags=b ") {}
    one.says("CLIENT UNPAUSE", "+OK\n");
    two.expect(":1\n+PONG\n");
}

#[test]
fn a_pause_of_everything_ends_by_itself() {
    let server = Running::start();
    let (mut one, mut two) = (server.client(), server.client());
    one.says("CLIENT PAUSE 60", "+OK\n");
    one.send("PING\r\n");
    two.says("PING", "+PONG\n");
    one.expect("+PONG\n");
    for (command, error) in [
        ("CLIENT PAUSE x", "timeout is not an integer or out of range"),
        ("CLIENT PAUSE -1", "timeout is negative"),
        ("CLIENT PAUSE 1 x", "CLIENT PAUSE mode must be WRITE or ALL"),
        ("CLIENT UNBLOCK 1 x", "CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        ("CLIENT UNBLOCK x", "value is not an integer or out of range"),
    ] {
        one.says(command, &format!("-ERR {error}\n"));
    }
    one.says("CLIENT UNBLOCK 1", ":0\n");
}

#[test]
fn help_is_a_list_of_lines() {
    let server = Running::start();
    let mut client = server.client();
    let count: usize = client.command(&["CLIENT", "HELP"]).line()[1..].parse().unwrap();
    let lines: Vec<String> = (0..count).map(|_| client.line()).collect();
    assert_eq!(lines[0], "+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    assert_eq!(lines[count - 2], "+HELP");
    assert!(lines.iter().all(|line| line.starts_with('+')));
}
