//! A client that asks for far more than it reads.

use super::super::common::Result;
use super::super::common::client::{Client, encode, encode_into};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const VALUE_BYTES: usize = 1024 * 1024;
const REQUESTS: usize = 1024;

/// Pipelines GETs of a 1 MiB value and never reads a reply.
pub fn run(address: SocketAddr, duration: Duration) -> Result<String> {
    let mut writer = Client::connect(address)?;
    writer.call(&[b"SET", b"wide", &vec![b'x'; VALUE_BYTES]])?;
    let client = Client::connect(address)?;
    let mut requests = Vec::new();
    for _ in 0..REQUESTS {
        encode_into(&mut requests, &[b"GET", b"wide"]);
    }
    let start = Instant::now();
    let sent = send_unread(&client, &requests, duration)?;
    std::thread::sleep(duration.saturating_sub(start.elapsed()));
    let one = encode(&[b"GET", b"wide"]).len();
    let closed = if is_closed(&client) {
        "closed by the server"
    } else {
        "left open"
    };
    Ok(format!("{} of {REQUESTS} requests taken, {closed}", sent / one))
}

/// How many bytes the server took before it stopped taking any, or the time was up.
fn send_unread(client: &Client, requests: &[u8], duration: Duration) -> Result<usize> {
    let mut stream = client.stream();
    stream.set_nonblocking(true)?;
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < duration {
        let Some(rest) = requests.get(sent..).filter(|rest| !rest.is_empty()) else {
            break;
        };
        match stream.write(rest) {
            Ok(len) => sent += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) if is_disconnect(error.kind()) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sent)
}

/// Sends one byte more of a request: a connection that the server has closed refuses it.
fn is_closed(client: &Client) -> bool {
    let mut stream = client.stream();
    for _ in 0..2 {
        match stream.write(b"*") {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return true,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    false
}

fn is_disconnect(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
    )
}
