//! One type for TCP and Unix sockets.

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// How often a client that has sent something is asked whether it is still there.
const CLOSED_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// An accepted socket that has not been given to a worker yet.
pub enum Accepted {
    /// TCP.
    Tcp(std::net::TcpStream),
    /// Unix.
    Unix(std::os::unix::net::UnixStream),
}

/// A client's socket on its worker.
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

impl Stream {
    /// Registers an accepted, non-blocking socket with the worker's runtime.
    pub fn adopt(accepted: Accepted) -> io::Result<Self> {
        Ok(match accepted {
            Accepted::Tcp(socket) => Self::Tcp(TcpStream::from_std(socket)?),
            Accepted::Unix(socket) => Self::Unix(UnixStream::from_std(socket)?),
        })
    }

    /// Peer and local address as `CLIENT LIST` shows them.
    pub fn addresses(&self, unix_path: &str) -> (String, String) {
        match self {
            Self::Tcp(socket) => {
                let show = |addr: io::Result<std::net::SocketAddr>| addr.map_or("?:0".to_owned(), |a| a.to_string());
                (show(socket.peer_addr()), show(socket.local_addr()))
            }
            Self::Unix(_) => (format!("{unix_path}:0"), format!("{unix_path}:0")),
        }
    }

    /// Whether this is a Unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// The file descriptor, for `CLIENT LIST`.
    pub fn fd(&self) -> i32 {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Unix(socket) => socket.as_raw_fd(),
        }
    }

    /// Returns once the client has gone, or a little later when it has sent something before.
    pub async fn closed(&self) {
        loop {
            let ready = match self {
                Self::Tcp(socket) => socket.ready(Interest::READABLE).await,
                Self::Unix(socket) => socket.ready(Interest::READABLE).await,
            };
            if ready.is_ok_and(|ready| !ready.is_read_closed()) {
                tokio::time::sleep(CLOSED_CHECK_INTERVAL).await;
            } else {
                return;
            }
        }
    }

    /// Reads what has arrived.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Unix(socket) => Pin::new(socket).poll_read(cx, buf),
        }
    }

    /// Writes as much as the socket takes. One slice goes by the plain call, which costs the kernel less.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match (self, slices) {
            (Self::Tcp(socket), [slice]) => Pin::new(socket).poll_write(cx, slice),
            (Self::Unix(socket), [slice]) => Pin::new(socket).poll_write(cx, slice),
            (Self::Tcp(socket), _) => Pin::new(socket).poll_write_vectored(cx, slices),
            (Self::Unix(socket), _) => Pin::new(socket).poll_write_vectored(cx, slices),
        }
    }
}
