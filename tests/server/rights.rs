//! Authentication and access rules at connections.

use crate::support::{Running, user};

const NOAUTH: &str = "-NOAUTH Authentication required.\n";
const WRONGPASS: &str = "-WRONGPASS invalid username-password pair or user is disabled.\n";

#[test]
fn what_is_possible_before_authentication() {
    let server = Running::with(|general| general.requirepass = Some("pw".into()));
    let mut client = server.client();
    client.says("PING", NOAUTH).says("SENTINEL MASTERS", NOAUTH).says("SUBSCRIBE a", NOAUTH);
    client.says("NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \n");
    client.says("SENTINEL x", "-ERR unknown subcommand 'x'. Try SENTINEL HELP.\n");
    client.says("SENTINEL MASTER", "-ERR wrong number of arguments for 'sentinel|master' command\n");
    client.says(
        "HELLO 3",
        "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option \
         can be used to authenticate the client and select the RESP protocol version at the same time\n",
    );
    client
        .says("AUTH x", WRONGPASS)
        .says("AUTH default x", WRONGPASS)
        .says("HELLO 3 AUTH nobody pw", WRONGPASS);
    client.says("AUTH pw", "+OK\n").says("PING", "+PONG\n");
    server.client().says("AUTH default pw", "+OK\n").says("PING", "+PONG\n");
    let mut greeter = server.client();
    greeter.command(&["HELLO", "3", "AUTH", "default", "pw"]);
    while greeter.line() != "*0" {}
    greeter.says("PING", "+PONG\n");
    assert_eq!(server.stats().denied_auth, 3);
}

#[test]
fn requests_are_smaller_before_authentication() {
    let server = Running::with(|general| general.requirepass = Some("pw".into()));
    for (bytes, error) in
        [("*11\r\n", "unauthenticated multibulk length"), ("*1\r\n$16385\r\n", "unauthenticated bulk length")]
    {
        assert_eq!(server.client().send(bytes).read_to_end(), format!("-ERR Protocol error: {error}\r\n"));
    }
    let mut client = server.client();
    client.says("AUTH pw", "+OK\n");
    client
        .send("*11\r\n$4\r\nPING\r\n$16385\r\n")
        .send("x".repeat(16385) + "\r\n")
        .send("$1\r\nx\r\n".repeat(9));
    client.expect("-ERR wrong number of arguments for 'ping' command\n");
}

#[test]
fn users_have_their_rights() {
    let server = Running::with(|general| {
        general.users = vec![user(
            "u on >p resetchannels &+switch* -@all +ping +subscribe +psubscribe +sentinel|masters",
        )];
    });
    let mut client = server.client();
    client.says("AUTH u p", "+OK\n").says("PING", "+PONG\n");
    client.says("INFO", "-NOPERM this user has no permissions to run the 'info' command\n");
    client.says(
        "SENTINEL MASTER m",
        "-NOPERM this user has no permissions to run the 'sentinel|master' command\n",
    );
    client.says("SUBSCRIBE +switch-master", "*3\n$9\nsubscribe\n$14\n+switch-master\n:1\n");
    client.says(
        "SUBSCRIBE +sdown",
        "-NOPERM this user has no permissions to access one of the channels used as arguments\n",
    );
    assert_eq!(server.stats().denied_commands, 2);
    assert_eq!(server.stats().denied_channels, 1);
    assert!(server.acl_lines().iter().any(|line| line.starts_with("user u on ")), "{:?}", server.acl_lines());
}

#[test]
fn deleted_users_are_disconnected_the_caller_after_its_reply() {
    let server = Running::start();
    let mut admin = server.client();
    admin.says("ACL SETUSER u on >p allchannels +@all", "+OK\n");
    let (mut caller, mut other) = (server.client(), server.client());
    caller.says("AUTH u p", "+OK\n").says("ACL WHOAMI", "$1\nu\n");
    other.says("AUTH u p", "+OK\n");
    assert_eq!(caller.command(&["ACL", "DELUSER", "u"]).send("PING\r\n").read_to_end(), ":1\r\n");
    other.expect_end();
    admin.says("PING", "+PONG\n");
}

#[test]
fn a_subscriber_whose_channel_is_taken_away_is_disconnected() {
    let server = Running::start();
    let mut admin = server.client();
    admin.says("ACL SETUSER u on >p allchannels +@all", "+OK\n");
    let mut subscriber = server.client();
    subscriber.says("AUTH u p", "+OK\n").says("SUBSCRIBE a", "*3\n$9\nsubscribe\n$1\na\n:1\n");
    admin.says("ACL SETUSER u resetchannels &b", "+OK\n");
    subscriber.expect_end();
}

#[test]
fn a_default_user_that_is_switched_off_locks_new_connections() {
    let server = Running::start();
    let mut old = server.client();
    old.says("ACL SETUSER adm on >p allchannels +@all", "+OK\n").says("ACL SETUSER default off", "+OK\n");
    let mut new = server.client();
    new.says("PING", NOAUTH).says("AUTH adm p", "+OK\n").says("PING", "+PONG\n");
    new.says("CLIENT KILL USER default SKIPME no", ":1\n");
    old.expect_end();
}

#[test]
fn the_aclfile_is_saved_and_loaded_without_holding_others_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.acl");
    std::fs::write(&path, "user u on >p allchannels +@all\n").unwrap();
    let server = Running::with(|general| general.aclfile = Some(path.to_string_lossy().into_owned()));
    let (mut user, mut admin) = (server.client(), server.client());
    user.says("AUTH u p", "+OK\n");
    admin.says("ACL SETUSER v on nopass +ping", "+OK\n");
    // The reply comes from another thread; what follows waits for it.
    admin.send("ACL SAVE\r\nPING\r\n").expect("+OK\n+PONG\n");
    assert!(std::fs::read_to_string(&path).unwrap().contains("user v on nopass"));
    assert!(server.acl_lines().is_empty());
    std::fs::write(&path, "user w on >p +@all\n").unwrap();
    admin.send("ACL LOAD\r\nACL USERS\r\n").expect("+OK\n*2\n$7\ndefault\n$1\nw\n");
    user.expect_end();
    std::fs::write(&path, "user w on nonsense\n").unwrap();
    assert_eq!(server.reload().len(), 1);
    std::fs::write(&path, "user x on >p +@all\n").unwrap();
    assert!(server.reload().is_empty());
    admin.says("ACL USERS", "*2\n$7\ndefault\n$1\nx\n");
}
