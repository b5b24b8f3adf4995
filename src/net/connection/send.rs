//! Sending replies: as much as the socket takes now; the rest when it has room again.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use super::Connection;
use crate::net::transfers::Transfer;

/// Slices sent at once.
const SLICES_MAX: usize = 64;

impl Connection {
    /// A send of all replies, to be done together with others', if they are in one piece and there may be room.
    pub fn start_send(&mut self, index: usize) -> Option<Transfer> {
        if self.is_stuck || self.handle.is_killed() || self.session.reply().is_over_limit() {
            return None;
        }
        let lent = self.session.reply().lend()?;
        Some(Transfer::new(index, self.socket.number(), lent))
    }

    /// The send has been done. What it did not send, or why, the next one will tell.
    pub fn end_send(&mut self, transfer: Transfer) {
        let reply = self.session.reply();
        reply.put_back(transfer.bytes);
        if let Ok(sent) = transfer.moved {
            reply.advance(sent);
            self.cx.worker.borrow().counters().net_output_bytes.add(sent as u64);
        }
    }

    /// Sends what the socket has room for; the connection is woken when there is room for the rest.
    ///
    /// # Errors
    /// When the client cannot be reached any more.
    pub(super) fn send(&mut self) -> io::Result<()> {
        while !self.session.reply().is_empty() {
            let ready = if self.is_stuck {
                let mut cx = Context::from_waker(&self.waker);
                match self.socket.poll_writable(&mut cx)? {
                    Poll::Ready(ready) => Some(ready),
                    Poll::Pending => return Ok(()),
                }
            } else {
                None
            };
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.session.reply().io_slices(&mut slices);
            match self.socket.send(slices.get(..count).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => {
                    self.is_stuck = false;
                    self.note_active();
                    self.session.reply().advance(sent);
                    self.cx.worker.borrow().counters().net_output_bytes.add(sent as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Asked for room from here on, and tried again: some may have come meanwhile.
                    self.is_stuck = true;
                    if let Some(mut ready) = ready {
                        ready.clear_ready();
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
