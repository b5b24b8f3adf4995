//! The other server of MIGRATE: a connection that writes requests and reads short answers.
//!
//! **Invariants:** each step ends in time; an answer has at most `LINE_BYTES_MAX` bytes; there are at most
//! `SOCKETS_MAX` connections, whoever asks.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::commands::error::CmdError;

const SOCKETS_MAX: usize = 64;
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Written at a time, so that a large value that goes on its way is not taken for one that stands still.
const CHUNK_BYTES: usize = 64 * 1024;

static SOCKETS: Semaphore = Semaphore::const_new(SOCKETS_MAX);

const NOT_FOUND: CmdError = CmdError::text("IOERR error or timeout connecting to the client");
const NOT_WRITTEN: CmdError = CmdError::text("IOERR error or timeout writing to target instance");
// So says Redis.
const NOT_READ: CmdError = CmdError::text("IOERR error or timeout reading to target instance");

/// Who to be there.
pub(super) struct Login {
    pub user: Option<Vec<u8>>,
    pub password: Vec<u8>,
}

/// Where keys go.
pub(super) struct Target {
    pub host: Vec<u8>,
    pub port: Vec<u8>,
    pub database: i64,
    pub login: Option<Login>,
    /// For each step.
    pub timeout: Duration,
}

/// A connection to it.
pub(super) struct Connection {
    stream: TcpStream,
    timeout: Duration,
    /// Received, and not yet looked at.
    received: Vec<u8>,
    _permit: SemaphorePermit<'static>,
}

impl Target {
    /// Connects, logs in, and selects the database.
    ///
    /// # Errors
    /// It is not there in time, or refuses.
    pub async fn connect(self) -> Result<Connection, CmdError> {
        let host = String::from_utf8(self.host).map_err(|_| NOT_FOUND)?;
        let port = std::str::from_utf8(&self.port)
            .ok()
            .and_then(|port| port.parse::<u16>().ok());
        let port = port.ok_or(NOT_WRITTEN)?;
        let limit = self.timeout;
        let permit = timeout(limit, SOCKETS.acquire()).await;
        let permit = permit.map_err(|_| NOT_WRITTEN)?.map_err(|_| NOT_WRITTEN)?;
        let found = timeout(limit, tokio::net::lookup_host((host, port))).await;
        let addresses = found.map_err(|_| NOT_FOUND)?.map_err(|_| NOT_FOUND)?;
        let mut stream = None;
        for address in addresses {
            if let Ok(Ok(connected)) = timeout(limit, TcpStream::connect(address)).await {
                stream = Some(connected);
                break;
            }
        }
        let stream = stream.ok_or(NOT_WRITTEN)?;
        // Only speed depends on it.
        let _ = stream.set_nodelay(true);
        let mut connection = Connection {
            stream,
            timeout: limit,
            received: Vec::new(),
            _permit: permit,
        };
        if let Some(login) = &self.login {
            let mut parts: Vec<&[u8]> = vec![b"AUTH"];
            parts.extend(login.user.as_deref());
            parts.push(&login.password);
            connection.request(&parts).await?;
            connection.answer().await??;
        }
        let database = self.database.to_string();
        connection.request(&[b"SELECT", database.as_bytes()]).await?;
        connection.answer().await??;
        Ok(connection)
    }
}

impl Connection {
    /// Has the other server make a key.
    ///
    /// # Errors
    /// It does not take the request in time.
    pub async fn restore(&mut self, key: &[u8], ttl_ms: u64, payload: &[u8], replace: bool) -> Result<(), CmdError> {
        let ttl_ms = ttl_ms.to_string();
        let parts = [b"RESTORE", key, ttl_ms.as_bytes(), payload, b"REPLACE"];
        let count = if replace { parts.len() } else { parts.len() - 1 };
        self.request(parts.get(..count).unwrap_or_default()).await
    }

    async fn request(&mut self, parts: &[&[u8]]) -> Result<(), CmdError> {
        let mut head = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            head.extend(format!("${}\r\n", part.len()).into_bytes());
            if part.len() < CHUNK_BYTES {
                head.extend_from_slice(part);
            } else {
                self.write(&head).await?;
                self.write(part).await?;
                head.clear();
            }
            head.extend_from_slice(b"\r\n");
        }
        self.write(&head).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), CmdError> {
        for chunk in bytes.chunks(CHUNK_BYTES) {
            let written = timeout(self.timeout, self.stream.write_all(chunk)).await;
            written.map_err(|_| NOT_WRITTEN)?.map_err(|_| NOT_WRITTEN)?;
        }
        Ok(())
    }

    /// The next answer: whether it is `+OK`, or an error.
    ///
    /// # Errors
    /// None comes in time, or something else: whatever that is, it knows nothing of what was sent.
    pub async fn answer(&mut self) -> Result<Result<(), CmdError>, CmdError> {
        let line = timeout(self.timeout, self.line()).await;
        let line = line.map_err(|_| NOT_READ)?.map_err(|_| NOT_READ)?;
        match line.as_slice() {
            b"+OK" => Ok(Ok(())),
            [b'-', error @ ..] => Ok(Err(CmdError::Quoting(
                [b"ERR Target instance replied with error: ", error].concat(),
            ))),
            _ => Err(NOT_READ),
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.received.drain(..=end).collect();
                let Some(bytes) = line.strip_suffix(b"\r\n").map(<[u8]>::len) else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                line.truncate(bytes);
                return Ok(line);
            }
            if self.received.len() >= LINE_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut chunk = [0; 4096];
            let count = self.stream.read(&mut chunk).await?;
            let chunk = chunk.get(..count).filter(|chunk| !chunk.is_empty());
            self.received
                .extend_from_slice(chunk.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
    }
}
