//! The kinds of index that a collection may have.

use serde::{Deserialize, Serialize};

/// Which index a collection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Extendible hashing: unordered, sharded.
    Hmap,
    /// Ordered by key: the standard library's B-tree over pages.
    Bdef,
    /// Ordered by key: our counted B+-tree over pages.
    Bcust,
}

/// Shards of a hashed collection, as a power of two.
const HASHED_SHARD_BITS: u8 = 6;

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Hmap, Self::Bdef, Self::Bcust];

    /// The name used by `COLLECTION` commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hmap => "hmap",
            Self::Bdef => "bdef",
            Self::Bcust => "bcust",
        }
    }

    /// Whether keys are kept in order.
    pub fn is_ordered(self) -> bool {
        match self {
            Self::Hmap => false,
            Self::Bdef | Self::Bcust => true,
        }
    }

    /// How many shards a new collection gets, as a power of two. An ordered one is one run of keys.
    pub fn shard_bits(self) -> u8 {
        if self.is_ordered() { 0 } else { HASHED_SHARD_BITS }
    }
}
