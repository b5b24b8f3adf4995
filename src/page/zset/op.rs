//! The operations on sorted sets as effects carry them.

use serde::{Deserialize, Serialize};

use crate::page::packed::{Builder, Item, Packed};

/// A change to a sorted set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum ZsetOp<'a> {
    /// Members have these scores now; the sorted set is made if there is none.
    Add {
        /// Score, member, score, member …, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// Members leave.
    Remove {
        /// The members, packed.
        #[serde(borrow, with = "serde_bytes")]
        members: &'a [u8],
    },
    /// A run of members leaves.
    RemoveRange {
        /// The first one's rank, from 0.
        start: u64,
        /// How many.
        len: u64,
    },
}

/// The scores and members that items are.
pub(super) fn pairs_of(packed: Packed<'_>) -> impl Iterator<Item = (f64, Item<'_>)> {
    let mut items = packed.items();
    std::iter::from_fn(move || Some((items.next()?.number()?, items.next()?)))
}

/// Scores and members as they stand in an effect.
pub fn pack_pairs<'a>(pairs: impl Iterator<Item = (f64, &'a [u8])>) -> Vec<u8> {
    let mut builder = Builder::new(0);
    for (score, member) in pairs {
        builder.push(Item::of_f64(score));
        builder.push_bytes(member);
    }
    builder.finish()
}
