//! A client that writes to whatever it is led to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::k8s::container::PORT;
use crate::support::{Client, Host, Value, eventually};
use crate::world::World;

/// Counts up a key of its own, wherever it is led, until dropped.
pub(crate) struct Writer {
    acknowledged: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    key: &'static str,
}

impl Writer {
    /// Starts on that host; `resolve` leads it.
    pub(crate) fn start(
        place: Host,
        key: &'static str,
        mut resolve: impl FnMut() -> Option<String> + Send + 'static,
    ) -> Self {
        let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, ended) = (Arc::clone(&acknowledged), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            place.enter();
            while !ended.load(Ordering::SeqCst) {
                let client = resolve().and_then(|address| Client::connect(&address, PORT).ok());
                if let Some(mut client) = client {
                    while !ended.load(Ordering::SeqCst) {
                        match client.command(&["INCR", key]) {
                            Ok(Value::Int(_)) => count.fetch_add(1, Ordering::SeqCst),
                            Ok(_) | Err(_) => break,
                        };
                        thread::sleep(Duration::from_millis(5));
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self { acknowledged, stop, thread: Some(thread), key }
    }

    /// Ends, and tells how many of the writes that were acknowledged are not there; a write that is there without an answer
    /// makes up for one that is lost, so at least so many.
    pub(crate) fn lost(mut self, world: &World, primary: &str) -> i64 {
        self.end();
        let counted: i64 =
            world.kubelet.connect(primary).unwrap().call(&["GET", self.key]).text().parse().unwrap();
        i64::try_from(self.acknowledged.load(Ordering::SeqCst)).unwrap() - counted
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Waits until twenty more writes were acknowledged.
    #[track_caller]
    pub(crate) fn goes_on(&self) {
        let before = self.acknowledged.load(Ordering::SeqCst);
        eventually("writes are acknowledged", || self.acknowledged.load(Ordering::SeqCst) > before + 20);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}
