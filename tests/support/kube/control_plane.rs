//! etcd, the API server, and controllers where a test wants them.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::process::Signal;
use tempfile::TempDir;

use super::admin::kubeconfig;
use super::keys::Keys;
use super::{Admin, Cluster};
use crate::support::hosts::with_port;
use crate::support::{Host, Port, Process, poll};

/// What is logged: what service accounts write, with what they sent.
const AUDIT: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Request
    userGroups: ['system:serviceaccounts']
    verbs: [create, update, patch, delete, deletecollection]
  - level: None
";

/// A running control plane. Dropped, all of it ends.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    // In the order in which they end.
    cluster: Cluster,
    controllers: Option<Process>,
    api: Mutex<Option<Process>>,
    _etcd: Process,
    keys: Keys,
    command: ApiCommand,
    place: Option<Host>,
    dir: TempDir,
    _ports: [Port; 3],
}

impl ControlPlane {
    /// Starts one on loopback, or on that host, and waits until it is ready.
    pub(crate) fn start(place: Option<&Host>) -> Self {
        Self::make(place, false)
    }

    /// The same with a log of what service accounts write: [`ControlPlane::audit`].
    pub(crate) fn audited(place: Option<&Host>) -> Self {
        Self::make(place, true)
    }

    fn make(place: Option<&Host>, audited: bool) -> Self {
        let programs = Programs::find();
        let dir = TempDir::with_prefix("vedette-cluster").unwrap();
        let ports = [Port::reserve(), Port::reserve(), Port::reserve()];
        let [store, peers, secure] = ports.each_ref().map(Port::number);
        let addresses = place.map_or_else(|| vec!["127.0.0.1".to_owned()], |host| host.addresses().to_vec());
        let host = addresses[0].as_str();
        let range = |address: &String| if address.contains(':') { "fd96::/112" } else { "10.96.0.0/16" };
        let ranges = addresses.iter().map(range).collect::<Vec<_>>().join(",");
        let keys = Keys::new(dir.path(), host);
        let token = format!("test-administrator-{}", std::process::id());
        fs::write(keys.path("tokens.csv"), format!("{token},administrator,administrator,system:masters\n"))
            .unwrap();

        let etcd = {
            let mut command = Command::new(&programs.etcd);
            let (clients, peers) = (format!("http://127.0.0.1:{store}"), format!("http://127.0.0.1:{peers}"));
            command
                .args(["--data-dir", folder(dir.path(), "etcd").join("data").to_str().unwrap()])
                .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
                .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
                .args(["--initial-cluster", &format!("default={peers}")]);
            Process::spawn_at(place, "etcd", command, &folder(dir.path(), "etcd"))
        };
        if audited {
            fs::write(keys.path("audit.yaml"), AUDIT).unwrap();
        }
        let address = format!("https://{}", with_port(host, secure));
        let authority = keys.path("ca.crt");
        let admin = Admin::new(place, &address, &authority, &token);
        let plane = Self {
            cluster: Cluster::passing(admin, address, authority),
            controllers: None,
            api: Mutex::new(None),
            _etcd: etcd,
            keys,
            command: ApiCommand {
                program: programs.api,
                host: host.to_owned(),
                ranges,
                store,
                secure,
                audited,
            },
            place: place.cloned(),
            dir,
            _ports: ports,
        };
        plane.start_api();
        plane
    }

    /// Starts what was built beside the API server: EndpointSlices that follow Services, Pods of StatefulSets.
    pub(crate) fn with_controllers(mut self) -> Self {
        let text = fs::read_to_string(self.keys.path("tokens.csv")).unwrap();
        let token = text.split(',').next().unwrap();
        let path = self.keys.path("administrator.kubeconfig");
        let user = format!("token: {token}");
        fs::write(&path, kubeconfig(self.address(), &self.keys.path("ca.crt"), &user, "default")).unwrap();
        let mut command = Command::new(built());
        command.args(["controllers", "--kubeconfig", path.to_str().unwrap()]);
        let dir = folder(self.dir.path(), "controllers");
        self.controllers = Some(Process::spawn_at(self.place.as_ref(), "controllers", command, &dir));
        self
    }

    /// The host that it is on, if that is not loopback.
    pub(crate) const fn place(&self) -> Option<&Host> {
        self.place.as_ref()
    }

    /// Starts the API server and waits until it is ready.
    pub(crate) fn start_api(&self) {
        let command = self.command.build(&self.keys);
        let dir = folder(self.dir.path(), "apiserver");
        *self.api() = Some(Process::spawn_at(self.place.as_ref(), "apiserver", command, &dir));
        poll("the API server is ready", || match self.api().as_mut().and_then(Process::ended) {
            Some(status) => panic!("the API server ended: {status}"),
            None => self.admin().ready(),
        });
    }

    /// kill -9 of the API server; etcd goes on.
    pub(crate) fn kill_api(&self) {
        self.api().take().expect("a running API server").kill();
    }

    /// SIGSTOP of the API server: connections stand, and nothing is answered.
    pub(crate) fn pause_api(&self) {
        self.api().as_ref().expect("a running API server").pause();
    }

    /// SIGCONT.
    pub(crate) fn resume_api(&self) {
        self.api().as_ref().expect("a running API server").signal(Signal::CONT);
    }

    /// SIGSTOP of the controllers: nothing follows a Service.
    pub(crate) fn pause_controllers(&self) {
        self.controllers.as_ref().expect("controllers").pause();
    }

    /// SIGCONT.
    pub(crate) fn resume_controllers(&self) {
        self.controllers.as_ref().expect("controllers").signal(Signal::CONT);
    }

    fn api(&self) -> MutexGuard<'_, Option<Process>> {
        self.api.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What service accounts wrote so far: one line of JSON for each request that was answered.
    pub(crate) fn audit(&self) -> String {
        fs::read_to_string(self.keys.path("audit.log")).unwrap_or_default()
    }

    /// The cluster's keys.
    pub(crate) const fn keys(&self) -> &Keys {
        &self.keys
    }
}

impl Deref for ControlPlane {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

/// What starts the API server, again and again.
#[derive(Debug)]
struct ApiCommand {
    program: Vec<PathBuf>,
    host: String,
    /// Of Services' addresses: of each family that its own host knows, one.
    ranges: String,
    store: u16,
    secure: u16,
    audited: bool,
}

impl ApiCommand {
    fn build(&self, keys: &Keys) -> Command {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]);
        let file = |name: &str| keys.path(name).display().to_string();
        let flags = [
            ("etcd-servers", format!("http://127.0.0.1:{}", self.store)),
            ("bind-address", self.host.clone()),
            ("advertise-address", self.host.clone()),
            ("secure-port", self.secure.to_string()),
            // Nobody here looks for the API server by its Service.
            ("endpoint-reconciler-type", "none".to_owned()),
            ("service-cluster-ip-range", self.ranges.clone()),
            ("authorization-mode", "RBAC".to_owned()),
            ("token-auth-file", file("tokens.csv")),
            ("client-ca-file", file("ca.crt")),
            ("tls-cert-file", file("server.crt")),
            ("tls-private-key-file", file("server.key")),
            ("service-account-issuer", "https://kubernetes.default.svc.cluster.local".to_owned()),
            ("service-account-key-file", file("accounts.pub")),
            ("service-account-signing-key-file", file("accounts.key")),
        ];
        command.args(flags.map(|(name, value)| format!("--{name}={value}")));
        if self.audited {
            command.arg(format!("--audit-policy-file={}", file("audit.yaml")));
            command.arg(format!("--audit-log-path={}", file("audit.log")));
        }
        command
    }
}

/// The programs of a control plane.
struct Programs {
    etcd: PathBuf,
    /// The API server's program and its first arguments.
    api: Vec<PathBuf>,
}

impl Programs {
    fn find() -> Self {
        prepare();
        match std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from) {
            Some(folder) => Self { etcd: folder.join("etcd"), api: vec![folder.join("kube-apiserver")] },
            None => Self { etcd: "etcd".into(), api: vec![built(), "apiserver".into()] },
        }
    }
}

/// Builds and installs what lacks, once.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/prepare");
        let status = Command::new(script).env_remove("KUBECONFIG").status().unwrap();
        assert!(status.success(), "the control plane could not be prepared");
    });
}

/// What `prepare` builds.
fn built() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("kubernetes/control-plane")
}

fn folder(parent: &Path, name: &str) -> PathBuf {
    let path = parent.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}
