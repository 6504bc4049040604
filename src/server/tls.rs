//! The TLS listener's configuration.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::SingleCertAndKey;
use rustls::{CipherSuite, ServerConfig};
use thiserror::Error;

use crate::config::general::{AuthClients, Tls};
use crate::link::tls::{self, CaVerifier, TlsFiles};

/// OpenSSL's names of the cipher suites that can be chosen.
const SUITES: [(&str, CipherSuite); 9] = [
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// Why the listener has no configuration.
#[derive(Debug, Error)]
pub(super) enum Error {
    #[error("No {0} configured!")]
    Missing(&'static str),
    #[error("tls-key-file-pass is set, but encrypted private keys are not supported: decrypt the key file")]
    EncryptedKey,
    #[error(
        "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-auth-clients is not 'no'!"
    )]
    NoCa,
    #[error("Failed to configure TLS: {0}")]
    Files(#[from] tls::Error),
    #[error("Failed to configure TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

/// Reads the files and makes a configuration of them.
pub(super) fn configure(options: &Tls) -> Result<Arc<ServerConfig>, Error> {
    let cert = options.cert_file.as_deref().ok_or(Error::Missing("tls-cert-file"))?;
    let key = options.key_file.as_deref().ok_or(Error::Missing("tls-key-file"))?;
    if options.key_file_pass.as_ref().is_some_and(|pass| !pass.is_empty()) {
        return Err(Error::EncryptedKey);
    }
    let provider = Arc::new(provider(options));
    let identity = tls::identity(cert, key, &provider)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&tls::versions(&options.protocols)?)?;
    let builder = match options.auth_clients {
        AuthClients::No => builder.with_no_client_auth(),
        AuthClients::Yes => builder.with_client_cert_verifier(Arc::new(verifier(options, &provider)?)),
        AuthClients::Optional => {
            builder.with_client_cert_verifier(Arc::new(verifier(options, &provider)?.optional()))
        }
    };
    Ok(Arc::new(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))))
}

fn verifier(options: &Tls, provider: &Arc<CryptoProvider>) -> Result<CaVerifier, Error> {
    if options.ca_cert_file.is_none() && options.ca_cert_dir.is_none() {
        return Err(Error::NoCa);
    }
    let files = TlsFiles {
        ca_cert_file: options.ca_cert_file.clone(),
        ca_cert_dir: options.ca_cert_dir.clone(),
        ..TlsFiles::default()
    };
    Ok(CaVerifier::new(tls::roots(&files)?, provider)?)
}

/// The suites that `tls-ciphers` (TLS 1.2) and `tls-ciphersuites` (TLS 1.3) name, in their order. A list without a
/// known name, such as OpenSSL's `DEFAULT`, leaves all suites of its version in.
fn provider(options: &Tls) -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    let all = provider.cipher_suites.clone();
    let choose = |list: &Option<String>, is_tls13: bool| {
        let of_version = all.iter().filter(|suite| suite.tls13().is_some() == is_tls13).copied();
        let known: Vec<_> = list
            .iter()
            .flat_map(|list| list.split([':', ',', ' ']))
            .filter_map(|name| SUITES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)))
            .filter_map(|(_, id)| of_version.clone().find(|suite| suite.suite() == *id))
            .collect();
        if known.is_empty() { of_version.collect() } else { known }
    };
    provider.cipher_suites = [choose(&options.ciphersuites, true), choose(&options.ciphers, false)].concat();
    provider
}
