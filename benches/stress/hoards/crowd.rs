//! Clients that send and never read, all of them by one thread.
//!
//! **Invariant**: nothing of what the server answers is taken from a socket before its memory has been measured, so the
//! server has to keep what it cannot get rid of.

use super::super::common::Result;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Clients that got nowhere for this long are left alone.
const STUCK: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(5);
/// More than the system keeps between a server that has closed a connection and a client that has not read.
const KEPT_BYTES: usize = 32 * 1024 * 1024;
const READ_BYTES: usize = 1024 * 1024;

/// Bytes, and how many times they are sent.
#[derive(Clone)]
pub struct Part(pub Arc<[u8]>, pub u64);

impl Part {
    /// Sent once.
    pub fn once(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into(), 1)
    }

    /// Sent so many times.
    pub fn times(bytes: impl Into<Arc<[u8]>>, times: u64) -> Self {
        Self(bytes.into(), times)
    }
}

/// Open connections.
#[derive(Default)]
pub struct Crowd {
    members: Vec<TcpStream>,
    /// Others that have to be there, and whose fate does not matter.
    neighbours: Vec<TcpStream>,
}

/// How far one of them has got with what it sends.
#[derive(Default)]
struct Progress {
    part: usize,
    times: u64,
    at: usize,
    over: bool,
}

/// What became of them.
pub struct Fates {
    members: usize,
    closed: usize,
    error: Option<String>,
}

impl Crowd {
    /// Connects so many.
    pub fn connect(address: SocketAddr, count: usize) -> Result<Self> {
        let mut crowd = Self::default();
        for _ in 0..count {
            let stream = TcpStream::connect_timeout(&address, CONNECT)?;
            stream.set_nonblocking(true)?;
            crowd.members.push(stream);
        }
        Ok(crowd)
    }

    /// One that is connected already.
    pub fn of(stream: TcpStream) -> Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            members: vec![stream],
            ..Self::default()
        })
    }

    /// Takes others in.
    pub fn join(&mut self, others: Self) {
        self.members.extend(others.members);
    }

    /// Keeps others connected for as long as these are.
    pub fn keep(&mut self, others: Self) {
        self.neighbours.extend(others.members);
    }

    /// All of them send this, until it is sent, or none of those that are left gets on.
    pub fn send(&mut self, parts: &[Part]) -> Result<()> {
        let mut all: Vec<Progress> = self.members.iter().map(|_| Progress::default()).collect();
        let mut last = Instant::now();
        while last.elapsed() < STUCK && all.iter().any(|progress| !progress.over) {
            let mut moved = false;
            for (stream, progress) in self.members.iter_mut().zip(&mut all) {
                moved |= progress.push(stream, parts)?;
            }
            if moved {
                last = Instant::now();
            } else {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Ok(())
    }

    /// What has become of each by now. A connection's end is behind what was answered before: that is read.
    pub fn fates(&mut self) -> Result<Fates> {
        let error = self.members.iter().find_map(first_error);
        self.drain();
        let mut polled: Vec<libc::pollfd> = self.members.iter().map(watched).collect();
        let count = libc::nfds_t::try_from(polled.len())?;
        // SAFETY: the pointer is to `count` entries that nobody else touches meanwhile.
        if unsafe { libc::poll(polled.as_mut_ptr(), count, 0) } < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        let gone = libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR;
        Ok(Fates {
            members: polled.len(),
            closed: polled.iter().filter(|entry| entry.revents & gone != 0).count(),
            error,
        })
    }

    /// Reads until nothing comes any more, or more has come than the system keeps.
    fn drain(&mut self) {
        let mut buffer = vec![0; READ_BYTES];
        let mut taken = vec![0; self.members.len()];
        let mut last = Instant::now();
        while last.elapsed() < Duration::from_millis(100) {
            for (stream, taken) in self.members.iter_mut().zip(&mut taken) {
                if *taken > KEPT_BYTES {
                    continue;
                }
                // No bytes, or an error: the end, which is looked for afterwards.
                if let Ok(len @ 1..) = stream.read(&mut buffer) {
                    *taken += len;
                    last = Instant::now();
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Progress {
    /// Sends until the socket takes no more; whether it took anything.
    fn push(&mut self, stream: &mut TcpStream, parts: &[Part]) -> Result<bool> {
        let mut moved = false;
        while !self.over {
            let Some(Part(bytes, times)) = parts.get(self.part) else {
                self.over = true;
                break;
            };
            if self.times == *times {
                (self.part, self.times) = (self.part + 1, 0);
                continue;
            }
            match stream.write(bytes.get(self.at..).unwrap_or_default()) {
                Ok(len) => {
                    moved = true;
                    self.at += len;
                    if self.at == bytes.len() {
                        (self.at, self.times) = (0, self.times + 1);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if is_disconnect(error.kind()) => self.over = true,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(moved)
    }
}

impl std::fmt::Display for Fates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.members, self.closed) {
            (0, _) => write!(f, "–")?,
            (1, 0) => write!(f, "left open")?,
            (1, _) => write!(f, "closed")?,
            (all, closed) => write!(f, "{closed} of {all} closed")?,
        }
        match &self.error {
            Some(error) => write!(f, ", `{error}`"),
            None => Ok(()),
        }
    }
}

fn watched(stream: &TcpStream) -> libc::pollfd {
    libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLRDHUP,
        revents: 0,
    }
}

/// The error that begins what the server has answered, if one does.
fn first_error(stream: &TcpStream) -> Option<String> {
    let mut bytes = [0; 80];
    let len = stream.peek(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(bytes.get(..len)?).into_owned();
    let line = text.strip_prefix('-')?.lines().next()?;
    Some(line.to_owned())
}

fn is_disconnect(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
    )
}
