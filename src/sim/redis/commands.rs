//! The commands that Sentinel's documentation lists for its user on the data nodes, and no other.

use super::*;

impl FakeRedis {
    /// A client's request. False when it is nothing that a daemon may send to a data node.
    pub(crate) fn request(
        &mut self,
        client: ClientKey,
        args: &[Bytes],
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> bool {
        self.pass(now);
        self.serve_held(now, effects);
        let Some(state) = self.clients.get_mut(&client) else { return true };
        let words = upper(args);
        if !state.held.is_empty() || (self.paused_until.is_some() && words.starts_with("PUBLISH")) {
            state.held.push_back(args.to_vec());
            return true;
        }
        let known = self.serve(client, args, now, effects);
        // What was just served may have ended the pause.
        self.serve_held(now, effects);
        known
    }

    /// Goes on with what a pause held back, once it is over.
    pub(super) fn serve_held(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while self.paused_until.is_none() {
            let Some((client, args)) =
                self.clients.iter_mut().find_map(|(key, state)| Some((*key, state.held.pop_front()?)))
            else {
                return;
            };
            self.serve(client, &args, now, effects);
        }
    }

    fn serve(&mut self, client: ClientKey, args: &[Bytes], now: Time, effects: &mut Vec<Effect>) -> bool {
        let Some(state) = self.clients.get_mut(&client) else { return true };
        let words = upper(args);
        let allowed =
            LISTED.iter().any(|listed| words.starts_with(listed) && word_ends(&words, listed.len()));
        let refusal = if !allowed {
            Some("ERR unknown command")
        } else if self.refuses.is_some_and(|refused| words.starts_with(refused)) {
            Some("NOPERM this user has no permissions to run that command")
        } else if !state.authenticated && !words.starts_with("AUTH") {
            Some("NOAUTH Authentication required.")
        } else if self.loading_until.is_some() && (words.starts_with("SLAVEOF") || words == "PING") {
            Some("LOADING Redis is loading the dataset in memory")
        } else if self.busy.is_some() && !BUSY_ALLOWED.iter().any(|listed| words.starts_with(listed)) {
            Some("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.")
        } else {
            None
        };
        if let Some(refusal) = refusal {
            state.queue_failed |= state.queued.is_some();
            effects.push(Effect::Reply(client, Reply::err(refusal)));
            return allowed;
        }
        if let Some(queued) = &mut state.queued
            && words != "EXEC"
        {
            queued.push(args.to_vec());
            effects.push(Effect::Reply(client, Reply::Simple("QUEUED".into())));
            return true;
        }
        let reply = match words.as_str() {
            "MULTI" => {
                state.queued = Some(Vec::new());
                state.queue_failed = false;
                Reply::OK
            }
            "EXEC" => match (state.queued.take(), state.queue_failed) {
                (None, _) => Reply::err("ERR EXEC without MULTI"),
                (Some(_), true) => Reply::err("EXECABORT Transaction discarded because of previous errors."),
                (Some(queued), false) => {
                    Reply::Array(queued.iter().map(|args| self.execute(client, args, now, effects)).collect())
                }
            },
            _ => self.execute(client, args, now, effects),
        };
        effects.push(Effect::Reply(client, reply));
        true
    }

    /// A command of somebody whom the simulation doesn't draw.
    pub(crate) fn order(&mut self, words: &[&str], now: Time, effects: &mut Vec<Effect>) {
        let args: Vec<Bytes> = words.iter().map(|word| Bytes::from((*word).to_owned())).collect();
        if self.loading_until.is_none() {
            self.execute(ClientKey::MAX, &args, now, effects);
        }
    }

    fn execute(&mut self, client: ClientKey, args: &[Bytes], now: Time, effects: &mut Vec<Effect>) -> Reply {
        let words = upper(args);
        match words.split(' ').next().unwrap_or_default() {
            "PING" => Reply::Simple("PONG".into()),
            "AUTH" => self.auth(client, args),
            "INFO" => Reply::bulk(self.info(now)),
            "ROLE" => self.role_reply(),
            "SLAVEOF" => self.slaveof(args, now, effects),
            "CONFIG" => {
                self.saved_role = self.following().map(|(host, port, _)| (host.to_owned(), port));
                Reply::OK
            }
            "CLIENT" if words.starts_with("CLIENT SETNAME") => self.name(client, args),
            "CLIENT" if words == "CLIENT LIST" => self.client_list(),
            "CLIENT" if words.starts_with("CLIENT PAUSE ") => self.pause(&words, now),
            "CLIENT" if words == "CLIENT UNPAUSE" => {
                self.paused_until = None;
                Reply::OK
            }
            "CLIENT" => self.client_kill(client, &words, effects),
            "PUBLISH" => self.publish(args, effects),
            "SUBSCRIBE" => self.subscribe(client, args),
            "SCRIPT" => match self.busy.as_ref().map(|busy| busy.killable) {
                None => Reply::err("NOTBUSY No scripts in execution right now."),
                Some(false) => Reply::err("UNKILLABLE Sorry the script already executed write commands."),
                Some(true) => {
                    self.busy = None;
                    Reply::OK
                }
            },
            _ => Reply::err("ERR syntax error"),
        }
    }

    fn auth(&mut self, client: ClientKey, args: &[Bytes]) -> Reply {
        let given = args.last().map(|word| String::from_utf8_lossy(word).into_owned());
        let Some(state) = self.clients.get_mut(&client) else { return Reply::OK };
        if self.config.password.is_none() {
            return Reply::err(
                "ERR AUTH <password> called without any password configured for the default user.",
            );
        }
        if given != self.config.password {
            return Reply::err("WRONGPASS invalid username-password pair or user is disabled.");
        }
        state.authenticated = true;
        Reply::OK
    }

    fn slaveof(&mut self, args: &[Bytes], now: Time, effects: &mut Vec<Effect>) -> Reply {
        let text = |at: usize| {
            args.get(at).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default()
        };
        let (host, port) = (text(1), text(2));
        if host.eq_ignore_ascii_case("no") && port.eq_ignore_ascii_case("one") {
            self.promote(now, effects);
            return Reply::OK;
        }
        let Ok(port) = port.parse() else { return Reply::err("ERR Invalid master port") };
        if self.follow(host, port, now, effects) {
            Reply::OK
        } else {
            Reply::Simple("OK Already connected to specified master".into())
        }
    }

    fn pause(&mut self, words: &str, now: Time) -> Reply {
        let millis = words.strip_prefix("CLIENT PAUSE ").and_then(|rest| rest.strip_suffix(" WRITE"));
        let Some(millis) = millis.and_then(|millis| millis.parse().ok()) else {
            return Reply::err("ERR timeout is not an integer or out of range");
        };
        // A shorter pause doesn't end a longer one.
        let until = now + Duration::from_millis(millis);
        self.paused_until = Some(self.paused_until.map_or(until, |earlier| earlier.max(until)));
        Reply::OK
    }

    fn name(&mut self, client: ClientKey, args: &[Bytes]) -> Reply {
        if let (Some(state), Some(name)) = (self.clients.get_mut(&client), args.last()) {
            state.name = String::from_utf8_lossy(name).into_owned();
        }
        Reply::OK
    }

    fn client_list(&self) -> Reply {
        let line = |(key, client): (&ClientKey, &Client)| format!("id={key} name={} age=1\n", client.name);
        Reply::bulk(self.clients.iter().map(line).collect::<String>())
    }

    fn kill_by_id(&mut self, id: &str, effects: &mut Vec<Effect>) -> Reply {
        let Ok(key) = id.parse::<ClientKey>() else {
            return Reply::err("ERR client-id should be greater than 0");
        };
        let known = self.clients.remove(&key).is_some();
        if known {
            effects.push(Effect::Close(key));
        }
        Reply::Int(i64::from(known))
    }

    fn client_kill(&mut self, caller: ClientKey, words: &str, effects: &mut Vec<Effect>) -> Reply {
        if let Some(id) = words.strip_prefix("CLIENT KILL ID ") {
            return self.kill_by_id(id, effects);
        }
        let pubsub = match words {
            "CLIENT KILL TYPE NORMAL" => false,
            "CLIENT KILL TYPE PUBSUB" => true,
            _ => return Reply::err("ERR syntax error"),
        };
        let before = self.clients.len();
        self.clients.retain(|key, client| {
            let hit = *key != caller && client.replica.is_none() && client.subscribed == pubsub;
            if hit {
                effects.push(Effect::Close(*key));
            }
            !hit
        });
        Reply::Int(i64::try_from(before - self.clients.len()).unwrap_or(0))
    }

    fn publish(&self, args: &[Bytes], effects: &mut Vec<Effect>) -> Reply {
        let [_, channel, payload] = args else {
            return Reply::err("ERR wrong number of arguments for 'publish' command");
        };
        let mut heard = 0;
        for (key, _) in self.clients.iter().filter(|(_, client)| client.subscribed) {
            heard += 1;
            let parts = [Bytes::from_static(b"message"), channel.clone(), payload.clone()];
            effects.push(Effect::Reply(*key, Reply::Array(parts.map(Reply::Bulk).to_vec())));
        }
        Reply::Int(heard)
    }

    fn subscribe(&mut self, client: ClientKey, args: &[Bytes]) -> Reply {
        if let Some(state) = self.clients.get_mut(&client) {
            state.subscribed = true;
        }
        let channel = args.get(1).cloned().unwrap_or_default();
        Reply::Array(vec![Reply::bulk("subscribe"), Reply::Bulk(channel), Reply::Int(1)])
    }

    fn role_reply(&self) -> Reply {
        let int = |n: u64| Reply::Int(i64::try_from(n).unwrap_or(i64::MAX));
        match &self.role {
            Role::Primary => {
                let rows = self
                    .replicas()
                    .map(|(ip, port, _)| {
                        Reply::Array(vec![
                            Reply::bulk(ip.to_owned()),
                            Reply::number(port),
                            Reply::number(self.offset),
                        ])
                    })
                    .collect();
                Reply::Array(vec![Reply::bulk("master"), int(self.offset), Reply::Array(rows)])
            }
            Role::Replica(f) => {
                let state = match f.link {
                    Link::Down { .. } => "connect",
                    Link::Dialing => "connecting",
                    Link::Handshake => "handshake",
                    Link::Transfer => "sync",
                    Link::Up => "connected",
                };
                Reply::Array(vec![
                    Reply::bulk("slave"),
                    Reply::bulk(f.host.clone()),
                    int(u64::from(f.port)),
                    Reply::bulk(state),
                    if f.link == Link::Up { int(self.offset) } else { Reply::Int(-1) },
                ])
            }
        }
    }
}

/// What Sentinel's documentation lets its user do on a data node, and what a planned switchover and a claim need beside.
const LISTED: [&str; 16] = [
    "MULTI",
    "SLAVEOF",
    "PING",
    "EXEC",
    "SUBSCRIBE",
    "CONFIG REWRITE",
    "ROLE",
    "PUBLISH",
    "INFO",
    "CLIENT SETNAME",
    "CLIENT LIST",
    "CLIENT KILL",
    "CLIENT PAUSE",
    "CLIENT UNPAUSE",
    "SCRIPT KILL",
    "AUTH",
];

/// What a node still does while a script runs.
const BUSY_ALLOWED: [&str; 4] = ["SCRIPT KILL", "AUTH", "MULTI", "EXEC"];

fn upper(args: &[Bytes]) -> String {
    let mut words = String::with_capacity(args.iter().map(|word| word.len() + 1).sum());
    for (at, word) in args.iter().enumerate() {
        if at > 0 {
            words.push(' ');
        }
        words.push_str(&String::from_utf8_lossy(word));
    }
    words.make_ascii_uppercase();
    words
}

fn word_ends(words: &str, at: usize) -> bool {
    matches!(words.as_bytes().get(at), None | Some(b' '))
}
