//! Receiving: into the connection's buffer, or straight into a big argument.
//!
//! **Invariant:** a buffer is taken from the worker's pool only once something is there, and given back as soon as all
//! in it has run; what stays of a request that is not whole is kept in memory of its own size.

use std::io;
use std::task::{Context, Poll};

use super::Connection;
use crate::net::wire::Wire;
use crate::resp::RequestParser;

/// Bytes received at once.
const RECEIVE_BYTES: usize = 64 * 1024;
/// So much of a request that is not whole yet is moved from buffer to buffer, rather than that it keeps a large one.
const MOVED_BYTES_MAX: usize = 16 * 1024;

/// A request of which so much has come is large, unless it is whole.
const LARGE_BYTES: u64 = 64 * 1024;
/// At most so much of a big argument is received at a time.
const BIG_RECEIVE_BYTES: usize = 256 * 1024;

/// What receiving brought.
pub(super) enum Received {
    /// Nothing; the connection is woken once something is there.
    Nothing,
    Bytes,
    /// The client sends no more.
    End,
}

impl Connection {
    /// Whether it is in the middle of a large request.
    pub(super) fn is_large(&mut self) -> bool {
        self.parser.big_bulk().is_some() || self.query_bytes() > LARGE_BYTES
    }

    /// Receives what has arrived, as much as there is room for. Where the room was filled there may be more: the
    /// connection is woken for it.
    pub(super) fn receive(&mut self) -> io::Result<Received> {
        loop {
            let received = self.receive_once()?;
            if self.has_ciphertext() {
                // An answer of the protocol.
                self.send()?;
            }
            if let Some(received) = received {
                return Ok(received);
            }
        }
    }

    /// Receives; `None`: nothing was there, but something may be by now.
    fn receive_once(&mut self) -> io::Result<Option<Received>> {
        let mut ready = None;
        if !std::mem::take(&mut self.is_unread) {
            match self.socket.poll_readable(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(readable) => ready = Some(readable?),
                Poll::Pending => return Ok(Some(Received::Nothing)),
            }
        }
        let wire = Wire {
            socket: &self.socket,
            tls: self.tls.as_mut().map(|secured| &mut secured.stream),
            cx: &self.cx,
        };
        let received = match self.parser.big_bulk() {
            Some(_) => receive_big(wire, &mut self.parser),
            None => receive_into(wire, &mut self.buf),
        };
        let (count, is_drained) = match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if let Some(mut ready) = ready {
                    ready.clear_ready();
                }
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                // There is more, and others' turn comes first.
                self.is_unread = true;
                self.waker.wake_by_ref();
                return Ok(Some(Received::Nothing));
            }
            other => other?,
        };
        match ready {
            Some(mut ready) if is_drained => ready.clear_ready(),
            _ => self.is_unread = true,
        }
        self.note_active();
        self.cx.counters.net_input_bytes.add(count as u64);
        self.handle.note_traffic(count as u64, 0);
        Ok(Some(if count == 0 { Received::End } else { Received::Bytes }))
    }

    /// Has the connection woken when something arrives; at once if something may be there already.
    pub(super) fn watch(&mut self) -> io::Result<()> {
        let mut cx = Context::from_waker(&self.waker);
        let may_receive = self.is_unread || matches!(self.socket.poll_readable(&mut cx)?, Poll::Ready(_));
        if may_receive {
            self.waker.wake_by_ref();
        }
        Ok(())
    }

    /// Whether the client of a request that waits has gone; woken when that changes. What it has sent stays.
    pub(super) fn has_left(&mut self) -> bool {
        let mut cx = Context::from_waker(&self.waker);
        loop {
            match self.socket.poll_readable(&mut cx) {
                Poll::Pending => return false,
                Poll::Ready(Err(_)) => return true,
                Poll::Ready(Ok(ready)) if ready.ready().is_read_closed() => return true,
                Poll::Ready(Ok(mut ready)) => {
                    self.is_unread = true;
                    ready.clear_ready();
                }
            }
        }
    }

    /// Lets go of the buffer, but for what is not run yet.
    pub(super) fn slim(&mut self) {
        if self.buf.len() > MOVED_BYTES_MAX {
            // Not for little: a request that is not whole may go on arriving.
            if self.buf.capacity() / 2 > self.buf.len() {
                self.buf.shrink_to_fit();
            }
            return;
        }
        if self.buf.capacity() == 0 {
            return;
        }
        let rest = self.buf.as_slice().to_vec();
        let mut buffer = std::mem::replace(&mut self.buf, rest);
        buffer.clear();
        self.cx.give_buffer(buffer);
    }
}

/// How many bytes came, and whether there are no more for now.
fn receive_into(mut wire: Wire<'_>, buf: &mut Vec<u8>) -> io::Result<(usize, bool)> {
    let (cx, mut pooled) = (wire.cx, None);
    if buf.capacity() - buf.len() < RECEIVE_BYTES {
        if buf.len() <= MOVED_BYTES_MAX {
            let mut room = cx.take_buffer();
            room.reserve(buf.len() + RECEIVE_BYTES);
            room.extend_from_slice(buf);
            pooled = Some(room);
        } else {
            buf.reserve(RECEIVE_BYTES);
        }
    }
    let into = pooled.as_mut().unwrap_or(&mut *buf);
    let room = into.spare_capacity_mut();
    // A buffer that has grown has room for more than a turn should take.
    let offered = room.len().min(RECEIVE_BYTES);
    let received = wire.receive(room.get_mut(..offered).unwrap_or_default());
    let before = into.len();
    match received {
        Ok((count, is_drained)) if count > 0 => {
            // SAFETY: the socket has initialised `count` bytes of the spare capacity.
            unsafe { into.set_len(before + count) };
            if let Some(pooled) = pooled {
                *buf = pooled;
            }
            Ok((count, is_drained))
        }
        nothing => {
            if let Some(mut pooled) = pooled {
                pooled.clear();
                cx.give_buffer(pooled);
            }
            nothing
        }
    }
}

fn receive_big(mut wire: Wire<'_>, parser: &mut RequestParser) -> io::Result<(usize, bool)> {
    let Some(big) = parser.big_bulk() else {
        return Ok((0, true));
    };
    let received = big.fill_with(|room| {
        let offered = room.remaining().min(BIG_RECEIVE_BYTES);
        // SAFETY: the socket only ever writes initialised bytes into the room.
        let unfilled = unsafe { room.unfilled_mut() };
        let (count, is_drained) = wire.receive(unfilled.get_mut(..offered).unwrap_or_default())?;
        // SAFETY: the first `count` bytes of the room have been received.
        unsafe { room.assume_init(count) };
        room.advance(count);
        Ok((count, is_drained))
    });
    received.map_err(io::Error::other)?
}
