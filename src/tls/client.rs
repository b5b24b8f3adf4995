//! What this program agrees on with servers that it connects to itself.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::error::TlsError;
use super::files;
use crate::resp::Stream;

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

impl<S: Stream> Stream for StreamOwned<ClientConnection, S> {
    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.sock.set_timeout(timeout)
    }
}

/// What goes through `socket` to a server of this name, encrypted.
///
/// # Errors
/// The name cannot be that of a server.
pub fn client_stream<S>(config: &Arc<ClientConfig>, host: &str, socket: S) -> io::Result<Box<dyn Stream>>
where
    S: Stream + 'static,
{
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    Ok(Box::new(StreamOwned::new(session, socket)))
}
