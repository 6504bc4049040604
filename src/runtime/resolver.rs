//! Host names to addresses, off the loop's thread, few at a time.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::core::Input;
use crate::core::ids::ResolveId;

/// Look-ups that run at a time. One that hangs in the system's resolver keeps its place until it comes back, so that
/// a dead name server can't fill the pool of threads.
const AT_A_TIME: usize = 8;
/// Questions that may wait; beyond, the answer is "nothing" at once.
const WAITING: usize = 4096;
/// Time to an answer, waiting included.
const LIMIT: Duration = Duration::from_secs(3);

/// The resolver.
#[derive(Clone)]
pub(super) struct Resolver {
    places: Arc<Semaphore>,
    open: Rc<Cell<usize>>,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_A_TIME)), open: Rc::new(Cell::new(0)) }
    }

    /// Look `host` up and hand the answer to `deliver`, never before this call has returned.
    pub(super) fn ask(&self, id: ResolveId, host: String, deliver: impl FnOnce(Input) + 'static) {
        let crowded = self.open.get() >= WAITING;
        let (places, open) = (self.places.clone(), self.open.clone());
        open.set(open.get() + 1);
        tokio::task::spawn_local(async move {
            let ip = if crowded {
                None
            } else {
                tokio::time::timeout(LIMIT, look_up(places, host)).await.unwrap_or(None)
            };
            open.set(open.get().saturating_sub(1));
            deliver(Input::Resolved { id, ip });
        });
    }
}

async fn look_up(places: Arc<Semaphore>, host: String) -> Option<IpAddr> {
    let place = places.acquire_owned().await.ok()?;
    // A task of its own: it keeps its place even when nobody waits for the answer any more.
    let lookup = tokio::task::spawn_local(async move {
        let first = tokio::net::lookup_host((host, 0)).await.ok().and_then(|mut found| found.next());
        drop(place);
        first
    });
    lookup.await.ok().flatten().map(|addr| addr.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    async fn resolve(host: &str) -> Input {
        let resolver = Resolver::new();
        let (tx, rx) = oneshot::channel();
        resolver.ask(ResolveId(7), host.to_owned(), move |input| tx.send(input).unwrap());
        let answer = rx.await.unwrap();
        assert_eq!(resolver.open.get(), 0);
        answer
    }

    #[tokio::test]
    async fn names_and_literals_resolve_and_nonsense_does_not() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let Input::Resolved { ip: Some(ip), .. } = resolve("localhost").await else {
                    panic!("no localhost")
                };
                assert!(ip.is_loopback());
                assert_eq!(
                    resolve("127.0.0.9").await,
                    Input::Resolved { id: ResolveId(7), ip: Some("127.0.0.9".parse().unwrap()) }
                );
                assert_eq!(
                    resolve("::1").await,
                    Input::Resolved { id: ResolveId(7), ip: Some("::1".parse().unwrap()) }
                );
                assert_eq!(resolve("no such host").await, Input::Resolved { id: ResolveId(7), ip: None });
            })
            .await;
    }

    #[tokio::test]
    async fn a_flood_of_questions_is_cut_and_every_one_answered() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let resolver = Resolver::new();
                let held = resolver.places.clone().acquire_many_owned(AT_A_TIME as u32).await.unwrap();
                let answers = Rc::new(Cell::new(0));
                for n in 0..WAITING as u64 + 5 {
                    let answers = answers.clone();
                    resolver
                        .ask(ResolveId(n), "127.0.0.1".to_owned(), move |_| answers.set(answers.get() + 1));
                }
                while answers.get() < 5 {
                    tokio::task::yield_now().await;
                }
                assert_eq!(answers.get(), 5, "those beyond the limit are answered at once");
                drop(held);
                while answers.get() < WAITING + 5 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
    }
}
