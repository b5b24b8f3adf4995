//! `lokikv ping`: asks a running server whether it is alive, and ready.

use std::path::Path;

use redis_protocol::resp3::types::{OwnedFrame, Resp3Frame};

use super::Output;
use super::cli::fail;
use super::connect::connect;
use crate::config::cli::{EXIT_FAILURE, EXIT_LOADING, EXIT_OK, PingArgs};
use crate::config::server_url::ServerUrl;
use crate::resp::Client;

/// Asks. A server that asks for a password, where none is given, is taken to be ready, one that refuses writes is not.
/// One that is loading has an exit code of its own, so that who restarts what is dead does not end a load, and who
/// sends clients waits for its end.
pub fn ping(args: &PingArgs) -> u8 {
    let (target, answer) = match (&args.unixsocket, &args.url) {
        (Some(path), _) => (path.display().to_string(), by_path(path, args)),
        (None, Some(url)) => (url.to_string(), by_url(url, args)),
        (None, None) => {
            let url = ServerUrl::plain(&args.host, args.port);
            (format!("{}:{}", args.host, args.port), by_url(&url, args))
        }
    };
    let frame = match answer {
        Ok(frame) => frame,
        Err(why) => return fail(&format!("{target}: {why}")),
    };
    let text = frame.as_str().unwrap_or("alive");
    let mut out = Output::default();
    out.line(format_args!("{target}: {text}"));
    out.finish(match text.split(' ').next() {
        Some("LOADING") => EXIT_LOADING,
        Some("MISCONF") => EXIT_FAILURE,
        _ => EXIT_OK,
    })
}

fn by_path(path: &Path, args: &PingArgs) -> Result<OwnedFrame, String> {
    let client = Client::connect(&path.display().to_string());
    let answer = client.and_then(|mut client| {
        client.set_timeout(Some(args.timeout()))?;
        client.call(&[b"PING"])
    });
    answer.map_err(|error| error.to_string())
}

fn by_url(url: &ServerUrl, args: &PingArgs) -> Result<OwnedFrame, String> {
    let mut client = connect(url, &args.tls, args.timeout())?;
    client.call(&[b"PING"]).map_err(|error| error.to_string())
}
