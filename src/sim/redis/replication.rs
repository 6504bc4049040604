//! The two ends of replication: PSYNC, full copies, the stream, promotion.

use super::*;

impl FakeRedis {
    /// Time has passed.
    pub(crate) fn timer(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.pass(now);
        self.serve_held(now, effects);
        let ready: Vec<ClientKey> = self
            .clients
            .iter()
            .filter(|(_, client)| {
                client.replica.as_ref().is_some_and(|replica| replica.copy_at.is_some_and(|at| at <= now))
            })
            .map(|(key, _)| *key)
            .collect();
        for key in ready {
            self.send_copy(key, effects);
        }
        match &self.role {
            Role::Primary => {
                if self.next_ping_at <= now {
                    self.next_ping_at = now + PING_EVERY;
                    if self.clients.values().any(|client| client.replica.is_some()) {
                        self.feed(Item::Ping, effects);
                    }
                }
            }
            Role::Replica(f) => match f.link {
                Link::Down { retry_at } if retry_at <= now && self.loading_until.is_none() => {
                    self.dial(now, effects);
                }
                Link::Down { .. } => {}
                Link::Dialing | Link::Handshake | Link::Transfer | Link::Up => {
                    if f.last_io + self.config.repl_timeout <= now {
                        effects.push(Effect::HangUp);
                        self.primary_gone(now);
                    }
                }
            },
        }
    }

    /// The link to the primary stands.
    pub(crate) fn primary_up(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if let Role::Replica(f) = &mut self.role {
            f.link = Link::Handshake;
            f.last_io = now;
            effects.push(Effect::ToPrimary(ReplMsg::Psync {
                ip: self.config.ip.clone(),
                port: self.config.port,
                history: self.history.clone(),
                offset: self.offset,
            }));
        }
    }

    /// The link to the primary failed or ended. A node's own replicas stay: it goes on serving them.
    pub(crate) fn primary_gone(&mut self, now: Time) {
        if let Role::Replica(f) = &mut self.role {
            if f.link == Link::Up {
                f.down_since = Some(now);
            }
            f.link = Link::Down { retry_at: now + RETRY_AFTER };
        }
    }

    /// The primary said something.
    pub(crate) fn primary_says(&mut self, message: ReplMsg, now: Time, effects: &mut Vec<Effect>) {
        let Role::Replica(f) = &mut self.role else { return };
        f.last_io = now;
        match message {
            ReplMsg::Refused => {
                effects.push(Effect::HangUp);
                self.primary_gone(now);
            }
            ReplMsg::FullStart => f.link = Link::Transfer,
            ReplMsg::FullData { history, offset, data } => {
                f.link = Link::Up;
                f.down_since = None;
                self.history = history;
                self.old_history = None;
                self.offset = offset;
                self.data = data;
                self.backlog.clear();
                self.drop_replicas(effects);
                let loading = self.rng.below(200);
                self.loading_until = (loading > 50).then(|| now + Duration::from_millis(loading));
            }
            ReplMsg::Continue { history } => {
                f.link = Link::Up;
                f.down_since = None;
                if history != self.history {
                    let old = std::mem::replace(&mut self.history, history);
                    self.old_history = Some((old, self.offset + 1));
                    self.drop_replicas(effects);
                }
            }
            ReplMsg::Item { item, offset } => {
                if let Item::Write(id) = item {
                    self.data.push(id);
                }
                self.feed(item, effects);
                debug_assert_eq!(self.offset, offset, "the stream has a hole");
            }
            ReplMsg::Psync { .. } => {}
        }
    }

    /// A replica said something.
    pub(crate) fn replica_says(
        &mut self,
        client: ClientKey,
        message: ReplMsg,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        self.pass(now);
        let ReplMsg::Psync { ip, port, history, offset } = message else { return };
        if !self.clients.contains_key(&client) {
            return;
        }
        let linked = match &self.role {
            Role::Primary => true,
            Role::Replica(f) => f.link == Link::Up,
        };
        if !linked || self.loading_until.is_some() {
            effects.push(Effect::ToReplica(client, ReplMsg::Refused));
            return;
        }
        let mut replica = Replica { ip, port, copy_at: None };
        if self.can_continue(&history, offset) {
            effects.push(Effect::ToReplica(client, ReplMsg::Continue { history: self.history.clone() }));
            for (after, item) in self.backlog.iter().filter(|(after, _)| *after > offset) {
                effects.push(Effect::ToReplica(client, ReplMsg::Item { item: *item, offset: *after }));
            }
        } else {
            effects.push(Effect::ToReplica(client, ReplMsg::FullStart));
            replica.copy_at = Some(now + self.config.transfer);
        }
        if let Some(client) = self.clients.get_mut(&client) {
            client.replica = Some(replica);
        }
    }

    /// SLAVEOF NO ONE.
    pub(super) fn promote(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.is_primary() {
            return;
        }
        self.role = Role::Primary;
        self.role_since = now;
        effects.push(Effect::HangUp);
        let new = self.rng.run_id();
        let old = std::mem::replace(&mut self.history, new);
        self.old_history = Some((old, self.offset + 1));
        self.next_ping_at = now + PING_EVERY;
        self.drop_replicas(effects);
    }

    /// SLAVEOF host port. False when this node follows that address already.
    pub(super) fn follow(&mut self, host: String, port: u16, now: Time, effects: &mut Vec<Effect>) -> bool {
        if self.following().is_some_and(|(h, p, _)| h == host && p == port) {
            return false;
        }
        let down_since = match &self.role {
            Role::Primary => Some(now),
            Role::Replica(f) => {
                effects.push(Effect::HangUp);
                f.down_since.or(Some(now))
            }
        };
        let link = Link::Down { retry_at: now };
        self.role = Role::Replica(Following { host, port, link, down_since, last_io: now });
        self.drop_replicas(effects);
        true
    }

    /// The replicas in the order of their connections: address, whether the stream reaches them.
    pub(super) fn replicas(&self) -> impl Iterator<Item = (&str, u16, bool)> {
        self.clients
            .values()
            .filter_map(|client| client.replica.as_ref())
            .map(|replica| (replica.ip.as_str(), replica.port, replica.copy_at.is_none()))
    }

    fn dial(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if let Role::Replica(f) = &mut self.role {
            f.link = Link::Dialing;
            f.last_io = now;
            effects.push(Effect::Dial(f.host.clone(), f.port));
        }
    }

    fn can_continue(&self, history: &str, offset: u64) -> bool {
        let known = history == self.history
            || self.old_history.as_ref().is_some_and(|(old, end)| history == old && offset < *end);
        let oldest = self.backlog.front().map_or(self.offset, |(after, item)| after - item.bytes());
        known && (oldest..=self.offset).contains(&offset)
    }

    fn send_copy(&mut self, key: ClientKey, effects: &mut Vec<Effect>) {
        let Some(replica) = self.clients.get_mut(&key).and_then(|client| client.replica.as_mut()) else {
            return;
        };
        replica.copy_at = None;
        let (history, offset, data) = (self.history.clone(), self.offset, self.data.clone());
        effects.push(Effect::ToReplica(key, ReplMsg::FullData { history, offset, data }));
    }

    /// Adds an item to the stream and sends it to the replicas that are not waiting for a copy.
    pub(super) fn feed(&mut self, item: Item, effects: &mut Vec<Effect>) {
        self.offset += item.bytes();
        self.backlog.push_back((self.offset, item));
        if self.backlog.len() > self.config.backlog {
            self.backlog.pop_front();
        }
        for (key, client) in &self.clients {
            if client.replica.as_ref().is_some_and(|replica| replica.copy_at.is_none()) {
                effects.push(Effect::ToReplica(*key, ReplMsg::Item { item, offset: self.offset }));
            }
        }
    }

    /// The history changed: replicas must ask again.
    fn drop_replicas(&mut self, effects: &mut Vec<Effect>) {
        self.clients.retain(|key, client| {
            if client.replica.is_some() {
                effects.push(Effect::Close(*key));
            }
            client.replica.is_none()
        });
    }
}
