//! Authorities and certificates made for a test, and the files that a server reads them from.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    pub der: CertificateDer<'static>,
}

/// A certificate with its key.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub cert_pem: String,
    pub key_pem: String,
    key_der: Vec<u8>,
}

/// What is unusual about a client's certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    Nothing,
    Expired,
    NotYet,
    ForServers,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        Authority {
            pem: cert.pem(),
            der: cert.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// For a server on this machine; the serial number tells its certificates apart.
    pub fn server(&self, serial: u64) -> Identity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = named("server");
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_after = date_time_ymd(2099, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// For a client of this name.
    pub fn client(&self, name: &str, odd: Odd) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        match odd {
            Odd::Expired => params.not_after = date_time_ymd(2001, 1, 1),
            Odd::NotYet => params.not_before = date_time_ymd(2098, 1, 1),
            Odd::Nothing | Odd::ForServers => {}
        }
        params.extended_key_usages = vec![match odd {
            Odd::ForServers => ExtendedKeyUsagePurpose::ServerAuth,
            _ => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![cert.der().clone()],
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
            key_der: key.serialize_der(),
        }
    }
}

impl Identity {
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key_der.clone()).into()
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// The files that a server is given.
pub struct Files(TempDir);

impl Files {
    /// A server's certificate and key, and the authority of its clients.
    pub fn new(identity: &Identity, clients: &Authority) -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        files.put(identity);
        files.write("ca.pem", &clients.pem);
        files
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces the server's certificate and key.
    pub fn put(&self, identity: &Identity) {
        self.write("key.pem", &identity.key_pem);
        self.write("cert.pem", &identity.cert_pem);
    }

    /// Replaces a file as a whole, as tools do that renew certificates.
    pub fn write(&self, name: &str, text: &str) {
        let fresh = self.path(&format!(".{name}"));
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, self.path(name)).unwrap();
    }

    /// The settings of a server that uses them, on this port.
    pub fn settings(&self, port: u16) -> Vec<String> {
        let file = |key: &str, name: &str| format!("tls.{key}={}", self.path(name).display());
        vec![
            format!("tls.port={port}"),
            file("cert_file", "cert.pem"),
            file("key_file", "key.pem"),
            file("ca_file", "ca.pem"),
        ]
    }
}
