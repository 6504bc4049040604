//! TLS towards data nodes and peers: the certificate must be signed by the configured CA; its name is not looked at.

mod certificate;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

pub use verify::CaVerifier;

/// Files and choices of the TLS directives that concern links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate shown to the other side, with its chain.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// CA certificates.
    pub ca_cert_file: Option<PathBuf>,
    /// A folder of CA certificates.
    pub ca_cert_dir: Option<PathBuf>,
    /// `tls-protocols`; empty is every supported one.
    pub protocols: String,
}

/// A TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A PEM file can't be read or holds nothing of use.
    #[error("failed to read {what} from '{path}': {reason}")]
    File {
        /// What should be in it.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The certificate has no key or the key no certificate.
    #[error("certificate and key must be given together")]
    Incomplete,
    /// Nothing to check the other side's certificate with.
    #[error("neither 'tls-ca-cert-file' nor 'tls-ca-cert-dir' names a CA certificate")]
    NoCa,
    /// No protocol is left that is supported.
    #[error("no supported protocol in '{0}'")]
    Protocols(String),
    /// rustls refuses it.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// The configuration of outgoing connections.
///
/// # Errors
/// A file that can't be used, or no CA.
pub fn client_config(files: &TlsFiles) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = CaVerifier::new(roots(files)?, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions(&files.protocols)?)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match (&files.cert_file, &files.key_file) {
        (Some(cert), Some(key)) => {
            let identity = identity(cert, key, &provider)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) | (None, Some(_)) => return Err(Error::Incomplete),
    };
    config.enable_sni = false;
    // Sessions of thousands of data nodes would be kept for nothing: reconnects are rare.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The CA certificates of the files.
///
/// # Errors
/// A file that can't be read, or no certificate at all.
pub fn roots(files: &TlsFiles) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    if let Some(file) = &files.ca_cert_file {
        for cert in certificates(file, "a CA certificate")? {
            store.add(cert).map_err(|error| unusable("a CA certificate", file, &error))?;
        }
    }
    if let Some(dir) = &files.ca_cert_dir {
        let entries = std::fs::read_dir(dir).map_err(|error| unusable("CA certificates", dir, &error))?;
        for entry in entries.flatten() {
            // A folder of CAs holds other things too; what is no certificate is passed over, as OpenSSL does.
            for cert in certificates(&entry.path(), "a CA certificate").unwrap_or_default() {
                let _ = store.add(cert);
            }
        }
    }
    if store.is_empty() { Err(Error::NoCa) } else { Ok(store) }
}

/// A certificate with its chain and key. It is shown as it is: old ones of version 1 are fine.
///
/// # Errors
/// A file that can't be used.
pub fn identity(
    cert: &Path,
    key: &Path,
    provider: &rustls::crypto::CryptoProvider,
) -> Result<Arc<CertifiedKey>, Error> {
    let chain = certificates(cert, "a certificate")?;
    let der = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("a private key", key, &error))?;
    let signer = provider
        .key_provider
        .load_private_key(der)
        .map_err(|error| unusable("a private key", key, &error))?;
    Ok(Arc::new(CertifiedKey::new(chain, signer)))
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(what, path, &error))?.collect();
    let found = found.map_err(|error| unusable(what, path, &error))?;
    if found.is_empty() {
        return Err(unusable(what, path, &"it holds none"));
    }
    Ok(found)
}

pub(crate) fn versions(protocols: &str) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    if protocols.trim().is_empty() {
        return Ok(rustls::ALL_VERSIONS.to_vec());
    }
    let wanted = |name: &str| protocols.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(name));
    let mut chosen = Vec::new();
    if wanted("TLSv1.2") {
        chosen.push(&rustls::version::TLS12);
    }
    if wanted("TLSv1.3") {
        chosen.push(&rustls::version::TLS13);
    }
    if chosen.is_empty() { Err(Error::Protocols(protocols.to_owned())) } else { Ok(chosen) }
}

fn unusable(what: &'static str, path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::File { what, path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
pub(super) mod tests;
