//! Parts: what a checkpoint writes of a big container. Each is some of its elements, about 64 KiB of them, with an
//! identity and the version of its last change, as a page has them. Of a container that changed, the next checkpoint
//! writes the parts that did, and names the others.
//!
//! A container has parts from [`PARTED_BYTES_MIN`] on; a smaller one is written whole, with its page.
//!
//! **Invariants**
//! - Each element is in one part; which one follows from where the element is (its hash, or its place).
//! - A part whose id and version are those of another moment has the same elements as then. So a part that has changed
//!   has the LSN of the change for its version, and an id is never given twice.
//! - A container that is put into a collection gets identities there: those it brought along say nothing. Only one that
//!   leaves another key of the collection by the same record keeps them: no two have the same part.

mod hashed;
mod list;
mod ordered;
mod table;
#[cfg(test)]
mod tests;

use super::PageId;
use super::change::Mark;
use crate::lsn::Lsn;

pub use hashed::{PartedTrie, Span};
pub use list::{PartList, PartRef, Parted};
pub use ordered::PartedTree;

/// Unit tests have smaller parts, and so many of them in little time.
const SCALE: u32 = if cfg!(test) { 4 } else { 0 };
/// A container of fewer bytes has no parts, once it has become as small as half of that.
pub const PARTED_BYTES_MIN: usize = (128 << 10) >> SCALE;
/// A part of more bytes is divided, if it can be.
const PART_BYTES_MAX: u64 = (64 << 10) >> SCALE;
/// What a part that is made of many elements at once gets: there is room for more.
pub const PART_BYTES_NEW: u64 = PART_BYTES_MAX / 4 * 3;
/// A part of fewer bytes is joined with a neighbour, if the two then have room for more.
const PART_BYTES_MIN: u64 = PART_BYTES_MAX / 8;
/// A part that cannot be divided is tried again when it has grown so much.
const PART_BYTES_STEP: u64 = PART_BYTES_MAX / 4;

/// What is known of a part besides its elements.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its identity among the pages and parts of the collection; [`PageId::NONE`] while it is in none.
    pub id: PageId,
    /// LSN of its last change.
    pub version: Lsn,
    /// Bytes of heap of its elements.
    bytes: u64,
}

impl Part {
    fn new(bytes: u64, mark: Mark<'_>) -> Self {
        Self {
            id: mark.new_id(),
            version: mark.lsn,
            bytes,
        }
    }

    fn named(&self, start: u64) -> PartRef {
        PartRef {
            start,
            id: self.id,
            version: self.version,
        }
    }

    /// The part of this name, of elements of so many bytes.
    pub fn known(name: &PartRef, bytes: u64) -> Self {
        Self {
            id: name.id,
            version: name.version,
            bytes,
        }
    }

    /// Notes a change by which it grew so much; whether it is to be divided now.
    fn note(&mut self, grown: i64, mark: Mark<'_>) -> bool {
        let before = self.bytes;
        self.bytes = before.saturating_add_signed(grown);
        self.version = mark.lsn;
        self.bytes > PART_BYTES_MAX
            && (before <= PART_BYTES_MAX || before / PART_BYTES_STEP != self.bytes / PART_BYTES_STEP)
    }

    /// Takes in one that is no more.
    fn join(&mut self, gone: &Self, mark: Mark<'_>) {
        self.bytes += gone.bytes;
        self.version = mark.lsn;
    }

    /// Becomes a part of a collection.
    fn adopt(&mut self, mark: Mark<'_>) {
        self.id = mark.new_id();
        self.version = mark.lsn;
    }

    /// Whether it had better be joined with a neighbour.
    fn is_small(&self) -> bool {
        self.bytes < PART_BYTES_MIN
    }

    /// Whether there is room for more in it and a neighbour of so many bytes together. Nothing fits with anything.
    fn fits_with(&self, other_bytes: u64) -> bool {
        self.bytes == 0 || self.bytes + other_bytes <= PART_BYTES_NEW
    }
}
