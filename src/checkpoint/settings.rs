//! The settings that the checkpointer follows, as they are now.
//!
//! **Invariant:** whoever changes the configuration stores here; the checkpointer only reads.

use std::sync::atomic::{AtomicBool, AtomicU64};

/// See the module. All zero by default: no checkpoint by itself, nothing kept beyond the newest.
#[derive(Debug, Default)]
pub struct CheckpointSettings {
    /// `checkpoint.interval_s`; 0: none by time.
    pub interval_s: AtomicU64,
    /// `checkpoint.wal_bytes_max`; 0: none by size.
    pub wal_bytes_max: AtomicU64,
    /// `checkpoint.keep_count`
    pub keep_count: AtomicU64,
    /// `checkpoint.keep_age_s`
    pub keep_age_s: AtomicU64,
    /// `checkpoint.compression` is `lz4`.
    pub is_lz4: AtomicBool,
    /// `wal.keep_age_s`
    pub wal_keep_age_s: AtomicU64,
    /// `memory.max_bytes`; 0: no limit.
    pub memory_bytes_max: AtomicU64,
}
