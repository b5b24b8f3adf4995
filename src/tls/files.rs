//! The files of certificates and keys: what is in them, and whether they have changed.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsError;
use crate::config::tls::Tls as Settings;

/// No file of certificates is larger: all public authorities together take a quarter of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The certificates of a file, at least one.
pub(super) fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let path = Path::new(path);
    let text = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.ok().filter(|certificates| !certificates.is_empty());
    certificates.ok_or_else(|| TlsError::NoCertificate(path.to_owned()))
}

/// The private key of a file.
pub(super) fn key(path: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    let path = Path::new(path);
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        let is_encrypted = text.windows(9).any(|part| part == b"ENCRYPTED");
        match is_encrypted {
            true => TlsError::EncryptedKey(path.to_owned()),
            false => TlsError::NoKey(path.to_owned()),
        }
    })
}

/// The authorities of the file and the folder that are configured.
pub(super) fn authorities(settings: &Settings) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let mut add = |path: &Path| -> Result<(), TlsError> {
        for certificate in certificates(&path.display().to_string())? {
            roots.add(certificate)?;
        }
        Ok(())
    };
    if !settings.ca_file.is_empty() {
        add(Path::new(&settings.ca_file))?;
    }
    if !settings.ca_dir.is_empty() {
        for path in folder(&settings.ca_dir)? {
            // Whatever else lies there is not meant.
            match add(&path) {
                Err(TlsError::NoCertificate(_) | TlsError::TooLarge(_)) => {}
                other => other?,
            }
        }
    }
    Ok(roots)
}

/// The files of a folder, in order of their names.
fn folder(path: &str) -> Result<Vec<PathBuf>, TlsError> {
    let failed = |error| TlsError::Read(PathBuf::from(path), error);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |error| TlsError::Read(path.to_owned(), error);
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(TlsError::TooLarge(path.to_owned()));
    }
    Ok(text)
}

/// What tells whether a file has been replaced or written to; `None`: there is none.
type Stamp = Option<(u64, i64, i64, u64)>;

/// The state of all files that are configured.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stamps(Vec<(PathBuf, Stamp)>);

impl Stamps {
    pub fn of(settings: &Settings) -> Self {
        let files = [&settings.cert_file, &settings.key_file, &settings.ca_file];
        let mut paths: Vec<PathBuf> = files
            .into_iter()
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .collect();
        if !settings.ca_dir.is_empty() {
            paths.push(PathBuf::from(&settings.ca_dir));
            paths.extend(folder(&settings.ca_dir).unwrap_or_default());
        }
        Self(paths.into_iter().map(|path| (path.clone(), stamp(&path))).collect())
    }
}

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()))
}
