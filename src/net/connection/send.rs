//! Sending replies: as much as the socket takes now; the rest when it has room again.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use super::Connection;
use crate::net::wire::Wire;

/// Slices sent at once.
const SLICES_MAX: usize = 64;

impl Connection {
    /// Whether there is something that the socket has not taken.
    pub(super) fn has_unsent(&mut self) -> bool {
        !self.session.reply().is_empty() || self.has_ciphertext()
    }

    /// Whether some of it is encrypted already.
    #[inline]
    pub(super) fn has_ciphertext(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|secured| !secured.stream.unsent().is_empty())
    }

    /// How much there is.
    pub(super) fn unsent_bytes(&mut self) -> usize {
        let encrypted = self.tls.as_ref().map_or(0, |secured| secured.stream.unsent().len());
        self.session.reply().len_bytes() + encrypted
    }

    /// Sends what the socket has room for; the connection is woken when there is room for the rest.
    ///
    /// # Errors
    /// When the client cannot be reached any more.
    pub(super) fn send(&mut self) -> io::Result<()> {
        while self.has_unsent() {
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
            let mut wire = Wire {
                socket: &self.socket,
                tls: self.tls.as_mut().map(|secured| &mut secured.stream),
                cx: &self.cx,
            };
            match wire.send(slices.get(..count).unwrap_or_default()) {
                Ok(0) if count > 0 => return Err(io::ErrorKind::WriteZero.into()),
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
