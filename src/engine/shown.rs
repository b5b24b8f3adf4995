//! A shard's figures, shown to whoever does not hold its lock, and their sums over a collection.
//!
//! **Invariant:** only who holds the shard's lock stores them, so a store needs no locked instruction. A reader may see
//! figures of two moments beside each other.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::counts::Counts;

/// See the module.
#[derive(Default)]
pub(super) struct Shown {
    keys: AtomicU64,
    expires: AtomicU64,
    entry_bytes: AtomicU64,
    index_bytes: AtomicU64,
    pages: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
    expired: AtomicU64,
    evicted: AtomicU64,
}

impl Shown {
    /// Shows what each change of a key may change.
    #[inline]
    pub fn show_entries(&self, keys: u64, expires: u64, bytes: u64) {
        self.keys.store(keys, Relaxed);
        self.expires.store(expires, Relaxed);
        self.entry_bytes.store(bytes, Relaxed);
    }

    /// Shows the rest, which few changes change. Housekeeping also does, as it comes by: it is some seconds old at
    /// most.
    pub fn show_rest(&self, index_bytes: usize, pages: usize, counts: Counts) {
        self.index_bytes.store(index_bytes as u64, Relaxed);
        self.pages.store(pages as u64, Relaxed);
        self.reads.store(counts.reads, Relaxed);
        self.writes.store(counts.writes, Relaxed);
        self.expired.store(counts.expired, Relaxed);
        self.evicted.store(counts.evicted, Relaxed);
    }
}

/// Sums over a collection's shards, for which nothing is locked.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Pages.
    pub pages: u64,
    /// Bytes of entries.
    pub entry_bytes: u64,
    /// Bytes of pages and directories.
    pub index_bytes: u64,
    /// What has happened since it was emptied last, as far as housekeeping has come by.
    pub counts: Counts,
}

impl Sums {
    /// Adds what a shard shows.
    pub(super) fn add(&mut self, shown: &Shown) {
        self.keys += shown.keys.load(Relaxed);
        self.expires += shown.expires.load(Relaxed);
        self.pages += shown.pages.load(Relaxed);
        self.entry_bytes += shown.entry_bytes.load(Relaxed);
        self.index_bytes += shown.index_bytes.load(Relaxed);
        self.counts.add(Counts {
            reads: shown.reads.load(Relaxed),
            writes: shown.writes.load(Relaxed),
            expired: shown.expired.load(Relaxed),
            evicted: shown.evicted.load(Relaxed),
        });
    }

    /// Bytes of all of it.
    pub const fn bytes(&self) -> u64 {
        self.entry_bytes + self.index_bytes
    }
}
