//! The one place that knows bincode: how effects and page entries become bytes and back.
//!
//! bincode 2 is unmaintained; because nothing else names it, replacing it (wincode reads the same bytes) is a change
//! of this file and of [`FORMAT_VERSION`].

use bincode::config::{self, Configuration};
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::{Deserialize, Serialize};

use super::malformed::Malformed;
use super::spliced::SPLICE_BYTES_MIN;
use crate::shared::{Piece, Shared};

/// Version of the byte encoding below, stored in every WAL record and page file.
pub const FORMAT_VERSION: u8 = 2;

const CONFIG: Configuration = config::standard();

/// Where encoded bytes go: a buffer that can copy bytes or link a large value.
pub trait Sink {
    /// Appends bytes by copying.
    fn push(&mut self, bytes: &[u8]);
    /// Links a large value, or a part of one.
    fn link(&mut self, piece: Piece);
}

impl Sink for super::Spliced {
    fn push(&mut self, bytes: &[u8]) {
        Self::push(self, bytes);
    }

    fn link(&mut self, piece: Piece) {
        Self::link(self, piece);
    }
}

impl Sink for Vec<u8> {
    fn push(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn link(&mut self, piece: Piece) {
        self.extend_from_slice(piece.bytes());
    }
}

/// Hands bincode's output to a sink; when the bytes are those of `large`, links them.
struct LinkingWriter<'a, S: Sink> {
    sink: &'a mut S,
    large: Option<&'a Shared>,
}

impl<S: Sink> Writer for LinkingWriter<'_, S> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        match self.large {
            Some(shared) if std::ptr::eq(bytes, shared.as_slice()) => self.sink.link(Shared::clone(shared).into()),
            _ => self.sink.push(bytes),
        }
        Ok(())
    }
}

/// Appends the encoding of `value` to `sink`. `large` names the one large allocation inside `value`, if any; it is
/// linked when it is at least [`SPLICE_BYTES_MIN`] long.
#[inline]
pub fn encode<T: Serialize, S: Sink>(value: &T, large: Option<&Shared>, sink: &mut S) {
    let large = large.filter(|shared| shared.len() >= SPLICE_BYTES_MIN);
    let result = bincode::serde::encode_into_writer(value, LinkingWriter { sink, large }, CONFIG);
    // The sinks are infallible and our types serialise without conditions.
    debug_assert!(result.is_ok(), "encoding into memory failed: {result:?}");
}

/// Integers as [`encode`] writes them, lengths and the numbers of variants among them: for what is encoded so often
/// that a serializer's calls would be felt.
pub struct Ints {
    bytes: [u8; INTS_BYTES],
    len: usize,
}

/// One takes at most this many bytes.
const INT_BYTES_MAX: usize = 9;
/// Room for three, and for the last to be written as a whole.
const INTS_BYTES: usize = 4 * INT_BYTES_MAX;

impl Default for Ints {
    fn default() -> Self {
        Self {
            bytes: [0; INTS_BYTES],
            len: 0,
        }
    }
}

impl Ints {
    /// Appends one; a fourth may not have room, and is left out.
    #[inline]
    #[must_use]
    pub fn with(mut self, value: u64) -> Self {
        let (first, rest) = match value {
            0..=250 => (value as u8, 0),
            251..=0xffff => (251, 2),
            0x1_0000..=0xffff_ffff => (252, 4),
            _ => (253, 8),
        };
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        debug_assert!(room.len() >= INT_BYTES_MAX, "too many integers");
        if let Some((to, room)) = room.split_first_mut()
            && let Some(field) = room.first_chunk_mut()
        {
            (*to, *field) = (first, value.to_le_bytes());
            self.len += 1 + rest;
        }
        self
    }

    /// What they are on disk.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Decodes one value from the front of `bytes`; returns it and how many bytes it took.
///
/// # Errors
/// What is wrong.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, usize), Malformed> {
    bincode::serde::borrow_decode_from_slice(bytes, CONFIG).map_err(|error| Malformed::Undecodable(error.to_string()))
}
