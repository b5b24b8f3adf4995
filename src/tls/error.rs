//! Why TLS cannot be had as it is configured.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// See the module.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// A file is larger than any of its kind.
    TooLarge(PathBuf),
    /// A file has no certificate, or one that cannot be read.
    NoCertificate(PathBuf),
    /// A file has no private key that can be read.
    NoKey(PathBuf),
    /// The private key is encrypted.
    EncryptedKey(PathBuf),
    /// Clients' certificates cannot be checked.
    Verifier(String),
    /// Certificate, key and protocols do not go together.
    Refused(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(out, "{}: {error}", path.display()),
            Self::TooLarge(path) => write!(out, "{}: too large for a file of certificates", path.display()),
            Self::NoCertificate(path) => write!(out, "{}: no certificate in PEM form", path.display()),
            Self::NoKey(path) => write!(out, "{}: no private key in PEM form", path.display()),
            Self::EncryptedKey(path) => {
                write!(
                    out,
                    "{}: encrypted private keys cannot be read: decrypt it",
                    path.display()
                )
            }
            Self::Verifier(why) => write!(out, "clients' certificates cannot be checked: {why}"),
            Self::Refused(error) => write!(out, "{error}"),
        }
    }
}

impl std::error::Error for TlsError {}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Refused(error)
    }
}
