//! From a configuration to an exit code.

use std::cell::Cell;
use std::net::{IpAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::LocalSet;

use super::clock::Clock;
use super::cluster::{Cluster, Setup};
use super::driver::{Driver, Parts};
use super::file_saver::{FileSaver, NoFile};
use super::journal::ProcessJournal;
use super::ports::Saver;
use super::random;
use super::secrets::Secrets;
use crate::admin;
use crate::config::store::Store;
use crate::config::{Config, General};
use crate::core::action::Level;
use crate::core::{Engine, Node};
use crate::kube::{Access, SetupError, Source};
use crate::link::LinkConfig;
use crate::link::tls::{self, TlsFiles, client_config};
use crate::metrics::Metrics;
use crate::server::{Server, ServerConfig};
use crate::telemetry::Telemetry;

/// Threads for what blocks: writing the file, resolving names.
const BLOCKING_THREADS: usize = 16;
/// How long the end waits for a write of the file that runs.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// How long the end waits for a fleet's member to hand over what it has under way.
const HAND_OVER: Duration = Duration::from_secs(2);

/// What surrounds the daemon's life: pid file, process title, supervisor.
pub trait Host {
    /// The sockets are open; nothing is served or written yet.
    fn bound(&self);
    /// The daemon serves.
    fn ready(&self);
    /// It is about to end.
    fn stopping(&self);
}

/// The start failed; the reason, for the log, in lines.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct StartError(Vec<String>);

impl StartError {
    fn new(reason: impl std::fmt::Display) -> Self {
        Self(vec![reason.to_string()])
    }
}

/// Run the daemon to its end; the exit status. Must be called on the process's main thread, once.
#[must_use]
pub fn run(config: Config, log: &Telemetry, host: &dyn Host) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(StartError::new);
    let outcome = runtime.and_then(|runtime| {
        let outcome = LocalSet::new().block_on(&runtime, serve(config, log, host));
        // A look-up that hangs must not keep the process.
        runtime.shutdown_background();
        outcome
    });
    let code = outcome.unwrap_or_else(|StartError(lines)| {
        for line in lines {
            log.line(Level::Warning, None, &line);
        }
        crate::process::EXIT_REFUSED
    });
    log.flush();
    code
}

async fn serve(config: Config, log: &Telemetry, host: &dyn Host) -> Result<u8, StartError> {
    raise_file_limit();
    let signals = Signals::listen()?;
    let links = link_config(&config.general)?;
    let access = match &config.coordination {
        Some(_) => Some(api_access().await.map_err(StartError::new)?),
        None => None,
    };
    let bound = Server::bind(ServerConfig::new(&config, random::hex40()))
        .map_err(|error| StartError(error.log_lines()))?;
    for line in bound.warnings() {
        log.line(Level::Warning, None, line);
    }
    for line in bound.notices() {
        log.line(Level::Notice, None, &line);
    }
    let admin = config.own.admin.map(|addr| admin::Bound::open(&addr.to_string()));
    let admin = admin.transpose().map_err(StartError::new)?;
    host.bound();

    let level = Rc::new(Cell::new(config.general.loglevel));
    let journal = Rc::new(ProcessJournal::new(log.clone(), level.clone()));
    let saver = Rc::new(FileSaver::new(Store::new(&config), level, log.clone()));
    let node = Node {
        port: announced_port(&config.general),
        requirepass: config.general.requirepass.clone(),
        fast_down_after: config.own.fast_down_after.clone(),
        plain_switchover: config.own.plain_switchover,
        switchover_pause: config.own.switchover_pause.clone(),
        fleet: config.coordination.as_ref().map(|coordination| coordination.fleet.clone()),
    };
    let engine =
        Engine::new(config.settings.clone(), node, random::seed(), config.general.loglevel, Clock.now());
    let unsaved = config.coordination.as_ref().and_then(|coordination| coordination.unsaved.clone());
    let keeper: Rc<dyn Saver> = match unsaved {
        Some(reason) => Rc::new(NoFile::new(reason)),
        None => saver.clone(),
    };
    let driver = Driver::new(Parts {
        core: Box::new(engine),
        journal: journal.clone(),
        saver: keeper,
        links,
        metrics: Metrics::new(Registry::new()).map_err(StartError::new)?,
    });
    let server = bound.serve(driver.clone()).map_err(StartError::new)?;
    saver.attach(server.clone());
    driver.attach(Rc::new(server));
    let secrets = Rc::new(Secrets::new(config.own.credential_files.clone()));
    secrets.read_first(&driver);
    let cluster = match (&config.coordination, access) {
        (Some(coordination), Some(access)) => {
            let namespace = coordination.namespace.clone().unwrap_or_else(|| access.namespace());
            let cluster = Cluster::new(Setup {
                access,
                namespace,
                fleet: coordination.fleet.clone(),
                journal,
                metrics: driver.metrics().cluster().map_err(StartError::new)?,
            });
            driver.join(cluster.clone());
            Some(cluster)
        }
        (Some(_), None) | (None, _) => None,
    };
    driver.start();
    if let Some(cluster) = cluster {
        let to = Rc::downgrade(&driver);
        cluster.begin(Rc::new(move |input| {
            if let Some(driver) = to.upgrade() {
                driver.handle(input);
            }
        }));
    }
    tokio::task::spawn_local(secrets.clone().watch(Rc::downgrade(&driver)));
    if let Some(admin) = admin {
        admin.serve(&driver).map_err(StartError::new)?;
    }
    host.ready();
    let relink = || reload_links(&config.general, &driver);
    Ok(live(&driver, &secrets, signals, host, &relink).await)
}

/// The way to the API server. Nothing is sent yet: one that is away doesn't keep the daemon from starting.
async fn api_access() -> Result<Access, SetupError> {
    Access::new(Source::from_environment(|name| std::env::var(name).ok())?).await
}

/// Serve until the end is asked for, then end; the exit status. `relink` re-reads the certificates of links.
async fn live(
    driver: &Driver,
    secrets: &Secrets,
    mut signals: Signals,
    host: &dyn Host,
    relink: &dyn Fn(),
) -> u8 {
    loop {
        tokio::select! {
            () = driver.stopped() => break,
            _ = signals.terminate.recv() => {
                driver.journal().signal("Received SIGTERM scheduling shutdown...");
                break;
            }
            _ = signals.interrupt.recv() => {
                driver.journal().signal("Received SIGINT scheduling shutdown...");
                break;
            }
            _ = signals.hangup.recv() => {
                driver.reload();
                relink();
                secrets.read_again(driver).await;
            }
        }
    }
    let line = |level, text: &str| driver.journal().line(level, None, text);
    line(Level::Notice, "User requested shutdown...");
    host.stopping();
    if driver.in_fleet() {
        // Clients are still answered: what is handed over is told to them as well.
        tokio::select! {
            _ = tokio::time::timeout(HAND_OVER, driver.hand_over()) => {}
            _ = signals.interrupt.recv() => {
                driver.journal().signal("You insist... exiting now.");
                return 1;
            }
        }
    }
    driver.close_front();
    tokio::select! {
        () = last_write(driver) => {}
        _ = signals.interrupt.recv() => {
            driver.journal().signal("You insist... exiting now.");
            return 1;
        }
    }
    line(Level::Warning, "Sentinel is now ready to exit, bye bye...");
    0
}

async fn last_write(driver: &Driver) {
    let written = async {
        while driver.saving() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // The file is the old or the new one in any case.
    let _ = tokio::time::timeout(LAST_WRITE, written).await;
}

fn reload_links(general: &General, driver: &Driver) {
    match link_tls(general) {
        Ok(tls) => driver.links().set_tls(tls),
        Err(error) => {
            let text = format!("failed to reload the certificates of links: {error}");
            driver.journal().line(Level::Warning, None, &text);
        }
    }
}

fn link_config(general: &General) -> Result<LinkConfig, StartError> {
    let tls = link_tls(general).map_err(|error| {
        StartError(vec![error.to_string(), "Failed to configure TLS. Check logs for more info.".to_owned()])
    })?;
    let source = general.bind_source_addr.as_deref().filter(|addr| !addr.is_empty());
    Ok(LinkConfig { source: source.map(source_address).transpose()?, tls, ..LinkConfig::default() })
}

fn source_address(host: &str) -> Result<IpAddr, StartError> {
    let found = (host, 0).to_socket_addrs().ok().and_then(|mut found| found.next());
    found.map(|addr| addr.ip()).ok_or_else(|| StartError::new(format!("bad bind-source-addr '{host}'")))
}

fn link_tls(general: &General) -> Result<Option<Arc<rustls::ClientConfig>>, tls::Error> {
    let tls = &general.tls;
    if !tls.replication {
        return Ok(None);
    }
    // Without a pair for clients the listener's own is shown, as the data nodes do.
    let (cert_file, key_file) = match &tls.client_cert_file {
        Some(cert) => (Some(cert.clone()), tls.client_key_file.clone()),
        None => (tls.cert_file.clone(), tls.key_file.clone()),
    };
    client_config(&TlsFiles {
        cert_file,
        key_file,
        ca_cert_file: tls.ca_cert_file.clone(),
        ca_cert_dir: tls.ca_cert_dir.clone(),
        protocols: tls.protocols.clone(),
    })
    .map(Some)
}

const fn announced_port(general: &General) -> u16 {
    if general.tls.replication && general.tls.port != 0 { general.tls.port } else { general.port }
}

/// Links and clients are thousands; but not more than this, for scripts inherit the limit, and some programs close
/// every descriptor that could be open.
const MANY_FILES: u64 = 65_536;

/// Let this process have enough files, as far as the system permits.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(MANY_FILES, |most| most.min(MANY_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        // Refused, the process does with what it has.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Never asked: that it is listened for turns a file over the limit of its size into a write that fails, as a full
    /// disk is one, where it would end the process.
    _file_size: Option<Signal>,
}

/// SIGXFSZ, alike on all architectures that Redis runs on but MIPS.
const FILE_SIZE: i32 = 25;

impl Signals {
    fn listen() -> Result<Self, StartError> {
        let listen = |kind| signal(kind).map_err(StartError::new);
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(FILE_SIZE)).ok(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal as Number, getpid, kill_process};

    use super::super::tests::{Gate, idle_driver};
    use super::*;

    struct Nobody;

    impl Host for Nobody {
        fn bound(&self) {}
        fn ready(&self) {}
        fn stopping(&self) {}
    }

    /// The process's own signals: one test, for another's SIGINT would be seen here.
    #[tokio::test]
    async fn the_end_waits_for_the_last_write_unless_somebody_insists() {
        LocalSet::new()
            .run_until(async {
                let secrets = Secrets::new(vec![]);
                let send = |signal| kill_process(getpid(), signal).unwrap();
                let (driver, world) = idle_driver(Gate::Shut);
                driver.start();
                tokio::task::yield_now().await;
                assert!(driver.saving(), "the new id is being saved");
                let signals = Signals::listen().unwrap();
                send(Number::TERM);
                let mut life = std::pin::pin!(live(&driver, &secrets, signals, &Nobody, &|| ()));
                while !world.lines().contains(&"User requested shutdown...".to_owned()) {
                    tokio::select! {
                        code = &mut life => panic!("ended with {code} while the file was being written"),
                        () = tokio::task::yield_now() => {}
                    }
                }
                send(Number::INT);
                assert_eq!(life.await, 1);
                let lines = world.lines();
                let last = lines.last().map(String::as_str);
                assert!(lines.contains(&"Received SIGTERM scheduling shutdown...".to_owned()), "{lines:?}");
                assert_eq!(last, Some("You insist... exiting now."));

                let (driver, world) = idle_driver(Gate::Open);
                driver.start();
                let signals = Signals::listen().unwrap();
                driver.stop();
                assert_eq!(live(&driver, &secrets, signals, &Nobody, &|| ()).await, 0);
                assert!(!driver.saving());
                let last = world.lines().last().cloned();
                assert_eq!(last.as_deref(), Some("Sentinel is now ready to exit, bye bye..."));
            })
            .await;
    }
}
