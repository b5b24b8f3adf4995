//! The bytes of the input in order, counted and summed up.
//!
//! **Invariant:** a length that the input claims is believed only as far as bytes arrive: no buffer grows past what has
//! been read.

use std::io::{Cursor, ErrorKind, Read};

use super::super::checksum::{self, Running};
use super::super::error::Reason;

const BUFFER_BYTES: usize = 64 * 1024;

/// An input with a buffer in front.
pub struct Source<R> {
    input: R,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Bytes that came before the buffer's.
    before: u64,
    sum: Running,
    /// How far the buffer is summed up.
    summed: usize,
    /// Where compressed bytes wait to be unpacked.
    pub(super) packed: Vec<u8>,
    /// How many bytes compressed ones may still become.
    pub(super) unpacked_left: u64,
}

impl<R: Read> Source<R> {
    /// Reads `input`, of which `size_hint` bytes at most are expected.
    pub fn new(input: R, size_hint: usize) -> Self {
        Self {
            input,
            buffer: vec![0; size_hint.clamp(16, BUFFER_BYTES)],
            at: 0,
            end: 0,
            before: 0,
            sum: checksum::running(),
            summed: 0,
            packed: Vec::new(),
            unpacked_left: u64::MAX,
        }
    }

    /// The same, of whose compressed strings no more than `bytes` may come in all: each byte can stand for 88.
    pub fn unpacking_at_most(self, bytes: u64) -> Self {
        Self {
            unpacked_left: bytes,
            ..self
        }
    }

    /// The bytes that have not been read.
    pub fn into_rest(mut self) -> impl Read {
        self.buffer.truncate(self.end);
        self.buffer.drain(..self.at);
        Cursor::new(self.buffer).chain(self.input)
    }

    /// How many bytes have been read.
    pub fn position(&self) -> u64 {
        self.before + self.at as u64
    }

    /// The checksum of all that has been read.
    pub fn checksum(&mut self) -> u64 {
        self.sum_up(self.at);
        self.sum.clone().finalize()
    }

    fn sum_up(&mut self, until: usize) {
        self.sum.update(self.buffer.get(self.summed..until).unwrap_or_default());
        self.summed = until;
    }

    /// Makes bytes available, at least one unless the input has ended.
    fn available(&mut self) -> Result<&[u8], Reason> {
        if self.at == self.end {
            self.sum_up(self.end);
            self.before += self.end as u64;
            (self.at, self.end, self.summed) = (0, 0, 0);
            self.end = loop {
                match self.input.read(&mut self.buffer) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    result => break result.map_err(Reason::Io)?,
                }
            };
        }
        Ok(self.buffer.get(self.at..self.end).unwrap_or_default())
    }

    /// Whether everything has been read.
    pub fn is_at_end(&mut self) -> Result<bool, Reason> {
        Ok(self.available()?.is_empty())
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, Reason> {
        let byte = self.available()?.first().copied().ok_or(Reason::Short)?;
        self.at += 1;
        Ok(byte)
    }

    /// Appends the next `count` bytes to `out`.
    pub fn bytes(&mut self, count: u64, out: &mut Vec<u8>) -> Result<(), Reason> {
        let mut missing = usize::try_from(count).map_err(|_| Reason::Short)?;
        while missing > 0 {
            let ready = self.available()?;
            let part = ready.get(..missing.min(ready.len())).unwrap_or_default();
            if part.is_empty() {
                return Err(Reason::Short);
            }
            out.extend_from_slice(part);
            let taken = part.len();
            self.at += taken;
            missing -= taken;
        }
        Ok(())
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_across_buffers_and_are_summed_up() {
        let input: Vec<u8> = (0..200_u8).cycle().take(1_000).collect();
        let mut source = Source::new(input.as_slice(), 16);
        let mut out = Vec::new();
        assert_eq!(source.array::<3>().unwrap(), [0, 1, 2]);
        source.bytes(500, &mut out).unwrap();
        assert_eq!(source.checksum(), checksum::of(&input[..503]));
        source.bytes(497, &mut out).unwrap();
        assert_eq!(out, input[3..]);
        assert_eq!((source.position(), source.checksum()), (1_000, checksum::of(&input)));
        assert!(source.is_at_end().unwrap() && source.byte().is_err());
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut out = Vec::new();
        let mut source = Source::new(&b"short"[..], 5);
        assert!(matches!(source.bytes(u64::MAX, &mut out), Err(Reason::Short)));
        assert!(out.capacity() < 64);
    }
}
