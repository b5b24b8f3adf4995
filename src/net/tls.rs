//! TLS between a socket and its connection: ciphertext on one side, plain text on the other.
//!
//! **Invariants**
//! - Whatever is whole in what has been received is decrypted at once, and handed out before the socket is asked again.
//!   So nothing waits here that the socket does not tell of, unless it says so ([`has_more`](TlsStream::has_more)).
//! - An idle stream holds no buffers. It holds the beginning of one record or handshake message of the client's, what
//!   was decrypted beyond the room there was (less than one receive), and what the socket did not take (one send, and
//!   answers of the protocol, of which the library bounds the number).
//! - What was agreed on is never less than what was asked for: a handshake that fails is told so and ends the stream.

use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError};
use rustls::{HandshakeKind, ServerConfig};

/// Plain text encrypted at once.
const SEND_BYTES: usize = 64 * 1024;
/// Several pieces of less than this go into one record.
const RECORD_BYTES: usize = 16 * 1024;
/// What a record takes beside its plain text, at most; and what is due before it, mostly.
const OVERHEAD_BYTES: usize = 64;
const SLACK_BYTES: usize = 256;
/// No message of a handshake is larger, unless it is cut into records of a few bytes.
const UNFINISHED_BYTES_MAX: usize = 72 * 1024;
/// Answers of the protocol that a client does not take.
const ANSWERS_BYTES_MAX: usize = 64 * 1024;

/// What a stream takes beside its buffers, roughly: keys, and what was agreed on.
pub const STREAM_BYTES: u64 = 4096;

/// Where decrypted bytes go: into room that somebody offers, and what is too much for it aside.
pub struct Sink<'a> {
    room: &'a mut [MaybeUninit<u8>],
    filled: usize,
}

impl<'a> Sink<'a> {
    /// Into this.
    pub fn new(room: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { room, filled: 0 }
    }

    /// How many of the room's first bytes are filled.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Puts as many of the bytes into the room as it takes; how many.
    fn put(&mut self, bytes: &[u8]) -> usize {
        let free = self.room.get_mut(self.filled..).unwrap_or_default();
        let count = free.len().min(bytes.len());
        if let (Some(free), Some(bytes)) = (free.get_mut(..count), bytes.get(..count)) {
            free.write_copy_of_slice(bytes);
        }
        self.filled += count;
        count
    }
}

/// See the module.
pub struct TlsStream {
    connection: UnbufferedServerConnection,
    /// Received, and not whole.
    unfinished: Vec<u8>,
    /// Decrypted, with nowhere to go yet; from `plain_at` on.
    plain: Vec<u8>,
    plain_at: usize,
    /// Encrypted, and not sent; from `sent` on.
    outgoing: Vec<u8>,
    sent: usize,
    /// Nothing was received yet.
    is_new: bool,
    /// The client sends no more.
    is_closed: bool,
    /// The protocol was broken.
    is_broken: bool,
}

impl TlsStream {
    /// A stream whose handshake is to come.
    ///
    /// # Errors
    /// When the library cannot begin one.
    pub fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config).map_err(io::Error::other)?,
            unfinished: Vec::new(),
            plain: Vec::new(),
            plain_at: 0,
            outgoing: Vec::new(),
            sent: 0,
            is_new: true,
            is_closed: false,
            is_broken: false,
        })
    }

    /// Whether the handshake is not over.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the handshake resumed a session.
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The client's certificate, which has been checked, in DER.
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        let chain = self.connection.peer_certificates()?;
        chain.first().map(AsRef::as_ref)
    }

    /// Whether there is plain text that nobody has taken.
    pub fn has_more(&self) -> bool {
        self.plain_at < self.plain.len()
    }

    /// Whether the client sends no more.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The client sends no more, whether it has said so or not.
    pub fn end(&mut self) {
        self.is_closed = true;
    }

    /// What is to be sent before anything else.
    pub fn unsent(&self) -> &[u8] {
        self.outgoing.get(self.sent..).unwrap_or_default()
    }

    /// What its buffers hold.
    pub fn held_bytes(&self) -> usize {
        self.unfinished.capacity() + self.plain.capacity() + self.outgoing.capacity()
    }

    /// So much of what was to be sent has been.
    pub fn advance(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.outgoing.len() {
            self.outgoing = Vec::new();
            self.sent = 0;
        }
    }

    /// What has been received and is not whole, to be put in front of what follows.
    pub fn unfinished(&self) -> &[u8] {
        &self.unfinished
    }

    /// Hands out plain text that there was no room for.
    pub fn take_plain(&mut self, sink: &mut Sink<'_>) {
        self.plain_at += sink.put(self.plain.get(self.plain_at..).unwrap_or_default());
        if !self.has_more() {
            self.plain = Vec::new();
            self.plain_at = 0;
        }
    }

    /// Takes in what was not whole before and what has come behind it: `received` is both.
    ///
    /// # Errors
    /// When the client breaks the protocol, or cannot be agreed with: what it is told is to be sent yet.
    pub fn receive(&mut self, received: &mut [u8], sink: &mut Sink<'_>) -> Result<(), Fault> {
        if std::mem::take(&mut self.is_new) && received.first().is_some_and(|first| is_plain_text(*first)) {
            return Err(Fault::PlainText);
        }
        let mut at = 0;
        let processed = self.process(received, &mut at, sink);
        let rest = received.get(at..).unwrap_or_default();
        self.unfinished = if rest.is_empty() { Vec::new() } else { rest.to_vec() };
        let answers = self.outgoing.len() - self.sent;
        if let Err(error) = processed {
            self.gather_alert();
            return Err(Fault::Tls(error));
        }
        if self.unfinished.len() > UNFINISHED_BYTES_MAX || answers > ANSWERS_BYTES_MAX {
            return Err(Fault::TooMuch);
        }
        Ok(())
    }

    fn process(&mut self, received: &mut [u8], at: &mut usize, sink: &mut Sink<'_>) -> Result<(), rustls::Error> {
        loop {
            let rest = received.get_mut(*at..).unwrap_or_default();
            let status = self.connection.process_tls_records(rest);
            let mut discard = status.discard;
            let is_done = match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        let count = if self.plain.is_empty() {
                            sink.put(record.payload)
                        } else {
                            0
                        };
                        self.plain
                            .extend_from_slice(record.payload.get(count..).unwrap_or_default());
                    }
                    false
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut self.outgoing, |room| data.encode(room).map_err(missing))?;
                    false
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    // It stands in front of all that follows.
                    data.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.is_closed = true;
                    false
                }
                // Early data is not agreed on, so none of it is handed out.
                Ok(_) => true,
                Err(error) => {
                    *at += discard;
                    return Err(error);
                }
            };
            *at += discard;
            if is_done {
                return Ok(());
            }
        }
    }

    /// The alert that tells the client why the stream ends. Nothing else may be asked of the library from here on.
    fn gather_alert(&mut self) {
        self.is_broken = true;
        while self.connection.wants_write() {
            match self.connection.process_tls_records(&mut []).state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => while traffic.next_record().is_some() {},
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    if encode(&mut self.outgoing, |room| data.encode(room).map_err(missing)).is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    }

    /// Encrypts some of `pieces`, to be sent next; how many bytes of them.
    ///
    /// # Errors
    /// When the keys are used up, or there are none.
    pub fn encrypt(&mut self, pieces: &[io::IoSlice<'_>], gathered: &mut Vec<u8>) -> io::Result<usize> {
        if self.is_broken {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let first = pieces.first().map_or(&[][..], |piece| &**piece);
        let text = if pieces.len() < 2 || first.len() >= RECORD_BYTES {
            first.get(..first.len().min(SEND_BYTES)).unwrap_or_default()
        } else {
            gathered.clear();
            for piece in pieces {
                let free = RECORD_BYTES - gathered.len();
                gathered.extend_from_slice(piece.get(..piece.len().min(free)).unwrap_or_default());
            }
            gathered.as_slice()
        };
        let mut unfinished = std::mem::take(&mut self.unfinished);
        let encrypted = self.encrypt_text(text, &mut unfinished);
        self.unfinished = unfinished;
        encrypted.map(|()| text.len())
    }

    fn encrypt_text(&mut self, text: &[u8], unfinished: &mut [u8]) -> io::Result<()> {
        loop {
            let status = self.connection.process_tls_records(unfinished);
            match status.state.map_err(io::Error::other)? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let room_bytes = text.len() + (text.len() / RECORD_BYTES + 1) * OVERHEAD_BYTES + SLACK_BYTES;
                    self.outgoing.reserve(room_bytes);
                    return encode(&mut self.outgoing, |room| {
                        traffic.encrypt(text, room).map_err(too_short)
                    })
                    .map_err(io::Error::other);
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    encode(&mut self.outgoing, |room| data.encode(room).map_err(missing)).map_err(io::Error::other)?;
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.is_closed = true,
                _ => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
    }

    /// Says that nothing follows; to be sent next.
    pub fn close(&mut self) {
        if self.is_handshaking() || self.is_broken {
            return;
        }
        let mut unfinished = std::mem::take(&mut self.unfinished);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) =
            self.connection.process_tls_records(&mut unfinished).state
        {
            // Whoever does not hear it sees the socket closed.
            let _ = encode(&mut self.outgoing, |room| {
                traffic.queue_close_notify(room).map_err(too_short)
            });
        }
    }
}

/// Appends what `write` writes into the room it is given, and gives it as much as it asks for.
fn encode(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> Result<(), rustls::Error> {
    let start = out.len();
    let mut room_bytes = (out.capacity() - start).max(SLACK_BYTES);
    for _ in 0..2 {
        out.resize(start + room_bytes, 0);
        let written = write(out.get_mut(start..).unwrap_or_default());
        match written {
            Ok(count) => {
                out.truncate(start + count);
                return Ok(());
            }
            Err(Some(InsufficientSizeError { required_size })) => room_bytes = required_size,
            Err(None) => break,
        }
    }
    out.truncate(start);
    Err(rustls::Error::EncryptError)
}

/// What more room there has to be, if that is what is wrong.
fn missing(error: EncodeError) -> Option<InsufficientSizeError> {
    match error {
        EncodeError::InsufficientSize(size) => Some(size),
        EncodeError::AlreadyEncoded => None,
    }
}

/// The same of what was to be encrypted.
fn too_short(error: EncryptError) -> Option<InsufficientSizeError> {
    match error {
        EncryptError::InsufficientSize(size) => Some(size),
        EncryptError::EncryptExhausted => None,
    }
}

/// Whether whoever begins so speaks no TLS but means to be understood: a request, or text.
fn is_plain_text(first: u8) -> bool {
    matches!(first, b'\r' | b'\n' | b' '..=b'~')
}

/// Why a stream ends.
#[derive(Debug)]
pub enum Fault {
    /// The client does not speak TLS at all.
    PlainText,
    /// It breaks the protocol, or cannot be agreed with.
    Tls(rustls::Error),
    /// It sends a message without end, or takes no answers.
    TooMuch,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PlainText => out.write_str("it sends plain text"),
            Self::Tls(error) => error.fmt(out),
            Self::TooMuch => out.write_str("it sends a message without end"),
        }
    }
}

impl std::error::Error for Fault {}
