//! The processes of the demo: three data nodes and three daemons.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::Error;
use super::find::Programs;
use super::folder::{Folder, write};
use super::ports::Port;
use super::process::Process;

/// The group's name in the sample file.
pub(super) const GROUP: &str = "demo";
/// Data nodes, and as many daemons.
pub(super) const COUNT: usize = 3;
/// How long the processes get to end when asked.
const GRACE: Duration = Duration::from_secs(3);

const SAMPLE: &str = include_str!("../../config/demo.conf");
const SAMPLE_PORT: &str = "\nport 26379\n";
const SAMPLE_MONITOR: &str = "\nsentinel monitor demo 127.0.0.1 6379 2\n";
const SAMPLE_ADMIN: &str = "\n# vedette admin 127.0.0.1:9355\n";

/// Name and port of a process, fixed for the whole demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `n1` to `n3` for data nodes, `v1` to `v3` for daemons.
    pub(super) name: &'static str,
    /// On 127.0.0.1.
    pub(super) port: u16,
    /// Daemons: where the admin server listens, if it does.
    pub(super) admin: Option<u16>,
}

/// All places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map {
    /// Data nodes; the first is the primary at the start.
    pub(super) nodes: [Place; COUNT],
    /// Daemons.
    pub(super) daemons: [Place; COUNT],
}

impl Map {
    /// What runs where. `ports` are three for the data nodes, three for the daemons and three for the daemons' admin servers.
    fn new(ports: &[Port], admin: bool) -> Self {
        let place = |name, index: usize, admin| Place { name, port: ports[index].number(), admin };
        let admin = |index: usize| admin.then(|| ports[index].number());
        Self {
            nodes: [place("n1", 0, None), place("n2", 1, None), place("n3", 2, None)],
            daemons: [place("v1", 3, admin(6)), place("v2", 4, admin(7)), place("v3", 5, admin(8))],
        }
    }

    /// The data node at a port.
    pub(super) fn node_at(&self, port: u16) -> Option<Place> {
        self.nodes.iter().copied().find(|node| node.port == port)
    }

    /// Its name, or the port where the port is nobody's.
    pub(super) fn name_at(&self, port: u16) -> String {
        self.node_at(port).map_or_else(|| format!(":{port}"), |node| node.name.to_owned())
    }
}

struct Member {
    place: Place,
    folder: PathBuf,
    process: Option<Process>,
}

/// The running processes and their folder. All of it goes when this is dropped.
pub(super) struct Fleet {
    programs: Programs,
    map: Map,
    nodes: Vec<Member>,
    daemons: Vec<Member>,
    // Dropped last: the processes write into it.
    folder: Folder,
    _ports: Vec<Port>,
}

impl Fleet {
    /// Folders and configuration files; nothing runs yet.
    pub(super) fn prepare(programs: Programs, keep: bool) -> Result<Self, Error> {
        let ports = Port::reserve(3 * COUNT).map_err(|source| Error::Ports { source })?;
        let map = Map::new(&ports, programs.own);
        let folder = Folder::new(keep)?;
        let member = |place: Place, text: String| {
            let folder = folder.folder(place.name)?;
            write(&folder.join(config_name(place)), &text)?;
            Ok(Member { place, folder, process: None })
        };
        let primary = map.nodes[0];
        let nodes: Result<Vec<Member>, Error> =
            map.nodes.iter().map(|node| member(*node, node_config(*node, primary))).collect();
        let daemons: Result<Vec<Member>, Error> =
            map.daemons.iter().map(|daemon| member(*daemon, daemon_config(*daemon, primary))).collect();
        let (nodes, daemons) = (nodes?, daemons?);
        Ok(Self { programs, map, nodes, daemons, folder, _ports: ports })
    }

    /// Where everything is.
    pub(super) fn map(&self) -> Map {
        self.map
    }

    /// The programs in use.
    pub(super) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The folder, if it stays after the end.
    pub(super) fn kept(&self) -> Option<String> {
        self.folder.kept().then(|| self.folder.path().display().to_string())
    }

    /// Start a process, or start it again with the file that it left.
    pub(super) fn start(&mut self, place: Place) -> Result<(), Error> {
        let program =
            if self.is_daemon(place) { &self.programs.sentinel } else { &self.programs.server }.clone();
        let Some(member) = self.member(place) else { return Ok(()) };
        member.process = Some(Process::start(place.name, &program, &[config_name(place)], &member.folder)?);
        Ok(())
    }

    /// kill -9.
    pub(super) fn kill(&mut self, place: Place) {
        if let Some(process) = self.member(place).and_then(|member| member.process.as_mut()) {
            process.kill();
        }
    }

    /// Process id, if it was started.
    pub(super) fn pid(&self, place: Place) -> Option<u32> {
        let mut members = self.nodes.iter().chain(&self.daemons);
        members.find(|member| member.place == place)?.process.as_ref().map(Process::pid)
    }

    /// An error if a process has ended, other than `down`.
    pub(super) fn check(&mut self, stage: &str, down: Option<Place>) -> Result<(), Error> {
        for member in self.nodes.iter_mut().chain(&mut self.daemons) {
            if let Some(process) = member.process.as_mut().filter(|_| Some(member.place) != down) {
                process.check(stage)?;
            }
        }
        Ok(())
    }

    /// The places whose processes have ended.
    pub(super) fn ended(&mut self) -> Vec<Place> {
        let members = self.nodes.iter_mut().chain(&mut self.daemons);
        let ended = members.filter_map(|member| member.process.as_mut()?.ended().map(|_| member.place));
        ended.collect()
    }

    /// The ends of the daemons' logs, for an error message.
    pub(super) fn daemon_logs(&self) -> String {
        let logs = self.daemons.iter().filter_map(|member| {
            let end = member.process.as_ref()?.log_end();
            Some(format!("\n  log of {}:\n{end}", member.place.name))
        });
        logs.collect()
    }

    /// Ask all to end, wait a little, end the rest.
    pub(super) async fn stop(&mut self) {
        // The daemons first: nobody shall see data nodes vanish and begin a failover.
        for members in [&mut self.daemons, &mut self.nodes] {
            let mut running: Vec<Process> =
                members.iter_mut().filter_map(|member| member.process.take()).collect();
            running.iter_mut().for_each(Process::terminate);
            let deadline = Instant::now() + GRACE;
            while Instant::now() < deadline && running.iter_mut().any(|process| process.ended().is_none()) {
                sleep(Duration::from_millis(10)).await;
            }
            // What is left is killed by being dropped.
        }
    }

    fn is_daemon(&self, place: Place) -> bool {
        self.map.daemons.contains(&place)
    }

    fn member(&mut self, place: Place) -> Option<&mut Member> {
        self.nodes.iter_mut().chain(&mut self.daemons).find(|member| member.place == place)
    }
}

fn config_name(place: Place) -> &'static str {
    if place.name.starts_with('v') { "sentinel.conf" } else { "node.conf" }
}

/// A data node without persistence: what counts here is what replicas hold.
fn node_config(node: Place, primary: Place) -> String {
    let mut text = format!(
        "port {}\nbind 127.0.0.1\nsave \"\"\nappendonly no\nrepl-diskless-sync yes\nrepl-diskless-sync-delay 0\n",
        node.port
    );
    if node != primary {
        text.push_str(&format!("replicaof 127.0.0.1 {}\n", primary.port));
    }
    text
}

/// The sample file with this daemon's ports.
fn daemon_config(daemon: Place, primary: Place) -> String {
    let text = SAMPLE.replacen(SAMPLE_PORT, &format!("\nport {}\n", daemon.port), 1).replacen(
        SAMPLE_MONITOR,
        &format!("\nsentinel monitor {GROUP} 127.0.0.1 {} 2\n", primary.port),
        1,
    );
    match daemon.admin {
        Some(admin) => text.replacen(SAMPLE_ADMIN, &format!("\nvedette admin 127.0.0.1:{admin}\n"), 1),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_sample_has_each_line_that_is_replaced_once() {
        for line in [SAMPLE_PORT, SAMPLE_MONITOR, SAMPLE_ADMIN] {
            assert_eq!(SAMPLE.matches(line).count(), 1, "{line:?}");
        }
    }

    #[test]
    fn a_daemon_gets_its_own_ports() {
        let daemon = Place { name: "v1", port: 4001, admin: Some(4002) };
        let primary = Place { name: "n1", port: 4003, admin: None };
        let text = daemon_config(daemon, primary);
        for line in ["port 4001", "sentinel monitor demo 127.0.0.1 4003 2", "vedette admin 127.0.0.1:4002"] {
            assert!(text.lines().any(|have| have == line), "{line} in {text}");
        }
        let foreign = daemon_config(Place { admin: None, ..daemon }, primary);
        assert!(!foreign.lines().any(|line| line.starts_with("vedette")));
    }

    #[test]
    fn no_port_comes_twice() {
        let map = Map::new(&Port::reserve(3 * COUNT).unwrap(), true);
        let places = map.nodes.iter().chain(&map.daemons);
        let ports: Vec<u16> =
            places.flat_map(|place| std::iter::once(place.port).chain(place.admin)).collect();
        assert_eq!(ports.len(), 9);
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 9);
        assert_eq!(map.node_at(map.nodes[1].port), Some(map.nodes[1]));
        assert_eq!(map.name_at(map.nodes[2].port), "n3");
    }
}
