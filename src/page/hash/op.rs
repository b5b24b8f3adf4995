//! The operations on hashes as effects carry them.

use serde::{Deserialize, Serialize};

use crate::page::packed::{Item, Packed};

/// A change to a hash.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum HashOp<'a> {
    /// Fields have these values now; the hash is made if there is none.
    Set {
        /// Field, value, field, value …, packed.
        #[serde(borrow, with = "serde_bytes")]
        pairs: &'a [u8],
        /// Whether fields that were there die when they would have died.
        keeps_expiry: bool,
    },
    /// Fields are gone.
    Remove {
        /// The fields, packed.
        #[serde(borrow, with = "serde_bytes")]
        fields: &'a [u8],
    },
    /// Fields that are there die at another time.
    ExpireAt {
        /// The fields, packed.
        #[serde(borrow, with = "serde_bytes")]
        fields: &'a [u8],
        /// When, Unix milliseconds; 0 = never.
        expire_at_ms: u64,
    },
}

/// The pairs of items in an operation.
pub(super) fn pairs_of(packed: Packed<'_>) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
    let mut items = packed.items();
    std::iter::from_fn(move || Some((items.next()?, items.next()?)))
}
