use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConnection, ServerConfig, ServerConnection, Stream};

use super::*;

/// Certificates made by OpenSSL as the data nodes' own tests make them: a CA, one of version 1, one of version 3, and
/// one that another CA signed.
pub(in crate::link) struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    pub(in crate::link) fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = "set -e
            openssl req -x509 -newkey rsa:2048 -nodes -sha256 -keyout ca.key -out ca.crt -days 10 -subj '/O=T/CN=CA'
            openssl req -x509 -newkey rsa:2048 -nodes -sha256 -keyout o.key -out o.crt -days 10 -subj '/O=T/CN=CA'
            printf '[v3]\\nkeyUsage=digitalSignature,keyEncipherment\\nbasicConstraints=CA:FALSE\\n' > ext
            for n in v1 v3 foreign; do
              openssl req -new -newkey rsa:2048 -nodes -keyout $n.key -out $n.csr -subj \"/O=T/CN=$n\"
            done
            openssl x509 -req -sha256 -in v1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 9 -out v1.crt
            openssl x509 -req -sha256 -in v3.csr -CA ca.crt -CAkey ca.key -days 9 -out v3.crt -CAcreateserial \\
              -extfile ext -extensions v3
            openssl x509 -req -sha256 -in foreign.csr -CA o.crt -CAkey o.key -CAcreateserial -days 9 -out foreign.crt";
        let made = Command::new("sh").args(["-c", script]).current_dir(dir.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { dir }
    }

    pub(in crate::link) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(in crate::link) fn files(&self, identity: Option<&str>, protocols: &str) -> TlsFiles {
        TlsFiles {
            cert_file: identity.map(|name| self.path(&format!("{name}.crt"))),
            key_file: identity.map(|name| self.path(&format!("{name}.key"))),
            ca_cert_file: Some(self.path("ca.crt")),
            ca_cert_dir: None,
            protocols: protocols.to_owned(),
        }
    }

    /// A handshake and a word there and back between a client and a server with these identities.
    fn exchange(&self, client: Option<&str>, server: &str, protocols: &str) -> Result<(), String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let files = self.files(Some(server), "");
        let verifier = CaVerifier::new(roots(&files).unwrap(), &provider).unwrap();
        let verifier = if client.is_some() { verifier } else { verifier.optional() };
        assert_eq!(verifier.client_auth_mandatory(), client.is_some());
        let shown =
            identity(&self.path(&format!("{server}.crt")), &self.path(&format!("{server}.key")), &provider);
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(Arc::new(verifier))
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown.unwrap())));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || -> Result<(), String> {
            let mut tcp = listener.accept().unwrap().0;
            let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = Stream::new(&mut tls, &mut tcp);
            let mut word = [0; 4];
            stream.read_exact(&mut word).map_err(|error| error.to_string())?;
            stream.write_all(&word).map_err(|error| error.to_string())?;
            stream.flush().map_err(|error| error.to_string())
        });
        let config = client_config(&self.files(client, protocols)).map_err(|error| error.to_string())?;
        let mut tcp = std::net::TcpStream::connect(addr).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let name = ServerName::IpAddress(addr.ip().into());
        let mut tls = ClientConnection::new(config, name).unwrap();
        let mut stream = Stream::new(&mut tls, &mut tcp);
        let mut word = [0; 4];
        let mine = stream.write_all(b"word").and_then(|()| stream.read_exact(&mut word));
        drop(tcp);
        let theirs = serving.join().unwrap();
        mine.map_err(|error| error.to_string())?;
        theirs?;
        assert_eq!(&word, b"word");
        Ok(())
    }
}

#[test]
fn what_the_ca_signed_is_accepted_whatever_its_name_and_version() {
    let made = Certificates::make();
    for protocols in ["", "TLSv1.2", "TLSv1.3", "TLSv1.2 TLSv1.3"] {
        for name in ["v1", "v3"] {
            made.exchange(Some(name), name, protocols).unwrap();
            made.exchange(None, name, protocols).unwrap();
        }
    }
}

#[test]
fn what_another_ca_signed_is_refused() {
    let made = Certificates::make();
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        made.exchange(Some("v3"), "foreign", protocols).unwrap_err();
        made.exchange(Some("foreign"), "v3", protocols).unwrap_err();
    }
}

#[test]
fn a_version_1_certificate_is_valid_only_in_its_time_and_unaltered() {
    let made = Certificates::make();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = CaVerifier::new(roots(&made.files(None, "")).unwrap(), &provider).unwrap();
    let der = certificates(&made.path("v1.crt"), "a certificate").unwrap().remove(0);
    let now = UnixTime::now();
    let check = |der: &CertificateDer<'_>, at: UnixTime| verifier.verify_client_cert(der, &[], at).map(drop);
    check(&der, now).unwrap();
    let day = 24 * 3600;
    let expired = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + 10 * day));
    let early = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() - day));
    let refusal = |error| Err(rustls::Error::InvalidCertificate(error));
    assert_eq!(check(&der, expired), refusal(rustls::CertificateError::Expired));
    assert_eq!(check(&der, early), refusal(rustls::CertificateError::NotValidYet));
    // No byte can be changed: either it is no such certificate any more or its signature is wrong.
    for at in 0..der.len() {
        let mut altered = der.to_vec();
        altered[at] ^= 1;
        check(&CertificateDer::from(altered), now).unwrap_err();
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let made = Certificates::make();
    let text = |files: &TlsFiles| client_config(files).unwrap_err().to_string();
    let files = made.files(Some("nothing"), "");
    assert!(text(&files).contains("nothing.crt"), "{}", text(&files));
    let half = TlsFiles { key_file: None, ..made.files(Some("v1"), "") };
    assert_eq!(text(&half), "certificate and key must be given together");
    assert_eq!(
        text(&TlsFiles::default()),
        "neither 'tls-ca-cert-file' nor 'tls-ca-cert-dir' names a CA certificate"
    );
    assert_eq!(text(&made.files(None, "TLSv1.1")), "no supported protocol in 'TLSv1.1'");
    fs::write(made.path("empty.crt"), "no PEM").unwrap();
    let empty = TlsFiles { ca_cert_file: Some(made.path("empty.crt")), ..TlsFiles::default() };
    assert!(text(&empty).contains("it holds none"), "{}", text(&empty));
    let folder = TlsFiles { ca_cert_dir: Some(made.dir.path().to_owned()), ..TlsFiles::default() };
    client_config(&folder).unwrap();
}
