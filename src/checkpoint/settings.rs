//! The settings that the checkpointer follows, as they are now.
//!
//! **Invariants**
//! - `CONFIG SET` stores here; the checkpointer only reads.
//! - Every value is read by its getter: one that nobody reads any more, so that setting it would be in vain, fails the
//!   build. (The tests set single values.)

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// See the module. All zero by default: no checkpoint by itself, nothing kept beyond the newest.
#[derive(Debug, Default)]
pub struct CheckpointSettings {
    pub(super) interval_s: AtomicU64,
    pub(super) wal_bytes_max: AtomicU64,
    pub(super) keep_count: AtomicU64,
    pub(super) keep_age_s: AtomicU64,
    pub(super) is_lz4: AtomicBool,
    pub(super) wal_keep_age_s: AtomicU64,
    pub(super) memory_bytes_max: AtomicU64,
    pub(super) stops_writes: AtomicBool,
}

/// All settings at one time.
pub struct CheckpointValues {
    /// `checkpoint.interval_s`; 0: none by time.
    pub interval_s: u64,
    /// `checkpoint.wal_bytes_max`; 0: none by size.
    pub wal_bytes_max: u64,
    /// `checkpoint.keep_count`
    pub keep_count: u64,
    /// `checkpoint.keep_age_s`
    pub keep_age_s: u64,
    /// `checkpoint.compression` is `lz4`.
    pub is_lz4: bool,
    /// `wal.keep_age_s`
    pub wal_keep_age_s: u64,
    /// `memory.max_bytes`; 0: no limit.
    pub memory_bytes_max: u64,
    /// `checkpoint.stop_writes_on_error`
    pub stops_writes: bool,
}

impl CheckpointSettings {
    /// Takes over `values`.
    pub(crate) fn store(&self, values: &CheckpointValues) {
        self.interval_s.store(values.interval_s, Relaxed);
        self.wal_bytes_max.store(values.wal_bytes_max, Relaxed);
        self.keep_count.store(values.keep_count, Relaxed);
        self.keep_age_s.store(values.keep_age_s, Relaxed);
        self.is_lz4.store(values.is_lz4, Relaxed);
        self.wal_keep_age_s.store(values.wal_keep_age_s, Relaxed);
        self.memory_bytes_max.store(values.memory_bytes_max, Relaxed);
        self.stops_writes.store(values.stops_writes, Relaxed);
    }

    pub(super) fn interval_s(&self) -> u64 {
        self.interval_s.load(Relaxed)
    }

    pub(super) fn wal_bytes_max(&self) -> u64 {
        self.wal_bytes_max.load(Relaxed)
    }

    pub(super) fn keep_count(&self) -> u64 {
        self.keep_count.load(Relaxed)
    }

    pub(super) fn keep_age_s(&self) -> u64 {
        self.keep_age_s.load(Relaxed)
    }

    pub(super) fn is_lz4(&self) -> bool {
        self.is_lz4.load(Relaxed)
    }

    pub(super) fn wal_keep_age_s(&self) -> u64 {
        self.wal_keep_age_s.load(Relaxed)
    }

    pub(super) fn stops_writes(&self) -> bool {
        self.stops_writes.load(Relaxed)
    }

    pub(super) fn memory_bytes_max(&self) -> u64 {
        self.memory_bytes_max.load(Relaxed)
    }
}
