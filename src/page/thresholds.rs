//! Up to which size a container's encoding keeps its compact name (`hash-max-listpack-entries` and its kin).
//!
//! What `OBJECT ENCODING` answers follows these; how a container is really kept does not: see
//! [`super::container::PACKED_BYTES_MAX`].
//!
//! **Invariant:** they are data. What they are at a record is told by the manifest and the log before it, so that a
//! change means the same whenever it is applied.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Serialize};

/// The thresholds of one moment, as the log and manifests carry them. The order of the fields is the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// `hash-max-listpack-entries`
    pub hash_entries_max: u64,
    /// `hash-max-listpack-value`, bytes.
    pub hash_value_bytes_max: u64,
    /// `set-max-intset-entries`
    pub intset_entries_max: u64,
    /// `zset-max-listpack-entries`
    pub zset_entries_max: u64,
    /// `zset-max-listpack-value`, bytes.
    pub zset_value_bytes_max: u64,
    /// `stream-node-max-bytes`; 0: no limit.
    pub stream_node_bytes_max: u64,
    /// `stream-node-max-entries`; 0: no limit.
    pub stream_node_entries_max: u64,
}

impl Limits {
    /// Redis's defaults: what holds where neither a manifest nor the log says anything.
    pub const DEFAULT: Self = Self {
        hash_entries_max: 512,
        hash_value_bytes_max: 64,
        intset_entries_max: 512,
        zset_entries_max: 128,
        zset_value_bytes_max: 64,
        stream_node_bytes_max: 4096,
        stream_node_entries_max: 100,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The thresholds now, for all threads. They change only while nobody applies anything.
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

/// Redis's defaults, for tests: the server's are those of its engine.
#[cfg(test)]
pub static DEFAULT: Thresholds = Thresholds::new();

impl Thresholds {
    /// Redis's defaults.
    pub const fn new() -> Self {
        let limits = Limits::DEFAULT;
        Self {
            hash_entries_max: AtomicU64::new(limits.hash_entries_max),
            hash_value_bytes_max: AtomicU64::new(limits.hash_value_bytes_max),
            intset_entries_max: AtomicU64::new(limits.intset_entries_max),
            zset_entries_max: AtomicU64::new(limits.zset_entries_max),
            zset_value_bytes_max: AtomicU64::new(limits.zset_value_bytes_max),
            stream_node_bytes_max: AtomicU64::new(limits.stream_node_bytes_max),
            stream_node_entries_max: AtomicU64::new(limits.stream_node_entries_max),
        }
    }

    /// What they are.
    pub fn limits(&self) -> Limits {
        Limits {
            hash_entries_max: self.hash_entries_max.load(Relaxed),
            hash_value_bytes_max: self.hash_value_bytes_max.load(Relaxed),
            intset_entries_max: self.intset_entries_max.load(Relaxed),
            zset_entries_max: self.zset_entries_max.load(Relaxed),
            zset_value_bytes_max: self.zset_value_bytes_max.load(Relaxed),
            stream_node_bytes_max: self.stream_node_bytes_max.load(Relaxed),
            stream_node_entries_max: self.stream_node_entries_max.load(Relaxed),
        }
    }

    /// From here on they are these.
    pub fn set(&self, limits: &Limits) {
        self.hash_entries_max.store(limits.hash_entries_max, Relaxed);
        self.hash_value_bytes_max.store(limits.hash_value_bytes_max, Relaxed);
        self.intset_entries_max.store(limits.intset_entries_max, Relaxed);
        self.zset_entries_max.store(limits.zset_entries_max, Relaxed);
        self.zset_value_bytes_max.store(limits.zset_value_bytes_max, Relaxed);
        self.stream_node_bytes_max.store(limits.stream_node_bytes_max, Relaxed);
        self.stream_node_entries_max
            .store(limits.stream_node_entries_max, Relaxed);
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
