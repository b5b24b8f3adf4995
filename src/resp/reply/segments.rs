//! The bytes of replies, in segments: copied bytes, and links to shared values that are sent from where they are.
//!
//! **Invariants**
//! - Order: `sealed` from front to back, then `tail`. No sealed segment is empty.
//! - Segments are numbered from the beginning of the buffer's life; a position is a segment's number and an offset in
//!   it, and stays valid while the segment is not sent and nothing before it is cut off.
//! - What is held is known without counting, and judged whenever a segment is sealed or linked: beyond `held_bytes_max`
//!   all of it is dropped, and what is still written goes nowhere. So a reply that nobody may be sent costs no memory.
//! - While it is shut nothing is written, whatever is asked.
//! - Of the front segment the first `sent` bytes are gone already (of the tail, if nothing is sealed).

use crate::shared::Shared;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

/// A tail of this length is sealed, so that sending frees memory as it goes and insertions move little. With what the
/// next one has room for beside, it is as large as the allocator's blocks get before they are rounded up to 128 KiB.
const SEAL_BYTES: usize = 48 * 1024;
/// What an emptied buffer keeps of its capacity.
const KEPT_BYTES: usize = 16 * 1024;
const KEPT_SEGMENTS: usize = 64;
/// What a bulk string has beside its bytes: sign, digits of the length, two line ends.
const BULK_OVERHEAD_BYTES: usize = 25;

#[derive(Debug)]
pub(super) struct Segments {
    sealed: VecDeque<Segment>,
    /// Memory that the sealed segments hold.
    sealed_bytes: usize,
    tail: Vec<u8>,
    /// How much of the front segment has been sent.
    sent: usize,
    /// Bytes not sent yet.
    len: usize,
    /// The number of the front segment.
    front: u64,
    held_bytes_max: usize,
    /// More was held than may be: the client is lost.
    is_over: bool,
    is_shut: bool,
}

impl Default for Segments {
    fn default() -> Self {
        Self {
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            tail: Vec::new(),
            sent: 0,
            len: 0,
            front: 0,
            held_bytes_max: usize::MAX,
            is_over: false,
            is_shut: false,
        }
    }
}

#[derive(Debug)]
enum Segment {
    Bytes(Vec<u8>),
    Link(Shared, Range<usize>),
}

/// A place between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    segment: u64,
    offset: usize,
}

impl Segment {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Link(shared, range) => shared.get(range.clone()).unwrap_or_default(),
        }
    }

    /// Memory held: a link keeps its value alive, even when the key has long got another one.
    fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Bytes(bytes) => bytes.len(),
                Self::Link(_, range) => range.len(),
            }
    }
}

/// `kind`, a length below 100, CR LF, and how many of the eight bytes that are.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "digits of a number below 100")]
pub(super) const fn short_header(kind: u8, len: usize) -> Option<([u8; 8], usize)> {
    let (tens, ones) = (b'0' + (len / 10 % 10) as u8, b'0' + (len % 10) as u8);
    match len {
        0..=9 => Some(([kind, ones, b'\r', b'\n', 0, 0, 0, 0], 4)),
        10..=99 => Some(([kind, tens, ones, b'\r', b'\n', 0, 0, 0], 5)),
        _ => None,
    }
}

impl Segments {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes held, those of linked values included, and those that have been sent of the first piece. O(1).
    pub(super) const fn held_bytes(&self) -> usize {
        self.sealed_bytes + self.tail.len()
    }

    /// How much more may be held.
    pub(super) const fn room_bytes(&self) -> usize {
        self.held_bytes_max.saturating_sub(self.held_bytes())
    }

    /// How much may be held from now on; see the module.
    pub(super) const fn set_held_bytes_max(&mut self, held_bytes_max: usize) {
        self.held_bytes_max = held_bytes_max;
    }

    /// Whether more was held than may be.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether what is asked to be written from now on is left out.
    pub(super) const fn set_shut(&mut self, is_shut: bool) {
        self.is_shut = is_shut;
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.is_shut {
            return;
        }
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// What was written from `position` on, as far as it is in one piece.
    pub(super) fn piece_from(&self, position: Position) -> &[u8] {
        let at = position.segment.checked_sub(self.front).map(|at| at as usize);
        let piece = match at.and_then(|at| self.sealed.get(at)) {
            Some(segment) => segment.as_slice(),
            None => &self.tail,
        };
        piece.get(position.offset..).unwrap_or_default()
    }

    /// Writes a bulk string: what most replies are made of, so in one step.
    #[inline]
    pub(super) fn push_bulk(&mut self, bytes: &[u8]) {
        if self.is_shut {
            return;
        }
        self.tail.reserve(bytes.len() + BULK_OVERHEAD_BYTES);
        let Some((header, header_bytes)) = short_header(b'$', bytes.len()) else {
            return self.push_long_bulk(bytes);
        };
        let before = self.tail.len();
        let behind_header = before + header_bytes;
        let end = behind_header + bytes.len() + 2;
        // SAFETY: all of it has been reserved, with room for the header's eight bytes; all up to `end` is written.
        unsafe {
            let tail = self.tail.as_mut_ptr();
            tail.add(before).cast::<[u8; 8]>().write_unaligned(header);
            tail.add(behind_header)
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            tail.add(end - 2).cast::<[u8; 2]>().write_unaligned(*b"\r\n");
            self.tail.set_len(end);
        }
        self.len += end - before;
    }

    fn push_long_bulk(&mut self, bytes: &[u8]) {
        let before = self.tail.len();
        self.tail.push(b'$');
        self.tail
            .extend_from_slice(itoa::Buffer::new().format(bytes.len()).as_bytes());
        self.tail.extend_from_slice(b"\r\n");
        self.tail.extend_from_slice(bytes);
        self.tail.extend_from_slice(b"\r\n");
        self.len += self.tail.len() - before;
    }

    /// To be called between values: seals the tail if it has grown long.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.tail.len() >= SEAL_BYTES {
            self.seal(SEAL_BYTES + KEPT_BYTES);
            self.judge();
        }
    }

    /// Adds a range of a shared value without copying it.
    pub(super) fn link(&mut self, shared: Shared, range: Range<usize>) {
        if range.is_empty() || self.is_shut {
            return;
        }
        self.seal(0);
        self.len += range.len();
        self.push_sealed(Segment::Link(shared, range));
        self.judge();
    }

    pub(super) fn position(&self) -> Position {
        Position {
            segment: self.front + self.sealed.len() as u64,
            offset: self.tail.len(),
        }
    }

    /// Bytes after `position`; none if that is void.
    #[inline]
    pub(super) fn bytes_since(&self, position: Position) -> usize {
        if self.position().segment == position.segment {
            self.tail.len().saturating_sub(position.offset)
        } else {
            self.bytes_in_segments_since(position)
        }
    }

    #[cold]
    fn bytes_in_segments_since(&self, position: Position) -> usize {
        let Some(first) = self.index(position) else { return 0 };
        let sealed = self.sealed.iter().skip(first).map(|segment| segment.as_slice().len());
        let all = sealed.sum::<usize>() + self.tail.len();
        all.saturating_sub(position.offset)
    }

    /// Drops everything after `position`.
    pub(super) fn truncate(&mut self, position: Position) {
        let Some(keep) = self.index(position) else { return };
        if keep < self.sealed.len() {
            self.len -= self.tail.len();
            while self.sealed.len() > keep + 1 {
                self.len -= self.pop_back().map_or(0, |segment| segment.as_slice().len());
            }
            // What was the tail when the position was taken is the last one now, and so copied bytes.
            self.tail = match self.pop_back() {
                Some(Segment::Bytes(bytes)) => bytes,
                Some(Segment::Link(_, range)) => {
                    self.len -= range.len();
                    Vec::new()
                }
                None => Vec::new(),
            };
        }
        self.len -= self.tail.len().saturating_sub(position.offset);
        self.tail.truncate(position.offset);
    }

    /// Puts `bytes` in at `position`. O(bytes after it in its segment).
    pub(super) fn insert(&mut self, position: Position, bytes: &[u8]) {
        if self.is_shut {
            return;
        }
        let Some(index) = self.index(position) else { return };
        let (offset, added) = (position.offset, bytes.len());
        match self.sealed.get_mut(index) {
            Some(Segment::Bytes(segment)) if offset <= segment.len() => {
                segment.splice(offset..offset, bytes.iter().copied());
                self.sealed_bytes += added;
            }
            // The tail was empty when the position was taken, and what followed was linked: a segment of its own.
            Some(_) => {
                let segment = Segment::Bytes(bytes.to_vec());
                self.sealed_bytes += segment.held_bytes();
                self.sealed.insert(index, segment);
            }
            None if offset <= self.tail.len() => {
                self.tail.splice(offset..offset, bytes.iter().copied());
            }
            None => return,
        }
        self.len += added;
    }

    /// Appends all that `other` has not sent; what is lost there is lost here. O(segments), or O(bytes) if they are
    /// few.
    pub(super) fn extend(&mut self, mut other: Self) {
        if self.is_over || self.is_shut {
            return;
        }
        if other.is_over {
            self.is_over = true;
            return self.clear();
        }
        if other.sealed.is_empty() && other.len < KEPT_BYTES {
            self.push(other.tail.get(other.sent..).unwrap_or_default());
            return self.settle();
        }
        let sent = std::mem::take(&mut other.sent);
        match other.sealed.front_mut() {
            Some(Segment::Bytes(bytes)) => {
                bytes.drain(..sent);
                other.sealed_bytes -= sent;
            }
            Some(Segment::Link(_, range)) => {
                range.start += sent;
                other.sealed_bytes -= sent;
            }
            None => drop(other.tail.drain(..sent)),
        }
        self.seal(0);
        self.sealed.append(&mut other.sealed);
        self.sealed_bytes += other.sealed_bytes;
        self.tail = other.tail;
        self.len += other.len;
        self.judge();
    }

    /// The unsent chunks in order; none is empty.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.sent;
        let segments = self.sealed.iter().map(Segment::as_slice).chain([self.tail.as_slice()]);
        segments
            .map(move |segment| segment.get(std::mem::take(&mut skip)..).unwrap_or_default())
            .filter(|unsent| !unsent.is_empty())
    }

    /// Puts the unsent chunks into `out`, from the front, as many as fit; says how many.
    pub(super) fn io_slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        out.iter_mut()
            .zip(self.chunks())
            .map(|(slot, chunk)| *slot = IoSlice::new(chunk))
            .count()
    }

    /// Forgets the first `n` unsent bytes: they have been sent.
    pub(super) fn advance(&mut self, n: usize) {
        let n = n.min(self.len);
        self.len -= n;
        if self.len == 0 {
            return self.clear();
        }
        self.sent += n;
        while let Some(front) = self.sealed.front() {
            let len = front.as_slice().len();
            if self.sent < len {
                return;
            }
            self.sent -= len;
            self.front += 1;
            self.sealed_bytes -= front.held_bytes();
            self.sealed.pop_front();
        }
    }

    /// Forgets everything, and lets go of capacity out of the ordinary.
    pub(super) fn clear(&mut self) {
        self.front += self.sealed.len() as u64 + 1;
        self.sealed.clear();
        self.sealed.shrink_to(KEPT_SEGMENTS);
        self.sealed_bytes = 0;
        self.tail.clear();
        self.tail.shrink_to(KEPT_BYTES);
        self.sent = 0;
        self.len = 0;
    }

    /// Closes the tail (if it has bytes) and begins one with room for `capacity`.
    fn seal(&mut self, capacity: usize) {
        if !self.tail.is_empty() {
            let tail = std::mem::replace(&mut self.tail, Vec::with_capacity(capacity));
            self.push_sealed(Segment::Bytes(tail));
        }
    }

    fn push_sealed(&mut self, segment: Segment) {
        self.sealed_bytes += segment.held_bytes();
        self.sealed.push_back(segment);
    }

    fn pop_back(&mut self) -> Option<Segment> {
        let segment = self.sealed.pop_back()?;
        self.sealed_bytes -= segment.held_bytes();
        Some(segment)
    }

    /// Drops everything once more is held than may be.
    fn judge(&mut self) {
        self.is_over |= self.held_bytes() > self.held_bytes_max;
        if self.is_over {
            self.clear();
        }
    }

    /// Where the segment of `position` is now: in `sealed`, or just behind for the tail.
    fn index(&self, position: Position) -> Option<usize> {
        if self.is_over {
            return None;
        }
        let index = position
            .segment
            .checked_sub(self.front)
            .and_then(|index| usize::try_from(index).ok());
        debug_assert!(
            index.is_some_and(|i| i <= self.sealed.len()),
            "the position has been sent or cut off"
        );
        index.filter(|&index| index <= self.sealed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_since_a_position_are_counted_through_all_segments() {
        let mut out = Segments::default();
        out.push(b"before");
        let position = out.position();
        assert_eq!(out.bytes_since(position), 0);
        out.push(b"1234");
        assert_eq!(out.bytes_since(position), 4);
        out.link(Shared::new(vec![b'x'; 300_000]), 0..200_000);
        assert_eq!(out.bytes_since(position), 200_004);
        for _ in 0..20 {
            out.push(&[b'y'; 10_000]);
            out.settle();
        }
        assert_eq!(out.bytes_since(position), 400_004);
    }

    #[test]
    fn a_bulk_string_of_any_length_is_as_the_protocol_has_it() {
        for len in (0..130).chain([999, 1000, 65_536]) {
            let bytes: Vec<u8> = (0..len).map(|at| b'a' + (at % 26) as u8).collect();
            let mut out = Segments::default();
            out.push(b"before");
            let position = out.position();
            out.push_bulk(&bytes);
            let expected = [format!("${len}\r\n").as_bytes(), &bytes, b"\r\n"].concat();
            assert_eq!(out.piece_from(position), expected);
            assert_eq!(out.len(), expected.len() + 6);
            out.set_shut(true);
            out.push_bulk(&bytes);
            assert_eq!(out.len(), expected.len() + 6);
        }
    }

    #[test]
    fn no_segment_takes_more_than_a_block_of_64_kib() {
        let mut out = Segments::default();
        for n in 0..4000 {
            out.push(&[b'y'; 16 << 10][..n % 700 * 23]);
            out.settle();
        }
        assert!(out.sealed.len() > 100);
        // The first one has grown from nothing.
        for segment in out.sealed.iter().skip(1) {
            assert!(matches!(segment, Segment::Bytes(bytes) if bytes.capacity() <= 64 << 10));
        }
    }
}
