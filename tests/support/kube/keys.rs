//! Keys and certificates of a cluster's own authority.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// `ca.crt`, `server.crt`, `server.key`, `accounts.key` and `accounts.pub` in a folder.
#[derive(Debug)]
pub(crate) struct Keys {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Keys {
    /// Makes all of them; the server goes by `address` and by loopback's names.
    pub(crate) fn new(dir: &Path, address: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "vedette test cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        fs::write(dir.join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        let keys = Self { dir: dir.to_owned(), issuer: Issuer::new(params, key) };

        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        if !names.iter().any(|name| name == address) {
            names.push(address.to_owned());
        }
        let mut server = CertificateParams::new(names).unwrap();
        server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        keys.issue("server", server);

        let accounts = KeyPair::generate().unwrap();
        fs::write(dir.join("accounts.key"), accounts.serialize_pem()).unwrap();
        fs::write(dir.join("accounts.pub"), accounts.public_key_pem()).unwrap();
        keys
    }

    /// A client's certificate `NAME.crt` with its key `NAME.key`: the API server knows the bearer as that user.
    pub(crate) fn user(&self, name: &str) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(name, params);
        (self.path(&format!("{name}.crt")), self.path(&format!("{name}.key")))
    }

    /// A file by its name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn issue(&self, name: &str, params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}
