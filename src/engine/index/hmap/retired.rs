//! What an index has let go of and prefetching workers may still look at.
//!
//! **Invariants**
//! - Retired pages are empty.
//! - It is freed by [`Retired::free`] alone; dropping it leaks.

use std::mem::ManuallyDrop;
use std::sync::atomic::AtomicU64;

use crate::page::hash_page::HashPage;

/// See the module.
#[derive(Default)]
pub struct Retired {
    pages: Vec<HashPage>,
    directories: Vec<ManuallyDrop<Box<[AtomicU64]>>>,
    bytes: usize,
}

impl Retired {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Bytes of heap it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a page block, which must be empty.
    pub(super) fn add_page(&mut self, page: HashPage) {
        debug_assert_eq!(page.header().count, 0, "its entries would be lost");
        self.bytes += page.block_bytes();
        self.pages.push(page);
    }

    /// Adds a directory.
    pub(super) fn add_directory(&mut self, directory: Box<[AtomicU64]>) {
        self.bytes += size_of_val(&*directory);
        self.directories.push(ManuallyDrop::new(directory));
    }

    /// Adds all of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.pages.append(&mut other.pages);
        self.directories.append(&mut other.directories);
        self.bytes += other.bytes;
    }

    /// Frees all of it.
    ///
    /// # Safety
    /// Each thread that may prefetch must have ended its pass since the last addition.
    pub unsafe fn free(self) {
        for page in self.pages {
            // SAFETY: no directory names it any more, and nobody is prefetching from it.
            unsafe { page.free() };
        }
        self.directories
            .into_iter()
            .map(ManuallyDrop::into_inner)
            .for_each(drop);
    }
}
