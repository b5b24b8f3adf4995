//! The operations on sets as effects carry them.

use serde::{Deserialize, Serialize};

/// A change to a set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum SetOp<'a> {
    /// Members come in; the set is made if there is none. One that is there stays as it is, and dies when it would
    /// have.
    Add {
        /// The members, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// Members leave.
    Remove {
        /// The members, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// Members that are there die at another time.
    ExpireAt {
        /// The members, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
        /// When, Unix milliseconds; 0 = never.
        expire_at_ms: u64,
    },
}
