//! Checking certificates against the CA, and against nothing else.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

use super::certificate::{Certificate, PublicKey};

/// Accepts what the CA has signed and is valid today, whatever name it bears, version 1 included.
#[derive(Debug)]
pub struct CaVerifier {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    /// Judges clients' certificates of version 3.
    clients: Arc<dyn ClientCertVerifier>,
    mandatory: bool,
}

impl CaVerifier {
    /// A verifier that trusts `roots`; as a verifier of clients it insists on a certificate.
    ///
    /// # Errors
    /// If there is no root.
    pub fn new(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        let roots = Arc::new(roots);
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        Ok(Self { roots, algorithms: provider.signature_verification_algorithms, clients, mandatory: true })
    }

    /// As a verifier of clients, let those without a certificate in.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { mandatory: false, ..self }
    }

    /// Check a certificate of version 1; `None` if it is of another.
    fn check_v1(&self, der: &CertificateDer<'_>, now: UnixTime) -> Option<Result<(), Error>> {
        let certificate = Certificate::parse(der)?;
        (certificate.version == 1)
            .then(|| self.check_parsed(&certificate, now).map_err(Error::InvalidCertificate))
    }

    fn check_parsed(&self, certificate: &Certificate<'_>, now: UnixTime) -> Result<(), CertificateError> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now < certificate.not_before {
            return Err(CertificateError::NotValidYet);
        }
        if now > certificate.not_after {
            return Err(CertificateError::Expired);
        }
        // A version 1 certificate can't be a CA's, so its signer is a root itself.
        let mut issuer_known = false;
        for root in self.roots.roots.iter().filter(|root| root.subject.as_ref() == certificate.issuer) {
            issuer_known = true;
            let Some(key) = PublicKey::parse(root.subject_public_key_info.as_ref()) else { continue };
            let signed = self.algorithms.all.iter().any(|algorithm| {
                algorithm.signature_alg_id().as_ref() == certificate.signature_algorithm
                    && algorithm.public_key_alg_id().as_ref() == key.algorithm
                    && algorithm.verify_signature(key.bits, certificate.signed, certificate.signature).is_ok()
            });
            if signed {
                return Ok(());
            }
        }
        Err(if issuer_known { CertificateError::BadSignature } else { CertificateError::UnknownIssuer })
    }

    /// Check a handshake's signature made with the key of a version 1 certificate, TLS 1.2.
    fn check_v1_tls12(
        &self,
        message: &[u8],
        certificate: &Certificate<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self
            .algorithms
            .mapping
            .iter()
            .filter(|(scheme, _)| *scheme == signed.scheme)
            .flat_map(|(_, algorithms)| algorithms.iter())
            .any(|algorithm| {
                algorithm.public_key_alg_id().as_ref() == certificate.key.algorithm
                    && algorithm.verify_signature(certificate.key.bits, message, signed.signature()).is_ok()
            });
        if verified {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::BadSignature))
        }
    }

    fn tls12(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match Certificate::parse(der) {
            Some(certificate) if certificate.version == 1 => {
                self.check_v1_tls12(message, &certificate, signed)
            }
            Some(_) | None => rustls::crypto::verify_tls12_signature(message, der, signed, &self.algorithms),
        }
    }

    fn tls13(
        &self,
        message: &[u8],
        der: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match Certificate::parse(der) {
            Some(certificate) if certificate.version == 1 => {
                rustls::crypto::verify_tls13_signature_with_raw_key(
                    message,
                    &SubjectPublicKeyInfoDer::from(certificate.key_info),
                    signed,
                    &self.algorithms,
                )
            }
            Some(_) | None => rustls::crypto::verify_tls13_signature(message, der, signed, &self.algorithms),
        }
    }
}

impl ServerCertVerifier for CaVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(verdict) = self.check_v1(end_entity, now) {
            return verdict.map(|()| ServerCertVerified::assertion());
        }
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for CaVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.check_v1(end_entity, now) {
            Some(verdict) => verdict.map(|()| ClientCertVerified::assertion()),
            None => self.clients.verify_client_cert(end_entity, intermediates, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
