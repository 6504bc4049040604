//! Where address and credentials of the API server come from, and whether they have changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ::kube::Config;
use ::kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig, KubeconfigError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::SetupError;

/// Where a Pod finds the token of its ServiceAccount.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Files with the way to an API server.
#[derive(Clone, Debug)]
pub enum Source {
    /// A Pod's own: `token`, `ca.crt` and `namespace` in a folder that the kubelet keeps up to date.
    Cluster {
        /// `https://HOST:PORT`.
        address: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A kubeconfig and the files that it names; its current context counts.
    Kubeconfig(PathBuf),
}

/// What was read: enough to connect, and to tell whether a later reading brings anything new.
pub(super) struct Reading {
    pub(super) config: Config,
    pub(super) digest: [u8; 32],
}

impl Source {
    /// A Pod's own ServiceAccount, with host and port as the kubelet gives them in `KUBERNETES_SERVICE_HOST` and `_PORT`.
    pub fn cluster(host: &str, port: &str) -> Self {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Self::Cluster { address: format!("https://{host}:{port}"), folder: PathBuf::from(ACCOUNT) }
    }

    /// Where a process finds its own: `KUBECONFIG` names a file, or else it is in a Pod. `variable` looks a variable of the
    /// environment up.
    ///
    /// # Errors
    /// Neither is there.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SetupError> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        if let Some(path) = variable("KUBECONFIG") {
            return Ok(Self::Kubeconfig(PathBuf::from(path)));
        }
        match (variable("KUBERNETES_SERVICE_HOST"), variable("KUBERNETES_SERVICE_PORT")) {
            (Some(host), Some(port)) => Ok(Self::cluster(&host, &port)),
            _ => Err(SetupError::Nowhere),
        }
    }

    /// Reads all of it. Blocks for the time of reading some small files.
    pub(super) async fn read(&self) -> Result<Reading, SetupError> {
        match self {
            Self::Cluster { address, folder } => read_cluster(address, folder),
            Self::Kubeconfig(path) => read_kubeconfig(path).await,
        }
    }
}

fn read_cluster(address: &str, folder: &Path) -> Result<Reading, SetupError> {
    let mut seen = Sha256::new();
    let mut file = |name: &str| {
        let path = folder.join(name);
        let bytes = read(&path)?;
        add(&mut seen, &bytes);
        String::from_utf8(bytes).map_err(|error| SetupError::Read {
            path: path.display().to_string(),
            error: io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()),
        })
    };
    let (token, authority, namespace) = (file("token")?, file("ca.crt")?, file("namespace")?);
    let url = address.parse().map_err(|_| SetupError::Address(address.to_owned()))?;
    let mut config = Config::new(url);
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authority.as_bytes())
        .map(|found| found.map(|certificate| certificate.to_vec()))
        .collect();
    let certificates = certificates.ok().filter(|found| !found.is_empty());
    let authority = || SetupError::Authority { path: folder.join("ca.crt").display().to_string() };
    config.root_cert = Some(certificates.ok_or_else(authority)?);
    namespace.trim().clone_into(&mut config.default_namespace);
    config.auth_info = AuthInfo { token: Some(token.trim().to_owned().into()), ..AuthInfo::default() };
    Ok(Reading { config, digest: seen.finalize().into() })
}

async fn read_kubeconfig(path: &Path) -> Result<Reading, SetupError> {
    let wrong = |error: KubeconfigError| SetupError::Kubeconfig {
        path: path.display().to_string(),
        error: Box::new(error),
    };
    let mut seen = Sha256::new();
    add(&mut seen, &read(path)?);
    let kubeconfig = Kubeconfig::read_from(path).map_err(wrong)?;
    for named in named_files(&kubeconfig) {
        // What the current context has no use for may be missing; where it has, it is said below.
        add(&mut seen, &fs::read(named).unwrap_or_default());
    }
    let config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(wrong)?;
    Ok(Reading { config, digest: seen.finalize().into() })
}

fn named_files(kubeconfig: &Kubeconfig) -> Vec<String> {
    let clusters = kubeconfig.clusters.iter().filter_map(|named| named.cluster.as_ref());
    let users = kubeconfig.auth_infos.iter().filter_map(|named| named.auth_info.as_ref());
    clusters
        .filter_map(|cluster| cluster.certificate_authority.clone())
        .chain(users.flat_map(|user| {
            [&user.client_certificate, &user.client_key, &user.token_file].into_iter().flatten().cloned()
        }))
        .collect()
}

fn read(path: &Path) -> Result<Vec<u8>, SetupError> {
    fs::read(path).map_err(|error| SetupError::Read { path: path.display().to_string(), error })
}

/// With its length, so that bytes which move from one file to the next show.
fn add(seen: &mut Sha256, bytes: &[u8]) {
    seen.update(bytes.len().to_le_bytes());
    seen.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str) -> String {
        match Source::cluster(host, "6443") {
            Source::Cluster { address, .. } => address,
            Source::Kubeconfig(path) => panic!("{}", path.display()),
        }
    }

    #[test]
    fn an_address_of_the_newer_kind_is_put_in_brackets() {
        assert_eq!(address("10.96.0.1"), "https://10.96.0.1:6443");
        assert_eq!(address("fd00::1"), "https://[fd00::1]:6443");
    }

    #[test]
    fn a_kubeconfig_goes_before_the_pods_own_account() {
        let pod = [("KUBERNETES_SERVICE_HOST", "10.96.0.1"), ("KUBERNETES_SERVICE_PORT", "443")];
        let found = |variables: &[(&str, &str)]| {
            Source::from_environment(|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(
            matches!(found(&pod), Ok(Source::Cluster { address, .. }) if address == "https://10.96.0.1:443")
        );
        let both = [pod[0], pod[1], ("KUBECONFIG", "/etc/k")];
        assert!(matches!(found(&both), Ok(Source::Kubeconfig(path)) if path == Path::new("/etc/k")));
        let empty = [pod[0], pod[1], ("KUBECONFIG", "")];
        assert!(matches!(found(&empty), Ok(Source::Cluster { .. })));
        assert!(matches!(found(&pod[..1]), Err(SetupError::Nowhere)));
    }

    #[test]
    fn bytes_that_move_to_the_next_file_are_a_change() {
        let digest = |files: [&str; 2]| {
            let mut seen = Sha256::new();
            files.iter().for_each(|file| add(&mut seen, file.as_bytes()));
            seen.finalize()
        };
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
    }
}
