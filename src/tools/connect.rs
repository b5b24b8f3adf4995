//! Connections of tools to a running server.

use std::io;
use std::time::Duration;

use redis_protocol::resp3::types::OwnedFrame;

use crate::config::server_url::ServerUrl;
use crate::config::tls_args::TlsArgs;
use crate::resp::{Client, Stream, connect_within};
use crate::tls::{Identity, client_config, client_stream};

/// Connects to the server at `url`, each step within `timeout`, and logs in where that has a password.
///
/// # Errors
/// Why not, in a sentence.
pub(super) fn connect(url: &ServerUrl, tls: &TlsArgs, timeout: Duration) -> Result<Client, String> {
    let mut client = open(url, tls, timeout).map_err(|error| error.to_string())?;
    if let Some(password) = &url.password {
        let words = [Some("AUTH"), url.user.as_deref(), Some(password)];
        ask(&mut client, &words.into_iter().flatten().collect::<Vec<_>>())?;
    }
    Ok(client)
}

/// The reply to these words, which is no error.
///
/// # Errors
/// The connection's, or the server's.
pub(super) fn ask(client: &mut Client, words: &[&str]) -> Result<OwnedFrame, String> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    match client.call(&words).map_err(|error| error.to_string())? {
        OwnedFrame::SimpleError { data, .. } => Err(data),
        OwnedFrame::BlobError { data, .. } => Err(String::from_utf8_lossy(&data).into_owned()),
        frame => Ok(frame),
    }
}

fn open(url: &ServerUrl, tls: &TlsArgs, timeout: Duration) -> io::Result<Client> {
    let socket = connect_within(url.socket(), timeout)?;
    let stream: Box<dyn Stream> = if url.is_tls {
        let identity = tls.cert.as_deref().zip(tls.key.as_deref());
        let identity = identity.map(|(cert, key)| Identity { cert, key });
        let config = client_config(&tls.ca, identity).map_err(io::Error::other)?;
        client_stream(&config, &url.host, socket)?
    } else {
        Box::new(socket)
    };
    let mut client = Client::over(stream);
    client.set_timeout(Some(timeout))?;
    Ok(client)
}
