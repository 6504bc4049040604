//! A watch that says when it is blind.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use ::kube::api::{WatchEvent, WatchParams};
use futures_core::Stream;
use tokio::time::{Sleep, sleep, timeout};

use super::lean::Lean;
use super::objects::{Kind, Objects, within};
use super::{Call, Error, Failure, Verb};

/// How long the list at the beginning and the answer to the watch itself may take.
const BEGIN_LIMIT: Duration = Duration::from_secs(10);
/// After that long the API server ends a watch, in seconds; it goes on with a new one.
const WATCH_SECONDS: u32 = 240;
/// An end of a watch that the API server itself should have made long ago.
const SILENCE_LIMIT: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 15);
/// The first wait after a failure; each next one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait after a failure, unless the API server asks for a longer one.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

type Events<K> = Pin<Box<dyn Stream<Item = Result<WatchEvent<K>, ::kube::Error>> + Send>>;

/// One thing that a watch has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<K> {
    /// All that there is; what was known before and is not among them is gone. At the beginning, and whenever changes
    /// were missed.
    All(Vec<K>),
    /// It is new, or has changed.
    Changed(K),
    /// It was deleted; this is how it was last.
    Removed(K),
    /// The watch is open, so what was told is how it is, as far as the API server tells in time. After [`Seen::All`], and
    /// after [`Seen::Lost`].
    Open,
    /// The watch is broken. It is tried again for ever, less and less often; what happens meanwhile is told later.
    Lost(Error),
}

enum State<K> {
    Listing,
    Opening,
    Open(Events<K>),
}

/// All objects that a selector matches, and their changes, for ever.
pub struct Watch<K> {
    objects: Objects<K>,
    selector: String,
    state: State<K>,
    version: String,
    /// Whether the one who listens thinks that the watch is open.
    told_open: bool,
    failures: u32,
    wait: Option<Pin<Box<Sleep>>>,
}

impl<K> fmt::Debug for Watch<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("selector", &self.selector)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl<K: Kind + Lean> Watch<K> {
    pub(super) fn new(objects: Objects<K>, selector: &str) -> Self {
        Self {
            objects,
            selector: selector.to_owned(),
            state: State::Listing,
            version: String::new(),
            told_open: false,
            failures: 0,
            wait: None,
        }
    }

    /// The next thing. Given up half-way, nothing is lost; but a list or an opening then begins anew, so this is for a task
    /// of its own.
    pub async fn next(&mut self) -> Seen<K> {
        loop {
            if let Some(wait) = &mut self.wait {
                wait.await;
                self.wait = None;
            }
            let step = match &mut self.state {
                State::Listing => self.list().await,
                State::Opening => self.open().await,
                State::Open(_) => self.read().await,
            };
            match step {
                Ok(Some(seen)) => return seen,
                Ok(None) => {}
                Err(error) => {
                    self.fail(&error);
                    return Seen::Lost(error);
                }
            }
        }
    }

    async fn list(&mut self) -> Result<Option<Seen<K>>, Error> {
        let listed = self.objects.list(&self.selector, BEGIN_LIMIT).await?;
        self.version = listed.version;
        self.state = State::Opening;
        Ok(Some(Seen::All(listed.items)))
    }

    async fn open(&mut self) -> Result<Option<Seen<K>>, Error> {
        let params = WatchParams::default().labels(&self.selector).timeout(WATCH_SECONDS);
        let api = self.objects.for_watching();
        let events = within(BEGIN_LIMIT, self.call(), api.watch(&params, &self.version)).await?;
        self.state = State::Open(Box::pin(events));
        // One that is merely gone on with was never blind.
        Ok((!std::mem::replace(&mut self.told_open, true)).then_some(Seen::Open))
    }

    async fn read(&mut self) -> Result<Option<Seen<K>>, Error> {
        let State::Open(events) = &mut self.state else { return Ok(None) };
        let next = std::future::poll_fn(|context| events.as_mut().poll_next(context));
        let event = match timeout(SILENCE_LIMIT, next).await {
            Ok(Some(Ok(event))) => event,
            Ok(Some(Err(error))) => return Err(Error::from_client(self.call(), error)),
            Ok(None) => {
                // Ended in order, or the connection was closed: which of them shows when it is opened again. The wait is
                // for an API server that ends each watch at once.
                self.state = State::Opening;
                self.wait = Some(Box::pin(sleep(FIRST_WAIT)));
                return Ok(None);
            }
            Err(_) => return Err(Error::late(self.call(), SILENCE_LIMIT)),
        };
        self.failures = 0;
        let (object, removed) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
            WatchEvent::Deleted(object) => (object, true),
            WatchEvent::Bookmark(bookmark) => {
                self.version = bookmark.metadata.resource_version;
                return Ok(None);
            }
            WatchEvent::Error(status) => return Err(Error::status(self.call(), &status)),
        };
        if let Some(version) = &object.meta().resource_version {
            self.version.clone_from(version);
        }
        let object = object.lean();
        Ok(Some(if removed { Seen::Removed(object) } else { Seen::Changed(object) }))
    }

    fn fail(&mut self, error: &Error) {
        self.told_open = false;
        let wait = (FIRST_WAIT * 2_u32.saturating_pow(self.failures.min(16))).min(LONGEST_WAIT);
        self.wait = Some(Box::pin(sleep(error.retry_after.map_or(wait, |asked| asked.max(wait)))));
        self.failures = self.failures.saturating_add(1);
        self.state = match (error.failure, &self.state) {
            (Failure::Gone, _) | (_, State::Listing) => State::Listing,
            (_, State::Opening | State::Open(_)) => State::Opening,
        };
    }

    fn call(&self) -> Call {
        self.objects.call(Verb::Watch, "")
    }
}
