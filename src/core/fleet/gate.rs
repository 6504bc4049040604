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
    /// MULTI: without it what follows would be done at once.
    Begun,
    /// CLIENT KILL USER, which servers know since 6.0.
    CutUser,
    /// CLIENT KILL: whoever wasn't cut may still bring an order.
    Cut,
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
    /// A Sentinel listens there, by the name of its connection, where none may.
    Beside(String),
    /// The answer that was owed.
    Stands(CallNo, Standing),
    /// Nothing can be relied on; the server's words where it refused.
    Void(Option<String>),
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
    /// Whom members log in as, if that isn't the default user.
    user: Option<Bytes>,
    cut: bool,
    /// Where no Sentinel may listen: the ids of this fleet's members, whose connections look the same.
    members: Option<Vec<String>>,
    /// What is sent once MULTI was taken, each part with what its reply is about.
    after_multi: Vec<(Vec<Bytes>, Expected)>,
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
            user: None,
            cut,
            members: None,
            after_multi: Vec::new(),
            strict: false,
        }
    }

    /// The same where no Sentinel may listen. Members that observe do: their ids tell them apart.
    pub(crate) fn without_sentinels(self, members: Vec<String>) -> Self {
        Self { members: Some(members), ..self }
    }

    /// The first requests.
    pub(crate) fn open(&mut self, auth: Option<Vec<Bytes>>, client: &str, info: &str) -> Vec<Vec<Bytes>> {
        self.user = auth.as_deref().and_then(user_of);
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
        self.ask(words([multi.as_str()]), Expected::Begun, &mut requests);
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
        let parts = parts.into_iter().chain([words([info.as_str()])]).map(|part| (part, Expected::Ignored));
        let rest = parts.chain([(words([exec.as_str()]), Expected::Done)]);
        // A pause without a transaction would hold writes back for nothing: it waits until there is one.
        if matches!(command, Command::Hold(_)) {
            self.after_multi = rest.collect();
        } else {
            rest.for_each(|(part, expected)| self.ask(part, expected, &mut requests));
        }
        self.owed = Some((call, until));
        requests
    }

    /// A reply came.
    pub(crate) fn hear(&mut self, reply: &Reply, client: &str, info: &str) -> Heard {
        let refused = refusal(reply);
        let stands = |owed: &mut Option<(CallNo, Time)>, text: Option<&str>| match (
            text.and_then(standing::parse),
            owed.take(),
        ) {
            (Some(standing), Some((call, _))) => Heard::Stands(call, standing),
            (None, _) | (_, None) => Heard::Void(refused.clone()),
        };
        match self.expected.pop_front() {
            None => Heard::Void(None),
            Some(Expected::Named) if refused.is_some() => Heard::Void(refused),
            Some(Expected::Cut) if refused.as_ref().is_some_and(|words| !is_gone(words)) => {
                Heard::Void(refused)
            }
            Some(Expected::Ignored | Expected::Named | Expected::Cut) => Heard::Nothing,
            Some(Expected::Begun) if refused.is_some() => Heard::Void(refused),
            Some(Expected::Begun) => {
                let mut requests = Vec::new();
                for (part, expected) in std::mem::take(&mut self.after_multi) {
                    self.ask(part, expected, &mut requests);
                }
                if requests.is_empty() { Heard::Nothing } else { Heard::Send(requests) }
            }
            Some(Expected::Clients) => {
                let list = reply.text().filter(|_| refused.is_none());
                if let Some(one) = list.zip(self.members.as_ref()).and_then(|(list, own)| sentinel(list, own))
                {
                    return Heard::Beside(one);
                }
                let mut requests = Vec::new();
                let others = list.map(|list| others(list, &self.name));
                match (others.filter(|others| others.len() <= MOST_CUT), self.user.clone()) {
                    (Some(others), _) => {
                        for id in others {
                            self.ask(words([client, "KILL", "ID", id]), Expected::Cut, &mut requests);
                        }
                        self.ask(words([info]), Expected::Info, &mut requests);
                    }
                    // Who can't be told apart is cut with all others of that name, so that other users' clients stay.
                    (None, Some(user)) => {
                        let mut kill = words([client, "KILL", "USER"]);
                        kill.push(user);
                        kill.extend(words(["SKIPME", "yes"]));
                        self.ask(kill, Expected::CutUser, &mut requests);
                    }
                    (None, None) => self.cut_all(client, info, &mut requests),
                }
                Heard::Send(requests)
            }
            Some(Expected::CutUser) => {
                let mut requests = Vec::new();
                if refused.is_some() {
                    self.cut_all(client, info, &mut requests);
                } else {
                    self.ask(words([info]), Expected::Info, &mut requests);
                }
                Heard::Send(requests)
            }
            Some(Expected::Info) => stands(&mut self.owed, reply.text().filter(|_| refused.is_none())),
            Some(Expected::Done) => {
                let parts = reply.elements().unwrap_or_default();
                let lacks = self.strict && parts.iter().any(|part| matches!(part, Reply::Error(_)));
                stands(&mut self.owed, parts.last().filter(|_| !lacks).and_then(Reply::text))
            }
        }
    }

    /// Cuts whoever is no replica, and asks who the node is.
    fn cut_all(&mut self, client: &str, info: &str, requests: &mut Vec<Vec<Bytes>>) {
        self.ask(words([client, "KILL", "TYPE", "normal"]), Expected::Cut, requests);
        self.ask(words([info]), Expected::Info, requests);
    }

    /// Until when the answer that is owed is waited for.
    pub(crate) fn until(&self) -> Option<Time> {
        self.owed.map(|(_, until)| until)
    }
}

/// A server's words where it refuses.
fn refusal(reply: &Reply) -> Option<String> {
    let Reply::Error(words) = reply else { return None };
    Some(words.chars().filter(|c| !c.is_control()).take(120).collect())
}

/// The user's name in an AUTH that names one.
fn user_of(auth: &[Bytes]) -> Option<Bytes> {
    match auth {
        [_, user, _] => Some(user.clone()),
        _ => None,
    }
}

/// Whether a cut was refused because whom it meant is gone already.
fn is_gone(words: &str) -> bool {
    words.starts_with("ERR No such client")
}

/// The name of a Sentinel's subscription, if there is one that is no member's.
fn sentinel(list: &str, members: &[String]) -> Option<String> {
    let names = list.lines().filter_map(|line| line.split(' ').find_map(|field| field.strip_prefix("name=")));
    let mut strangers = names.filter(|name| {
        let id = name.strip_prefix("sentinel-").and_then(|rest| rest.strip_suffix("-pubsub"));
        id.is_some_and(|id| !id.is_empty() && !members.iter().any(|member| member.starts_with(id)))
    });
    strangers.next().map(|name| name.chars().filter(|c| !c.is_control()).take(40).collect())
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

    #[test]
    fn where_no_sentinel_may_listen_members_may() {
        let list = "id=3 name=sentinel-aaaaaaaa-cmd age=1\nid=4 name=sentinel-bbbbbbbb-pubsub age=1\n";
        assert_eq!(sentinel(list, &["bbbbbbbb0000".to_owned()]), None);
        assert_eq!(sentinel(list, &["aaaaaaaa0000".to_owned()]), Some("sentinel-bbbbbbbb-pubsub".to_owned()));
        let mut gate = gate(None).without_sentinels(Vec::new());
        let heard = hear(&mut gate, Reply::Bulk(list.into()));
        assert_eq!(heard, Heard::Beside("sentinel-bbbbbbbb-pubsub".to_owned()));
    }

    const REFUSED: &str = "NOPERM this user has no permissions to run the 'client|kill' command";
    const INFO: &str = "run_id:r1\r\nrole:master\r\n";

    fn gate(auth: Option<Vec<Bytes>>) -> Gate {
        let address = super::super::scope::parse_address("10.0.0.1:6379").unwrap();
        let until = Time::from_millis(1000);
        let mut gate = Gate::new((ConnId(1), CallNo(1)), (PodUid::from("a"), address), 7, true, until);
        let named = usize::from(auth.is_some());
        assert_eq!(gate.open(auth, "CLIENT", "INFO").len(), 2 + named);
        for _ in 0..=named {
            assert_eq!(hear(&mut gate, ok()), Heard::Nothing);
        }
        gate
    }

    fn ok() -> Reply {
        Reply::Simple("OK".into())
    }

    fn hear(gate: &mut Gate, reply: Reply) -> Heard {
        gate.hear(&reply, "CLIENT", "INFO")
    }

    /// What was sent, as one line each.
    fn sent(heard: Heard) -> Vec<String> {
        let Heard::Send(requests) = heard else { panic!("{heard:?}") };
        let line = |words: Vec<Bytes>| {
            let words = words.iter().map(|word| String::from_utf8_lossy(word).into_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        requests.into_iter().map(line).collect()
    }

    #[test]
    fn a_barrier_whose_cut_was_refused_is_none() {
        let mut gate = gate(None);
        let list = Reply::Bulk("id=7 name=vedette-claim-other-1 age=1\n".into());
        assert_eq!(sent(hear(&mut gate, list)), ["CLIENT KILL ID 7", "INFO"]);
        assert_eq!(hear(&mut gate, Reply::error(REFUSED)), Heard::Void(Some(REFUSED.to_owned())));
    }

    #[test]
    fn a_barrier_whose_cut_was_refused_for_all_is_none() {
        let mut gate = gate(None);
        assert_eq!(sent(hear(&mut gate, Reply::error("NOPERM"))), ["CLIENT KILL TYPE normal", "INFO"]);
        assert_eq!(hear(&mut gate, Reply::error(REFUSED)), Heard::Void(Some(REFUSED.to_owned())));
    }

    #[test]
    fn who_is_gone_already_needs_no_cut() {
        let mut gate = gate(None);
        hear(&mut gate, Reply::Bulk("id=7 name=vedette-claim-other-1 age=1\n".into()));
        assert_eq!(hear(&mut gate, Reply::error("ERR No such client")), Heard::Nothing);
        assert!(matches!(hear(&mut gate, Reply::Bulk(INFO.into())), Heard::Stands(CallNo(1), _)));
    }

    #[test]
    fn without_the_list_only_the_own_users_connections_are_cut() {
        let auth = || Some(words(["AUTH", "vedette", "secret"]));
        let mut gate_of_user = gate(auth());
        let cut = sent(hear(&mut gate_of_user, Reply::error("NOPERM")));
        assert_eq!(cut, ["CLIENT KILL USER vedette SKIPME yes"]);
        assert_eq!(sent(hear(&mut gate_of_user, Reply::Int(2))), ["INFO"]);
        assert!(matches!(hear(&mut gate_of_user, Reply::Bulk(INFO.into())), Heard::Stands(CallNo(1), _)));
        // Where the server doesn't know that, all are.
        let mut gate = gate(auth());
        hear(&mut gate, Reply::error("NOPERM"));
        let cut = sent(hear(&mut gate, Reply::error("ERR syntax error")));
        assert_eq!(cut, ["CLIENT KILL TYPE normal", "INFO"]);
    }

    #[test]
    fn writes_are_held_back_in_a_transaction_only() {
        for (multi, sends) in [(ok(), 3), (Reply::error("NOPERM"), 0)] {
            let mut gate = gate(None);
            hear(&mut gate, Reply::Bulk("".into()));
            hear(&mut gate, Reply::Bulk(INFO.into()));
            let hold = Command::Hold(std::time::Duration::from_secs(1));
            let first = gate.tell((CallNo(2), Time::from_millis(1000)), &hold, str::to_owned);
            assert_eq!(first, [words(["MULTI"])]);
            match hear(&mut gate, multi) {
                Heard::Send(requests) => assert_eq!(requests.len(), sends),
                heard => assert_eq!((heard, sends), (Heard::Void(Some("NOPERM".to_owned())), 0)),
            }
        }
    }
}
