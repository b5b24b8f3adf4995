//! What a turn moves between its sockets and memory: all receives together, and all sends together.
//!
//! **Invariants**
//! - Nothing waits: what cannot be done at once ends with [`io::ErrorKind::WouldBlock`].
//! - A transfer owns its bytes while it is under way, and no transfer outlives the call.

mod plain;
mod ring;

use std::io;
use std::os::fd::RawFd;

pub use plain::Plain;
pub use ring::Ring;

/// Bytes received at once.
pub const RECEIVE_BYTES: usize = 64 * 1024;

/// One receive or send.
pub struct Transfer {
    /// Whose it is.
    pub index: usize,
    /// An open socket.
    pub fd: RawFd,
    /// Where what is received goes to: into its free room. Or what is sent.
    pub bytes: Vec<u8>,
    /// How many bytes were moved.
    pub moved: io::Result<usize>,
}

impl Transfer {
    /// One that has not been done.
    pub fn new(index: usize, fd: RawFd, bytes: Vec<u8>) -> Self {
        Self {
            index,
            fd,
            bytes,
            moved: Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// A way to do a turn's transfers.
pub trait Transfers {
    /// Whether this is a ring.
    fn is_ring(&self) -> bool;

    /// Receives, for each, what there is room for in its bytes; they get longer by what was moved. 0 = the end.
    fn receive(&mut self, transfers: &mut [Transfer]);

    /// Sends of each's bytes what the socket takes.
    fn send(&mut self, transfers: &mut [Transfer]);
}

/// The way that the configuration asks for: by a ring if the system lets us have one, unless `ring` is "no".
pub fn choose(may_use_ring: bool) -> Box<dyn Transfers> {
    let ring = if may_use_ring { Ring::new() } else { None };
    match ring {
        Some(ring) => Box::new(ring),
        None => Box::new(Plain),
    }
}
