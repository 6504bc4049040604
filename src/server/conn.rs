//! The task of one connection: reads, has requests executed in order, writes.
//!
//! There is one write for all replies of a batch. While a request waits for its answer, or while the client lets its
//! replies lie, nothing more is read from it. An idle connection holds no buffer: bytes are read to a buffer of the
//! server's, and only what has to wait is copied to one of the connection's own.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::Instant;

use super::client::{Client, Ending, Mode};
use super::counters::{add, bump, shift};
use super::dispatch::{self, Next};
use super::inner::Inner;
use super::session::Session as _;
use crate::core::action::Level;
use crate::resp::request::{RequestDecoder, RequestLimits};

/// Bytes asked of the system at a time.
const READ_CHUNK: usize = 16 * 1024;
/// Bytes of requests that all clients together may let wait, apart from the limit of each.
const INPUT_BUDGET: usize = 64 * 1024 * 1024;
/// Own buffer that a connection may have while the budget is exhausted.
const SMALL_INPUT: usize = 64 * 1024;
/// How long a connection with endless work may keep at it before it is the others' turn.
const TURN: Duration = Duration::from_millis(1);
/// How long all connections with endless work together may take until each of the others had its turn.
const ROUND: Duration = Duration::from_millis(20);

/// So many requests may be executed, and so many bytes of replies made, without a look at the clock.
const LOOK_AFTER: usize = 8;
const LOOK_AFTER_BYTES: usize = 4096;

/// A connection's turn.
struct Turn {
    /// What the clock showed when it was last looked at.
    now: Instant,
    ends: Instant,
    over: bool,
}

impl Turn {
    /// Looks at the clock; whether the turn is over.
    fn look(&mut self) -> bool {
        self.now = Instant::now();
        self.over = self.now >= self.ends;
        self.over
    }
}

/// One connection.
struct Conn<S> {
    stream: S,
    server: Rc<Inner>,
    client: Rc<Client>,
    decoder: RequestDecoder,
    /// Bytes that had to wait.
    input: BytesMut,
    /// A request that CLIENT PAUSE holds back.
    held: Option<Vec<Bytes>>,
    /// Its last turn ended with work left, and it is counted as such.
    busy: bool,
}

/// Serves a connection until it ends.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    server: Rc<Inner>,
    client: Rc<Client>,
) {
    let mut conn = Conn {
        stream,
        server,
        client,
        decoder: RequestDecoder::default(),
        input: BytesMut::new(),
        held: None,
        busy: false,
    };
    poll_fn(|cx| {
        conn.client.enter(cx.waker());
        let done = conn.poll(cx);
        conn.client.leave();
        done
    })
    .await;
    // TLS says goodbye; whether it arrives is the client's business.
    poll_fn(|cx| {
        let _ = Pin::new(&mut conn.stream).poll_shutdown(cx);
        Poll::Ready(())
    })
    .await;
}

impl<S> Drop for Conn<S> {
    fn drop(&mut self) {
        self.end_busy();
        self.server.dismiss(&self.client);
    }
}

impl<S> Conn<S> {
    fn end_busy(&mut self) {
        if std::mem::take(&mut self.busy) {
            self.server.busy.set(self.server.busy.get().saturating_sub(1));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conn<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut turn = self.begin_turn();
        loop {
            let exhausted = self.execute(&mut turn);
            if self.client.ending.get() == Some(Ending::Now) {
                return Poll::Ready(());
            }
            match self.flush(cx) {
                Poll::Ready(Ok(())) if self.client.ending.get().is_some() => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {
                    if self.client.ending.get().is_some() || !self.may_execute() {
                        return Poll::Pending;
                    }
                }
            }
            if !self.may_execute() {
                return Poll::Pending;
            }
            if turn.over {
                self.busy = true;
                self.server.busy.set(self.server.busy.get() + 1);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !exhausted {
                // A full outgoing buffer interrupted the batch, and there is room again.
                continue;
            }
            match ready!(self.fill(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(read) => {
                    bump(&self.server.counters.reads);
                    add(&self.server.counters.input, read);
                    self.client.active_at.set(turn.now);
                }
            }
        }
    }

    /// Begins a turn, which ends the earlier the more connections have endless work.
    fn begin_turn(&mut self) -> Turn {
        self.end_busy();
        let others = u32::try_from(self.server.busy.get()).unwrap_or(u32::MAX);
        let now = Instant::now();
        Turn { now, ends: now + TURN.min(ROUND / others.saturating_add(1)), over: false }
    }

    /// Whether the next request's turn has come and its reply would find room.
    fn may_execute(&self) -> bool {
        self.client.mode.get() == Mode::Ready
            && self.client.ending.get().is_none()
            && self.client.buffered() < self.server.high_water()
    }

    /// Executes what has been read, as far as it may; returns whether that was all.
    fn execute(&mut self, turn: &mut Turn) -> bool {
        let server = Rc::clone(&self.server);
        let mut exhausted = false;
        let (mut unseen, mut answered) = (0, self.client.buffered());
        while self.may_execute() {
            let args = match self.held.take() {
                Some(args) => args,
                None => match self.decode(&server) {
                    Ok(Some(args)) => args,
                    Ok(None) => {
                        exhausted = true;
                        break;
                    }
                    Err(text) => {
                        server.log(
                            Level::Verbose,
                            &format!("Protocol error ({}) from client: {}", text, self.client.describe()),
                        );
                        break;
                    }
                },
            };
            match dispatch::execute(&server, &self.client, args) {
                Next::Done => self.client.command_done(),
                Next::Wait => {}
                // Copied, so that they don't keep the whole buffer that they were read to.
                Next::Hold(args) => {
                    self.held = Some(args.iter().map(|word| Bytes::copy_from_slice(word)).collect());
                }
            }
            unseen += 1;
            let buffered = self.client.buffered();
            if unseen >= LOOK_AFTER || buffered > answered + LOOK_AFTER_BYTES {
                (unseen, answered) = (0, buffered);
                if turn.look() {
                    break;
                }
            }
        }
        if unseen > 0 {
            turn.look();
        }
        self.keep_rest(&server);
        exhausted
    }

    /// The next complete request.
    fn decode(&mut self, server: &Inner) -> Result<Option<Vec<Bytes>>, String> {
        let limits = RequestLimits {
            max_bulk: usize::try_from(server.config.general.proto_max_bulk_len).unwrap_or(usize::MAX),
            before_auth: dispatch::must_authenticate(server, &self.client),
        };
        let decoded = if self.input.is_empty() {
            self.decoder.decode(&mut server.scratch.borrow_mut(), &limits)
        } else {
            self.decoder.decode(&mut self.input, &limits)
        };
        decoded.map_err(|error| {
            server.answer_error(&self.client, &error.line());
            self.client.end(Ending::Flushed);
            error.to_string()
        })
    }

    /// Moves what has to wait out of the shared buffer, and gives the own one back when nothing waits.
    fn keep_rest(&mut self, server: &Inner) {
        let mut scratch = server.scratch.borrow_mut();
        if !scratch.is_empty() {
            if self.client.ending.get().is_none() {
                self.input.extend_from_slice(&scratch);
            }
            scratch.clear();
        }
        if self.input.is_empty() && self.input.capacity() > 0 {
            self.input = BytesMut::new();
        }
        let room = self.input.capacity() + self.decoder.memory();
        server.queued(&self.client, self.input.len(), room);
    }

    /// Sends what waits.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let counters = &self.server.counters;
        loop {
            let mut out = self.client.out().borrow_mut();
            if out.is_empty() {
                break;
            }
            let written = match Pin::new(&mut self.stream).poll_write(cx, &out) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            bump(&counters.writes);
            add(&counters.output, written);
            shift(&counters.output_buffered, written, 0);
            if written == out.len() {
                // As `advance`, but all of the room can be used again.
                out.clear();
            } else {
                out.advance(written);
            }
        }
        if self.client.over_soft_since.get().is_some() {
            self.client.over_soft_since.set(None);
        }
        self.client.trim();
        // TLS may hold the last record back.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Reads once.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let server = Rc::clone(&self.server);
        if self.input.is_empty() {
            let mut scratch = server.scratch.borrow_mut();
            scratch.reserve(READ_CHUNK);
            return pin!(self.stream.read_buf(&mut *scratch)).poll(cx);
        }
        let len = self.input.len();
        let limit = usize::try_from(server.config.general.query_buffer_limit).unwrap_or(usize::MAX);
        let all = server.counters.input_buffered.get();
        if (limit > 0 && len > limit) || (all > INPUT_BUDGET && len > SMALL_INPUT) {
            bump(&server.counters.query_limit);
            server.log(
                Level::Warning,
                &format!("Closing client that reached max query buffer length: {}", self.client.describe()),
            );
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        self.input.reserve(READ_CHUNK);
        pin!(self.stream.read_buf(&mut self.input)).poll(cx)
    }
}
