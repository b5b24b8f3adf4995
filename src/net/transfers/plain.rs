//! Transfers by plain calls, one after the other.

use std::os::fd::{BorrowedFd, RawFd};

use rustix::net::{RecvFlags, recv, send};

use super::{Transfer, Transfers};
use crate::net::socket::{SEND_FLAGS, again};

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
    let fd = borrow(transfer.fd);
    transfer.moved = again(|| send(fd, &transfer.bytes, SEND_FLAGS));
}

fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: a transfer's socket is open until its call has returned.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
