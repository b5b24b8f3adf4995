//! Up to which size a container's encoding keeps its compact name (`hash-max-listpack-entries` and its kin).
//!
//! What `OBJECT ENCODING` answers follows these; how a container is really kept does not: see
//! [`super::container::PACKED_BYTES_MAX`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// See the module. Names follow Redis's parameters.
#[derive(Debug)]
pub struct Thresholds {
    /// `hash-max-listpack-entries`
    pub hash_entries_max: AtomicU64,
    /// `hash-max-listpack-value`, bytes.
    pub hash_value_bytes_max: AtomicU64,
    /// `set-max-intset-entries`
    pub intset_entries_max: AtomicU64,
    /// `zset-max-listpack-entries`
    pub zset_entries_max: AtomicU64,
    /// `zset-max-listpack-value`, bytes.
    pub zset_value_bytes_max: AtomicU64,
    /// `stream-node-max-bytes`; 0: no limit.
    pub stream_node_bytes_max: AtomicU64,
    /// `stream-node-max-entries`; 0: no limit.
    pub stream_node_entries_max: AtomicU64,
}

/// Redis's defaults.
pub static DEFAULT: Thresholds = Thresholds::new();

impl Thresholds {
    /// Redis's defaults.
    pub const fn new() -> Self {
        Self {
            hash_entries_max: AtomicU64::new(128),
            hash_value_bytes_max: AtomicU64::new(64),
            intset_entries_max: AtomicU64::new(512),
            zset_entries_max: AtomicU64::new(128),
            zset_value_bytes_max: AtomicU64::new(64),
            stream_node_bytes_max: AtomicU64::new(4096),
            stream_node_entries_max: AtomicU64::new(100),
        }
    }

    /// Whether a hash of `fields` fields keeps the compact name.
    pub fn hash_fits(&self, fields: u64) -> bool {
        fields <= self.hash_entries_max.load(Relaxed)
    }

    /// Whether a field or value of `bytes` lets a hash keep the compact name.
    pub fn hash_item_fits(&self, bytes: usize) -> bool {
        bytes as u64 <= self.hash_value_bytes_max.load(Relaxed)
    }

    /// Whether a set of `members` integers keeps the compact name.
    pub fn intset_fits(&self, members: u64) -> bool {
        members <= self.intset_entries_max.load(Relaxed)
    }

    /// Whether a sorted set of `members` members keeps the compact name.
    pub fn zset_fits(&self, members: u64) -> bool {
        members <= self.zset_entries_max.load(Relaxed)
    }

    /// Whether a member of `bytes` lets a sorted set keep the compact name.
    pub fn zset_item_fits(&self, bytes: usize) -> bool {
        bytes as u64 <= self.zset_value_bytes_max.load(Relaxed)
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::new()
    }
}
