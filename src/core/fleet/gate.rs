//! A claimant's own connection to a data node: the barrier, and what is told behind it.
//!
//! A connection that may change the node has a name and had an answer before it is told anything. So cutting those that bear
//! such a name cuts all that could still bring an order: one that still waits to be accepted has no more than its own
//! barrier to send, which cuts this one, and that shows.

use std::collections::VecDeque;

use bytes::Bytes;

use super::standing;
use crate::core::address::Address;
use crate::core::claim::{Command, Standing};
use crate::core::ids::{CallNo, ConnId, PodUid};
use crate::core::shared::words;
use crate::core::time::Time;
use crate::resp::Reply;

/// What the name of a claimant's connection begins with.
const NAME: &str = "vedette-claim-";
/// Most connections that are cut one by one.
const MOST_CUT: usize = 256;

/// What a reply will be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The effect is seen elsewhere.
    Ignored,
    /// CLIENT SETNAME: without a name this connection could not be cut by others.
    Named,
    /// CLIENT LIST.
    Clients,
    /// INFO behind the barrier.
    Info,
    /// EXEC, whose last part is INFO.
    Done,
}

/// What came of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// More is to come.
    Nothing,
    /// More is to be sent.
    Send(Vec<Vec<Bytes>>),
    /// The answer that was owed.
    Stands(CallNo, Standing),
    /// Nothing can be relied on.
    Void,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) conn: ConnId,
    pub(crate) node: PodUid,
    pub(crate) address: Address,
    name: String,
    expected: VecDeque<Expected>,
    /// Which answer is owed, and until when.
    owed: Option<(CallNo, Time)>,
    cut: bool,
    /// Every part of what was told must have been taken.
    strict: bool,
}

impl Gate {
    /// A barrier, and what is to be sent for it.
    pub(crate) fn new(
        (conn, call): (ConnId, CallNo),
        (node, address): (PodUid, Address),
        life: u64,
        cut: bool,
        until: Time,
    ) -> Self {
        Self {
            conn,
            node,
            address,
            name: format!("{NAME}{life:x}-{}", conn.0),
            expected: VecDeque::new(),
            owed: Some((call, until)),
            cut,
            strict: false,
        }
    }

    /// The first requests.
    pub(crate) fn open(&mut self, auth: Option<Vec<Bytes>>, client: &str, info: &str) -> Vec<Vec<Bytes>> {
        let mut requests = Vec::new();
        if let Some(auth) = auth {
            self.ask(auth, Expected::Ignored, &mut requests);
        }
        self.ask(words([client, "SETNAME", &self.name]), Expected::Named, &mut requests);
        if self.cut {
            self.ask(words([client, "LIST"]), Expected::Clients, &mut requests);
        } else {
            self.ask(words([info]), Expected::Info, &mut requests);
        }
        requests
    }

    fn ask(&mut self, request: Vec<Bytes>, expected: Expected, requests: &mut Vec<Vec<Bytes>>) {
        self.expected.push_back(expected);
        requests.push(request);
    }

    /// Tells the node something, and asks who it is, in one.
    pub(crate) fn tell(
        &mut self,
        (call, until): (CallNo, Time),
        command: &Command,
        word: impl Fn(&'static str) -> String,
    ) -> Vec<Vec<Bytes>> {
        let mut requests = Vec::new();
        let [multi, slaveof, client, info, exec] = ["MULTI", "SLAVEOF", "CLIENT", "INFO", "EXEC"].map(word);
        self.ask(words([multi.as_str()]), Expected::Ignored, &mut requests);
        let follow = |address: &str| {
            let at = super::scope::parse_address(address);
            let (host, port) = at.map_or((String::new(), String::new()), |at| (at.host, at.port.to_string()));
            words([slaveof.as_str(), &host, &port])
        };
        let kill = |kind| words([client.as_str(), "KILL", "TYPE", kind]);
        let parts = match command {
            Command::Promote => {
                vec![words([slaveof.as_str(), "NO", "ONE"]), kill("normal"), kill("pubsub")]
            }
            Command::Follow(address) => vec![follow(address), kill("normal"), kill("pubsub")],
            Command::Ask => Vec::new(),
            Command::Hold(pause) => {
                let millis = pause.as_millis().max(1).to_string();
                vec![words([client.as_str(), "PAUSE", &millis, "WRITE"])]
            }
            Command::Yield(address) => vec![follow(address)],
            Command::Resume => vec![words([client.as_str(), "UNPAUSE"])],
            Command::SendAway => {
                vec![kill("normal"), kill("pubsub"), words([client.as_str(), "UNPAUSE"])]
            }
        };
        // What is refused of these can't be made up for by what follows.
        self.strict = matches!(command, Command::Hold(_) | Command::Yield(_));
        for part in parts {
            self.ask(part, Expected::Ignored, &mut requests);
        }
        self.ask(words([info.as_str()]), Expected::Ignored, &mut requests);
        self.ask(words([exec.as_str()]), Expected::Done, &mut requests);
        self.owed = Some((call, until));
        requests
    }

    /// A reply came.
    pub(crate) fn hear(&mut self, reply: &Reply, client: &str, info: &str) -> Heard {
        let refused = matches!(reply, Reply::Error(_));
        let stands = |owed: &mut Option<(CallNo, Time)>, text: Option<&str>| match (
            text.and_then(standing::parse),
            owed.take(),
        ) {
            (Some(standing), Some((call, _))) => Heard::Stands(call, standing),
            (None, _) | (_, None) => Heard::Void,
        };
        match self.expected.pop_front() {
            None => Heard::Void,
            Some(Expected::Named) if refused => Heard::Void,
            Some(Expected::Ignored | Expected::Named) => Heard::Nothing,
            Some(Expected::Clients) => {
                let mut requests = Vec::new();
                match reply.text().filter(|_| !refused) {
                    Some(list) => {
                        let others = others(list, &self.name);
                        if others.len() > MOST_CUT {
                            self.ask(
                                words([client, "KILL", "TYPE", "normal"]),
                                Expected::Ignored,
                                &mut requests,
                            );
                        } else {
                            for id in others {
                                self.ask(words([client, "KILL", "ID", id]), Expected::Ignored, &mut requests);
                            }
                        }
                    }
                    // Who can't be told apart is cut with all others.
                    None => {
                        self.ask(words([client, "KILL", "TYPE", "normal"]), Expected::Ignored, &mut requests);
                    }
                }
                self.ask(words([info]), Expected::Info, &mut requests);
                Heard::Send(requests)
            }
            Some(Expected::Info) => stands(&mut self.owed, reply.text().filter(|_| !refused)),
            Some(Expected::Done) => {
                let parts = reply.elements().unwrap_or_default();
                let refused = self.strict && parts.iter().any(|part| matches!(part, Reply::Error(_)));
                stands(&mut self.owed, parts.last().filter(|_| !refused).and_then(Reply::text))
            }
        }
    }

    /// Until when the answer that is owed is waited for.
    pub(crate) fn until(&self) -> Option<Time> {
        self.owed.map(|(_, until)| until)
    }
}

/// Ids of the connections of other claimants, and of other claims.
fn others<'a>(list: &'a str, own: &str) -> Vec<&'a str> {
    let field = |line: &'a str, key: &str| line.split(' ').find_map(|field| field.strip_prefix(key));
    list.lines()
        .filter(|line| field(line, "name=").is_some_and(|name| name.starts_with(NAME) && name != own))
        .filter_map(|line| field(line, "id="))
        .filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_claims_connections_are_told_by_their_names() {
        let list = "id=3 addr=10.0.0.1:1 name= age=1\nid=7 addr=10.0.0.1:2 name=vedette-claim-a-1 age=1\n\
                    id=8 addr=10.0.0.2:2 name=vedette-claim-b-1 age=1\nid=9 addr=10.0.0.2:2 name=sentinel-b-cmd age=1\n";
        assert_eq!(others(list, "vedette-claim-b-1"), ["7"]);
        assert_eq!(others(list, "vedette-claim-c-1"), ["7", "8"]);
    }
}
