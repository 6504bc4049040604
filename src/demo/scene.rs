//! What the data nodes and daemons say of themselves, and the picture made of it.

use super::fleet::{COUNT, Map, Place};
use super::text::{Glyphs, Line, Tone, grouped};

/// State of a data node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum NodeState {
    /// Not heard yet.
    #[default]
    Starting,
    /// No answer.
    Down,
    /// A primary.
    Primary {
        /// Its replication offset.
        offset: u64,
    },
    /// A replica.
    Replica {
        /// Its primary's port.
        of: u16,
        /// Whether that link is up and the first copy is complete.
        linked: bool,
        /// Its replication offset.
        offset: u64,
    },
}

/// State of a daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum DaemonState {
    /// Not heard yet.
    #[default]
    Starting,
    /// No answer.
    Down,
    /// At work.
    Watching {
        /// Port of the primary that it names to clients.
        primary: u16,
        /// The flags of that group.
        flags: String,
        /// Replicas that it knows.
        replicas: usize,
        /// Other daemons that it knows.
        peers: usize,
    },
}

/// The writer's state.
#[derive(Clone, Debug, Default)]
pub(super) struct WriterState {
    /// Whether it has been started.
    pub(super) running: bool,
    /// Writes acknowledged since the start.
    pub(super) acknowledged: u64,
    /// Port of the primary that took the last one; nothing while writes fail.
    pub(super) at: Option<u16>,
}

/// Everything that the picture shows.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    /// Where everything is.
    pub(super) map: Map,
    /// States of `map.nodes`.
    pub(super) nodes: [NodeState; COUNT],
    /// States of `map.daemons`.
    pub(super) daemons: [DaemonState; COUNT],
    /// The writer.
    pub(super) writer: WriterState,
}

impl Scene {
    /// Nothing heard yet.
    pub(super) fn new(map: Map) -> Self {
        Self { map, nodes: Default::default(), daemons: Default::default(), writer: WriterState::default() }
    }

    /// The primary that most daemons name; at the start the first node.
    pub(super) fn primary(&self) -> Place {
        let votes = |place: &Place| {
            let named = |state: &&DaemonState| matches!(state, DaemonState::Watching { primary, .. } if *primary == place.port);
            self.daemons.iter().filter(named).count()
        };
        // The first of equals: max_by_key takes the last.
        self.map.nodes.iter().rev().copied().max_by_key(votes).unwrap_or(self.map.nodes[0])
    }

    /// Whether every daemon names `port`, and nobody sees a failover or trouble any more.
    pub(super) fn agreed_on(&self, port: u16) -> bool {
        self.daemons.iter().all(|state| {
            matches!(state, DaemonState::Watching { primary, flags, .. } if *primary == port && flags == "master")
        })
    }

    /// Whether every daemon knows all replicas and peers.
    pub(super) fn acquainted(&self) -> bool {
        self.daemons.iter().all(|state| {
            matches!(state, DaemonState::Watching { replicas, peers, .. } if *replicas == COUNT - 1 && *peers == COUNT - 1)
        })
    }

    /// Whether `primary` is one and every other node that is up follows it; `down` may be down.
    pub(super) fn settled(&self, primary: u16, down: Option<Place>) -> bool {
        self.map.nodes.iter().zip(&self.nodes).all(|(place, state)| match state {
            NodeState::Primary { .. } => place.port == primary,
            NodeState::Replica { of, linked, .. } => *of == primary && *linked,
            NodeState::Starting | NodeState::Down => Some(*place) == down,
        })
    }

    /// The picture: daemons above, then the primary and below it the replicas.
    pub(super) fn draw(&self, glyphs: &Glyphs) -> Vec<Line> {
        let mut lines = vec![self.daemon_line(), bracket(glyphs)];
        let primary = self.primary();
        lines.push(self.primary_line(primary, glyphs));
        let others: Vec<Place> = self.map.nodes.iter().copied().filter(|node| *node != primary).collect();
        for (index, node) in others.iter().enumerate() {
            let branch = if index + 1 == others.len() { glyphs.corner } else { glyphs.tee };
            let head = Line::default().to(13).and(Tone::Dim, branch).and(Tone::Plain, " ");
            lines.push(self.node_text(head, *node, primary));
        }
        lines
    }

    fn daemon_line(&self) -> Line {
        let mut line = Line::default();
        for (index, (place, state)) in self.map.daemons.iter().zip(&self.daemons).enumerate() {
            line = line.to(2 + COLUMN * index).and(Tone::Strong, place.name);
            line = line.and(Tone::Dim, format!(" :{:<5} ", place.port));
            let (tone, text) = match state {
                DaemonState::Starting => (Tone::Dim, "starting"),
                DaemonState::Down => (Tone::Bad, "down"),
                DaemonState::Watching { flags, .. } if flags.contains("failover_in_progress") => {
                    (Tone::Wait, "fails over")
                }
                DaemonState::Watching { flags, .. } if flags.contains("o_down") => {
                    (Tone::Bad, "agreed: down")
                }
                DaemonState::Watching { flags, .. } if flags.contains("s_down") => {
                    (Tone::Bad, "sees it down")
                }
                DaemonState::Watching { .. } => (Tone::Good, "watching"),
            };
            line = line.and(tone, text);
        }
        line
    }

    fn primary_line(&self, primary: Place, glyphs: &Glyphs) -> Line {
        let head = if self.writer.running {
            Line::default().to(2).and(Tone::Strong, "writer").and(Tone::Dim, format!(" {} ", glyphs.arrow))
        } else {
            Line::default()
        };
        let line = self.node_text(head.to(13), primary, primary);
        if !self.writer.running {
            return line;
        }
        let line = line.to(45).and(Tone::Plain, grouped(self.writer.acknowledged)).and(Tone::Dim, " writes");
        match self.writer.at {
            Some(at) if at == primary.port => line.and(Tone::Good, " acknowledged"),
            Some(at) => line.and(Tone::Wait, format!(", now at {}", self.map.name_at(at))),
            None => line.and(Tone::Bad, ", none gets through"),
        }
    }

    fn node_text(&self, head: Line, node: Place, primary: Place) -> Line {
        let state =
            self.map.nodes.iter().zip(&self.nodes).find(|(place, _)| **place == node).map(|(_, state)| state);
        let line = head.and(Tone::Strong, node.name).and(Tone::Dim, format!(" :{:<5} ", node.port));
        match state.unwrap_or(&NodeState::Starting) {
            NodeState::Starting => line.and(Tone::Dim, "starting"),
            NodeState::Down => line.and(Tone::Bad, "DOWN"),
            NodeState::Primary { .. } => line.and(Tone::Good, "PRIMARY"),
            NodeState::Replica { of, linked: true, offset } => {
                let line = line.and(Tone::Good, "replica");
                let line = if *of == primary.port {
                    line
                } else {
                    line.and(Tone::Wait, format!(" of {}", self.map.name_at(*of)))
                };
                line.and(Tone::Dim, self.lag(*of, *offset))
            }
            NodeState::Replica { of, linked: false, .. } => {
                line.and(Tone::Wait, format!("replica of {}, not linked", self.map.name_at(*of)))
            }
        }
    }

    /// How far a replica is behind, where its primary is heard.
    fn lag(&self, of: u16, offset: u64) -> String {
        let index = self.map.nodes.iter().position(|node| node.port == of);
        match index.map(|index| &self.nodes[index]) {
            Some(NodeState::Primary { offset: ahead }) => match ahead.saturating_sub(offset) {
                0..ASKED_APART => ", in step".to_owned(),
                behind => format!(", {} kB behind", grouped(behind / 1000)),
            },
            Some(NodeState::Starting | NodeState::Down | NodeState::Replica { .. }) | None => String::new(),
        }
    }
}

/// Bytes that the writer sends within the time between the question to the primary and that to the replica. Less says
/// nothing about the replica.
const ASKED_APART: u64 = 20_000;
/// Columns between two daemons.
const COLUMN: usize = 26;

/// What joins the three daemons to the group below.
fn bracket(glyphs: &Glyphs) -> Line {
    let [left, middle, right, between] = glyphs.bracket;
    let rule = between.repeat(COLUMN - 1);
    Line::default().to(3).and(Tone::Dim, format!("{left}{rule}{middle}{rule}{right}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::text::WIDTH;

    fn scene() -> Scene {
        let place = |name, port| Place { name, port, admin: None };
        let mut scene = Scene::new(Map {
            nodes: [place("n1", 7001), place("n2", 7002), place("n3", 7003)],
            daemons: [place("v1", 26_001), place("v2", 26_002), place("v3", 26_003)],
        });
        let replica = |offset| NodeState::Replica { of: 7001, linked: true, offset };
        scene.nodes = [NodeState::Primary { offset: 1_500_000 }, replica(1_499_900), replica(400)];
        scene.daemons = std::array::from_fn(|_| DaemonState::Watching {
            primary: 7001,
            flags: "master".to_owned(),
            replicas: 2,
            peers: 2,
        });
        scene.writer = WriterState { running: true, acknowledged: 12_345, at: Some(7001) };
        scene
    }

    fn drawn(scene: &Scene) -> String {
        let lines = scene.draw(&Glyphs::ASCII);
        assert!(lines.iter().all(|line| line.width() <= WIDTH), "{lines:?}");
        lines.iter().map(|line| line.render(false) + "\n").collect()
    }

    #[test]
    fn a_healthy_group() {
        let expected = "
  v1 :26001 watching        v2 :26002 watching        v3 :26003 watching
   `-------------------------+-------------------------'
  writer --> n1 :7001  PRIMARY               12,345 writes acknowledged
             |-> n2 :7002  replica, in step
             `-> n3 :7003  replica, 1,499 kB behind
";
        assert_eq!(format!("\n{}", drawn(&scene())), expected);
    }

    #[test]
    fn a_group_in_failover() {
        let mut scene = scene();
        scene.nodes[0] = NodeState::Down;
        scene.nodes[1] = NodeState::Primary { offset: 1500 };
        scene.writer.at = None;
        for state in &mut scene.daemons {
            if let DaemonState::Watching { flags, .. } = state {
                *flags = "s_down,o_down,master".to_owned();
            }
        }
        let expected = "
  v1 :26001 agreed: down    v2 :26002 agreed: down    v3 :26003 agreed: down
   `-------------------------+-------------------------'
  writer --> n1 :7001  DOWN                  12,345 writes, none gets through
             |-> n2 :7002  PRIMARY
             `-> n3 :7003  replica of n1, not linked
";
        scene.nodes[2] = NodeState::Replica { of: 7001, linked: false, offset: 200 };
        assert_eq!(format!("\n{}", drawn(&scene)), expected);
        assert!(!scene.agreed_on(7001));
    }

    #[test]
    fn conditions_need_everybody() {
        let mut scene = scene();
        assert!(scene.acquainted() && scene.agreed_on(7001) && scene.settled(7001, None));
        assert_eq!(scene.primary().name, "n1");
        scene.nodes[2] = NodeState::Down;
        assert!(!scene.settled(7001, None));
        assert!(scene.settled(7001, Some(scene.map.nodes[2])));
        scene.daemons[1] =
            DaemonState::Watching { primary: 7002, flags: "master".to_owned(), replicas: 1, peers: 2 };
        assert!(!scene.acquainted() && !scene.agreed_on(7001) && !scene.agreed_on(7002));
    }
}
