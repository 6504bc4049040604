use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use super::*;
use crate::core::ids::RunId;

/// Files in memory.
#[derive(Default)]
struct Fake {
    files: BTreeMap<PathBuf, Vec<u8>>,
    stdin: &'static str,
    read_only: bool,
    variables: BTreeMap<&'static str, &'static str>,
    dir: RefCell<PathBuf>,
}

fn missing() -> io::Error {
    io::Error::from_raw_os_error(2)
}

impl System for Fake {
    fn executable(&self, path: &str) -> bool {
        path == "/bin/script"
    }

    fn writable(&self, _path: &Path) -> io::Result<()> {
        if self.read_only { Err(io::Error::from_raw_os_error(13)) } else { Ok(()) }
    }

    fn appendable(&self, path: &Path) -> io::Result<()> {
        if path.starts_with("/nonexistent") { Err(missing()) } else { Ok(()) }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(missing)
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        Ok(self.stdin.as_bytes().to_vec())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self
            .files
            .keys()
            .filter(|path| path.parent() == Some(folder))
            .filter_map(|path| path.file_name().map(PathBuf::from))
            .collect())
    }

    fn change_dir(&self, path: &Path) -> io::Result<()> {
        if path.starts_with("/nonexistent") {
            return Err(missing());
        }
        let dir = self.dir.borrow().join(path);
        self.dir.replace(dir);
        Ok(())
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        Ok(self.dir.borrow().clone())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|&value| value.to_owned())
    }
}

fn fake(text: &str) -> Fake {
    let files = BTreeMap::from([(PathBuf::from("/home/s.conf"), text.as_bytes().to_vec())]);
    Fake { files, dir: RefCell::new(PathBuf::from("/home")), ..Fake::default() }
}

fn sources(options: &str) -> Sources {
    Sources {
        file: Some(PathBuf::from("s.conf")),
        stdin: false,
        options: options.as_bytes().to_vec(),
        identity: Identity::Redis70,
    }
}

fn config(text: &str) -> Config {
    load(&sources(""), &fake(text)).unwrap().config
}

fn refused(text: &str) -> Refusal {
    *load(&sources(""), &fake(text)).unwrap_err()
}

/// The line's number and the message of a refusal.
fn statement(refusal: &Refusal) -> (usize, String, String) {
    match &refusal.cause {
        Cause::Statement { line: Some((number, text)), message } => (*number, text.clone(), message.clone()),
        Cause::Statement { line: None, .. } | Cause::Logged(_) => panic!("{refusal:?}"),
    }
}

const GROUP: &str = "sentinel monitor a 127.0.0.1 1 1\n";

#[test]
fn every_wrong_line_is_refused_in_sentinels_words() {
    let two = |line: &str| format!("{GROUP}{line}\n");
    let twice = |line: &str| format!("{GROUP}{line}\n{line}\n");
    let cases: &[(String, usize, &str)] = &[
        ("port 1\nnosuch 1\n".into(), 2, "Bad directive or wrong number of arguments"),
        ("user\n".into(), 1, "Bad directive or wrong number of arguments"),
        ("include\n".into(), 1, "Bad directive or wrong number of arguments"),
        ("rename-command PING\n".into(), 1, "Bad directive or wrong number of arguments"),
        ("list-max-ziplist-entries\n".into(), 1, "Bad directive or wrong number of arguments"),
        ("foo.bar\n".into(), 1, "Module config specified without value"),
        ("port 1 2\n".into(), 1, "wrong number of arguments"),
        ("port\n".into(), 1, "wrong number of arguments"),
        ("port abc\n".into(), 1, "argument couldn't be parsed into an integer"),
        ("port 70000\n".into(), 1, "argument must be between 0 and 65535 inclusive"),
        ("daemonize maybe\n".into(), 1, "argument must be 'yes' or 'no'"),
        (
            "loglevel foo\n".into(),
            1,
            "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
        ),
        ("maxmemory foo\n".into(), 1, "argument must be a memory value"),
        ("maxclients 0\n".into(), 1, "argument must be between 1 and 4294967295 inclusive"),
        ("unixsocketperm 999\n".into(), 1, "argument couldn't be parsed as an octal number"),
        (
            "client-output-buffer-limit foo 1 2 3\n".into(),
            1,
            "Invalid client class specified in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit normal 1 2\n".into(),
            1,
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-query-buffer-limit 1\n".into(),
            1,
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
        ("port \"7921\n".into(), 1, "Unbalanced quotes in configuration line"),
        ("dir /nonexistent\n".into(), 1, "No such file or directory"),
        ("rename-command NOSUCH x\n".into(), 1, "No such command in rename-command"),
        ("rename-command PING INFO\n".into(), 1, "Target command name already exists"),
        (
            "user foo on\nuser foo on\n".into(),
            2,
            "Error in user declaration 'foo': Duplicate user found. A user can only be defined once in config files",
        ),
        ("user foo badrule\n".into(), 1, "Error in user declaration 'user': Syntax error"),
        ("user foo on badrule\n".into(), 1, "Error in user declaration 'foo': Syntax error"),
        ("user foo on +get badrule\n".into(), 1, "Error in user declaration 'on': Syntax error"),
        ("sentinel nosuch a\n".into(), 1, "Unrecognized sentinel configuration statement."),
        ("sentinel monitor a 127.0.0.1 1\n".into(), 1, "Unrecognized sentinel configuration statement."),
        ("sentinel current-epoch a b\n".into(), 1, "Unrecognized sentinel configuration statement."),
        (two("sentinel auth-pass a"), 2, "Unrecognized sentinel configuration statement."),
        ("sentinel monitor a 127.0.0.1 1 0\n".into(), 1, "Quorum must be 1 or greater."),
        ("sentinel monitor a 127.0.0.1 1 x\n".into(), 1, "Quorum must be 1 or greater."),
        ("sentinel monitor a foo 1 1\n".into(), 1, "Can't resolve instance hostname."),
        (two("sentinel known-replica a foo 1"), 2, "Can't resolve instance hostname."),
        (two("sentinel known-sentinel a foo 1 x"), 2, "Can't resolve instance hostname."),
        ("sentinel monitor a 127.0.0.1 70000 1\n".into(), 1, "Invalid port number."),
        (two("sentinel known-replica a 127.0.0.1 -1"), 2, "Invalid port number."),
        (twice("sentinel monitor b 127.0.0.1 1 1"), 3, "Duplicate master name."),
        (twice("sentinel known-replica a 127.0.0.1 2"), 3, "Duplicate hostname and port for replica."),
        (twice("sentinel known-sentinel a 127.0.0.1 2 x"), 3, "Duplicate runid for sentinel."),
        ("sentinel down-after-milliseconds a 1\n".into(), 1, "No such master with specified name."),
        (two("sentinel down-after-milliseconds a 0"), 2, "negative or zero time parameter."),
        (two("sentinel failover-timeout a -1"), 2, "negative or zero time parameter."),
        (two("sentinel master-reboot-down-after-period a -1"), 2, "negative time parameter."),
        (
            two("sentinel notification-script a /x"),
            2,
            "Notification script seems non existing or non executable.",
        ),
        (
            two("sentinel client-reconfig-script a /x"),
            2,
            "Client reconfiguration script seems non existing or non executable.",
        ),
        ("sentinel myid abc\n".into(), 1, "Malformed Sentinel id in myid option."),
        (
            two("sentinel rename-command a x y\nsentinel rename-command a X z"),
            3,
            "Same command renamed multiple times with rename-command.",
        ),
        (
            "sentinel deny-scripts-reconfig maybe\n".into(),
            1,
            "Please specify yes or no for the deny-scripts-reconfig options.",
        ),
        (
            "sentinel resolve-hostnames maybe\n".into(),
            1,
            "Please specify yes or no for the resolve-hostnames option.",
        ),
        (
            "sentinel announce-hostnames maybe\n".into(),
            1,
            "Please specify yes or no for the announce-hostnames option.",
        ),
        ("vedette nosuch 1\n".into(), 1, "this version knows no directive 'vedette nosuch'"),
    ];
    for (text, line, message) in cases {
        let (number, shown, found) = statement(&refused(text));
        assert_eq!((number, found.as_str()), (*line, *message), "{text}");
        assert_eq!(shown, text.lines().nth(line - 1).unwrap(), "{text}");
    }
}

#[test]
fn what_is_no_line_of_the_file_is_refused_in_the_log() {
    let logged = |result: Result<Loaded, Box<Refusal>>| match result.unwrap_err().cause {
        Cause::Logged(text) => text,
        Cause::Statement { message, .. } => panic!("{message}"),
    };
    let no_file = Sources { file: None, ..sources("port 1") };
    assert_eq!(
        logged(load(&no_file, &fake(""))),
        "Sentinel needs config file on disk to save state. Exiting..."
    );
    let other_file = Sources { file: Some(PathBuf::from("../x.conf")), ..sources("") };
    assert_eq!(
        logged(load(&other_file, &fake(""))),
        "Fatal error, can't open config file '/x.conf': No such file or directory"
    );
    assert_eq!(
        logged(load(&sources(""), &fake("include /x.conf\n"))),
        "Fatal error, can't open config file '/x.conf': No such file or directory"
    );
    let read_only = Fake { read_only: true, ..fake("") };
    assert_eq!(
        logged(load(&sources(""), &read_only)),
        "Sentinel config file /home/s.conf is not writable: Permission denied. Exiting..."
    );
}

#[test]
fn a_log_file_that_cannot_be_opened_has_no_line() {
    let refusal = refused("logfile /nonexistent/x\nport 5\n");
    let message = "Can't open the log file: No such file or directory".to_owned();
    assert_eq!(refusal.cause, Cause::Statement { line: None, message });
}

#[test]
fn a_name_that_may_not_be_resolved_is_logged_too() {
    let refusal = refused("logfile /log\nsentinel monitor a foo 1 1\n");
    assert_eq!(refusal.notes, [(Level::Warning, "Failed to resolve hostname 'foo'".to_owned())]);
    assert_eq!(refusal.log.file, Some(PathBuf::from("/log")));
}

#[test]
fn file_stdin_and_options_are_one_text() {
    let system = Fake { stdin: "port 2\nbad 1\n", ..fake("port 1\n") };
    let with_stdin = Sources { stdin: true, ..sources("") };
    let refusal = load(&with_stdin, &system).unwrap_err();
    assert_eq!(statement(&refusal).0, 3);
    assert_eq!(refusal.notes, [(Level::Notice, "Reading config from stdin".to_owned())]);
    let refusal = load(&sources("bogus \"1\""), &fake("port 1\n")).unwrap_err();
    assert_eq!(statement(&refusal).0, 3);
    let loaded = load(&sources("port \"3\"\nloglevel debug"), &fake("port 1\nport 2\n")).unwrap();
    assert_eq!((loaded.config.general.port, loaded.config.general.loglevel), (3, Level::Debug));
    assert_eq!(loaded.config.path, PathBuf::from("/home/s.conf"));
}

#[test]
fn lines_about_a_group_may_stand_before_it() {
    let config = config(
        "sentinel down-after-milliseconds m 20000\nsentinel known-replica m 10.0.0.2 6379\nsentinel monitor m 10.0.0.1 6379 2\n\
         sentinel resolve-hostnames no\n",
    );
    let group = &config.settings.groups[0];
    assert_eq!(group.down_after.as_millis(), 20000);
    assert_eq!(group.known_replicas.len(), 1);
}

#[test]
fn every_sentinel_line_has_its_place() {
    let id = "0123456789012345678901234567890123456789";
    let config = config(&format!(
        "SENTINEL myid {id}\nsentinel announce-ip 1.2.3.4\nsentinel announce-ip \"\"\nsentinel announce-port 99\n\
         sentinel deny-scripts-reconfig no\nsentinel sentinel-user u\nsentinel sentinel-pass p\n\
         sentinel current-epoch 3\nsentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n\
         sentinel monitor a some.host 6379 2x\nsentinel failover-timeout a 5\nsentinel parallel-syncs a 7\n\
         sentinel notification-script a /bin/script\nsentinel client-reconfig-script a /bin/script\n\
         sentinel auth-pass a \"x y\"\nsentinel auth-user a bob\nsentinel primary-reboot-down-after-period a 8\n\
         sentinel rename-command a CONFIG guess\nsentinel config-epoch a 9\nsentinel leader-epoch a -4\n\
         sentinel known-slave a ::0001 2\nsentinel known-sentinel a h 3\nsentinel known-sentinel a h 4 id\n"
    ));
    let settings = &config.settings;
    assert_eq!(settings.my_id, Some(RunId::from(id)));
    assert_eq!(settings.announce_ip.as_deref(), Some("1.2.3.4"));
    assert_eq!((settings.announce_port, settings.current_epoch), (99, 9));
    assert!(settings.allow_scripts_reconfig && settings.resolve_hostnames && settings.announce_hostnames);
    assert_eq!(
        (settings.sentinel_user.as_deref(), settings.sentinel_pass.as_deref()),
        (Some("u"), Some("p"))
    );
    let group = &settings.groups[0];
    assert_eq!((group.primary.host.as_str(), group.primary.port, group.quorum), ("some.host", 6379, 2));
    assert_eq!((group.failover_timeout.as_millis(), group.parallel_syncs), (5, 7));
    assert_eq!(group.notification_script.as_deref(), Some("/bin/script"));
    assert_eq!(group.client_reconfig_script.as_deref(), Some("/bin/script"));
    assert_eq!((group.auth_pass.as_deref(), group.auth_user.as_deref()), (Some("x y"), Some("bob")));
    assert_eq!(group.reboot_down_after.as_millis(), 8);
    assert_eq!(group.renamed_commands, [("CONFIG".to_owned(), "guess".to_owned())]);
    assert_eq!((group.config_epoch, group.leader_epoch), (9, 0));
    assert_eq!(group.known_replicas[0].host, "::1");
    assert_eq!(group.known_sentinels.len(), 1, "a peer without an id is left out");
}

#[test]
fn included_files_count_their_own_lines_and_patterns_may_match_nothing() {
    let mut system = fake("include /none/*.conf\ndir /home/sub\ninclude /inc/*.conf\n");
    system.files.insert(PathBuf::from("/inc/a.conf"), b"port 9\n".to_vec());
    system.files.insert(PathBuf::from("/inc/b.conf"), b"timeout 5\nnosuch 1\n".to_vec());
    system.files.insert(PathBuf::from("/inc/c.txt"), b"worse\n".to_vec());
    let refusal = load(&sources(""), &system).unwrap_err();
    assert_eq!(statement(&refusal).0, 2);
    system.files.insert(PathBuf::from("/inc/b.conf"), b"timeout 5\nlogfile x.log\n".to_vec());
    system.dir.replace(PathBuf::from("/home"));
    let config = load(&sources(""), &system).unwrap().config;
    assert_eq!((config.general.port, config.general.timeout), (9, 5));
    assert_eq!(config.general.logfile, Some(PathBuf::from("/home/sub/x.log")));
    system.files.insert(PathBuf::from("/inc/b.conf"), b"include /inc/b.conf\n".to_vec());
    system.dir.replace(PathBuf::from("/home"));
    let refusal = load(&sources(""), &system).unwrap_err();
    assert_eq!(statement(&refusal).2, "include is nested too deeply");
}

#[test]
fn what_has_no_effect_is_accepted() {
    let config = config(
        "foo.bar 1\nlist-max-ziplist-value 64\nloadmodule /x.so\nsave \"\"\nslave-priority 10\nsentinel\n\
         requirepass foo\nuser alice on >x\nrename-command PING \"\"\nbind 127.0.0.1 -::1\n",
    );
    assert_eq!(config.general.requirepass.as_deref(), Some("foo"));
    assert_eq!(config.general.users[0].words, ["alice", "on", ">x"]);
    assert_eq!(config.general.renamed_commands, [("PING".to_owned(), String::new())]);
    assert_eq!(config.general.bind, ["127.0.0.1", "-::1"]);
    assert_eq!(config.general.port, 26379);
}

#[test]
fn the_identity_of_the_file_wins() {
    assert_eq!(config("").identity, Identity::Redis70);
    assert_eq!(config("vedette identity valkey-8.0\n").identity, Identity::Valkey80);
    assert_eq!(refused("vedette identity valkey-8.0\nnosuch 1\n").identity, Identity::Valkey80);
}

const FLEET: &str =
    "vedette coordination kubernetes\nvedette fleet f\nvedette member vedette-0\nvedette fleet-size 3\n";

#[test]
fn the_lines_about_the_fleet_come_to_what_the_core_needs() {
    let text = format!(
        "{FLEET}vedette namespace db\nvedette observe yes\nvedette cold-start-wait-milliseconds 500\n\
         vedette pods a app=redis,example.org/shard=1 6380\nvedette service a redis redis-replicas\n"
    );
    let coordination = config(&text).coordination.unwrap();
    assert_eq!((coordination.namespace.as_deref(), coordination.unsaved), (Some("db"), None));
    let fleet = coordination.fleet;
    assert_eq!((fleet.name.as_str(), fleet.member.as_str(), fleet.size), ("f", "vedette-0", 3));
    assert!(fleet.observe);
    assert_eq!(fleet.cold_start_wait.as_millis(), 500);
    let (group, pods) = fleet.pods.first_key_value().unwrap();
    let labels: Vec<_> = pods.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        (group.as_str(), labels, pods.port),
        ("a", vec![("app", "redis"), ("example.org/shard", "1")], Some(6380))
    );
    let (group, routes) = fleet.services.first_key_value().unwrap();
    assert_eq!(
        (group.as_str(), routes.primary.as_str(), routes.replicas.as_deref()),
        ("a", "redis", Some("redis-replicas"))
    );
    assert_eq!(config("vedette coordination peers\n").coordination, None);
}

#[test]
fn the_environment_says_what_the_lines_do_not() {
    let variables = [("VEDETTE_FLEET", "f"), ("POD_NAMESPACE", "db"), ("POD_NAME", "vedette-2")];
    let lines = "vedette coordination kubernetes\nvedette fleet-size 5\n";
    let system = Fake { variables: variables.into(), ..fake(lines) };
    let coordination = load(&sources(""), &system).unwrap().config.coordination.unwrap();
    let fleet = &coordination.fleet;
    assert_eq!((fleet.name.as_str(), fleet.member.as_str(), fleet.size), ("f", "vedette-2", 5));
    assert_eq!(coordination.namespace.as_deref(), Some("db"));
    assert!(!fleet.observe);
    assert_eq!(fleet.cold_start_wait.as_secs(), 30);

    // What is written down counts for more.
    let config = load(&sources("vedette fleet g\n"), &system).unwrap().config;
    assert_eq!(config.coordination.unwrap().fleet.name, "g");

    let wrong = Fake { variables: [("POD_NAME", "a"), ("VEDETTE_FLEET", "F F")].into(), ..fake(lines) };
    let (line, _, message) = statement(&load(&sources(""), &wrong).unwrap_err());
    assert_eq!(line, 1);
    assert!(message.starts_with("VEDETTE_FLEET in the environment must be"), "{message}");
    assert!(message.ends_with("not 'F F'"), "{message}");
}

#[test]
fn lines_that_do_not_go_together_are_refused() {
    let refused = |text: &str| {
        let (line, _, message) = statement(&refused(text));
        (line, message)
    };
    let lacks = "vedette coordination kubernetes needs 'vedette ";
    for (text, line, message) in [
        ("port 1\nvedette fleet f\n", 2, "vedette fleet needs 'vedette coordination kubernetes'"),
        ("vedette observe no\n", 1, "vedette observe needs 'vedette coordination kubernetes'"),
        (
            "vedette coordination kubernetes\nvedette coordination peers\nvedette pods a b=c\n",
            3,
            "vedette pods needs 'vedette coordination kubernetes'",
        ),
        (
            "\nvedette coordination kubernetes\n",
            2,
            &format!("{lacks}fleet', or VEDETTE_FLEET in the environment"),
        ),
        (
            "vedette coordination kubernetes\nvedette fleet f\n",
            1,
            &format!("{lacks}member', or POD_NAME in the environment"),
        ),
        (
            "vedette member a\nvedette coordination kubernetes\nvedette fleet f\n",
            2,
            &format!("{lacks}fleet-size'"),
        ),
    ] {
        assert_eq!(refused(text), (line, message.to_owned()), "{text}");
    }
}

#[test]
fn a_fleet_needs_no_file_that_it_can_write() {
    let id = "a".repeat(40);
    let text = format!("{FLEET}sentinel myid {id}\n{GROUP}");
    let kept = config(&text);
    assert_eq!(kept.settings.my_id, Some(RunId::from(id.as_str())));
    assert_eq!(kept.coordination.unwrap().unsaved, None);

    let read_only = Fake { read_only: true, ..fake(&text) };
    let config = load(&sources(""), &read_only).unwrap().config;
    assert_eq!(config.settings.my_id, None, "the file may be that of all members");
    assert_eq!(config.settings.groups.len(), 1);
    assert_eq!(config.coordination.unwrap().unsaved.as_deref(), Some("Permission denied"));

    let config = load(&Sources { file: None, ..sources(FLEET) }, &fake("")).unwrap().config;
    assert_eq!(config.path, PathBuf::new());
    assert_eq!(config.coordination.unwrap().unsaved.as_deref(), Some("there is no config file"));
}
