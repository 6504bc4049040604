//! One connected client: everything about it but the socket, shared between its task and the rest of the server.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::peer::Peer;
use super::session::Session;
use super::tracking::Tracking;
use crate::core::ids::ClientId;
use crate::resp::{Protocol, Reply, encode_reply, line};

/// Capacity of the outgoing buffer that an idle client keeps, in bytes.
const KEPT_OUTPUT: usize = 1024;

/// A connected client. Its fields are small: ten thousand idle ones must stay cheap.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) peer: Peer,
    /// Number of the socket's descriptor, for CLIENT LIST.
    pub(super) fd: i32,
    pub(super) connected_at: Instant,
    pub(super) active_at: Cell<Instant>,
    pub(super) protocol: Cell<Protocol>,
    pub(super) mode: Cell<Mode>,
    pub(super) ending: Cell<Option<Ending>>,
    pub(super) silence: Cell<Silence>,
    pub(super) no_evict: Cell<bool>,
    /// Full name of the command executed last.
    pub(super) last_command: Cell<&'static str>,
    /// Bytes received and not yet executed, and the room that they take.
    pub(super) queued: Cell<usize>,
    pub(super) queued_room: Cell<usize>,
    /// Since when more than the soft limit waits to be sent.
    pub(super) over_soft_since: Cell<Option<Instant>>,
    pub(super) labels: RefCell<Option<Box<Labels>>>,
    pub(super) tracking: RefCell<Option<Box<Tracking>>>,
    pub(super) channels: RefCell<BTreeSet<Bytes>>,
    pub(super) patterns: RefCell<BTreeSet<Bytes>>,
    user: RefCell<Rc<str>>,
    authenticated: Cell<bool>,
    out: RefCell<BytesMut>,
    waker: RefCell<Option<Waker>>,
    /// The client's task is running at this moment and will see what is done to the client.
    running: Cell<bool>,
}

/// What the client's task may do with the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Execute it.
    Ready,
    /// Hold it back until the present command has been answered.
    Waiting,
    /// Hold the present one back until CLIENT PAUSE is over.
    Paused,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// At once; what waits to be sent is dropped.
    Now,
    /// When what waits to be sent has been sent. Nothing more is executed.
    Flushed,
}

/// CLIENT REPLY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Replies are sent.
    Off,
    /// The present command is not answered.
    ThisCommand,
    /// The command after the present one is not answered.
    NextCommand,
    /// Nothing is answered.
    On,
}

/// Names that few clients set.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    /// CLIENT SETNAME.
    pub(super) name: Bytes,
    /// CLIENT SETINFO LIB-NAME.
    pub(super) lib_name: Bytes,
    /// CLIENT SETINFO LIB-VER.
    pub(super) lib_version: Bytes,
}

impl Client {
    pub(super) fn new(
        id: ClientId,
        peer: Peer,
        fd: i32,
        user: Rc<str>,
        authenticated: bool,
        now: Instant,
    ) -> Self {
        Self {
            id,
            peer,
            fd,
            connected_at: now,
            active_at: Cell::new(now),
            protocol: Cell::new(Protocol::Resp2),
            mode: Cell::new(Mode::Ready),
            ending: Cell::new(None),
            silence: Cell::new(Silence::Off),
            no_evict: Cell::new(false),
            last_command: Cell::new("NULL"),
            queued: Cell::new(0),
            queued_room: Cell::new(0),
            over_soft_since: Cell::new(None),
            labels: RefCell::new(None),
            tracking: RefCell::new(None),
            channels: RefCell::new(BTreeSet::new()),
            patterns: RefCell::new(BTreeSet::new()),
            user: RefCell::new(user),
            authenticated: Cell::new(authenticated),
            out: RefCell::new(BytesMut::new()),
            waker: RefCell::new(None),
            running: Cell::new(false),
        }
    }

    /// Puts a reply behind what waits to be sent; returns the bytes added. Nothing while the client wants none.
    pub(super) fn write(&self, reply: &Reply) -> usize {
        self.write_with(|protocol, out| encode_reply(reply, protocol, out))
    }

    /// As [`Client::write`], for an error whose text may be no UTF-8.
    pub(super) fn write_error(&self, text: &[u8]) -> usize {
        self.write_with(|_, out| line(b'-', text, out))
    }

    fn write_with(&self, encode: impl FnOnce(Protocol, &mut BytesMut)) -> usize {
        match self.silence.get() {
            Silence::ThisCommand | Silence::On => 0,
            Silence::Off | Silence::NextCommand => {
                let mut out = self.out.borrow_mut();
                let before = out.len();
                encode(self.protocol.get(), &mut out);
                out.len() - before
            }
        }
    }

    /// Puts bytes behind what waits to be sent, whatever CLIENT REPLY says; returns how many wait.
    pub(super) fn push(&self, bytes: &[u8]) -> usize {
        let mut out = self.out.borrow_mut();
        out.extend_from_slice(bytes);
        out.len()
    }

    /// Puts a value behind what waits to be sent, whatever CLIENT REPLY says; returns the bytes added.
    pub(super) fn push_reply(&self, reply: &Reply) -> usize {
        let mut out = self.out.borrow_mut();
        let before = out.len();
        encode_reply(reply, self.protocol.get(), &mut out);
        out.len() - before
    }

    /// Bytes that wait to be sent.
    pub(super) fn buffered(&self) -> usize {
        self.out.borrow().len()
    }

    /// Room taken by what waits to be sent.
    pub(super) fn output_room(&self) -> usize {
        self.out.borrow().capacity()
    }

    /// What waits to be sent. Whoever takes bytes off it ends with [`Client::trim`].
    pub(super) fn out(&self) -> &RefCell<BytesMut> {
        &self.out
    }

    /// Gives an idle client's room back.
    pub(super) fn trim(&self) {
        let mut out = self.out.borrow_mut();
        if out.is_empty() && out.capacity() > KEPT_OUTPUT {
            *out = BytesMut::new();
        }
    }

    /// The present command has been answered.
    pub(super) fn command_done(&self) {
        self.silence.set(match self.silence.get() {
            Silence::NextCommand => Silence::ThisCommand,
            Silence::ThisCommand | Silence::Off => Silence::Off,
            Silence::On => Silence::On,
        });
    }

    /// Ends the connection; the stronger wish stays.
    pub(super) fn end(&self, how: Ending) {
        if self.ending.get() != Some(Ending::Now) {
            self.ending.set(Some(how));
        }
        self.wake();
    }

    /// Has the client's task look at the client again.
    pub(super) fn wake(&self) {
        if !self.running.get()
            && let Some(waker) = self.waker.borrow().as_ref()
        {
            waker.wake_by_ref();
        }
    }

    /// The client's task begins to run.
    pub(super) fn enter(&self, waker: &Waker) {
        self.running.set(true);
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// The client's task has seen everything.
    pub(super) fn leave(&self) {
        self.running.set(false);
    }

    /// Channels and patterns that it is subscribed to.
    pub(super) fn subscription_count(&self) -> usize {
        self.channels.borrow().len() + self.patterns.borrow().len()
    }

    /// Changes the names that few clients set.
    pub(super) fn label(&self, change: impl FnOnce(&mut Labels)) {
        change(self.labels.borrow_mut().get_or_insert_default());
    }

    /// The name that CLIENT SETNAME gave, empty without one.
    pub(super) fn name(&self) -> Bytes {
        self.labels.borrow().as_ref().map(|labels| labels.name.clone()).unwrap_or_default()
    }

    /// Takes the user's rights and the need to authenticate anew.
    pub(super) fn set_user(&self, user: Rc<str>, authenticated: bool) {
        *self.user.borrow_mut() = user;
        self.authenticated.set(authenticated);
    }
}

impl Session for Client {
    fn id(&self) -> ClientId {
        self.id
    }

    fn protocol(&self) -> Protocol {
        self.protocol.get()
    }

    fn user(&self) -> Rc<str> {
        Rc::clone(&self.user.borrow())
    }

    fn authenticated(&self) -> bool {
        self.authenticated.get()
    }

    fn login(&self, user: Rc<str>) {
        self.set_user(user, true);
    }

    fn describe(&self) -> String {
        super::describe::line(self)
    }

    fn subscriptions(&self, visit: &mut dyn FnMut(&[u8], bool)) {
        self.channels.borrow().iter().for_each(|channel| visit(channel, false));
        self.patterns.borrow().iter().for_each(|pattern| visit(pattern, true));
    }
}
