//! Long strings that change in parts: chunks of [`CHUNK_BYTES`], the last one shorter, in a tree that clones share.
//!
//! While somebody has a clone (a checkpoint, a copy, a reply) a change copies the chunks that it touches, and no others.
//! A string that was set whole lies in one allocation, its *base*. Turned into chunks it stays there: its chunks are
//! ranges of the base until one has to be copied. They are changed where they lie while nobody else has the base.
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

use super::tree::Tree;
use crate::shared::{self, Shared};
use chunk::Chunk;

pub use chunk::CHUNK_BYTES;
pub use run::{Run, Runs};

/// A longer string becomes chunks as soon as a part of it is changed.
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
        let chunks = bytes.chunks(CHUNK_BYTES).map(Chunk::of);
        Self {
            chunks: chunks.collect(),
            base: None,
        }
    }

    /// Lies where `whole` does.
    pub fn on(whole: Shared) -> Self {
        let chunks: Tree<Chunk> = chunk::lengths(0, whole.len()).map(Chunk::Base).collect();
        let (used, from) = (chunks.len(), 0);
        Self {
            chunks,
            base: (used > 0).then_some(Base { whole, used, from }),
        }
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
