//! The server's shared state: clients, subscriptions, figures, and the one way in which bytes reach a client.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::acl::{Acl, DEFAULT_USER};
use super::backend::Backend;
use super::client::{Client, Ending, Mode};
use super::config::ServerConfig;
use super::counters::{Counters, add, bump, shift};
use super::pause::Pause;
use super::peer::Peer;
use super::pubsub::PubSub;
use super::session::{Session, Sessions};
use super::stats::ServerStats;
use super::table::{self, Table};
use crate::config::general::OutputLimit;
use crate::core::action::Level;
use crate::core::ids::ClientId;
use crate::resp::Reply;

/// Bytes waiting for one client above which its next requests are held back.
const HIGH_WATER: usize = 1024 * 1024;
/// The same while all clients together are over [`OUTPUT_BUDGET`].
const LOW_WATER: usize = 16 * 1024;
/// Bytes waiting for all clients together above which slow readers are held to less.
const OUTPUT_BUDGET: usize = 64 * 1024 * 1024;
/// Bytes waiting for all clients together above which a subscriber that does not read is closed.
const OUTPUT_CEILING: usize = 256 * 1024 * 1024;

/// The server's shared state.
pub(super) struct Inner {
    pub(super) config: ServerConfig,
    /// `maxclients`, or less where the system allows fewer descriptors.
    pub(super) max_clients: usize,
    pub(super) backend: Rc<dyn Backend>,
    pub(super) table: Table,
    pub(super) acl: RefCell<Acl>,
    pub(super) clients: RefCell<BTreeMap<ClientId, Rc<Client>>>,
    pub(super) pubsub: RefCell<PubSub>,
    pub(super) counters: Counters,
    pub(super) pause: RefCell<Option<Pause>>,
    pub(super) tls: RefCell<Option<Arc<rustls::ServerConfig>>>,
    /// Where every connection reads to: only what has to wait is copied to a buffer of the client's own.
    pub(super) scratch: RefCell<BytesMut>,
    pub(super) started_at: Instant,
    pub(super) executable: std::path::PathBuf,
    pub(super) tasks: RefCell<Vec<AbortHandle>>,
    pub(super) unix_socket: RefCell<Option<std::path::PathBuf>>,
    pub(super) next_id: Cell<u64>,
    /// Connections whose last turn ended with work left.
    pub(super) busy: Cell<usize>,
}

impl Inner {
    /// Takes a new connection in.
    pub(super) fn admit(&self, peer: Peer, fd: i32) -> Rc<Client> {
        let id = ClientId(self.next_id.get());
        self.next_id.set(id.0 + 1);
        let acl = self.acl.borrow();
        let authenticated = !acl.default_user_needs_auth();
        let client =
            Rc::new(Client::new(id, peer, fd, Rc::from(DEFAULT_USER), authenticated, Instant::now()));
        self.clients.borrow_mut().insert(id, Rc::clone(&client));
        client
    }

    /// Forgets a client whose connection has ended.
    pub(super) fn dismiss(&self, client: &Client) {
        self.clients.borrow_mut().remove(&client.id);
        self.pubsub.borrow_mut().unsubscribe_all(client);
        shift(&self.counters.output_buffered, client.buffered(), 0);
        self.queued(client, 0, 0);
    }

    pub(super) fn client(&self, id: ClientId) -> Option<Rc<Client>> {
        self.clients.borrow().get(&id).cloned()
    }

    /// Answers a client's present command.
    pub(super) fn answer(&self, client: &Client, reply: &Reply) {
        if matches!(reply, Reply::Error(_)) {
            bump(&self.counters.errors);
        }
        let added = client.write(reply);
        self.sent_to(client, added);
    }

    /// Answers with an error whose text may be no UTF-8.
    pub(super) fn answer_error(&self, client: &Client, text: &[u8]) {
        bump(&self.counters.errors);
        let added = client.write_error(text);
        self.sent_to(client, added);
    }

    /// Sends what CLIENT REPLY doesn't silence.
    pub(super) fn push_reply(&self, client: &Client, reply: &Reply) {
        let added = client.push_reply(reply);
        self.sent_to(client, added);
    }

    /// Sends a message to a subscriber.
    pub(super) fn push(&self, client: &Client, bytes: &[u8]) {
        if client.ending.get().is_some() {
            return;
        }
        let waiting = client.push(bytes);
        self.sent_to(client, bytes.len());
        if self.counters.output_buffered.get() > OUTPUT_CEILING && waiting > HIGH_WATER {
            self.overrun(client);
        }
        client.wake();
    }

    fn sent_to(&self, client: &Client, added: usize) {
        shift(&self.counters.output_buffered, 0, added);
        self.check_limits(client, client.buffered());
    }

    /// Closes a client for whom too much waits, or has waited for too long.
    pub(super) fn check_limits(&self, client: &Client, waiting: usize) {
        let limit = self.limit_of(client);
        let waiting = waiting as u64;
        if limit.hard > 0 && waiting > limit.hard {
            self.overrun(client);
        } else if limit.soft > 0 && waiting > limit.soft {
            let now = Instant::now();
            let since = client.over_soft_since.get().unwrap_or(now);
            client.over_soft_since.set(Some(since));
            if now.duration_since(since).as_secs() > limit.soft_seconds {
                self.overrun(client);
            }
        } else if client.over_soft_since.get().is_some() {
            client.over_soft_since.set(None);
        }
    }

    fn limit_of(&self, client: &Client) -> OutputLimit {
        if client.subscription_count() > 0 {
            self.config.general.output_limit_pubsub
        } else {
            self.config.general.output_limit_normal
        }
    }

    fn overrun(&self, client: &Client) {
        if client.ending.get() == Some(Ending::Now) {
            return;
        }
        bump(&self.counters.output_limit);
        self.log(
            Level::Warning,
            &format!(
                "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
                client.describe()
            ),
        );
        client.end(Ending::Now);
    }

    /// Bytes waiting for a client above which its next requests are held back.
    pub(super) fn high_water(&self) -> usize {
        if self.counters.output_buffered.get() > OUTPUT_BUDGET { LOW_WATER } else { HIGH_WATER }
    }

    /// Notes how many bytes of a client's requests wait.
    pub(super) fn queued(&self, client: &Client, bytes: usize, room: usize) {
        shift(&self.counters.input_buffered, client.queued.replace(bytes), bytes);
        client.queued_room.set(room);
    }

    /// Answers a command that the daemon behind was given.
    pub(super) fn late_answer(&self, id: ClientId, reply: &Reply) {
        let Some(client) = self.client(id) else { return };
        if client.mode.get() != Mode::Waiting {
            return;
        }
        self.answer(&client, reply);
        client.command_done();
        client.mode.set(Mode::Ready);
        client.wake();
    }

    /// Sends a message to the subscribers of a channel and of the patterns that match it.
    pub(super) fn publish(&self, channel: &[u8], payload: &[u8]) -> usize {
        let sent = self.pubsub.borrow().publish(channel, payload, |client, bytes| self.push(client, bytes));
        add(&self.counters.delivered, sent);
        sent
    }

    pub(super) fn log(&self, level: Level, text: &str) {
        self.backend.log(level, text);
    }

    pub(super) fn stats(&self) -> ServerStats {
        let counters = &self.counters;
        let clients = self.clients.borrow();
        let pubsub = self.pubsub.borrow();
        ServerStats {
            connected_clients: clients.len(),
            connections_received: counters.connections.get(),
            rejected_connections: counters.rejected.get(),
            commands_processed: counters.commands.get(),
            commands: table::all()
                .map(|spec| (spec.full_name, counters.by_command[usize::from(spec.id)].get()))
                .filter(|(_, count)| *count > 0)
                .collect(),
            error_replies: counters.errors.get(),
            input_bytes: counters.input.get(),
            output_bytes: counters.output.get(),
            output_limit_disconnections: counters.output_limit.get(),
            query_limit_disconnections: counters.query_limit.get(),
            output_buffered: counters.output_buffered.get(),
            input_buffered: counters.input_buffered.get(),
            pubsub_channels: pubsub.channel_count(),
            pubsub_patterns: pubsub.pattern_count(),
            pubsub_clients: clients.values().filter(|client| client.subscription_count() > 0).count(),
            messages_delivered: counters.delivered.get(),
            denied_auth: counters.denied_auth.get(),
            denied_commands: counters.denied_commands.get(),
            denied_channels: counters.denied_channels.get(),
        }
    }
}

impl Sessions for Inner {
    fn end_where(&self, caller: ClientId, hit: &mut dyn FnMut(&dyn Session) -> bool) -> usize {
        let mut ended = 0;
        for client in self.clients.borrow().values() {
            if hit(client.as_ref()) {
                client.end(if client.id == caller { Ending::Flushed } else { Ending::Now });
                ended += 1;
            }
        }
        ended
    }
}
