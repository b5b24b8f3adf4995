//! A client's socket, TCP or Unix: readiness is tokio's, sending and receiving are plain calls that never wait.
//!
//! **Invariant:** readiness is cleared with a guard that was taken before the call which found nothing, or in the same
//! turn as that call: bytes that arrive in between set it anew.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use crate::tls::Terms;

/// How sockets are sent to: without waiting, and without a signal when the client is gone.
pub const SEND_FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// An accepted socket that has not been given to a worker yet.
pub enum Accepted {
    /// TCP.
    Tcp(TcpStream),
    /// TCP over which TLS is to be spoken, on these terms.
    Tls(TcpStream, Terms),
    /// Unix, by this path.
    Unix(UnixStream, Arc<str>),
}

/// See the module.
pub struct Socket {
    fd: AsyncFd<OwnedFd>,
    is_unix: bool,
}

/// A socket that is a worker's.
pub struct Adopted {
    /// It.
    pub socket: Socket,
    /// Its peer's and its own address as `CLIENT LIST` shows them.
    pub addresses: [String; 2],
    /// On which TLS is to be spoken over it, if it is.
    pub terms: Option<Terms>,
}

/// That a socket may be ready; to be cleared when it turns out that it is not.
pub type Ready<'a> = AsyncFdReadyGuard<'a, OwnedFd>;

impl Socket {
    /// Registers an accepted, non-blocking socket with the calling worker's runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub fn adopt(accepted: Accepted) -> io::Result<Adopted> {
        let shown = |addr: io::Result<std::net::SocketAddr>| addr.map_or("?:0".to_owned(), |addr| addr.to_string());
        let of_tcp = |socket: &TcpStream| [shown(socket.peer_addr()), shown(socket.local_addr())];
        let (fd, is_unix, addresses, terms) = match accepted {
            Accepted::Tcp(socket) => {
                let addresses = of_tcp(&socket);
                (OwnedFd::from(socket), false, addresses, None)
            }
            Accepted::Tls(socket, terms) => {
                let addresses = of_tcp(&socket);
                (OwnedFd::from(socket), false, addresses, Some(terms))
            }
            Accepted::Unix(socket, path) => {
                let address = format!("{path}:0");
                (OwnedFd::from(socket), true, [address.clone(), address], None)
            }
        };
        // SAFETY: the descriptor is owned, so it is open and stays the same as long as `fd` has it.
        let fd = unsafe { AsyncFd::register(fd) }?;
        Ok(Adopted {
            socket: Self { fd, is_unix },
            addresses,
            terms,
        })
    }

    /// Whether this is a Unix socket.
    pub fn is_unix(&self) -> bool {
        self.is_unix
    }

    /// The file descriptor, for `CLIENT LIST`.
    pub fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Whether there may be something to receive; else the waker is woken once there is.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready<'_>>> {
        self.fd.poll_read_ready(cx)
    }

    /// Whether there may be room for what is to be sent; else the waker is woken once there is.
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready<'_>>> {
        self.fd.poll_write_ready(cx)
    }

    /// Receives into `room` what has arrived; how many of its first bytes are filled. 0 = the client sends no more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there, and what the socket says.
    pub fn receive(&self, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        again(|| recv(self.fd.as_fd(), &mut *room, RecvFlags::DONTWAIT).map(|(_, count)| count))
    }

    /// Sends as much of `slices` as there is room for. One slice goes by the plain call, which costs the kernel less.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none, and what the socket says.
    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [slice] => again(|| send(self.fd.as_fd(), slice, SEND_FLAGS)),
            _ => again(|| sendmsg(self.fd.as_fd(), slices, &mut SendAncillaryBuffer::default(), SEND_FLAGS)),
        }
    }
}

/// Repeats a call that a signal has interrupted.
pub fn again<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}
