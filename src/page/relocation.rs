//! What a part of a pass of defragmentation moves: blocks in some of the slices that the allocator's pages are made of.
//!
//! Entries that are neighbours in an index lie anywhere in memory. Moved in the index's order, all of them, no page of
//! the allocator would be free before the end: all data would be there twice. So a pass goes over the index several
//! times, and each time takes those blocks that lie in one part of the slices, which are free then.
//!
//! **Invariant:** what has been moved in a pass is not moved again: where it came to lie is remembered, by slice.

use std::collections::HashSet;

/// Pages of the allocator begin and end at multiples of so many bytes.
const SLICE_BITS: u32 = 16;
/// What it takes to look at a page of an index, in bytes that could be moved meanwhile.
const PAGE_COST: usize = 2 << 10;
/// What it takes to move a block beside its bytes.
const BLOCK_COST: usize = 64;

/// Slices that things have been moved to.
pub type Moved = HashSet<u64>;

/// See the module.
pub struct Relocation<'a> {
    part: u64,
    parts: u64,
    moved: &'a mut Moved,
    entries: usize,
    left: usize,
}

impl<'a> Relocation<'a> {
    /// Part number `part` of `parts`, as long as it moves no more than about so many bytes.
    pub fn new((part, parts): (u64, u64), moved: &'a mut Moved, bytes: usize) -> Self {
        Self {
            part,
            parts: parts.max(1),
            moved,
            entries: 0,
            left: bytes,
        }
    }

    /// Whether the block at this address is to be moved.
    #[inline]
    pub fn wants(&self, address: u64) -> bool {
        let slice = address >> SLICE_BITS;
        // Neighbours are often of one age and size.
        let scattered = slice.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        scattered % self.parts == self.part && !self.moved.contains(&slice)
    }

    /// A block of so many bytes has come to this address.
    pub fn note_block(&mut self, address: u64, bytes: usize) {
        self.moved.insert(address >> SLICE_BITS);
        self.left = self.left.saturating_sub(bytes + BLOCK_COST);
    }

    /// An entry has been moved.
    pub fn note_entry(&mut self) {
        self.entries += 1;
    }

    /// A page of the index has been looked at.
    pub fn note_page(&mut self) {
        self.left = self.left.saturating_sub(PAGE_COST);
    }

    /// Whether others should have their turn.
    pub fn is_over(&self) -> bool {
        self.left == 0
    }

    /// How many entries have been moved.
    pub fn entries(&self) -> usize {
        self.entries
    }
}

/// The address of what is there.
pub fn address_of<T: ?Sized>(place: &T) -> u64 {
    std::ptr::from_ref(place).addr() as u64
}
