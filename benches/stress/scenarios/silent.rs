//! Connections that ask for nothing, or begin to ask and stop.

use super::super::common::Result;
use super::super::common::client::Client;
use super::super::common::server::Server;
use std::time::Duration;

const IDLE: usize = 5_000;
const HALF: usize = 200;

/// Holds many idle connections.
pub fn idle_connections(server: &Server, duration: Duration) -> Result<String> {
    let before = server.resident_bytes()?;
    let mut clients = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        clients.push(std::net::TcpStream::connect(server.address())?);
    }
    std::thread::sleep(duration);
    let each = server.resident_bytes()?.saturating_sub(before) / IDLE as u64;
    let mut last = Client::connect(server.address())?;
    last.call(&[b"PING"])?;
    Ok(format!("{each} bytes of RSS a connection"))
}

/// Each client announces a value of 512 MiB and sends its first kilobyte. A server that makes room for
/// what is announced, not for what came, is killed by this.
pub fn half_requests(server: &Server, duration: Duration) -> Result<String> {
    let mut request = b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$536870912\r\n".to_vec();
    request.resize(request.len() + 1024, b'x');
    let before = server.resident_bytes()?;
    let mut clients = Vec::with_capacity(HALF);
    for _ in 0..HALF {
        let mut client = Client::connect(server.address())?;
        client.send(&request)?;
        clients.push(client);
    }
    std::thread::sleep(duration);
    let each = server.resident_bytes()?.saturating_sub(before) / HALF as u64;
    Ok(format!("{each} bytes of RSS a client"))
}
