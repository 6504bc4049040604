//! Certificates of a throw-away authority.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

/// `ca.crt`, `node.crt` and `node.key` in a temporary folder; the certificate names localhost and both loopback addresses.
#[derive(Debug)]
pub(crate) struct Certs {
    dir: TempDir,
}

impl Certs {
    /// A new authority and a certificate for servers and clients alike.
    pub(crate) fn new() -> Self {
        let certs = Self { dir: TempDir::with_prefix("vedette-certs").unwrap() };
        certs.issue();
        certs
    }

    /// Makes everything anew in the same files: another authority, so what was issued before is worth nothing.
    pub(crate) fn issue(&self) {
        let dir = self.dir.path();
        let ca_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["vedette test authority".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "vedette test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(params, ca_key);
        let key = KeyPair::generate().unwrap();
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "vedette test node");
        let cert = params.signed_by(&key, &issuer).unwrap();
        fs::write(dir.join("ca.crt"), ca.pem()).unwrap();
        fs::write(dir.join("node.crt"), cert.pem()).unwrap();
        fs::write(dir.join("node.key"), key.serialize_pem()).unwrap();
    }

    /// The authority's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Configuration lines for data nodes and Sentinels: only TLS, also for the links that they open.
    pub(crate) fn lines(&self, tls_port: u16) -> Vec<String> {
        let dir = self.dir.path().display();
        vec![
            "port 0".to_owned(),
            format!("tls-port {tls_port}"),
            "tls-replication yes".to_owned(),
            format!("tls-cert-file {dir}/node.crt"),
            format!("tls-key-file {dir}/node.key"),
            format!("tls-ca-cert-file {dir}/ca.crt"),
        ]
    }

    /// A client's TLS session over `stream`.
    pub(crate) fn client(&self, stream: TcpStream) -> io::Result<impl Read + Write + Send + use<>> {
        let dir = self.dir.path();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(dir.join("ca.crt")).unwrap()).unwrap();
        let chain = vec![CertificateDer::from_pem_file(dir.join("node.crt")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(dir.join("node.key")).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(session, stream))
    }
}
