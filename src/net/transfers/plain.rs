//! Transfers by plain calls, one after the other.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::{Transfer, Transfers};

/// See the module.
pub struct Plain;

impl Transfers for Plain {
    fn is_ring(&self) -> bool {
        false
    }

    fn receive(&mut self, transfers: &mut [Transfer]) {
        transfers.iter_mut().for_each(receive);
    }

    fn send(&mut self, transfers: &mut [Transfer]) {
        transfers.iter_mut().for_each(send_one);
    }
}

/// Receives by a plain call.
pub(super) fn receive(transfer: &mut Transfer) {
    let fd = borrow(transfer.fd);
    transfer.moved = again(|| {
        let room = rustix::buffer::spare_capacity(&mut transfer.bytes);
        recv(fd, room, RecvFlags::DONTWAIT).map(|(moved, _)| moved)
    });
}

/// Sends by a plain call.
pub(super) fn send_one(transfer: &mut Transfer) {
    const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
    let fd = borrow(transfer.fd);
    transfer.moved = again(|| send(fd, &transfer.bytes, FLAGS));
}

fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: a transfer's socket is open until its call has returned.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Repeats a call that a signal has interrupted.
fn again(mut call: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            moved => return moved.map_err(io::Error::from),
        }
    }
}
