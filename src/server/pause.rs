//! CLIENT PAUSE.

use std::rc::Rc;

use tokio::time::Instant;

use super::client::Mode;
use super::inner::Inner;
use super::table::CommandSpec;

/// What is held back, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) until: Instant,
    pub(super) all: bool,
}

impl Pause {
    /// Whether a command has to wait.
    pub(super) fn holds(&self, spec: &CommandSpec, now: Instant) -> bool {
        // PUBLISH is the one command here that counts as a write.
        now < self.until && (self.all || spec.full_name == "publish")
    }
}

/// Begins a pause, or makes the present one longer and stricter.
pub(super) fn begin(server: &Rc<Inner>, wanted: Pause) {
    let pause = match *server.pause.borrow() {
        Some(present) if present.until > Instant::now() => {
            Pause { until: present.until.max(wanted.until), all: present.all || wanted.all }
        }
        Some(_) | None => wanted,
    };
    *server.pause.borrow_mut() = Some(pause);
    let server = Rc::clone(server);
    tokio::task::spawn_local(async move {
        tokio::time::sleep_until(pause.until).await;
        // A later wish may have moved the end, and then has a task of its own.
        if *server.pause.borrow() == Some(pause) {
            end(&server);
        }
    });
}

/// Lets everybody go on.
pub(super) fn end(server: &Inner) {
    *server.pause.borrow_mut() = None;
    for client in server.clients.borrow().values() {
        if client.mode.get() == Mode::Paused {
            client.mode.set(Mode::Ready);
            client.wake();
        }
    }
}
