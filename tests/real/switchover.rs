//! The planned switchover: SENTINEL FAILOVER on a primary that works.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::group::NAME;
use crate::support::node::VALKEY;
use crate::support::{Client, Group, Login, Port, Program, Sentinel, Spec, Value, eventually, poll, rounds};

/// How a client finds the primary again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Asks a Sentinel when its connection fails.
    Asks,
    /// Goes where +switch-master says.
    Hears,
    /// Never leaves the first primary: it connects to the same address again.
    Stays,
}

/// Between two writes.
const PACE: Duration = Duration::from_micros(500);

/// What a client was told.
#[derive(Debug, Default)]
struct Account {
    acknowledged: Vec<u64>,
    last: Option<Instant>,
    longest: Duration,
}

/// A client that writes many times a second, each value under a key of its own.
struct Load {
    habit: Habit,
    account: Arc<Mutex<Account>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(group: &Group, habit: Habit) -> Self {
        let sentinels: Vec<u16> = group.sentinels.iter().map(Sentinel::port).collect();
        let login = group.spec.node_login.clone();
        let place = Arc::new(Mutex::new(group.primary_port()));
        let account = Arc::new(Mutex::new(Account::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        if habit == Habit::Hears {
            let (place, stop, port) = (Arc::clone(&place), Arc::clone(&stop), sentinels[0]);
            threads.push(thread::spawn(move || hear(port, &place, &stop)));
        }
        let (mine, ended) = (Arc::clone(&account), Arc::clone(&stop));
        threads.push(thread::spawn(move || {
            let mut number = 0;
            while !ended.load(Ordering::SeqCst) {
                let port = *place.lock().unwrap();
                let stale = || *place.lock().unwrap() != port || ended.load(Ordering::SeqCst);
                // However it ends, the next round looks for the primary again.
                let _ = write(port, &login, habit, &mut number, &mine, stale);
                if habit == Habit::Asks
                    && let Some(port) = ask(&sentinels)
                {
                    *place.lock().unwrap() = port;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }));
        Self { habit, account, stop, threads }
    }

    fn count(&self) -> usize {
        self.account.lock().unwrap().acknowledged.len()
    }

    /// Waits until more writes were acknowledged.
    #[track_caller]
    fn goes_on(&self) {
        let before = self.count();
        eventually("writes are acknowledged", || self.count() > before + 200);
    }

    /// The longest time without an acknowledgement since the last call.
    fn longest(&self) -> Duration {
        std::mem::take(&mut self.account.lock().unwrap().longest)
    }

    /// Ends; what was acknowledged and is not there.
    fn lost(mut self, group: &Group, primary: u16) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        let node = group.nodes.iter().find(|node| node.port() == primary).unwrap();
        let mut client = node.connect().unwrap();
        let acknowledged = std::mem::take(&mut self.account.lock().unwrap().acknowledged);
        assert!(!acknowledged.is_empty());
        let mut lost = 0;
        for some in acknowledged.chunks(500) {
            let keys: Vec<String> = some.iter().map(|number| key(self.habit, *number)).collect();
            let mut words = vec!["MGET"];
            words.extend(keys.iter().map(String::as_str));
            let reply = client.call(&words);
            lost += reply.items().iter().filter(|item| **item == Value::Null).count();
        }
        lost
    }
}

fn key(habit: Habit, number: u64) -> String {
    format!("{habit:?}:{number}")
}

fn write(
    port: u16,
    login: &Login,
    habit: Habit,
    number: &mut u64,
    account: &Mutex<Account>,
    stale: impl Fn() -> bool,
) -> io::Result<()> {
    let mut client = Client::connect("127.0.0.1", port)?.login(login)?;
    while !stale() {
        *number += 1;
        let reply = client.command(&["SET", &key(habit, *number), "x"])?;
        if reply.is_error() {
            return Err(io::Error::other(reply.text()));
        }
        let mut account = account.lock().unwrap();
        account.acknowledged.push(*number);
        let now = Instant::now();
        let gap = account.last.replace(now).map_or(Duration::ZERO, |last| now - last);
        account.longest = account.longest.max(gap);
        drop(account);
        thread::sleep(PACE);
    }
    Ok(())
}

fn ask(sentinels: &[u16]) -> Option<u16> {
    let mut client = sentinels.iter().find_map(|port| Client::connect("127.0.0.1", *port).ok())?;
    let reply = client.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).ok()?;
    reply.items().get(1)?.text().parse().ok()
}

/// Follows the events of one Sentinel.
fn hear(sentinel: u16, place: &Mutex<u16>, stop: &AtomicBool) {
    let mut stream = TcpStream::connect(("127.0.0.1", sentinel)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.write_all(b"SUBSCRIBE +switch-master\r\n").unwrap();
    let mut text = String::new();
    let mut part = [0; 4096];
    while !stop.load(Ordering::SeqCst) {
        let Ok(size) = stream.read(&mut part) else { continue };
        text.push_str(&String::from_utf8_lossy(&part[..size]));
        while let Some(at) = text.find(&format!("{NAME} ")) {
            let Some(end) = text[at..].find("\r\n") else { break };
            let port = text[at..at + end].rsplit(' ').next().unwrap().parse().unwrap();
            *place.lock().unwrap() = port;
            text.drain(..at + end);
        }
    }
}

fn full_syncs(group: &Group) -> u64 {
    group.nodes.iter().map(|node| node.info("sync_full").parse::<u64>().unwrap()).sum()
}

/// Moves the primary from the first daemon, as often as asked, under three kinds of writers; the longest pauses seen.
fn moves_without_loss(mut spec: Spec, times: usize) -> Vec<Duration> {
    spec.node_lines.push("repl-backlog-size 64mb".to_owned());
    let group = spec.start();
    let loads = [Habit::Asks, Habit::Hears].map(|habit| Load::start(&group, habit));
    loads.iter().for_each(Load::goes_on);
    flowing(&group);
    let copies = full_syncs(&group);
    let mut pauses = Vec::new();
    for _ in 0..times {
        let old = group.primary_port();
        let stays = Load::start(&group, Habit::Stays);
        stays.goes_on();
        loads.iter().for_each(|load| {
            load.longest();
        });
        failover(&group);
        let new = group.switched_from(old);
        loads.iter().for_each(Load::goes_on);
        pauses.extend(loads.iter().map(Load::longest));
        group.all_follow(new);
        assert_eq!(stays.lost(&group, new), 0, "of the client that stays");
        group.settled();
    }
    let primary = group.primary_port();
    for load in loads {
        let habit = load.habit;
        assert_eq!(load.lost(&group, primary), 0, "of the client that {habit:?}");
    }
    assert_eq!(full_syncs(&group), copies, "each replica goes on where it was");
    eprintln!("longest pauses of writers: {pauses:?}");
    pauses
}

/// Waits until every replica has taken in what the primary holds now: after a full copy the stream itself begins up to a
/// second later, though both call the link up.
fn flowing(group: &Group) {
    let primary = group.nodes.iter().find(|node| node.info("role") == "master").unwrap();
    let sent: u64 = primary.info("master_repl_offset").parse().unwrap();
    for node in group.nodes.iter().filter(|node| node.port() != primary.port()) {
        eventually("the stream flows", || {
            node.info("slave_repl_offset").parse::<u64>().is_ok_and(|have| have >= sent)
        });
    }
}

/// SENTINEL FAILOVER at the first daemon, as soon as it is not told that one is in progress or that no replica is good.
fn failover(group: &Group) {
    poll("SENTINEL FAILOVER is taken", || {
        let reply = group.sentinels[0].call(&["SENTINEL", "FAILOVER", NAME]);
        if reply == Value::Simple("OK".to_owned()) { Ok(()) } else { Err(reply) }
    });
}

#[test]
fn no_acknowledged_write_is_lost_and_every_replica_goes_on_where_it_was() {
    moves_without_loss(Spec::default(), 4 * rounds());
}

#[test]
fn valkey_s_servers_hand_over_without_loss() {
    moves_without_loss(Spec { server: VALKEY, ..Spec::default() }, 2 * rounds());
}

#[test]
fn genuine_sentinels_follow_a_planned_switchover() {
    let programs = vec![Program::subject(), Program::genuine(), Program::genuine()];
    moves_without_loss(Spec { programs, ..Spec::default() }, 2 * rounds());
}

/// A way to a data node on which its answers can be late.
struct Valve {
    port: u16,
    late_ms: Arc<AtomicU64>,
    _port: Port,
}

impl Valve {
    fn open(to: u16) -> Self {
        let reserved = Port::reserve();
        let port = reserved.number();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let late_ms = Arc::new(AtomicU64::new(0));
        let late = Arc::clone(&late_ms);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
                let (client2, server2) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let late = Arc::clone(&late);
                thread::spawn(move || carry(client, server, &AtomicU64::new(0)));
                thread::spawn(move || carry(server2, client2, &late));
            }
        });
        Self { port, late_ms, _port: reserved }
    }
}

/// Carries bytes over until one side ends, each so much later.
fn carry(mut from: TcpStream, mut to: TcpStream, late_ms: &AtomicU64) {
    let mut part = vec![0; 1 << 20];
    while let Ok(size) = from.read(&mut part) {
        thread::sleep(Duration::from_millis(late_ms.load(Ordering::SeqCst)));
        if size == 0 || to.write_all(&part[..size]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// A primary with one replica, the failover-timeout long enough that nobody mends what a test arranges.
fn pair() -> Spec {
    Spec {
        replicas: 1,
        down_after: Duration::from_secs(30),
        failover_timeout: Duration::from_secs(180),
        ..Spec::default()
    }
}

#[test]
fn a_candidate_that_does_not_catch_up_undoes_the_switchover() {
    let group = pair().start();
    let primary = group.primary_port();
    let valve = Valve::open(primary);
    group.nodes[1].call(&["REPLICAOF", "127.0.0.1", &valve.port.to_string()]);
    eventually("the replica is linked through the valve", || group.nodes[1].follows(valve.port));
    let load = Load::start(&group, Habit::Asks);
    load.goes_on();
    failover_at_the_valve(&group, &valve);
    eventually("it is given up", || {
        group.sentinels[0].log().contains("-failover-abort-master-timeout master mymaster")
    });
    load.goes_on();
    assert_eq!(group.primary_port(), primary);
    assert_eq!(group.nodes[0].info("role"), "master");
    assert_eq!(group.nodes[1].info("role"), "slave");
    assert!(!group.sentinels[0].log().contains("+promoted-slave"));
    valve.late_ms.store(0, Ordering::SeqCst);
    assert_eq!(load.lost(&group, primary), 0);
    // Afterwards it works.
    failover(&group);
    let new = group.switched_from(primary);
    group.all_follow(new);
}

/// Asks for the switchover as soon as the replica counts as linked again, with the stream slow from here on.
fn failover_at_the_valve(group: &Group, valve: &Valve) {
    eventually("the daemon has seen it", || {
        group.sentinels[0].replica(NAME, group.nodes[1].port()).is_some_and(|row| {
            row["master-port"] == valve.port.to_string() && row["master-link-status"] == "ok"
        })
    });
    // Longer than writes are held back, shorter than the two may take until the stream is seen to flow.
    valve.late_ms.store(1_500, Ordering::SeqCst);
    failover(group);
}

#[test]
fn a_frozen_candidate_is_never_waited_for_with_writes_held_back() {
    let mut group = pair().start();
    let primary = group.primary_port();
    let load = Load::start(&group, Habit::Asks);
    load.goes_on();
    group.nodes[1].pause();
    failover(&group);
    eventually("it is given up", || group.sentinels[0].log().contains("-failover-abort-slave-timeout"));
    group.nodes[1].resume();
    load.goes_on();
    assert_eq!(group.nodes[0].info("cmdstat_client|pause"), "");
    assert_eq!(group.primary_port(), primary);
    assert_eq!(load.lost(&group, primary), 0);
}

#[test]
fn with_the_old_rights_it_goes_as_sentinel_s_and_the_lacking_one_is_named_once() {
    let admin = Port::reserve();
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    let group = Spec {
        programs: vec![Program::subject()],
        quorum: 1,
        head: vec![format!("vedette admin 127.0.0.1:{}", admin.number())],
        node_lines: lines(&[
            crate::security::OLD,
            "user replica on >replicapass -@all +psync +replconf +ping",
            "user admin on >adminpass ~* &* +@all",
            "user default off",
            "masteruser replica",
            "masterauth replicapass",
        ]),
        group_lines: lines(&["auth-pass mymaster sentinelpass", "auth-user mymaster sentinel"]),
        node_login: Login::user("admin", "adminpass"),
        ..Spec::default()
    }
    .start();
    for _ in 0..2 {
        let old = group.primary_port();
        failover(&group);
        let new = group.switched_from(old);
        group.all_follow(new);
        group.settled();
    }
    let log = group.sentinels[0].log();
    assert_eq!(log.matches("lacks the right +client|pause").count(), 1, "{log}");
    let metrics = scrape(admin.number());
    assert!(
        metrics.contains("vedette_missing_right{master_name=\"mymaster\",right=\"client|pause\"} 1"),
        "{metrics}"
    );
    let manual = "vedette_failovers_total{reason=\"manual\",result=\"switched\"} 2";
    assert!(metrics.contains(manual), "{metrics}");
}

fn scrape(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_daemon_that_ends_at_either_point_leaves_a_group_that_heals() {
    for flag in ["crash-after-election", "crash-after-promotion"] {
        let mut group = Group::start();
        for sentinel in group.running() {
            // A primary that says it is a replica counts as down two INFO periods later.
            sentinel.ok(&["SENTINEL", "DEBUG", "info-period", "1000"]);
        }
        let load = Load::start(&group, Habit::Asks);
        load.goes_on();
        let old = group.primary_port();
        flowing(&group);
        group.sentinels[0].ok(&["SENTINEL", "SIMULATE-FAILURE", flag]);
        failover(&group);
        group.sentinels[0].process().wait();
        group.sentinels[0].forget_process();
        if flag == "crash-after-election" {
            load.goes_on();
            assert_eq!(group.primary_port(), old, "nothing was touched");
        } else {
            // The others find out by themselves.
            group.switched_from(old);
        }
        load.goes_on();
        group.sentinels[0].restart();
        group.settled();
        group.all_follow(group.primary_port());
    }
}

#[test]
fn a_daemon_that_dies_with_the_primary_demoted_leaves_a_group_that_heals() {
    let mut group = Group::start();
    for sentinel in group.running() {
        sentinel.ok(&["SENTINEL", "DEBUG", "info-period", "1000"]);
    }
    let load = Load::start(&group, Habit::Asks);
    load.goes_on();
    let old = group.primary_port();
    let (candidate, hand) = (group.nodes[1].port().to_string(), group.node(old).connect());
    // What the daemon had done by then, over a connection of its own; it lives no longer.
    let mut hand = hand.unwrap();
    hand.call(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    flowing(&group);
    hand.call(&["SLAVEOF", "127.0.0.1", &candidate]);
    hand.call(&["CLIENT", "UNPAUSE"]);
    drop(hand);
    group.sentinels[0].kill();
    let new = group.switched_from(old);
    load.goes_on();
    group.all_follow(new);
    assert_eq!(load.lost(&group, new), 0);
}

#[test]
fn valkey_9_s_word_is_understood() {
    let mut group = Group::start();
    let old = group.primary_port();
    let first = &group.sentinels[0];
    let refused = |words: &[&str]| first.call(words).text();
    assert_eq!(refused(&["SENTINEL", "FAILOVER", NAME, "now"]), "ERR Unknown failover option specified");
    assert_eq!(
        refused(&["SENTINEL", "FAILOVER", NAME, "COORDINATED", "now"]),
        "ERR wrong number of arguments for 'sentinel|failover' command"
    );
    flowing(&group);
    first.ok(&["SENTINEL", "FAILOVER", NAME, "coordinated"]);
    let new = group.switched_from(old);
    group.all_follow(new);
    let ports: BTreeSet<u16> = group.nodes.iter().map(|node| node.port()).collect();
    assert!(ports.contains(&new));
    group.node(new).pause();
    eventually("the primary is down", || {
        group.sentinels[0].master_field(NAME, "flags").contains("s_down")
            || group.sentinels[0].address(NAME).is_some_and(|(_, port)| port != new)
    });
    group.node(new).resume();
}
