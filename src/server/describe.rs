//! The line of CLIENT LIST.

use std::fmt::Write as _;

use tokio::time::Instant;

use super::client::{Client, Ending, Mode};
use super::peer::Peer;
use super::session::Session as _;

/// A client's line, without the line's end. Fields that mean nothing to a daemon without keys are as at a client that
/// never used them.
pub(super) fn line(client: &Client) -> String {
    let now = Instant::now();
    let mut text = String::with_capacity(400);
    let labels = client.labels.borrow();
    let label = |pick: fn(&super::client::Labels) -> &bytes::Bytes| {
        labels.as_ref().map(|labels| String::from_utf8_lossy(pick(labels)).into_owned()).unwrap_or_default()
    };
    let queued = client.queued.get();
    let room = client.queued_room.get();
    let output = client.buffered();
    let output_room = client.output_room();
    let redirect = match client.tracking.borrow().as_ref() {
        None => -1,
        Some(tracking) => tracking.redirect.map_or(0, |id| i64::try_from(id.0).unwrap_or(i64::MAX)),
    };
    // Writing to a String can't fail.
    let _ = write!(
        text,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db=0 sub={} psub={} ssub=0 multi=-1 watch=0 \
         qbuf={queued} qbuf-free={} argv-mem=0 multi-mem=0 rbs={output_room} rbp={output_room} obl={output} oll=0 \
         omem=0 tot-mem={} events={} cmd={} user={} redir={redirect} resp={} lib-name={} lib-ver={}",
        client.id,
        client.peer.remote(),
        client.peer.local(),
        client.fd,
        label(|labels| &labels.name),
        now.duration_since(client.connected_at).as_secs(),
        now.duration_since(client.active_at.get()).as_secs(),
        flags(client),
        client.channels.borrow().len(),
        client.patterns.borrow().len(),
        room.saturating_sub(queued),
        size_of::<Client>() + room + output_room,
        if output > 0 { "rw" } else { "r" },
        client.last_command.get(),
        client.user(),
        client.protocol.get().number(),
        label(|labels| &labels.lib_name),
        label(|labels| &labels.lib_version),
    );
    text
}

/// The client's state in letters.
fn flags(client: &Client) -> String {
    let mut flags = String::new();
    if client.subscription_count() > 0 {
        flags.push('P');
    }
    match client.mode.get() {
        Mode::Ready => {}
        Mode::Waiting | Mode::Paused => flags.push('b'),
    }
    if let Some(tracking) = client.tracking.borrow().as_ref() {
        flags.push('t');
        if tracking.broadcast {
            flags.push('B');
        }
    }
    match client.ending.get() {
        None => {}
        Some(Ending::Flushed) => flags.push('c'),
        Some(Ending::Now) => flags.push('A'),
    }
    match client.peer {
        Peer::Unix(_) => flags.push('U'),
        Peer::Tcp { .. } => {}
    }
    if client.no_evict.get() {
        flags.push('e');
    }
    if flags.is_empty() {
        flags.push('N');
    }
    flags
}
