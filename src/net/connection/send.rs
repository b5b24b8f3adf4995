//! Sending replies: as much as the socket takes now; the rest when it has room again.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use super::Connection;

/// Slices sent at once.
const SLICES_MAX: usize = 64;

impl Connection {
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
                    self.cx.counters.net_output_bytes.add(sent as u64);
                    self.handle.note_traffic(0, sent as u64);
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
