//! Hosts with addresses of their own on one machine: network namespaces on a switch, and cuts between them.
//!
//! Each network has namespaces of its own for everything, the switch too, so networks of tests that run at the same time
//! don't meet, and the machine's own interfaces, routes and filters stay as they are. Processes are started and sockets
//! are opened by a thread that has entered the host's namespace; both stay there. The harness talks to a process from
//! inside its host, where no cut applies.
//!
//! It takes root, `ip` (iproute2) and `nft` (nftables).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Client, eventually};

/// Where iproute2 keeps the names of namespaces.
const PLACE: &str = "/run/netns";
/// All names begin so; the id of the process that made them follows.
const PREFIX: &str = "vedette-test";

/// What the addresses of a network are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
    /// Each host has one of either, that of IPv4 first.
    Dual,
}

impl Family {
    fn addresses(self, number: usize) -> Vec<String> {
        let (v4, v6) = (format!("10.77.0.{number}"), format!("fd77::{number:x}"));
        match self {
            Self::V4 => vec![v4],
            Self::V6 => vec![v6],
            Self::Dual => vec![v4, v6],
        }
    }
}

/// `HOST:PORT`, with brackets around an IPv6 address.
pub(crate) fn with_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// One host: a namespace with one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    namespace: String,
    /// At least one.
    addresses: Vec<String>,
}

impl Host {
    /// Its address, the first if it has two.
    pub(crate) fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// All of them.
    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The same host under another address of its own, from a range that it was given.
    pub(crate) fn under(&self, address: &str) -> Self {
        Self { namespace: self.namespace.clone(), addresses: vec![address.to_owned()] }
    }

    /// Gives it all addresses of a range, such as `10.100.0.0/16`.
    pub(crate) fn take_range(&self, range: &str) {
        ip(&["-n", &self.namespace, "route", "add", "local", range, "dev", "lo"]);
    }

    /// What a process at `place`, or else on loopback under the name or address `host`, listens on.
    pub(crate) fn bind(place: Option<&Self>, host: &str) -> String {
        match place {
            Some(host) => host.address().to_owned(),
            None if host.contains(':') => "::1".to_owned(),
            None => "127.0.0.1".to_owned(),
        }
    }

    /// Runs `act` on a thread inside. Sockets that it opens and processes that it starts stay inside.
    pub(crate) fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter();
                act()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread inside, for good.
    pub(crate) fn enter(&self) {
        let file = File::open(Path::new(PLACE).join(&self.namespace)).unwrap();
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }

    /// A connection from this host to what listens on it.
    pub(crate) fn connect(&self, port: u16) -> io::Result<Client> {
        self.run(|| Client::connect(self.address(), port))
    }
}

/// Runs a program that finds the names of that file where others find `/etc/hosts`.
pub(crate) fn with_hosts(hosts: &Path, program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\""]);
    command.args([hosts, program]);
    command
}

/// Some hosts on one switch. Dropped, also by a panic, nothing of it is left.
#[derive(Debug)]
pub(crate) struct Network {
    switch: String,
    hosts: Vec<Host>,
    /// Packets that get lost: from the first to the second.
    cuts: Mutex<BTreeSet<(usize, usize)>>,
}

impl Network {
    /// Makes `count` hosts that all reach each other by IPv4.
    pub(crate) fn new(count: usize) -> Self {
        Self::of(Family::V4, count)
    }

    /// The same with addresses of that family.
    pub(crate) fn of(family: Family, count: usize) -> Self {
        static LEFTOVERS: Once = Once::new();
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        require();
        LEFTOVERS.call_once(remove_leftovers);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = |part: &str| format!("{PREFIX}-{}-{serial}-{part}", std::process::id());
        let hosts = (1..=count).map(|number| Host {
            namespace: name(&format!("h{number}")),
            addresses: family.addresses(number),
        });
        let network = Self { switch: name("switch"), hosts: hosts.collect(), cuts: Mutex::default() };
        network.build();
        network
    }

    fn build(&self) {
        let switch = self.switch.as_str();
        ip(&["netns", "add", switch]);
        ip(&["-n", switch, "link", "add", "name", "bridge", "type", "bridge"]);
        ip(&["-n", switch, "link", "set", "bridge", "up"]);
        for (index, host) in self.hosts.iter().enumerate() {
            let (namespace, port) = (host.namespace.as_str(), format!("port{index}"));
            ip(&["netns", "add", namespace]);
            let pair = ["-n", switch, "link", "add", "name", &port, "type", "veth", "peer", "name", "eth0"];
            ip(&[&pair[..], &["netns", namespace]].concat());
            ip(&["-n", switch, "link", "set", &port, "master", "bridge", "up"]);
            ip(&["-n", namespace, "link", "set", "lo", "up"]);
            for address in &host.addresses {
                // Nobody else has it: it is of use at once.
                let (bits, more): (_, &[&str]) =
                    if address.contains(':') { (64, &["nodad"]) } else { (24, &[]) };
                let address = format!("{address}/{bits}");
                ip(&[&["-n", namespace, "addr", "add", &address, "dev", "eth0"], more].concat());
            }
            ip(&["-n", namespace, "link", "set", "eth0", "up"]);
            self.filter(index, &BTreeSet::new());
        }
    }

    /// The host with this number, from 0.
    pub(crate) fn host(&self, index: usize) -> &Host {
        &self.hosts[index]
    }

    /// How many hosts there are.
    pub(crate) fn len(&self) -> usize {
        self.hosts.len()
    }

    /// The number of the host with this address.
    pub(crate) fn index_of(&self, address: &str) -> usize {
        self.hosts.iter().position(|host| host.address() == address).expect("a host with that address")
    }

    /// From now on nothing gets from any of `from` to any of `to`.
    pub(crate) fn cut_one_way(&self, from: &[usize], to: &[usize]) {
        self.change(|cuts| cuts.extend(pairs(from, to)));
    }

    /// From now on nothing gets from one side to the other, either way.
    pub(crate) fn cut(&self, one: &[usize], other: &[usize]) {
        self.change(|cuts| {
            cuts.extend(pairs(one, other));
            cuts.extend(pairs(other, one));
        });
    }

    /// From now on these reach each other alone, and all the others each other.
    pub(crate) fn split_off(&self, side: &[usize]) {
        let rest: Vec<usize> = (0..self.hosts.len()).filter(|index| !side.contains(index)).collect();
        self.cut(side, &rest);
    }

    /// All reach all again.
    pub(crate) fn heal(&self) {
        self.change(BTreeSet::clear);
    }

    fn change(&self, change: impl FnOnce(&mut BTreeSet<(usize, usize)>)) {
        let mut cuts = self.cuts.lock().unwrap();
        let before = cuts.clone();
        change(&mut cuts);
        for index in 0..self.hosts.len() {
            let to_it = |cuts: &BTreeSet<(usize, usize)>| -> BTreeSet<usize> {
                cuts.iter().filter(|(_, to)| *to == index).map(|(from, _)| *from).collect()
            };
            if to_it(&before) != to_it(&cuts) {
                self.filter(index, &to_it(&cuts));
            }
        }
    }

    /// Drops at the receiver's interface: the sender can't tell, as with a network that is broken.
    fn filter(&self, index: usize, from: &BTreeSet<usize>) {
        let rule = |address: &String| {
            let family = if address.contains(':') { "ip6" } else { "ip" };
            format!("iifname \"eth0\" {family} saddr {address} drop\n")
        };
        let rules: String = from.iter().flat_map(|&from| &self.hosts[from].addresses).map(rule).collect();
        // Read as one transaction, so that there is no moment between.
        let text = format!(
            "table inet cut\ndelete table inet cut\ntable inet cut {{ chain input {{ \
             type filter hook input priority 0; policy accept;\n{rules}}}\n}}\n"
        );
        let host = &self.hosts[index];
        host.run(|| {
            let mut command = Command::new("nft");
            command.args(["-f", "-"]).stdin(Stdio::piped());
            let mut child = command.spawn().expect("nft (Debian's nftables)");
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success(), "nft refused\n{text}");
        });
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in self.hosts.iter().map(|host| host.namespace.as_str()).chain([self.switch.as_str()]) {
            let _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
        }
    }
}

fn pairs(from: &[usize], to: &[usize]) -> Vec<(usize, usize)> {
    from.iter().flat_map(|&a| to.iter().map(move |&b| (a, b))).filter(|(a, b)| a != b).collect()
}

#[track_caller]
fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().expect("ip (Debian's iproute2)");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {told}", words.join(" "));
}

/// Says what is missing instead of failing somewhere on the way.
fn require() {
    assert!(
        rustix::process::geteuid().is_root(),
        "these tests make network namespaces, which takes root: run them as .ci/run does"
    );
    for (tool, package) in [("ip", "iproute2"), ("nft", "nftables")] {
        let found = Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(found.is_ok(), "these tests need {tool}: install {package}, as .ci/run does");
    }
}

/// What a killed test process left behind: its namespaces, and the processes in them, which nobody else ends.
fn remove_leftovers() {
    let Ok(names) = fs::read_dir(PLACE) else { return };
    for name in names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let maker = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        let Some(maker) = maker.and_then(|text| text.parse::<u32>().ok()) else { continue };
        if Path::new(&format!("/proc/{maker}")).exists() {
            continue;
        }
        let inside = || {
            let output = Command::new("ip").args(["netns", "pids", &name]).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>()
        };
        for pid in inside() {
            let _ = kill_process(pid, Signal::KILL);
        }
        eventually("what was left in the namespace has ended", || inside().is_empty());
        let _ = Command::new("ip").args(["netns", "del", &name]).stderr(Stdio::null()).status();
    }
}
