//! Long strings: chunks of [`CHUNK_BYTES`], the last one shorter, in a tree that clones share.
//!
//! While somebody has a clone (a checkpoint, a copy, a reply) a change copies the chunks that it touches, and no
//! others. A string that was set whole lies in one allocation, its *base*. Turned into chunks it stays there: its
//! chunks are ranges of the base until one has to be copied. They are changed where they lie while nobody else has the
//! base.
//!
//! **Invariants**
//! - Chunk number `n` begins at byte `n * CHUNK_BYTES` of the string, and of the base if that is where it lies.
//! - All chunks but the last are full.
//! - A base is kept while chunks lie in it. When those are less than half of it, each change copies some more of them
//!   out, so that it goes; a bounded number, so that no change takes long.
//! - Zeroes nobody has written are one allocation that all strings share, and count nowhere.

mod change;
mod chunk;
mod run;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use super::PageId;
use super::change::Mark;
use super::malformed::Malformed;
use super::parts::PartRef;
use super::tree::Tree;
use crate::shared::{self, Piece, Shared};
use chunk::{Bytes, Chunk};

pub use chunk::{CHUNK_BYTES, is_zero};
pub use run::{Run, Runs};

/// A longer string is in chunks.
pub const CHUNKED_BYTES_MIN: usize = 2 * CHUNK_BYTES;

/// See the module.
#[derive(Clone, Debug)]
pub struct BigText {
    chunks: Tree<Chunk>,
    base: Option<Base>,
}

/// Where chunks lie that have not been changed since the string was set.
#[derive(Clone, Debug)]
struct Base {
    whole: Shared,
    /// How many chunks lie in it.
    used: usize,
    /// No chunk before this one does.
    from: usize,
}

impl BigText {
    /// A copy of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let chunks = bytes
            .chunks(CHUNK_BYTES)
            .map(|bytes| Chunk::new(Bytes::of(bytes), Mark::APART));
        Self {
            chunks: chunks.collect(),
            base: None,
        }
    }

    /// Lies where `whole` does.
    pub fn on(whole: Shared) -> Self {
        let chunks = chunk::lengths(0, whole.len()).map(|len| Chunk::new(Bytes::Base(len), Mark::APART));
        let chunks: Tree<Chunk> = chunks.collect();
        let (used, from) = (chunks.len(), 0);
        Self {
            chunks,
            base: (used > 0).then_some(Base { whole, used, from }),
        }
    }

    /// Of what its parts have.
    pub(super) fn of_parts(parts: TextParts) -> Self {
        Self {
            chunks: parts.0.into_iter().collect(),
            base: None,
        }
    }

    /// Makes its chunks parts of the collection that it is put into.
    pub fn adopt(&mut self, mark: Mark<'_>) {
        let adopted = self.chunks.iter().map(|chunk| {
            let mut chunk = chunk.clone();
            chunk.adopt(mark);
            chunk
        });
        self.chunks = adopted.collect();
    }

    /// Whether its chunks are parts of a collection. O(1).
    pub fn is_parted(&self) -> bool {
        let first = self.chunks.first();
        first.is_some_and(|chunk| chunk.name().id != PageId::NONE)
    }

    /// Its parts: the chunks, one by one.
    pub fn parts(&self) -> Vec<PartRef> {
        self.chunks.iter().map(Chunk::name).collect()
    }

    /// A share of a part's bytes.
    pub fn part_piece(&self, index: usize) -> Option<Piece> {
        let start = index * CHUNK_BYTES;
        Some(self.runs(start..start + CHUNK_BYTES).next()?.piece())
    }

    /// Length in bytes. O(1).
    #[expect(clippy::len_without_is_empty, reason = "an empty string is no long one")]
    pub fn len(&self) -> usize {
        self.chunks.weight() as usize
    }

    /// Bytes of heap, exactly, what it shares with clones included. O(1).
    pub fn heap_bytes(&self) -> usize {
        let base = self.base.as_ref().map_or(0, |base| shared::heap_bytes(&base.whole));
        self.chunks.heap_bytes() + base
    }

    /// Whether a clone has all of it, too.
    pub fn is_shared(&self) -> bool {
        self.chunks.is_shared()
    }

    /// The bytes of `range`, as far as there are, in order; those that lie together are one run. O(log n) to begin.
    pub fn runs(&self, range: Range<usize>) -> Runs<'_> {
        Runs::new(self, range)
    }

    /// The bytes of `range`, as far as there are, in one piece: copied if they lie in several. O(range).
    pub fn part(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        let mut runs = self.runs(range);
        let first = runs.next().map_or(&[][..], |run| run.bytes());
        let Some(second) = runs.next() else {
            return Cow::Borrowed(first);
        };
        let mut bytes = Vec::with_capacity(first.len() + second.bytes().len() + runs.len());
        bytes.extend_from_slice(first);
        bytes.extend_from_slice(second.bytes());
        runs.for_each(|run| bytes.extend_from_slice(run.bytes()));
        Cow::Owned(bytes)
    }

    /// Whether links to the runs of `range` keep little more than what is in it: at least half of the base, if any of
    /// it. O(chunks of the range).
    pub fn fills_its_base(&self, range: Range<usize>) -> bool {
        let Some(base) = &self.base else { return true };
        let bytes: usize = self.runs(range).filter(Run::is_of_base).map(|run| run.len()).sum();
        bytes == 0 || bytes >= base.whole.capacity() / 2
    }
}

/// Parts that a string is being made of.
#[derive(Default)]
pub(super) struct TextParts(Vec<Chunk>);

impl TextParts {
    /// Takes the next part.
    ///
    /// # Errors
    /// When it cannot be one.
    pub fn push(&mut self, part: &PartRef, bytes: &[u8]) -> Result<(), Malformed> {
        let is_next = self.0.last().is_none_or(|last| last.len() == CHUNK_BYTES);
        if !is_next || bytes.is_empty() || bytes.len() > CHUNK_BYTES {
            return Err(Malformed::Container(
                "a part of a string has not the length that it should",
            ));
        }
        self.0.push(Chunk::known(bytes, part));
        Ok(())
    }

    /// Takes the parts that come behind.
    ///
    /// # Errors
    /// When they cannot.
    pub fn append(&mut self, mut other: Self) -> Result<(), Malformed> {
        if self.0.last().is_some_and(|last| last.len() != CHUNK_BYTES) && !other.0.is_empty() {
            return Err(Malformed::Container("a part in the middle of a string is short"));
        }
        self.0.append(&mut other.0);
        Ok(())
    }
}
