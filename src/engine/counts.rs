//! What has happened to the keys of a shard, or of a collection.

use super::watch::Cause;

/// What has happened to keys since the start of the process.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Lookups by commands that read.
    pub reads: u64,
    /// Changes.
    pub writes: u64,
    /// Keys removed because their time had come.
    pub expired: u64,
    /// Keys removed for want of memory.
    pub evicted: u64,
}

impl Counts {
    /// Counts a change.
    #[inline]
    pub(super) fn add_one(&mut self, cause: Cause) {
        match cause {
            Cause::Write | Cause::Deaths => self.writes += 1,
            Cause::Expiry => self.expired += 1,
            Cause::Eviction => self.evicted += 1,
        }
    }

    /// These have not happened.
    pub(super) fn take_back(&mut self, changes: Self) {
        self.writes -= changes.writes;
        self.expired -= changes.expired;
        self.evicted -= changes.evicted;
    }

    /// Adds what others have counted.
    pub(super) fn add(&mut self, other: Self) {
        self.reads += other.reads;
        self.writes += other.writes;
        self.expired += other.expired;
        self.evicted += other.evicted;
    }
}
