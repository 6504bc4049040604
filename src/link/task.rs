//! The life of one connection.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio_util::codec::Decoder;

use super::io::{Stream, words};
use super::{LinkConfig, Links, Outbox};
use crate::core::Input;
use crate::core::ids::ConnId;
use crate::resp::ReplyDecoder;

/// Reads in one go before other tasks get their turn.
const READS_PER_TURN: usize = 4;

/// Most bytes of an unfinished reply. The longest reply that is asked for is INFO's.
const RECEIVE_LIMIT: usize = 8 << 20;

/// Connect, carry bytes, and tell the end.
pub(super) async fn run(
    links: Links,
    conn: ConnId,
    addr: SocketAddr,
    config: LinkConfig,
    outbox: Rc<RefCell<Outbox>>,
) {
    // Boxed: what connecting needs, TLS most of all, is freed when the connection stands.
    let dialled = Box::pin(super::dial::dial(addr, config)).await;
    let (error, refused) = match dialled {
        Ok((stream, local)) => {
            links.connected(conn, local);
            let mut pipe = Pipe {
                links: &links,
                conn,
                stream,
                outbox,
                decoder: ReplyDecoder::default(),
                incoming: BytesMut::new(),
            };
            (poll_fn(|cx| pipe.poll(cx)).await, false)
        }
        Err(error) => (words(&error), error.kind() == ErrorKind::ConnectionRefused),
    };
    links.ended(conn, error, refused);
}

struct Pipe<'a> {
    links: &'a Links,
    conn: ConnId,
    stream: Stream,
    outbox: Rc<RefCell<Outbox>>,
    decoder: ReplyDecoder,
    /// The part of a reply whose end is still to come; empty, and without memory, between replies.
    incoming: BytesMut,
}

impl Pipe<'_> {
    /// Ready with the reason when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<String> {
        if let Some(end) = self.poll_send(cx) {
            return Poll::Ready(end);
        }
        for _ in 0..READS_PER_TURN {
            match self.poll_receive(cx) {
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                Poll::Ready(None) => {}
                Poll::Pending => {
                    // What the replies led to goes out at once.
                    return self.poll_send(cx).map_or(Poll::Pending, Poll::Ready);
                }
            }
        }
        cx.waker().wake_by_ref();
        self.poll_send(cx).map_or(Poll::Pending, Poll::Ready)
    }

    /// Send what waits; the reason if that ends the connection.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Option<String> {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.closed {
            return None;
        }
        if outbox.overflow {
            return Some("too many unsent requests".to_owned());
        }
        if outbox.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            outbox.waker = Some(cx.waker().clone());
        }
        if outbox.bytes.is_empty() {
            return None;
        }
        match self.stream.poll_write_all(cx, &mut outbox.bytes) {
            Poll::Ready(Ok(())) => {
                outbox.bytes = BytesMut::new();
                None
            }
            Poll::Ready(Err(error)) => Some(words(&error)),
            Poll::Pending => None,
        }
    }

    /// Read once and deliver what is complete; `Ready(Some(reason))` at the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        let shared = &self.links.shared;
        let read = {
            let mut scratch = shared.scratch.borrow_mut();
            let read = std::task::ready!(self.stream.poll_read(cx, &mut scratch));
            if let Ok(count) = read {
                self.incoming.extend_from_slice(&scratch[..count]);
            }
            read
        };
        match read {
            Ok(0) => return Poll::Ready(Some("Server closed the connection".to_owned())),
            Ok(_) => {}
            Err(error) => return Poll::Ready(Some(words(&error))),
        }
        loop {
            match self.decoder.decode(&mut self.incoming) {
                Ok(Some(reply)) => {
                    (shared.deliver)(Input::Frame { conn: self.conn, reply });
                    if self.outbox.borrow().closed {
                        // Aborted: the task is dropped as soon as it waits.
                        return Poll::Pending;
                    }
                }
                Ok(None) if self.incoming.len() > RECEIVE_LIMIT => {
                    return Poll::Ready(Some("a reply is too long".to_owned()));
                }
                Ok(None) => {
                    if self.incoming.is_empty() {
                        self.incoming = BytesMut::new();
                    }
                    return Poll::Ready(None);
                }
                Err(error) => return Poll::Ready(Some(error.to_string())),
            }
        }
    }
}
