//! Waiting for many sockets at once.

use std::io::{Error, Result};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// What is waited for at a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// That, or room to write.
    ReadWrite,
}

/// A set of sockets, each with a number.
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// Of no sockets; tells of at most `at_once` in one go.
    pub fn new(at_once: usize) -> Result<Self> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: the descriptor is fresh and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self {
            fd,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; at_once.max(1)],
        })
    }

    /// Adds a socket under a number.
    pub fn add(&self, socket: &TcpStream, number: usize) -> Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket, number, Interest::Read)
    }

    /// Waits for something else at a socket from now on.
    pub fn change(&self, socket: &TcpStream, number: usize, interest: Interest) -> Result<()> {
        self.control(libc::EPOLL_CTL_MOD, socket, number, interest)
    }

    fn control(&self, what: i32, socket: &TcpStream, number: usize, interest: Interest) -> Result<()> {
        let flags = match interest {
            Interest::Read => libc::EPOLLIN,
            Interest::ReadWrite => libc::EPOLLIN | libc::EPOLLOUT,
        };
        let mut event = libc::epoll_event {
            events: flags.cast_unsigned(),
            u64: number as u64,
        };
        // SAFETY: both descriptors are open, and the event outlives the call.
        match unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), what, socket.as_raw_fd(), &raw mut event) } {
            0 => Ok(()),
            _ => Err(Error::last_os_error()),
        }
    }

    /// Waits and puts the numbers of the sockets that are ready into `ready`.
    pub fn wait(&mut self, timeout_ms: i32, ready: &mut Vec<usize>) -> Result<()> {
        let room = i32::try_from(self.events.len()).unwrap_or(i32::MAX);
        // SAFETY: the pointer is to `room` events that nobody else touches meanwhile.
        let count = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), room, timeout_ms) };
        ready.clear();
        let Ok(count) = usize::try_from(count) else {
            let error = Error::last_os_error();
            return if error.kind() == std::io::ErrorKind::Interrupted {
                Ok(())
            } else {
                Err(error)
            };
        };
        let numbers = self.events.iter().take(count).map(|event| event.u64);
        ready.extend(numbers.filter_map(|number| usize::try_from(number).ok()));
        Ok(())
    }
}
