//! What this program agrees on with servers that it connects to itself.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;

use super::error::TlsError;
use super::files;

/// Certificate and private key by which a client shows who it is.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'p> {
    /// The file of the certificate and those between it and an authority.
    pub cert: &'p Path,
    /// The file of the private key.
    pub key: &'p Path,
}

/// Terms for servers whose certificates the authorities in the file `ca` stand for.
///
/// # Errors
/// A file cannot be read or used.
pub fn client_config(ca: &Path, identity: Option<Identity<'_>>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    // A bundle of all public authorities may have some that are not understood; what is left of it counts.
    roots.add_parsable_certificates(files::certificates(&ca.display().to_string())?);
    if roots.is_empty() {
        return Err(TlsError::NoCertificate(ca.to_owned()));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { cert, key }) => {
            let chain = files::certificates(&cert.display().to_string())?;
            builder.with_client_auth_cert(chain, files::key(&key.display().to_string())?)?
        }
    };
    Ok(Arc::new(config))
}
