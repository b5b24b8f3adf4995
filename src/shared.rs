//! [`Shared`]: a large value that is received, stored, logged and sent without being copied.

use std::ops::Range;
use std::sync::Arc;

/// Bytes that many hold and nobody changes any more.
pub type Shared = Arc<Vec<u8>>;

/// Two counts stand before what an `Arc` points to.
const COUNTS_BYTES: usize = 2 * size_of::<usize>();

/// Bytes of heap that a shared value takes.
#[inline]
pub fn heap_bytes(shared: &Shared) -> usize {
    COUNTS_BYTES + size_of::<Vec<u8>>() + shared.capacity()
}

/// A part of a shared value; keeps the whole of it.
#[derive(Clone, Debug)]
pub struct Piece {
    whole: Shared,
    range: Range<usize>,
}

impl Piece {
    /// The bytes of `range`, as far as there are.
    pub fn new(whole: Shared, range: Range<usize>) -> Self {
        let end = range.end.min(whole.len());
        Self {
            range: range.start.min(end)..end,
            whole,
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.whole.get(self.range.clone()).unwrap_or_default()
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }
}

impl From<Shared> for Piece {
    fn from(whole: Shared) -> Self {
        Self {
            range: 0..whole.len(),
            whole,
        }
    }
}
