//! Certificates for the servers, and what their programs are told of them.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use crate::common::Result;
use crate::common::server::Program;

/// See the module.
pub struct Files {
    dir: TempDir,
    /// The authority that has signed the server's certificate.
    pub der: CertificateDer<'static>,
}

impl Files {
    /// Makes an authority and a certificate for a server on this machine.
    pub fn make() -> Result<Self> {
        let mut of_authority = CertificateParams::default();
        // Of a name of its own: whoever finds a certificate signed by its own name takes it for one that signs itself.
        of_authority.distinguished_name = DistinguishedName::new();
        of_authority.distinguished_name.push(DnType::CommonName, "authority");
        of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let authority = of_authority.self_signed(&key)?;
        let issuer = Issuer::new(of_authority, key);
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &issuer)?;
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join("ca.pem"), authority.pem())?;
        std::fs::write(dir.path().join("cert.pem"), certificate.pem())?;
        std::fs::write(dir.path().join("key.pem"), key.serialize_pem())?;
        Ok(Self {
            dir,
            der: authority.der().clone(),
        })
    }

    /// The authority's file.
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// What a program is to be told so that it serves TLS on this port.
    pub fn arguments(&self, program: &Program, port: u16) -> Vec<String> {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let settings = [
            ("port", port.to_string()),
            ("cert-file", path("cert.pem")),
            ("key-file", path("key.pem")),
            ("auth-clients", "no".to_owned()),
        ];
        let pair = |(name, value): (&str, String)| match program {
            Program::Redis(_) => [format!("--tls-{name}"), value],
            Program::LokiKv(_) => ["--set".to_owned(), format!("tls.{}={value}", name.replace('-', "_"))],
        };
        let mut arguments: Vec<String> = settings.into_iter().flat_map(pair).collect();
        if matches!(program, Program::Redis(_)) {
            arguments.extend(["--tls-ca-cert-file".to_owned(), path("ca.pem")]);
        }
        arguments
    }
}
