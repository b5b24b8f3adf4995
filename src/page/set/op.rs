//! The operations on sets as effects carry them.

use serde::{Deserialize, Serialize};

/// A change to a set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum SetOp<'a> {
    /// Members come in; the set is made if there is none.
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
}
