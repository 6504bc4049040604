//! How fast connections are begun. Each costs the loop some ten microseconds, so that a thousand groups that are
//! connected to in one go would keep everybody else waiting.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;

use super::Links;
use crate::core::Input;
use crate::core::ids::ConnId;

/// Connections that are begun before everybody else has had a turn.
const AT_ONCE: usize = 16;

/// Connections that wait to be begun. There are no more than the core has links.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waiting: RefCell<VecDeque<(ConnId, SocketAddr)>>,
    /// How many were begun in this turn.
    begun: Cell<usize>,
}

impl Links {
    /// Begin a connection at once if few were begun in this turn, else in one of the next turns.
    pub(super) fn pace(&self, conn: ConnId, addr: SocketAddr) {
        let pace = &self.shared.pace;
        if pace.begun.get() == 0 {
            tokio::task::spawn_local(self.clone().turns());
        }
        if pace.begun.get() < AT_ONCE && pace.waiting.borrow().is_empty() {
            pace.begun.set(pace.begun.get() + 1);
            self.begin(conn, addr);
        } else {
            pace.waiting.borrow_mut().push_back((conn, addr));
            (self.shared.deliver)(Input::Waiting { conn });
        }
    }

    /// Begins what waits, turn by turn. It runs behind all tasks that were ready before it.
    async fn turns(self) {
        let pace = &self.shared.pace;
        loop {
            tokio::task::yield_now().await;
            pace.begun.set(0);
            while pace.begun.get() < AT_ONCE {
                // The borrow must end before the connection begins.
                let next = pace.waiting.borrow_mut().pop_front();
                let Some((conn, addr)) = next else { break };
                pace.begun.set(pace.begun.get() + 1);
                if self.begin(conn, addr) {
                    (self.shared.deliver)(Input::Begun { conn });
                }
            }
            if pace.begun.get() == 0 {
                return;
            }
        }
    }
}
