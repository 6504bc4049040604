//! What a Sentinel publishes.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use super::{Client, Sentinel, Value};

/// One published message.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// When it came.
    pub(crate) at: Instant,
    /// The channel: `+switch-master`.
    pub(crate) channel: String,
    /// Its text.
    pub(crate) text: String,
}

/// Everything that one Sentinel has published since a moment. It ends with the connection.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    seen: Arc<Mutex<Vec<Event>>>,
}

impl Events {
    /// Subscribes; what is published once this returns is seen.
    #[track_caller]
    pub(crate) fn listen(sentinel: &Sentinel) -> Self {
        let mut client = sentinel.connect().unwrap();
        let reply = client.call(&["PSUBSCRIBE", "*"]);
        assert_eq!(reply.items()[0].text(), "psubscribe", "{reply:?}");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let store = Arc::clone(&seen);
        // It lives as long as the connection, which ends with the Sentinel's process.
        thread::spawn(move || follow(&mut client, &store));
        Self { seen }
    }

    /// How many there are so far: a mark for [`Events::since`].
    pub(crate) fn mark(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Those on `channel` from the mark on.
    pub(crate) fn since(&self, mark: usize, channel: &str) -> Vec<Event> {
        self.seen.lock().unwrap()[mark..].iter().filter(|event| event.channel == channel).cloned().collect()
    }

    /// All from the mark on as lines, for a failed test.
    pub(crate) fn text(&self, mark: usize) -> String {
        let seen = self.seen.lock().unwrap();
        let start = seen.get(mark).map(|event| event.at);
        seen[mark..]
            .iter()
            .map(|event| {
                let after = event.at.duration_since(start.unwrap()).as_millis();
                format!("{after:>7} ms {} {}\n", event.channel, event.text)
            })
            .collect()
    }
}

fn follow(client: &mut Client, store: &Mutex<Vec<Event>>) {
    loop {
        match client.read() {
            Ok(Value::Array(items) | Value::Push(items)) => {
                let [kind, _, channel, text] = items.as_slice() else { continue };
                assert_eq!(kind.text(), "pmessage");
                let (channel, text) = (channel.text(), text.text());
                store.lock().unwrap().push(Event { at: Instant::now(), channel, text });
            }
            // Nothing was published for a while.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            _ => return,
        }
    }
}
