//! TLS clients that greet the server: one after the other as fast as it goes, or many that stay.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::common::Result;
use crate::files::Files;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Threads that greet: more only take the server's core.
const THREADS: usize = 2;

/// A client that has been greeted.
pub type Greeted = StreamOwned<ClientConnection, TcpStream>;

/// What clients need, without sessions: each handshake is a whole one.
pub fn config(files: &Files) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(files.der.clone())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// A socket.
pub fn socket(port: u16) -> Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    Ok(socket)
}

/// Connects, and asks for a sign of life.
pub fn connect(port: u16, config: &Arc<ClientConfig>) -> Result<Greeted> {
    let client = ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost")?)?;
    let mut stream = StreamOwned::new(client, socket(port)?);
    ask(&mut stream, b"PING\r\n", b"+PONG\r\n")?;
    Ok(stream)
}

/// One request, and its reply.
pub fn ask(stream: &mut (impl Read + Write), request: &[u8], reply: &[u8]) -> Result<()> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut got = vec![0; reply.len()];
    stream.read_exact(&mut got)?;
    if got == reply {
        return Ok(());
    }
    Err(format!("answered {:?}", String::from_utf8_lossy(&got)).into())
}

/// How many clients have been greeted and answered within the time.
pub fn handshakes(port: u16, files: &Files, time: Duration) -> Result<f64> {
    let config = config(files)?;
    let until = Instant::now() + time;
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let config = Arc::clone(&config);
            std::thread::spawn(move || -> Result<u32> {
                let mut count = 0;
                while Instant::now() < until {
                    connect(port, &config)?;
                    count += 1;
                }
                Ok(count)
            })
        })
        .collect();
    let mut all = 0;
    for thread in threads {
        all += thread.join().map_err(|_| "a client died")??;
    }
    Ok(f64::from(all))
}

/// So many clients that are greeted and stay.
pub fn connect_many(port: u16, files: &Files, count: usize) -> Result<Vec<Greeted>> {
    let config = config(files)?;
    (0..count).map(|_| connect(port, &config)).collect()
}
