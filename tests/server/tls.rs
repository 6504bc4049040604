//! The TLS listener.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use vedette::config::Identity;
use vedette::config::general::{AuthClients, Tls};
use vedette::link::tls::{TlsFiles, client_config};
use vedette::server::Server;

use crate::support::{PATIENCE, Running, config, free_port, general};

/// A CA with its files in a folder.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let folder = tempfile::tempdir().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.crt"), certificate.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `name.crt` and `name.key`.
    fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn options(&self, auth_clients: AuthClients) -> Tls {
        Tls {
            port: free_port(),
            cert_file: Some(self.path("server.crt")),
            key_file: Some(self.path("server.key")),
            ca_cert_file: Some(self.path("ca.crt")),
            auth_clients,
            ..Tls::default()
        }
    }

    /// Connects, with the certificate of that name.
    fn connect(&self, port: u16, certificate: Option<&str>) -> StreamOwned<ClientConnection, TcpStream> {
        let files = TlsFiles {
            ca_cert_file: Some(self.path("ca.crt")),
            cert_file: certificate.map(|name| self.path(&format!("{name}.crt"))),
            key_file: certificate.map(|name| self.path(&format!("{name}.key"))),
            ..TlsFiles::default()
        };
        let name = ServerName::try_from("vedette.test").unwrap();
        let session = ClientConnection::new(client_config(&files).unwrap(), name).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        StreamOwned::new(session, stream)
    }

    /// What a PING brings, or that it failed.
    fn ping(&self, port: u16, certificate: Option<&str>) -> Option<String> {
        let mut stream = self.connect(port, certificate);
        stream.write_all(b"PING\r\nQUIT\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    }
}

fn serve(authority: &Authority, auth_clients: AuthClients) -> Running {
    Running::with(|general| general.tls = authority.options(auth_clients))
}

const PONG: &str = "+PONG\r\n+OK\r\n";

#[test]
fn client_certificates() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.issue("server");
    authority.issue("client");
    stranger.issue("client");
    // Signed by somebody else; the server's own CA is trusted.
    for ending in ["crt", "key"] {
        std::fs::copy(
            stranger.path(&format!("client.{ending}")),
            authority.path(&format!("strange.{ending}")),
        )
        .unwrap();
    }
    for (mode, none, good, strange) in [
        (AuthClients::Yes, false, true, false),
        (AuthClients::Optional, true, true, false),
        (AuthClients::No, true, true, true),
    ] {
        let server = serve(&authority, mode);
        for (certificate, wanted) in [(None, none), (Some("client"), good), (Some("strange"), strange)] {
            let got = authority.ping(server.tls_port, certificate);
            assert_eq!(got.as_deref() == Some(PONG), wanted, "{mode:?} {certificate:?} {got:?}");
        }
        server.client().says("PING", "+PONG\n");
    }
}

#[test]
fn who_speaks_no_tls_harms_nobody() {
    let authority = Authority::new();
    authority.issue("server");
    let server = serve(&authority, AuthClients::No);
    let mut plain = crate::support::Client::connect(server.tls_port);
    plain.send("PING\r\n");
    assert!(!plain.read_to_end().contains("PONG"));
    let silent = crate::support::Client::connect(server.tls_port);
    assert_eq!(authority.ping(server.tls_port, None).as_deref(), Some(PONG));
    drop(silent);
    server.until("all are gone", |stats| stats.connected_clients == 0);
}

#[test]
fn large_replies_and_pipelines() {
    let authority = Authority::new();
    authority.issue("server");
    let server = serve(&authority, AuthClients::No);
    let mut stream = authority.connect(server.tls_port, None);
    stream.write_all("SENTINEL INFO-CACHE 300000\r\n".repeat(20).as_bytes()).unwrap();
    stream.write_all(b"QUIT\r\n").unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    assert_eq!(text.len(), 20 * (300_000 + "$300000\r\n\r\n".len()) + 5);
}

#[test]
fn certificates_are_read_again() {
    let authority = Authority::new();
    authority.issue("server");
    let server = serve(&authority, AuthClients::No);
    let shown = || {
        let mut stream = authority.connect(server.tls_port, None);
        stream.write_all(b"PING\r\n").unwrap();
        stream.read_exact(&mut [0; 7]).unwrap();
        stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let first = shown();
    authority.issue("server");
    assert_eq!(shown(), first);
    assert_eq!(server.reload(), Vec::<String>::new());
    let second = shown();
    assert_ne!(second, first);
    std::fs::write(authority.path("server.crt"), "nonsense").unwrap();
    let problems = server.reload();
    assert!(problems.len() == 1 && problems[0].contains("server.crt"), "{problems:?}");
    assert_eq!(shown(), second);
}

#[test]
fn what_is_missing_is_named() {
    let authority = Authority::new();
    authority.issue("server");
    let refusal = |change: &dyn Fn(&mut Tls)| {
        let mut general = general();
        general.port = 0;
        general.tls = authority.options(AuthClients::Yes);
        change(&mut general.tls);
        Server::bind(config(general, Identity::Redis70)).unwrap_err().log_lines()
    };
    let last = "Failed to configure TLS. Check logs for more info.";
    assert_eq!(refusal(&|tls| tls.cert_file = None), ["No tls-cert-file configured!", last]);
    assert_eq!(refusal(&|tls| tls.key_file = None), ["No tls-key-file configured!", last]);
    assert!(
        refusal(&|tls| tls.ca_cert_file = None)[0]
            .starts_with("Either tls-ca-cert-file or tls-ca-cert-dir must")
    );
    assert!(
        refusal(&|tls| tls.cert_file = Some(Path::new("/nonexistent").into()))[0].contains("/nonexistent")
    );
    assert!(refusal(&|tls| tls.protocols = "TLSv1.1".into())[0].contains("TLSv1.1"));
    assert!(refusal(&|tls| tls.key_file_pass = Some("secret".into()))[0].contains("not supported"));
    assert!(
        refusal(&|tls| tls.key_file_pass = Some("secret".into())).iter().all(|line| !line.contains("secret"))
    );
}

#[test]
fn protocols_and_ciphers_are_chosen() {
    let authority = Authority::new();
    authority.issue("server");
    for (protocols, ciphers, suites, wanted) in [
        ("TLSv1.2", Some("ECDHE-ECDSA-AES256-GCM-SHA384"), None, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        (
            "TLSv1.2 TLSv1.3",
            Some("DEFAULT:!MEDIUM"),
            Some("TLS_CHACHA20_POLY1305_SHA256"),
            "TLS13_CHACHA20_POLY1305_SHA256",
        ),
    ] {
        let server = Running::with(|general| {
            general.tls = Tls {
                protocols: protocols.into(),
                ciphers: ciphers.map(Into::into),
                ciphersuites: suites.map(Into::into),
                ..authority.options(AuthClients::No)
            };
        });
        let mut stream = authority.connect(server.tls_port, None);
        stream.write_all(b"PING\r\n").unwrap();
        stream.read_exact(&mut [0; 7]).unwrap();
        let suite = stream.conn.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(format!("{suite:?}"), wanted);
    }
}
