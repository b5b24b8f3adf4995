//! How a connection's bytes come and go: as they are over its socket, or through TLS.
//!
//! **Invariant:** whatever is received or sent here is plain text; how much of it there is beside the socket is known
//! to the stream alone.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;

use super::socket::Socket;
use super::tls::{Fault, Sink, TlsStream};
use crate::session::WorkerCx;

/// Ciphertext received at once.
const RECEIVE_BYTES: usize = 64 * 1024;

const NO_TLS: &[u8] =
    b"-ERR this port speaks TLS: connect with TLS (redis-cli --tls), or to a port without (server.port)\r\n";

/// See the module.
pub struct Wire<'a> {
    /// What the kernel has of it.
    pub socket: &'a Socket,
    /// TLS, if it is spoken.
    pub tls: Option<&'a mut TlsStream>,
    /// Whose buffers are borrowed.
    pub cx: &'a WorkerCx,
}

impl Wire<'_> {
    /// Receives into `room`: how many bytes, 0 = the client sends no more; and whether that was all there is for now.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there, [`io::ErrorKind::Interrupted`] when what was there is no
    /// plain text and there may be more, what the socket says, and a [`Fault`] that ends the stream.
    #[inline]
    pub fn receive(&mut self, room: &mut [MaybeUninit<u8>]) -> io::Result<(usize, bool)> {
        match &mut self.tls {
            None => {
                let offered = room.len();
                self.socket.receive(room).map(|count| (count, count < offered))
            }
            Some(tls) => receive_tls(self.socket, tls, room, self.cx),
        }
    }

    /// Sends some of `slices`, and what is to be sent before them: how many bytes of them have been taken. They may be
    /// on their way only: there is more to send as long as the stream says so.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the socket has no room, and what it says.
    #[inline]
    pub fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.send(slices),
            Some(tls) => send_tls(self.socket, tls, slices, self.cx),
        }
    }
}

fn receive_tls(
    socket: &Socket,
    tls: &mut TlsStream,
    room: &mut [MaybeUninit<u8>],
    cx: &WorkerCx,
) -> io::Result<(usize, bool)> {
    let mut sink = Sink::new(room);
    tls.take_plain(&mut sink);
    if sink.filled() > 0 {
        return Ok((sink.filled(), false));
    }
    if tls.is_closed() {
        return Ok((0, true));
    }
    let mut buffer = cx.take_buffer();
    let received = receive_ciphertext(socket, tls, &mut buffer, &mut sink);
    buffer.clear();
    cx.give_buffer(buffer);
    let is_drained = received? && !tls.has_more() && !tls.is_closed();
    match (sink.filled(), tls.is_closed()) {
        (0, false) if is_drained => Err(io::ErrorKind::WouldBlock.into()),
        (0, false) => Err(io::ErrorKind::Interrupted.into()),
        (count, _) => Ok((count, is_drained)),
    }
}

/// Receives once, and takes it in; whether the socket had no more.
fn receive_ciphertext(
    socket: &Socket,
    tls: &mut TlsStream,
    buffer: &mut Vec<u8>,
    sink: &mut Sink<'_>,
) -> io::Result<bool> {
    buffer.reserve(tls.unfinished().len() + RECEIVE_BYTES);
    buffer.extend_from_slice(tls.unfinished());
    let before = buffer.len();
    let room = buffer.spare_capacity_mut();
    let count = socket.receive(room.get_mut(..RECEIVE_BYTES).unwrap_or_default())?;
    if count == 0 {
        tls.end();
        return Ok(true);
    }
    // SAFETY: the socket has initialised `count` bytes of the spare capacity.
    unsafe { buffer.set_len(before + count) };
    tls.receive(buffer, sink).map_err(|fault| {
        // The last words, if they fit in.
        let words = match fault {
            Fault::PlainText => NO_TLS,
            Fault::Tls(_) | Fault::TooMuch => tls.unsent(),
        };
        let _ = socket.send(&[IoSlice::new(words)]);
        io::Error::new(io::ErrorKind::InvalidData, fault)
    })?;
    Ok(count < RECEIVE_BYTES)
}

fn send_tls(socket: &Socket, tls: &mut TlsStream, slices: &[IoSlice<'_>], cx: &WorkerCx) -> io::Result<usize> {
    flush(socket, tls)?;
    if slices.is_empty() {
        return Ok(0);
    }
    let mut gathered = cx.take_buffer();
    let taken = tls.encrypt(slices, &mut gathered);
    gathered.clear();
    cx.give_buffer(gathered);
    match flush(socket, tls) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => taken,
    }
}

/// Sends all that is encrypted.
fn flush(socket: &Socket, tls: &mut TlsStream) -> io::Result<()> {
    while !tls.unsent().is_empty() {
        match socket.send(&[IoSlice::new(tls.unsent())])? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            sent => tls.advance(sent),
        }
    }
    Ok(())
}
