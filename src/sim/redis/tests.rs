use super::*;

/// Two or more nodes wired directly together, without a network: messages arrive at once and in order.
struct Rig {
    nodes: Vec<FakeRedis>,
    /// Which node each node's link goes to.
    links: Vec<Option<usize>>,
    now: Time,
    replies: Vec<(usize, ClientKey, Reply)>,
    closed: Vec<(usize, ClientKey)>,
}

fn config(n: usize) -> NodeConfig {
    NodeConfig {
        ip: format!("10.0.0.{n}"),
        port: 6379,
        priority: 100,
        password: None,
        repl_timeout: Duration::from_secs(15),
        backlog: 8,
        transfer: Duration::from_millis(100),
        tells_keys: false,
    }
}

fn words(text: &str) -> Vec<Bytes> {
    text.split(' ').map(|word| Bytes::from(word.to_owned())).collect()
}

impl Rig {
    fn new(count: usize) -> Self {
        let nodes = (0..count)
            .map(|n| {
                FakeRedis::boot(
                    config(n),
                    Durable::default(),
                    Rng::new(n as u64, 3),
                    Time::ZERO,
                    Duration::ZERO,
                )
            })
            .collect();
        Self { nodes, links: vec![None; count], now: Time::ZERO, replies: Vec::new(), closed: Vec::new() }
    }

    fn link_key(replica: usize) -> ClientKey {
        1000 + replica as u64
    }

    fn carry(&mut self, from: usize, effects: Vec<Effect>) {
        for effect in effects {
            let mut next = Vec::new();
            let mut at = from;
            match effect {
                Effect::Reply(client, reply) => self.replies.push((from, client, reply)),
                Effect::Close(client) => {
                    self.closed.push((from, client));
                    if client >= 1000 {
                        at = usize::try_from(client - 1000).unwrap();
                        self.links[at] = None;
                        self.nodes[at].primary_gone(self.now);
                    }
                }
                Effect::Dial(host, _) => {
                    let to: usize = host.rsplit('.').next().unwrap().parse().unwrap();
                    self.links[from] = Some(to);
                    self.nodes[to].accept(Self::link_key(from));
                    self.nodes[from].primary_up(self.now, &mut next);
                }
                Effect::HangUp => {
                    if let Some(to) = self.links[from].take() {
                        self.nodes[to].client_gone(Self::link_key(from));
                    }
                }
                Effect::ToPrimary(message) => {
                    at = self.links[from].unwrap();
                    self.nodes[at].replica_says(Self::link_key(from), message, self.now, &mut next);
                }
                Effect::ToReplica(client, message) => {
                    at = usize::try_from(client - 1000).unwrap();
                    self.nodes[at].primary_says(message, self.now, &mut next);
                }
            }
            self.carry(at, next);
        }
    }

    fn ask(&mut self, node: usize, client: ClientKey, text: &str) -> Reply {
        let mut effects = Vec::new();
        self.nodes[node].request(client, &words(text), self.now, &mut effects);
        self.carry(node, effects);
        let at = self.replies.iter().rposition(|(n, c, _)| (*n, *c) == (node, client)).unwrap();
        self.replies.remove(at).2
    }

    fn write(&mut self, node: usize, id: u32) -> bool {
        let mut effects = Vec::new();
        let acknowledged = self.nodes[node].write(id, self.now, &mut effects);
        self.carry(node, effects);
        acknowledged
    }

    /// Lets time pass in small steps.
    fn pass(&mut self, millis: u64) {
        for _ in 0..millis / 10 {
            self.now = self.now + Duration::from_millis(10);
            for node in 0..self.nodes.len() {
                let mut effects = Vec::new();
                self.nodes[node].timer(self.now, &mut effects);
                self.carry(node, effects);
            }
        }
    }

    /// Node 0 as primary of all the others.
    fn replicated(count: usize) -> Self {
        let mut rig = Self::new(count);
        for node in 0..count {
            rig.nodes[node].accept(1);
        }
        for node in 1..count {
            assert_eq!(rig.ask(node, 1, "SLAVEOF 10.0.0.0 6379"), Reply::OK);
        }
        rig.pass(500);
        rig
    }

    fn info(&mut self, node: usize) -> String {
        self.ask(node, 1, "INFO").text().unwrap().to_owned()
    }
}

#[test]
fn replicas_copy_and_follow() {
    let mut rig = Rig::replicated(3);
    assert!(rig.write(0, 7));
    assert!(!rig.write(1, 8), "a replica takes no writes");
    for node in 1..3 {
        assert_eq!(rig.nodes[node].data(), [7]);
        let info = rig.info(node);
        assert!(
            info.contains(
                "role:slave\r\nmaster_host:10.0.0.0\r\nmaster_port:6379\r\nmaster_link_status:up\r\n"
            )
        );
        assert!(!info.contains("master_link_down_since_seconds"));
    }
    let info = rig.info(0);
    assert!(
        info.contains("role:master\r\nconnected_slaves:2\r\nslave0:ip=10.0.0.1,port=6379,state=online,"),
        "{info}"
    );
}

#[test]
fn a_promotion_goes_on_with_the_history_and_the_others_continue() {
    let mut rig = Rig::replicated(3);
    rig.write(0, 1);
    for text in ["MULTI", "SLAVEOF NO ONE", "CONFIG REWRITE", "CLIENT KILL TYPE normal"] {
        rig.ask(1, 1, text);
    }
    assert!(matches!(rig.ask(1, 1, "EXEC"), Reply::Array(rows) if rows.len() == 3));
    assert!(rig.nodes[1].is_primary());
    rig.ask(2, 1, "SLAVEOF 10.0.0.1 6379");
    rig.ask(0, 1, "SLAVEOF 10.0.0.1 6379");
    let copied = rig.now;
    rig.pass(20);
    assert_eq!(rig.nodes[2].following(), Some(("10.0.0.1", 6379, true)), "no full copy within {copied:?}");
    assert!(rig.write(1, 2));
    rig.pass(500);
    for node in 0..3 {
        assert_eq!(rig.nodes[node].data(), [1, 2], "{node}");
        assert_eq!(rig.nodes[node].history, rig.nodes[1].history);
        assert_eq!(rig.nodes[node].offset, rig.nodes[1].offset);
    }
}

#[test]
fn a_primary_that_went_on_alone_takes_a_full_copy() {
    let mut rig = Rig::replicated(2);
    rig.write(0, 1);
    rig.ask(1, 1, "SLAVEOF NO ONE");
    rig.write(0, 2);
    rig.write(1, 3);
    rig.ask(0, 1, "SLAVEOF 10.0.0.1 6379");
    rig.pass(50);
    assert_eq!(rig.nodes[0].data(), [1, 2]);
    assert!(rig.info(0).contains("master_link_down_since_seconds:0\r\n"));
    assert!(rig.info(0).contains("master_sync_in_progress:1\r\n"));
    rig.pass(500);
    assert_eq!(rig.nodes[0].data(), [1, 3]);
}

#[test]
fn a_replica_of_a_replica_gets_the_same_stream() {
    let mut rig = Rig::replicated(3);
    rig.ask(2, 1, "SLAVEOF 10.0.0.1 6379");
    rig.pass(500);
    rig.write(0, 5);
    assert_eq!(rig.nodes[2].data(), [5]);
    assert_eq!(rig.nodes[2].offset, rig.nodes[0].offset);
}

#[test]
fn a_restart_takes_its_role_from_the_last_rewrite_and_a_replica_continues() {
    let mut rig = Rig::replicated(2);
    rig.write(0, 1);
    let left = rig.nodes[1].durable();
    assert_eq!(left.replica_of, None, "never rewritten");
    rig.ask(1, 1, "CONFIG REWRITE");
    let left = rig.nodes[1].durable();
    assert_eq!(left.replica_of, Some(("10.0.0.0".to_owned(), 6379)));
    rig.nodes[0].client_gone(Rig::link_key(1));
    rig.links[1] = None;
    rig.nodes[1] = FakeRedis::boot(config(1), left, Rng::new(9, 9), rig.now, Duration::from_millis(200));
    rig.nodes[1].accept(1);
    assert_eq!(rig.ask(1, 1, "PING"), Reply::err("LOADING Redis is loading the dataset in memory"));
    assert!(rig.info(1).contains("loading:1\r\n"));
    assert!(rig.info(1).contains("master_link_down_since_seconds:-1\r\n"));
    rig.pass(230);
    assert_eq!(rig.ask(1, 1, "PING"), Reply::Simple("PONG".into()));
    assert_eq!(rig.nodes[1].following(), Some(("10.0.0.0", 6379, true)));
}

#[test]
fn a_transaction_kills_other_clients_but_not_the_caller() {
    let mut rig = Rig::replicated(2);
    rig.nodes[0].accept(2);
    rig.nodes[0].accept(3);
    rig.ask(0, 3, "SUBSCRIBE __sentinel__:hello");
    assert_eq!(rig.ask(0, 1, "CLIENT KILL TYPE normal"), Reply::Int(1));
    assert_eq!(rig.closed, [(0, 2)]);
    assert_eq!(rig.ask(0, 1, "PUBLISH __sentinel__:hello hi"), Reply::Int(1));
    assert_eq!(rig.ask(0, 1, "CLIENT KILL TYPE pubsub"), Reply::Int(1));
    assert_eq!(rig.closed, [(0, 2), (0, 3)]);
    assert_eq!(rig.ask(0, 1, "PUBLISH __sentinel__:hello hi"), Reply::Int(0));
    let role = rig.ask(0, 1, "ROLE");
    assert_eq!(role.elements().unwrap()[0], Reply::bulk("master"));
}

#[test]
fn a_script_blocks_until_killed() {
    let mut rig = Rig::replicated(1);
    rig.nodes[0].make_busy(Time::from_millis(60_000), true);
    assert!(rig.ask(0, 1, "PING").text().unwrap().starts_with("BUSY"));
    assert!(rig.ask(0, 1, "INFO").text().unwrap().starts_with("BUSY"));
    assert_eq!(rig.ask(0, 1, "SCRIPT KILL"), Reply::OK);
    assert_eq!(rig.ask(0, 1, "PING"), Reply::Simple("PONG".into()));
}

#[test]
fn a_password_is_asked_for_and_strange_commands_are_told_apart() {
    let mut rig = Rig::new(1);
    rig.nodes[0].config.password = Some("secret".to_owned());
    rig.nodes[0].accept(1);
    assert!(rig.ask(0, 1, "PING").text().unwrap().starts_with("NOAUTH"));
    assert!(rig.ask(0, 1, "AUTH wrong").text().unwrap().starts_with("WRONGPASS"));
    assert_eq!(rig.ask(0, 1, "AUTH default secret"), Reply::OK);
    assert_eq!(rig.ask(0, 1, "PING"), Reply::Simple("PONG".into()));
    let strange =
        |rig: &mut Rig, text: &str| !rig.nodes[0].request(1, &words(text), Time::ZERO, &mut Vec::new());
    assert!(strange(&mut rig, "REPLICAOF NO ONE"));
    assert!(strange(&mut rig, "CONFIG SET a b"));
    assert!(strange(&mut rig, "INFORM"));
    assert!(!strange(&mut rig, "INFO"));
}

#[test]
fn a_silent_primary_is_given_up() {
    let mut rig = Rig::replicated(2);
    rig.links[1] = None;
    rig.nodes[0].client_gone(Rig::link_key(1));
    rig.nodes[0].role = Role::Replica(Following {
        host: "10.0.0.0".to_owned(),
        port: 6379,
        link: Link::Down { retry_at: Time::from_millis(1_000_000) },
        down_since: None,
        last_io: Time::ZERO,
    });
    rig.pass(15_020);
    assert!(rig.info(1).contains("master_link_status:down\r\n"));
    assert!(rig.info(1).contains("master_link_down_since_seconds:0\r\n"));
}

#[test]
fn a_pause_holds_writes_and_publish_back_and_what_comes_behind_them() {
    let mut rig = Rig::replicated(2);
    rig.nodes[0].accept(2);
    assert_eq!(rig.ask(0, 1, "CLIENT PAUSE 500 WRITE"), Reply::OK);
    assert!(!rig.write(0, 7), "not while it lasts");
    assert_eq!(rig.ask(0, 1, "PING"), Reply::Simple("PONG".into()));
    let mut effects = Vec::new();
    for text in ["PUBLISH a b", "PING"] {
        assert!(rig.nodes[0].request(2, &words(text), rig.now, &mut effects));
    }
    assert!(effects.is_empty(), "{effects:?}");
    assert!(rig.nodes[0].request(1, &words("CLIENT UNPAUSE"), rig.now, &mut effects));
    let replies: Vec<ClientKey> = effects
        .iter()
        .filter_map(|effect| if let Effect::Reply(client, _) = effect { Some(*client) } else { None })
        .collect();
    assert_eq!(replies, [1, 2, 2]);
    assert!(rig.write(0, 8));
    assert_eq!(rig.ask(0, 1, "CLIENT PAUSE 500 WRITE"), Reply::OK);
    rig.pass(600);
    assert!(rig.write(0, 9), "it ends by itself");
}
