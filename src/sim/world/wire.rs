//! A daemon's wishes towards the network: connections, requests, answers.

use std::collections::VecDeque;
use std::net::IpAddr;

use bytes::Bytes;

use super::daemon::{Asker, Outgoing};
use super::{DAEMON_PORT, NODE_PORT, Packet, Side, World};
use crate::core::Input;
use crate::core::ids::{ClientId, ConnId};
use crate::resp::Reply;
use crate::sim::plan::DaemonId;

impl World {
    pub(super) fn connect(
        &mut self,
        daemon: DaemonId,
        conn: ConnId,
        ip: IpAddr,
        port: u16,
        inputs: &mut VecDeque<Input>,
    ) {
        let to = self.host_of_ip.get(&ip.to_string()).copied().filter(|to| {
            *to != daemon && port == if *to < self.plan.daemons { DAEMON_PORT } else { NODE_PORT }
        });
        let Some(to) = to else {
            let error = "Connection refused".to_owned();
            inputs.push_back(Input::Disconnected { conn, error, refused: true });
            return;
        };
        let (net, due) = self.net.dial(self.now, daemon, to);
        self.post(due);
        let machine = &mut self.daemons[daemon];
        machine.by_net.insert(net, conn);
        let outgoing = Outgoing { net, to, up: false, waiting: Vec::new(), asked: VecDeque::new() };
        machine.conns.insert(conn, outgoing);
    }

    pub(super) fn send(&mut self, daemon: DaemonId, conn: ConnId, args: Vec<Bytes>) {
        let Some(to) = self.daemons[daemon].conns.get(&conn).map(|outgoing| outgoing.to) else { return };
        let question = self.observe_send(daemon, to, &args);
        let Some(outgoing) = self.daemons[daemon].conns.get_mut(&conn) else { return };
        if to < self.plan.daemons {
            outgoing.asked.push_back(question);
        }
        if outgoing.up {
            let due = self.net.send(self.now, outgoing.net, Side::Dialer, Packet::Request(args));
            self.post(due);
        } else {
            outgoing.waiting.push(args);
        }
    }

    pub(super) fn answer(
        &mut self,
        daemon: DaemonId,
        client: ClientId,
        reply: Reply,
        inputs: &mut VecDeque<Input>,
    ) {
        match self.daemons[daemon].clients.remove(&client) {
            None => {
                self.break_rule("one answer for each command", format!("d{daemon} answers {client:?} twice"));
            }
            Some(Asker::Operator { args }) => self.observe_answer(daemon, &args, &reply),
            Some(Asker::Peer { net, args }) => {
                self.observe_vote(daemon, &args, &reply);
                let due = self.net.send(self.now, net, Side::Listener, Packet::Reply(reply));
                self.post(due);
                if let Some(incoming) = self.daemons[daemon].incoming.get_mut(&net) {
                    incoming.busy = false;
                    self.serve(daemon, net, inputs);
                }
            }
        }
    }

    /// Commands of clients that the engine still owes an answer to.
    pub(super) fn owed(&self, daemon: DaemonId) -> Vec<String> {
        let clients = self.daemons[daemon].clients.values();
        clients
            .map(|asker| match asker {
                Asker::Peer { args, .. } | Asker::Operator { args } => format!("{args:?}"),
            })
            .collect()
    }
}
