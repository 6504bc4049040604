//! The API server as the core sees it: watches that are kept open, and calls that are made as asked and never again.

mod calls;
mod endpoints;
mod memory;
mod notices;
mod pace;
mod replicas;
mod translate;
mod watches;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::clock::Clock;
use super::ports::{Api, Journal};
use crate::core::action::Level;
use crate::core::cluster::{Answer, Answered, Call};
use crate::core::ids::CallNo;
use crate::core::settings::Fleet;
use crate::core::{Input, Time};
use crate::kube::{Access, Error, Events, Leases, Services, Slices};
use crate::metrics::ClusterMetrics;
use memory::Memory;
use notices::Notices;
use pace::Pace;
use replicas::Route;

/// How often the credentials are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// The shortest time between two looks, however often the API server refuses.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What a [`Cluster`] is made of.
pub struct Setup {
    /// The way to the API server.
    pub access: Access,
    /// The namespace of the fleet and of all that it watches.
    pub namespace: String,
    /// The fleet: its name, the daemon's own Pod, and its Services.
    pub fleet: Fleet,
    /// The log.
    pub journal: Rc<dyn Journal>,
    /// The figures.
    pub metrics: ClusterMetrics,
}

/// See the module. Lives on the driver's thread; nothing here waits for the API server before it returns.
pub struct Cluster {
    setup: Setup,
    leases: Leases,
    services: Services,
    slices: Slices,
    events: Events,
    deliver: OnceCell<Rc<dyn Fn(Input)>>,
    memory: RefCell<Memory>,
    notices: RefCell<Notices>,
    pace: Pace,
    /// When the watch of the Leases last showed anything.
    heard: Cell<Option<Time>>,
    began: Time,
    /// The credentials were refused.
    refused: Notify,
    /// Places for Services that were turned and are looked after until they are followed.
    looked_after: Semaphore,
    /// Services for replicas, what they lead to, and that this may have changed.
    routes: Vec<Route>,
    replicas: RefCell<replicas::Sight>,
    replicas_changed: Notify,
    me: Weak<Self>,
}

impl Api for Cluster {
    fn call(&self, call: CallNo, request: Call, limit: Duration) {
        let Some(cluster) = self.me.upgrade() else { return };
        tokio::task::spawn_local(async move {
            let deadline = Instant::now() + limit;
            let made = tokio::time::timeout_at(deadline, calls::make(&cluster, request, deadline));
            let late = |_| Answer::Unknown(format!("no answer within {} ms", limit.as_millis()));
            let answer = made.await.unwrap_or_else(late);
            cluster.tell(Input::Answered(Answered { call, answer }));
        });
    }

    fn scraped(&self) {
        self.metrics().age(self.age());
    }
}

impl Cluster {
    /// One that has not begun. To be called within a tokio runtime.
    #[must_use]
    pub fn new(setup: Setup) -> Rc<Self> {
        let namespace = setup.namespace.as_str();
        let leases = Leases::new(setup.access.clone(), namespace);
        let services = Services::new(setup.access.clone(), namespace);
        let slices = Slices::new(setup.access.clone(), namespace);
        let events = Events::new(setup.access.clone(), namespace);
        Rc::new_cyclic(|me| Self {
            leases,
            services,
            slices,
            events,
            deliver: OnceCell::new(),
            memory: RefCell::new(Memory::new(&setup.fleet.member)),
            notices: RefCell::default(),
            pace: Pace::new(Instant::now()),
            heard: Cell::new(None),
            began: Clock.now(),
            refused: Notify::new(),
            looked_after: Semaphore::new(endpoints::AT_ONCE),
            routes: Route::all(&setup.fleet),
            replicas: RefCell::default(),
            replicas_changed: Notify::new(),
            me: me.clone(),
            setup,
        })
    }

    /// Opens the watches; `deliver` takes what they show and what comes of calls. Once, on a [`tokio::task::LocalSet`].
    pub fn begin(self: &Rc<Self>, deliver: Rc<dyn Fn(Input)>) {
        if self.deliver.set(deliver).is_err() {
            return;
        }
        let leases = format!("{}={}", memory::FLEET, self.setup.fleet.name);
        tokio::task::spawn_local(watches::follow::<Lease>(self.clone(), leases));
        tokio::task::spawn_local(watches::follow::<Pod>(self.clone(), String::new()));
        tokio::task::spawn_local(watches::follow::<Service>(self.clone(), String::new()));
        tokio::task::spawn_local(watches::follow::<Node>(self.clone(), String::new()));
        if !self.routes.is_empty() {
            tokio::task::spawn_local(replicas::keep(self.clone()));
        }
        tokio::task::spawn_local(self.clone().look_after_credentials());
    }

    /// The figures.
    const fn metrics(&self) -> &ClusterMetrics {
        &self.setup.metrics
    }

    /// How old what is known of the fleet is: since the watch of its Leases last showed anything, or since the start.
    fn age(&self) -> Duration {
        Clock.now().since(self.heard.get().unwrap_or(self.began))
    }

    fn tell(&self, input: Input) {
        if let Some(deliver) = self.deliver.get() {
            deliver(input);
        }
    }

    /// Takes note that a Service was turned.
    fn turned(&self, service: Service) {
        if let Some(cluster) = self.me.upgrade() {
            tokio::task::spawn_local(endpoints::look_after(cluster, service));
        }
    }

    /// Takes note of a call that failed; where the credentials were refused they are looked at.
    fn failed(&self, error: &Error) {
        self.metrics().failed(error);
        if error.code == Some(401) {
            self.refused.notify_one();
        }
    }

    fn log(&self, level: Level, text: &str) {
        self.setup.journal.line(level, None, text);
    }

    async fn look_after_credentials(self: Rc<Self>) {
        let mut complained = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.refused.notified() => {}
            }
            match self.setup.access.refresh().await {
                Ok(changed) => {
                    complained = None;
                    if changed {
                        self.log(Level::Notice, "the credentials of the Kubernetes API were replaced");
                    }
                }
                Err(error) => {
                    let text = format!("failed to read the credentials of the Kubernetes API again: {error}");
                    if complained.as_ref() != Some(&text) {
                        self.log(Level::Warning, &text);
                        complained = Some(text);
                    }
                }
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}
