//! The bytes of replies, in segments: copied bytes, and links to shared values that are sent from where they are.
//!
//! **Invariants**
//! - Order: `sealed` from front to back, then `tail`. No sealed segment is empty.
//! - Segments are numbered from the beginning of the buffer's life; a position is a segment's number and an offset in
//!   it, and stays valid while the segment is not sent and nothing before it is cut off.
//! - Of the front segment the first `sent` bytes are gone already (of the tail, if nothing is sealed).

use crate::resp::Shared;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

/// A tail of this length is sealed, so that sending frees memory as it goes and insertions move little.
const SEAL_BYTES: usize = 64 * 1024;
/// What an emptied buffer keeps of its capacity.
const KEPT_BYTES: usize = 16 * 1024;
const KEPT_SEGMENTS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Segments {
    sealed: VecDeque<Segment>,
    tail: Vec<u8>,
    /// How much of the front segment has been sent.
    sent: usize,
    /// Bytes not sent yet.
    len: usize,
    /// The number of the front segment.
    front: u64,
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
}

impl Segments {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Memory held for copied bytes.
    pub(super) fn held_bytes(&self) -> usize {
        let copied = |segment: &Segment| match segment {
            Segment::Bytes(bytes) => bytes.capacity(),
            Segment::Link(..) => 0,
        };
        self.sealed.capacity() * size_of::<Segment>()
            + self.sealed.iter().map(copied).sum::<usize>()
            + self.tail.capacity()
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    #[inline]
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.tail.reserve(bytes);
    }

    /// To be called between values: seals the tail if it has grown long.
    #[inline]
    pub(super) fn settle(&mut self) {
        if self.tail.len() >= SEAL_BYTES {
            self.seal(SEAL_BYTES + KEPT_BYTES);
        }
    }

    /// Adds a range of a shared value without copying it.
    pub(super) fn link(&mut self, shared: Shared, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.seal(0);
        self.len += range.len();
        self.sealed.push_back(Segment::Link(shared, range));
    }

    pub(super) fn position(&self) -> Position {
        Position {
            segment: self.front + self.sealed.len() as u64,
            offset: self.tail.len(),
        }
    }

    /// Drops everything after `position`.
    pub(super) fn truncate(&mut self, position: Position) {
        let Some(keep) = self.index(position) else { return };
        if keep < self.sealed.len() {
            let dropped: usize = self
                .sealed
                .iter()
                .skip(keep + 1)
                .map(|segment| segment.as_slice().len())
                .sum();
            self.len -= dropped + self.tail.len();
            self.sealed.truncate(keep + 1);
            // What was the tail when the position was taken is the last one now, and so copied bytes.
            self.tail = match self.sealed.pop_back() {
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
        let Some(index) = self.index(position) else { return };
        let (offset, added) = (position.offset, bytes.len());
        match self.sealed.get_mut(index) {
            Some(Segment::Bytes(segment)) if offset <= segment.len() => {
                segment.splice(offset..offset, bytes.iter().copied());
            }
            // The tail was empty when the position was taken, and what followed was linked: a segment of its own.
            Some(_) => {
                self.sealed.insert(index, Segment::Bytes(bytes.to_vec()));
            }
            None if offset <= self.tail.len() => {
                self.tail.splice(offset..offset, bytes.iter().copied());
            }
            None => return,
        }
        self.len += added;
    }

    /// Appends all that `other` has not sent. O(segments), or O(bytes) if they are few.
    pub(super) fn extend(&mut self, mut other: Self) {
        if other.sealed.is_empty() && other.len < KEPT_BYTES {
            self.push(other.tail.get(other.sent..).unwrap_or_default());
            return self.settle();
        }
        let sent = std::mem::take(&mut other.sent);
        match other.sealed.front_mut() {
            Some(Segment::Bytes(bytes)) => drop(bytes.drain(..sent)),
            Some(Segment::Link(_, range)) => range.start += sent,
            None => drop(other.tail.drain(..sent)),
        }
        self.seal(0);
        self.sealed.append(&mut other.sealed);
        self.tail = other.tail;
        self.len += other.len;
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
            self.sealed.pop_front();
        }
    }

    /// Forgets everything, and lets go of capacity out of the ordinary.
    pub(super) fn clear(&mut self) {
        self.front += self.sealed.len() as u64 + 1;
        self.sealed.clear();
        self.sealed.shrink_to(KEPT_SEGMENTS);
        self.tail.clear();
        self.tail.shrink_to(KEPT_BYTES);
        self.sent = 0;
        self.len = 0;
    }

    /// Closes the tail (if it has bytes) and begins one with room for `capacity`.
    fn seal(&mut self, capacity: usize) {
        if !self.tail.is_empty() {
            let tail = std::mem::replace(&mut self.tail, Vec::with_capacity(capacity));
            self.sealed.push_back(Segment::Bytes(tail));
        }
    }

    /// Where the segment of `position` is now: in `sealed`, or just behind for the tail.
    fn index(&self, position: Position) -> Option<usize> {
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
